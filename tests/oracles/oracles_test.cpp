// SPDX-License-Identifier: Apache-2.0
// Expectations are constants worked out by hand or with integers of another language, or algebraic
// properties. None is a second copy of an oracle's loop.
#include "oracles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

namespace xhal::oracle {
namespace {

using Words32 = std::vector<std::uint32_t>;
using Words64 = std::vector<std::uint64_t>;

constexpr std::uint32_t kMax32 = 0xFFFFFFFFu;
constexpr std::uint64_t kMax64 = 0xFFFFFFFFFFFFFFFFu;

// ---- mix -----------------------------------------------------------------------------------------------

TEST(Mix, HandComputedConstants) {
  // With c = v = 0 only the addend is left; v = 1 adds the multiplier once, v = 2^64 - 1 takes it away once.
  EXPECT_EQ(mix(0, 0), 0x000000007F4A7C15u);
  EXPECT_EQ(mix(0, 1), 0x9E3779B9FE94F82Au);
  EXPECT_EQ(mix(0, kMax64), 0x61C8864700000000u);
  // c = 1 rotates to 32 and bit 59 to bit 0, so these v cancel c.
  EXPECT_EQ(mix(1, 32), 0x000000007F4A7C15u);
  EXPECT_EQ(mix(std::uint64_t{1} << 59, 1), 0x000000007F4A7C15u);
  EXPECT_EQ(mix(1, 0), 0xC6EF37306899FEB5u);
  EXPECT_EQ(mix(std::uint64_t{1} << 63, 0), 0xE3779B9873F23D65u);
  EXPECT_EQ(mix(0x0123456789ABCDEFu, 0xFEDCBA9876543210u), 0xFFE74D30BF1F8AC5u);
}

TEST(Mix, CanBeUndoneSoThatNoHistoryIsLost) {
  constexpr std::uint64_t kInverse = 0xF1DE83E19937733Du;
  static_assert(kInverse * 0x9E3779B97F4A7C15u == 1);
  for (std::uint64_t i = 0; i < 1000; ++i) {
    const std::uint64_t c = random_word(1, i);
    const std::uint64_t v = random_word(2, i);
    const std::uint64_t rotated_xor = (mix(c, v) - 0x7F4A7C15u) * kInverse;
    EXPECT_EQ(std::rotr(rotated_xor ^ v, 5), c);
    EXPECT_EQ(rotated_xor ^ std::rotl(c, 5), v);
  }
}

TEST(Mix, DoesNotCommute) {
  EXPECT_EQ(mix(1, 2), 0x035E2AA3672EF6DFu);
  EXPECT_EQ(mix(2, 1), 0x2C15E819D133FD6Au);
}

// ---- FoldHistory ---------------------------------------------------------------------------------------

TEST(FoldHistory, KnownValues) {
  EXPECT_EQ(FoldHistory(42).value(), 42u);
  EXPECT_EQ(FoldHistory(0, {1}).value(), 0x9E3779B9FE94F82Au);
  EXPECT_EQ(FoldHistory(0, {1, 2}).value(), 0x53275865855327BAu);
  EXPECT_EQ(FoldHistory(0, {1, 2, 3}).value(), 0x7B8E29A513742112u);
  EXPECT_EQ(FoldHistory(0, {3, 2, 1}).value(), 0x5D558F8957D05994u);
  EXPECT_EQ(FoldHistory(10).fold2(20, 30).value(), 0xCC1342D038CB83D7u);
}

TEST(FoldHistory, GrowingEqualsListing) {
  const Words64 ops = {1, 2, 3};
  EXPECT_EQ(FoldHistory(0).fold(1).fold(2).fold(3).value(), 0x7B8E29A513742112u);
  EXPECT_EQ(FoldHistory(0, std::span(ops)).value(), 0x7B8E29A513742112u);
  const FoldHistory history = FoldHistory(0, {5}).fold2(6, 7);
  EXPECT_EQ(Words64(history.words().begin(), history.words().end()), (Words64{5, 6, 7}));
}

TEST(FoldHistory, EveryOrderAndEveryLostOperationShows) {
  // The ordered selections of 0 to 5 out of 5 operations: 1 + 5 + 20 + 60 + 120 + 120 = 326.
  std::set<std::uint64_t> values;
  std::array<std::uint64_t, 5> order = {1, 2, 3, 4, 5};
  do {
    for (std::size_t length = 0; length <= order.size(); ++length) {
      values.insert(FoldHistory(0, std::span(order).first(length)).value());
    }
  } while (std::next_permutation(order.begin(), order.end()));
  EXPECT_EQ(values.size(), 326u);
}

TEST(FoldHistory, ARepeatedOperationShows) {
  EXPECT_NE(FoldHistory(0, {1, 1}).value(), FoldHistory(0, {1}).value());
  EXPECT_NE(FoldHistory(0, {1, 2, 2}).value(), FoldHistory(0, {1, 2}).value());
}

// ---- Data kernels --------------------------------------------------------------------------------------

TEST(FillU32, WritesTheFirstNAndNothingElse) {
  const Words32 before = {1, 2, 3, 4};
  EXPECT_EQ(fill_u32(before, 9, 0), before);
  EXPECT_EQ(fill_u32(before, 9, 3), (Words32{9, 9, 9, 4}));
  EXPECT_EQ(fill_u32(before, kMax32, 4), (Words32{kMax32, kMax32, kMax32, kMax32}));
  EXPECT_EQ(before, (Words32{1, 2, 3, 4}));
}

TEST(CopyU32, CopiesTheFirstNAndNothingElse) {
  const Words32 before = {1, 2, 3, 4};
  const Words32 source = {50, 60, 70};
  EXPECT_EQ(copy_u32(before, source, 0), before);
  EXPECT_EQ(copy_u32(before, source, 2), (Words32{50, 60, 3, 4}));
  EXPECT_EQ(copy_u32(before, source, 3), (Words32{50, 60, 70, 4}));
}

TEST(IotaU32, CountsFromStartByStepAndWraps) {
  const Words32 before = {7, 7, 7, 7, 7};
  EXPECT_EQ(iota_u32(before, 10, 3, 0), before);
  EXPECT_EQ(iota_u32(before, 10, 3, 4), (Words32{10, 13, 16, 19, 7}));
  EXPECT_EQ(iota_u32(before, 0xFFFFFFFEu, 1, 5), (Words32{0xFFFFFFFEu, kMax32, 0, 1, 2}));
  EXPECT_EQ(iota_u32(before, 5, kMax32, 5), (Words32{5, 4, 3, 2, 1}));
  EXPECT_EQ(iota_u32(before, 1, 0x80000000u, 4), (Words32{1, 0x80000001u, 1, 0x80000001u, 7}));
}

TEST(AxpyF32, HandComputedConstants) {
  const std::vector<float> y = {1.0f, -0.5f, 100.0f, 8.0f};
  const std::vector<float> x = {2.0f, 4.0f, -3.0f, 8.0f};
  EXPECT_EQ(axpy_f32(y, x, 1.5f, 3), (std::vector<float>{4.0f, 5.5f, 95.5f, 8.0f}));
  EXPECT_EQ(axpy_f32(y, x, 0.25f, 4), (std::vector<float>{1.5f, 0.5f, 99.25f, 10.0f}));
  EXPECT_EQ(axpy_f32(y, x, 1.5f, 0), y);
}

TEST(AxpyF32, RefusesValuesWithTwoLegalResults) {
  // (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24. The product alone rounds to 1 + 2^-11, so unfused the sum is 0, fused
  // 2^-24.
  const float c = 1.0f + std::ldexp(1.0f, -12);
  const std::vector<float> y = {1.0f, -1.0f - std::ldexp(1.0f, -11)};
  const std::vector<float> x = {1.0f, c};
  EXPECT_EQ(axpy_f32(y, x, c, 1), (std::vector<float>{1.0f + c, y[1]}));
  try {
    axpy_f32(y, x, c, 2);
    FAIL() << "a value with two legal results was accepted";
  } catch (const std::domain_error& error) {
    EXPECT_NE(std::string(error.what()).find("element 1 "), std::string::npos) << error.what();
  }
  const std::vector<float> nan = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THROW(axpy_f32(nan, x, 1.0f, 1), std::domain_error);
}

TEST(ReduceU32, SumsEachGroupCutAtN) {
  const Words32 source = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  EXPECT_EQ(reduce_u32(source, 10, 4), (Words32{10, 26, 19}));
  EXPECT_EQ(reduce_u32(source, 9, 4), (Words32{10, 26, 9}));
  EXPECT_EQ(reduce_u32(source, 8, 4), (Words32{10, 26}));
  EXPECT_EQ(reduce_u32(source, 3, 1), (Words32{1, 2, 3}));
  EXPECT_EQ(reduce_u32(source, 10, 16), (Words32{55}));
  EXPECT_EQ(reduce_u32(source, 0, 4), Words32{});
  EXPECT_EQ(reduce_u32(Words32{kMax32, 2}, 2, 2), (Words32{1}));
}

TEST(ReduceU32, TotalDoesNotDependOnTheGroupSize) {
  Words32 source(1000);
  std::iota(source.begin(), source.end(), 1u);
  for (std::uint64_t group_size = 1; group_size <= 1024; group_size *= 2) {
    const Words32 sums = reduce_u32(source, source.size(), group_size);
    EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), 0u), 500500u) << "group size " << group_size;
  }
}

