// SPDX-License-Identifier: Apache-2.0
#include "ops/loss.hpp"

#include <ATen/TensorIterator.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/core/Reduction.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/squeeze.h>
#include <ATen/ops/sum.h>

#include <limits>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/elementwise.hpp"
#include "ops/norm.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

using norm::dense;

#define TORCH_XHAL_BY_FLOAT(name)                                      \
  {                                                                    \
    {"loss", name "_f32"}, {"loss", name "_f64"}, { nullptr, nullptr } \
  }
constinit KernelByType nll = TORCH_XHAL_BY_FLOAT("xhal_nll");
constinit KernelByType nll_each = TORCH_XHAL_BY_FLOAT("xhal_nll_each");
constinit KernelByType nll_backward = TORCH_XHAL_BY_FLOAT("xhal_nll_backward");
constinit KernelByType cross_entropy = TORCH_XHAL_BY_FLOAT("xhal_cross_entropy");
constinit KernelByType cross_entropy_gradient = TORCH_XHAL_BY_FLOAT("xhal_cross_entropy_backward");
constinit KernelByType glu_gradient = TORCH_XHAL_BY_FLOAT("xhal_glu_backward");

uint64_t runs_of(uint64_t n) { return (n + XHAL_OP_LOSS_RUN - 1) / XHAL_OP_LOSS_RUN; }

// Computes into the output itself if it lies densely, else beside it.
template <class Run>
void into(const at::Tensor& out, const Run& run) {
  const at::Tensor to = out.is_contiguous() ? out : at::empty_like(out, at::MemoryFormat::Contiguous);
  run(to);
  if (!to.is_same(out)) out.copy_(to);
}

// Of an operator that makes its own result.
template <class T>
T& give(T& out, const at::Tensor& result) {
  TORCH_CHECK(out.scalar_type() == result.scalar_type(), "Expected out tensor to have dtype ", result.dtype(),
              ", but got ", out.dtype(), " instead");
  at::native::resize_output(out, result.sizes());
  out.copy_(result);
  return out;
}

// ---- The negative logarithm of a class' likelihood -----------------------------------------------------------------------------------

struct Classes {
  xhal_op_nll shape = {};
  at::Tensor x, target, weight;
};

Classes classes_of(const char* name, const at::Tensor& self, const at::Tensor& target,
                   const at::Tensor& weight, int64_t reduction, int64_t ignored) {
  norm::check_one_device(self, {target, weight});
  TORCH_CHECK(target.scalar_type() == at::kLong || target.scalar_type() == at::kByte,
              "expected target dtype to be Long or Byte, but got ", target.scalar_type());
  norm::check_floating(name, self);
  // In more than one dimension the host knows one type of classes.
  if (self.dim() == 4) norm::check_type(at::kLong, {target});
  norm::check_type(self.scalar_type(), {weight});
  Classes out{{}, dense(self), dense(target), dense(weight)};
  const int64_t of_classes = self.dim() == 1 ? 0 : 1;
  out.shape.classes = static_cast<uint64_t>(self.size(of_classes));
  out.shape.batch = self.dim() == 1 ? 1 : static_cast<uint64_t>(self.size(0));
  out.shape.map = self.dim() == 4 ? static_cast<uint64_t>(self.size(2) * self.size(3)) : 1;
  out.shape.ignored = ignored;
  out.shape.type = code_of(self.scalar_type());
  out.shape.target = code_of(target.scalar_type());
  out.shape.has_weight = weight.defined() ? 1 : 0;
  // One element is its own sum.
  const bool is_each = reduction == at::Reduction::None && self.dim() != 1;
  out.shape.reduction = is_each                            ? XHAL_OP_EACH
                        : reduction == at::Reduction::Mean ? XHAL_OP_MEAN
                                                           : XHAL_OP_SUM;
  return out;
}

// What a kernel does not touch, since it is not there or has no elements, has the memory of something else: not all devices take none.
Memory reads_or(const at::Tensor& tensor, const at::Tensor& otherwise) {
  return reads(tensor.defined() && tensor.numel() != 0 ? tensor : otherwise);
}

