// SPDX-License-Identifier: Apache-2.0
#include "ops/optimizer_lists.hpp"

#include <ATen/native/ForeachUtils.h>
#include <ATen/ops/_foreach_add_native.h>
#include <ATen/ops/_foreach_addcdiv_native.h>
#include <ATen/ops/_foreach_addcmul_native.h>
#include <ATen/ops/_foreach_div_native.h>
#include <ATen/ops/_foreach_lerp_native.h>
#include <ATen/ops/_foreach_mul_native.h>
#include <ATen/ops/_foreach_sqrt_native.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>
#include <array>

#include "kernels/launch.hpp"
#include "runtime/driver.hpp"
#include "xhal/operators.h"

namespace torch_xhal {
namespace {

constinit Kernel list_f32{"optimizer", "xhal_list_f32"};

constexpr uint64_t kStretch = 1024;
constexpr size_t kMost = XHAL_OP_LIST_TENSORS;
constexpr size_t kOperands = 4;

// Tensors that are changed and stand twice in a list have to be changed one after the other.
bool has_twins(at::TensorList tensors) {
  std::vector<const void*> all;
  all.reserve(tensors.size());
  for (const at::Tensor& tensor : tensors)
    if (tensor.numel() != 0) all.push_back(tensor.const_data_ptr());
  std::ranges::sort(all);
  return std::ranges::adjacent_find(all) != all.end();
}

bool can_go_together(at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> values) {
  const at::Tensor& first = lists[0][0];
  return first.scalar_type() == at::kFloat && first.device().type() == kDevice &&
         std::ranges::none_of(values, [](const at::Scalar& value) { return value.isComplex(); }) &&
         at::native::can_use_fast_route(lists, values) && !has_twins(lists[0]);
}

Memory operand(at::TensorList list, size_t i, const at::Tensor& instead, bool is_output) {
  if (list.empty()) return {instead.const_data_ptr(), 0, XHAL_ACCESS_READ};
  return is_output ? updates(list[i]) : reads(list[i]);
}

// inputs: of a, b and c, as far as the operator has them. One value for all, or one for each.
void run(xhal_op_list_code code, at::TensorList out, std::array<at::TensorList, kOperands - 1> inputs,
         at::ArrayRef<at::Scalar> values) {
  const c10::DeviceIndex device = out[0].device().index();
  const c10::DeviceGuard guard(out[0].device());
  xhal_op_list list = {};
  list.code = code;
  list.each = device_at(device).properties.kind == XHAL_DEVICE_KIND_GPU ? 1 : kStretch;
  // What has no elements has no memory, either.
  std::vector<size_t> filled;
  for (size_t i = 0; i < out.size(); ++i)
    if (out[i].numel() != 0) filled.push_back(i);
  for (size_t begin = 0; begin < filled.size(); begin += kMost) {
    const size_t count = std::min(kMost, filled.size() - begin);
    std::array<xhal_argument_t, kMost * kOperands + 1> arguments;
    uint64_t longest = 0;
    for (size_t t = 0; t < kMost; ++t) {
      const size_t i = filled[begin + std::min(t, count - 1)];
      const uint64_t n = t < count ? static_cast<uint64_t>(out[i].numel()) : 0;
      list.n[t] = n;
      if (!values.empty()) list.p[t] = values[values.size() == 1 ? 0 : i].to<float>();
      longest = std::max(longest, n);
      arguments[t * kOperands] = launching::argument(operand(out, i, out[i], true));
      for (size_t k = 0; k + 1 < kOperands; ++k)
        arguments[t * kOperands + 1 + k] = launching::argument(operand(inputs[k], i, out[i], false));
    }
    arguments[kMost * kOperands] = launching::argument(list);
    launching::submit(list_f32, device, items(device, (longest + list.each - 1) / list.each, count),
                      arguments.data(), static_cast<uint32_t>(arguments.size()));
  }
}

}  // namespace

void add_each(at::TensorList self, const at::Scalar& value) {
  at::native::check_foreach_api_restrictions(self);
  if (!can_go_together({self}, value)) return at::native::foreach_tensor_add_scalar_kernel_slow_(self, value);
  run(XHAL_OP_LIST_ADD_VALUE, self, {self}, value);
}
void add_each(at::TensorList self, at::TensorList other, const at::Scalar& alpha) {
  at::native::check_foreach_api_restrictions(self, other);
  if (!can_go_together({self, other}, alpha))
    return at::native::foreach_tensor_add_list_kernel_slow_(self, other, alpha);
  run(XHAL_OP_LIST_ADD, self, {self, other}, alpha);
}
std::vector<at::Tensor> sums_of_each(at::TensorList self, at::TensorList other, const at::Scalar& alpha) {
  at::native::check_foreach_api_restrictions(self, other);
  if (!can_go_together({self, other}, alpha))
    return at::native::foreach_tensor_add_list_kernel_slow(self, other, alpha);
  std::vector<at::Tensor> out;
  for (const at::Tensor& tensor : self) out.push_back(at::empty_like(tensor));
  run(XHAL_OP_LIST_ADD, out, {self, other}, alpha);
  return out;
}
void mul_each(at::TensorList self, const at::Scalar& value) {
  at::native::check_foreach_api_restrictions(self);
  if (!can_go_together({self}, value)) return at::native::foreach_tensor_mul_scalar_kernel_slow_(self, value);
  run(XHAL_OP_LIST_MUL_VALUE, self, {self}, value);
}
void mul_each(at::TensorList self, const at::Tensor& factor) {
  at::native::check_foreach_api_restrictions(self);
  const bool is_one = factor.dim() == 0 && factor.scalar_type() == at::kFloat;
  if (!is_one || factor.device() != self[0].device() || !can_go_together({self}, {}))
    return at::native::foreach_tensor_mul_tensor_kernel_slow_(self, factor);
  const std::vector<at::Tensor> factors(self.size(), factor);
  run(XHAL_OP_LIST_MUL_ONE, self, {self, factors}, {});
}
void div_each(at::TensorList self, const at::Scalar& value) {
  at::native::check_foreach_api_restrictions(self);
  if (!can_go_together({self}, value)) return at::native::foreach_tensor_div_scalar_kernel_slow_(self, value);
  run(XHAL_OP_LIST_DIV_VALUE, self, {self}, value);
}
void div_each(at::TensorList self, at::ArrayRef<at::Scalar> values) {
  at::native::check_foreach_api_restrictions(self, values);
  if (!can_go_together({self}, values))
    return at::native::foreach_tensor_div_scalarlist_kernel_slow_(self, values);
  run(XHAL_OP_LIST_DIV_VALUE, self, {self}, values);
}
void lerp_each(at::TensorList self, at::TensorList other, const at::Scalar& weight) {
  at::native::check_foreach_api_restrictions(self, other);
  if (!can_go_together({self, other}, weight))
    return at::native::foreach_tensor_lerp_list_kernel_slow_(self, other, weight);
  run(XHAL_OP_LIST_LERP, self, {self, other}, weight);
}
void addcmul_each(at::TensorList self, at::TensorList left, at::TensorList right, const at::Scalar& value) {
  at::native::check_foreach_api_restrictions(self, left, right);
  if (!can_go_together({self, left, right}, value))
    return at::native::foreach_tensor_addcmul_scalar_slow_(self, left, right, value);
  run(XHAL_OP_LIST_ADDCMUL, self, {self, left, right}, value);
}
void addcdiv_each(at::TensorList self, at::TensorList left, at::TensorList right, const at::Scalar& value) {
  at::native::check_foreach_api_restrictions(self, left, right);
  if (!can_go_together({self, left, right}, value))
    return at::native::foreach_tensor_addcdiv_scalar_slow_(self, left, right, value);
  run(XHAL_OP_LIST_ADDCDIV, self, {self, left, right}, value);
}
void addcdiv_each(at::TensorList self, at::TensorList left, at::TensorList right,
                  at::ArrayRef<at::Scalar> values) {
  at::native::check_foreach_api_restrictions(self, left, right, values);
  if (!can_go_together({self, left, right}, values))
    return at::native::foreach_tensor_addcdiv_scalarlist_slow_(self, left, right, values);
  run(XHAL_OP_LIST_ADDCDIV, self, {self, left, right}, values);
}
std::vector<at::Tensor> roots_of_each(at::TensorList self) {
  at::native::check_foreach_api_restrictions(self);
  if (!can_go_together({self}, {})) return at::native::foreach_tensor_sqrt_slow(self);
  std::vector<at::Tensor> out;
  for (const at::Tensor& tensor : self) out.push_back(at::empty_like(tensor));
  run(XHAL_OP_LIST_SQRT, out, {self}, {});
  return out;
}

}  // namespace torch_xhal
