// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm_meta.h>
#include <ATen/ops/addmv_meta.h>
#include <ATen/ops/baddbmm_meta.h>
#include <ATen/ops/bmm_meta.h>
#include <ATen/ops/mm_meta.h>
#include <c10/core/Scalar.h>

namespace torch_xhal {

// c = alpha * a b + beta * c, of matrices or batches of them in any layout, all of one type.
void multiply(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b, const at::Scalar& alpha,
              const at::Scalar& beta);

// Host sides of ours, where PyTorch's reaches the host's kernels by name.
struct Mm : at::meta::structured_mm {
  void impl(const at::Tensor& self, const at::Tensor& other, const at::Tensor& out);
};
struct Addmm : at::meta::structured_addmm {
  void impl(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
            const at::Scalar& alpha, const at::Tensor& out);
};
struct Bmm : at::meta::structured_bmm {
  void impl(const at::Tensor& self, const at::Tensor& other, const at::Tensor& out);
};
struct Baddbmm : at::meta::structured_baddbmm {
  void impl(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right, const at::Scalar& beta,
            const at::Scalar& alpha, const at::Tensor& out);
};
struct Addmv : at::meta::structured_addmv {
  void impl(const at::Tensor& self, const at::Tensor& matrix, const at::Tensor& vector,
            const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& out);
};
at::Tensor dot(const at::Tensor& self, const at::Tensor& other);

}  // namespace torch_xhal
