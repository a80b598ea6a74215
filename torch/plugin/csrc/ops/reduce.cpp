// SPDX-License-Identifier: Apache-2.0
#include "ops/reduce.hpp"

#include <ATen/native/ReduceOps.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/rows.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constinit KernelByType reduce_any = {
    {"reduce", "xhal_reduce_any_f32"}, {"reduce", "xhal_reduce_any_f64"}, {"reduce", "xhal_reduce_any_i64"}};
constinit Kernel sum_rows{"reduce", "xhal_reduce_rows_sum_f32"};
// Integers are refused before they are asked for.
constinit KernelByType softmaxes = {
    {"reduce", "xhal_softmax_f32"}, {"reduce", "xhal_softmax_f64"}, {nullptr, nullptr}};
constinit KernelByType softmax_gradients = {
    {"reduce", "xhal_softmax_backward_f32"}, {"reduce", "xhal_softmax_backward_f64"}, {nullptr, nullptr}};

constexpr uint32_t kLanes = 64;

xhal_op_reduction reduction_of(const at::TensorIteratorBase& iterator) {
  xhal_op_reduction out = {};
  out.outputs = out.count = 1;
  for (int d = 0; d < iterator.ndim(); ++d) {
    const auto size = static_cast<uint64_t>(iterator.shape()[d]);
    if (size == 1) continue;
    uint32_t& dims = iterator.strides(0)[d] == 0 ? out.reduced_dims : out.kept_dims;
    TORCH_CHECK_NOT_IMPLEMENTED(dims < XHAL_OP_DIMS, "a reduction over more than ", XHAL_OP_DIMS,
                                " dimensions that do not lie densely");
    if (iterator.strides(0)[d] == 0) {
      out.reduced[dims] = size;
      out.reduced_input[dims] = iterator.strides(1)[d];
      out.count *= size;
    } else {
      out.kept[dims] = size;
      out.kept_input[dims] = iterator.strides(1)[d];
      out.kept_output[dims] = iterator.strides(0)[d];
      out.outputs *= size;
    }
    ++dims;
  }
  if (out.reduced_dims == 0 || out.count == 0) {
    out.reduced_dims = 1;
    out.reduced[0] = 1;
    out.reduced_input[0] = 0;
  }
  out.input_type = code_of(iterator.dtype(1));
  out.output_type = code_of(iterator.dtype(0));
  return out;
}

Memory memory_of(const at::TensorIteratorBase& iterator, int k, uint32_t access) {
  auto bytes = static_cast<uint64_t>(iterator.element_size(k));
  for (int d = 0; d < iterator.ndim(); ++d)
    bytes += static_cast<uint64_t>(iterator.shape()[d] - 1) * static_cast<uint64_t>(iterator.strides(k)[d]);
  return {iterator.data_ptr(k), bytes, access};
}

// Rows of f32 one behind the other, each to one element: what a group adds up with all its items.
bool are_dense_rows(const xhal_op_reduction& shape) {
  const auto bytes = static_cast<int64_t>(sizeof(float));
  return shape.input_type == XHAL_DTYPE_F32 && shape.output_type == XHAL_DTYPE_F32 &&
         shape.reduced_dims == 1 && shape.reduced_input[0] == bytes && shape.count >= kLanes &&
         (shape.kept_dims == 0 || (shape.kept_dims == 1 && shape.kept_output[0] == bytes &&
                                   shape.kept_input[0] == static_cast<int64_t>(shape.count) * bytes));
}

template <class... Inputs>
void launch_rows(KernelByType& kernels, bool is_log, const at::Tensor& input, int64_t dim,
                 const at::Tensor& out, const Inputs&... inputs) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(input.scalar_type()), "\"softmax\" not implemented for '",
                              input.scalar_type(), "'");
  if (input.numel() == 0) return;
  const Rows rows(input, dim);
  const uint64_t count = rows.outer * rows.inner;
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    launch(kernels.of(input.scalar_type()), device, items(device, count), uint32_t{is_log}, writes(to),
           reads(inputs)..., count, rows.n, rows.inner, code_of(input.scalar_type()),
           static_cast<uint32_t>(input.element_size()), code_of(to.scalar_type()),
           static_cast<uint32_t>(to.element_size()));
  });
}