TEST(ReduceU32, RefusesAGroupSizeThatIsNoPowerOfTwo) {
  const Words32 source = {1, 2, 3};
  EXPECT_THROW(reduce_u32(source, 3, 0), std::invalid_argument);
  EXPECT_THROW(reduce_u32(source, 3, 3), std::invalid_argument);
}

TEST(FoldU64, MixesTheOpIntoTheFirstN) {
  EXPECT_EQ(fold_u64(Words64{0, 100, 5}, 7, 0), (Words64{0, 100, 5}));
  EXPECT_EQ(fold_u64(Words64{0, 1, 100, 5}, 0, 2), (Words64{0x7F4A7C15u, 0xC6EF37306899FEB5u, 100, 5}));
  EXPECT_EQ(fold_u64(Words64{100}, 7, 1), (Words64{0x08F5E2CA1D62E728u}));
}

TEST(Fold2U64, MixesTheSourceThenTheOp) {
  EXPECT_EQ(fold2_u64(Words64{10, 77}, Words64{20, 88}, 30, 1), (Words64{0xCC1342D038CB83D7u, 77}));
  EXPECT_EQ(fold2_u64(Words64{20}, Words64{10}, 30, 1), (Words64{0xDC393238386E0732u}));
  EXPECT_EQ(fold2_u64(Words64{10}, Words64{20}, 30, 0), (Words64{10}));
  // A source of 32 cancels a cell of 1, which leaves the addend; folding in its rotation leaves it once more.
  EXPECT_EQ(fold2_u64(Words64{1}, Words64{32}, 0x7F4A7C15u * std::uint64_t{32}, 1), (Words64{0x7F4A7C15u}));
}

