// SPDX-License-Identifier: Apache-2.0
#include "ops/margin.hpp"

#include <ATen/TensorUtils.h>
#include <ATen/core/Reduction.h>
#include <ATen/native/LossMulti.h>
#include <ATen/ops/empty.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/norm.hpp"
#include "ops/rows.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_FLOAT(name)                                      \
  {                                                                    \
    {"loss", name "_f32"}, {"loss", name "_f64"}, { nullptr, nullptr } \
  }
constinit KernelByType margin_of = TORCH_XHAL_BY_FLOAT("xhal_margin");
constinit KernelByType margin_gradient = TORCH_XHAL_BY_FLOAT("xhal_margin_backward");
constinit KernelByType margins_of = TORCH_XHAL_BY_FLOAT("xhal_margins");
constinit KernelByType margins_gradient = TORCH_XHAL_BY_FLOAT("xhal_margins_backward");

void check_type(const char* name, const at::Tensor& self) {
  TORCH_CHECK_NOT_IMPLEMENTED(self.scalar_type() == at::kFloat || self.scalar_type() == at::kDouble, '"',
                              name, "\" not implemented for '", at::toString(self.scalar_type()), "'");
}

// Losses of rows as the reduction wants them.
void reduce(const at::Tensor& losses, int64_t reduction, const at::Tensor& out) {
  if (out.dim() != 0)
    out.copy_(losses);
  else if (reduction == at::Reduction::Mean)
    out.copy_(losses.mean());
  else
    out.copy_(losses.sum());
}

struct Scores {
  at::Tensor x, target, weight;
  int64_t rows = 0, classes = 0;
};

Scores scores_of(const char* name, const at::Tensor& self, const at::Tensor& target,
                 const at::Tensor& weight) {
  norm::check_one_device(self, {target, weight});
  check_type(name, self);
  norm::check_type(at::kLong, {target});
  norm::check_type(self.scalar_type(), {weight});
  return {norm::dense(self), norm::dense(target), norm::dense(weight)};
}

int64_t power_of(const at::Scalar& power) {
  const auto out = power.toInt();
  TORCH_CHECK(out == 1 || out == 2, "only p == 1 and p == 2 supported");
  return out;
}

}  // namespace

at::Tensor& multi_margin_loss_out(const at::Tensor& self, const at::Tensor& target, const at::Scalar& power,
                                  const at::Scalar& margin, const OptionalTensor& weight, int64_t reduction,
                                  at::Tensor& out) {
  const int64_t p = power_of(power);
  int64_t rows = 0;
  int64_t classes = 0;
  at::native::multi_margin_loss_shape_check(rows, classes, self.dim(), self, target, weight);
  const bool is_each = reduction == at::Reduction::None && target.dim() > 0;
  out.resize_(is_each ? at::IntArrayRef(rows) : at::IntArrayRef());
  if (self.numel() == 0) return out;
  const Scores of = scores_of("multi_margin_loss_cpu_kernel", self, target, norm::or_none(weight));
  norm::check_type(self.scalar_type(), {out});
  const at::Tensor losses = at::empty({rows}, self.options());
  xhal_op_values values = {};
  set_value(values, 0, margin);
  const c10::DeviceIndex device = self.device().index();
  launch(margin_of.of(self.scalar_type()), device, items(device, static_cast<uint64_t>(rows)), writes(losses),
         reads(of.x), reads(of.target), reads(of.weight.defined() ? of.weight : of.x),
         static_cast<uint64_t>(rows), static_cast<uint64_t>(classes), static_cast<uint32_t>(p),
         static_cast<uint32_t>(of.weight.defined()), values);
  reduce(losses, reduction, out);
  return out;
}

at::Tensor multi_margin_loss(const at::Tensor& self, const at::Tensor& target, const at::Scalar& power,
                             const at::Scalar& margin, const OptionalTensor& weight, int64_t reduction) {
  at::Tensor out = at::empty({0}, self.options());
  return multi_margin_loss_out(self, target, power, margin, weight, reduction, out);
}

at::Tensor& multi_margin_loss_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                           const at::Tensor& target, const at::Scalar& power,
                                           const at::Scalar& margin, const OptionalTensor& weight,
                                           int64_t reduction, at::Tensor& grad_input) {
  const int64_t p = power_of(power);
  int64_t rows = 0;
  int64_t classes = 0;
  at::native::multi_margin_loss_shape_check(rows, classes, self.dim(), self, target, weight);
  grad_input.resize_as_(self);
  TORCH_CHECK(grad_input.is_contiguous(), "grad_input must be contiguous");
  if (self.numel() == 0) return grad_input;
  const Scores of = scores_of("multi_margin_loss_backward_cpu_kernel", self, target, norm::or_none(weight));
  norm::check_type(self.scalar_type(), {grad_input, gradient});
  norm::check_one_device(self, {gradient});
  const bool is_each = reduction == at::Reduction::None && gradient.dim() > 0;
  const at::Tensor of_rows = is_each ? gradient.expand({rows}).contiguous() : norm::dense(gradient);
  xhal_op_values values = {};
  set_value(values, 0, margin);
  const c10::DeviceIndex device = self.device().index();
  launch(margin_gradient.of(self.scalar_type()), device, items(device, static_cast<uint64_t>(rows)),
         writes(grad_input), reads(of_rows), reads(of.x), reads(of.target),
         reads(of.weight.defined() ? of.weight : of.x), static_cast<uint64_t>(rows),
         static_cast<uint64_t>(classes), static_cast<uint32_t>(p), static_cast<uint32_t>(of.weight.defined()),
         static_cast<uint32_t>(is_each), static_cast<uint32_t>(reduction == at::Reduction::Mean), values);
  return grad_input;
}

