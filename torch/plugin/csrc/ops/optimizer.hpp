// SPDX-License-Identifier: Apache-2.0
// Steps of optimizers. Rates, steps and scales that are tensors of the device stay there: the host never waits.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace torch_xhal {

#define TORCH_XHAL_ADAM(name, Rate)                                                                    \
  void name(at::TensorList params, at::TensorList grads, at::TensorList means, at::TensorList squares, \
            at::TensorList most, at::TensorList steps, Rate lr, double beta1, double beta2,            \
            double weight_decay, double eps, bool amsgrad, bool maximize,                              \
            const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf)
#define TORCH_XHAL_SGD(Rate)                                                                               \
  void fused_sgd(at::TensorList params, at::TensorList grads, at::TensorList momenta, double weight_decay, \
                 double momentum, Rate lr, double dampening, bool nesterov, bool maximize, bool is_first,  \
                 const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf)
#define TORCH_XHAL_ADAGRAD(Rate)                                                                             \
  void fused_adagrad(at::TensorList params, at::TensorList grads, at::TensorList sums, at::TensorList steps, \
                     Rate lr, double lr_decay, double weight_decay, double eps, bool maximize,               \
                     const std::optional<at::Tensor>& grad_scale,                                            \
                     const std::optional<at::Tensor>& found_inf)

TORCH_XHAL_ADAM(fused_adam, double);
TORCH_XHAL_ADAM(fused_adam, const at::Tensor&);
TORCH_XHAL_ADAM(fused_adamw, double);
TORCH_XHAL_ADAM(fused_adamw, const at::Tensor&);
TORCH_XHAL_SGD(double);
TORCH_XHAL_SGD(const at::Tensor&);
TORCH_XHAL_ADAGRAD(double);
TORCH_XHAL_ADAGRAD(const at::Tensor&);

// Multiplies gradients by the inverse of their scale, and says in found_inf whether one is not finite.
void unscale(at::TensorList gradients, at::Tensor& found_inf, const at::Tensor& inverse_scale);
at::Tensor& update_scale(at::Tensor& scale, at::Tensor& growth_tracker, const at::Tensor& found_inf,
                         double growth_factor, double backoff_factor, int64_t growth_interval);

}  // namespace torch_xhal
