// SPDX-License-Identifier: Apache-2.0
#include "hand_loops.hpp"

#include <algorithm>
#include <bit>

namespace xhal::native_test {
namespace {

std::uint64_t mix(std::uint64_t c, std::uint64_t v) {
  return (((c << 5) | (c >> 59)) ^ v) * 0x9E3779B97F4A7C15U + 0x7F4A7C15U;
}

float widen_bf16(std::uint16_t word) { return std::bit_cast<float>(std::uint32_t{word} << 16); }
std::uint16_t narrow_bf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16;
  return static_cast<std::uint16_t>((bits << 1) > 0xFF000000 ? bits >> 16 | 0x40 : rounded);
}
float widen_f16(std::uint16_t word) {
  const std::uint32_t bits = (word & 0x7FFFU) << 13;
  const std::uint32_t small =
      std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits + 0x38800000) - 0x1p-14F);
  const std::uint32_t magnitude =
      bits < 0x00800000 ? small : bits + (bits < 0x0F800000 ? 0x38000000 : 0x70000000);
  return std::bit_cast<float>(magnitude | (word & 0x8000U) << 16);
}
std::uint16_t narrow_f16(float value) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(value) & 0x7FFFFFFF;
  const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(bits) + 0.5F) - 0x3F000000;
  const std::uint32_t normal = (bits + 0xC8000FFF + (bits >> 13 & 1)) >> 13;
  const std::uint32_t large = bits > 0x7F800000 ? 0x7E00 | (bits >> 13 & 0x3FF) : 0x7C00;
  const std::uint32_t sign = std::bit_cast<std::uint32_t>(value) >> 16 & 0x8000;
  return static_cast<std::uint16_t>(sign | (bits >= 0x477FF000 ? large : bits < 0x38800000 ? small : normal));
}

}  // namespace

// XHAL_HAND_NAME is the object to define; the build chooses compiler and -march.
extern const HandLoops XHAL_HAND_NAME = {
    .fill =
        [](std::uint32_t* dst, std::uint32_t value, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = value;
        },
    .copy =
        [](std::uint32_t* dst, const std::uint32_t* src, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = src[i];
        },
    .iota =
        [](std::uint32_t* dst, std::uint32_t start, std::uint32_t step, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = start + static_cast<std::uint32_t>(i) * step;
        },
    .axpy =
        [](float* y, const float* x, float a, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) y[i] = a * x[i] + y[i];
        },
    .fold =
        [](std::uint64_t* cells, std::uint64_t op, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) cells[i] = mix(cells[i], op);
        },
    .fold2 =
        [](std::uint64_t* dst, const std::uint64_t* src, std::uint64_t op, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = mix(mix(dst[i], src[i]), op);
        },
    .fill_i8 =
        [](std::int8_t* dst, std::int8_t value, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = value;
        },
    .iota_f32 =
        [](float* dst, float start, float step, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = start + static_cast<float>(i) * step;
        },
    .add_i8 =
        [](std::int8_t* dst, const std::int8_t* a, const std::int8_t* b, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = static_cast<std::int8_t>(a[i] + b[i]);
        },
    .axpy_i16 =
        [](std::int16_t* y, const std::int16_t* x, std::int16_t a, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) y[i] = static_cast<std::int16_t>(a * x[i] + y[i]);
        },
    .axpy_f64 =
        [](double* y, const double* x, double a, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) y[i] = a * x[i] + y[i];
        },
    .add_f16 =
        [](std::uint16_t* dst, const std::uint16_t* a, const std::uint16_t* b, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) dst[i] = narrow_f16(widen_f16(a[i]) + widen_f16(b[i]));
        },
    .axpy_bf16 =
        [](std::uint16_t* y, const std::uint16_t* x, std::uint16_t a, std::uint64_t n) {
          for (std::uint64_t i = 0; i < n; ++i) {
            y[i] = narrow_bf16(widen_bf16(a) * widen_bf16(x[i]) + widen_bf16(y[i]));
          }
        },
    .reduce =
        [](std::uint32_t* sums, const std::uint32_t* src, std::uint64_t n, std::uint64_t group_size) {
          for (std::uint64_t first = 0; first < n; first += group_size) {
            std::uint32_t sum = 0;
            for (std::uint64_t i = first; i < std::min(first + group_size, n); ++i) sum += src[i];
            sums[first / group_size] = sum;
          }
        },
    .scan =
        [](std::uint32_t* dst, const std::uint32_t* src, std::uint64_t n, std::uint64_t group_size) {
          for (std::uint64_t first = 0; first < n; first += group_size) {
            std::uint32_t sum = 0;
            for (std::uint64_t i = first; i < std::min(first + group_size, n); ++i) dst[i] = sum += src[i];
          }
        },
};

}  // namespace xhal::native_test
