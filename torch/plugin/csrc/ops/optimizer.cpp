// SPDX-License-Identifier: Apache-2.0
#include "ops/optimizer.hpp"

#include <ATen/native/ForeachUtils.h>
#include <ATen/ops/empty_strided.h>
#include <c10/core/DeviceGuard.h>

#include <bit>
#include <cmath>
#include <vector>

#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

struct StepKernel {
  Kernel dense_f32, f32, f64;
  Kernel& of(at::ScalarType type) { return type == at::kFloat ? dense_f32 : type == at::kDouble ? f64 : f32; }
};
#define TORCH_XHAL_STEP(name)                                                       \
  {                                                                                 \
    {"optimizer", "xhal_" name "_dense_f32"}, {"optimizer", "xhal_" name "_f32"}, { \
      "optimizer", "xhal_" name "_f64"                                              \
    }                                                                               \
  }
constinit StepKernel adam = TORCH_XHAL_STEP("adam");
constinit StepKernel sgd = TORCH_XHAL_STEP("sgd");
constinit StepKernel adagrad = TORCH_XHAL_STEP("adagrad");
constinit StepKernel unscaling = TORCH_XHAL_STEP("unscale");
constinit Kernel scale_update{"optimizer", "xhal_update_scale"};

// What an item takes on a processor; neighbours of a GPU's items take neighbours.
constexpr uint64_t kStretch = 1024;

// A rate, or the tensor that holds one.
struct Rate {
  Rate(double given) : value(given) {}
  Rate(const at::Tensor& given) : tensor(given) {
    TORCH_CHECK(given.numel() == 1, "lr as a Tensor must have one element");
    if (given.device().type() == kDevice) return;
    value = given.item<double>();
    tensor.reset();
  }
  double value = 0;
  at::Tensor tensor;
};

// Tensors of one parameter, which all lie as it does; what does not is copied, and copied back.
class Alike {
 public:
  Alike(const char* name, const at::Tensor& param) : name_(name), param_(param) {
    if (param.is_non_overlapping_and_dense()) {
      strides_ = param.strides().vec();
    } else {
      strides_.resize(static_cast<size_t>(param.dim()));
      int64_t stride = 1;
      for (int64_t d = param.dim() - 1; d >= 0; --d) {
        strides_[static_cast<size_t>(d)] = stride;
        stride *= param.size(d);
      }
    }
  }
  at::Tensor of(const at::Tensor& tensor) {
    TORCH_CHECK(tensor.device() == param_.device(), name_,
                ": Expected all tensors to be on the same device, but found at least two devices, ",
                param_.device(), " and ", tensor.device(), "!");
    TORCH_CHECK(tensor.scalar_type() == param_.scalar_type(), "expected scalar type ", param_.scalar_type(),
                " but found ", tensor.scalar_type());
    TORCH_CHECK(tensor.sizes() == param_.sizes(), name_, ": expected a tensor of size ", param_.sizes(),
                " but found ", tensor.sizes());
    if (tensor.strides() == at::IntArrayRef(strides_)) return tensor;
    at::Tensor dense = at::empty_strided(tensor.sizes(), strides_, tensor.options());
    dense.copy_(tensor);
    copies_.emplace_back(tensor, dense);
    return dense;
  }
  void put_back() {
    for (const auto& [tensor, dense] : copies_) tensor.copy_(dense);
  }

 private:
  const char* name_;
  const at::Tensor& param_;
  std::vector<int64_t> strides_;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;
};

