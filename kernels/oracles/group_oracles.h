// SPDX-License-Identifier: Apache-2.0
#pragma once

// Oracles of the kernels whose items work together, and of structures by value. The rules of oracles.h hold.

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "oracles.h"

namespace xhal::oracle {

// Where a launch must own all elements, `n` is at most the items that it has.
std::vector<std::uint32_t> scan_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                    std::uint64_t n, std::uint64_t group_size);

std::vector<std::uint32_t> reverse_u32(std::span<const std::uint32_t> dst, std::span<const std::uint32_t> src,
                                       std::uint32_t chunk, std::uint64_t n);

std::vector<std::uint32_t> transpose_u32(std::span<const std::uint32_t> dst,
                                         std::span<const std::uint32_t> src, std::uint32_t rows,
                                         std::uint32_t columns);

// Throws std::domain_error unless all elements are whole and small enough that every order of the sums gives the same f32.
std::vector<float> matmul_f32(std::span<const float> c, std::span<const float> a, std::span<const float> b,
                              std::uint32_t m, std::uint32_t n, std::uint32_t k);

// Boxes of groups, counted in x, y and z.
using Counts = std::array<std::uint32_t, 3>;
// Both halves of the cells. `cells` has two elements for each item of `groups` groups of `group_size` items.
std::vector<std::uint64_t> meet_u64(std::span<const std::uint64_t> cells, const Counts& groups,
                                    std::uint64_t group_size, const Counts& team, std::uint32_t rounds);

inline constexpr std::size_t kAtomicCells = 9;
std::vector<std::uint32_t> atomics(std::span<const std::uint32_t> cells, std::span<const std::uint32_t> src,
                                   std::uint64_t n);
std::vector<std::uint64_t> atomics(std::span<const std::uint64_t> cells, std::span<const std::uint64_t> src,
                                   std::uint64_t n);

// The words of the ceil(n / group_size) groups that own an element.
std::vector<std::uint32_t> local_atomics(std::span<const std::uint32_t> src, std::uint64_t n,
                                         std::uint64_t group_size);
std::vector<std::uint64_t> local_atomics(std::span<const std::uint64_t> src, std::uint64_t n,
                                         std::uint64_t group_size);

std::uint64_t spin_u64(std::uint64_t cell, std::uint64_t turns);

// The arguments of structs_u64, as a C program declares them.
struct Color {
  std::uint8_t red, green, blue;
};
struct Pair {
  std::uint64_t key;
  float weight;
};
struct Record {
  std::uint8_t tag;
  std::int16_t level;
  std::array<Pair, 2> pairs;
  std::uint32_t count;
  std::array<std::uint8_t, 5> bytes;
};
struct alignas(16) Box {
  std::array<float, 4> corner;
  std::uint32_t id;
};
static_assert(sizeof(Color) == 3 && sizeof(Pair) == 16 && sizeof(Record) == 56 && sizeof(Box) == 32);

std::array<std::uint64_t, 23> structs_u64(const Color& color, const Pair& pair, const Record& record,
                                          const Box& box, std::uint32_t last);

}  // namespace xhal::oracle
