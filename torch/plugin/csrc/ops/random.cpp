// SPDX-License-Identifier: Apache-2.0
// Fills: PyTorch's host side reaches them by its dispatch stubs.
#include "ops/random.hpp"

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/native/UnaryOps.h>
#include <ATen/ops/empty.h>

#include <cmath>
#include <mutex>

#include "ops/types.hpp"
#include "runtime/capture.hpp"
#include "runtime/generator.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

constinit Kernel random_f32{"random", "xhal_random_f32"};
constinit Kernel random_f64{"random", "xhal_random_f64"};
constinit Kernel random_i64{"random", "xhal_random_i64"};
constinit Kernel bernoulli_f32{"random", "xhal_random_bernoulli_f32"};
constinit Kernel bernoulli_f64{"random", "xhal_random_bernoulli_f64"};
constinit Kernel uniform_dense{"random", "xhal_random_uniform_f32"};
constinit Kernel normal_dense{"random", "xhal_random_normal_f32"};

// A word for each element, or two.
constexpr uint64_t kWords = 4;
constexpr uint64_t kLongWords = 2;

Memory memory_of(const at::TensorIteratorBase& iterator, int k, uint32_t access) {
  auto bytes = static_cast<uint64_t>(iterator.element_size(k));
  for (int d = 0; d < iterator.ndim(); ++d)
    bytes += static_cast<uint64_t>(iterator.shape()[d] - 1) * static_cast<uint64_t>(iterator.strides(k)[d]);
  return {iterator.data_ptr(k), bytes, access};
}

// Bytes between elements keep what they are.
Memory output_of(const at::TensorIteratorBase& iterator) {
  Memory out = memory_of(iterator, 0, XHAL_ACCESS_WRITE);
  if (out.bytes != static_cast<uint64_t>(iterator.numel() * iterator.element_size(0)))
    out.access = XHAL_ACCESS_READ_WRITE;
  return out;
}

bool has_room(const at::TensorIteratorBase& iterator) {
  int dims = 0;
  for (const int64_t size : iterator.shape()) dims += size != 1;
  return dims <= XHAL_OP_DIMS;
}

xhal_op_shape shape_of(const at::TensorIteratorBase& iterator) {
  xhal_op_shape out = {};
  for (int d = 0; d < iterator.ndim(); ++d) {
    if (iterator.shape()[d] == 1) continue;
    out.sizes[out.dims] = static_cast<uint64_t>(iterator.shape()[d]);
    for (int k = 0; k < iterator.ntensors(); ++k) out.strides[k][out.dims] = iterator.strides(k)[d];
    ++out.dims;
  }
  for (int k = 0; k < iterator.ntensors(); ++k) out.types[k] = code_of(iterator.dtype(k));
  return out;
}

// An element's number is its place in the order of the output's memory.
template <class Run>
void run_on(at::TensorIteratorBase& iterator, const Run& run) {
  if (iterator.numel() == 0) return;
  if (has_room(iterator)) {
    run(iterator);
    return;
  }
  const at::Tensor& whole = iterator.tensor(0);
  const at::Tensor dense = at::empty(whole.sizes(), whole.options());
  auto flat = at::TensorIterator::borrowing_nullary_op(dense);
  run(flat);
  whole.copy_(dense);
}

bool is_dense_f32(const at::TensorIteratorBase& iterator) {
  return iterator.dtype(0) == at::kFloat && iterator.ndim() == 1 &&
         iterator.strides(0)[0] == static_cast<int64_t>(sizeof(float));
}

void fill(at::TensorIteratorBase& whole, xhal_op_random_code code,
          const std::optional<at::Generator>& generator, double p, double q) {
  run_on(whole, [&](at::TensorIteratorBase& iterator) {
    const c10::DeviceIndex device = iterator.device(0).index();
    const bool is_wide = iterator.dtype(0) == at::kDouble ||
                         (!at::isFloatingType(iterator.dtype(0)) && is_native_type(at::kDouble, device));
    Draw draw(generator, device, static_cast<uint64_t>(iterator.numel()));
    draw.numbers.code = code;
    const Memory to = output_of(iterator);
    if (is_dense_f32(iterator) && (code == XHAL_OP_RANDOM_UNIFORM || code == XHAL_OP_RANDOM_NORMAL)) {
      const uint64_t full = draw.numbers.count / kWords;
      if (full != 0)
        launch(code == XHAL_OP_RANDOM_UNIFORM ? uniform_dense : normal_dense, device, items(device, full), to,
               draw.replay(to.pointer), draw.numbers, static_cast<float>(p), static_cast<float>(q));
      if (draw.numbers.count % kWords == 0) return;
      draw.numbers.first = full;
    }
    xhal_op_values values = {};
    set_value(values, 0, p);
    set_value(values, 1, q);
    const uint64_t blocks = draw.blocks(is_wide ? kLongWords : kWords) - draw.numbers.first;
    launch(
        is_wide ? random_f64 : random_f32, device, items(device, blocks),
        Memory{to.pointer, to.bytes, draw.numbers.first == 0 ? to.access : uint32_t{XHAL_ACCESS_READ_WRITE}},
        draw.replay(to.pointer), draw.numbers, shape_of(iterator), values);
  });
}

