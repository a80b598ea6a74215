// SPDX-License-Identifier: Apache-2.0
#include <ATen/native/Activation.h>
#include <ATen/native/Fill.h>
#include <ATen/native/Pow.h>
#include <ATen/native/TensorCompare.h>
#include <ATen/native/UnaryOps.h>

#include <cmath>
#include <limits>

#include "ops/stubs.hpp"

namespace at::native {

TORCH_XHAL_UNARY(abs_stub, XHAL_OP_ABS)
TORCH_XHAL_UNARY(acos_stub, XHAL_OP_ACOS)
TORCH_XHAL_UNARY(acosh_stub, XHAL_OP_ACOSH)
TORCH_XHAL_UNARY(asin_stub, XHAL_OP_ASIN)
TORCH_XHAL_UNARY(asinh_stub, XHAL_OP_ASINH)
TORCH_XHAL_UNARY(atan_stub, XHAL_OP_ATAN)
TORCH_XHAL_UNARY(atanh_stub, XHAL_OP_ATANH)
TORCH_XHAL_UNARY(bitwise_not_stub, XHAL_OP_BITWISE_NOT)
TORCH_XHAL_UNARY(ceil_stub, XHAL_OP_CEIL)
TORCH_XHAL_UNARY(cos_stub, XHAL_OP_COS)
TORCH_XHAL_UNARY(cosh_stub, XHAL_OP_COSH)
TORCH_XHAL_UNARY(digamma_stub, XHAL_OP_DIGAMMA)
TORCH_XHAL_UNARY(special_entr_stub, XHAL_OP_ENTR)
TORCH_XHAL_UNARY(erf_stub, XHAL_OP_ERF)
TORCH_XHAL_UNARY(erfc_stub, XHAL_OP_ERFC)
TORCH_XHAL_UNARY(erfinv_stub, XHAL_OP_ERFINV)
TORCH_XHAL_UNARY(exp_stub, XHAL_OP_EXP)
TORCH_XHAL_UNARY(exp2_stub, XHAL_OP_EXP2)
TORCH_XHAL_UNARY(expm1_stub, XHAL_OP_EXPM1)
TORCH_XHAL_UNARY(floor_stub, XHAL_OP_FLOOR)
TORCH_XHAL_UNARY(frac_stub, XHAL_OP_FRAC)
TORCH_XHAL_UNARY(hardsigmoid_stub, XHAL_OP_HARDSIGMOID)
TORCH_XHAL_UNARY(hardshrink_stub, XHAL_OP_HARDSHRINK)
TORCH_XHAL_UNARY(hardswish_stub, XHAL_OP_HARDSWISH)
TORCH_XHAL_UNARY(isneginf_stub, XHAL_OP_ISNEGINF)
TORCH_XHAL_UNARY(isposinf_stub, XHAL_OP_ISPOSINF)
TORCH_XHAL_UNARY(leaky_relu_stub, XHAL_OP_LEAKY_RELU)
TORCH_XHAL_UNARY(lgamma_stub, XHAL_OP_LGAMMA)
TORCH_XHAL_UNARY(log_stub, XHAL_OP_LOG)
TORCH_XHAL_UNARY(log10_stub, XHAL_OP_LOG10)
TORCH_XHAL_UNARY(log1p_stub, XHAL_OP_LOG1P)
TORCH_XHAL_UNARY(log2_stub, XHAL_OP_LOG2)
TORCH_XHAL_UNARY(logical_not_stub, XHAL_OP_LOGICAL_NOT)
TORCH_XHAL_UNARY(logit_stub, XHAL_OP_LOGIT)
TORCH_XHAL_UNARY(mish_stub, XHAL_OP_MISH)
TORCH_XHAL_UNARY(neg_stub, XHAL_OP_NEG)
TORCH_XHAL_UNARY(pow_tensor_scalar_stub, XHAL_OP_POW_SCALAR)
TORCH_XHAL_UNARY(reciprocal_stub, XHAL_OP_RECIPROCAL)
TORCH_XHAL_UNARY(round_stub, XHAL_OP_ROUND)
TORCH_XHAL_UNARY(rsqrt_stub, XHAL_OP_RSQRT)
TORCH_XHAL_UNARY(sgn_stub, XHAL_OP_SIGN)
TORCH_XHAL_UNARY(sigmoid_stub, XHAL_OP_SIGMOID)
TORCH_XHAL_UNARY(sign_stub, XHAL_OP_SIGN)
TORCH_XHAL_UNARY(signbit_stub, XHAL_OP_SIGNBIT)
TORCH_XHAL_UNARY(silu_stub, XHAL_OP_SILU)
TORCH_XHAL_UNARY(sin_stub, XHAL_OP_SIN)
TORCH_XHAL_UNARY(sinc_stub, XHAL_OP_SINC)
TORCH_XHAL_UNARY(sinh_stub, XHAL_OP_SINH)
TORCH_XHAL_UNARY(softplus_stub, XHAL_OP_SOFTPLUS)
TORCH_XHAL_UNARY(softshrink_stub, XHAL_OP_SOFTSHRINK)
TORCH_XHAL_UNARY(sqrt_stub, XHAL_OP_SQRT)
TORCH_XHAL_UNARY(tan_stub, XHAL_OP_TAN)
TORCH_XHAL_UNARY(tanh_stub, XHAL_OP_TANH)
TORCH_XHAL_UNARY(trunc_stub, XHAL_OP_TRUNC)
TORCH_XHAL_UNARY(clamp_scalar_stub, XHAL_OP_CLAMP)
TORCH_XHAL_UNARY(clamp_min_scalar_stub, XHAL_OP_CLAMP_MIN)
TORCH_XHAL_UNARY(clamp_max_scalar_stub, XHAL_OP_CLAMP_MAX)

REGISTER_PRIVATEUSE1_DISPATCH(fill_stub, [](TensorIterator& iterator, const Scalar& value) {
  torch_xhal::run_unary(iterator, XHAL_OP_FILL, iterator.dtype(0), {value});
})
REGISTER_PRIVATEUSE1_DISPATCH(GeluKernel, [](TensorIteratorBase& iterator, GeluType form) {
  torch_xhal::run_unary(iterator, form == GeluType::Tanh ? XHAL_OP_GELU_TANH : XHAL_OP_GELU,
                        torch_xhal::type_of(iterator));
})
// The factors of what is below zero, of what is above, and of the exponent.
REGISTER_PRIVATEUSE1_DISPATCH(elu_stub, [](TensorIteratorBase& iterator, const Scalar& alpha,
                                           const Scalar& scale, const Scalar& input_scale) {
  torch_xhal::run_unary(iterator, XHAL_OP_ELU, torch_xhal::type_of(iterator),
                        {alpha.toDouble() * scale.toDouble(), scale, input_scale});
})
REGISTER_PRIVATEUSE1_DISPATCH(round_decimals_stub, [](TensorIteratorBase& iterator, int64_t decimals) {
  torch_xhal::run_unary(iterator, XHAL_OP_ROUND_DECIMALS, torch_xhal::type_of(iterator),
                        {std::pow(10.0, std::abs(decimals)), decimals < 0});
})
REGISTER_PRIVATEUSE1_DISPATCH(nan_to_num_stub, [](TensorIteratorBase& iterator, std::optional<double> nan,
                                                  std::optional<double> infinity,
                                                  std::optional<double> negative) {
  const ScalarType type = torch_xhal::type_of(iterator);
  const double largest = type == kHalf       ? 65504.0
                         : type == kBFloat16 ? 3.3895313892515355e38
                         : type == kFloat    ? std::numeric_limits<float>::max()
                                             : std::numeric_limits<double>::max();
  torch_xhal::run_unary(iterator, XHAL_OP_NAN_TO_NUM, type,
                        {nan.value_or(0.0), infinity.value_or(largest), negative.value_or(-largest)});
})

}  // namespace at::native
