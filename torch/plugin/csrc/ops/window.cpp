// SPDX-License-Identifier: Apache-2.0
#include "ops/window.hpp"

#include <ATen/native/im2col_shape_check.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <bit>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/norm.hpp"
#include "ops/rows.hpp"

namespace torch_xhal {
namespace {

// By the size of an element: 1, 2, 4, 8.
constinit Kernel columns_of_size[] = {{"conv", "xhal_columns_1"},
                                      {"conv", "xhal_columns_2"},
                                      {"conv", "xhal_columns_4"},
                                      {"conv", "xhal_columns_8"}};
constinit Kernel image_rows{"conv", "xhal_image_rows_f32"};
constinit KernelByType image_of_type = {
    {"conv", "xhal_image_any_f32"}, {"conv", "xhal_image_any_f64"}, {"conv", "xhal_image_any_i64"}};
constinit KernelByType unfolded = {{"window", "xhal_unfold_backward_f32"},
                                   {"window", "xhal_unfold_backward_f64"},
                                   {"window", "xhal_unfold_backward_i64"}};

void check_pair(const char* name, at::IntArrayRef values) {
  TORCH_CHECK(values.size() == 2, "It is expected ", name, " equals to 2, but got size ", values.size());
}

void check_type(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(tensor.scalar_type()) || tensor.scalar_type() == at::kBool,
                              '"', name, "\" not implemented for '", at::toString(tensor.scalar_type()), "'");
}

struct Windows {
  at::IntArrayRef size, dilation, padding, stride;

  // How many there are along a dimension, 0 the height.
  int64_t along(size_t d, int64_t length) const {
    return at::native::sliding_window_count(length, padding[d], dilation[d], size[d], stride[d]);
  }
  // Of a dense image [member, channel, height, width] and columns [member, channel and place, window].
  xhal_op_window on(const at::Tensor& image) const {
    xhal_op_window out = {};
    for (int d = 0; d < 3; ++d)
      out.input[d] = out.output[d] = out.size[d] = out.stride[d] = out.dilation[d] = 1;
    for (size_t d = 0; d < 2; ++d) {
      const int64_t length = image.size(2 + static_cast<int64_t>(d));
      out.input[d + 1] = static_cast<uint64_t>(length);
      out.output[d + 1] = static_cast<uint64_t>(along(d, length));
      out.size[d + 1] = static_cast<uint64_t>(size[d]);
      out.stride[d + 1] = static_cast<uint64_t>(stride[d]);
      out.dilation[d + 1] = static_cast<uint64_t>(dilation[d]);
      out.padding[d + 1] = padding[d];
    }
    out.members = static_cast<uint64_t>(image.size(0));
    out.channels = static_cast<uint64_t>(image.size(1));
    out.row_stride = out.output[1] * out.output[2];
    out.member_stride = out.channels * out.size[1] * out.size[2] * out.row_stride;
    return out;
  }
};

at::Tensor with_members(const at::Tensor& tensor, int64_t dims) {
  return (tensor.dim() == dims ? tensor : tensor.unsqueeze(0)).contiguous();
}

}  // namespace

at::Tensor& im2col_out(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef dilation,
                       at::IntArrayRef padding, at::IntArrayRef stride, at::Tensor& out) {
  check_pair("kernel_size", size);
  check_pair("dilation", dilation);
  check_pair("padding", padding);
  check_pair("stride", stride);
  at::native::im2col_shape_check(self, at::Tensor(), size[0], size[1], dilation[0], dilation[1], padding[0],
                                 padding[1], stride[0], stride[1]);
  norm::check_one_device(self, {out});
  const Windows windows{size, dilation, padding, stride};
  const at::Tensor image = with_members(self, 4);
  const int64_t rows = image.size(1) * size[0] * size[1];
  const int64_t count = windows.along(0, image.size(2)) * windows.along(1, image.size(3));
  if (self.dim() == 4)
    out.resize_({image.size(0), rows, count});
  else
    out.resize_({rows, count});
  check_type("im2col_out_cpu", self);
  norm::check_type(self.scalar_type(), {out});
  if (out.numel() == 0) return out;
  const c10::DeviceIndex device = self.device().index();
  const xhal_op_window window = windows.on(image);
  into(out, [&](const at::Tensor& to) {
    launch(columns_of_size[std::countr_zero(static_cast<unsigned>(self.element_size()))], device,
           items(device, window.output[1], static_cast<uint64_t>(rows), window.members), writes(to),
           reads(image), window);
  });
  return out;
}

