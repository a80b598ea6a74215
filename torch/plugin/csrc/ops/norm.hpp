// SPDX-License-Identifier: Apache-2.0
// Normalisation: by layer, group and root mean square here, by batch in batch_norm.hpp, all by the same kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

#include "xhal/operators.h"

namespace torch_xhal {

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm(const at::Tensor& input,
                                                          at::IntArrayRef normalized_shape,
                                                          const std::optional<at::Tensor>& weight,
                                                          const std::optional<at::Tensor>& bias,
                                                          double epsilon);
std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm_backward(
    const at::Tensor& gradient, const at::Tensor& input, at::IntArrayRef normalized_shape,
    const at::Tensor& mean, const at::Tensor& deviation, const std::optional<at::Tensor>& weight,
    const std::optional<at::Tensor>& bias, std::array<bool, 3> mask);
std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& input, at::IntArrayRef normalized_shape,
                                            const std::optional<at::Tensor>& weight,
                                            std::optional<double> epsilon);
std::tuple<at::Tensor, at::Tensor> rms_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                                     at::IntArrayRef normalized_shape,
                                                     const at::Tensor& deviation,
                                                     const std::optional<at::Tensor>& weight,
                                                     std::array<bool, 2> mask);
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm(const at::Tensor& input,
                                                          const std::optional<at::Tensor>& weight,
                                                          const std::optional<at::Tensor>& bias, int64_t n,
                                                          int64_t channels, int64_t inner, int64_t groups,
                                                          double epsilon);
std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_backward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& mean, const at::Tensor& deviation,
    const std::optional<at::Tensor>& weight, int64_t n, int64_t channels, int64_t inner, int64_t groups,
    std::array<bool, 3> mask);

namespace norm {

// Tensors of a launch; what is not defined is not there. All lie densely.
struct Forward {
  at::Tensor x, weight, bias;
  at::Tensor y, mean, deviation;
  at::Tensor running_mean, running_variance;
};
// Normalises the slices of x, or by what is given as running statistics if XHAL_OP_NORM_GIVEN is among the flags.
void run(xhal_op_norm shape, const Forward& tensors, double epsilon, double momentum = 0);

struct Backward {
  at::Tensor gradient, x, mean, deviation, weight;
  at::Tensor grad_input;
  // Of slices that have one weight each.
  at::Tensor grad_weight, grad_bias;
};
void run_backward(xhal_op_norm shape, const Backward& tensors, double epsilon = 0);

// Gradients of weights that slices share; of each what is defined.
void run_gradient(xhal_op_norm_gradient shape, const Backward& tensors, const at::Tensor& grad_weight,
                  const at::Tensor& grad_bias);

// Refuses tensors of other devices than `first` is on.
void check_one_device(const at::Tensor& first, at::TensorList others);
// Refuses tensors of another type, as PyTorch does where the host's kernels ask for their elements.
void check_type(at::ScalarType type, at::TensorList tensors);
void check_floating(const char* name, const at::Tensor& input);

inline at::Tensor or_none(const std::optional<at::Tensor>& tensor) { return tensor.value_or(at::Tensor()); }
inline at::Tensor dense(const at::Tensor& tensor) { return tensor.defined() ? tensor.contiguous() : tensor; }

}  // namespace norm
}  // namespace torch_xhal
