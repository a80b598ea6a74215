// SPDX-License-Identifier: Apache-2.0
// What kernels along one dimension are given: dense tensors as [outer, n, inner].
#pragma once

#include <ATen/WrapDimUtils.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty_like.h>

#include <cstdint>

namespace torch_xhal {

// [outer, n, inner] around a dimension.
struct Rows {
  uint64_t outer = 1, n = 1, inner = 1;
  Rows(const at::Tensor& tensor, int64_t dim) {
    if (tensor.dim() == 0) return;
    dim = at::maybe_wrap_dim(dim, tensor.dim());
    for (int64_t d = 0; d < tensor.dim(); ++d)
      (d < dim ? outer : d == dim ? n : inner) *= static_cast<uint64_t>(tensor.size(d));
  }
  uint64_t count() const { return outer * inner; }
};

// The output as it is given, or a dense one that is copied to it.
template <class Run>
void into(const at::Tensor& out, const Run& run) {
  const at::Tensor dense = out.is_contiguous() ? out : at::empty_like(out, at::MemoryFormat::Contiguous);
  run(dense);
  if (!dense.is_same(out)) out.copy_(dense);
}

}  // namespace torch_xhal
