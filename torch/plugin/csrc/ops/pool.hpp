// SPDX-License-Identifier: Apache-2.0
// Pooling in two and three dimensions; PyTorch's of one dimension is of two.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/adaptive_max_pool2d_backward_meta.h>
#include <ATen/ops/adaptive_max_pool2d_meta.h>
#include <ATen/ops/adaptive_max_pool3d_backward_meta.h>
#include <ATen/ops/adaptive_max_pool3d_meta.h>
#include <ATen/ops/avg_pool2d_backward_meta.h>
#include <ATen/ops/avg_pool2d_meta.h>
#include <ATen/ops/avg_pool3d_backward_meta.h>
#include <ATen/ops/avg_pool3d_meta.h>
#include <ATen/ops/max_pool2d_with_indices_backward_meta.h>
#include <ATen/ops/max_pool2d_with_indices_meta.h>

#include <tuple>

namespace torch_xhal {

// Shapes are PyTorch's.
struct MaxPool2d : at::meta::structured_max_pool2d_with_indices {
  void impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
            at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode, const at::Tensor& out,
            const at::Tensor& indices);
};
struct MaxPool2dBackward : at::meta::structured_max_pool2d_with_indices_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
            at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode,
            const at::Tensor& indices, const at::Tensor& out);
};
struct AvgPool2d : at::meta::structured_avg_pool2d {
  void impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
            at::IntArrayRef padding, bool ceil_mode, bool count_include_pad,
            std::optional<int64_t> divisor_override, const at::Tensor& out);
};
struct AvgPool2dBackward : at::meta::structured_avg_pool2d_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
            at::IntArrayRef stride, at::IntArrayRef padding, bool ceil_mode, bool count_include_pad,
            std::optional<int64_t> divisor_override, const at::Tensor& out);
};
struct AvgPool3d : at::meta::structured_avg_pool3d {
  void impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
            at::IntArrayRef padding, bool ceil_mode, bool count_include_pad,
            std::optional<int64_t> divisor_override, const at::Tensor& out);
};
struct AvgPool3dBackward : at::meta::structured_avg_pool3d_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
            at::IntArrayRef stride, at::IntArrayRef padding, bool ceil_mode, bool count_include_pad,
            std::optional<int64_t> divisor_override, const at::Tensor& out);
};
struct AdaptiveMaxPool2d : at::meta::structured_adaptive_max_pool2d {
  void impl(const at::Tensor& self, at::IntArrayRef output_size, const at::Tensor& out,
            const at::Tensor& indices);
};
struct AdaptiveMaxPool2dBackward : at::meta::structured_adaptive_max_pool2d_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& indices,
            const at::Tensor& out);
};
struct AdaptiveMaxPool3d : at::meta::structured_adaptive_max_pool3d {
  void impl(const at::Tensor& self, at::IntArrayRef output_size, const at::Tensor& out,
            const at::Tensor& indices);
};
struct AdaptiveMaxPool3dBackward : at::meta::structured_adaptive_max_pool3d_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& indices,
            const at::Tensor& out);
};

std::tuple<at::Tensor&, at::Tensor&> max_pool3d_with_indices_out(
    const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride, at::IntArrayRef padding,
    at::IntArrayRef dilation, bool ceil_mode, at::Tensor& out, at::Tensor& indices);
std::tuple<at::Tensor, at::Tensor> max_pool3d_with_indices(const at::Tensor& self,
                                                           at::IntArrayRef kernel_size,
                                                           at::IntArrayRef stride, at::IntArrayRef padding,
                                                           at::IntArrayRef dilation, bool ceil_mode);
at::Tensor& max_pool3d_with_indices_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                                 at::IntArrayRef kernel_size, at::IntArrayRef stride,
                                                 at::IntArrayRef padding, at::IntArrayRef dilation,
                                                 bool ceil_mode, const at::Tensor& indices, at::Tensor& out);
at::Tensor max_pool3d_with_indices_backward(const at::Tensor& gradient, const at::Tensor& self,
                                            at::IntArrayRef kernel_size, at::IntArrayRef stride,
                                            at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode,
                                            const at::Tensor& indices);

at::Tensor& adaptive_avg_pool2d_out(const at::Tensor& self, at::IntArrayRef output_size, at::Tensor& out);
at::Tensor adaptive_avg_pool2d(const at::Tensor& self, at::IntArrayRef output_size);
at::Tensor adaptive_avg_pool2d_backward(const at::Tensor& gradient, const at::Tensor& self);
at::Tensor& adaptive_avg_pool3d_out(const at::Tensor& self, at::IntArrayRef output_size, at::Tensor& out);
at::Tensor adaptive_avg_pool3d(const at::Tensor& self, at::IntArrayRef output_size);
at::Tensor& adaptive_avg_pool3d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                             at::Tensor& out);
at::Tensor adaptive_avg_pool3d_backward(const at::Tensor& gradient, const at::Tensor& self);

}  // namespace torch_xhal
