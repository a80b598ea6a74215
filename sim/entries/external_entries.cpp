// SPDX-License-Identifier: Apache-2.0
// Memory that was allocated outside of the simulator. Its native allocator is the process's: host memory of any kind.
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

// Until xhal_memory_free forgets it; the bytes stay their owner's. [XHAL-INTEROP-7]
xhal_result_t import_native(xhal_device_t device, void* pointer, uint64_t size) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_claimed(d, XHAL_FEATURE_NATIVE_HANDLES, "native_handles");
      result < 0)
    return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (pointer == nullptr) return kit::fail(XHAL_ERROR_INVALID_POINTER, "pointer is null");
  if (size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result =
        d.instance.memory.import_native(d.index, pointer, size, kit::services().next_id(), why);
    return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
  });
}

}  // namespace

void add_external_entries(xhal_functions_t& functions) { functions.memory_import_native = import_native; }

}  // namespace xhal::sim