// What all parameters of a call share.
struct Step {
  Step(const char* kernel, const Rate& rate, const std::optional<at::Tensor>& grad_scale,
       const std::optional<at::Tensor>& found_inf)
      : name(kernel), lr(rate.tensor) {
    set(XHAL_OP_OPTIMIZER_LR, rate.value);
    flag(XHAL_OP_OPTIMIZER_RATE, lr.defined());
    if (lr.defined()) fields.rate_type = code_of(lr.scalar_type());
    scale = of_float(grad_scale, XHAL_OP_OPTIMIZER_SCALED);
    found = of_float(found_inf, XHAL_OP_OPTIMIZER_CHECKED);
  }
  void set(xhal_op_optimizer_value number, double value) {
    fields.f[number] = static_cast<float>(value);
    fields.d[number] = std::bit_cast<uint64_t>(value);
  }
  void flag(xhal_op_optimizer_flag which, bool is_set) {
    if (is_set) fields.flags |= which;
  }
  // A tensor beside the parameter's own, or any memory that the kernel does not look at.
  Memory beside(const at::Tensor& tensor, const at::Tensor& param) const {
    if (!tensor.defined()) return {param.const_data_ptr(), 0, XHAL_ACCESS_READ};
    return reads(tensor);
  }
  at::Tensor on(const at::Tensor& param, const at::Tensor& tensor) const {
    return tensor.defined() ? tensor.to(param.device()) : tensor;
  }
  // One launch; `run` is given the fields and the grid.
  template <class Run>
  void each(const at::Tensor& param, const Run& run) {
    TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(param.scalar_type()), '"', name,
                                "\" not implemented for '", param.scalar_type(), "'");
    if (param.numel() == 0) return;
    const c10::DeviceGuard guard(param.device());
    const c10::DeviceIndex device = param.device().index();
    fields.n = static_cast<uint64_t>(param.numel());
    fields.each = device_at(device).properties.kind == XHAL_DEVICE_KIND_GPU ? 1 : kStretch;
    fields.type = code_of(param.scalar_type());
    fields.bytes = static_cast<uint32_t>(param.element_size());
    Alike alike(name, param);
    run(device, items(device, (fields.n + fields.each - 1) / fields.each), alike);
    alike.put_back();
  }

  const char* name;
  at::Tensor lr, scale, found;
  xhal_op_optimizer fields = {};

 private:
  at::Tensor of_float(const std::optional<at::Tensor>& tensor, xhal_op_optimizer_flag which) {
    if (!tensor || !tensor->defined()) return {};
    TORCH_CHECK(tensor->scalar_type() == at::kFloat, "expected scalar type Float but found ",
                tensor->scalar_type());
    flag(which, true);
    return *tensor;
  }
};

void check_count(size_t count, size_t expected, const char* name, const char* list) {
  TORCH_CHECK(count == expected, name, ": expected ", expected, " ", list, " but found ", count);
}

void run_adam(bool is_decoupled, at::TensorList params, at::TensorList grads, at::TensorList means,
              at::TensorList squares, at::TensorList most, at::TensorList steps, const Rate& lr, double beta1,
              double beta2, double weight_decay, double eps, bool amsgrad, bool maximize,
              const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf) {
  const char* name = is_decoupled ? "fused_adamw_kernel" : "fused_adam_kernel";
  check_count(grads.size(), params.size(), name, "gradients");
  check_count(means.size(), params.size(), name, "exp_avgs");
  check_count(squares.size(), params.size(), name, "exp_avg_sqs");
  check_count(most.size(), amsgrad ? params.size() : 0, name, "max_exp_avg_sqs");
  check_count(steps.size(), params.size(), name, "state_steps");
  Step step(name, lr, grad_scale, found_inf);
  step.set(XHAL_OP_OPTIMIZER_DECAY, weight_decay);
  step.set(XHAL_OP_OPTIMIZER_BETA1, beta1);
  step.set(XHAL_OP_OPTIMIZER_BETA2, beta2);
  step.set(XHAL_OP_OPTIMIZER_REST1, 1 - beta1);
  step.set(XHAL_OP_OPTIMIZER_REST2, 1 - beta2);
  step.set(XHAL_OP_OPTIMIZER_LOG1, std::log(beta1));
  step.set(XHAL_OP_OPTIMIZER_LOG2, std::log(beta2));
  step.set(XHAL_OP_OPTIMIZER_EPS, eps);
  step.flag(XHAL_OP_OPTIMIZER_MAXIMIZE, maximize);
  step.flag(XHAL_OP_OPTIMIZER_AMSGRAD, amsgrad);
  step.flag(XHAL_OP_OPTIMIZER_DECOUPLED, is_decoupled);
  for (size_t i = 0; i < params.size(); ++i)
    step.each(params[i], [&](c10::DeviceIndex device, const Grid& grid, Alike& alike) {
      const at::Tensor param = alike.of(params[i]);
      const at::Tensor maxima = amsgrad ? alike.of(most[i]) : at::Tensor();
      const at::Tensor count = step.on(param, steps[i]);
      const at::Tensor rate = step.on(param, step.lr);
      const at::Tensor scale = step.on(param, step.scale);
      const at::Tensor found = step.on(param, step.found);
      step.fields.step_type = code_of(count.scalar_type());
      launch(adam.of(param.scalar_type()), device, grid, updates(param), updates(alike.of(grads[i])),
             updates(alike.of(means[i])), updates(alike.of(squares[i])),
             amsgrad ? updates(maxima) : step.beside(maxima, param), reads(count), step.beside(rate, param),
             step.beside(scale, param), step.beside(found, param), step.fields);
    });
}

