// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/cat_meta.h>

namespace torch_xhal {

struct Cat : at::meta::structured_cat {
  void meta(const at::ITensorListRef& tensors, int64_t dim);
  void impl(const at::ITensorListRef& tensors, int64_t dim, const at::Tensor& out);

 private:
  int64_t dim_ = 0;
};

}  // namespace torch_xhal
