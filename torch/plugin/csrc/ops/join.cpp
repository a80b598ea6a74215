// SPDX-License-Identifier: Apache-2.0
#include "ops/join.hpp"

#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include "ops/index.hpp"

namespace torch_xhal {

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
    if (tensor.numel() != 0) out.narrow(dim_, first, size).copy_(tensor);
    first += size;
  }
}

}  // namespace torch_xhal