void softmax(bool is_log, const at::Tensor& self, int64_t dim, const at::Tensor& out) {
  const at::Tensor input = self.contiguous();
  launch_rows(softmaxes, is_log, input, dim, out, input);
}
void softmax_backward(bool is_log, const at::Tensor& gradient, const at::Tensor& result, int64_t dim,
                      const at::Tensor& out) {
  const at::Tensor dense_gradient = gradient.contiguous();
  const at::Tensor dense_result = result.contiguous();
  launch_rows(softmax_gradients, is_log, dense_gradient, dim, out, dense_gradient, dense_result);
}

}  // namespace

void run_reduction(at::TensorIteratorBase& iterator, xhal_op_reduction_code op, const at::Scalar& parameter) {
  check_types(iterator);
  // num_output_elements() counts none, too, where each output is one of no elements.
  if (iterator.tensor_base(0).numel() == 0) return;
  const c10::DeviceIndex device = iterator.device(0).index();
  const xhal_op_reduction shape = reduction_of(iterator);
  const Memory output = memory_of(iterator, 0, XHAL_ACCESS_READ_WRITE);
  // Of nothing the kernel makes what the operator begins with; an address that it does not look at stands for the input.
  const bool is_of_nothing = iterator.tensor_base(1).numel() == 0;
  const Memory input = is_of_nothing ? Memory{output.pointer, output.bytes, XHAL_ACCESS_READ}
                                     : memory_of(iterator, 1, XHAL_ACCESS_READ);
  const bool is_mean = op == XHAL_OP_REDUCE_MEAN;
  if ((op == XHAL_OP_REDUCE_SUM || is_mean) && are_dense_rows(shape)) {
    const float divisor = is_mean ? static_cast<float>(shape.count) : 1.0F;
    launch(sum_rows, device, groups(shape.outputs, kLanes), output, input, shape.count, divisor,
           Local{kLanes * sizeof(float)});
    return;
  }
  xhal_op_values values = {};
  set_value(values, 0, parameter);
  launch(reduce_any.of(iterator.dtype(1)), device, items(device, shape.outputs), static_cast<uint32_t>(op),
         output, input, shape, values);
}

void Softmax::impl(const at::Tensor& self, int64_t dim, bool, const at::Tensor& out) {
  softmax(false, self, dim, out);
}
void LogSoftmax::impl(const at::Tensor& self, int64_t dim, bool, const at::Tensor& out) {
  softmax(true, self, dim, out);
}
void SoftmaxBackward::impl(const at::Tensor& gradient, const at::Tensor& result, int64_t dim, at::ScalarType,
                           const at::Tensor& out) {
  softmax_backward(false, gradient, result, dim, out);
}
void LogSoftmaxBackward::impl(const at::Tensor& gradient, const at::Tensor& result, int64_t dim,
                              at::ScalarType, const at::Tensor& out) {
  softmax_backward(true, gradient, result, dim, out);
}

}  // namespace torch_xhal

namespace at::native {

#define TORCH_XHAL_REDUCTION(stub, code)                                       \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](auto& iterator, auto... parameters) { \
    torch_xhal::run_reduction(iterator, code, parameters...);                  \
  })
TORCH_XHAL_REDUCTION(sum_stub, XHAL_OP_REDUCE_SUM)
TORCH_XHAL_REDUCTION(nansum_stub, XHAL_OP_REDUCE_NANSUM)
TORCH_XHAL_REDUCTION(mean_stub, XHAL_OP_REDUCE_MEAN)
TORCH_XHAL_REDUCTION(prod_stub, XHAL_OP_REDUCE_PROD)
TORCH_XHAL_REDUCTION(min_values_stub, XHAL_OP_REDUCE_MIN)
TORCH_XHAL_REDUCTION(max_values_stub, XHAL_OP_REDUCE_MAX)
TORCH_XHAL_REDUCTION(and_stub, XHAL_OP_REDUCE_ALL)
TORCH_XHAL_REDUCTION(or_stub, XHAL_OP_REDUCE_ANY)
TORCH_XHAL_REDUCTION(argmin_stub, XHAL_OP_REDUCE_ARGMIN)
TORCH_XHAL_REDUCTION(argmax_stub, XHAL_OP_REDUCE_ARGMAX)
TORCH_XHAL_REDUCTION(norm_stub, XHAL_OP_REDUCE_NORM)
REGISTER_PRIVATEUSE1_DISPATCH(std_var_stub, [](TensorIterator& iterator, double correction, bool takes_root) {
  torch_xhal::run_reduction(iterator, takes_root ? XHAL_OP_REDUCE_STD : XHAL_OP_REDUCE_VAR, correction);
})

}  // namespace at::native
