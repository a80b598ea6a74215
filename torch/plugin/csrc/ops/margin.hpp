// SPDX-License-Identifier: Apache-2.0
// Losses by margins between scores. A target that is no class makes NaN rather than raise, which would be a wait for the device.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <optional>
#include <tuple>

namespace torch_xhal {

using OptionalTensor = std::optional<at::Tensor>;

at::Tensor multi_margin_loss(const at::Tensor& self, const at::Tensor& target, const at::Scalar& power,
                             const at::Scalar& margin, const OptionalTensor& weight, int64_t reduction);
at::Tensor& multi_margin_loss_out(const at::Tensor& self, const at::Tensor& target, const at::Scalar& power,
                                  const at::Scalar& margin, const OptionalTensor& weight, int64_t reduction,
                                  at::Tensor& out);
at::Tensor multi_margin_loss_backward(const at::Tensor& gradient, const at::Tensor& self,
                                      const at::Tensor& target, const at::Scalar& power,
                                      const at::Scalar& margin, const OptionalTensor& weight,
                                      int64_t reduction);
at::Tensor& multi_margin_loss_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                           const at::Tensor& target, const at::Scalar& power,
                                           const at::Scalar& margin, const OptionalTensor& weight,
                                           int64_t reduction, at::Tensor& grad_input);
std::tuple<at::Tensor, at::Tensor> multilabel_margin_loss(const at::Tensor& self, const at::Tensor& target,
                                                          int64_t reduction);
std::tuple<at::Tensor&, at::Tensor&> multilabel_margin_loss_out(const at::Tensor& self,
                                                                const at::Tensor& target, int64_t reduction,
                                                                at::Tensor& out, at::Tensor& is_target);
at::Tensor multilabel_margin_loss_backward(const at::Tensor& gradient, const at::Tensor& self,
                                           const at::Tensor& target, int64_t reduction,
                                           const at::Tensor& is_target);
at::Tensor& multilabel_margin_loss_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                                const at::Tensor& target, int64_t reduction,
                                                const at::Tensor& is_target, at::Tensor& grad_input);

}  // namespace torch_xhal
