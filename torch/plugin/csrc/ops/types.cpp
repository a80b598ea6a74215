// SPDX-License-Identifier: Apache-2.0
#include "ops/types.hpp"

#include <bit>
#include <cmath>
#include <limits>

#include "runtime/driver.hpp"

namespace torch_xhal {

uint32_t code_of(at::ScalarType type) {
  switch (type) {
    case at::kBool:
      return XHAL_DTYPE_BOOL;
    case at::kChar:
      return XHAL_DTYPE_I8;
    case at::kByte:
      return XHAL_DTYPE_U8;
    case at::kShort:
      return XHAL_DTYPE_I16;
    case at::kInt:
      return XHAL_DTYPE_I32;
    case at::kLong:
      return XHAL_DTYPE_I64;
    case at::kHalf:
      return XHAL_DTYPE_F16;
    case at::kBFloat16:
      return XHAL_DTYPE_BF16;
    case at::kFloat:
      return XHAL_DTYPE_F32;
    case at::kDouble:
      return XHAL_DTYPE_F64;
    default:
      return kNoCode;
  }
}

bool is_native_type(at::ScalarType type, c10::DeviceIndex device) {
  // The kernels widen 16 bits themselves, and integers every device has.
  if (type == at::kDouble) return (device_at(device).properties.dtype_mask >> XHAL_DTYPE_F64 & 1) != 0;
  return code_of(type) != kNoCode;
}

Compute compute_of(at::ScalarType type) {
  if (type == at::kDouble) return Compute::kF64;
  return at::isFloatingType(type) ? Compute::kF32 : Compute::kI64;
}

void set_value(xhal_op_values& values, int number, const at::Scalar& value) {
  if (value.isFloatingPoint()) {
    const double real = value.toDouble();
    values.f[number] = static_cast<float>(real);
    values.d[number] = std::bit_cast<uint64_t>(real);
    // What no integer holds is of no use to those who compute in integers.
    values.i[number] = std::abs(real) < 9.2e18 ? static_cast<int64_t>(real)
                       : real > 0              ? std::numeric_limits<int64_t>::max()
                                               : std::numeric_limits<int64_t>::min();
    return;
  }
  const int64_t whole = value.to<int64_t>();
  values.i[number] = whole;
  values.f[number] = static_cast<float>(whole);
  values.d[number] = std::bit_cast<uint64_t>(static_cast<double>(whole));
}

}  // namespace torch_xhal
