// SPDX-License-Identifier: Apache-2.0
#include "ops/convolution.hpp"

#include <ATen/native/ConvUtils.h>
#include <ATen/ops/convolution.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/fallback.hpp"
#include "ops/matmul.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

constinit Kernel columns_1{"conv", "xhal_columns_1"};
constinit Kernel columns_2{"conv", "xhal_columns_2"};
constinit Kernel columns_4{"conv", "xhal_columns_4"};
constinit Kernel columns_8{"conv", "xhal_columns_8"};
constinit Kernel image_rows{"conv", "xhal_image_rows_f32"};
constinit KernelByType image_any = {
    {"conv", "xhal_image_any_f32"}, {"conv", "xhal_image_any_f64"}, {"conv", "xhal_image_any_i64"}};

Kernel& columns_of(size_t bytes) {
  return bytes == 1 ? columns_1 : bytes == 2 ? columns_2 : bytes == 4 ? columns_4 : columns_8;
}

// Of so many members the columns are made at a time.
constexpr uint64_t kBytesOfColumns = 16 << 20;

// A convolution that is not transposed: `image` is what windows slide over, `map` what they give. A transposed one is its gradient.
struct Convolution {
  Convolution(const at::Tensor& image, const at::Tensor& map, const at::Tensor& weight,
              at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t group_count)
      : groups(group_count), outputs(weight.size(0)) {
    const int64_t dims = weight.dim() - 2;
    const auto at = [dims](at::IntArrayRef of, int64_t d) {
      return of[of.size() == 1 ? 0 : static_cast<size_t>(d)];
    };
    for (int64_t d = 0; d < 3; ++d) {
      window.input[d] = window.output[d] = window.size[d] = window.stride[d] = window.dilation[d] = 1;
    }
    for (int64_t d = 0; d < dims; ++d) {
      const int64_t to = 3 - dims + d;
      window.input[to] = static_cast<uint64_t>(image.size(d + 2));
      window.output[to] = static_cast<uint64_t>(map.size(d + 2));
      window.size[to] = static_cast<uint64_t>(weight.size(d + 2));
      window.stride[to] = static_cast<uint64_t>(at(stride, d));
      window.dilation[to] = static_cast<uint64_t>(at(dilation, d));
      window.padding[to] = at(padding, d);
    }
    window.members = static_cast<uint64_t>(image.size(0));
    window.channels = static_cast<uint64_t>(image.size(1));
    places = static_cast<int64_t>(window.size[0] * window.size[1] * window.size[2]);
    positions = static_cast<int64_t>(window.output[0] * window.output[1] * window.output[2]);
    rows = image.size(1) * places;
    is_plain = places == 1;
    for (int d = 0; d < 3; ++d) is_plain = is_plain && window.stride[d] == 1 && window.padding[d] == 0;
    const uint64_t bytes = static_cast<uint64_t>(rows * positions) * image.element_size();
    at_once = std::max<int64_t>(1, static_cast<int64_t>(kBytesOfColumns / std::max<uint64_t>(bytes, 1)));
  }

  int64_t members() const { return static_cast<int64_t>(window.members); }
  xhal_op_window of(int64_t count, int64_t member_stride, int64_t row_stride) const {
    xhal_op_window out = window;
    out.members = static_cast<uint64_t>(count);
    out.member_stride = static_cast<uint64_t>(member_stride);
    out.row_stride = static_cast<uint64_t>(row_stride);
    return out;
  }

  xhal_op_window window = {};
  int64_t groups;
  int64_t outputs;    // channels of the map
  int64_t places;     // of the window
  int64_t positions;  // of the window on the image
  int64_t rows;       // of the columns: channels of the image times places
  bool is_plain;      // a column is the image itself
  int64_t at_once;    // members
};

