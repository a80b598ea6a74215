// SPDX-License-Identifier: Apache-2.0
#include "ops/norm.hpp"

#include <ATen/native/cpu/mixed_data_type.h>
#include <ATen/native/layer_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace norm {
namespace {

// Integers are refused before they are asked for.
constinit KernelByType forwards = {{"norm", "xhal_norm_f32"}, {"norm", "xhal_norm_f64"}, {nullptr, nullptr}};
constinit KernelByType backwards = {
    {"norm", "xhal_norm_backward_f32"}, {"norm", "xhal_norm_backward_f64"}, {nullptr, nullptr}};
constinit KernelByType gradients = {
    {"norm", "xhal_norm_gradient_f32"}, {"norm", "xhal_norm_gradient_f64"}, {nullptr, nullptr}};

uint32_t code_of_any(const at::Tensor& tensor, const at::Tensor& otherwise) {
  return code_of((tensor.defined() ? tensor : otherwise).scalar_type());
}

uint64_t items_of(uint64_t count, uint32_t flags, uint64_t columns = XHAL_OP_NORM_LANES) {
  return (flags & XHAL_OP_NORM_COLUMNS) == 0 ? count : (count + columns - 1) / columns;
}

// What a kernel does not touch, since it is not there or has no elements, has the memory of something else: not all devices take none.
bool is_there(const at::Tensor& tensor) { return tensor.defined() && tensor.numel() != 0; }
Memory reads_or(const at::Tensor& tensor, const at::Tensor& otherwise) {
  return reads(is_there(tensor) ? tensor : otherwise);
}
Memory writes_or(const at::Tensor& tensor, const at::Tensor& otherwise) {
  return is_there(tensor) ? writes(tensor) : reads(otherwise);
}

}  // namespace

void check_one_device(const at::Tensor& first, at::TensorList others) {
  for (const at::Tensor& other : others)
    TORCH_CHECK(!other.defined() || other.device() == first.device(),
                "Expected all tensors to be on the same device, but found at least two devices, ",
                first.device(), " and ", other.device(), "!");
}

void check_type(at::ScalarType type, at::TensorList tensors) {
  for (const at::Tensor& tensor : tensors)
    TORCH_CHECK(!tensor.defined() || tensor.scalar_type() == type, "expected scalar type ", type,
                " but found ", tensor.scalar_type());
}

void check_floating(const char* name, const at::Tensor& input) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(input.scalar_type()), '"', name, "\" not implemented for '",
                              input.scalar_type(), "'");
}

void run(xhal_op_norm shape, const Forward& of, double epsilon, double momentum) {
  if (shape.slices == 0) return;
  const bool is_given = (shape.flags & XHAL_OP_NORM_GIVEN) != 0;
  const at::Tensor& statistics = is_given ? of.running_mean : of.deviation;
  shape.epsilon_f64 = epsilon;
  shape.epsilon_f32 = static_cast<float>(epsilon);
  shape.momentum_f64 = momentum;
  shape.momentum_f32 = static_cast<float>(momentum);
  shape.type = code_of(of.x.scalar_type());
  shape.statistics = code_of(statistics.scalar_type());
  shape.parameters = code_of_any(of.weight, of.bias.defined() ? of.bias : of.x);
  if (of.weight.defined()) shape.flags |= XHAL_OP_NORM_WEIGHT;
  if (of.bias.defined()) shape.flags |= XHAL_OP_NORM_BIAS;
  if (of.y.defined()) shape.flags |= XHAL_OP_NORM_OUTPUT;
  if (of.running_mean.defined() && !is_given) shape.flags |= XHAL_OP_NORM_RUNNING;
  const auto running = [&](const at::Tensor& tensor) {
    return tensor.defined() && !is_given ? updates(tensor) : reads_or(tensor, statistics);
  };
  const c10::DeviceIndex device = of.x.device().index();
  launch(forwards.of(of.x.scalar_type()), device, items(device, items_of(shape.slices, shape.flags)),
         writes_or(of.y, statistics), writes_or(of.mean, statistics), writes_or(of.deviation, statistics),
         running(of.running_mean), running(of.running_variance), reads_or(of.x, statistics),
         reads_or(of.weight, statistics), reads_or(of.bias, statistics), shape);
}

