// SPDX-License-Identifier: Apache-2.0
#include "ops/activation.hpp"

#include <ATen/native/Activation.h>

#include "ops/stubs.hpp"

namespace torch_xhal {

void Gelu::impl(const at::Tensor&, c10::string_view approximate, const at::Tensor&) {
  const bool is_tanh = at::native::get_gelutype_enum(approximate) == at::native::GeluType::Tanh;
  run_unary(*this, is_tanh ? XHAL_OP_GELU_TANH : XHAL_OP_GELU, type_of(*this));
}

void GeluBackward::impl(const at::Tensor&, const at::Tensor&, c10::string_view approximate,
                        const at::Tensor&) {
  const bool is_tanh = at::native::get_gelutype_enum(approximate) == at::native::GeluType::Tanh;
  run_binary(*this, is_tanh ? XHAL_OP_GELU_TANH_BACKWARD : XHAL_OP_GELU_BACKWARD, type_of(*this));
}

}  // namespace torch_xhal
