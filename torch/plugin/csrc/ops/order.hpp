// SPDX-License-Identifier: Apache-2.0
// Sorting, what follows from it, and running values, along one dimension.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/topk_meta.h>

#include <tuple>

namespace torch_xhal {

// Host sides of ours, where PyTorch's reaches the host's kernels by name.
struct TopK : at::meta::structured_topk {
  void impl(const at::Tensor& self, int64_t k, int64_t dim, bool largest, bool sorted,
            const at::Tensor& values, const at::Tensor& indices);
};
std::tuple<at::Tensor&, at::Tensor&> kthvalue_out(const at::Tensor& self, int64_t k, int64_t dim,
                                                  bool keepdim, at::Tensor& values, at::Tensor& indices);
std::tuple<at::Tensor&, at::Tensor&> median_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                                at::Tensor& values, at::Tensor& indices);
std::tuple<at::Tensor&, at::Tensor&> nanmedian_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                                   at::Tensor& values, at::Tensor& indices);
std::tuple<at::Tensor&, at::Tensor&> mode_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                              at::Tensor& values, at::Tensor& indices);
std::tuple<at::Tensor, at::Tensor> mode(const at::Tensor& self, int64_t dim, bool keepdim);
at::Tensor median(const at::Tensor& self);
at::Tensor nanmedian(const at::Tensor& self);
void cummax_helper(const at::Tensor& self, at::Tensor& values, at::Tensor& indices, int64_t dim);
void cummin_helper(const at::Tensor& self, at::Tensor& values, at::Tensor& indices, int64_t dim);

}  // namespace torch_xhal
