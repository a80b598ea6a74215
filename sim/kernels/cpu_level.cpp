// SPDX-License-Identifier: Apache-2.0
#include "kernels/cpu_level.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace xhal::sim {
namespace {

constexpr uint32_t bits(std::initializer_list<uint32_t> numbers) {
  uint32_t mask = 0;
  for (const uint32_t number : numbers) mask |= uint32_t{1} << number;
  return mask;
}

// Leaf 1, ecx: SSE3 0, SSSE3 9, FMA 12, CX16 13, SSE4.1 19, SSE4.2 20, MOVBE 22, POPCNT 23, OSXSAVE 27, AVX 28, F16C 29.
constexpr uint32_t kLeaf1V2 = bits({0, 9, 13, 19, 20, 23});
constexpr uint32_t kLeaf1V3 = bits({12, 22, 27, 28, 29});
// Leaf 7, ebx: BMI1 3, AVX2 5, BMI2 8, AVX512 F 16, DQ 17, CD 28, BW 30, VL 31.
constexpr uint32_t kLeaf7V3 = bits({3, 5, 8});
constexpr uint32_t kLeaf7V4 = bits({16, 17, 28, 30, 31});
// Leaf 0x80000001, ecx: LAHF 0, LZCNT 5.
constexpr uint32_t kExtendedV2 = bits({0});
constexpr uint32_t kExtendedV3 = bits({5});
// XCR0: SSE 1, AVX 2, AVX-512 masks and upper registers 5, 6, 7.
constexpr uint64_t kSavedV3 = bits({1, 2});
constexpr uint64_t kSavedV4 = bits({1, 2, 5, 6, 7});

constexpr std::string_view kTargets[] = {"x86-64-v4", "x86-64-v3", "x86-64-v2"};

constexpr bool has(uint64_t word, uint64_t mask) { return (word & mask) == mask; }

}  // namespace

CpuWords read_cpu() {
  CpuWords words;
#if defined(__x86_64__)
  uint32_t eax = 0;
  uint32_t ebx = 0;
  uint32_t ecx = 0;
  uint32_t edx = 0;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0) words.leaf1_ecx = ecx;
  if (__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0) words.leaf7_ebx = ebx;
  if (__get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) != 0) words.extended1_ecx = ecx;
  constexpr uint32_t kOsXsave = bits({27});
  if ((words.leaf1_ecx & kOsXsave) != 0) {
    uint32_t low = 0;
    uint32_t high = 0;
    __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    words.xcr0 = (uint64_t{high} << 32) | low;
  }
#endif
  return words;
}

uint32_t cpu_level(const CpuWords& words) {
#if defined(__x86_64__)
  if (!has(words.leaf1_ecx, kLeaf1V2) || !has(words.extended1_ecx, kExtendedV2)) return 1;
  if (!has(words.leaf1_ecx, kLeaf1V3) || !has(words.leaf7_ebx, kLeaf7V3) ||
      !has(words.extended1_ecx, kExtendedV3) || !has(words.xcr0, kSavedV3)) {
    return 2;
  }
  return has(words.leaf7_ebx, kLeaf7V4) && has(words.xcr0, kSavedV4) ? 4 : 3;
#else
  static_cast<void>(words);
  return 0;
#endif
}

std::span<const std::string_view> usable_targets() {
  static const uint32_t kLevel = cpu_level(read_cpu());
  if (kLevel < 2) return {};
  return std::span(kTargets).subspan(4 - kLevel);
}

std::span<const std::string_view> usable_targets(uint32_t highest) {
  const auto all = usable_targets();
  return highest < 2 || all.size() < highest ? all : all.last(highest - 1);
}

}  // namespace xhal::sim