void make_columns(const at::Tensor& columns, const at::Tensor& image, const xhal_op_window& window) {
  const c10::DeviceIndex device = image.device().index();
  const uint64_t places = window.size[0] * window.size[1] * window.size[2];
  launch(columns_of(image.element_size()), device,
         items(device, window.output[0] * window.output[1], window.channels * places, window.members),
         writes(columns), reads(image), window);
}

void make_image(const at::Tensor& image, const at::Tensor& columns, const xhal_op_window& window) {
  const c10::DeviceIndex device = image.device().index();
  const uint64_t rows = window.input[0] * window.input[1];
  if (image.scalar_type() == at::kFloat) {
    launch(image_rows, device, items(device, rows, window.channels, window.members), updates(image),
           reads(columns), window);
    return;
  }
  launch(image_any.of(image.scalar_type()), device,
         items(device, rows * window.input[2], window.channels, window.members), writes(image),
         reads(columns), window, code_of(image.scalar_type()), static_cast<uint32_t>(image.element_size()));
}

// For each group c += a b, where all hold [member, group, ., .]: a launch a group, or a launch a member, whichever are fewer.
void multiply_groups(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b, bool adds) {
  const int64_t members = c.size(0);
  const int64_t groups = c.size(1);
  const int64_t shared = groups <= members ? 1 : 0;
  for (int64_t i = 0; i < c.size(shared); ++i)
    multiply(c.select(shared, i), a.select(shared, i), b.select(shared, i), 1, adds ? 1 : 0);
}

// Weights as [any member, group, outputs of the group, rows of the group].
at::Tensor grouped(const Convolution& it, const at::Tensor& weight, int64_t members) {
  return weight.reshape({1, it.groups, it.outputs / it.groups, it.rows / it.groups})
      .expand({members, it.groups, it.outputs / it.groups, it.rows / it.groups});
}

// map (+)= the windows of the image times the weights.
void make_map(const Convolution& it, const at::Tensor& map, const at::Tensor& image, const at::Tensor& weight,
              bool adds) {
  at::Tensor columns;
  for (int64_t first = 0; first < it.members(); first += it.at_once) {
    const int64_t count = std::min(it.at_once, it.members() - first);
    const at::Tensor part = image.narrow(0, first, count);
    if (it.is_plain) {
      columns = part;
    } else {
      if (!columns.defined() || columns.size(0) != count)
        columns = at::empty({count, it.rows, it.positions}, image.options());
      make_columns(columns, part, it.of(count, it.rows * it.positions, it.positions));
    }
    multiply_groups(
        map.narrow(0, first, count).view({count, it.groups, it.outputs / it.groups, it.positions}),
        grouped(it, weight, count), columns.view({count, it.groups, it.rows / it.groups, it.positions}),
        adds);
  }
}

// The image's gradient by the map's.
void make_image_gradient(const Convolution& it, const at::Tensor& image, const at::Tensor& map,
                         const at::Tensor& weight) {
  at::Tensor columns;
  for (int64_t first = 0; first < it.members(); first += it.at_once) {
    const int64_t count = std::min(it.at_once, it.members() - first);
    const at::Tensor part = image.narrow(0, first, count);
    if (it.is_plain)
      columns = part;
    else if (!columns.defined() || columns.size(0) != count)
      columns = at::empty({count, it.rows, it.positions}, image.options());
    multiply_groups(
        columns.view({count, it.groups, it.rows / it.groups, it.positions}),
        grouped(it, weight, count).transpose(2, 3),
        map.narrow(0, first, count).view({count, it.groups, it.outputs / it.groups, it.positions}), false);
    if (!it.is_plain) make_image(part, columns, it.of(count, it.rows * it.positions, it.positions));
  }
}

