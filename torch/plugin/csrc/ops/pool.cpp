// SPDX-License-Identifier: Apache-2.0
#include "ops/pool.hpp"

#include <ATen/native/AdaptivePooling.h>
#include <ATen/native/Pool.h>
#include <ATen/ops/empty.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/rows.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_TYPE(name)                                          \
  {                                                                       \
    {"pool", name "_f32"}, {"pool", name "_f64"}, { "pool", name "_i64" } \
  }
constinit KernelByType max_any = TORCH_XHAL_BY_TYPE("xhal_pool_max");
constinit KernelByType max_backward_any = TORCH_XHAL_BY_TYPE("xhal_pool_max_backward");
constinit KernelByType average_any = TORCH_XHAL_BY_TYPE("xhal_pool_average");
constinit KernelByType average_backward_any = TORCH_XHAL_BY_TYPE("xhal_pool_average_backward");
constinit Kernel max_rows{"pool", "xhal_pool_max_rows"};
constinit Kernel max_backward_rows{"pool", "xhal_pool_max_backward_rows"};
constinit Kernel average_rows{"pool", "xhal_pool_average_rows"};
constinit Kernel average_backward_rows{"pool", "xhal_pool_average_backward_rows"};

// What the host's pooling computes with, of which averages take i64 alone of integers.
enum class Types { kFloats, kFloatsAndLong, kNumbers };
void check_type(const at::Tensor& tensor, Types types, const char* name) {
  const at::ScalarType type = tensor.scalar_type();
  const bool is_taken = at::isFloatingType(type) || (types == Types::kFloatsAndLong && type == at::kLong) ||
                        (types == Types::kNumbers && type != at::kBool);
  TORCH_CHECK_NOT_IMPLEMENTED(is_taken, '"', name, "\" not implemented for '", at::toString(type), "'");
}

void check_devices(const at::Tensor& tensor, const at::Tensor& other) {
  TORCH_CHECK(tensor.device() == other.device(),
              "Expected all tensors to be on the same device, but found at least two devices, ",
              tensor.device(), " and ", other.device(), "!");
}

int64_t along(at::IntArrayRef of, int64_t d) { return of[of.size() == 1 ? 0 : static_cast<size_t>(d)]; }

// Images in the last dimensions of `input`, windows' values in those of `output`; all before are planes.
xhal_op_pool adaptive(const at::Tensor& input, const at::Tensor& output, int64_t dims) {
  xhal_op_pool pool = {};
  xhal_op_window& window = pool.window;
  for (int d = 0; d < 3; ++d)
    window.input[d] = window.output[d] = window.size[d] = window.stride[d] = window.dilation[d] = 1;
  for (int64_t d = 0; d < dims; ++d) {
    window.input[3 - dims + d] = static_cast<uint64_t>(input.size(input.dim() - dims + d));
    window.output[3 - dims + d] = static_cast<uint64_t>(output.size(output.dim() - dims + d));
  }
  window.members = 1;
  for (int64_t d = 0; d < input.dim() - dims; ++d) window.members *= static_cast<uint64_t>(input.size(d));
  window.channels = 1;
  pool.is_adaptive = 1;
  pool.type = code_of(input.scalar_type());
  pool.bytes = static_cast<uint32_t>(input.element_size());
  return pool;
}

xhal_op_pool windows(const at::Tensor& input, const at::Tensor& output, int64_t dims, at::IntArrayRef size,
                     at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation) {
  xhal_op_pool pool = adaptive(input, output, dims);
  pool.is_adaptive = 0;
  for (int64_t d = 0; d < dims; ++d) {
    const int64_t to = 3 - dims + d;
    pool.window.size[to] = static_cast<uint64_t>(along(size, d));
    pool.window.stride[to] = static_cast<uint64_t>(along(stride.empty() ? size : stride, d));
    pool.window.padding[to] = along(padding, d);
    pool.window.dilation[to] = static_cast<uint64_t>(along(dilation, d));
  }
  return pool;
}

