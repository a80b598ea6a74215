// SPDX-License-Identifier: Apache-2.0
// Host sides of ours, where PyTorch's reaches the host's kernels by name.
#pragma once

#include <ATen/ops/gelu_backward_meta.h>
#include <ATen/ops/gelu_meta.h>

namespace torch_xhal {

struct Gelu : at::meta::structured_gelu {
  void impl(const at::Tensor& self, c10::string_view approximate, const at::Tensor& out);
};
struct GeluBackward : at::meta::structured_gelu_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, c10::string_view approximate,
            const at::Tensor& out);
};

}  // namespace torch_xhal