// The weights' gradient: all members that are looked at together lie behind each other in one long product.
void make_weight_gradient(const Convolution& it, const at::Tensor& weight, const at::Tensor& image,
                          const at::Tensor& map) {
  const int64_t outputs = it.outputs / it.groups;
  const int64_t rows = it.rows / it.groups;
  for (int64_t first = 0; first < it.members(); first += it.at_once) {
    const int64_t count = std::min(it.at_once, it.members() - first);
    const int64_t length = count * it.positions;
    const at::Tensor columns = at::empty({it.rows, length}, image.options());
    make_columns(columns, image.narrow(0, first, count), it.of(count, it.positions, length));
    const at::Tensor maps =
        map.narrow(0, first, count).view({count, it.outputs, it.positions}).transpose(0, 1).contiguous();
    multiply(weight.view({it.groups, outputs, rows}), maps.view({it.groups, outputs, length}),
             columns.view({it.groups, rows, length}).transpose(1, 2), 1, first == 0 ? 0 : 1);
  }
}

void check(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias) {
  TORCH_CHECK(
      input.device() == weight.device() && (!bias || !bias->defined() || input.device() == bias->device()),
      "Expected all tensors to be on the same device, but found at least two devices, ", input.device(),
      " and ", input.device() == weight.device() ? bias->device() : weight.device(), "!");
  TORCH_CHECK(input.scalar_type() == weight.scalar_type(), "Input type (", input.toString(),
              ") and weight type (", weight.toString(), ") should be the same");
  TORCH_CHECK(!bias || !bias->defined() || input.scalar_type() == bias->scalar_type(), "Input type (",
              input.toString(), ") and bias type (", bias->toString(), ") should be the same");
  TORCH_CHECK_NOT_IMPLEMENTED(weight.dim() >= 3 && weight.dim() <= 5,
                              "convolutions have one to three dimensions, not ", weight.dim() - 2);
}

std::vector<int64_t> size_of_output(const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
                                    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                                    at::IntArrayRef output_padding, int64_t groups) {
  if (transposed)
    return at::native::conv_input_size(input.sizes(), weight.sizes(), padding, output_padding, stride,
                                       dilation, groups);
  return at::native::conv_output_size(input.sizes(), weight.sizes(), padding, stride, dilation);
}

// Columns of half precision would round each part of a sum.
bool is_half(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}
at::Tensor wider(const at::Tensor& tensor) { return tensor.to(at::kFloat); }
at::Tensor like(const at::Tensor& tensor, const at::Tensor& other) {
  return tensor.defined() ? tensor.to(other.scalar_type()) : tensor;
}

}  // namespace