TEST(DataKernels, RefuseAnNBehindTheEndAndNameTheBuffer) {
  const Words32 two = {1, 2};
  const Words32 three = {1, 2, 3};
  const Words64 two64 = {1, 2};
  const Words64 three64 = {1, 2, 3};
  const std::vector<float> twof = {1, 2};
  const std::vector<float> threef = {1, 2, 3};
  EXPECT_THROW(fill_u32(two, 0, 3), std::invalid_argument);
  EXPECT_THROW(iota_u32(two, 0, 1, 3), std::invalid_argument);
  EXPECT_THROW(reduce_u32(two, 3, 2), std::invalid_argument);
  EXPECT_THROW(fold_u64(two64, 0, 3), std::invalid_argument);
  EXPECT_THROW(copy_u32(two, three, 3), std::invalid_argument);
  EXPECT_THROW(copy_u32(three, two, 3), std::invalid_argument);
  EXPECT_THROW(axpy_f32(twof, threef, 1, 3), std::invalid_argument);
  EXPECT_THROW(axpy_f32(threef, twof, 1, 3), std::invalid_argument);
  EXPECT_THROW(fold2_u64(two64, three64, 0, 3), std::invalid_argument);
  try {
    fold2_u64(three64, two64, 0, 3);
    FAIL() << "n behind the end of src was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_STREQ(
        error.what(),
        "oracle of xhal_fold2_u64: n is 3 but src has 2 elements; pass a larger span or a smaller n");
  }
}

// ---- Other kernels -------------------------------------------------------------------------------------

