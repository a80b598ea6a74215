// SPDX-License-Identifier: Apache-2.0
// As in oracles_test.cpp: constants worked out by hand, and properties.
#include "group_oracles.h"

#include <gtest/gtest.h>

#include <numeric>
#include <stdexcept>
#include <vector>

namespace xhal::oracle {
namespace {

using Words32 = std::vector<std::uint32_t>;
using Words64 = std::vector<std::uint64_t>;

TEST(ScanU32, StartsAnewInEachGroup) {
  const Words32 src = {1, 2, 3, 4, 5, 6};
  const Words32 dst = {9, 9, 9, 9, 9, 9};
  EXPECT_EQ(scan_u32(dst, src, 5, 3), (Words32{1, 3, 6, 4, 9, 9}));
  EXPECT_EQ(scan_u32(dst, src, 6, 100).back(), 21u);
  EXPECT_EQ(scan_u32(dst, src, 6, 1), src);
  EXPECT_THROW(scan_u32(dst, src, 7, 1), std::invalid_argument);
  EXPECT_THROW(scan_u32(dst, src, 1, 0), std::invalid_argument);
}

TEST(ReverseU32, CutsTheLastChunk) {
  const Words32 src = {1, 2, 3, 4, 5, 6};
  const Words32 dst(7, 9);
  EXPECT_EQ(reverse_u32(dst, src, 4, 6), (Words32{4, 3, 2, 1, 6, 5, 9}));
  EXPECT_EQ(reverse_u32(dst, src, 1, 2), (Words32{1, 2, 9, 9, 9, 9, 9}));
  EXPECT_EQ(reverse_u32(reverse_u32(dst, src, 4, 6), reverse_u32(dst, src, 4, 6), 4, 6),
            (Words32{1, 2, 3, 4, 5, 6, 9}));
  EXPECT_THROW(reverse_u32(dst, src, 0, 1), std::invalid_argument);
}

TEST(TransposeU32, HandComputedAndItsOwnInverse) {
  const Words32 src = {1, 2, 3, 4, 5, 6};
  const Words32 dst(7, 9);
  EXPECT_EQ(transpose_u32(dst, src, 2, 3), (Words32{1, 4, 2, 5, 3, 6, 9}));
  EXPECT_EQ(transpose_u32(src, transpose_u32(src, src, 2, 3), 3, 2), src);
  EXPECT_THROW(transpose_u32(dst, src, 7, 1), std::invalid_argument);
}

TEST(MatmulF32, HandComputedAndRefusedWhereTheOrderCounts) {
  const std::vector<float> a = {1, 2, 3, 4, 5, 6};
  const std::vector<float> b = {1, 0, -1, 2, 0, 1};
  const std::vector<float> c(5, 9);
  EXPECT_EQ(matmul_f32(c, a, b, 2, 2, 3), (std::vector<float>{-1, 7, -1, 16, 9}));
  EXPECT_EQ(matmul_f32(c, a, b, 2, 2, 0), (std::vector<float>{0, 0, 0, 0, 9}));
  EXPECT_THROW(matmul_f32(c, a, b, 3, 2, 3), std::invalid_argument);
  const std::vector<float> half = {0.5F};
  EXPECT_THROW(matmul_f32(c, half, half, 1, 1, 1), std::domain_error);
  const std::vector<float> large = {4096};
  EXPECT_THROW(matmul_f32(c, large, large, 1, 1, 1), std::domain_error);
}

TEST(Atomics, HandComputedCells) {
  const Words32 cells = {0, 0, 7, 7, 0xFF, 0, 0, 0, 40, 5};
  const Words32 src = {3, 9, 0xF0};
  EXPECT_EQ(atomics(cells, src, 2), (Words32{12, 0xFFFFFFF4, 3, 9, 1, 11, 10, 2, 42, 5}));
  EXPECT_EQ(atomics(cells, src, 0), cells);
  EXPECT_THROW(atomics(std::span(cells).first(8), src, 1), std::invalid_argument);
  EXPECT_THROW(atomics(cells, src, 4), std::invalid_argument);
}

TEST(LocalAtomics, EachGroupHasItsCells) {
  const Words64 src = {3, 9, 0x8000000000000000};
  EXPECT_EQ(local_atomics(src, 3, 2),
            (Words64{12, ~11ULL, 3, 9, 1, 11, 10, 2, 2,  //
                     src[2], src[2], src[2], src[2], src[2], src[2], src[2], 1, 1}));
  EXPECT_TRUE(local_atomics(src, 0, 2).empty());
  EXPECT_THROW(local_atomics(src, 4, 2), std::invalid_argument);
  EXPECT_THROW(local_atomics(src, 1, 0), std::invalid_argument);
}

TEST(SpinU64, MixesTheNumbersOfItsTurns) {
  EXPECT_EQ(spin_u64(77, 0), 77u);
  EXPECT_EQ(spin_u64(77, 1), mix(77, 0));
  EXPECT_EQ(spin_u64(77, 3), FoldHistory(77, {0, 1, 2}).value());
}

TEST(StructsU64, WordsStandInTheOrderOfTheMembers) {
  const auto words = structs_u64({.red = 1, .green = 2, .blue = 3}, {.key = 4, .weight = 1.0F},
                                 {.tag = 6,
                                  .level = -1,
                                  .pairs = {Pair{8, 2.0F}, Pair{10, -2.0F}},
                                  .count = 12,
                                  .bytes = {13, 14, 15, 16, 17}},
                                 {.corner = {0.0F, -0.0F, 1.0F, 2.0F}, .id = 22}, 23);
  EXPECT_EQ(words, (std::array<std::uint64_t, 23>{
                       1,  2,  3,  4,  0x3F800000, 6, ~0ULL,      8,          0x40000000, 10, 0xC0000000, 12,
                       13, 14, 15, 16, 17,         0, 0x80000000, 0x3F800000, 0x40000000, 22, 23}));
}

TEST(MeetU64, HandComputed) {
  // One team of two groups of one item: the halves take turns.
  const std::uint64_t a = mix(mix(10, 20), 0);
  const std::uint64_t b = mix(mix(20, 10), 0);
  const Words64 cells = {10, 20, 1, 2};
  EXPECT_EQ(meet_u64(cells, {2, 1, 1}, 1, {2, 1, 1}, 0), cells);
  EXPECT_EQ(meet_u64(cells, {2, 1, 1}, 1, {2, 1, 1}, 1), (Words64{10, 20, a, b}));
  EXPECT_EQ(meet_u64(cells, {2, 1, 1}, 1, {2, 1, 1}, 2),
            (Words64{mix(mix(a, b), 1), mix(mix(b, a), 1), a, b}));
  // Teams of one group of two items: each item takes its neighbour's word and its own.
  EXPECT_EQ(meet_u64(cells, {1, 1, 1}, 2, {1, 1, 1}, 1), (Words64{10, 20, b, a}));
  EXPECT_EQ(meet_u64(cells, {2, 1, 1}, 1, {1, 1, 1}, 1),
            (Words64{10, 20, mix(mix(10, 10), 0), mix(mix(20, 20), 0)}));
}

TEST(MeetU64, FollowsItsTeamXFirstAndWrapsInIt) {
  Words64 cells(16);
  std::iota(cells.begin(), cells.end(), 1);
  const auto taken = [&](const Counts& groups, const Counts& team) {
    std::vector<std::uint64_t> from;  // whose word each group took
    const Words64 after = meet_u64(cells, groups, 1, team, 1);
    for (std::uint64_t g = 0; g < 8; ++g) {
      for (std::uint64_t p = 0; p < 8; ++p) {
        if (after[8 + g] == mix(mix(cells[g], cells[p]), 0)) from.push_back(p);
      }
    }
    return from;
  };
  EXPECT_EQ(taken({8, 1, 1}, {4, 1, 1}), (Words64{1, 2, 3, 0, 5, 6, 7, 4}));
  EXPECT_EQ(taken({4, 2, 1}, {2, 2, 1}), (Words64{1, 4, 3, 6, 5, 0, 7, 2}));
  EXPECT_EQ(taken({2, 2, 2}, {2, 2, 2}), (Words64{1, 2, 3, 4, 5, 6, 7, 0}));
  EXPECT_EQ(taken({2, 2, 2}, {1, 2, 2}), (Words64{2, 3, 4, 5, 6, 7, 0, 1}));
}

TEST(MeetU64, RefusesShapesThatCannotBe) {
  const Words64 cells(8);
  EXPECT_THROW(meet_u64(cells, {2, 1, 1}, 1, {2, 1, 1}, 1), std::invalid_argument) << "too many cells";
  EXPECT_THROW(meet_u64(cells, {4, 1, 1}, 1, {3, 1, 1}, 1), std::invalid_argument);
  EXPECT_THROW(meet_u64(cells, {4, 1, 1}, 1, {0, 1, 1}, 1), std::invalid_argument);
}

}  // namespace
}  // namespace xhal::oracle
