// SPDX-License-Identifier: Apache-2.0
#include <ATen/native/Activation.h>
#include <ATen/native/BinaryOps.h>
#include <ATen/native/Lerp.h>
#include <ATen/native/PointwiseOps.h>
#include <ATen/native/Pow.h>
#include <ATen/native/TensorCompare.h>

#include "ops/stubs.hpp"

namespace at::native {

TORCH_XHAL_BINARY(add_stub, XHAL_OP_ADD)
TORCH_XHAL_BINARY(mul_stub, XHAL_OP_MUL)
TORCH_XHAL_BINARY(div_true_stub, XHAL_OP_DIV)
TORCH_XHAL_BINARY(div_trunc_stub, XHAL_OP_DIV_TRUNC)
TORCH_XHAL_BINARY(div_floor_stub, XHAL_OP_DIV_FLOOR)
TORCH_XHAL_BINARY(remainder_stub, XHAL_OP_REMAINDER)
TORCH_XHAL_BINARY(fmod_stub, XHAL_OP_FMOD)
TORCH_XHAL_BINARY(maximum_stub, XHAL_OP_MAXIMUM)
TORCH_XHAL_BINARY(minimum_stub, XHAL_OP_MINIMUM)
TORCH_XHAL_BINARY(fmax_stub, XHAL_OP_FMAX)
TORCH_XHAL_BINARY(fmin_stub, XHAL_OP_FMIN)
TORCH_XHAL_BINARY(pow_tensor_tensor_stub, XHAL_OP_POW)
TORCH_XHAL_BINARY(heaviside_stub, XHAL_OP_HEAVISIDE)
TORCH_XHAL_BINARY(atan2_stub, XHAL_OP_ATAN2)
TORCH_XHAL_BINARY(copysign_stub, XHAL_OP_COPYSIGN)
TORCH_XHAL_BINARY(hypot_stub, XHAL_OP_HYPOT)
TORCH_XHAL_BINARY(logaddexp_stub, XHAL_OP_LOGADDEXP)
TORCH_XHAL_BINARY(logaddexp2_stub, XHAL_OP_LOGADDEXP2)
TORCH_XHAL_BINARY(nextafter_stub, XHAL_OP_NEXTAFTER)
TORCH_XHAL_BINARY(xlogy_stub, XHAL_OP_XLOGY)
TORCH_XHAL_BINARY(xlog1py_stub, XHAL_OP_XLOG1PY)
TORCH_XHAL_BINARY(eq_stub, XHAL_OP_EQ)
TORCH_XHAL_BINARY(ne_stub, XHAL_OP_NE)
TORCH_XHAL_BINARY(lt_stub, XHAL_OP_LT)
TORCH_XHAL_BINARY(le_stub, XHAL_OP_LE)
TORCH_XHAL_BINARY(gt_stub, XHAL_OP_GT)
TORCH_XHAL_BINARY(ge_stub, XHAL_OP_GE)
TORCH_XHAL_BINARY(logical_and_stub, XHAL_OP_LOGICAL_AND)
TORCH_XHAL_BINARY(logical_or_stub, XHAL_OP_LOGICAL_OR)
TORCH_XHAL_BINARY(logical_xor_stub, XHAL_OP_LOGICAL_XOR)
TORCH_XHAL_BINARY(mse_stub, XHAL_OP_MSE)
TORCH_XHAL_BINARY(smooth_l1_stub, XHAL_OP_SMOOTH_L1)
TORCH_XHAL_BINARY(huber_stub, XHAL_OP_HUBER)
TORCH_XHAL_BINARY(sigmoid_backward_stub, XHAL_OP_SIGMOID_BACKWARD)
TORCH_XHAL_BINARY(tanh_backward_stub, XHAL_OP_TANH_BACKWARD)
TORCH_XHAL_BINARY(logit_backward_stub, XHAL_OP_LOGIT_BACKWARD)
TORCH_XHAL_BINARY(glu_stub, XHAL_OP_GLU)
TORCH_XHAL_BINARY(hardtanh_backward_stub, XHAL_OP_HARDTANH_BACKWARD)
TORCH_XHAL_BINARY(hardsigmoid_backward_stub, XHAL_OP_HARDSIGMOID_BACKWARD)
TORCH_XHAL_BINARY(hardswish_backward_stub, XHAL_OP_HARDSWISH_BACKWARD)
TORCH_XHAL_BINARY(shrink_backward_stub, XHAL_OP_SHRINK_BACKWARD)
TORCH_XHAL_BINARY(leaky_relu_backward_stub, XHAL_OP_LEAKY_RELU_BACKWARD)
TORCH_XHAL_BINARY(silu_backward_stub, XHAL_OP_SILU_BACKWARD)
TORCH_XHAL_BINARY(mish_backward_stub, XHAL_OP_MISH_BACKWARD)
TORCH_XHAL_BINARY(softplus_backward_stub, XHAL_OP_SOFTPLUS_BACKWARD)
TORCH_XHAL_BINARY(threshold_stub, XHAL_OP_THRESHOLD)
TORCH_XHAL_BINARY(prelu_stub, XHAL_OP_PRELU)
TORCH_XHAL_BINARY(lerp_kernel_scalar_weight, XHAL_OP_LERP_SCALAR)
TORCH_XHAL_TERNARY(lerp_kernel_tensor_weight, XHAL_OP_LERP)
TORCH_XHAL_TERNARY(addcmul_stub, XHAL_OP_ADDCMUL)
TORCH_XHAL_TERNARY(addcdiv_stub, XHAL_OP_ADDCDIV)
TORCH_XHAL_TERNARY(clamp_stub, XHAL_OP_CLAMP_TENSORS)
TORCH_XHAL_TERNARY(mse_backward_stub, XHAL_OP_MSE_BACKWARD)
TORCH_XHAL_TERNARY(smooth_l1_backward_stub, XHAL_OP_SMOOTH_L1_BACKWARD)
TORCH_XHAL_TERNARY(huber_backward_stub, XHAL_OP_HUBER_BACKWARD)

// Only integers have bits.
#define TORCH_XHAL_BITWISE(stub, code)                                                                    \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](TensorIteratorBase& iterator) {                                  \
    const ScalarType type = torch_xhal::type_of(iterator);                                                \
    TORCH_CHECK_NOT_IMPLEMENTED(!isFloatingType(type), "\"" #stub "\" not implemented for '", type, "'"); \
    torch_xhal::run_binary(iterator, code, type);                                                         \
  })
