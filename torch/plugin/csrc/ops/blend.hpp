// SPDX-License-Identifier: Apache-2.0
// Images of another size by weighted sums: linear and cubic. Shapes are PyTorch's.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/upsample_bicubic2d_backward_meta.h>
#include <ATen/ops/upsample_bicubic2d_meta.h>
#include <ATen/ops/upsample_bilinear2d_backward_meta.h>
#include <ATen/ops/upsample_bilinear2d_meta.h>
#include <ATen/ops/upsample_linear1d_backward_meta.h>
#include <ATen/ops/upsample_linear1d_meta.h>
#include <ATen/ops/upsample_trilinear3d_backward_meta.h>
#include <ATen/ops/upsample_trilinear3d_meta.h>

#include <initializer_list>
#include <optional>

#include "xhal/operators.h"

namespace torch_xhal {

struct Blend {
  xhal_op_blend_code code;
  const char* name;  // of the operator
  bool aligns_corners;
  std::initializer_list<std::optional<double>> scales;  // of each dimension, the outermost first
};
void blend(const Blend& by, const at::Tensor& self, const at::Tensor& out);
void blend_backward(const Blend& by, const at::Tensor& gradient, const at::Tensor& out);

#define TORCH_XHAL_BLEND(Name, name, code, parameters, scales)                                            \
  struct Name : at::meta::structured_##name {                                                             \
    void impl(const at::Tensor& self, at::IntArrayRef, bool aligns_corners, TORCH_XHAL_UNPACK parameters, \
              const at::Tensor& out) {                                                                    \
      blend({code, #name, aligns_corners, TORCH_XHAL_UNPACK scales}, self, out);                          \
    }                                                                                                     \
  };                                                                                                      \
  struct Name##Backward : at::meta::structured_##name##_backward {                                        \
    void impl(const at::Tensor& gradient, at::IntArrayRef, at::IntArrayRef, bool aligns_corners,          \
              TORCH_XHAL_UNPACK parameters, const at::Tensor& out) {                                      \
      blend_backward({code, #name "_backward", aligns_corners, TORCH_XHAL_UNPACK scales}, gradient, out); \
    }                                                                                                     \
  };
#define TORCH_XHAL_UNPACK(...) __VA_ARGS__
TORCH_XHAL_BLEND(Linear1d, upsample_linear1d, XHAL_OP_BLEND_LINEAR, (std::optional<double> x), ({x}))
TORCH_XHAL_BLEND(Bilinear2d, upsample_bilinear2d, XHAL_OP_BLEND_LINEAR,
                 (std::optional<double> y, std::optional<double> x), ({y, x}))
TORCH_XHAL_BLEND(Bicubic2d, upsample_bicubic2d, XHAL_OP_BLEND_CUBIC,
                 (std::optional<double> y, std::optional<double> x), ({y, x}))
TORCH_XHAL_BLEND(Trilinear3d, upsample_trilinear3d, XHAL_OP_BLEND_LINEAR,
                 (std::optional<double> z, std::optional<double> y, std::optional<double> x), ({z, y, x}))
#undef TORCH_XHAL_UNPACK
#undef TORCH_XHAL_BLEND

}  // namespace torch_xhal
