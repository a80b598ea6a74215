// SPDX-License-Identifier: Apache-2.0
#include "ops/resample.hpp"

#include <ATen/native/Padding.h>
#include <ATen/native/UpSample.h>
#include <ATen/ops/empty.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/rows.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_TYPE(name)                                                      \
  {                                                                                   \
    {"resample", name "_f32"}, {"resample", name "_f64"}, { "resample", name "_i64" } \
  }
constinit KernelByType take = TORCH_XHAL_BY_TYPE("xhal_resample");
constinit KernelByType give_back = TORCH_XHAL_BY_TYPE("xhal_resample_backward");

void check_type(bool is_taken, const at::Tensor& tensor, const char* name) {
  TORCH_CHECK_NOT_IMPLEMENTED(is_taken, '"', name, "\" not implemented for '",
                              at::toString(tensor.scalar_type()), "'");
}

void check_devices(const at::Tensor& tensor, const at::Tensor& other) {
  TORCH_CHECK(tensor.device() == other.device(),
              "Expected all tensors to be on the same device, but found at least two devices, ",
              tensor.device(), " and ", other.device(), "!");
}

// Images in the last dimensions; all before are planes.
xhal_op_resampling places_of(xhal_op_place_code code, const at::Tensor& input, const at::Tensor& output,
                             int64_t dims) {
  xhal_op_resampling places = {};
  for (int64_t d = 0; d < 3; ++d) {
    const int64_t from_end = 3 - d;
    const bool is_there = from_end <= dims;
    places.input[d] = is_there ? static_cast<uint64_t>(input.size(input.dim() - from_end)) : 1;
    places.output[d] = is_there ? static_cast<uint64_t>(output.size(output.dim() - from_end)) : 1;
  }
  places.planes = 1;
  for (int64_t d = 0; d < input.dim() - dims; ++d) places.planes *= static_cast<uint64_t>(input.size(d));
  places.code = code;
  places.type = code_of(input.scalar_type());
  places.bytes = static_cast<uint32_t>(input.element_size());
  return places;
}

// What pads stand in front of the input, the innermost dimension first.
xhal_op_resampling padded(xhal_op_place_code code, const at::Tensor& input, const at::Tensor& output,
                          at::IntArrayRef padding) {
  const size_t dims = padding.size() / 2;
  xhal_op_resampling places = places_of(code, input, output, static_cast<int64_t>(dims));
  for (size_t d = 0; d < dims; ++d) places.before[2 - d] = padding[2 * d];
  return places;
}

xhal_op_resampling scaled(xhal_op_place_code code, const at::Tensor& input, const at::Tensor& output,
                          std::initializer_list<Scale> scales) {
  xhal_op_resampling places = places_of(code, input, output, static_cast<int64_t>(scales.size()));
  // A dimension that is not there maps its one place to itself.
  for (int d = 0; d < 3; ++d) places.scale[d] = places.scale_f32[d] = 1;
  size_t d = 3 - scales.size();
  for (const Scale& scale : scales) {
    const auto from = static_cast<int64_t>(places.input[d]);
    const auto to = static_cast<int64_t>(places.output[d]);
    places.scale[d] = at::native::compute_scales_value<double>(scale, from, to);
    places.scale_f32[d] = at::native::compute_scales_value<float>(scale, from, to);
    ++d;
  }
  return places;
}

void run(const at::Tensor& from, const xhal_op_resampling& places, const at::Tensor& out, bool is_backward) {
  check_devices(from, out);
  if (out.numel() == 0) return;
  const at::Tensor given = from.contiguous();
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    launch((is_backward ? give_back : take).of(to.scalar_type()), device,
           items(device, static_cast<uint64_t>(to.numel())), writes(to), reads(given), places);
  });
}

// Of padding the host's kernels choose the layout, as far as images of two and more dimensions have one of their own. What lies between a
// view's elements is not the output's.
void take_format(const at::Tensor& like, size_t dims, const at::Tensor& out) {
  if (dims > 1 && like.dim() == static_cast<int64_t>(dims) + 2 && out.is_non_overlapping_and_dense())
    out.unsafeGetTensorImpl()->empty_tensor_restride(like.suggest_memory_format());
}

// PyTorch's check of these has no place of its own.
void check_gradient(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef padding,
                    size_t dims) {
  TORCH_CHECK(padding.size() == 2 * dims, "padding size is expected to be ", 2 * dims);
  TORCH_CHECK(gradient.dim() == self.dim() && self.dim() > static_cast<int64_t>(dims),
              "Expected a gradient of ", self.dim(), " dimensions, but got ", gradient.dim());
  const char* const names[] = {"width", "height", "depth"};
  for (int64_t d = 0; d < self.dim() - static_cast<int64_t>(dims); ++d)
    TORCH_CHECK(gradient.size(d) == self.size(d), "gradOutput channel unexpected. Expected: ", self.size(d),
                ", Got: ", gradient.size(d));
  for (size_t d = 0; d < dims; ++d) {
    const int64_t at = self.dim() - 1 - static_cast<int64_t>(d);
    const int64_t expected = self.size(at) + padding[2 * d] + padding[2 * d + 1];
    TORCH_CHECK(gradient.size(at) == expected, "gradOutput ", names[d], " unexpected. Expected: ", expected,
                ", Got: ", gradient.size(at));
  }
}

