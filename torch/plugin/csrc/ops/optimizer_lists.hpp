// SPDX-License-Identifier: Apache-2.0
// Operators on lists of tensors: several dense ones of f32 in a launch, and all others one by one as PyTorch has it.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <vector>

namespace torch_xhal {

void add_each(at::TensorList self, const at::Scalar& value);
void add_each(at::TensorList self, at::TensorList other, const at::Scalar& alpha);
std::vector<at::Tensor> sums_of_each(at::TensorList self, at::TensorList other, const at::Scalar& alpha);
void mul_each(at::TensorList self, const at::Scalar& value);
void mul_each(at::TensorList self, const at::Tensor& factor);
void div_each(at::TensorList self, const at::Scalar& value);
void div_each(at::TensorList self, at::ArrayRef<at::Scalar> values);
void lerp_each(at::TensorList self, at::TensorList other, const at::Scalar& weight);
void addcmul_each(at::TensorList self, at::TensorList left, at::TensorList right, const at::Scalar& value);
void addcdiv_each(at::TensorList self, at::TensorList left, at::TensorList right, const at::Scalar& value);
void addcdiv_each(at::TensorList self, at::TensorList left, at::TensorList right,
                  at::ArrayRef<at::Scalar> values);
std::vector<at::Tensor> roots_of_each(at::TensorList self);

}  // namespace torch_xhal