void run_nll(const Classes& of, const at::Tensor& out, const at::Tensor& total) {
  const c10::DeviceIndex device = of.x.device().index();
  const at::ScalarType type = of.x.scalar_type();
  const uint64_t count = of.shape.batch * of.shape.map;
  if (of.shape.reduction == XHAL_OP_EACH) {
    total.zero_();
    if (count == 0) return;
    into(out, [&](const at::Tensor& to) {
      launch(nll_each.of(type), device, items(device, count), writes(to), reads_or(of.x, of.target),
             reads(of.target), reads_or(of.weight, of.target), of.shape);
    });
    return;
  }
  if (count == 0) {
    out.fill_(of.shape.reduction == XHAL_OP_MEAN ? std::numeric_limits<double>::quiet_NaN() : 0.0);
    total.zero_();
    return;
  }
  const Local lanes{XHAL_OP_NLL_LANES * (type == at::kDouble ? sizeof(double) : sizeof(float))};
  launch(nll.of(type), device, groups(1, XHAL_OP_NLL_LANES), writes(out), writes(total),
         reads_or(of.x, of.target), reads(of.target), reads_or(of.weight, of.target), of.shape, lanes, lanes);
}

void run_nll_backward(const Classes& of, const at::Tensor& gradient, const at::Tensor& total,
                      const at::Tensor& grad_input) {
  norm::check_one_device(of.x, {gradient, total});
  norm::check_type(of.x.scalar_type(), {gradient, total});
  grad_input.zero_();
  const uint64_t count = of.shape.batch * of.shape.map;
  if (grad_input.numel() == 0 || count == 0) return;
  const c10::DeviceIndex device = of.x.device().index();
  const at::Tensor dense_gradient = dense(gradient);
  const at::Tensor to = dense(grad_input);
  launch(nll_backward.of(of.x.scalar_type()), device, items(device, count), updates(to),
         reads(dense_gradient), reads(of.target), reads_or(of.weight, of.target), reads(total), of.shape);
  if (!to.is_same(grad_input)) grad_input.copy_(to);
}

void check_maps(const at::Tensor& self, const at::Tensor& target, const at::Tensor& weight) {
  TORCH_CHECK(
      target.dim() == 3,
      "only batches of spatial targets supported (3D tensors) but got targets of dimension: ", target.dim());
  TORCH_CHECK(
      self.dim() == 4,
      "only batches of spatial inputs supported (4D tensors), but got input of dimension: ", self.dim());
  TORCH_CHECK(!weight.defined() || weight.numel() == self.size(1),
              "weight tensor should be defined either for all or no classes");
  TORCH_CHECK(
      self.size(0) == target.size(0) && self.size(2) == target.size(1) && self.size(3) == target.size(2),
      "size mismatch (got input: ", self.sizes(), " , target: ", target.sizes());
}

}  // namespace

void NllLoss::impl(const at::Tensor& self, const at::Tensor& target, at::OptionalTensorRef weight,
                   int64_t reduction, int64_t ignored, const at::Tensor& out, const at::Tensor& total) {
  run_nll(classes_of("nll_loss_out_frame", self, target, weight.getTensorRef(), reduction, ignored), out,
          total);
}

void NllLossBackward::impl(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& target,
                           at::OptionalTensorRef weight, int64_t reduction, int64_t ignored,
                           const at::Tensor& total, const at::Tensor& grad_input) {
  run_nll_backward(
      classes_of("nll_loss_backward_out_frame", self, target, weight.getTensorRef(), reduction, ignored),
      gradient, total, grad_input);
}

std::tuple<at::Tensor, at::Tensor> nll_loss2d(const at::Tensor& self, const at::Tensor& target,
                                              const std::optional<at::Tensor>& optional_weight,
                                              int64_t reduction, int64_t ignored) {
  const at::Tensor weight = norm::or_none(optional_weight);
  check_maps(self, target, weight);
  const Classes of = classes_of("nll_loss2d_forward_out_frame", self, target, weight, reduction, ignored);
  const bool is_each = reduction == at::Reduction::None;
  at::Tensor out = at::empty(is_each ? target.sizes() : at::IntArrayRef(), self.options());
  at::Tensor total = at::empty({}, self.options());
  run_nll(of, out, total);
  return {std::move(out), std::move(total)};
}

std::tuple<at::Tensor&, at::Tensor&> nll_loss2d_out(const at::Tensor& self, const at::Tensor& target,
                                                    const std::optional<at::Tensor>& weight,
                                                    int64_t reduction, int64_t ignored, at::Tensor& out,
                                                    at::Tensor& total) {
  const auto [loss, sum] = torch_xhal::nll_loss2d(self, target, weight, reduction, ignored);
  return {give(out, loss), give(total, sum)};
}