void fill_floats(at::TensorIteratorBase& iterator, const char* name, xhal_op_random_code code,
                 const std::optional<at::Generator>& generator, double p, double q) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(iterator.dtype(0)), '"', name, "\" not implemented for '",
                              iterator.dtype(0), "'");
  fill(iterator, code, generator, p, q);
}

// range 0 is 2^64.
void fill_integers(at::TensorIteratorBase& whole, uint64_t range, int64_t from,
                   const std::optional<at::Generator>& generator) {
  run_on(whole, [&](at::TensorIteratorBase& iterator) {
    const c10::DeviceIndex device = iterator.device(0).index();
    Draw draw(generator, device, static_cast<uint64_t>(iterator.numel()));
    draw.numbers.range = range;
    draw.numbers.from = from;
    const Memory to = output_of(iterator);
    launch(random_i64, device, items(device, draw.blocks(kLongWords)), to, draw.replay(to.pointer),
           draw.numbers, shape_of(iterator));
  });
}

// As many as the type tells apart: 0 to 2^digits, or to the largest integer.
uint64_t range_of(at::ScalarType type) {
  switch (type) {
    case at::kDouble:
      return (uint64_t{1} << 53) + 1;
    case at::kFloat:
      return (uint64_t{1} << 24) + 1;
    case at::kHalf:
      return (uint64_t{1} << 11) + 1;
    case at::kBFloat16:
      return (uint64_t{1} << 8) + 1;
    case at::kBool:
      return 2;
    case at::kByte:
      return 256;
    default:
      return uint64_t{1} << (8 * c10::elementSize(type) - 1);
  }
}

void check_full_range(at::ScalarType type) {
  TORCH_CHECK_NOT_IMPLEMENTED(type != at::kBool && type != at::kHalf,
                              "\"random_full_64_bits_range_kernel\" not implemented for '", type, "'");
  TORCH_CHECK(type == at::kLong || type == at::kDouble || type == at::kFloat || type == at::kBFloat16,
              "random_full_64_bits_range_kernel handles only int64, double, float and bfloat16");
}

void fill_bernoulli(const at::TensorBase& self, double p, const std::optional<at::Generator>& generator) {
  auto whole = at::TensorIterator::borrowing_nullary_op(self);
  run_on(whole, [&](at::TensorIteratorBase& iterator) {
    const c10::DeviceIndex device = iterator.device(0).index();
    Draw draw(generator, device, static_cast<uint64_t>(iterator.numel()));
    draw.numbers.code = XHAL_OP_RANDOM_BERNOULLI;
    draw.numbers.range = words_of_probability(p);
    const Memory to = output_of(iterator);
    launch(random_f32, device, items(device, draw.blocks(kWords)), to, draw.replay(to.pointer), draw.numbers,
           shape_of(iterator), xhal_op_values{});
  });
}

void fill_bernoulli(const at::TensorBase& self, const at::TensorBase& given,
                    const std::optional<at::Generator>& generator) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(given.scalar_type()),
                              "\"bernoulli_tensor_p_\" not implemented for '", given.scalar_type(), "'");
  const at::Tensor to = at::OptionalTensorRef(self)->alias();
  const at::Tensor p = at::OptionalTensorRef(given)->to(self.device());
  const c10::DeviceIndex device = self.device().index();
  // A graph cannot ask; there what is no probability stands for the nearest one.
  if (capture_id(current_stream(device)) == 0) {
    const bool are_probabilities = p.ge(0).logical_and_(p.le(1)).all().item<bool>();
    TORCH_CHECK(are_probabilities, "Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
  }
  const at::Tensor expanded = *expand_inplace(to, p);
  auto iterator = at::TensorIteratorConfig()
                      .add_output(to)
                      .add_const_input(expanded)
                      .check_all_same_dtype(false)
                      .resize_outputs(false)
                      .build();
  if (!has_room(iterator)) {
    const at::Tensor dense = at::empty(to.sizes(), to.options());
    fill_bernoulli(dense, p.expand_as(to).contiguous(), generator);
    to.copy_(dense);
    return;
  }
  Draw draw(generator, device, static_cast<uint64_t>(iterator.numel()));
  const Memory out = output_of(iterator);
  launch(p.scalar_type() == at::kDouble ? bernoulli_f64 : bernoulli_f32, device,
         items(device, draw.blocks(kWords)), out, memory_of(iterator, 1, XHAL_ACCESS_READ),
         draw.replay(out.pointer), draw.numbers, shape_of(iterator));
}

}  // namespace