void run_backward(xhal_op_norm shape, const Backward& of, double epsilon) {
  if (shape.slices == 0) return;
  shape.epsilon_f64 = epsilon;
  shape.epsilon_f32 = static_cast<float>(epsilon);
  shape.type = code_of(of.x.scalar_type());
  shape.statistics = code_of(of.deviation.scalar_type());
  shape.parameters = code_of_any(of.weight, of.x);
  if (of.weight.defined()) shape.flags |= XHAL_OP_NORM_WEIGHT;
  if (of.grad_input.defined()) shape.flags |= XHAL_OP_NORM_OUTPUT;
  if (of.grad_weight.defined()) shape.flags |= XHAL_OP_NORM_WEIGHT_GRADIENT;
  if (of.grad_bias.defined()) shape.flags |= XHAL_OP_NORM_BIAS_GRADIENT;
  const c10::DeviceIndex device = of.x.device().index();
  launch(backwards.of(of.x.scalar_type()), device, items(device, items_of(shape.slices, shape.flags)),
         writes_or(of.grad_input, of.deviation), writes_or(of.grad_weight, of.deviation),
         writes_or(of.grad_bias, of.deviation), reads_or(of.gradient, of.deviation),
         reads_or(of.x, of.deviation), reads_or(of.mean, of.deviation), reads(of.deviation),
         reads_or(of.weight, of.deviation), shape);
}

void run_gradient(xhal_op_norm_gradient shape, const Backward& of, const at::Tensor& grad_weight,
                  const at::Tensor& grad_bias) {
  if ((!grad_weight.defined() && !grad_bias.defined()) || shape.weights == 0) return;
  shape.type = code_of(of.x.scalar_type());
  shape.statistics = code_of(of.deviation.scalar_type());
  shape.parameters = code_of_any(grad_weight, grad_bias);
  if (grad_weight.defined()) shape.flags |= XHAL_OP_NORM_WEIGHT;
  if (grad_bias.defined()) shape.flags |= XHAL_OP_NORM_BIAS;
  const c10::DeviceIndex device = of.x.device().index();
  launch(gradients.of(of.x.scalar_type()), device,
         items(device, items_of(shape.weights, shape.flags, XHAL_OP_NORM_WIDE)), writes_or(grad_weight, of.x),
         writes_or(grad_bias, of.x), reads(of.gradient), reads(of.x), reads_or(of.mean, of.x),
         reads(of.deviation), shape);
}

namespace {

xhal_op_norm layer_of(int64_t rows, int64_t n) {
  xhal_op_norm out = {};
  out.slices = static_cast<uint64_t>(rows);
  out.far_stride = out.inner = static_cast<uint64_t>(n);
  out.period = out.outer = 1;
  out.inner_stride = out.weight_inner = 1;
  out.outer_stride = out.inner;
  return out;
}

xhal_op_norm_gradient gradient_of_layer(const at::Tensor& x, int64_t rows, int64_t n) {
  xhal_op_norm_gradient out = {};
  out.weights = out.share = out.repeat_stride = static_cast<uint64_t>(n);
  out.repeats = static_cast<uint64_t>(rows);
  out.run = out.run_stride = out.weight_stride = out.statistics_stride = 1;
  // One item's columns are read together.
  if (x.scalar_type() == at::kFloat) out.flags = XHAL_OP_NORM_COLUMNS;
  return out;
}

// Of each row one element is kept.
at::DimVector statistics_shape(const at::Tensor& input, at::IntArrayRef normalized_shape) {
  at::DimVector out(input.sizes().begin(), input.sizes().end() - normalized_shape.size());
  out.resize(static_cast<size_t>(input.dim()), 1);
  return out;
}

at::Tensor made_like(const at::Tensor& parameter, bool is_empty) {
  return is_empty ? at::zeros_like(parameter, at::MemoryFormat::Contiguous)
                  : at::empty_like(parameter, at::MemoryFormat::Contiguous);
}

}  // namespace
}  // namespace norm