at::Tensor nll_loss2d_backward(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor& target,
                               const std::optional<at::Tensor>& optional_weight, int64_t reduction,
                               int64_t ignored, const at::Tensor& total) {
  const at::Tensor weight = norm::or_none(optional_weight);
  check_maps(self, target, weight);
  TORCH_CHECK(total.numel() == 1, "expected total_weight to be a single element tensor, got: ", total.sizes(),
              " (", total.numel(), " elements)");
  if (reduction == at::Reduction::None) {
    TORCH_CHECK(gradient.dim() == 3,
                "grad_output must have same dimension as target (3) but got dimension: ", gradient.sizes());
    TORCH_CHECK(gradient.sizes() == target.sizes(), "size mismatch (got grad_output: ", gradient.sizes(),
                " target: ", target.sizes());
  } else {
    TORCH_CHECK(gradient.dim() <= 1 && gradient.numel() == 1,
                "Expected a single element grad_output tensor, but got: ", gradient.sizes());
  }
  at::Tensor out = at::empty(self.sizes(), self.options());
  run_nll_backward(classes_of("nll_loss2d_backward_out_frame", self, target, weight, reduction, ignored),
                   gradient, total, out);
  return out;
}

at::Tensor& nll_loss2d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                    const at::Tensor& target, const std::optional<at::Tensor>& weight,
                                    int64_t reduction, int64_t ignored, const at::Tensor& total,
                                    at::Tensor& grad_input) {
  return give(grad_input,
              torch_xhal::nll_loss2d_backward(gradient, self, target, weight, reduction, ignored, total));
}

// ---- Binary cross entropy ------------------------------------------------------------------------------------------------------------

namespace {

// Another operand as elements of `self`; dimensions of one element are passed over, as on the host.
at::Tensor beside(const at::Tensor& self, const at::Tensor& other) {
  return other.to(self.device()).squeeze().expand(self.squeeze().sizes()).contiguous();
}

void check_operands(const char* name, const at::Tensor& out, const at::Tensor& self,
                    std::initializer_list<at::Tensor> others) {
  const at::Tensor to = at::squeeze(out);
  at::TensorIteratorConfig config;
  config.add_output(to).add_owned_const_input(at::squeeze(self));
  for (const at::Tensor& other : others) config.add_owned_const_input(at::squeeze(other));
  config.build();
  norm::check_floating(name, self);
}

}  // namespace

at::Tensor binary_cross_entropy(const at::Tensor& self, const at::Tensor& target,
                                const std::optional<at::Tensor>& weight, int64_t reduction) {
  at::Tensor out = at::empty_like(self);
  check_operands("binary_cross_entropy", out, self, {target});
  const auto n = static_cast<uint64_t>(self.numel());
  if (n != 0) {
    const at::Tensor x = dense(self);
    const at::Tensor expected = beside(self, target);
    const c10::DeviceIndex device = self.device().index();
    into(out, [&](const at::Tensor& to) {
      launch(cross_entropy.of(self.scalar_type()), device, items(device, runs_of(n)), writes(to), reads(x),
             reads(expected), code_of(self.scalar_type()), n);
    });
  }
  if (weight && weight->defined()) out.mul_(*weight);
  if (reduction == at::Reduction::Mean) return out.mean();
  if (reduction == at::Reduction::Sum) return out.sum();
  return out;
}

at::Tensor& binary_cross_entropy_out(const at::Tensor& self, const at::Tensor& target,
                                     const std::optional<at::Tensor>& weight, int64_t reduction,
                                     at::Tensor& out) {
  return give(out, torch_xhal::binary_cross_entropy(self, target, weight, reduction));
}

at::Tensor binary_cross_entropy_backward(const at::Tensor& gradient, const at::Tensor& self,
                                         const at::Tensor& target, const std::optional<at::Tensor>& weight,
                                         int64_t reduction) {
  at::Tensor out = at::empty_like(self);
  check_operands("binary_cross_entropy_backward", out, self, {gradient, target});
  const auto n = static_cast<uint64_t>(self.numel());
  if (n == 0) return out;
  const at::Tensor x = dense(self);
  const at::Tensor expected = beside(self, target);
  const at::Tensor factor = beside(self, gradient);
  const c10::DeviceIndex device = self.device().index();
  into(out, [&](const at::Tensor& to) {
    launch(cross_entropy_gradient.of(self.scalar_type()), device, items(device, runs_of(n)), writes(to),
           reads(x), reads(expected), reads(factor), code_of(self.scalar_type()), n);
  });
  if (weight && weight->defined()) out.mul_(*weight);
  if (reduction == at::Reduction::Mean) out.div_(self.numel());
  return out;
}