xhal_op_pool averages(const at::Tensor& input, const at::Tensor& output, int64_t dims, at::IntArrayRef size,
                      at::IntArrayRef stride, at::IntArrayRef padding, bool counts_padding,
                      std::optional<int64_t> divisor) {
  xhal_op_pool pool = windows(input, output, dims, size, stride, padding, {1});
  pool.counts_padding = counts_padding;
  pool.divisor = divisor.value_or(0);
  return pool;
}

uint64_t rows_of(const xhal_op_pool& pool, const xhal_op_u64* sizes) {
  return pool.window.members * sizes[0] * sizes[1];
}

void find_max(const at::Tensor& input, const xhal_op_pool& pool, const at::Tensor& values,
              const at::Tensor& indices) {
  if (values.numel() == 0) return;
  const at::Tensor image = input.contiguous();
  const c10::DeviceIndex device = input.device().index();
  into(values, [&](const at::Tensor& to) {
    into(indices, [&](const at::Tensor& at) {
      if (input.scalar_type() == at::kFloat && pool.is_adaptive == 0)
        launch(max_rows, device, items(device, rows_of(pool, pool.window.output)), updates(to), updates(at),
               reads(image), pool);
      else
        launch(max_any.of(input.scalar_type()), device, items(device, static_cast<uint64_t>(to.numel())),
               writes(to), writes(at), reads(image), pool);
    });
  });
}

void find_max_backward(const at::Tensor& gradient, const at::Tensor& indices, const xhal_op_pool& pool,
                       const at::Tensor& out) {
  check_devices(gradient, indices);
  check_devices(gradient, out);
  if (out.numel() == 0) return;
  const at::Tensor given = gradient.contiguous();
  const at::Tensor places = indices.contiguous();
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    if (to.scalar_type() == at::kFloat)
      launch(max_backward_rows, device, items(device, rows_of(pool, pool.window.input)), updates(to),
             reads(given), reads(places), pool);
    else
      launch(max_backward_any.of(to.scalar_type()), device, items(device, static_cast<uint64_t>(to.numel())),
             writes(to), reads(given), reads(places), pool);
  });
}

void find_average(const at::Tensor& input, const xhal_op_pool& pool, const at::Tensor& out) {
  if (out.numel() == 0) return;
  const at::Tensor image = input.contiguous();
  const c10::DeviceIndex device = input.device().index();
  into(out, [&](const at::Tensor& to) {
    if (to.scalar_type() == at::kFloat)
      launch(average_rows, device, items(device, rows_of(pool, pool.window.output)), updates(to),
             reads(image), pool);
    else
      launch(average_any.of(to.scalar_type()), device, items(device, static_cast<uint64_t>(to.numel())),
             writes(to), reads(image), pool);
  });
}

void find_average_backward(const at::Tensor& gradient, const xhal_op_pool& pool, const at::Tensor& out) {
  check_devices(gradient, out);
  if (out.numel() == 0) return;
  const at::Tensor given = gradient.contiguous();
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    if (to.scalar_type() == at::kFloat)
      launch(average_backward_rows, device, items(device, rows_of(pool, pool.window.input)), updates(to),
             reads(given), pool);
    else
      launch(average_backward_any.of(to.scalar_type()), device,
             items(device, static_cast<uint64_t>(to.numel())), writes(to), reads(given), pool);
  });
}

void check_gradient_type(const at::Tensor& gradient, const at::Tensor& self, const char* function) {
  TORCH_CHECK(gradient.scalar_type() == self.scalar_type(), function, ": Expected dtype ", self.dtype(),
              " for `grad_output` but got dtype ", gradient.dtype());
}

// ---- Largest values in three dimensions, whose shapes PyTorch has not apart --------------------------------------------------------