TEST(GateU32, ReturnsOnceTheFlagReachesOpenComparedUnsigned) {
  EXPECT_FALSE(gate_u32(0, 1).returns);
  EXPECT_TRUE(gate_u32(1, 1).returns);
  EXPECT_TRUE(gate_u32(2, 1).returns);
  EXPECT_TRUE(gate_u32(0, 0).returns);
  EXPECT_FALSE(gate_u32(0x7FFFFFFFu, 0x80000000u).returns);
  EXPECT_TRUE(gate_u32(0x80000000u, 0x7FFFFFFFu).returns);
}

TEST(GateU32, SaysThatItEnteredEvenWhileShut) {
  EXPECT_EQ(gate_u32(0, 1).entered, 1u);
  EXPECT_EQ(gate_u32(1, 1).entered, 1u);
}

TEST(ChaseU64, FollowsPointersAcrossBlocks) {
  // Nodes of two words, next and value: 0x1000 -> 0x8010 -> 0x1010 -> 0x8000 -> 0x1000.
  const Words64 low = {0x8010, 11, 0x8000, 33};
  const Words64 high = {0x1000, 44, 0x1010, 22};
  const std::vector<MemoryBlock> memory = {{0x8000, high}, {0x1000, low}};
  EXPECT_EQ(chase_u64(memory, 0x1000, 0), 11u);
  EXPECT_EQ(chase_u64(memory, 0x1000, 1), 22u);
  EXPECT_EQ(chase_u64(memory, 0x1000, 2), 33u);
  EXPECT_EQ(chase_u64(memory, 0x1000, 3), 44u);
  // The ring has four nodes, so only the remainder of the steps counts.
  EXPECT_EQ(chase_u64(memory, 0x1000, 4 * 1000 + 2), 33u);
  EXPECT_EQ(chase_u64(memory, 0x8000, 2), 22u);
}

TEST(ChaseU64, RefusesAReadOutsideEveryBlock) {
  const Words64 words = {0x1008, 7, 0x1011, 0};
  const std::vector<MemoryBlock> memory = {{0x1000, words}};
  EXPECT_EQ(chase_u64(memory, 0x1000, 0), 7u);
  EXPECT_EQ(chase_u64(memory, 0x1010, 0), 0u);
  EXPECT_THROW(chase_u64(memory, 0x1018, 0), std::invalid_argument) << "the value lies behind the block";
  EXPECT_THROW(chase_u64(memory, 0x0FF8, 1), std::invalid_argument) << "the next pointer lies before it";
  EXPECT_THROW(chase_u64(memory, 0x1008, 1), std::invalid_argument) << "7 is no pointer";
  EXPECT_THROW(chase_u64(memory, 0x1010, 1), std::invalid_argument) << "0x1011 is not aligned";
  EXPECT_THROW(chase_u64({}, 0, 0), std::invalid_argument);
  const std::vector<MemoryBlock> misaligned = {{0x1004, words}};
  EXPECT_THROW(chase_u64(misaligned, 0x1004, 0), std::invalid_argument) << "no device loads such a word";
}

Words32 item(const Words32& ids, std::size_t index) {
  const auto begin = ids.begin() + static_cast<std::ptrdiff_t>(19 * index);
  return {begin, begin + 19};
}

TEST(IdsU32, HandComputedItems) {
  const Words32 ids = ids_u32({.x = 4, .y = 2, .z = 2}, {.x = 2, .y = 1, .z = 2});
  ASSERT_EQ(ids.size(), 304u);
  EXPECT_EQ(item(ids, 0), (Words32{0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 4, 2, 2, 2, 1, 2, 2, 2, 1}));
  EXPECT_EQ(item(ids, 3), (Words32{3, 0, 0, 1, 0, 0, 1, 0, 0, 4, 4, 2, 2, 2, 1, 2, 2, 2, 1}));
  EXPECT_EQ(item(ids, 6), (Words32{2, 1, 0, 0, 0, 0, 1, 1, 0, 4, 4, 2, 2, 2, 1, 2, 2, 2, 1}));
  EXPECT_EQ(item(ids, 15), (Words32{3, 1, 1, 1, 0, 1, 1, 1, 0, 4, 4, 2, 2, 2, 1, 2, 2, 2, 1}));
}

