// SPDX-License-Identifier: Apache-2.0
#include "ops/elementwise.hpp"

#include <ATen/core/Tensor.h>

#include <array>
#include <bit>
#include <iterator>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constinit KernelByType any_unary = {
    {"any", "xhal_any_unary_f32"}, {"any", "xhal_any_unary_f64"}, {"any", "xhal_any_unary_i64"}};
constinit KernelByType any_binary = {
    {"any", "xhal_any_binary_f32"}, {"any", "xhal_any_binary_f64"}, {"any", "xhal_any_binary_i64"}};
constinit KernelByType any_ternary = {
    {"any", "xhal_any_ternary_f32"}, {"any", "xhal_any_ternary_f64"}, {"any", "xhal_any_ternary_i64"}};

#define TORCH_XHAL_DENSE(NAME, name) Kernel{"dense_f32", "xhal_dense_" #name "_f32"},
constinit Kernel dense_unary[] = {XHAL_OP_UNARY(TORCH_XHAL_DENSE)};
// By code; where there is none, the kernel for any type and layout runs.
struct DenseForms {
  Kernel both, right, left;
};
#define TORCH_XHAL_DENSE_FORM(name, form) \
  Kernel { "dense_f32", "xhal_dense_" #name form "_f32" }
#define TORCH_XHAL_BY_VALUE(NAME, name)                                    \
  {TORCH_XHAL_DENSE_FORM(name, ""), TORCH_XHAL_DENSE_FORM(name, "_right"), \
   TORCH_XHAL_DENSE_FORM(name, "_left")},
#define TORCH_XHAL_PAIRED(NAME, name) \
  {TORCH_XHAL_DENSE_FORM(name, ""), {nullptr, nullptr}, {nullptr, nullptr}},
#define TORCH_XHAL_NOT_DENSE(NAME, name) {{nullptr, nullptr}, {nullptr, nullptr}, {nullptr, nullptr}},
constinit DenseForms dense_binary[] = {XHAL_OP_ARITHMETIC(TORCH_XHAL_BY_VALUE) XHAL_OP_PAIRED(
    TORCH_XHAL_PAIRED) XHAL_OP_BITS(TORCH_XHAL_NOT_DENSE) XHAL_OP_COMPARISON(TORCH_XHAL_BY_VALUE)};
#define TORCH_XHAL_IS_CODE(NAME, name) || op == XHAL_OP_##NAME
// The kernel for these operands, if there is one.
Kernel* dense_form(xhal_op_binary_code op, bool has_left_value, bool has_right_value) {
  if (has_left_value && has_right_value) return nullptr;
  if (has_left_value) return (false XHAL_OP_REVERSED(TORCH_XHAL_IS_CODE)) ? &dense_binary[op].left : nullptr;
  Kernel& form = has_right_value ? dense_binary[op].right : dense_binary[op].both;
  return form.exists() ? &form : nullptr;
}
constinit Kernel dense_addcmul{"dense_f32", "xhal_dense_addcmul_f32"};
constinit Kernel dense_addcdiv{"dense_f32", "xhal_dense_addcdiv_f32"};
constinit Kernel dense_lerp{"dense_f32", "xhal_dense_lerp_f32"};

constinit Kernel moves[] = {{"move", "xhal_move_1"},
                            {"move", "xhal_move_2"},
                            {"move", "xhal_move_4"},
                            {"move", "xhal_move_8"},
                            {"move", "xhal_move_16"}};

Kernel* dense_ternary(xhal_op_ternary_code op) {
  switch (op) {
    case XHAL_OP_ADDCMUL:
      return &dense_addcmul;
    case XHAL_OP_ADDCDIV:
      return &dense_addcdiv;
    case XHAL_OP_LERP:
      return &dense_lerp;
    default:
      return nullptr;
  }
}

// What has no meaning for integers is refused, as by PyTorch's own kernels.
bool has_integers(xhal_op_unary_code op) {
  switch (op) {
    case XHAL_OP_COPY:
    case XHAL_OP_FILL:
    case XHAL_OP_ABS:
    case XHAL_OP_NEG:
    case XHAL_OP_SIGN:
    case XHAL_OP_CLAMP:
    case XHAL_OP_CLAMP_MIN:
    case XHAL_OP_CLAMP_MAX:
    case XHAL_OP_LOGICAL_NOT:
    case XHAL_OP_BITWISE_NOT:
    case XHAL_OP_POW_SCALAR:
    case XHAL_OP_SIGNBIT:
    case XHAL_OP_ISNEGINF:
    case XHAL_OP_ISPOSINF:
      return true;
    default:
      return false;
  }
}
bool has_integers(xhal_op_binary_code op) {
  switch (op) {
    case XHAL_OP_ADD:
    case XHAL_OP_MUL:
    case XHAL_OP_DIV_TRUNC:
    case XHAL_OP_DIV_FLOOR:
    case XHAL_OP_REMAINDER:
    case XHAL_OP_FMOD:
    case XHAL_OP_MAXIMUM:
    case XHAL_OP_MINIMUM:
    case XHAL_OP_FMAX:
    case XHAL_OP_FMIN:
    case XHAL_OP_POW:
    case XHAL_OP_HEAVISIDE:
    case XHAL_OP_THRESHOLD:
    case XHAL_OP_MSE:
      return true;
    default:
      return op >= XHAL_OP_BITWISE_AND;
  }
}
bool has_integers(xhal_op_ternary_code op) {
  return op == XHAL_OP_WHERE || op == XHAL_OP_ADDCMUL || op == XHAL_OP_CLAMP_TENSORS;
}

#define TORCH_XHAL_NAME(NAME, name) #name,
constexpr const char* kUnaryNames[] = {XHAL_OP_UNARY(TORCH_XHAL_NAME)};
constexpr const char* kBinaryNames[] = {XHAL_OP_BINARY(TORCH_XHAL_NAME) XHAL_OP_COMPARISON(TORCH_XHAL_NAME)};
constexpr const char* kTernaryNames[] = {XHAL_OP_TERNARY(TORCH_XHAL_NAME)};

template <class Code>
void check_type(Code op, const char* const* names, at::ScalarType type) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(type) || has_integers(op), '"', names[op],
                              "\" not implemented for '", type, "'");
}