void check_three(at::IntArrayRef of, const char* message) {
  TORCH_CHECK(of.size() == 1 || of.size() == 3, message);
}
void check_windows_3d(at::IntArrayRef kernel_size, at::IntArrayRef stride, at::IntArrayRef padding,
                      at::IntArrayRef dilation) {
  check_three(kernel_size, "max_pool3d: kernel_size must either be a single int, or a tuple of three ints");
  if (!stride.empty())
    check_three(stride, "max_pool3d: stride must either be omitted, a single int, or a tuple of three ints");
  check_three(padding, "max_pool3d: padding must either be a single int, or a tuple of three ints");
  check_three(dilation, "max_pool3d: dilation must be either a single int, or a tuple of three ints");
}

// Sizes of the output, batch and channels first as the input has them.
std::vector<int64_t> max_pool3d_sizes(const at::Tensor& self, at::IntArrayRef kernel_size,
                                      at::IntArrayRef stride, at::IntArrayRef padding,
                                      at::IntArrayRef dilation, bool ceil_mode, const char* function) {
  check_windows_3d(kernel_size, stride, padding, dilation);
  TORCH_CHECK(self.dim() == 4 || self.dim() == 5,
              "non-empty 4D or 5D (batch mode) tensor expected for input");
  const at::IntArrayRef steps = stride.empty() ? kernel_size : stride;
  const int64_t first = self.dim() - 3;
  std::vector<int64_t> sizes = self.sizes().vec();
  int of[5][3];  // window, stride, padding, dilation, output
  for (int64_t d = 0; d < 3; ++d) {
    of[0][d] = at::native::safe_downcast<int, int64_t>(along(kernel_size, d));
    of[1][d] = at::native::safe_downcast<int, int64_t>(along(steps, d));
    of[2][d] = at::native::safe_downcast<int, int64_t>(along(padding, d));
    of[3][d] = at::native::safe_downcast<int, int64_t>(along(dilation, d));
    int64_t& size = sizes[static_cast<size_t>(first + d)];
    size = at::native::pooling_output_shape<int64_t>(size, of[0][d], of[2][d], of[1][d], of[3][d], ceil_mode);
    of[4][d] = static_cast<int>(size);
  }
  at::native::pool3d_shape_check(self, self.size(first - 1), of[0][0], of[0][1], of[0][2], of[1][0], of[1][1],
                                 of[1][2], of[2][0], of[2][1], of[2][2], of[3][0], of[3][1], of[3][2],
                                 self.size(first), self.size(first + 1), self.size(first + 2), of[4][0],
                                 of[4][1], of[4][2], function);
  return sizes;
}

at::MemoryFormat format_3d(const at::Tensor& self) {
  return self.dim() == 5 ? self.suggest_memory_format() : at::MemoryFormat::Contiguous;
}

// ---- Adaptive averages ---------------------------------------------------------------------------------------------------------------

std::vector<int64_t> adaptive_sizes(const at::Tensor& self, at::IntArrayRef output_size, int64_t dims) {
  const std::string name = dims == 2 ? "adaptive_avg_pool2d" : "adaptive_avg_pool3d";
  TORCH_CHECK(output_size.size() == static_cast<size_t>(dims), name, ": output_size must be ", dims);
  TORCH_CHECK(self.dim() == dims + 1 || self.dim() == dims + 2, name, "(): Expected ", dims + 1, "D or ",
              dims + 2, "D tensor, but got ", self.sizes());
  // The one of two dimensions takes no channels.
  for (int64_t d = dims == 2 ? self.dim() - 2 : 1; d < self.dim(); ++d)
    TORCH_CHECK(self.size(d) > 0, name,
                "(): Expected input to have non-zero size for non-batch dimensions, but input has sizes ",
                self.sizes(), " with dimension ", d, " being empty");
  std::vector<int64_t> sizes = self.sizes().vec();
  for (size_t d = 0; d < static_cast<size_t>(dims); ++d) {
    TORCH_CHECK(output_size[d] >= 0, name,
                ": elements of output_size must be greater than or equal to 0, "
                "but received ",
                output_size);
    sizes[sizes.size() - static_cast<size_t>(dims) + d] = output_size[d];
  }
  return sizes;
}

