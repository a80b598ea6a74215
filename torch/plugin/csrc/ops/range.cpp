// SPDX-License-Identifier: Apache-2.0
#include "ops/range.hpp"

#include <ATen/Dispatch.h>
#include <ATen/WrapDimUtilsMulti.h>
#include <ATen/native/RangeFactories.h>
#include <ATen/native/Resize.h>
#include <ATen/native/TensorFactories.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <bit>
#include <cmath>
#include <type_traits>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constinit KernelByType ranges = {
    {"range", "xhal_range_f32"}, {"range", "xhal_range_f64"}, {"range", "xhal_range_i64"}};
// By the size of an element: 1, 2, 4, 8.
constinit Kernel triangles[] = {{"range", "xhal_triangle_1"},
                                {"range", "xhal_triangle_2"},
                                {"range", "xhal_triangle_4"},
                                {"range", "xhal_triangle_8"}};
constinit Kernel flips[] = {
    {"range", "xhal_flip_1"}, {"range", "xhal_flip_2"}, {"range", "xhal_flip_4"}, {"range", "xhal_flip_8"}};
constinit Kernel triangle_indices{"range", "xhal_triangle_indices"};

Kernel& by_size(Kernel* kernels, const at::Tensor& tensor) {
  return kernels[std::countr_zero(static_cast<unsigned>(tensor.element_size()))];
}

struct Numbers {
  at::Scalar start, step, end = 0;
  double base = 0;
};

// Steps are taken in f64 where the device has it, as on the host; whole steps of whole numbers in i64.
void write_range(const at::Tensor& out, xhal_op_range_code op, const Numbers& numbers) {
  if (out.numel() == 0) return;
  const c10::DeviceIndex device = out.device().index();
  const bool is_whole = op == XHAL_OP_RANGE_STEPS && !at::isFloatingType(out.scalar_type());
  const at::ScalarType compute = is_whole                              ? at::kLong
                                 : is_native_type(at::kDouble, device) ? at::kDouble
                                                                       : at::kFloat;
  xhal_op_values values = {};
  set_value(values, 0, numbers.start);
  set_value(values, 1, numbers.step);
  set_value(values, 2, numbers.end);
  set_value(values, 3, numbers.base);
  const auto n = static_cast<uint64_t>(out.numel());
  const int64_t stride = (out.dim() == 0 ? 1 : out.stride(0)) * static_cast<int64_t>(out.element_size());
  launch(ranges.of(compute), device, items(device, n), static_cast<uint32_t>(op), updates(out), n, stride,
         code_of(out.scalar_type()), values);
}

// The ends as the type has them, and the step between; in 16 bits a host's lines have a step of the type, too.
Numbers line_of(const at::Scalar& start, const at::Scalar& end, int64_t steps, at::ScalarType type,
                bool rounds_step) {
  Numbers out;
  AT_DISPATCH_ALL_TYPES_AND2(at::kBFloat16, at::kHalf, type, "linspace", [&] {
    const auto first = start.to<scalar_t>();
    const auto last = end.to<scalar_t>();
    out.start = static_cast<double>(first);
    out.end = static_cast<double>(last);
    const double step =
        steps > 1 ? (out.end.toDouble() - out.start.toDouble()) / static_cast<double>(steps - 1) : 0.0;
    out.step = rounds_step && sizeof(scalar_t) == 2 && !std::is_integral_v<scalar_t>
                   ? static_cast<double>(static_cast<scalar_t>(step))
                   : step;
  });
  return out;
}

void arange(at::TensorIterator& iterator, const at::Scalar& start, const at::Scalar&,
            const at::Scalar& step) {
  const at::Tensor& out = iterator.tensor(0);
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"arange_cpu\" not implemented for 'Bool'");
  write_range(out, XHAL_OP_RANGE_STEPS, {start, step});
}

void linspace(at::TensorIterator& iterator, const at::Scalar& start, const at::Scalar& end, int64_t steps) {
  const at::Tensor& out = iterator.tensor(0);
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"linspace_cpu\" not implemented for 'Bool'");
  write_range(out, XHAL_OP_RANGE_LINE, line_of(start, end, steps, out.scalar_type(), true));
}