constexpr int kImmediate = 1;  // a form's bits: 1 + the operand's number is a value rather than memory

// What a launch is made of.
struct Operands {
  explicit Operands(at::TensorIteratorBase& of) : iterator(of), device(of.device(0).index()) {
    for (int k = 0; k < iterator.ntensors(); ++k) {
      if (k > 0 && iterator.is_cpu_scalar(k)) {
        immediate |= kImmediate << k;
        continue;
      }
      const at::Device at = iterator.device(k);
      TORCH_CHECK(at == iterator.device(0),
                  "Expected all tensors to be on the same device, but found at least two devices, ",
                  iterator.device(0), " and ", at, "!");
    }
  }

  // An input that is a value, or that an operator lacks, has no memory; the output's stands in its place.
  bool is_immediate(int k) const { return k >= iterator.ntensors() || (immediate & kImmediate << k) != 0; }

  bool is_dense(at::ScalarType output) const {
    const bool is_one = iterator.numel() == 1;
    if (iterator.ndim() > 1 && !is_one) return false;
    for (int k = 0; k < iterator.ntensors(); ++k) {
      if (is_immediate(k)) continue;
      if (iterator.dtype(k) != (k == 0 ? output : at::kFloat)) return false;
      if (!is_one && iterator.strides(k)[0] != iterator.element_size(k)) return false;
    }
    return true;
  }

  Memory memory(int k) const {
    if (is_immediate(k)) return {iterator.data_ptr(0), bytes_of(0), XHAL_ACCESS_READ};
    return {iterator.data_ptr(k), bytes_of(k), k == 0 ? output_access() : uint32_t{XHAL_ACCESS_READ}};
  }

  at::TensorIteratorBase& iterator;
  c10::DeviceIndex device;
  unsigned immediate = 0;