at::Tensor& adaptive_average_out(const at::Tensor& self, at::IntArrayRef output_size, int64_t dims,
                                 at::Tensor& out) {
  const std::vector<int64_t> sizes = adaptive_sizes(self, output_size, dims);
  TORCH_CHECK(self.dtype() == out.dtype(), "expected dtype ", self.dtype(), " for `output` but got dtype ",
              out.dtype());
  check_devices(self, out);
  check_type(self, Types::kFloats, dims == 2 ? "adaptive_avg_pool2d" : "adaptive_avg_pool3d_cpu");
  out.resize_(sizes);
  find_average(self, adaptive(self, out, dims), out);
  return out;
}

void check_adaptive_gradient(const at::Tensor& gradient, const at::Tensor& self, int64_t dims) {
  const std::string name = dims == 2 ? "adaptive_avg_pool2d_backward" : "adaptive_avg_pool3d_backward";
  at::native::adaptive_pool_empty_output_check(gradient, name.c_str());
  TORCH_CHECK(gradient.dim() == self.dim(), name, "_out_cpu_template: Expected dimensions ", self.dim(),
              dims == 2 ? " for `grad_output`" : " for `gradOutput_`", " but got dimensions ",
              gradient.dim());
  TORCH_CHECK(self.dim() == dims + 1 || self.dim() == dims + 2, name, "(): Expected ", dims + 1, "D or ",
              dims + 2, "D tensor, but got ", self.sizes());
  for (int64_t d = 0; d < self.dim() - dims; ++d) at::check_dim_size(gradient, self.dim(), d, self.size(d));
  if (dims == 2)
    check_gradient_type(gradient, self, "adaptive_avg_pool2d_backward_out_cpu_template");
  else
    TORCH_CHECK(gradient.scalar_type() == self.scalar_type(), "expected scalar type ", self.scalar_type(),
                " but found ", gradient.scalar_type());
  check_type(self, Types::kFloats,
             dims == 2 ? "adaptive_avg_pool2d_backward" : "adaptive_avg_pool3d_backward_cpu");
}

}  // namespace

void MaxPool2d::impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation, bool, const at::Tensor& out,
                     const at::Tensor& indices) {
  check_type(self, Types::kNumbers, "max_pool2d");
  find_max(self, windows(self, out, 2, kernel_size, stride, padding, dilation), out, indices);
}
void MaxPool2dBackward::impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
                             at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool,
                             const at::Tensor& indices, const at::Tensor& out) {
  check_type(self, Types::kFloats, "max_pool2d_backward");
  find_max_backward(gradient, indices, windows(self, gradient, 2, kernel_size, stride, padding, dilation),
                    out);
}
void AvgPool2d::impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
                     at::IntArrayRef padding, bool, bool count_include_pad,
                     std::optional<int64_t> divisor_override, const at::Tensor& out) {
  check_type(self, Types::kFloatsAndLong, "avg_pool2d");
  find_average(
      self, averages(self, out, 2, kernel_size, stride, padding, count_include_pad, divisor_override), out);
}
void AvgPool2dBackward::impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
                             at::IntArrayRef stride, at::IntArrayRef padding, bool, bool count_include_pad,
                             std::optional<int64_t> divisor_override, const at::Tensor& out) {
  check_type(self, Types::kFloatsAndLong, "avg_pool2d_backward");
  find_average_backward(
      gradient,
      averages(self, gradient, 2, kernel_size, stride, padding, count_include_pad, divisor_override), out);
}
// The host's has no half precision, which nothing here stands against.
void AvgPool3d::impl(const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride,
                     at::IntArrayRef padding, bool, bool count_include_pad,
                     std::optional<int64_t> divisor_override, const at::Tensor& out) {
  check_type(self, Types::kFloatsAndLong, "avg_pool3d_out_frame");
  find_average(
      self, averages(self, out, 3, kernel_size, stride, padding, count_include_pad, divisor_override), out);
}
void AvgPool3dBackward::impl(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef kernel_size,
                             at::IntArrayRef stride, at::IntArrayRef padding, bool, bool count_include_pad,
                             std::optional<int64_t> divisor_override, const at::Tensor& out) {
  check_type(self, Types::kFloatsAndLong, "avg_pool3d_backward_out_frame");
  find_average_backward(
      gradient,
      averages(self, gradient, 3, kernel_size, stride, padding, count_include_pad, divisor_override), out);
}
void AdaptiveMaxPool2d::impl(const at::Tensor& self, at::IntArrayRef, const at::Tensor& out,
                             const at::Tensor& indices) {
  check_type(self, Types::kFloats, "adaptive_max_pool2d");
  find_max(self, adaptive(self, out, 2), out, indices);
}
void AdaptiveMaxPool2dBackward::impl(const at::Tensor& gradient, const at::Tensor& self,
                                     const at::Tensor& indices, const at::Tensor& out) {
  check_type(self, Types::kFloats, "adaptive_max_pool2d_backward");
  find_max_backward(gradient, indices, adaptive(self, gradient, 2), out);
}
void AdaptiveMaxPool3d::impl(const at::Tensor& self, at::IntArrayRef, const at::Tensor& out,
                             const at::Tensor& indices) {
  check_type(self, Types::kFloats, "adaptive_max_pool3d_cpu");
  find_max(self, adaptive(self, out, 3), out, indices);
}
void AdaptiveMaxPool3dBackward::impl(const at::Tensor& gradient, const at::Tensor& self,
                                     const at::Tensor& indices, const at::Tensor& out) {
  check_type(self, Types::kFloats, "adaptive_max_pool3d_backward");
  find_max_backward(gradient, indices, adaptive(self, gradient, 3), out);
}

