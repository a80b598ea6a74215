// SPDX-License-Identifier: Apache-2.0
// Types of elements as kernels know them.
#pragma once

#include <ATen/core/TensorBase.h>
#include <c10/core/Scalar.h>
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "xhal/operators.h"

namespace torch_xhal {

inline constexpr uint32_t kNoCode = 254;
// XHAL_DTYPE_x of a type that kernels compute with, else kNoCode.
uint32_t code_of(at::ScalarType type);
// Whether the device's kernels compute with it.
bool is_native_type(at::ScalarType type, c10::DeviceIndex device);

// In what a kernel computes for a type.
enum class Compute { kF32, kF64, kI64 };
Compute compute_of(at::ScalarType type);

void set_value(xhal_op_values& values, int number, const at::Scalar& value);

}  // namespace torch_xhal
