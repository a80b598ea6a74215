// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/empty_like.h>
#include <ATen/ops/native_dropout_backward_native.h>
#include <ATen/ops/ones_like.h>

#include "kernels/by_type.hpp"
#include "ops/random.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

constinit KernelByType dropouts = {
    {"random", "xhal_dropout_f32"}, {"random", "xhal_dropout_f64"}, {nullptr, nullptr}};
constinit KernelByType gradients = {
    {"random", "xhal_dropout_backward_f32"}, {"random", "xhal_dropout_backward_f64"}, {nullptr, nullptr}};
constinit Kernel dense_dropout{"random", "xhal_dropout_dense_f32"};
constinit Kernel dense_gradient{"random", "xhal_dropout_backward_dense_f32"};

constexpr uint64_t kWords = 4;

xhal_op_values value_of(double scale) {
  xhal_op_values out = {};
  set_value(out, 0, scale);
  return out;
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> native_dropout(const at::Tensor& input, double p,
                                                  std::optional<bool> train) {
  if (input.numel() == 0) return {input, at::empty_like(input, input.options())};
  if (!train.value_or(true)) return {input.clone(), at::ones_like(input, input.options().dtype(at::kBool))};
  const double kept = 1 - p;
  TORCH_CHECK(0 <= kept && kept <= 1, "bernoulli_ expects p to be in [0, 1], but got p=", kept);
  const at::ScalarType type = input.scalar_type();
  TORCH_CHECK(at::isFloatingType(type), "result type Float can't be cast to the desired output type ", type);
  const double scale = kept == 0 ? 0 : 1 / kept;

  at::Tensor out = at::empty_like(input);
  at::Tensor mask = at::empty_like(input, input.options().dtype(at::kBool));
  // What has gaps or repeats itself is first put where the result will be.
  const bool lies_alike = input.strides() == out.strides() && input.is_non_overlapping_and_dense();
  const at::Tensor from = lies_alike ? input : out.copy_(input);
  const c10::DeviceIndex device = input.device().index();
  Draw draw(std::nullopt, device, static_cast<uint64_t>(input.numel()));
  draw.numbers.range = words_of_probability(kept);
  const Memory replay = draw.replay(from.const_data_ptr());
  Memory to = lies_alike ? writes(out) : updates(out);
  if (type == at::kFloat && draw.numbers.range != 0) {
    const uint64_t full = draw.numbers.count / kWords;
    if (full != 0)
      launch(dense_dropout, device, items(device, full), to, writes(mask), reads(from), replay, draw.numbers,
             static_cast<uint32_t>(draw.numbers.range - 1), static_cast<float>(scale));
    if (draw.numbers.count % kWords == 0) return {out, mask};
    draw.numbers.first = full;
    to = updates(out);
  }
  launch(dropouts.of(type), device, items(device, draw.blocks(kWords) - draw.numbers.first), to,
         updates(mask), reads(from), replay, draw.numbers, value_of(scale), code_of(type),
         static_cast<uint32_t>(input.element_size()));
  return {out, mask};
}

at::Tensor native_dropout_backward(const at::Tensor& gradient, const at::Tensor& mask, double scale) {
  const bool lies_alike = gradient.strides() == mask.strides() && gradient.sizes() == mask.sizes() &&
                          gradient.is_non_overlapping_and_dense();
  if (!lies_alike || gradient.device() != mask.device() || mask.scalar_type() != at::kBool ||
      !at::isFloatingType(gradient.scalar_type()))
    return at::native::native_dropout_backward(gradient, mask, scale);
  at::Tensor out = at::empty_like(gradient);
  if (out.numel() == 0) return out;
  const c10::DeviceIndex device = out.device().index();
  const at::ScalarType type = out.scalar_type();
  const auto n = static_cast<uint64_t>(out.numel());
  if (type == at::kFloat)
    launch(dense_gradient, device, items(device, n), writes(out), reads(mask), reads(gradient),
           static_cast<float>(scale), n);
  else
    launch(gradients.of(type), device, items(device, n), writes(out), reads(mask), reads(gradient),
           value_of(scale), code_of(type), static_cast<uint32_t>(out.element_size()), n);
  return out;
}

}  // namespace torch_xhal
