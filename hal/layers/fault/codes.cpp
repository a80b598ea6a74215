// SPDX-License-Identifier: Apache-2.0
#include "codes.hpp"

namespace xhal::fault {

using layers::bit_of;
using layers::EntryInfo;
using layers::info_of;

namespace {

// What is asked about what does not change answers also when the device is lost [XHAL-ERROR-14]; its fault record does, too.
bool is_plain_question(const EntryInfo& info) {
  if (info.name == "device_get_memory_info" || info.name == "module_get_global" ||
      info.name == "device_get_clocks" || info.name == "event_get_elapsed")
    return false;
  return info.name.find("_get_") != std::string_view::npos || info.name.ends_with("_has_feature") ||
         info.name.ends_with("_is_active");
}

bool allocates_on_device(Entry entry) {
  switch (entry) {
    case Entry::memory_allocate:
    case Entry::pool_allocate:
    case Entry::physical_create:
    case Entry::module_load:
    case Entry::graph_instantiate:
      return true;
    default:
      return false;
  }
}

bool takes(const EntryInfo& info, uint32_t type) { return (info.takes & bit_of(type)) != 0; }

bool is_of_capture(const EntryInfo& info) {
  return takes(info, XHAL_TYPE_stream) || takes(info, XHAL_TYPE_event) || takes(info, XHAL_TYPE_device) ||
         takes(info, XHAL_TYPE_pool);
}

}  // namespace

bool may_return(Entry entry, xhal_result_t code) {
  const EntryInfo& info = info_of(entry);
  const bool question = is_plain_question(info);
  const bool ends_something = layers::destroys(entry) || layers::releases_memory(entry);
  switch (code) {
    case XHAL_ERROR_UNKNOWN:
    case XHAL_ERROR_INTERNAL:
    case XHAL_ERROR_OUT_OF_HOST_MEMORY:
    case XHAL_ERROR_INVALID_ARGUMENT:
      return true;
    case XHAL_ERROR_INVALID_HANDLE:  // made before a reset
      return !question && !layers::destroys(entry);
    case XHAL_ERROR_UNKNOWN_FIELD:
    case XHAL_ERROR_UNSUPPORTED:
      return !ends_something;
    case XHAL_ERROR_OUT_OF_DEVICE_MEMORY:
      return allocates_on_device(entry);
    case XHAL_ERROR_INVALID_POINTER:
    case XHAL_ERROR_OUT_OF_RANGE:
      return info.has_address || entry == Entry::kernel_launch || entry == Entry::memory_copy_region;
    case XHAL_ERROR_LIMIT_EXCEEDED:
      return layers::makes_objects(entry) || entry == Entry::kernel_launch ||
             info.name.starts_with("ipc_export") || info.name.ends_with("_register");
    case XHAL_ERROR_NOT_FOUND:
      return entry == Entry::driver_get_extension || entry == Entry::module_get_kernel ||
             entry == Entry::module_get_global || entry == Entry::device_read_metrics;
    case XHAL_ERROR_ALREADY_DONE:
      return info.name.ends_with("able_peer") || entry == Entry::vmm_map;
    case XHAL_ERROR_NOT_RECORDED:
      return entry == Entry::event_get_elapsed;
    case XHAL_ERROR_INVALID_IMAGE:
    case XHAL_ERROR_UNSUPPORTED_IMAGE:
      return entry == Entry::module_load;
    case XHAL_ERROR_BUSY:
      return entry == Entry::vmm_release || entry == Entry::activity_subscribe ||
             entry == Entry::device_set_native_context;
    case XHAL_ERROR_PERMISSION:
      return entry == Entry::memory_register || info.name.starts_with("ipc_") ||
             entry == Entry::device_read_metrics || entry == Entry::activity_subscribe;
    case XHAL_ERROR_IO:
      return info.name.find("_external") != std::string_view::npos || info.name.starts_with("ipc_") ||
             entry == Entry::semaphore_import;
    case XHAL_ERROR_CAPTURE_UNSUPPORTED:
      return is_of_capture(info) && !question && !layers::destroys(entry);
    case XHAL_ERROR_CAPTURE_INVALIDATED:
      return takes(info, XHAL_TYPE_stream) && !question && !layers::destroys(entry);
    case XHAL_ERROR_CAPTURE_UNJOINED:
      return entry == Entry::stream_end_capture;
    case XHAL_ERROR_CAPTURE_MISMATCH:
      return entry == Entry::stream_end_capture || entry == Entry::stream_begin_capture;
    case XHAL_ERROR_GRAPH_UPDATE_FAILED:
      return entry == Entry::graph_exec_update;
    case XHAL_ERROR_CANCELLED:
    case XHAL_ERROR_LAUNCH_FAILED:
    case XHAL_ERROR_ILLEGAL_ADDRESS:
    case XHAL_ERROR_LAUNCH_TIMEOUT:
    case XHAL_ERROR_MEMORY_CORRUPT:
    case XHAL_ERROR_DEVICE_LOST:  // of a poisoned scope [XHAL-ERROR-7]
      return !question && !ends_something;
    default:  // states that are no errors, and what libxhal alone answers
      return false;
  }
}

std::optional<xhal_result_t> code_from_name(std::string_view name) {
  constexpr std::string_view kPrefix = "XHAL_ERROR_";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
#define XHAL_FAULT_CODE(code, value, text)                                              \
  if constexpr (constexpr std::string_view kName = #code; kName.starts_with(kPrefix)) { \
    if (name == kName.substr(kPrefix.size())) return code;                              \
  }
  XHAL_RESULT_LIST(XHAL_FAULT_CODE)
#undef XHAL_FAULT_CODE
  return std::nullopt;
}

NaturalCodes natural_codes(Entry entry, bool pinned) {
  if (allocates_on_device(entry) && !pinned) {
    return {{XHAL_ERROR_OUT_OF_DEVICE_MEMORY, XHAL_ERROR_OUT_OF_HOST_MEMORY, XHAL_ERROR_UNKNOWN}, 3};
  }
  return {{XHAL_ERROR_OUT_OF_HOST_MEMORY, XHAL_ERROR_UNKNOWN, 0}, 2};
}

}  // namespace xhal::fault
