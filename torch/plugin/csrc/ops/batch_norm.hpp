// SPDX-License-Identifier: Apache-2.0
// Batch normalisation, and the steps of it that several processes exchange.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

namespace torch_xhal {

using OptionalTensor = std::optional<at::Tensor>;
using TwoTensors = std::tuple<at::Tensor, at::Tensor>;
using ThreeTensors = std::tuple<at::Tensor, at::Tensor, at::Tensor>;
using FourTensors = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;
using ThreeOutputs = std::tuple<at::Tensor&, at::Tensor&, at::Tensor&>;
using FourOutputs = std::tuple<at::Tensor&, at::Tensor&, at::Tensor&, at::Tensor&>;

ThreeTensors batch_norm(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                        const OptionalTensor& running_mean, const OptionalTensor& running_variance,
                        bool is_training, double momentum, double epsilon);
ThreeOutputs batch_norm_out(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                            const OptionalTensor& running_mean, const OptionalTensor& running_variance,
                            bool is_training, double momentum, double epsilon, at::Tensor& out,
                            at::Tensor& mean, at::Tensor& deviation);
ThreeTensors batch_norm_legit(const at::Tensor& input, const OptionalTensor& weight,
                              const OptionalTensor& bias, at::Tensor& running_mean,
                              at::Tensor& running_variance, bool is_training, double momentum,
                              double epsilon);
ThreeOutputs batch_norm_legit_out(const at::Tensor& input, const OptionalTensor& weight,
                                  const OptionalTensor& bias, at::Tensor& running_mean,
                                  at::Tensor& running_variance, bool is_training, double momentum,
                                  double epsilon, at::Tensor& out, at::Tensor& mean, at::Tensor& deviation);
ThreeTensors batch_norm_no_stats(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, bool is_training, double momentum,
                                 double epsilon);
ThreeOutputs batch_norm_no_stats_out(const at::Tensor& input, const OptionalTensor& weight,
                                     const OptionalTensor& bias, bool is_training, double momentum,
                                     double epsilon, at::Tensor& out, at::Tensor& mean,
                                     at::Tensor& deviation);
FourTensors batch_norm_with_update(const at::Tensor& input, const OptionalTensor& weight,
                                   const OptionalTensor& bias, at::Tensor& running_mean,
                                   at::Tensor& running_variance, double momentum, double epsilon);
FourTensors batch_norm_no_update(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_variance, double momentum, double epsilon);
FourOutputs batch_norm_with_update_out(const at::Tensor& input, const OptionalTensor& weight,
                                       const OptionalTensor& bias, at::Tensor& running_mean,
                                       at::Tensor& running_variance, double momentum, double epsilon,
                                       at::Tensor& out, at::Tensor& mean, at::Tensor& deviation,
                                       at::Tensor& reserve);
ThreeTensors native_batch_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                        const OptionalTensor& weight, const OptionalTensor& running_mean,
                                        const OptionalTensor& running_variance, const OptionalTensor& mean,
                                        const OptionalTensor& deviation, bool is_training, double epsilon,
                                        std::array<bool, 3> mask);
ThreeTensors batch_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                 const at::Tensor& weight, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_variance, const OptionalTensor& mean,
                                 const OptionalTensor& deviation, bool is_training, double epsilon,
                                 std::array<bool, 3> mask, const at::Tensor& reserve);
TwoTensors batch_norm_update_stats(const at::Tensor& input, const OptionalTensor& running_mean,
                                   const OptionalTensor& running_variance, double momentum);

TwoTensors batch_norm_stats(const at::Tensor& input, double epsilon);
at::Tensor batch_norm_elemt(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                            const at::Tensor& mean, const at::Tensor& deviation, double epsilon);
at::Tensor& batch_norm_elemt_out(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, const at::Tensor& mean,
                                 const at::Tensor& deviation, double epsilon, at::Tensor& out);
TwoTensors batch_norm_gather_stats(const at::Tensor& input, const at::Tensor& mean,
                                   const at::Tensor& deviation, const OptionalTensor& running_mean,
                                   const OptionalTensor& running_variance, double momentum, double epsilon,
                                   int64_t count);
TwoTensors batch_norm_gather_stats_with_counts(const at::Tensor& input, const at::Tensor& mean,
                                               const at::Tensor& deviation,
                                               const OptionalTensor& running_mean,
                                               const OptionalTensor& running_variance, double momentum,
                                               double epsilon, const at::Tensor& counts);
FourTensors batch_norm_backward_reduce(const at::Tensor& gradient, const at::Tensor& input,
                                       const at::Tensor& mean, const at::Tensor& deviation,
                                       const OptionalTensor& weight, bool wants_input, bool wants_weight,
                                       bool wants_bias);
at::Tensor batch_norm_backward_elemt(const at::Tensor& gradient, const at::Tensor& input,
                                     const at::Tensor& mean, const at::Tensor& deviation,
                                     const OptionalTensor& weight, const at::Tensor& sum_of_gradients,
                                     const at::Tensor& sum_of_products, const at::Tensor& counts);

// The variance or deviation, and the mean.
TwoTensors var_mean(const at::Tensor& self, at::OptionalIntArrayRef dims,
                    const std::optional<at::Scalar>& correction, bool keepdim);
TwoTensors std_mean(const at::Tensor& self, at::OptionalIntArrayRef dims,
                    const std::optional<at::Scalar>& correction, bool keepdim);

}  // namespace torch_xhal