std::tuple<at::Tensor&, at::Tensor&> max_pool3d_with_indices_out(
    const at::Tensor& self, at::IntArrayRef kernel_size, at::IntArrayRef stride, at::IntArrayRef padding,
    at::IntArrayRef dilation, bool ceil_mode, at::Tensor& out, at::Tensor& indices) {
  const std::vector<int64_t> sizes = max_pool3d_sizes(self, kernel_size, stride, padding, dilation, ceil_mode,
                                                      "max_pool3d_with_indices_out_cpu_template()");
  TORCH_CHECK(out.scalar_type() == self.scalar_type(), "expected scalar type ", self.scalar_type(),
              " but found ", out.scalar_type());
  TORCH_CHECK(indices.scalar_type() == at::kLong, "expected scalar type Long but found ",
              indices.scalar_type());
  check_devices(self, out);
  check_devices(self, indices);
  check_type(self, Types::kNumbers, "max_pool3d");
  out.resize_(sizes, format_3d(self));
  indices.resize_(sizes, format_3d(self));
  find_max(self, windows(self, out, 3, kernel_size, stride, padding, dilation), out, indices);
  return std::forward_as_tuple(out, indices);
}
std::tuple<at::Tensor, at::Tensor> max_pool3d_with_indices(const at::Tensor& self,
                                                           at::IntArrayRef kernel_size,
                                                           at::IntArrayRef stride, at::IntArrayRef padding,
                                                           at::IntArrayRef dilation, bool ceil_mode) {
  at::Tensor out = at::empty({0}, self.options());
  at::Tensor indices = at::empty({0}, self.options().dtype(at::kLong));
  max_pool3d_with_indices_out(self, kernel_size, stride, padding, dilation, ceil_mode, out, indices);
  return {out, indices};
}
at::Tensor& max_pool3d_with_indices_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                                 at::IntArrayRef kernel_size, at::IntArrayRef stride,
                                                 at::IntArrayRef padding, at::IntArrayRef dilation,
                                                 bool ceil_mode, const at::Tensor& indices, at::Tensor& out) {
  const std::vector<int64_t> sizes = max_pool3d_sizes(self, kernel_size, stride, padding, dilation, ceil_mode,
                                                      "max_pool3d_with_indices_backward_out_cpu_template()");
  TORCH_CHECK(gradient.dtype() == self.dtype(), "expected dtype ", self.dtype(),
              " for `gradOutput` but got dtype ", gradient.dtype());
  TORCH_CHECK(out.dtype() == self.dtype(), "expected dtype ", self.dtype(), " for `gradInput` but got dtype ",
              out.dtype());
  TORCH_CHECK(indices.scalar_type() == at::kLong, "expected scalar type Long but found ",
              indices.scalar_type());
  TORCH_CHECK(gradient.dim() == self.dim(), "Expected a tensor of dimension ", self.dim(), ", but got ",
              gradient.dim());
  for (int64_t d = 0; d < self.dim(); ++d) at::check_dim_size(indices, self.dim(), d, gradient.size(d));
  for (int64_t d = 0; d < self.dim(); ++d)
    at::check_dim_size(gradient, self.dim(), d, sizes[static_cast<size_t>(d)]);
  check_type(self, Types::kFloats, "max_pool3d_backward");
  out.resize_(self.sizes(), format_3d(self));
  find_max_backward(gradient, indices, windows(self, gradient, 3, kernel_size, stride, padding, dilation),
                    out);
  return out;
}
at::Tensor max_pool3d_with_indices_backward(const at::Tensor& gradient, const at::Tensor& self,
                                            at::IntArrayRef kernel_size, at::IntArrayRef stride,
                                            at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode,
                                            const at::Tensor& indices) {
  at::Tensor out = at::empty({0}, self.options());
  return max_pool3d_with_indices_backward_out(gradient, self, kernel_size, stride, padding, dilation,
                                              ceil_mode, indices, out);
}