void keep_triangle(bool is_upper, const at::Tensor& self, int64_t diagonal, const at::Tensor& out) {
  if (self.numel() == 0) return;
  const at::Tensor from = self.contiguous();
  const at::Tensor to = out.is_contiguous() ? out : at::empty(out.sizes(), out.options());
  const c10::DeviceIndex device = out.device().index();
  const auto height = static_cast<uint64_t>(self.size(-2));
  const auto columns = static_cast<uint64_t>(self.size(-1));
  const uint64_t rows = static_cast<uint64_t>(self.numel()) / columns;
  launch(by_size(triangles, to), device, items(device, rows), uint32_t{is_upper}, updates(to), reads(from),
         rows, height, columns, diagonal);
  if (!to.is_same(out)) out.copy_(to);
}

at::Tensor indices_of_triangle(bool is_upper, int64_t rows, int64_t columns, int64_t diagonal,
                               const at::TensorOptions& options) {
  at::native::check_args(rows, columns, options.layout());
  const int64_t lower = at::native::get_tril_size(rows, columns, is_upper ? diagonal - 1 : diagonal);
  const int64_t count = is_upper ? rows * columns - lower : lower;
  const at::Tensor out = at::empty({2, count}, options);
  const at::ScalarType type = out.scalar_type();
  TORCH_CHECK_NOT_IMPLEMENTED(at::isIntegralType(type, false) || type == at::kLong, '"',
                              is_upper ? "triu" : "tril", "_indices\" not implemented for '", type, "'");
  if (count == 0) return out;
  const c10::DeviceIndex device = out.device().index();
  launch(triangle_indices, device, items(device, static_cast<uint64_t>(rows)), uint32_t{is_upper},
         updates(out), static_cast<uint64_t>(count), rows, columns, diagonal, code_of(type));
  return out;
}

at::TensorOptions options_of(std::optional<at::ScalarType> type, std::optional<at::Layout> layout,
                             std::optional<at::Device> device, std::optional<bool> pin_memory) {
  return at::TensorOptions()
      .dtype(type.value_or(at::kLong))
      .layout(layout)
      .device(device.value_or(at::Device(kDevice)))
      .pinned_memory(pin_memory);
}

}  // namespace

void Tril::impl(const at::Tensor& self, int64_t diagonal, const at::Tensor& out) {
  keep_triangle(false, self, diagonal, out);
}
void Triu::impl(const at::Tensor& self, int64_t diagonal, const at::Tensor& out) {
  keep_triangle(true, self, diagonal, out);
}

at::Tensor& logspace_out(const at::Scalar& start, const at::Scalar& end, int64_t steps, double base,
                         at::Tensor& out) {
  TORCH_CHECK(steps >= 0, "number of steps must be non-negative");
  if (out.numel() != steps) out.resize_({steps});
  if (steps == 0) return out;
  if (steps == 1) return out.fill_(std::pow(base, start.to<double>()));
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"logspace_cpu\" not implemented for 'Bool'");
  const at::Tensor dense = out.is_contiguous() ? out : at::empty({steps}, out.options());
  Numbers numbers = line_of(start, end, steps, out.scalar_type(), false);
  numbers.base = base;
  write_range(dense, XHAL_OP_RANGE_POWERS, numbers);
  if (!dense.is_same(out)) out.copy_(dense.view(out.sizes()));
  return out;
}

