// SPDX-License-Identifier: Apache-2.0
#include "runtime/check.hpp"

#include <string>

#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

bool is_failure_of_the_device(xhal_result_t result) {
  switch (result) {
    case XHAL_ERROR_LAUNCH_FAILED:
    case XHAL_ERROR_ILLEGAL_ADDRESS:
    case XHAL_ERROR_LAUNCH_TIMEOUT:
    case XHAL_ERROR_MEMORY_CORRUPT:
    case XHAL_ERROR_DEVICE_LOST:
    case XHAL_ERROR_CANCELLED:
      return true;
    default:
      return false;
  }
}

// "xhal_stream_query(handle)" without what is behind the name; the name of a variable tells nobody anything.
std::string name_of(const std::string& call) {
  const size_t end = call.find('(');
  return end == std::string::npos ? "xhal" : call.substr(0, end);
}

}  // namespace

std::string text_of(xhal_result_t result, const char* call) {
  xhal_error_t info = {};
  info.struct_size = sizeof(info);
  const std::string name = xhal_result_name(result);
  if (xhal_error_get_last(&info) == XHAL_SUCCESS && info.code == result && info.text[0] != '\0')
    return (*info.entry != '\0' ? info.entry : name_of(call)) + ": " + name + ": " + info.text;
  return name_of(call) + ": " + name + ": " + xhal_result_text(result);
}

void raise(xhal_result_t result, const char* call, const c10::SourceLocation& where) {
  const std::string text = text_of(result, call);
  if (result == XHAL_ERROR_OUT_OF_DEVICE_MEMORY || result == XHAL_ERROR_OUT_OF_HOST_MEMORY)
    throw c10::OutOfMemoryError(where, device_title() + " out of memory. " + text);
  if (result == XHAL_ERROR_UNSUPPORTED) throw c10::NotImplementedError(where, text);
  if (result == XHAL_ERROR_INVALID_ARGUMENT) throw c10::ValueError(where, text);
  if (result == XHAL_ERROR_FORKED)
    throw c10::Error(
        where,
        "Cannot re-initialize " + device_title() +
            " in forked subprocess. To use it with multiprocessing, you must use the 'spawn' start method");
  if (is_failure_of_the_device(result))
    throw c10::AcceleratorError(where, result, device_title() + " error: " + text);
  throw c10::Error(where, device_title() + " error: " + text);
}

}  // namespace torch_xhal
