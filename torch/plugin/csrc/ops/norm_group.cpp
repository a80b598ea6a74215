// SPDX-License-Identifier: Apache-2.0
// Group normalisation. PyTorch's own host side refuses what lies with its channels last on devices that are not the host.
#include <ATen/native/cpu/mixed_data_type.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "ops/norm.hpp"

namespace torch_xhal::norm {
namespace {

// Channels lie one behind the other, or are the innermost dimension.
struct Groups {
  uint64_t n, channels, inner, groups;
  bool is_channels_last;
  uint64_t share() const { return channels / groups; }
};

xhal_op_norm norm_of(const Groups& of) {
  xhal_op_norm out = {};
  out.slices = of.n * of.groups;
  out.period = of.groups;
  out.far_stride = of.channels * of.inner;
  out.weight_slice = of.share();
  out.inner_stride = 1;
  if (of.is_channels_last) {
    out.near_stride = of.share();
    out.outer = of.inner;
    out.outer_stride = of.channels;
    out.inner = of.share();
    out.weight_inner = 1;
  } else {
    out.near_stride = of.share() * of.inner;
    out.outer = of.share();
    out.outer_stride = out.inner = of.inner;
    out.weight_outer = 1;
  }
  return out;
}

xhal_op_norm_gradient gradient_of(const Groups& of) {
  xhal_op_norm_gradient out = {};
  out.weights = of.channels;
  out.repeats = of.n;
  out.run = of.inner;
  out.share = of.share();
  out.repeat_stride = of.channels * of.inner;
  out.weight_stride = of.is_channels_last ? 1 : of.inner;
  out.run_stride = of.is_channels_last ? of.channels : 1;
  out.statistics_stride = of.groups;
  return out;
}

Groups groups_of(const at::Tensor& x, int64_t n, int64_t channels, int64_t inner, int64_t groups) {
  return {static_cast<uint64_t>(n), static_cast<uint64_t>(channels), static_cast<uint64_t>(inner),
          static_cast<uint64_t>(groups), x.suggest_memory_format() != at::MemoryFormat::Contiguous};
}

void check_parameter(const char* name, const at::Tensor& parameter, const at::Tensor& input,
                     int64_t channels) {
  TORCH_CHECK(!parameter.defined() || (parameter.dim() == 1 && parameter.numel() == channels), "Expected ",
              name, " to be a vector of size equal to the number of channels in input, but got ", name,
              " of shape ", parameter.sizes(), " and input of shape ", input.sizes());
}

}  // namespace
}  // namespace torch_xhal::norm

namespace torch_xhal {

std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm(const at::Tensor& input,
                                                          const std::optional<at::Tensor>& optional_weight,
                                                          const std::optional<at::Tensor>& optional_bias,
                                                          int64_t n, int64_t channels, int64_t inner,
                                                          int64_t groups, double epsilon) {
  const at::Tensor weight = norm::or_none(optional_weight);
  const at::Tensor bias = norm::or_none(optional_bias);
  norm::check_one_device(input, {weight, bias});
  TORCH_CHECK(groups > 0, "Expected num groups to be greater than 0, got ", groups);
  TORCH_CHECK(channels % groups == 0,
              "Expected number of channels in input to be divisible by num_groups, but got input of shape ",
              input.sizes(), " and num_groups=", groups);
  norm::check_parameter("weight", weight, input, channels);
  norm::check_parameter("bias", bias, input, channels);
  TORCH_CHECK(input.numel() == n * channels * inner, "Expected an input of ", n, " times ", channels,
              " channels of ", inner, " elements, but got one of shape ", input.sizes());
  const bool is_mixed = at::native::is_mixed_type(input, weight, bias);
  if (is_mixed) at::native::check_mixed_data_type(input, weight, bias);
  norm::check_floating("GroupNormKernelImpl", input);
  const at::ScalarType type = at::native::param_scalar_type(input, is_mixed);
  norm::check_type(type, {weight, bias});
  const at::MemoryFormat format = input.suggest_memory_format();
  const at::TensorOptions options = input.options().dtype(type);
  at::Tensor y = at::empty_like(input, format);
  if (input.numel() == 0)
    return {std::move(y), at::zeros({n, groups}, options),
            at::full({n, groups}, std::numeric_limits<double>::quiet_NaN(), options)};
  const at::Tensor x = input.contiguous(format);
  at::Tensor mean = at::empty({n, groups}, options);
  at::Tensor deviation = at::empty({n, groups}, options);
  norm::run(norm::norm_of(norm::groups_of(x, n, channels, inner, groups)),
            {x, norm::dense(weight), norm::dense(bias), y, mean, deviation, {}, {}}, epsilon);
  return {std::move(y), std::move(mean), std::move(deviation)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> group_norm_backward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& mean, const at::Tensor& deviation,
    const std::optional<at::Tensor>& optional_weight, int64_t n, int64_t channels, int64_t inner,
    int64_t groups, std::array<bool, 3> mask) {
  const at::Tensor weight = norm::or_none(optional_weight);
  norm::check_one_device(input, {gradient, mean, deviation, weight});
  TORCH_CHECK(input.scalar_type() == gradient.scalar_type(), "Expected scalar types of X and dY are same.");
  if (at::native::is_mixed_type(input, mean, deviation))
    at::native::check_mixed_data_type(input, mean, deviation);
  norm::check_floating("GroupNormBackwardKernelImpl", input);
  norm::check_type(mean.scalar_type(), {deviation, weight});
  TORCH_CHECK(groups > 0 && channels % groups == 0 && input.numel() == n * channels * inner,
              "Expected an input of ", n, " times ", channels, " channels of ", inner, " elements in ",
              groups, " groups, but got one of shape ", input.sizes());
  const at::MemoryFormat format = input.suggest_memory_format();
  const at::TensorOptions options = (weight.defined() ? weight : input).options();
  if (input.numel() == 0)
    return {mask[0] ? at::zeros_like(input, format) : at::Tensor(),
            mask[1] ? at::zeros({channels}, options) : at::Tensor(),
            mask[2] ? at::zeros({channels}, options) : at::Tensor()};
  const norm::Backward tensors{gradient.contiguous(format),
                               input.contiguous(format),
                               mean.contiguous(),
                               deviation.contiguous(),
                               norm::dense(weight),
                               mask[0] ? at::empty_like(input, format) : at::Tensor(),
                               {},
                               {}};
  at::Tensor grad_weight = mask[1] ? at::empty({channels}, options) : at::Tensor();
  at::Tensor grad_bias = mask[2] ? at::empty({channels}, options) : at::Tensor();
  const norm::Groups of = norm::groups_of(input, n, channels, inner, groups);
  xhal_op_norm shape = norm::norm_of(of);
  shape.flags = XHAL_OP_NORM_INVERSE;
  if (mask[0]) norm::run_backward(shape, tensors);
  norm::run_gradient(norm::gradient_of(of), tensors, grad_weight, grad_bias);
  return {tensors.grad_input, std::move(grad_weight), std::move(grad_bias)};
}

}  // namespace torch_xhal
