// SPDX-License-Identifier: Apache-2.0
// Native handles of the simulator, as its entries and its probe give and take them.
#pragma once

#include "entries/entry.hpp"
#include "xhal/interop.h"

namespace xhal::sim {

inline constexpr char kNativeApi[] = "sim";

[[nodiscard]] xhal_native_t native_of(uint64_t value, uint32_t kind = XHAL_NATIVE_HANDLE);
[[nodiscard]] xhal_native_t native_of(const Stream& stream);
// INVALID_ARGUMENT, with a text, when it is another API's; the second also when it is of a default stream.
xhal_result_t check_native(const char* name, const xhal_native_t& native);
xhal_result_t check_native_handle(const char* name, const xhal_native_t& native);

// The extension table of xhal/ext/native_probe.h.
[[nodiscard]] const void* native_probe();

}  // namespace xhal::sim
