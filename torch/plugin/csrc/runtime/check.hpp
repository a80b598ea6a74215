// SPDX-License-Identifier: Apache-2.0
// xhal's results as PyTorch's exceptions, with the driver's own words in them.
#pragma once

#include <c10/util/Exception.h>

#include "xhal/base.h"

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

// The exception that a user of CUDA would expect for this result.
[[noreturn]] void raise(xhal_result_t result, const char* call, const c10::SourceLocation& where);
// What the thread's last error says, or the result's name.
std::string text_of(xhal_result_t result, const char* call);

}  // namespace torch_xhal
#pragma GCC visibility pop

#define XHAL_CHECK(call)                                                                               \
  do {                                                                                                 \
    if (const xhal_result_t xhal_result_ = (call); C10_UNLIKELY(xhal_result_ != XHAL_SUCCESS))         \
      ::torch_xhal::raise(xhal_result_, #call, {__func__, __FILE__, static_cast<uint32_t>(__LINE__)}); \
  } while (false)
