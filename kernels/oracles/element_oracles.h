// SPDX-License-Identifier: Apache-2.0
#pragma once

// Oracles of the data kernels of every element type, as oracles.h has them for some. One template an operation, instantiated for the
// types of the page's table. f16 and bf16 are computed with as numbers here, never as bits.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "oracles.h"

namespace xhal::oracle {

struct F16 {
  std::uint16_t bits;
  friend bool operator==(F16, F16) = default;
};
struct Bf16 {
  std::uint16_t bits;
  friend bool operator==(Bf16, Bf16) = default;
};

double value_of(F16 element);
double value_of(Bf16 element);
// To nearest, ties to even; infinite where the largest number is exceeded; a NaN for a NaN.
F16 nearest_f16(double value);
Bf16 nearest_bf16(double value);

// T: int8_t, int16_t, int32_t, int64_t, F16, Bf16, float, double, and uint32_t for the first three.
template <typename T>
std::vector<T> fill(std::span<const T> dst, T value, std::uint64_t n);
template <typename T>
std::vector<T> copy(std::span<const T> dst, std::span<const T> src, std::uint64_t n);
// The last three throw std::domain_error, as axpy_f32 does, where the page gives no one result: fused and unfused differ, or NaN.
template <typename T>
std::vector<T> iota(std::span<const T> dst, T start, T step, std::uint64_t n);
template <typename T>
std::vector<T> axpy(std::span<const T> y, std::span<const T> x, T a, std::uint64_t n);
template <typename T>
std::vector<T> add(std::span<const T> dst, std::span<const T> a, std::span<const T> b, std::uint64_t n);

// As in oracles.h: element i depends on (seed, i) alone. Doubles are exact_f32(seed, i). f16 has every sign and mantissa and magnitudes
// below 2, subnormal ones too; bf16 has magnitudes from 2^-15 to 2^17: no sum or product of these overflows.
void fill_random(std::span<std::int8_t> out, std::uint64_t seed);
void fill_random(std::span<std::int16_t> out, std::uint64_t seed);
void fill_random(std::span<std::int32_t> out, std::uint64_t seed);
void fill_random(std::span<std::int64_t> out, std::uint64_t seed);
void fill_random(std::span<F16> out, std::uint64_t seed);
void fill_random(std::span<Bf16> out, std::uint64_t seed);
void fill_random(std::span<double> out, std::uint64_t seed);

std::optional<Difference> first_difference(std::span<const std::int8_t> expected,
                                           std::span<const std::int8_t> got);
std::optional<Difference> first_difference(std::span<const std::int16_t> expected,
                                           std::span<const std::int16_t> got);
std::optional<Difference> first_difference(std::span<const std::int32_t> expected,
                                           std::span<const std::int32_t> got);
std::optional<Difference> first_difference(std::span<const std::int64_t> expected,
                                           std::span<const std::int64_t> got);
std::optional<Difference> first_difference(std::span<const F16> expected, std::span<const F16> got);
std::optional<Difference> first_difference(std::span<const Bf16> expected, std::span<const Bf16> got);
std::optional<Difference> first_difference(std::span<const double> expected, std::span<const double> got);

}  // namespace xhal::oracle
