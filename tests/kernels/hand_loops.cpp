// SPDX-License-Identifier: Apache-2.0
#include "hand_loops.hpp"

#include <algorithm>

namespace xhal::native_test {
namespace {

std::uint64_t mix(std::uint64_t c, std::uint64_t v) {
  return (((c << 5) | (c >> 59)) ^ v) * 0x9E3779B97F4A7C15U + 0x7F4A7C15U;
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
    .reduce =
        [](std::uint32_t* sums, const std::uint32_t* src, std::uint64_t n, std::uint64_t group_size) {
          for (std::uint64_t first = 0; first < n; first += group_size) {
            std::uint32_t sum = 0;
            for (std::uint64_t i = first; i < std::min(first + group_size, n); ++i) sum += src[i];
            sums[first / group_size] = sum;
          }
        },
};

}  // namespace xhal::native_test
