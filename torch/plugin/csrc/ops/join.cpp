// SPDX-License-Identifier: Apache-2.0
#include "ops/join.hpp"

#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include <algorithm>

#include "kernels/launch.hpp"
#include "ops/index.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constinit Kernel rows_of_bytes{"index", "xhal_join_rows_1"};
constinit Kernel rows_of_words{"index", "xhal_join_rows_4"};
constexpr uint64_t kLanes = 64;

// Dense on both sides, and of one type: each row of the tensor becomes a part of one of the output's.
bool are_rows(const at::Tensor& tensor, const at::Tensor& out) {
  return tensor.scalar_type() == out.scalar_type() && tensor.is_contiguous() && out.is_contiguous() &&
         tensor.is_neg() == out.is_neg();
}

void copy_rows(const at::Tensor& tensor, const at::Tensor& out, int64_t dim, int64_t first) {
  uint64_t rows = 1;
  uint64_t inner = out.element_size();
  for (int64_t d = 0; d < out.dim(); ++d)
    if (d != dim) (d < dim ? rows : inner) *= static_cast<uint64_t>(out.size(d));
  const at::Tensor part = out.narrow(dim, first, tensor.size(dim));
  const auto is_at_word = [](const at::Tensor& of) {
    return reinterpret_cast<uintptr_t>(of.const_data_ptr()) % 4 == 0;
  };
  const bool has_words = inner % 4 == 0 && is_at_word(tensor) && is_at_word(part);
  const uint64_t unit = has_words ? 4 : 1;
  const uint64_t words = static_cast<uint64_t>(tensor.size(dim)) * inner / unit;
  const uint64_t stride = static_cast<uint64_t>(out.size(dim)) * inner / unit;
  const c10::DeviceIndex device = out.device().index();
  const uint64_t lanes =
      device_at(device).properties.kind == XHAL_DEVICE_KIND_CPU ? 1 : std::min(words, kLanes);
  launch(has_words ? rows_of_words : rows_of_bytes, device, items(device, rows * lanes), updates(part),
         reads(tensor), rows, words, stride, lanes);
}

}  // namespace

void Cat::meta(const at::ITensorListRef& tensors, int64_t dim) {
  // A tensor without a device of its own would be copied rather than refused.
  const auto all = tensors.materialize();
  for (const at::Tensor& tensor : all) check_one_device(all[0], {tensor});
  dim_ = structured_cat::meta(tensors, dim).dim;
}

void Cat::impl(const at::ITensorListRef& tensors, int64_t, const at::Tensor& out) {
  const c10::DeviceGuard guard(out.device());
  int64_t first = 0;
  for (const at::Tensor& tensor : tensors) {
    check_one_device(out, {tensor});
    // A vector of no elements goes with all shapes, for old programs' sake.
    if (tensor.dim() == 1 && tensor.size(0) == 0) continue;
    const int64_t size = tensor.size(dim_);
    if (tensor.numel() == 0) continue;
    // One behind the other they are bytes for a copy.
    if (are_rows(tensor, out) &&
        tensor.numel() != tensor.size(dim_) * (dim_ + 1 == out.dim() ? 1 : out.stride(dim_)))
      copy_rows(tensor, out, dim_, first);
    else
      out.narrow(dim_, first, size).copy_(tensor);
    first += size;
  }
}

}  // namespace torch_xhal