void run_sgd(at::TensorList params, at::TensorList grads, at::TensorList momenta, double weight_decay,
             double momentum, const Rate& lr, double dampening, bool nesterov, bool maximize, bool is_first,
             const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf) {
  const char* name = "fused_sgd_kernel";
  const bool has_momentum = momentum != 0;
  check_count(grads.size(), params.size(), name, "gradients");
  check_count(momenta.size(), has_momentum ? params.size() : 0, name, "momentum buffers");
  Step step(name, lr, grad_scale, found_inf);
  step.set(XHAL_OP_OPTIMIZER_DECAY, weight_decay);
  step.set(XHAL_OP_OPTIMIZER_BETA1, momentum);
  step.set(XHAL_OP_OPTIMIZER_BETA2, 1 - dampening);
  step.flag(XHAL_OP_OPTIMIZER_MAXIMIZE, maximize);
  step.flag(XHAL_OP_OPTIMIZER_NESTEROV, nesterov);
  step.flag(XHAL_OP_OPTIMIZER_MOMENTUM, has_momentum);
  step.flag(XHAL_OP_OPTIMIZER_FIRST, is_first);
  for (size_t i = 0; i < params.size(); ++i)
    step.each(params[i], [&](c10::DeviceIndex device, const Grid& grid, Alike& alike) {
      const at::Tensor param = alike.of(params[i]);
      const at::Tensor buffer = has_momentum ? alike.of(momenta[i]) : at::Tensor();
      const at::Tensor rate = step.on(param, step.lr);
      const at::Tensor scale = step.on(param, step.scale);
      const at::Tensor found = step.on(param, step.found);
      launch(sgd.of(param.scalar_type()), device, grid, updates(param), updates(alike.of(grads[i])),
             has_momentum ? updates(buffer) : step.beside(buffer, param), step.beside(rate, param),
             step.beside(scale, param), step.beside(found, param), step.fields);
    });
}

void run_adagrad(at::TensorList params, at::TensorList grads, at::TensorList sums, at::TensorList steps,
                 const Rate& lr, double lr_decay, double weight_decay, double eps, bool maximize,
                 const std::optional<at::Tensor>& grad_scale, const std::optional<at::Tensor>& found_inf) {
  const char* name = "fused_adagrad_kernel";
  check_count(grads.size(), params.size(), name, "gradients");
  check_count(sums.size(), params.size(), name, "state_sums");
  check_count(steps.size(), params.size(), name, "state_steps");
  Step step(name, lr, grad_scale, found_inf);
  step.set(XHAL_OP_OPTIMIZER_DECAY, weight_decay);
  step.set(XHAL_OP_OPTIMIZER_BETA1, lr_decay);
  step.set(XHAL_OP_OPTIMIZER_EPS, eps);
  step.flag(XHAL_OP_OPTIMIZER_MAXIMIZE, maximize);
  for (size_t i = 0; i < params.size(); ++i)
    step.each(params[i], [&](c10::DeviceIndex device, const Grid& grid, Alike& alike) {
      const at::Tensor param = alike.of(params[i]);
      const at::Tensor count = step.on(param, steps[i]);
      const at::Tensor rate = step.on(param, step.lr);
      const at::Tensor scale = step.on(param, step.scale);
      const at::Tensor found = step.on(param, step.found);
      step.fields.step_type = code_of(count.scalar_type());
      launch(adagrad.of(param.scalar_type()), device, grid, updates(param), updates(alike.of(grads[i])),
             updates(alike.of(sums[i])), reads(count), step.beside(rate, param), step.beside(scale, param),
             step.beside(found, param), step.fields);
    });
}