at::Tensor multi_margin_loss_backward(const at::Tensor& gradient, const at::Tensor& self,
                                      const at::Tensor& target, const at::Scalar& power,
                                      const at::Scalar& margin, const OptionalTensor& weight,
                                      int64_t reduction) {
  at::Tensor out = at::empty({0}, self.options());
  return multi_margin_loss_backward_out(gradient, self, target, power, margin, weight, reduction, out);
}

std::tuple<at::Tensor&, at::Tensor&> multilabel_margin_loss_out(const at::Tensor& self,
                                                                const at::Tensor& target, int64_t reduction,
                                                                at::Tensor& out, at::Tensor& is_target) {
  int64_t rows = 0;
  int64_t classes = 0;
  at::native::multilabel_margin_loss_shape_check(rows, classes, self.dim(), self, target);
  const bool is_each = reduction == at::Reduction::None && target.dim() > 1;
  out.resize_(is_each ? at::IntArrayRef(rows) : at::IntArrayRef());
  is_target.resize_as_(target);
  TORCH_CHECK(is_target.is_contiguous(), "is_target must be contiguous");
  if (self.numel() == 0) return {out, is_target};
  const Scores of = scores_of("multilabel_margin_loss_forward_out_frame", self, target, at::Tensor());
  norm::check_type(self.scalar_type(), {out, is_target});
  const at::Tensor losses = at::empty({rows}, self.options());
  const c10::DeviceIndex device = self.device().index();
  launch(margins_of.of(self.scalar_type()), device, items(device, static_cast<uint64_t>(rows)),
         writes(losses), updates(is_target), reads(of.x), reads(of.target), static_cast<uint64_t>(rows),
         static_cast<uint64_t>(classes));
  reduce(losses, reduction, out);
  return {out, is_target};
}

std::tuple<at::Tensor, at::Tensor> multilabel_margin_loss(const at::Tensor& self, const at::Tensor& target,
                                                          int64_t reduction) {
  at::Tensor out = at::empty({0}, self.options());
  at::Tensor is_target = at::empty({0}, self.options());
  multilabel_margin_loss_out(self, target, reduction, out, is_target);
  return {std::move(out), std::move(is_target)};
}

at::Tensor& multilabel_margin_loss_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                                const at::Tensor& target, int64_t reduction,
                                                const at::Tensor& is_target, at::Tensor& grad_input) {
  int64_t rows = 0;
  int64_t classes = 0;
  at::native::multilabel_margin_loss_shape_check(rows, classes, self.dim(), self, target);
  const at::TensorArg of_target(target, "target", 3);
  const at::TensorArg of_marks(is_target, "is_target", 5);
  at::checkSameSize("multilabel_margin_loss_backward_cpu_template", of_target, of_marks);
  grad_input.resize_as_(self);
  if (grad_input.numel() == 0) return grad_input;
  TORCH_CHECK(grad_input.is_contiguous(), "grad_input must be contiguous");
  const Scores of = scores_of("multilabel_margin_loss_backward_out_frame", self, target, at::Tensor());
  norm::check_type(self.scalar_type(), {grad_input, gradient, is_target});
  norm::check_one_device(self, {gradient, is_target});
  const bool is_each = reduction == at::Reduction::None && gradient.dim() > 0;
  if (is_each) at::check_dim_size(gradient, 1, 0, rows);
  const at::Tensor of_rows = norm::dense(gradient);
  const at::Tensor marks = norm::dense(is_target);
  const c10::DeviceIndex device = self.device().index();
  launch(margins_gradient.of(self.scalar_type()), device, items(device, static_cast<uint64_t>(rows)),
         updates(grad_input), reads(of_rows), reads(of.x), reads(of.target), reads(marks),
         static_cast<uint64_t>(rows), static_cast<uint64_t>(classes), static_cast<uint32_t>(is_each),
         static_cast<uint32_t>(reduction == at::Reduction::Mean));
  return grad_input;
}

at::Tensor multilabel_margin_loss_backward(const at::Tensor& gradient, const at::Tensor& self,
                                           const at::Tensor& target, int64_t reduction,
                                           const at::Tensor& is_target) {
  at::Tensor out = at::empty({0}, self.options());
  return multilabel_margin_loss_backward_out(gradient, self, target, reduction, is_target, out);
}

}  // namespace torch_xhal