at::Tensor& pad_backward_out(xhal_op_place_code code, const char* name, const at::Tensor& gradient,
                             const at::Tensor& self, at::IntArrayRef padding, size_t dims, at::Tensor& out) {
  check_gradient(gradient, self, padding, dims);
  TORCH_CHECK(gradient.scalar_type() == out.scalar_type() && self.scalar_type() == out.scalar_type(),
              "expected scalar type ", self.scalar_type(), " but found ",
              gradient.scalar_type() == self.scalar_type() ? out.scalar_type() : gradient.scalar_type());
  out.resize_(self.sizes());
  take_format(self, dims, out);
  pad_backward(code, name, gradient, padding, out);
  return out;
}

std::vector<int64_t> reflection_pad2d_sizes(const at::Tensor& self, at::IntArrayRef padding) {
  at::native::padding::check_valid_input<2>(self, padding);
  std::vector<int64_t> sizes = self.sizes().vec();
  for (size_t d = 0; d < 2; ++d) {
    const size_t at = sizes.size() - 1 - d;
    const int64_t before = padding[2 * d];
    const int64_t after = padding[2 * d + 1];
    TORCH_CHECK(before < sizes[at] && after < sizes[at], "Argument #", 4 + 2 * d,
                ": Padding size should be less than the corresponding input dimension, but got: padding (",
                before, ", ", after, ") at dimension ", at, " of input ", self.sizes());
  }
  const int64_t height = self.size(-2);
  const int64_t width = self.size(-1);
  sizes[sizes.size() - 1] = width + padding[0] + padding[1];
  sizes[sizes.size() - 2] = height + padding[2] + padding[3];
  TORCH_CHECK(sizes[sizes.size() - 1] >= 1 && sizes[sizes.size() - 2] >= 1, "input (H: ", height,
              ", W: ", width, ") is too small. Calculated output H: ", sizes[sizes.size() - 2],
              " W: ", sizes[sizes.size() - 1]);
  return sizes;
}

}  // namespace

void pad(xhal_op_place_code code, const char* name, const at::Tensor& self, at::IntArrayRef padding,
         const at::Tensor& out) {
  check_type(self.scalar_type() != at::kBool, self, name);
  take_format(self, padding.size() / 2, out);
  run(self, padded(code, self, out, padding), out, false);
}

void pad_backward(xhal_op_place_code code, const char* name, const at::Tensor& gradient,
                  at::IntArrayRef padding, const at::Tensor& out) {
  check_type(at::isFloatingType(gradient.scalar_type()), gradient, name);
  run(gradient, padded(code, out, gradient, padding), out, true);
}

void nearest(xhal_op_place_code code, const at::Tensor& self, std::initializer_list<Scale> scales,
             const at::Tensor& out) {
  check_type(at::isFloatingType(self.scalar_type()) || self.scalar_type() == at::kByte, self,
             scales.size() == 2 ? "upsample_nearest2d_channels_last" : "compute_indices_weights_nearest");
  run(self, scaled(code, self, out, scales), out, false);
}

void nearest_backward(xhal_op_place_code code, const char* name, const at::Tensor& gradient,
                      std::initializer_list<Scale> scales, const at::Tensor& out) {
  check_type(at::isFloatingType(gradient.scalar_type()), gradient, name);
  run(gradient, scaled(code, out, gradient, scales), out, true);
}

at::Tensor& reflection_pad2d_out(const at::Tensor& self, at::IntArrayRef padding, at::Tensor& out) {
  const std::vector<int64_t> sizes = reflection_pad2d_sizes(self, padding);
  TORCH_CHECK(out.scalar_type() == self.scalar_type(), "expected scalar type ", self.scalar_type(),
              " but found ", out.scalar_type());
  out.resize_(sizes);
  pad(XHAL_OP_PLACE_REFLECTED, "reflection_pad2d", self, padding, out);
  return out;
}
at::Tensor reflection_pad2d(const at::Tensor& self, at::IntArrayRef padding) {
  at::Tensor out = at::empty({0}, self.options());
  return reflection_pad2d_out(self, padding, out);
}

#define TORCH_XHAL_PAD_BACKWARD(name, code, dims)                                                     \
  at::Tensor& name##_out(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef padding, \
                         at::Tensor& out) {                                                           \
    return pad_backward_out(code, #name, gradient, self, padding, dims, out);                         \
  }                                                                                                   \
  at::Tensor name(const at::Tensor& gradient, const at::Tensor& self, at::IntArrayRef padding) {      \
    at::Tensor out = at::empty({0}, self.options());                                                  \
    return name##_out(gradient, self, padding, out);                                                  \
  }
TORCH_XHAL_PAD_BACKWARD(reflection_pad2d_backward, XHAL_OP_PLACE_REFLECTED, 2)
TORCH_XHAL_PAD_BACKWARD(replication_pad2d_backward, XHAL_OP_PLACE_REPLICATED, 2)
TORCH_XHAL_PAD_BACKWARD(replication_pad3d_backward, XHAL_OP_PLACE_REPLICATED, 3)

}  // namespace torch_xhal
