// SPDX-License-Identifier: Apache-2.0
// Windows as columns, columns as images, and gradients of windows along one dimension.
#pragma once

#include <ATen/core/Tensor.h>

namespace torch_xhal {

at::Tensor im2col(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef dilation,
                  at::IntArrayRef padding, at::IntArrayRef stride);
at::Tensor& im2col_out(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef dilation,
                       at::IntArrayRef padding, at::IntArrayRef stride, at::Tensor& out);
at::Tensor col2im(const at::Tensor& self, at::IntArrayRef output, at::IntArrayRef size,
                  at::IntArrayRef dilation, at::IntArrayRef padding, at::IntArrayRef stride);
at::Tensor& col2im_out(const at::Tensor& self, at::IntArrayRef output, at::IntArrayRef size,
                       at::IntArrayRef dilation, at::IntArrayRef padding, at::IntArrayRef stride,
                       at::Tensor& out);
at::Tensor unfold_backward(const at::Tensor& gradient, at::IntArrayRef sizes, int64_t dim, int64_t size,
                           int64_t step);

}  // namespace torch_xhal