void check_one(const at::Tensor& tensor, const char* name, at::ScalarType type, const char* type_name) {
  TORCH_CHECK(tensor.device().type() == kDevice, name, " must be a ", c10::DeviceTypeName(kDevice),
              " tensor.");
  TORCH_CHECK(tensor.numel() == 1, name, " must be a 1-element tensor.");
  TORCH_CHECK(tensor.scalar_type() == type, name, " must be ", type_name, " tensor.");
}

}  // namespace

TORCH_XHAL_ADAM(fused_adam, double) {
  run_adam(false, params, grads, means, squares, most, steps, lr, beta1, beta2, weight_decay, eps, amsgrad,
           maximize, grad_scale, found_inf);
}
TORCH_XHAL_ADAM(fused_adam, const at::Tensor&) {
  run_adam(false, params, grads, means, squares, most, steps, lr, beta1, beta2, weight_decay, eps, amsgrad,
           maximize, grad_scale, found_inf);
}
TORCH_XHAL_ADAM(fused_adamw, double) {
  run_adam(true, params, grads, means, squares, most, steps, lr, beta1, beta2, weight_decay, eps, amsgrad,
           maximize, grad_scale, found_inf);
}
TORCH_XHAL_ADAM(fused_adamw, const at::Tensor&) {
  run_adam(true, params, grads, means, squares, most, steps, lr, beta1, beta2, weight_decay, eps, amsgrad,
           maximize, grad_scale, found_inf);
}
TORCH_XHAL_SGD(double) {
  run_sgd(params, grads, momenta, weight_decay, momentum, lr, dampening, nesterov, maximize, is_first,
          grad_scale, found_inf);
}
TORCH_XHAL_SGD(const at::Tensor&) {
  run_sgd(params, grads, momenta, weight_decay, momentum, lr, dampening, nesterov, maximize, is_first,
          grad_scale, found_inf);
}
TORCH_XHAL_ADAGRAD(double) {
  run_adagrad(params, grads, sums, steps, lr, lr_decay, weight_decay, eps, maximize, grad_scale, found_inf);
}
TORCH_XHAL_ADAGRAD(const at::Tensor&) {
  run_adagrad(params, grads, sums, steps, lr, lr_decay, weight_decay, eps, maximize, grad_scale, found_inf);
}

void unscale(at::TensorList gradients, at::Tensor& found_inf, const at::Tensor& inverse_scale) {
  if (gradients.empty()) return;
  check_one(inverse_scale, "inv_scale", at::kFloat, "a float");
  check_one(found_inf, "found_inf", at::kFloat, "a float");
  at::native::check_foreach_api_restrictions(gradients);
  Step step("_amp_foreach_non_finite_check_and_unscale", Rate(0), std::nullopt, std::nullopt);
  for (const at::Tensor& given : gradients)
    step.each(given, [&](c10::DeviceIndex device, const Grid& grid, Alike& alike) {
      TORCH_CHECK(found_inf.device() == given.device() && inverse_scale.device() == given.device(),
                  "Expected all tensors to be on the same device, but found at least two devices, ",
                  given.device(), " and ",
                  found_inf.device() == given.device() ? inverse_scale.device() : found_inf.device(), "!");
      const at::Tensor gradient = alike.of(given);
      launch(unscaling.of(gradient.scalar_type()), device, grid, updates(gradient), updates(found_inf),
             reads(inverse_scale), step.fields);
    });
}

at::Tensor& update_scale(at::Tensor& scale, at::Tensor& growth_tracker, const at::Tensor& found_inf,
                         double growth_factor, double backoff_factor, int64_t growth_interval) {
  check_one(growth_tracker, "growth_tracker", at::kInt, "an int");
  check_one(scale, "current_scale", at::kFloat, "a float");
  check_one(found_inf, "found_inf", at::kFloat, "a float");
  const c10::DeviceIndex device = scale.device().index();
  launch(scale_update, device, items(device, 1), updates(scale), updates(growth_tracker), reads(found_inf),
         static_cast<float>(growth_factor), static_cast<float>(backoff_factor), growth_interval);
  return scale;
}

}  // namespace torch_xhal
