// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/TensorIterator.h>
#include <ATen/ops/_log_softmax_backward_data_meta.h>
#include <ATen/ops/_log_softmax_meta.h>
#include <ATen/ops/_softmax_backward_data_meta.h>
#include <ATen/ops/_softmax_meta.h>

#include "ops/elementwise.hpp"

namespace torch_xhal {

// Over the dimensions in which the iterator's output does not move.
void run_reduction(at::TensorIteratorBase& iterator, xhal_op_reduction_code op,
                   const at::Scalar& parameter = 0);

struct Softmax : at::meta::structured__softmax {
  void impl(const at::Tensor& self, int64_t dim, bool half_to_float, const at::Tensor& out);
};
struct LogSoftmax : at::meta::structured__log_softmax {
  void impl(const at::Tensor& self, int64_t dim, bool half_to_float, const at::Tensor& out);
};
struct SoftmaxBackward : at::meta::structured__softmax_backward_data {
  void impl(const at::Tensor& gradient, const at::Tensor& result, int64_t dim, at::ScalarType type,
            const at::Tensor& out);
};
struct LogSoftmaxBackward : at::meta::structured__log_softmax_backward_data {
  void impl(const at::Tensor& gradient, const at::Tensor& result, int64_t dim, at::ScalarType type,
            const at::Tensor& out);
};

}  // namespace torch_xhal