at::Tensor& adaptive_avg_pool2d_out(const at::Tensor& self, at::IntArrayRef output_size, at::Tensor& out) {
  return adaptive_average_out(self, output_size, 2, out);
}
at::Tensor adaptive_avg_pool2d(const at::Tensor& self, at::IntArrayRef output_size) {
  const at::MemoryFormat format =
      self.dim() == 4 ? self.suggest_memory_format() : at::MemoryFormat::Contiguous;
  at::Tensor out = at::empty(adaptive_sizes(self, output_size, 2), self.options().memory_format(format));
  return adaptive_average_out(self, output_size, 2, out);
}
at::Tensor adaptive_avg_pool2d_backward(const at::Tensor& gradient, const at::Tensor& self) {
  check_adaptive_gradient(gradient, self, 2);
  const at::MemoryFormat format =
      self.dim() == 4 ? self.suggest_memory_format() : at::MemoryFormat::Contiguous;
  at::Tensor out = at::empty(self.sizes(), self.options().memory_format(format));
  find_average_backward(gradient, adaptive(self, gradient, 2), out);
  return out;
}
at::Tensor& adaptive_avg_pool3d_out(const at::Tensor& self, at::IntArrayRef output_size, at::Tensor& out) {
  return adaptive_average_out(self, output_size, 3, out);
}
at::Tensor adaptive_avg_pool3d(const at::Tensor& self, at::IntArrayRef output_size) {
  at::Tensor out = at::empty({0}, self.options());
  return adaptive_average_out(self, output_size, 3, out);
}
at::Tensor& adaptive_avg_pool3d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                             at::Tensor& out) {
  check_adaptive_gradient(gradient, self, 3);
  TORCH_CHECK(out.scalar_type() == self.scalar_type(), "expected scalar type ", self.scalar_type(),
              " but found ", out.scalar_type());
  out.resize_(self.sizes());
  find_average_backward(gradient, adaptive(self, gradient, 3), out);
  return out;
}
at::Tensor adaptive_avg_pool3d_backward(const at::Tensor& gradient, const at::Tensor& self) {
  at::Tensor out = at::empty({0}, self.options());
  return adaptive_avg_pool3d_backward_out(gradient, self, out);
}

}  // namespace torch_xhal