at::Tensor im2col(const at::Tensor& self, at::IntArrayRef size, at::IntArrayRef dilation,
                  at::IntArrayRef padding, at::IntArrayRef stride) {
  at::Tensor out = at::empty({0}, self.options());
  return im2col_out(self, size, dilation, padding, stride, out);
}

at::Tensor& col2im_out(const at::Tensor& self, at::IntArrayRef output, at::IntArrayRef size,
                       at::IntArrayRef dilation, at::IntArrayRef padding, at::IntArrayRef stride,
                       at::Tensor& out) {
  check_pair("output_size", output);
  check_pair("kernel_size", size);
  check_pair("dilation", dilation);
  check_pair("padding", padding);
  check_pair("stride", stride);
  at::native::col2im_shape_check(self, at::Tensor(), output[0], output[1], size[0], size[1], dilation[0],
                                 dilation[1], padding[0], padding[1], stride[0], stride[1]);
  norm::check_one_device(self, {out});
  const at::Tensor columns = with_members(self, 3);
  const int64_t channels = columns.size(1) / (size[0] * size[1]);
  out.resize_({columns.size(0), channels, output[0], output[1]});
  check_type("col2im_out_cpu", self);
  norm::check_type(self.scalar_type(), {out});
  if (out.numel() != 0) {
    const c10::DeviceIndex device = self.device().index();
    into(out, [&](const at::Tensor& to) {
      const xhal_op_window window = Windows{size, dilation, padding, stride}.on(to);
      if (self.scalar_type() == at::kFloat)
        launch(image_rows, device, items(device, window.input[1], window.channels, window.members),
               updates(to), reads(columns), window);
      else
        launch(image_of_type.of(self.scalar_type()), device,
               items(device, window.input[1] * window.input[2], window.channels, window.members), writes(to),
               reads(columns), window, code_of(self.scalar_type()),
               static_cast<uint32_t>(self.element_size()));
    });
  }
  if (self.dim() == 2) out.resize_({channels, output[0], output[1]});
  return out;
}

at::Tensor col2im(const at::Tensor& self, at::IntArrayRef output, at::IntArrayRef size,
                  at::IntArrayRef dilation, at::IntArrayRef padding, at::IntArrayRef stride) {
  at::Tensor out = at::empty({0}, self.options());
  return col2im_out(self, output, size, dilation, padding, stride, out);
}

at::Tensor unfold_backward(const at::Tensor& gradient, at::IntArrayRef sizes, int64_t dim, int64_t size,
                           int64_t step) {
  const at::Tensor out = at::empty(sizes, gradient.options());
  if (out.numel() == 0) return out;
  if (gradient.numel() == 0) return out.zero_();
  dim = at::maybe_wrap_dim(dim, out.dim());
  const Rows rows(out, dim);
  const at::Tensor given = gradient.contiguous();
  const uint64_t windows =
      static_cast<uint64_t>(gradient.numel()) / (rows.count() * static_cast<uint64_t>(size));
  const c10::DeviceIndex device = out.device().index();
  launch(unfolded.of(out.scalar_type()), device, items(device, static_cast<uint64_t>(out.numel())),
         writes(out), reads(given), rows.outer, rows.n, rows.inner, windows, static_cast<uint64_t>(size),
         static_cast<uint64_t>(step), code_of(out.scalar_type()), static_cast<uint32_t>(out.element_size()));
  return out;
}

}  // namespace torch_xhal