at::Tensor& binary_cross_entropy_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                              const at::Tensor& target,
                                              const std::optional<at::Tensor>& weight, int64_t reduction,
                                              at::Tensor& grad_input) {
  return give(grad_input,
              torch_xhal::binary_cross_entropy_backward(gradient, self, target, weight, reduction));
}

// ---- Gradients of activations ---------------------------------------------------------------------------------------------------------

// What the host keeps for its gradient, which is computed anew here: the second result is empty, as on other devices.
std::tuple<at::Tensor, at::Tensor> log_sigmoid(const at::Tensor& self) {
  norm::check_floating("log_sigmoid_cpu", self);
  at::Tensor out = at::empty(self.sizes(), self.options());
  auto iterator = at::TensorIteratorConfig().add_output(out).add_const_input(self).build();
  run_unary(iterator, XHAL_OP_LOG_SIGMOID, self.scalar_type());
  return {std::move(out), at::empty({0}, self.options())};
}

std::tuple<at::Tensor&, at::Tensor&> log_sigmoid_out(const at::Tensor& self, at::Tensor& out,
                                                     at::Tensor& buffer) {
  give(out, std::get<0>(torch_xhal::log_sigmoid(self)));
  buffer.resize_({0});
  return {out, buffer};
}

at::Tensor log_sigmoid_backward(const at::Tensor& gradient, const at::Tensor& self, const at::Tensor&) {
  norm::check_floating("log_sigmoid_backward_cpu", self);
  at::Tensor out = at::empty_like(gradient);
  auto iterator =
      at::TensorIteratorConfig().add_output(out).add_const_input(self).add_const_input(gradient).build();
  run_binary(iterator, XHAL_OP_LOG_SIGMOID_BACKWARD, self.scalar_type());
  return out;
}

at::Tensor& log_sigmoid_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                     const at::Tensor& buffer, at::Tensor& grad_input) {
  return give(grad_input, torch_xhal::log_sigmoid_backward(gradient, self, buffer));
}

at::Tensor glu_backward(const at::Tensor& gradient, const at::Tensor& self, int64_t dim) {
  TORCH_CHECK(self.dim() > 0, "glu does not support 0-dimensional tensors");
  dim = at::maybe_wrap_dim(dim, self.dim());
  TORCH_CHECK(self.size(dim) % 2 == 0, "Halving dimension must be even, but dimension ", dim, " is size ",
              self.size(dim));
  norm::check_one_device(self, {gradient});
  norm::check_floating("glu_backward_cpu", self);
  norm::check_type(self.scalar_type(), {gradient});
  at::DimVector half(self.sizes());
  half[static_cast<size_t>(dim)] /= 2;
  TORCH_CHECK(gradient.sizes() == half, "Expected a gradient of shape ", at::IntArrayRef(half),
              ", but got one of shape ", gradient.sizes());
  at::Tensor out = at::empty(self.sizes(), self.options());
  if (self.numel() == 0) return out;
  uint64_t outer = 1;
  for (int64_t d = 0; d < dim; ++d) outer *= static_cast<uint64_t>(self.size(d));
  const uint64_t n = static_cast<uint64_t>(self.numel()) / 2 / outer;
  const at::Tensor x = dense(self);
  const at::Tensor factor = dense(gradient);
  const c10::DeviceIndex device = self.device().index();
  launch(glu_gradient.of(self.scalar_type()), device, items(device, runs_of(n), outer), writes(out), reads(x),
         reads(factor), code_of(self.scalar_type()), outer, n);
  return out;
}

at::Tensor& glu_backward_out(const at::Tensor& gradient, const at::Tensor& self, int64_t dim,
                             at::Tensor& grad_input) {
  return give(grad_input, torch_xhal::glu_backward(gradient, self, dim));
}

std::tuple<at::Tensor, at::Tensor> prelu_backward(const at::Tensor& gradient, const at::Tensor& self,
                                                  const at::Tensor& weight) {
  const auto run = [&](xhal_op_ternary_code op) {
    at::Tensor out;
    auto iterator = at::TensorIteratorConfig()
                        .add_output(out)
                        .add_const_input(self)
                        .add_const_input(weight)
                        .add_const_input(gradient)
                        .build();
    run_ternary(iterator, op, self.scalar_type());
    return iterator.output();
  };
  at::Tensor grad_self = run(XHAL_OP_PRELU_BACKWARD);
  return {std::move(grad_self), run(XHAL_OP_PRELU_WEIGHT_BACKWARD)};
}

}  // namespace torch_xhal
