// SPDX-License-Identifier: Apache-2.0
// Stubs of PyTorch's elementwise operators as codes of ours; to be used within at::native, where the stubs are.
#pragma once

#include <ATen/native/DispatchStub.h>

#include "ops/elementwise.hpp"

namespace torch_xhal {

inline at::ScalarType type_of(const at::TensorIteratorBase& iterator) {
  if (const auto common = iterator.maybe_common_dtype()) return *common;
  return iterator.dtype(iterator.ninputs() > 0 ? iterator.noutputs() : 0);
}

}  // namespace torch_xhal

#define TORCH_XHAL_UNARY(stub, code)                                                                   \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](auto& iterator, auto... parameters) {                         \
    torch_xhal::run_unary(iterator, code, torch_xhal::type_of(iterator), {at::Scalar(parameters)...}); \
  })
#define TORCH_XHAL_BINARY(stub, code)                                                                   \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](auto& iterator, auto... parameters) {                          \
    torch_xhal::run_binary(iterator, code, torch_xhal::type_of(iterator), {at::Scalar(parameters)...}); \
  })
#define TORCH_XHAL_TERNARY(stub, code)                                                                   \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](auto& iterator, auto... parameters) {                           \
    torch_xhal::run_ternary(iterator, code, torch_xhal::type_of(iterator), {at::Scalar(parameters)...}); \
  })