 private:
  uint64_t bytes_of(int k) const {
    uint64_t out = static_cast<uint64_t>(iterator.element_size(k));
    const auto shape = iterator.shape();
    const auto strides = iterator.strides(k);
    for (size_t d = 0; d < shape.size(); ++d)
      out += static_cast<uint64_t>(shape[d] - 1) * static_cast<uint64_t>(strides[d]);
    return out;
  }
  // Bytes between elements keep what they are, and an input may be the output itself.
  uint32_t output_access() const {
    if (bytes_of(0) != static_cast<uint64_t>(iterator.numel() * iterator.element_size(0)))
      return XHAL_ACCESS_READ_WRITE;
    for (int k = 1; k < iterator.ntensors(); ++k)
      if (!is_immediate(k) && iterator.data_ptr(k) == iterator.data_ptr(0)) return XHAL_ACCESS_READ_WRITE;
    return XHAL_ACCESS_WRITE;
  }
};

xhal_op_shape shape_of(const Operands& operands, at::ScalarType type) {
  xhal_op_shape out = {};
  const at::TensorIteratorBase& iterator = operands.iterator;
  for (int d = 0; d < iterator.ndim(); ++d) {
    const int64_t size = iterator.shape()[d];
    if (size == 1) continue;
    out.sizes[out.dims] = static_cast<uint64_t>(size);
    for (int k = 0; k < iterator.ntensors(); ++k)
      out.strides[k][out.dims] = operands.is_immediate(k) ? 0 : iterator.strides(k)[d];
    ++out.dims;
  }
  while (out.dims < 2) out.sizes[out.dims++] = 1;
  out.compute = code_of(type);
  for (int k = 0; k < XHAL_OP_OPERANDS; ++k)
    out.types[k] = operands.is_immediate(k) ? XHAL_OP_IMMEDIATE : code_of(iterator.dtype(k));
  return out;
}

at::Scalar immediate_of(const Operands& operands, int k) {
  const at::TensorBase& tensor = operands.iterator.tensor_base(k);
  return at::OptionalTensorRef(tensor)->item();
}

xhal_op_values values_of(const Operands& operands, Parameters parameters) {
  xhal_op_values out = {};
  int number = 0;
  for (const at::Scalar& parameter : parameters) set_value(out, number++, parameter);
  for (int k = 1; k < operands.iterator.ntensors(); ++k)
    if (operands.is_immediate(k)) set_value(out, XHAL_OP_FIRST_IMMEDIATE + k, immediate_of(operands, k));
  return out;
}

Grid grid_of(c10::DeviceIndex device, const xhal_op_shape& shape) {
  uint64_t deep = 1;
  for (uint32_t d = 2; d < shape.dims; ++d) deep *= shape.sizes[d];
  return items(device, shape.sizes[0], shape.sizes[1], deep);
}

int real_dims(const at::TensorIteratorBase& iterator) {
  int out = 0;
  for (const int64_t size : iterator.shape()) out += size != 1;
  return out;
}

// Runs `one` on the iterator, or on slices of its outermost dimension until a launch has place for what is left.
template <class One>
void within_dims(at::TensorIteratorBase& iterator, const One& one) {
  if (real_dims(iterator) <= XHAL_OP_DIMS) {
    one(iterator);
    return;
  }
  int outermost = iterator.ndim() - 1;
  while (iterator.shape()[outermost] == 1) --outermost;
  for (int64_t i = 0; i < iterator.shape()[outermost]; ++i) {
    at::TensorIterator slice(iterator);
    slice.narrow(outermost, i, 1);
    within_dims(slice, one);
  }
}

float parameter(Parameters parameters, size_t number) {
  return number < parameters.size() ? std::data(parameters)[number].to<float>() : 0.0F;
}

template <class... Inputs>
void launch_any(KernelByType& kernels, uint32_t op, const Operands& operands, at::ScalarType type,
                Parameters parameters, const Inputs&... inputs) {
  const xhal_op_shape shape = shape_of(operands, type);
  launch(kernels.of(type), operands.device, grid_of(operands.device, shape), op, operands.memory(0),
         inputs..., shape, values_of(operands, parameters));
}

bool is_comparison(xhal_op_binary_code op) { return op >= XHAL_OP_EQ; }

}  // namespace

