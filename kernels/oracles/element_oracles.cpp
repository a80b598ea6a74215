// SPDX-License-Identifier: Apache-2.0
#include "element_oracles.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <concepts>
#include <stdexcept>
#include <string>
#include <type_traits>

namespace xhal::oracle {
namespace {

// A 16-bit format: sign, exponent, mantissa.
struct Format {
  int mantissa_bits;
  int bias;
  [[nodiscard]] int exponent_bits() const { return 15 - mantissa_bits; }
  [[nodiscard]] unsigned infinity() const { return ((1u << exponent_bits()) - 1) << mantissa_bits; }
};
constexpr Format kF16 = {.mantissa_bits = 10, .bias = 15};
constexpr Format kBf16 = {.mantissa_bits = 7, .bias = 127};

double decode(unsigned bits, Format format) {
  const unsigned mantissa = bits & ((1u << format.mantissa_bits) - 1);
  const unsigned exponent = (bits & 0x7FFF) >> format.mantissa_bits;
  const double sign = (bits & 0x8000) != 0 ? -1 : 1;
  if ((bits & 0x7FFF) >= format.infinity()) return sign * (mantissa != 0 ? NAN : HUGE_VAL);
  const unsigned steps = exponent == 0 ? mantissa : mantissa | 1u << format.mantissa_bits;
  return sign *
         std::ldexp(steps, static_cast<int>(std::max(exponent, 1u)) - format.bias - format.mantissa_bits);
}

std::uint16_t encode(double value, Format format) {
  const unsigned sign = std::signbit(value) ? 0x8000 : 0;
  if (std::isnan(value)) return static_cast<std::uint16_t>(sign | 0x7FFF);
  const double magnitude = std::fabs(value);
  unsigned bits = format.infinity();
  if (std::isfinite(magnitude)) {
    const int exponent = std::max(magnitude == 0 ? 1 - format.bias : std::ilogb(magnitude), 1 - format.bias);
    // How many of the steps between neighbours at this exponent: the default rounding is to nearest, ties to even.
    const double steps = std::nearbyint(std::ldexp(magnitude, format.mantissa_bits - exponent));
    // The first step of a normal number is its leading one, which carries into the exponent.
    const double count = std::ldexp(exponent + format.bias - 1, format.mantissa_bits) + steps;
    if (count < bits) bits = static_cast<unsigned>(count);
  }
  return static_cast<std::uint16_t>(sign | bits);
}

F16 nearest(double value, F16) { return nearest_f16(value); }
Bf16 nearest(double value, Bf16) { return nearest_bf16(value); }

template <typename T>
concept ShortFloat = std::same_as<T, F16> || std::same_as<T, Bf16>;

[[noreturn]] void no_one_result(const char* kernel) {
  throw std::domain_error(std::string("oracle of xhal_") + kernel +
                          ": an element has no one result, fused and unfused; take values from fill_random");
}

template <std::floating_point T>
T multiply_add(const char* kernel, T a, T x, T y) {
  const T fused = std::fma(a, x, y);
  // The product has to leave the register, or a compiler may fuse this one, too.
  const volatile T product = a * x;
  const T unfused = product + y;
  if (std::isnan(fused) || fused != unfused || std::signbit(fused) != std::signbit(unfused))
    no_one_result(kernel);
  return fused;
}
template <std::integral T>
T multiply_add(const char*, T a, T x, T y) {
  return static_cast<T>(static_cast<std::uint64_t>(a) * static_cast<std::uint64_t>(x) +
                        static_cast<std::uint64_t>(y));
}
template <ShortFloat T>
T multiply_add(const char* kernel, T a, T x, T y) {
  const auto widen = [](T element) { return static_cast<float>(value_of(element)); };
  return nearest(static_cast<double>(multiply_add(kernel, widen(a), widen(x), widen(y))), T{});
}

// `start + i * step`, `i` converted first.
template <typename T>
T element_of_iota(T start, T step, std::uint64_t i) {
  return multiply_add("iota", static_cast<T>(i), step, start);
}
template <ShortFloat T>
T element_of_iota(T start, T step, std::uint64_t i) {
  const float sum = multiply_add("iota", static_cast<float>(i), static_cast<float>(value_of(step)),
                                 static_cast<float>(value_of(start)));
  return nearest(static_cast<double>(sum), T{});
}

template <typename T>
T one() {
  if constexpr (ShortFloat<T>) {
    return nearest(1.0, T{});
  } else {
    return T{1};
  }
}

template <typename T, typename Element>
std::vector<T> with_first(const char* kernel, std::span<const T> before, std::size_t other, std::uint64_t n,
                          const Element& element) {
  if (n > before.size() || n > other) {
    throw std::invalid_argument(std::string("oracle of xhal_") + kernel + ": n is " + std::to_string(n) +
                                " but a buffer has fewer elements; pass a larger span or a smaller n");
  }
  std::vector<T> after(before.begin(), before.end());
  for (std::uint64_t i = 0; i < n; ++i) after[i] = element(i);
  return after;
}

}  // namespace

double value_of(F16 element) { return decode(element.bits, kF16); }
double value_of(Bf16 element) { return decode(element.bits, kBf16); }
F16 nearest_f16(double value) { return {encode(value, kF16)}; }
Bf16 nearest_bf16(double value) { return {encode(value, kBf16)}; }

template <typename T>
std::vector<T> fill(std::span<const T> dst, T value, std::uint64_t n) {
  return with_first("fill", dst, dst.size(), n, [&](std::uint64_t) { return value; });
}

template <typename T>
std::vector<T> copy(std::span<const T> dst, std::span<const T> src, std::uint64_t n) {
  return with_first("copy", dst, src.size(), n, [&](std::uint64_t i) { return src[i]; });
}

template <typename T>
std::vector<T> iota(std::span<const T> dst, T start, T step, std::uint64_t n) {
  return with_first("iota", dst, dst.size(), n,
                    [&](std::uint64_t i) { return element_of_iota(start, step, i); });
}

template <typename T>
std::vector<T> axpy(std::span<const T> y, std::span<const T> x, T a, std::uint64_t n) {
  return with_first("axpy", y, x.size(), n,
                    [&](std::uint64_t i) { return multiply_add("axpy", a, x[i], y[i]); });
}

template <typename T>
std::vector<T> add(std::span<const T> dst, std::span<const T> a, std::span<const T> b, std::uint64_t n) {
  return with_first("add", dst, std::min(a.size(), b.size()), n,
                    [&](std::uint64_t i) { return multiply_add("add", one<T>(), a[i], b[i]); });
}

#define XHAL_MOVING(T)                                                                 \
  template std::vector<T> fill(std::span<const T>, T, std::uint64_t);                  \
  template std::vector<T> copy(std::span<const T>, std::span<const T>, std::uint64_t); \
  template std::vector<T> iota(std::span<const T>, T, T, std::uint64_t);
#define XHAL_ALL(T)                                                                       \
  XHAL_MOVING(T)                                                                          \
  template std::vector<T> axpy(std::span<const T>, std::span<const T>, T, std::uint64_t); \
  template std::vector<T> add(std::span<const T>, std::span<const T>, std::span<const T>, std::uint64_t);
XHAL_MOVING(std::uint32_t)
XHAL_ALL(std::int8_t)
XHAL_ALL(std::int16_t)
XHAL_ALL(std::int32_t)
XHAL_ALL(std::int64_t)
XHAL_ALL(F16)
XHAL_ALL(Bf16)
XHAL_ALL(float)
XHAL_ALL(double)

}  // namespace xhal::oracle
