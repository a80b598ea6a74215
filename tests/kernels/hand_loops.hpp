// SPDX-License-Identifier: Apache-2.0
#pragma once

// The kernels' loops as one would write them by hand, compiled once for each level: what native images are measured against.
#include <cstdint>

namespace xhal::native_test {

struct HandLoops {
  void (*fill)(std::uint32_t* dst, std::uint32_t value, std::uint64_t n);
  void (*copy)(std::uint32_t* dst, const std::uint32_t* src, std::uint64_t n);
  void (*iota)(std::uint32_t* dst, std::uint32_t start, std::uint32_t step, std::uint64_t n);
  void (*axpy)(float* y, const float* x, float a, std::uint64_t n);
  void (*fold)(std::uint64_t* cells, std::uint64_t op, std::uint64_t n);
  void (*fold2)(std::uint64_t* dst, const std::uint64_t* src, std::uint64_t op, std::uint64_t n);
  void (*fill_i8)(std::int8_t* dst, std::int8_t value, std::uint64_t n);
  void (*iota_f32)(float* dst, float start, float step, std::uint64_t n);
  void (*add_i8)(std::int8_t* dst, const std::int8_t* a, const std::int8_t* b, std::uint64_t n);
  void (*axpy_i16)(std::int16_t* y, const std::int16_t* x, std::int16_t a, std::uint64_t n);
  void (*axpy_f64)(double* y, const double* x, double a, std::uint64_t n);
  // 16-bit floats as the kernels have them: words, widened to f32 and rounded by integer arithmetic.
  void (*add_f16)(std::uint16_t* dst, const std::uint16_t* a, const std::uint16_t* b, std::uint64_t n);
  void (*axpy_bf16)(std::uint16_t* y, const std::uint16_t* x, std::uint16_t a, std::uint64_t n);
  void (*reduce)(std::uint32_t* sums, const std::uint32_t* src, std::uint64_t n, std::uint64_t group_size);
  void (*scan)(std::uint32_t* dst, const std::uint32_t* src, std::uint64_t n, std::uint64_t group_size);
};

// By the project's compiler, and by the clang that compiles the kernels.
extern const HandLoops kHandLoopsV2;
extern const HandLoops kHandLoopsV3;
extern const HandLoops kHandLoopsV4;
extern const HandLoops kClangLoopsV2;
extern const HandLoops kClangLoopsV3;
extern const HandLoops kClangLoopsV4;

}  // namespace xhal::native_test
