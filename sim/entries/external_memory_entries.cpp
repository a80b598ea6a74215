// SPDX-License-Identifier: Apache-2.0
// Memory that comes and goes by descriptor.
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

// A processor has no way to a device's pages behind a dma-buf that would be worth the name.
constexpr const char kNoDmaBuf[] = "the simulator has no dma-bufs; use XHAL_EXTERNAL_OPAQUE_FD";

xhal_result_t refuse(xhal_result_t code, const std::string& why) {
  return kit::fail(code, "%s", why.c_str());
}

xhal_result_t check(const Device& device) {
  const xhal_result_t result = check_claimed(device, XHAL_FEATURE_EXTERNAL_MEMORY, "external_memory");
  return result < 0 ? result : outside_host_function();
}

xhal_result_t refuse_type(uint32_t type) {
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "type is %u, which none of XHAL_EXTERNAL_ is", type);
}

xhal_result_t import_external(xhal_device_t device, const xhal_external_memory_desc_t* desc,
                              void** out_pointer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d); result < 0) return result;
  xhal_external_memory_desc_t given = {};
  if (const xhal_result_t result = read("desc", desc, given); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  if (given.type == XHAL_EXTERNAL_DMA_BUF) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "%s", kNoDmaBuf);
  if (given.type != XHAL_EXTERNAL_OPAQUE_FD) return refuse_type(given.type);
  if (given.flags != 0) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  }
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result = d.instance.memory.import_file(d.index, given.fd, given.offset, given.size,
                                                               kit::services().next_id(), out_pointer, why);
    return result < 0 ? refuse(result, why) : result;
  });
}

xhal_result_t release_external(xhal_device_t device, void* pointer) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d); result < 0) return result;
  return guarded([&] {
    std::string why;
    const xhal_result_t result = d.instance.memory.release_file(d.index, pointer, why);
    return result < 0 ? refuse(result, why) : result;
  });
}

xhal_result_t export_external(xhal_device_t device, const void* pointer, uint32_t type, int32_t* out_fd,
                              uint64_t* out_offset) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check(d); result < 0) return result;
  if (out_fd == nullptr) return refuse_null("out_fd");
  if (out_offset == nullptr) return refuse_null("out_offset");
  if (type == XHAL_EXTERNAL_DMA_BUF) return kit::fail(XHAL_ERROR_UNSUPPORTED, "%s", kNoDmaBuf);
  if (type != XHAL_EXTERNAL_OPAQUE_FD) return refuse_type(type);
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    Memory& memory = d.instance.memory;
    std::string why;
    int32_t fd = -1;
    xhal_result_t result = XHAL_SUCCESS;
    const auto move = [&](bool is_idle) { result = memory.export_file(d.index, pointer, is_idle, fd, why); };
    if (!d.instance.while_idle([&] { move(true); })) move(false);
    if (result < 0) return refuse(result, why);
    *out_fd = fd;
    *out_offset = 0;
    return result;
  });
}

}  // namespace

void add_external_memory_entries(xhal_functions_t& functions) {
  functions.memory_import_external = import_external;
  functions.memory_release_external = release_external;
  functions.memory_export_external = export_external;
}

}  // namespace xhal::sim