at::Tensor& range_out(const at::Scalar& start, const at::Scalar& end, const at::Scalar& step,
                      at::Tensor& out) {
  const double first = start.toDouble();
  const double last = end.toDouble();
  const double by = step.toDouble();
  TORCH_CHECK(by > 0 || by < 0, "step must be nonzero");
  TORCH_CHECK(std::isfinite(first) && std::isfinite(last), "unsupported range: ", first, " -> ", last);
  TORCH_CHECK((by > 0 && last >= first) || (by < 0 && last <= first),
              "upper bound and lower bound inconsistent with step sign");
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"range_cpu\" not implemented for 'Bool'");
  const bool is_whole = !at::isFloatingType(out.scalar_type());
  const int64_t size =
      is_whole
          ? (end.to<int64_t>() - start.to<int64_t>()) / (step.to<int64_t>() == 0 ? 1 : step.to<int64_t>()) + 1
          : static_cast<int64_t>((last - first) / by + 1);
  if (out.numel() != size) out.resize_({size});
  const at::Tensor dense = out.is_contiguous() ? out : at::empty({size}, out.options());
  write_range(dense.view({size}), XHAL_OP_RANGE_STEPS, {start, step});
  if (!dense.is_same(out)) out.copy_(dense.view(out.sizes()));
  return out;
}

at::Tensor& range_out_by_one(const at::Scalar& start, const at::Scalar& end, at::Tensor& out) {
  return range_out(start, end, 1, out);
}

at::Tensor& eye_m_out(int64_t n, int64_t m, at::Tensor& out) {
  TORCH_CHECK(n >= 0, "n must be greater or equal to 0, got ", n);
  TORCH_CHECK(m >= 0, "m must be greater or equal to 0, got ", m);
  out.resize_({n, m});
  out.zero_();
  if (out.numel() != 0) out.diagonal().fill_(1);
  return out;
}

at::Tensor tril_indices(int64_t rows, int64_t columns, int64_t diagonal, std::optional<at::ScalarType> type,
                        std::optional<at::Layout> layout, std::optional<at::Device> device,
                        std::optional<bool> pin_memory) {
  return indices_of_triangle(false, rows, columns, diagonal, options_of(type, layout, device, pin_memory));
}
at::Tensor triu_indices(int64_t rows, int64_t columns, int64_t diagonal, std::optional<at::ScalarType> type,
                        std::optional<at::Layout> layout, std::optional<at::Device> device,
                        std::optional<bool> pin_memory) {
  return indices_of_triangle(true, rows, columns, diagonal, options_of(type, layout, device, pin_memory));
}

at::Tensor flip(const at::Tensor& self, at::IntArrayRef dims) {
  const auto flipped = at::dim_list_to_bitset(dims, self.dim());
  at::Tensor out = at::empty_like(self, at::MemoryFormat::Preserve);
  if (self.numel() == 0) return out;
  xhal_op_shape shape = {};
  int64_t first = 0;
  const auto bytes = static_cast<int64_t>(self.element_size());
  for (int64_t d = self.dim() - 1; d >= 0; --d) {
    if (self.size(d) == 1) continue;
    TORCH_CHECK_NOT_IMPLEMENTED(shape.dims < XHAL_OP_DIMS, "flip of a tensor of more than ", XHAL_OP_DIMS,
                                " dimensions");
    const bool is_flipped = flipped[static_cast<size_t>(d)];
    if (is_flipped) first += (self.size(d) - 1) * self.stride(d) * bytes;
    shape.sizes[shape.dims] = static_cast<uint64_t>(self.size(d));
    shape.strides[0][shape.dims] = out.stride(d) * bytes;
    shape.strides[1][shape.dims] = (is_flipped ? -self.stride(d) : self.stride(d)) * bytes;
    ++shape.dims;
  }
  while (shape.dims < 2) shape.sizes[shape.dims++] = 1;
  uint64_t deep = 1;
  for (uint32_t d = 2; d < shape.dims; ++d) deep *= shape.sizes[d];
  const c10::DeviceIndex device = self.device().index();
  launch(by_size(flips, self), device, items(device, shape.sizes[0], shape.sizes[1], deep), updates(out),
         reads(self), first, shape);
  return out;
}

at::Tensor trace(const at::Tensor& self) {
  TORCH_CHECK(self.dim() == 2, "trace: expected a matrix, but got tensor with dim ", self.dim());
  return self.diagonal().sum();
}

}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(arange_stub, &torch_xhal::arange)
REGISTER_PRIVATEUSE1_DISPATCH(linspace_stub, &torch_xhal::linspace)

}  // namespace at::native
