// SPDX-License-Identifier: Apache-2.0
#include "runtime/dtypes.hpp"

#include <utility>

namespace torch_xhal {
namespace {

constexpr std::pair<uint32_t, c10::ScalarType> kTypes[] = {
    {XHAL_DTYPE_BOOL, c10::ScalarType::Bool},
    {XHAL_DTYPE_I8, c10::ScalarType::Char},
    {XHAL_DTYPE_U8, c10::ScalarType::Byte},
    {XHAL_DTYPE_I16, c10::ScalarType::Short},
    {XHAL_DTYPE_U16, c10::ScalarType::UInt16},
    {XHAL_DTYPE_I32, c10::ScalarType::Int},
    {XHAL_DTYPE_U32, c10::ScalarType::UInt32},
    {XHAL_DTYPE_I64, c10::ScalarType::Long},
    {XHAL_DTYPE_U64, c10::ScalarType::UInt64},
    {XHAL_DTYPE_F16, c10::ScalarType::Half},
    {XHAL_DTYPE_BF16, c10::ScalarType::BFloat16},
    {XHAL_DTYPE_F32, c10::ScalarType::Float},
    {XHAL_DTYPE_F64, c10::ScalarType::Double},
    {XHAL_DTYPE_C64, c10::ScalarType::ComplexFloat},
    {XHAL_DTYPE_C128, c10::ScalarType::ComplexDouble},
    {XHAL_DTYPE_F8_E4M3, c10::ScalarType::Float8_e4m3fn},
    {XHAL_DTYPE_F8_E5M2, c10::ScalarType::Float8_e5m2},
};

// The bits of c10::DeviceCapability have an order of their own.
constexpr uint64_t capability_bit(c10::ScalarType type) {
  switch (type) {
#define TORCH_XHAL_BIT(_, name) \
  case c10::ScalarType::name:   \
    return uint64_t{1} << c10::kIndex_##name;
    AT_FORALL_SCALAR_TYPES_WITH_COMPLEX_AND_QINTS(TORCH_XHAL_BIT)
#undef TORCH_XHAL_BIT
    default:
      return 0;
  }
}

}  // namespace

c10::DeviceCapability capability_of(const Device& device) {
  c10::DeviceCapability out;
  out.capability_data.capability_bits = 0;
  for (const auto& [dtype, type] : kTypes)
    if ((device.properties.dtype_mask >> dtype & 1) != 0)
      out.capability_data.capability_bits |= capability_bit(type);
  return out;
}

}  // namespace torch_xhal
