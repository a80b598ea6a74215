// SPDX-License-Identifier: Apache-2.0
// Which of the x86-64 levels of the psABI this processor and its operating system have: what native images may be built for.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace xhal::sim {

// The words that decide it, so that tests can ask about processors that are not there.
struct CpuWords {
  uint32_t leaf1_ecx = 0;
  uint32_t leaf7_ebx = 0;
  uint32_t extended1_ecx = 0;
  uint64_t xcr0 = 0;  // register states that the operating system saves
};

[[nodiscard]] CpuWords read_cpu();
// 1 to 4; 0 on another architecture.
[[nodiscard]] uint32_t cpu_level(const CpuWords& words);
// Targets of images that run here, best first: "x86-64-v4", ... "x86-64-v2".
[[nodiscard]] std::span<const std::string_view> usable_targets();
// Those of them up to a level; 0: all.
[[nodiscard]] std::span<const std::string_view> usable_targets(uint32_t highest);

}  // namespace xhal::sim