using norm::dense;
using norm::or_none;

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm(const at::Tensor& input,
                                                          at::IntArrayRef normalized_shape,
                                                          const std::optional<at::Tensor>& optional_weight,
                                                          const std::optional<at::Tensor>& optional_bias,
                                                          double epsilon) {
  const at::Tensor weight = or_none(optional_weight);
  const at::Tensor bias = or_none(optional_bias);
  norm::check_one_device(input, {weight, bias});
  const bool is_mixed = at::native::is_mixed_type(input, weight, bias);
  if (is_mixed) at::native::check_mixed_data_type(input, weight, bias);
  const auto [rows, n] = at::native::_check_layer_norm_inputs(input, normalized_shape, weight, bias);
  norm::check_floating("LayerNormKernelImpl", input);
  const at::ScalarType type = at::native::param_scalar_type(input, is_mixed);
  norm::check_type(type, {weight, bias});
  const at::Tensor x = input.contiguous();
  at::Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
  const at::DimVector kept = norm::statistics_shape(input, normalized_shape);
  at::Tensor mean = at::empty(kept, x.options().dtype(type));
  at::Tensor deviation = at::empty(kept, x.options().dtype(type));
  norm::run(norm::layer_of(rows, n), {x, dense(weight), dense(bias), y, mean, deviation, {}, {}}, epsilon);
  return {std::move(y), std::move(mean), std::move(deviation)};
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> layer_norm_backward(
    const at::Tensor& gradient, const at::Tensor& input, at::IntArrayRef normalized_shape,
    const at::Tensor& mean, const at::Tensor& deviation, const std::optional<at::Tensor>& optional_weight,
    const std::optional<at::Tensor>& optional_bias, std::array<bool, 3> mask) {
  const at::Tensor weight = or_none(optional_weight);
  const at::Tensor bias = or_none(optional_bias);
  norm::check_one_device(input, {gradient, mean, deviation, weight, bias});
  const auto [rows, n] = at::native::_check_layer_norm_inputs(input, normalized_shape, weight, bias);
  norm::check_floating("LayerNormBackwardKernelImpl", input);
  norm::check_type(input.scalar_type(), {gradient});
  norm::check_type(mean.scalar_type(), {deviation, weight});
  const norm::Backward tensors{dense(gradient),
                               dense(input),
                               dense(mean),
                               dense(deviation),
                               dense(weight),
                               mask[0] ? at::empty_like(input, at::MemoryFormat::Contiguous) : at::Tensor(),
                               {},
                               {}};
  at::Tensor grad_weight = mask[1] ? norm::made_like(weight, rows == 0) : at::Tensor();
  at::Tensor grad_bias = mask[2] ? norm::made_like(bias, rows == 0) : at::Tensor();
  if (rows > 0) {
    xhal_op_norm shape = norm::layer_of(rows, n);
    shape.flags = XHAL_OP_NORM_INVERSE;
    if (mask[0]) norm::run_backward(shape, tensors);
    norm::run_gradient(norm::gradient_of_layer(input, rows, n), tensors, grad_weight, grad_bias);
  }
  return {tensors.grad_input, std::move(grad_weight), std::move(grad_bias)};
}

std::tuple<at::Tensor, at::Tensor> rms_norm(const at::Tensor& input, at::IntArrayRef normalized_shape,
                                            const std::optional<at::Tensor>& optional_weight,
                                            std::optional<double> epsilon) {
  const at::Tensor weight = or_none(optional_weight);
  norm::check_one_device(input, {weight});
  norm::check_floating("rms_norm", input);
  const auto [rows, n] = at::native::_check_layer_norm_inputs(input, normalized_shape, weight, {});
  norm::check_type(input.scalar_type(), {weight});
  const at::ScalarType type = at::native::param_scalar_type(input, input.scalar_type() != at::kDouble);
  const double smallest =
      type == at::kDouble ? std::numeric_limits<double>::epsilon() : std::numeric_limits<float>::epsilon();
  const at::Tensor x = input.contiguous();
  at::Tensor y = at::empty_like(x, at::MemoryFormat::Contiguous);
  at::Tensor deviation = at::empty(norm::statistics_shape(input, normalized_shape), x.options().dtype(type));
  xhal_op_norm shape = norm::layer_of(rows, n);
  shape.flags = XHAL_OP_NORM_ROOT;
  norm::run(shape, {x, dense(weight), {}, y, {}, deviation, {}, {}}, epsilon.value_or(smallest));
  return {std::move(y), std::move(deviation)};
}

std::tuple<at::Tensor, at::Tensor> rms_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                                     at::IntArrayRef normalized_shape,
                                                     const at::Tensor& deviation,
                                                     const std::optional<at::Tensor>& optional_weight,
                                                     std::array<bool, 2> mask) {
  const at::Tensor weight = or_none(optional_weight);
  norm::check_one_device(input, {gradient, deviation, weight});
  norm::check_floating("rms_norm", input);
  const auto [rows, n] = at::native::_check_layer_norm_inputs(input, normalized_shape, weight, {});
  norm::check_type(input.scalar_type(), {gradient, weight});
  const norm::Backward tensors{dense(gradient),
                               dense(input),
                               {},
                               dense(deviation),
                               dense(weight),
                               mask[0] ? at::empty_like(input, at::MemoryFormat::Contiguous) : at::Tensor(),
                               {},
                               {}};
  at::Tensor grad_weight = mask[1] && weight.defined() ? norm::made_like(weight, rows == 0) : at::Tensor();
  if (rows > 0) {
    xhal_op_norm shape = norm::layer_of(rows, n);
    shape.flags = XHAL_OP_NORM_INVERSE | XHAL_OP_NORM_ROOT;
    if (mask[0]) norm::run_backward(shape, tensors);
    xhal_op_norm_gradient of_weight = norm::gradient_of_layer(input, rows, n);
    of_weight.flags |= XHAL_OP_NORM_ROOT;
    norm::run_gradient(of_weight, tensors, grad_weight, {});
  }
  return {tensors.grad_input, std::move(grad_weight)};
}

}  // namespace torch_xhal