at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight,
                       const std::optional<at::Tensor>& bias, at::IntArrayRef stride, at::IntArrayRef padding,
                       at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
                       int64_t groups) {
  check(input, weight, bias);
  if (is_half(input)) {
    const auto wider_bias = bias && bias->defined() ? std::optional<at::Tensor>(wider(*bias)) : std::nullopt;
    return like(torch_xhal::convolution(wider(input), wider(weight), wider_bias, stride, padding, dilation,
                                        transposed, output_padding, groups),
                input);
  }
  const at::Tensor image = input.contiguous();
  const at::Tensor weights = weight.contiguous();
  at::Tensor out =
      at::empty(size_of_output(input, weight, stride, padding, dilation, transposed, output_padding, groups),
                input.options());
  const bool has_bias = bias && bias->defined();
  if (out.numel() > 0) {
    std::vector<int64_t> one_a_channel(static_cast<size_t>(out.dim()), 1);
    one_a_channel[1] = out.size(1);
    const at::Tensor addend = has_bias ? bias->reshape(one_a_channel) : at::Tensor();
    if (input.numel() == 0 || weight.numel() == 0) {
      out.zero_();
      if (has_bias) out.add_(addend);
    } else if (transposed) {
      make_image_gradient(Convolution(out, image, weights, stride, padding, dilation, groups), out, image,
                          weights);
      if (has_bias) out.add_(addend);
    } else {
      if (has_bias) out.copy_(addend.expand_as(out));
      make_map(Convolution(image, out, weights, stride, padding, dilation, groups), out, image, weights,
               has_bias);
    }
  }
  return out.contiguous(input.suggest_memory_format());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
    int64_t groups, std::array<bool, 3> output_mask) {
  check(input, weight, std::nullopt);
  check(gradient, weight, std::nullopt);
  if (is_half(input)) {
    const auto [of_input, of_weight, of_bias] =
        torch_xhal::convolution_backward(wider(gradient), wider(input), wider(weight), stride, padding,
                                         dilation, transposed, output_padding, groups, output_mask);
    return {like(of_input, input), like(of_weight, weight), of_bias};
  }
  const at::Tensor given = input.contiguous();
  const at::Tensor weights = weight.contiguous();
  const at::Tensor map = gradient.contiguous();
  const bool is_empty = gradient.numel() == 0 || input.numel() == 0;
  const Convolution it = transposed ? Convolution(map, given, weights, stride, padding, dilation, groups)
                                    : Convolution(given, map, weights, stride, padding, dilation, groups);
  at::Tensor of_input;
  at::Tensor of_weight;
  if (output_mask[0]) {
    of_input =
        is_empty ? at::zeros(input.sizes(), input.options()) : at::empty(input.sizes(), input.options());
    if (!is_empty && transposed)
      make_map(it, of_input, map, weights, false);
    else if (!is_empty)
      make_image_gradient(it, of_input, map, weights);
    of_input = of_input.contiguous(input.suggest_memory_format());
  }
  if (output_mask[1]) {
    of_weight =
        is_empty ? at::zeros(weight.sizes(), weight.options()) : at::empty(weight.sizes(), weight.options());
    if (!is_empty && transposed)
      make_weight_gradient(it, of_weight, map, given);
    else if (!is_empty)
      make_weight_gradient(it, of_weight, given, map);
    of_weight = of_weight.contiguous(weight.suggest_memory_format());
  }
  return {of_input, of_weight, at::Tensor()};
}

namespace {

// The host has no convolution by the dispatcher's name for devices like ours, so what is not native asks for the one by its own.
bool is_native(const at::Tensor& input) {
  return is_native_type(input.scalar_type(), input.device().index());
}

at::Tensor convolution_anywhere(const at::Tensor& input, const at::Tensor& weight,
                                const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                                at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                                at::IntArrayRef output_padding, int64_t groups) {
  const c10::DeviceGuard guard(input.device());
  if (is_native(input))
    return torch_xhal::convolution(input, weight, bias, stride, padding, dilation, transposed, output_padding,
                                   groups);
  check(input, weight, bias);
  const FallbackScope counted("aten::convolution_overrideable");
  const auto host_bias = bias && bias->defined() ? std::optional<at::Tensor>(bias->cpu()) : std::nullopt;
  return at::convolution(input.cpu(), weight.cpu(), host_bias, stride, padding, dilation, transposed,
                         output_padding, groups)
      .to(input.device());
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward_anywhere(
    const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed, at::IntArrayRef output_padding,
    int64_t groups, std::array<bool, 3> output_mask) {
  const c10::DeviceGuard guard(input.device());
  if (is_native(input))
    return torch_xhal::convolution_backward(gradient, input, weight, stride, padding, dilation, transposed,
                                            output_padding, groups, output_mask);
  check(input, weight, std::nullopt);
  const FallbackScope counted("aten::convolution_backward_overrideable");
  const auto back = [&](const at::Tensor& tensor) {
    return tensor.defined() ? tensor.to(input.device()) : tensor;
  };
  output_mask[2] = false;
  const auto [of_input, of_weight, of_bias] =
      at::convolution_backward(gradient.cpu(), input.cpu(), weight.cpu(), at::OptionalIntArrayRef(), stride,
                               padding, dilation, transposed, output_padding, groups, output_mask);
  return {back(of_input), back(of_weight), at::Tensor()};
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("convolution_overrideable", &convolution_anywhere);
  m.impl("convolution_backward_overrideable", &convolution_backward_anywhere);
}

}  // namespace
}  // namespace torch_xhal
