// SPDX-License-Identifier: Apache-2.0
#include "ops/batch_norm.hpp"

#include <ATen/TensorOperators.h>
#include <ATen/native/cpu/mixed_data_type.h>
#include <ATen/ops/_native_batch_norm_legit_ops.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/native_batch_norm_ops.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/std.h>
#include <ATen/ops/var.h>
#include <ATen/ops/zeros.h>

#include "ops/native.hpp"
#include "ops/norm.hpp"

namespace torch_xhal {
namespace {

using norm::dense;
using norm::or_none;

// In what the elements lie densely, if they do, else what they come nearest to.
at::MemoryFormat format_of(const at::Tensor& tensor) {
  for (const auto format :
       {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast, at::MemoryFormat::ChannelsLast3d})
    if (tensor.is_contiguous(format)) return format;
  return tensor.suggest_memory_format();
}

// A channel is a slice.
xhal_op_norm channels_of(const at::Tensor& x, at::MemoryFormat format) {
  const auto n = static_cast<uint64_t>(x.size(0));
  const auto channels = static_cast<uint64_t>(x.size(1));
  uint64_t inner = 1;
  for (int64_t d = 2; d < x.dim(); ++d) inner *= static_cast<uint64_t>(x.size(d));
  xhal_op_norm out = {};
  out.slices = out.period = channels;
  out.weight_slice = out.inner_stride = 1;
  if (format == at::MemoryFormat::Contiguous && inner != 1) {
    out.near_stride = out.inner = inner;
    out.outer = n;
    out.outer_stride = channels * inner;
    return out;
  }
  out.near_stride = out.inner = 1;
  out.outer = n * inner;
  out.outer_stride = channels;
  if (x.scalar_type() == at::kFloat) out.flags = XHAL_OP_NORM_COLUMNS;
  return out;
}

void check_counts(const at::Tensor& input,
                  std::initializer_list<std::pair<const char*, const at::Tensor*>> of) {
  for (const auto& [name, tensor] : of)
    TORCH_CHECK(!tensor->defined() || tensor->numel() == input.size(1), name, " should contain ",
                input.size(1), " elements not ", tensor->numel());
}

// Running statistics that a kernel may write, and where they belong.
struct Running {
  explicit Running(at::Tensor of) : given(std::move(of)), written(dense(given)) {}
  void finish() const {
    if (!written.is_same(given)) given.copy_(written);
  }
  at::Tensor given, written;
};

// The type of parameters and statistics: that of the input, or f32 beside one of 16 bits.
template <class... Parameters>
at::ScalarType checked_type(const char* name, const at::Tensor& input, const Parameters&... parameters) {
  norm::check_one_device(input, {parameters...});
  const bool is_mixed = at::native::is_mixed_type(input, parameters...);
  norm::check_floating(name, input);
  if (is_mixed) at::native::check_mixed_data_type(input, parameters...);
  const at::ScalarType type = at::native::param_scalar_type(input, is_mixed);
  norm::check_type(type, {parameters...});
  return type;
}

void check_has_elements(const at::Tensor& input) {
  TORCH_CHECK(input.numel() != 0,
              "input tensor must have at least one element, but got input_sizes = ", input.sizes());
}

// Statistics of several processes are f32 for 16 bits.
at::ScalarType exchanged_type(const at::Tensor& input) {
  return input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

at::Tensor along_channels(const at::Tensor& of_channels, const at::Tensor& input) {
  at::DimVector sizes(static_cast<size_t>(input.dim()), 1);
  sizes[1] = input.size(1);
  return of_channels.view(sizes);
}

template <class Tensor>
void give(Tensor& out, const at::Tensor& result) {
  at::native::resize_output(out, result.sizes());
  out.copy_(result);
}

}  // namespace

ThreeTensors batch_norm(const at::Tensor& input, const OptionalTensor& optional_weight,
                        const OptionalTensor& optional_bias, const OptionalTensor& optional_running_mean,
                        const OptionalTensor& optional_running_variance, bool is_training, double momentum,
                        double epsilon) {
  const at::Tensor weight = or_none(optional_weight);
  const at::Tensor bias = or_none(optional_bias);
  const Running running_mean(or_none(optional_running_mean));
  const Running running_variance(or_none(optional_running_variance));
  TORCH_CHECK_VALUE(running_mean.given.defined() == running_variance.given.defined(),
                    "running_mean and running_var must either both be None or neither be None");
  const at::ScalarType type =
      checked_type("batch_norm", input, weight, bias, running_mean.given, running_variance.given);
  TORCH_CHECK(is_training || running_mean.given.defined(), "running_mean must be defined in evaluation mode");
  check_counts(input, {{"running_mean", &running_mean.given},
                       {"running_var", &running_variance.given},
                       {"weight", &weight},
                       {"bias", &bias}});
  if (is_training) check_has_elements(input);
  const at::MemoryFormat format = format_of(input);
  const int64_t kept = is_training ? input.size(1) : 0;
  at::Tensor y = at::empty_like(input, format);
  at::Tensor mean = at::empty({kept}, input.options().dtype(type));
  at::Tensor deviation = at::empty({kept}, input.options().dtype(type));
  if (input.numel() != 0) {
    const at::Tensor x = input.contiguous(format);
    xhal_op_norm shape = channels_of(x, format);
    shape.flags |= is_training ? XHAL_OP_NORM_BATCH : XHAL_OP_NORM_GIVEN;
    norm::run(shape,
              {x, dense(weight), dense(bias), y, is_training ? mean : at::Tensor(),
               is_training ? deviation : at::Tensor(), running_mean.written, running_variance.written},
              epsilon, momentum);
    if (is_training) {
      running_mean.finish();
      running_variance.finish();
    }
  }
  return {std::move(y), std::move(mean), std::move(deviation)};
}

ThreeOutputs batch_norm_out(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                            const OptionalTensor& running_mean, const OptionalTensor& running_variance,
                            bool is_training, double momentum, double epsilon, at::Tensor& out,
                            at::Tensor& mean, at::Tensor& deviation) {
  const ThreeTensors results =
      batch_norm(input, weight, bias, running_mean, running_variance, is_training, momentum, epsilon);
  give(out, std::get<0>(results));
  // What there is none of in evaluation stays as it is.
  if (is_training) {
    give(mean, std::get<1>(results));
    give(deviation, std::get<2>(results));
  }
  return {out, mean, deviation};
}

ThreeTensors batch_norm_legit(const at::Tensor& input, const OptionalTensor& weight,
                              const OptionalTensor& bias, at::Tensor& running_mean,
                              at::Tensor& running_variance, bool is_training, double momentum,
                              double epsilon) {
  return batch_norm(input, weight, bias, running_mean, running_variance, is_training, momentum, epsilon);
}
ThreeOutputs batch_norm_legit_out(const at::Tensor& input, const OptionalTensor& weight,
                                  const OptionalTensor& bias, at::Tensor& running_mean,
                                  at::Tensor& running_variance, bool is_training, double momentum,
                                  double epsilon, at::Tensor& out, at::Tensor& mean, at::Tensor& deviation) {
  return batch_norm_out(input, weight, bias, running_mean, running_variance, is_training, momentum, epsilon,
                        out, mean, deviation);
}
ThreeTensors batch_norm_no_stats(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, bool is_training, double momentum,
                                 double epsilon) {
  return batch_norm(input, weight, bias, {}, {}, is_training, momentum, epsilon);
}
ThreeOutputs batch_norm_no_stats_out(const at::Tensor& input, const OptionalTensor& weight,
                                     const OptionalTensor& bias, bool is_training, double momentum,
                                     double epsilon, at::Tensor& out, at::Tensor& mean,
                                     at::Tensor& deviation) {
  return batch_norm_out(input, weight, bias, {}, {}, is_training, momentum, epsilon, out, mean, deviation);
}
FourTensors batch_norm_with_update(const at::Tensor& input, const OptionalTensor& weight,
                                   const OptionalTensor& bias, at::Tensor& running_mean,
                                   at::Tensor& running_variance, double momentum, double epsilon) {
  return std::tuple_cat(
      batch_norm(input, weight, bias, running_mean, running_variance, true, momentum, epsilon),
      std::make_tuple(at::empty({0}, input.options().dtype(at::kByte))));
}
FourTensors batch_norm_no_update(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_variance, double momentum, double epsilon) {
  return std::tuple_cat(
      batch_norm(input, weight, bias, running_mean, running_variance, false, momentum, epsilon),
      std::make_tuple(at::empty({0}, input.options().dtype(at::kByte))));
}
FourOutputs batch_norm_with_update_out(const at::Tensor& input, const OptionalTensor& weight,
                                       const OptionalTensor& bias, at::Tensor& running_mean,
                                       at::Tensor& running_variance, double momentum, double epsilon,
                                       at::Tensor& out, at::Tensor& mean, at::Tensor& deviation,
                                       at::Tensor& reserve) {
  batch_norm_out(input, weight, bias, running_mean, running_variance, true, momentum, epsilon, out, mean,
                 deviation);
  return {out, mean, deviation, reserve};
}

ThreeTensors native_batch_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                        const OptionalTensor& optional_weight,
                                        const OptionalTensor& optional_running_mean,
                                        const OptionalTensor& optional_running_variance,
                                        const OptionalTensor& optional_mean,
                                        const OptionalTensor& optional_deviation, bool is_training,
                                        double epsilon, std::array<bool, 3> mask) {
  const at::Tensor weight = or_none(optional_weight);
  const at::Tensor running_mean = or_none(optional_running_mean);
  const at::Tensor running_variance = or_none(optional_running_variance);
  const at::Tensor saved_mean = or_none(optional_mean);
  const at::Tensor saved_deviation = or_none(optional_deviation);
  norm::check_one_device(input, {gradient});
  const at::ScalarType type = checked_type("batch_norm_backward_cpu", input, weight, running_mean,
                                           running_variance, saved_mean, saved_deviation);
  norm::check_type(input.scalar_type(), {gradient});
  TORCH_CHECK(gradient.sizes() == input.sizes(), "Expected a gradient of shape ", input.sizes(),
              ", but got one of shape ", gradient.sizes());
  const at::Tensor mean = is_training ? saved_mean : running_mean;
  const at::Tensor deviation = is_training ? saved_deviation : running_variance;
  TORCH_CHECK(mean.defined() && deviation.defined(), is_training ? "save_mean" : "running_mean",
              " must be defined in ", is_training ? "training" : "evaluation", " mode");
  check_counts(input, {{"the mean", &mean}, {"the variance", &deviation}, {"weight", &weight}});
  const at::MemoryFormat format = format_of(input);
  const at::TensorOptions options = input.options().dtype(type);
  const auto made = [&](bool is_wanted) {
    if (!is_wanted) return at::Tensor();
    return input.numel() == 0 ? at::zeros({input.size(1)}, options) : at::empty({input.size(1)}, options);
  };
  const norm::Backward tensors{gradient.contiguous(format),
                               input.contiguous(format),
                               dense(mean),
                               dense(deviation),
                               dense(weight),
                               mask[0] ? at::empty_like(input, format) : at::Tensor(),
                               made(mask[1]),
                               made(mask[2])};
  if (input.numel() != 0 && (mask[0] || mask[1] || mask[2])) {
    xhal_op_norm shape = channels_of(tensors.x, format);
    shape.flags |= is_training ? XHAL_OP_NORM_INVERSE : XHAL_OP_NORM_GIVEN;
    norm::run_backward(shape, tensors, epsilon);
  }
  return {tensors.grad_input, tensors.grad_weight, tensors.grad_bias};
}

ThreeTensors batch_norm_backward(const at::Tensor& gradient, const at::Tensor& input,
                                 const at::Tensor& weight, const OptionalTensor& running_mean,
                                 const OptionalTensor& running_variance, const OptionalTensor& mean,
                                 const OptionalTensor& deviation, bool is_training, double epsilon,
                                 std::array<bool, 3> mask, const at::Tensor&) {
  return torch_xhal::native_batch_norm_backward(gradient, input, weight, running_mean, running_variance, mean,
                                                deviation, is_training, epsilon, mask);
}

TwoTensors batch_norm_update_stats(const at::Tensor& input, const OptionalTensor& optional_running_mean,
                                   const OptionalTensor& optional_running_variance, double momentum) {
  const Running running_mean(or_none(optional_running_mean));
  const Running running_variance(or_none(optional_running_variance));
  TORCH_CHECK(running_mean.given.defined() == running_variance.given.defined(),
              "running_mean and running_var must either both be None or neither be None");
  const at::ScalarType type =
      checked_type("batch_norm_update_stats_cpu", input, running_mean.given, running_variance.given);
  check_counts(input, {{"running_mean", &running_mean.given}, {"running_var", &running_variance.given}});
  check_has_elements(input);
  const at::MemoryFormat format = format_of(input);
  const at::Tensor x = input.contiguous(format);
  at::Tensor mean = at::empty({input.size(1)}, input.options().dtype(type));
  at::Tensor variance = at::empty_like(mean);
  xhal_op_norm shape = channels_of(x, format);
  shape.flags |= XHAL_OP_NORM_BATCH | XHAL_OP_NORM_VARIANCE;
  norm::run(shape, {x, {}, {}, {}, mean, variance, running_mean.written, running_variance.written}, 0,
            momentum);
  running_mean.finish();
  running_variance.finish();
  return {std::move(mean), std::move(variance)};
}

// ---- Steps that several processes take together ------------------------------------------------------------------------------------

TwoTensors batch_norm_stats(const at::Tensor& input, double epsilon) {
  norm::check_floating("batch_norm_stats", input);
  check_has_elements(input);
  const at::MemoryFormat format = format_of(input);
  const at::Tensor x = input.contiguous(format);
  at::Tensor mean = at::empty({input.size(1)}, input.options().dtype(exchanged_type(input)));
  at::Tensor deviation = at::empty_like(mean);
  xhal_op_norm shape = channels_of(x, format);
  shape.flags |= XHAL_OP_NORM_BATCH;
  norm::run(shape, {x, {}, {}, {}, mean, deviation, {}, {}}, epsilon);
  return {std::move(mean), std::move(deviation)};
}

at::Tensor batch_norm_elemt(const at::Tensor& input, const OptionalTensor& optional_weight,
                            const OptionalTensor& optional_bias, const at::Tensor& mean,
                            const at::Tensor& deviation, double epsilon) {
  const at::Tensor weight = or_none(optional_weight);
  const at::Tensor bias = or_none(optional_bias);
  norm::check_floating("batch_norm_elemt", input);
  norm::check_one_device(input, {weight, bias, mean, deviation});
  check_counts(input, {{"mean", &mean}, {"invstd", &deviation}, {"weight", &weight}, {"bias", &bias}});
  const at::ScalarType type = exchanged_type(input);
  norm::check_type(type, {mean, deviation});
  if (type == input.scalar_type()) norm::check_type(type, {weight, bias});
  if (weight.defined()) norm::check_type(weight.scalar_type(), {bias});
  const at::MemoryFormat format = format_of(input);
  at::Tensor y = at::empty_like(input, format);
  if (input.numel() == 0) return y;
  const at::Tensor x = input.contiguous(format);
  xhal_op_norm shape = channels_of(x, format);
  shape.flags |= XHAL_OP_NORM_GIVEN | XHAL_OP_NORM_INVERSE;
  norm::run(shape, {x, dense(weight), dense(bias), y, {}, {}, dense(mean), dense(deviation)}, epsilon);
  return y;
}
at::Tensor& batch_norm_elemt_out(const at::Tensor& input, const OptionalTensor& weight,
                                 const OptionalTensor& bias, const at::Tensor& mean,
                                 const at::Tensor& deviation, double epsilon, at::Tensor& out) {
  give(out, torch_xhal::batch_norm_elemt(input, weight, bias, mean, deviation, epsilon));
  return out;
}

TwoTensors batch_norm_gather_stats(const at::Tensor& input, const at::Tensor& mean,
                                   const at::Tensor& deviation, const OptionalTensor& running_mean,
                                   const OptionalTensor& running_variance, double momentum, double epsilon,
                                   int64_t count) {
  const at::Tensor counts = at::empty({mean.size(0)}, mean.options()).fill_(count);
  return torch_xhal::batch_norm_gather_stats_with_counts(input, mean, deviation, running_mean,
                                                         running_variance, momentum, epsilon, counts);
}

// A row of means and deviations for each process.
TwoTensors batch_norm_gather_stats_with_counts(const at::Tensor&, const at::Tensor& mean,
                                               const at::Tensor& deviation,
                                               const OptionalTensor& optional_running_mean,
                                               const OptionalTensor& optional_running_variance,
                                               double momentum, double epsilon, const at::Tensor& counts) {
  const at::Tensor running_mean = or_none(optional_running_mean);
  const at::Tensor running_variance = or_none(optional_running_variance);
  norm::check_one_device(mean, {deviation, running_mean, running_variance, counts});
  const at::Tensor weights = counts.to(mean.scalar_type()).view({-1, 1});
  const at::Tensor total = weights.sum();
  at::Tensor all = (mean * weights).sum(0).div_(total);
  const at::Tensor distances = mean - all;
  const at::Tensor variances = deviation.pow(-2).sub_(epsilon);
  const at::Tensor squares = variances.addcmul_(distances, distances).mul_(weights).sum(0);
  if (running_mean.defined()) running_mean.mul_(1 - momentum).add_(all, momentum);
  if (running_variance.defined()) running_variance.mul_(1 - momentum).add_(squares / (total - 1), momentum);
  at::Tensor inverse = squares.div(total).add_(epsilon).rsqrt_();
  return {std::move(all), std::move(inverse)};
}

FourTensors batch_norm_backward_reduce(const at::Tensor& gradient, const at::Tensor& input,
                                       const at::Tensor& mean, const at::Tensor& deviation,
                                       const OptionalTensor& optional_weight, bool wants_input,
                                       bool wants_weight, bool wants_bias) {
  const at::Tensor weight = or_none(optional_weight);
  norm::check_floating("batch_norm_backward_reduce", input);
  norm::check_one_device(input, {gradient, mean, deviation, weight});
  check_has_elements(input);
  norm::check_type(input.scalar_type(), {gradient});
  const at::ScalarType type = exchanged_type(input);
  norm::check_type(type, {mean, deviation});
  check_counts(input, {{"mean", &mean}, {"invstd", &deviation}, {"weight", &weight}});
  const at::MemoryFormat format = format_of(input);
  at::Tensor gradients = at::empty({input.size(1)}, input.options().dtype(type));
  at::Tensor products = at::empty_like(gradients);
  const at::Tensor x = input.contiguous(format);
  xhal_op_norm shape = channels_of(x, format);
  shape.flags |= XHAL_OP_NORM_INVERSE | XHAL_OP_NORM_SUMS;
  norm::run_backward(
      shape, {gradient.contiguous(format), x, dense(mean), dense(deviation), {}, {}, products, gradients});
  const at::ScalarType kept = weight.defined() ? weight.scalar_type() : type;
  at::Tensor grad_weight = wants_weight ? (products * deviation).to(kept) : at::Tensor();
  at::Tensor grad_bias = wants_bias ? gradients.to(kept, false, true) : at::Tensor();
  if (!wants_input) gradients = products = at::Tensor();
  return {std::move(gradients), std::move(products), std::move(grad_weight), std::move(grad_bias)};
}

at::Tensor batch_norm_backward_elemt(const at::Tensor& gradient, const at::Tensor& input,
                                     const at::Tensor& mean, const at::Tensor& deviation,
                                     const OptionalTensor& optional_weight,
                                     const at::Tensor& sum_of_gradients, const at::Tensor& sum_of_products,
                                     const at::Tensor& counts) {
  const at::Tensor weight = or_none(optional_weight);
  norm::check_floating("batch_norm_backward_elemt", input);
  norm::check_one_device(input,
                         {gradient, mean, deviation, weight, sum_of_gradients, sum_of_products, counts});
  const at::ScalarType type = exchanged_type(input);
  const at::Tensor total = counts.sum().to(type);
  const at::Tensor slope = sum_of_products.div(total).mul_(deviation).mul_(deviation);
  const at::Tensor scale = weight.defined() ? deviation * weight.to(type) : deviation;
  at::Tensor out = gradient.to(type).sub(along_channels(sum_of_gradients / total, input));
  out.sub_(input.to(type).sub(along_channels(mean, input)).mul_(along_channels(slope, input)));
  return out.mul_(along_channels(scale, input)).to(input.scalar_type());
}

TwoTensors var_mean(const at::Tensor& self, at::OptionalIntArrayRef dims,
                    const std::optional<at::Scalar>& correction, bool keepdim) {
  return {at::var(self, dims, correction, keepdim), at::mean(self, dims, keepdim)};
}
TwoTensors std_mean(const at::Tensor& self, at::OptionalIntArrayRef dims,
                    const std::optional<at::Scalar>& correction, bool keepdim) {
  return {at::std(self, dims, correction, keepdim), at::mean(self, dims, keepdim)};
}

namespace {

// It writes to the running statistics, and its schema does not say so: a fallback would leave them as they are. The schema of its
// successor says it.
ThreeTensors batch_norm_or_host(const at::Tensor& input, const OptionalTensor& weight,
                                const OptionalTensor& bias, const OptionalTensor& running_mean,
                                const OptionalTensor& running_variance, bool is_training, double momentum,
                                double epsilon) {
  using native::is_known;
  if (is_known(input) && is_known(weight) && is_known(bias) && is_known(running_mean) &&
      is_known(running_variance)) {
    const c10::OptionalDeviceGuard guard(native::device_among(input));
    return batch_norm(input, weight, bias, running_mean, running_variance, is_training, momentum, epsilon);
  }
  at::Tensor mean = or_none(running_mean);
  at::Tensor variance = or_none(running_variance);
  if (mean.defined() && variance.defined())
    return native::Entry<at::_ops::_native_batch_norm_legit>::on_host(input, weight, bias, mean, variance,
                                                                      is_training, momentum, epsilon);
  return native::Entry<at::_ops::native_batch_norm>::on_host(
      input, weight, bias, running_mean, running_variance, is_training, momentum, epsilon);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) { m.impl("native_batch_norm", &batch_norm_or_host); }

}  // namespace
}  // namespace torch_xhal
