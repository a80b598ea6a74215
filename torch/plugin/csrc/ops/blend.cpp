// SPDX-License-Identifier: Apache-2.0
#include "ops/blend.hpp"

#include <ATen/native/UpSample.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/fallback.hpp"
#include "ops/norm.hpp"
#include "ops/rows.hpp"

namespace torch_xhal {
namespace {

constinit KernelByType take = {
    {"resample", "xhal_blend_f32"}, {"resample", "xhal_blend_f64"}, {nullptr, nullptr}};
constinit KernelByType give_back = {
    {"resample", "xhal_blend_backward_f32"}, {"resample", "xhal_blend_backward_f64"}, {nullptr, nullptr}};

void check_floating(const char* name, const at::Tensor& tensor) {
  TORCH_CHECK_NOT_IMPLEMENTED(at::isFloatingType(tensor.scalar_type()), '"', name, "\" not implemented for '",
                              at::toString(tensor.scalar_type()), "'");
}

// What the host's message names is the kernel that it would have taken.
const char* kernel_name(const Blend& by) {
  if (by.code == XHAL_OP_BLEND_CUBIC) return "compute_indices_weights_cubic";
  return by.scales.size() == 2 ? "upsample_bilinear2d_channels_last" : "compute_indices_weights_linear";
}

xhal_op_blending places_of(const Blend& by, const at::Tensor& input, const at::Tensor& output) {
  xhal_op_blending out = {};
  out.planes = 1;
  const auto dims = static_cast<int64_t>(by.scales.size());
  for (int64_t d = 0; d < input.dim() - dims; ++d) out.planes *= static_cast<uint64_t>(input.size(d));
  for (int d = 0; d < 3; ++d) {
    out.input[d] = out.output[d] = 1;
    out.scale[d] = out.scale_f32[d] = 1;
  }
  size_t to = 3 - by.scales.size();
  for (const std::optional<double>& scale : by.scales) {
    const auto d = input.dim() - 3 + static_cast<int64_t>(to);
    const int64_t from_size = input.size(d);
    const int64_t to_size = output.size(d);
    out.input[to] = static_cast<uint64_t>(from_size);
    out.output[to] = static_cast<uint64_t>(to_size);
    out.scale[to] =
        at::native::area_pixel_compute_scale<double>(from_size, to_size, by.aligns_corners, scale);
    out.scale_f32[to] =
        at::native::area_pixel_compute_scale<float>(from_size, to_size, by.aligns_corners, scale);
    ++to;
  }
  out.code = by.code;
  out.aligns_corners = by.aligns_corners ? 1 : 0;
  out.type = code_of(input.scalar_type());
  out.bytes = static_cast<uint32_t>(input.element_size());
  return out;
}

void run(KernelByType& kernels, const at::Tensor& from, const xhal_op_blending& places,
         const at::Tensor& out) {
  norm::check_one_device(out, {from});
  if (out.numel() == 0) return;
  const at::Tensor given = from.contiguous();
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    launch(kernels.of(to.scalar_type()), device, items(device, static_cast<uint64_t>(to.numel())), writes(to),
           reads(given), places);
  });
}

// Bytes are weighed in integers on the host, and rounded between the dimensions.
void blend_bytes(const Blend& by, const at::Tensor& self, const at::Tensor& out) {
  const FallbackScope counted(std::string("aten::") + by.name);
  const at::IntArrayRef size = out.sizes().slice(2);
  const std::optional<double> y = *by.scales.begin();
  const std::optional<double> x = *(by.scales.begin() + 1);
  out.copy_(by.code == XHAL_OP_BLEND_CUBIC
                ? at::upsample_bicubic2d(self.cpu(), size, by.aligns_corners, y, x)
                : at::upsample_bilinear2d(self.cpu(), size, by.aligns_corners, y, x));
}

}  // namespace

void blend(const Blend& by, const at::Tensor& self, const at::Tensor& out) {
  if (self.scalar_type() == at::kByte && by.scales.size() == 2) {
    blend_bytes(by, self, out);
    return;
  }
  check_floating(kernel_name(by), self);
  run(take, self, places_of(by, self, out), out);
}

void blend_backward(const Blend& by, const at::Tensor& gradient, const at::Tensor& out) {
  check_floating(by.name, gradient);
  run(give_back, gradient, places_of(by, out, gradient), out);
}

}  // namespace torch_xhal
