// SPDX-License-Identifier: Apache-2.0
// As in oracles_test.cpp: constants worked out by hand, and properties.
#include "element_oracles.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <stdexcept>
#include <vector>

namespace xhal::oracle {
namespace {

template <typename T>
std::span<const T> view(const std::vector<T>& elements) {
  return elements;
}

TEST(F16, HandComputedNumbers) {
  EXPECT_EQ(value_of(F16{0x0000}), 0.0);
  EXPECT_EQ(value_of(F16{0x3C00}), 1.0);
  EXPECT_EQ(value_of(F16{0xC000}), -2.0);
  EXPECT_EQ(value_of(F16{0x3555}), 0.333251953125);
  EXPECT_EQ(value_of(F16{0x7BFF}), 65504.0);
  EXPECT_EQ(value_of(F16{0x0400}), 0x1p-14);
  EXPECT_EQ(value_of(F16{0x03FF}), 1023 * 0x1p-24);
  EXPECT_EQ(value_of(F16{0x0001}), 0x1p-24);
  EXPECT_TRUE(std::signbit(value_of(F16{0x8000})));
  EXPECT_EQ(value_of(F16{0xFC00}), -HUGE_VAL);
  EXPECT_TRUE(std::isnan(value_of(F16{0x7C01})));
}

TEST(F16, RoundsToNearestAndTiesToEven) {
  EXPECT_EQ(nearest_f16(1 + 0x1p-11).bits, 0x3C00);
  EXPECT_EQ(nearest_f16(1 + 0x1p-11 + 0x1p-40).bits, 0x3C01);
  EXPECT_EQ(nearest_f16(1 + 3 * 0x1p-11).bits, 0x3C02);
  EXPECT_EQ(nearest_f16(0x1p-25).bits, 0x0000);
  EXPECT_EQ(nearest_f16(0x1p-25 * 1.001).bits, 0x0001);
  EXPECT_EQ(nearest_f16(1023.5 * 0x1p-24).bits, 0x0400)
      << "the largest subnormal rounds into the normal numbers";
  EXPECT_EQ(nearest_f16(65519.996).bits, 0x7BFF);
  EXPECT_EQ(nearest_f16(65520).bits, 0x7C00);
  EXPECT_EQ(nearest_f16(-1e300).bits, 0xFC00);
  EXPECT_EQ(nearest_f16(-0.0).bits, 0x8000);
  EXPECT_TRUE(std::isnan(value_of(nearest_f16(NAN))));
}

TEST(Bf16, HandComputedNumbers) {
  EXPECT_EQ(value_of(Bf16{0x3F80}), 1.0);
  EXPECT_EQ(value_of(Bf16{0xC049}), -3.140625);
  EXPECT_EQ(value_of(Bf16{0x7F7F}), 255 * 0x1p120);
  EXPECT_EQ(value_of(Bf16{0x0001}), 0x1p-133);
  EXPECT_EQ(nearest_bf16(3.14159265).bits, 0x4049);
  EXPECT_EQ(nearest_bf16(1 + 0x1p-8).bits, 0x3F80);
  EXPECT_EQ(nearest_bf16(1 + 3 * 0x1p-8).bits, 0x3F82);
  EXPECT_EQ(nearest_bf16(255.5 * 0x1p120).bits, 0x7F80);
  EXPECT_EQ(nearest_bf16(HUGE_VAL).bits, 0x7F80);
}

TEST(ShortFloats, EveryNumberIsNearestToItself) {
  for (std::uint32_t i = 0; i < 65536; ++i) {
    const auto bits = static_cast<std::uint16_t>(i);
    const double half = value_of(F16{bits});
    if (!std::isnan(half)) {
      ASSERT_EQ(nearest_f16(half).bits, bits);
    }
    const double brain = value_of(Bf16{bits});
    if (!std::isnan(brain)) {
      ASSERT_EQ(nearest_bf16(brain).bits, bits);
    }
  }
}

TEST(Elements, IntegersWrap) {
  const std::vector<std::int8_t> bytes = {100, -128};
  EXPECT_EQ(add(view(bytes), view(bytes), view(bytes), 2), (std::vector<std::int8_t>{-56, 0}));
  EXPECT_EQ(axpy(view(bytes), view(bytes), std::int8_t{3}, 1), (std::vector<std::int8_t>{-112, -128}));
  const std::vector<std::int64_t> words = {std::numeric_limits<std::int64_t>::max(), 5};
  EXPECT_EQ(iota(view(words), words[0], std::int64_t{1}, 2),
            (std::vector<std::int64_t>{words[0], std::numeric_limits<std::int64_t>::min()}));
}

TEST(Elements, ShortFloatsAreRoundedOnceAfterAnF32Sum) {
  const std::vector<F16> y = {nearest_f16(2048), nearest_f16(1)};
  const std::vector<F16> x = {nearest_f16(1), nearest_f16(3)};
  EXPECT_EQ(axpy(view(y), view(x), nearest_f16(0.5), 2),
            (std::vector<F16>{nearest_f16(2048), nearest_f16(2.5)}));
  EXPECT_EQ(axpy(view(y), view(x), nearest_f16(3), 1)[0], nearest_f16(2052))
      << "2051 lies between and rounds to even";
  EXPECT_EQ(iota(view(y), nearest_f16(1), nearest_f16(0.25), 2),
            (std::vector<F16>{nearest_f16(1), nearest_f16(1.25)}));
}

TEST(Elements, WhatHasNoOneResultIsRefused) {
  const std::vector<float> y = {-1.0F};
  const std::vector<float> x = {1 + 0x1p-12F};
  EXPECT_THROW(axpy(view(y), view(x), 1 + 0x1p-12F, 1), std::domain_error)
      << "the product loses a bit unless fused";
  const std::vector<F16> nan = {{0x7E00}};
  EXPECT_THROW(add(view(nan), view(nan), view(nan), 1), std::domain_error);
  EXPECT_EQ(oracle::copy(view(nan), view(nan), 1), nan);
  EXPECT_THROW(oracle::fill(view(y), 1.0F, 2), std::invalid_argument);
  EXPECT_THROW(add(view(y), view(y), {}, 1), std::invalid_argument);
}

TEST(Elements, WhatIsBehindTheCountStays) {
  const std::vector<std::int16_t> before = {1, 2, 3};
  EXPECT_EQ(oracle::fill(view(before), std::int16_t{9}, 2), (std::vector<std::int16_t>{9, 9, 3}));
  EXPECT_EQ(iota(view(before), std::int16_t{9}, std::int16_t{-4}, 2), (std::vector<std::int16_t>{9, 5, 3}));
  EXPECT_EQ(add(view(before), view(before), view(before), 0), before);
}

TEST(Elements, RandomShortFloatsStayFinite) {
  std::vector<F16> halves(5000);
  std::vector<Bf16> brains(5000);
  fill_random(std::span(halves), 1);
  fill_random(std::span(brains), 2);
  bool subnormal = false;
  for (std::size_t i = 0; i < halves.size(); ++i) {
    EXPECT_LT(std::fabs(value_of(halves[i])), 2);
    subnormal = subnormal || (halves[i].bits & 0x7C00) == 0;
    EXPECT_LT(std::fabs(value_of(brains[i])), 0x1p17);
    EXPECT_GE(std::fabs(value_of(brains[i])), 0x1p-15);
  }
  EXPECT_TRUE(subnormal);
}

TEST(Elements, DifferencesNameNumberAndBits) {
  const std::vector<F16> one = {nearest_f16(1)};
  const std::vector<F16> two = {nearest_f16(2)};
  EXPECT_EQ(to_string(first_difference(view(one), view(two)).value()),
            "element 0: expected 1 (0x3c00), got 2 (0x4000)");
  const std::vector<std::int8_t> minus = {-1};
  const std::vector<std::int8_t> plus = {1};
  EXPECT_EQ(to_string(first_difference(view(minus), view(plus)).value()),
            "element 0: expected -1 (0xff), got 1 (0x01)");
  EXPECT_FALSE(first_difference(view(one), view(one)).has_value());
}

}  // namespace
}  // namespace xhal::oracle