Draw::Draw(const std::optional<at::Generator>& given, c10::DeviceIndex device, uint64_t count) {
  auto* generator = at::get_generator_or_default<Generator>(given, default_generator(device));
  PhiloxArguments drawn;
  {
    const std::lock_guard lock(generator->mutex_);
    drawn = generator->draw(kWords);
  }
  numbers.seed = drawn.seed;
  numbers.offset = drawn.offset;
  numbers.is_replayed = drawn.replay != nullptr;
  numbers.count = count;
  words_ = drawn.replay;
}

Memory Draw::replay(const void* any) const {
  if (words_ == nullptr) return {any, 0, XHAL_ACCESS_READ};
  return {words_, 2 * sizeof(uint64_t), XHAL_ACCESS_READ};
}

uint64_t words_of_probability(double p) { return static_cast<uint64_t>(std::llround(p * 0x1p32)); }

}  // namespace torch_xhal

namespace at::native {

using torch_xhal::fill;
using torch_xhal::fill_floats;
using Given = std::optional<at::Generator>;

REGISTER_PRIVATEUSE1_DISPATCH(uniform_stub, [](TensorIteratorBase& iterator, double from, double to,
                                               Given generator) {
  fill_floats(iterator, "uniform_kernel", XHAL_OP_RANDOM_UNIFORM, generator, from, to);
})
REGISTER_PRIVATEUSE1_DISPATCH(normal_stub, [](const TensorBase& self, double mean, double deviation,
                                              Given generator) {
  auto iterator = TensorIterator::borrowing_nullary_op(self);
  fill_floats(iterator, "normal_kernel", XHAL_OP_RANDOM_NORMAL, generator, mean, deviation);
})
REGISTER_PRIVATEUSE1_DISPATCH(log_normal_stub, [](TensorIteratorBase& iterator, double mean, double deviation,
                                                  Given generator) {
  fill_floats(iterator, "log_normal", XHAL_OP_RANDOM_LOG_NORMAL, generator, mean, deviation);
})
REGISTER_PRIVATEUSE1_DISPATCH(cauchy_stub, [](TensorIteratorBase& iterator, double median, double width,
                                              Given generator) {
  fill_floats(iterator, "cauchy", XHAL_OP_RANDOM_CAUCHY, generator, median, width);
})
REGISTER_PRIVATEUSE1_DISPATCH(exponential_stub, [](TensorIteratorBase& iterator, double lambda,
                                                   Given generator) {
  TORCH_CHECK(isFloatingType(iterator.dtype()),
              "Exponential distribution is a continuous probability distribution. dtype must be a floating "
              "point but you specified ",
              iterator.dtype());
  fill(iterator, XHAL_OP_RANDOM_EXPONENTIAL, generator, 1 / lambda, 0);
})
REGISTER_PRIVATEUSE1_DISPATCH(geometric_stub, [](TensorIteratorBase& iterator, double p, Given generator) {
  TORCH_CHECK_NOT_IMPLEMENTED(iterator.dtype() != kBool, "\"geometric\" not implemented for 'Bool'");
  fill(iterator, XHAL_OP_RANDOM_GEOMETRIC, generator, std::log1p(-p), 0);
})
REGISTER_PRIVATEUSE1_DISPATCH(bernoulli_scalar_stub, [](const TensorBase& self, double p, Given generator) {
  torch_xhal::fill_bernoulli(self, p, generator);
})
REGISTER_PRIVATEUSE1_DISPATCH(bernoulli_tensor_stub,
                              [](const TensorBase& self, const TensorBase& p, Given generator) {
                                torch_xhal::fill_bernoulli(self, p, generator);
                              })
REGISTER_PRIVATEUSE1_DISPATCH(random_stub, [](TensorIteratorBase& iterator, Given generator) {
  torch_xhal::fill_integers(iterator, torch_xhal::range_of(iterator.dtype()), 0, generator);
})
REGISTER_PRIVATEUSE1_DISPATCH(random_from_to_stub, [](TensorIteratorBase& iterator, uint64_t range,
                                                      int64_t from, Given generator) {
  torch_xhal::fill_integers(iterator, range, from, generator);
})
REGISTER_PRIVATEUSE1_DISPATCH(random_full_64_bits_range_stub,
                              [](TensorIteratorBase& iterator, Given generator) {
                                torch_xhal::check_full_range(iterator.dtype());
                                torch_xhal::fill_integers(iterator, 0, 0, generator);
                              })

}  // namespace at::native