TORCH_XHAL_BITWISE(bitwise_and_stub, XHAL_OP_BITWISE_AND)
TORCH_XHAL_BITWISE(bitwise_or_stub, XHAL_OP_BITWISE_OR)
TORCH_XHAL_BITWISE(bitwise_xor_stub, XHAL_OP_BITWISE_XOR)
TORCH_XHAL_BITWISE(lshift_stub, XHAL_OP_LSHIFT)
TORCH_XHAL_BITWISE(rshift_stub, XHAL_OP_RSHIFT)
TORCH_XHAL_BITWISE(gcd_stub, XHAL_OP_GCD)
TORCH_XHAL_BITWISE(lcm_stub, XHAL_OP_LCM)

REGISTER_PRIVATEUSE1_DISPATCH(GeluBackwardKernel, [](TensorIteratorBase& iterator, GeluType form) {
  torch_xhal::run_binary(iterator,
                         form == GeluType::Tanh ? XHAL_OP_GELU_TANH_BACKWARD : XHAL_OP_GELU_BACKWARD,
                         torch_xhal::type_of(iterator));
})
REGISTER_PRIVATEUSE1_DISPATCH(elu_backward_stub, [](TensorIteratorBase& iterator, const Scalar& alpha,
                                                    const Scalar& scale, const Scalar& input_scale,
                                                    bool is_result) {
  torch_xhal::run_binary(iterator, is_result ? XHAL_OP_ELU_BACKWARD_RESULT : XHAL_OP_ELU_BACKWARD,
                         torch_xhal::type_of(iterator),
                         {alpha.toDouble() * scale.toDouble(), scale, input_scale});
})
// The condition is the first input and has a type of its own.
REGISTER_PRIVATEUSE1_DISPATCH(where_kernel, [](TensorIterator& iterator) {
  torch_xhal::run_ternary(iterator, XHAL_OP_WHERE, iterator.dtype(0));
})

}  // namespace at::native