TEST(IdsU32, GlobalIdIsGroupIdTimesSizePlusLocalId) {
  const Extent group = {.x = 3, .y = 2, .z = 5};
  const Words32 ids = ids_u32({.x = 12, .y = 6, .z = 10}, group);
  constexpr std::size_t kItems = 720;
  ASSERT_EQ(ids.size(), 19 * kItems);
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> seen;
  for (std::size_t i = 0; i < kItems; ++i) {
    const Words32 w = item(ids, i);
    EXPECT_EQ(w[0], w[6] * group.x + w[3]);
    EXPECT_EQ(w[1], w[7] * group.y + w[4]);
    EXPECT_EQ(w[2], w[8] * group.z + w[5]);
    EXPECT_TRUE(w[3] < group.x && w[4] < group.y && w[5] < group.z);
    EXPECT_EQ(w[9], 30u);
    seen.emplace(w[0], w[1], w[2]);
  }
  EXPECT_EQ(seen.size(), kItems);
}

TEST(IdsU32, RefusesAGridWithoutAnAnswer) {
  EXPECT_THROW(ids_u32({.x = 0, .y = 1, .z = 1}, {.x = 1, .y = 1, .z = 1}), std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = 4, .y = 1, .z = 1}, {.x = 0, .y = 1, .z = 1}), std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = 4, .y = 4, .z = 4}, {.x = 3, .y = 1, .z = 1}), std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = 4, .y = 4, .z = 4}, {.x = 1, .y = 3, .z = 1}), std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = 4, .y = 4, .z = 4}, {.x = 1, .y = 1, .z = 3}), std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = 1u << 16, .y = 1u << 15, .z = 2}, {.x = 1, .y = 1, .z = 1}),
               std::invalid_argument);
  EXPECT_THROW(ids_u32({.x = kMax32, .y = kMax32, .z = kMax32}, {.x = 1, .y = 1, .z = 1}),
               std::invalid_argument);
}

TEST(TrapU32, FailsOnAnyNonZeroFlag) {
  EXPECT_FALSE(trap_u32(0));
  EXPECT_TRUE(trap_u32(1));
  EXPECT_TRUE(trap_u32(0x80000000u));
}

// ---- Data ----------------------------------------------------------------------------------------------

TEST(RandomWord, IsTheSplitmix64OfThePublishedVectors) {
  EXPECT_EQ(random_word(1234567, 0), 6457827717110365317u);
  EXPECT_EQ(random_word(1234567, 1), 3203168211198807973u);
  EXPECT_EQ(random_word(1234567, 2), 9817491932198370423u);
  EXPECT_EQ(random_word(1234567, 3), 4593380528125082431u);
  EXPECT_EQ(random_word(1234567, 4), 16408922859458223821u);
  EXPECT_EQ(random_word(0, 0), 0xE220A8397B1DCDAFu);
}

TEST(FillRandom, TakesTheTopBitsOfEachWord) {
  std::array<std::uint8_t, 3> bytes{};
  std::array<std::uint32_t, 3> words32{};
  std::array<std::uint64_t, 3> words64{};
  fill_random(bytes, 0);
  fill_random(words32, 0);
  fill_random(words64, 0);
  EXPECT_EQ(bytes, (std::array<std::uint8_t, 3>{0xE2, 0x6E, 0x06}));
  EXPECT_EQ(words32, (std::array<std::uint32_t, 3>{0xE220A839u, 0x6E789E6Au, 0x06C45D18u}));
  EXPECT_EQ(words64,
            (std::array<std::uint64_t, 3>{0xE220A8397B1DCDAFu, 0x6E789E6AA1B965F4u, 0x06C45D188009454Fu}));
}

TEST(FillRandom, FloatsAreTheKnownOnes) {
  // The top ten bits of the words above are 0x388 = 904, 0x1B9 = 441 and 0x01B = 27; k = 2 * bits - 1023.
  std::array<float, 3> values{};
  fill_random(values, 0);
  EXPECT_EQ(values, (std::array<float, 3>{785.0f / 16, -141.0f / 16, -969.0f / 16}));
  EXPECT_EQ(exact_f32(0, 2), -969.0f / 16);
}

TEST(FillRandom, ALongerSpanStartsWithTheShorterOne) {
  Words64 shorter(10);
  Words64 longer(20);
  fill_random(shorter, 77);
  fill_random(longer, 77);
  EXPECT_TRUE(std::equal(shorter.begin(), shorter.end(), longer.begin()));
  Words64 other(10);
  fill_random(other, 78);
  EXPECT_NE(other, shorter);
}

