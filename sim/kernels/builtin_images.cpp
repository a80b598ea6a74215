// SPDX-License-Identifier: Apache-2.0
#include "kernels/builtin_images.hpp"

#ifdef XHAL_SIM_BUILTIN_IMAGES

// XHAL_SIM_BUILTIN_DIR is the folder of the images, which the build makes before it compiles this file.
#define XHAL_EMBED(level)                                                                   \
  __asm__(                                                                                  \
      ".pushsection .rodata\n"                                                              \
      ".balign 16\n"                                                                        \
      ".globl xhal_builtin_v" #level                                                        \
      "\n"                                                                                  \
      ".hidden xhal_builtin_v" #level                                                       \
      "\n"                                                                                  \
      "xhal_builtin_v" #level                                                               \
      ":\n"                                                                                 \
      ".incbin \"" XHAL_SIM_BUILTIN_DIR "/xhal_pack.native.x86-64-v" #level                 \
      ".so\"\n"                                                                             \
      ".globl xhal_builtin_v" #level                                                        \
      "_end\n"                                                                              \
      ".hidden xhal_builtin_v" #level                                                       \
      "_end\n"                                                                              \
      "xhal_builtin_v" #level                                                               \
      "_end:\n"                                                                             \
      ".popsection\n");                                                                     \
  extern "C" const std::byte xhal_builtin_v##level[] __attribute__((visibility("hidden"))); \
  extern "C" const std::byte xhal_builtin_v##level##_end[] __attribute__((visibility("hidden")));
XHAL_EMBED(2)
XHAL_EMBED(3)
XHAL_EMBED(4)

namespace xhal::sim {

std::span<const std::byte> builtin_image(std::string_view target) {
  if (target == "x86-64-v2") return {xhal_builtin_v2, xhal_builtin_v2_end};
  if (target == "x86-64-v3") return {xhal_builtin_v3, xhal_builtin_v3_end};
  if (target == "x86-64-v4") return {xhal_builtin_v4, xhal_builtin_v4_end};
  return {};
}

}  // namespace xhal::sim

#else

namespace xhal::sim {

std::span<const std::byte> builtin_image(std::string_view) { return {}; }

}  // namespace xhal::sim

#endif
