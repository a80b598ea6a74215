// SPDX-License-Identifier: Apache-2.0
#include "ops/random_shaped.hpp"

#include <ATen/TensorIterator.h>
#include <ATen/ops/_assert_async_native.h>
#include <ATen/ops/empty.h>

#include "kernels/by_type.hpp"
#include "ops/norm.hpp"
#include "ops/random.hpp"
#include "runtime/capture.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

// Computed in double wherever the device has it, as on the host.
struct Shaped {
  Kernel f32, f64;
  Kernel& on(c10::DeviceIndex device) { return is_native_type(at::kDouble, device) ? f64 : f32; }
};
#define TORCH_XHAL_SHAPED(name)                        \
  {                                                    \
    {"random", name "_f32"}, { "random", name "_f64" } \
  }
constinit Shaped poisson_numbers = TORCH_XHAL_SHAPED("xhal_random_poisson");
constinit Shaped binomial_numbers = TORCH_XHAL_SHAPED("xhal_random_binomial");
constinit Shaped gamma_numbers = TORCH_XHAL_SHAPED("xhal_random_gamma");

void check_type(const char* name, const at::Tensor& tensor, bool takes_halves) {
  const at::ScalarType type = tensor.scalar_type();
  TORCH_CHECK_NOT_IMPLEMENTED(
      type == at::kFloat || type == at::kDouble || (takes_halves && at::isReducedFloatingType(type)), '"',
      name, "\" not implemented for '", at::toString(type), "'");
}

template <class... Parameters>
at::Tensor drawn(Shaped& kernels, const GivenGenerator& generator, at::IntArrayRef sizes,
                 const at::Tensor& like, const Parameters&... parameters) {
  at::Tensor out = at::empty(sizes, like.options());
  if (out.numel() == 0) return out;
  const c10::DeviceIndex device = out.device().index();
  const Draw draw(generator, device, static_cast<uint64_t>(out.numel()));
  launch(kernels.on(device), device, items(device, draw.numbers.count), writes(out), reads(parameters)...,
         draw.replay(out.const_data_ptr()), draw.numbers, code_of(out.scalar_type()),
         static_cast<uint32_t>(out.element_size()));
  return out;
}

bool may_ask(const at::Tensor& tensor) {
  return tensor.device().type() != kDevice || capture_id(current_stream(tensor.device().index())) == 0;
}

}  // namespace

at::Tensor poisson(const at::Tensor& rates, GivenGenerator generator) {
  check_type("poisson_cpu", rates, true);
  return drawn(poisson_numbers, generator, rates.sizes(), rates, rates.contiguous());
}

at::Tensor binomial(const at::Tensor& counts, const at::Tensor& shares, GivenGenerator generator) {
  TORCH_CHECK_VALUE(at::isFloatingType(counts.scalar_type()),
                    "binomial only supports floating-point dtypes for count, got: ", counts.scalar_type());
  TORCH_CHECK_VALUE(at::isFloatingType(shares.scalar_type()),
                    "binomial only supports floating-point dtypes for prob, got: ", shares.scalar_type());
  // As the host's iterator has it: types, shapes and what it says of them.
  const at::Tensor out = at::empty(counts.sizes(), counts.options());
  const auto iterator =
      at::TensorIteratorConfig().add_output(out).add_const_input(counts).add_const_input(shares).build();
  check_type("binomial_cpu", out, false);
  return drawn(binomial_numbers, generator, out.sizes(), out, counts.expand(out.sizes()).contiguous(),
               shares.expand(out.sizes()).contiguous());
}

at::Tensor standard_gamma(const at::Tensor& shapes, GivenGenerator generator) {
  check_type("gamma_cpu", shapes, false);
  return drawn(gamma_numbers, generator, shapes.sizes(), shapes, shapes.contiguous());
}

void assert_async(const at::Tensor& condition) {
  if (may_ask(condition)) at::native::_assert_async_cpu(condition);
}
void assert_async_message(const at::Tensor& condition, std::string_view message) {
  if (may_ask(condition)) at::native::_assert_async_msg_cpu(condition, message);
}

}  // namespace torch_xhal
