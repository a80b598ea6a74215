// SPDX-License-Identifier: Apache-2.0
// Losses, and gradients of what PyTorch's own host sides compute by the host's kernels.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/nll_loss_backward_meta.h>
#include <ATen/ops/nll_loss_forward_meta.h>

#include <optional>
#include <tuple>

namespace torch_xhal {

struct NllLoss : at::meta::structured_nll_loss_forward {
  void impl(const at::Tensor& self, const at::Tensor& target, at::OptionalTensorRef weight, int64_t reduction,
            int64_t ignored, const at::Tensor& out, const at::Tensor& total);
};
struct NllLossBackward : at::meta::structured_nll_loss_backward {
  void impl(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& target,
            at::OptionalTensorRef weight, int64_t reduction, int64_t ignored, const at::Tensor& total,
            const at::Tensor& grad_input);
};
std::tuple<at::Tensor, at::Tensor> nll_loss2d(const at::Tensor& self, const at::Tensor& target,
                                              const std::optional<at::Tensor>& weight, int64_t reduction,
                                              int64_t ignored);
std::tuple<at::Tensor&, at::Tensor&> nll_loss2d_out(const at::Tensor& self, const at::Tensor& target,
                                                    const std::optional<at::Tensor>& weight,
                                                    int64_t reduction, int64_t ignored, at::Tensor& out,
                                                    at::Tensor& total);
at::Tensor nll_loss2d_backward(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& target,
                               const std::optional<at::Tensor>& weight, int64_t reduction, int64_t ignored,
                               const at::Tensor& total);
at::Tensor& nll_loss2d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                    const at::Tensor& target, const std::optional<at::Tensor>& weight,
                                    int64_t reduction, int64_t ignored, const at::Tensor& total,
                                    at::Tensor& grad_input);

at::Tensor binary_cross_entropy(const at::Tensor& self, const at::Tensor& target,
                                const std::optional<at::Tensor>& weight, int64_t reduction);
at::Tensor& binary_cross_entropy_out(const at::Tensor& self, const at::Tensor& target,
                                     const std::optional<at::Tensor>& weight, int64_t reduction,
                                     at::Tensor& out);
at::Tensor binary_cross_entropy_backward(const at::Tensor& gradient, const at::Tensor& self,
                                         const at::Tensor& target, const std::optional<at::Tensor>& weight,
                                         int64_t reduction);
at::Tensor& binary_cross_entropy_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                              const at::Tensor& target,
                                              const std::optional<at::Tensor>& weight, int64_t reduction,
                                              at::Tensor& grad_input);

std::tuple<at::Tensor, at::Tensor> log_sigmoid(const at::Tensor& self);
std::tuple<at::Tensor&, at::Tensor&> log_sigmoid_out(const at::Tensor& self, at::Tensor& out,
                                                     at::Tensor& buffer);
at::Tensor log_sigmoid_backward(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& buffer);
at::Tensor& log_sigmoid_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                     const at::Tensor& buffer, at::Tensor& grad_input);
at::Tensor glu_backward(const at::Tensor& gradient, const at::Tensor& self, int64_t dim);
at::Tensor& glu_backward_out(const at::Tensor& gradient, const at::Tensor& self, int64_t dim,
                             at::Tensor& grad_input);
std::tuple<at::Tensor, at::Tensor> prelu_backward(const at::Tensor& gradient, const at::Tensor& self,
                                                  const at::Tensor& weight);

}  // namespace torch_xhal
