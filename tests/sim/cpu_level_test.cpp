// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_level.hpp"

#include <gtest/gtest.h>

namespace xhal::sim {
namespace {

constexpr CpuWords kEverything = {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};

TEST(CpuLevel, OfAProcessorWithEverythingIsFour) { EXPECT_EQ(cpu_level(kEverything), 4u); }

TEST(CpuLevel, OfAProcessorWithNothingIsOne) { EXPECT_EQ(cpu_level({}), 1u); }

// Each single bit that is missing lowers the level to the one below what needs it.
TEST(CpuLevel, NeedsEachOfItsBits) {
  const auto without = [](uint32_t CpuWords::*word, uint32_t bit) {
    CpuWords words = kEverything;
    words.*word &= ~(uint32_t{1} << bit);
    return cpu_level(words);
  };
  for (const uint32_t bit : {0u, 9u, 13u, 19u, 20u, 23u})
    EXPECT_EQ(without(&CpuWords::leaf1_ecx, bit), 1u) << bit;
  EXPECT_EQ(without(&CpuWords::extended1_ecx, 0), 1u);
  for (const uint32_t bit : {12u, 22u, 27u, 28u, 29u})
    EXPECT_EQ(without(&CpuWords::leaf1_ecx, bit), 2u) << bit;
  for (const uint32_t bit : {3u, 5u, 8u}) EXPECT_EQ(without(&CpuWords::leaf7_ebx, bit), 2u) << bit;
  EXPECT_EQ(without(&CpuWords::extended1_ecx, 5), 2u);
  for (const uint32_t bit : {16u, 17u, 28u, 30u, 31u})
    EXPECT_EQ(without(&CpuWords::leaf7_ebx, bit), 3u) << bit;
}

TEST(CpuLevel, NeedsTheOperatingSystemToSaveTheRegisters) {
  CpuWords words = kEverything;
  words.xcr0 = 0b011;  // no AVX state
  EXPECT_EQ(cpu_level(words), 2u);
  words.xcr0 = 0b111;  // no AVX-512 state
  EXPECT_EQ(cpu_level(words), 3u);
}

// The compiler's own knowledge of the running processor.
TEST(CpuLevel, AgreesWithTheCompilersRuntime) {
  const uint32_t level = cpu_level(read_cpu());
  EXPECT_EQ(level >= 3, __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2") &&
                            __builtin_cpu_supports("fma"));
  EXPECT_EQ(level >= 4, level >= 3 && __builtin_cpu_supports("avx512f") &&
                            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512cd"));
}

TEST(CpuLevel, TargetsAreListedBestFirst) {
  const auto targets = usable_targets();
  const uint32_t level = cpu_level(read_cpu());
  ASSERT_EQ(targets.size(), level < 2 ? 0 : level - 1);
  for (size_t i = 0; i < targets.size(); ++i) EXPECT_EQ(targets[i], "x86-64-v" + std::to_string(level - i));
}

}  // namespace
}  // namespace xhal::sim
