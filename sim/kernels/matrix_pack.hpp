// SPDX-License-Identifier: Apache-2.0
// The built-in pack "xhal_matrix": kernels that hand matrix products to a packaged library.
#pragma once

#include <memory>
#include <string_view>

#include "kernels/image.hpp"
#include "kernels/matrix_library.hpp"

namespace xhal::sim {

inline constexpr std::string_view kMatrixPack = "xhal_matrix";

// The last parameter of its kernels, as C lays it out; kernels/README.md says what it means.
struct MatrixProduct {
  uint64_t m, n, k;
  uint64_t lda, ldb, ldc;
  uint64_t batch_a, batch_b, batch_c;
  uint64_t batch;
  uint32_t transposed_a, transposed_b;
  double alpha, beta;
};
static_assert(sizeof(MatrixProduct) == 104 && alignof(MatrixProduct) == 8);

// The pack's kernels over a library that stays loaded.
std::shared_ptr<Image> matrix_image(MatrixLibrary& library, Image::Failure& failure);

}  // namespace xhal::sim