// 256ths as integers: the exact arithmetic that the floats have to reproduce.
std::int64_t in_256ths(float value) {
  const double scaled = static_cast<double>(value) * 256.0;
  EXPECT_EQ(scaled, std::trunc(scaled));
  return static_cast<std::int64_t>(scaled);
}

TEST(ExactF32, IsAnOddMultipleOfOneSixteenthOfAtMost1023) {
  for (std::uint64_t i = 0; i < 20000; ++i) {
    const std::int64_t scaled = in_256ths(exact_f32(5, i));
    ASSERT_EQ(scaled % 16, 0);
    ASSERT_NE(scaled / 16 % 2, 0);
    ASSERT_LE(std::abs(scaled / 16), 1023);
  }
}

TEST(ExactF32, SixteenAxpysInARowAreExact) {
  std::vector<float> y(1000);
  std::vector<float> x(1000);
  fill_random(y, 100);
  std::vector<std::int64_t> exact(y.size());
  std::transform(y.begin(), y.end(), exact.begin(), in_256ths);
  for (std::uint64_t round = 0; round < 16; ++round) {
    fill_random(x, 200 + round);
    const float a = exact_f32(300, round);
    const std::vector<float> before = y;
    y = axpy_f32(y, x, a, y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      exact[i] += in_256ths(a) / 16 * (in_256ths(x[i]) / 16);
      ASSERT_EQ(in_256ths(y[i]), exact[i]);
      ASSERT_NE(y[i], before[i]) << "an axpy that is lost could not be seen";
    }
  }
}

TEST(ExactF32, TheLargestValuesStayExactForSixteenAxpysToo) {
  const std::vector<float> x = {1023.0f / 16};
  std::vector<float> y = x;
  for (int round = 0; round < 16; ++round) y = axpy_f32(y, x, x[0], 1);
  EXPECT_EQ(in_256ths(y[0]), 16760832);
}

// ---- Comparison ----------------------------------------------------------------------------------------

TEST(FirstDifference, EqualSpansHaveNone) {
  EXPECT_FALSE(first_difference(Words32{}, Words32{}));
  EXPECT_FALSE(first_difference(Words64{1, 2}, Words64{1, 2}));
}

TEST(FirstDifference, NamesIndexExpectedAndGot) {
  const auto difference = first_difference(Words32{1, 2, 3, 4}, Words32{1, 2, 300, 400});
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->index, 2u);
  EXPECT_EQ(to_string(*difference), "element 2: expected 3 (0x00000003), got 300 (0x0000012c)");
}

TEST(FirstDifference, ShowsEachWidthInFull) {
  const std::vector<std::uint8_t> byte_zero = {0};
  const std::vector<std::uint8_t> byte_ten = {10};
  EXPECT_EQ(to_string(first_difference(byte_zero, byte_ten).value()),
            "element 0: expected 0 (0x00), got 10 (0x0a)");
  EXPECT_EQ(to_string(first_difference(Words64{kMax64}, Words64{1}).value()),
            "element 0: expected 18446744073709551615 (0xffffffffffffffff), got 1 (0x0000000000000001)");
}

TEST(FirstDifference, ComparesFloatsByTheirBits) {
  const std::vector<float> zero = {0.0f};
  const std::vector<float> minus_zero = {-0.0f};
  const std::vector<float> nan = {std::numeric_limits<float>::quiet_NaN()};
  EXPECT_FALSE(first_difference(nan, nan));
  EXPECT_EQ(to_string(first_difference(zero, minus_zero).value()),
            "element 0: expected 0 (0x00000000), got -0 (0x80000000)");
  const std::vector<float> one = {1.0f};
  const std::vector<float> next = {std::nextafter(1.0f, 2.0f)};
  EXPECT_EQ(to_string(first_difference(one, next).value()),
            "element 0: expected 1 (0x3f800000), got 1.00000012 (0x3f800001)");
}

TEST(FirstDifference, AMissingTailIsADifference) {
  EXPECT_EQ(to_string(first_difference(Words32{1, 2}, Words32{1}).value()),
            "element 1: expected 2 (0x00000002), got the end of 1 elements");
  EXPECT_EQ(to_string(first_difference(Words32{}, Words32{5}).value()),
            "element 0: expected the end of 0 elements, got 5 (0x00000005)");
}

}  // namespace
}  // namespace xhal::oracle