void check_types(const at::TensorIteratorBase& iterator) {
  for (int k = 0; k < iterator.ntensors(); ++k)
    TORCH_CHECK_NOT_IMPLEMENTED(code_of(iterator.dtype(k)) != kNoCode, device_title(), " has no kernel for ",
                                iterator.dtype(k));
}

void run_unary(at::TensorIteratorBase& whole, xhal_op_unary_code op, at::ScalarType type,
               Parameters parameters) {
  if (whole.numel() == 0) return;
  check_types(whole);
  check_type(op, kUnaryNames, type);
  within_dims(whole, [&](at::TensorIteratorBase& iterator) {
    const Operands operands(iterator);
    if (type == at::kFloat && operands.immediate == 0 && operands.is_dense(at::kFloat)) {
      const auto n = static_cast<uint64_t>(iterator.numel());
      launch(dense_unary[op], operands.device, items(operands.device, n), operands.memory(0),
             operands.memory(1), parameter(parameters, 0), parameter(parameters, 1), parameter(parameters, 2),
             n);
      return;
    }
    launch_any(any_unary, op, operands, type, parameters, operands.memory(1));
  });
}

void run_binary(at::TensorIteratorBase& whole, xhal_op_binary_code op, at::ScalarType type,
                Parameters parameters) {
  if (whole.numel() == 0) return;
  check_types(whole);
  check_type(op, kBinaryNames, type);
  within_dims(whole, [&](at::TensorIteratorBase& iterator) {
    const Operands operands(iterator);
    const bool has_left_value = operands.is_immediate(1);
    const bool has_right_value = operands.is_immediate(2);
    Kernel* dense = dense_form(op, has_left_value, has_right_value);
    if (dense != nullptr && type == at::kFloat &&
        operands.is_dense(is_comparison(op) ? at::kBool : at::kFloat)) {
      const auto n = static_cast<uint64_t>(iterator.numel());
      const auto run = [&](const auto& a, const auto& b) {
        launch(*dense, operands.device, items(operands.device, n), operands.memory(0), a, b,
               parameter(parameters, 0), parameter(parameters, 1), parameter(parameters, 2), n);
      };
      if (has_right_value)
        run(operands.memory(1), immediate_of(operands, 2).to<float>());
      else if (has_left_value)
        run(immediate_of(operands, 1).to<float>(), operands.memory(2));
      else
        run(operands.memory(1), operands.memory(2));
      return;
    }
    launch_any(any_binary, op, operands, type, parameters, operands.memory(1), operands.memory(2));
  });
}

void run_ternary(at::TensorIteratorBase& whole, xhal_op_ternary_code op, at::ScalarType type,
                 Parameters parameters) {
  if (whole.numel() == 0) return;
  check_types(whole);
  check_type(op, kTernaryNames, type);
  within_dims(whole, [&](at::TensorIteratorBase& iterator) {
    const Operands operands(iterator);
    Kernel* dense = dense_ternary(op);
    if (dense != nullptr && type == at::kFloat && operands.immediate == 0 && operands.is_dense(at::kFloat)) {
      const auto n = static_cast<uint64_t>(iterator.numel());
      launch(*dense, operands.device, items(operands.device, n), operands.memory(0), operands.memory(1),
             operands.memory(2), operands.memory(3), parameter(parameters, 0), parameter(parameters, 1), n);
      return;
    }
    launch_any(any_ternary, op, operands, type, parameters, operands.memory(1), operands.memory(2),
               operands.memory(3));
  });
}

void run_move(at::TensorIteratorBase& whole) {
  if (whole.numel() == 0) return;
  within_dims(whole, [](at::TensorIteratorBase& iterator) {
    const Operands operands(iterator);
    const xhal_op_shape shape = shape_of(operands, iterator.dtype(0));
    const auto bytes = static_cast<unsigned>(iterator.element_size(0));
    launch(moves[std::countr_zero(bytes)], operands.device, grid_of(operands.device, shape),
           operands.memory(0), operands.memory(1), shape);
  });
}

}  // namespace torch_xhal
