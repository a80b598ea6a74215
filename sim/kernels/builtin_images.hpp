// SPDX-License-Identifier: Apache-2.0
// The kernel pack's native images inside this library: what a module of format "builtin" is made of.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace xhal::sim {

// Whether the library was built with them: without the compiler of kernels there are none.
#ifdef XHAL_SIM_BUILTIN_IMAGES
inline constexpr bool kHasBuiltinImages = true;
#else
inline constexpr bool kHasBuiltinImages = false;
#endif

inline constexpr std::string_view kBuiltinPack = "xhal";

// The image for a target of usable_targets(); empty when there is none.
[[nodiscard]] std::span<const std::byte> builtin_image(std::string_view target);

}  // namespace xhal::sim
