// SPDX-License-Identifier: Apache-2.0
// Where values stand among sorted ones, and which are among others.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/isin_meta.h>

#include <optional>
#include <string_view>

namespace torch_xhal {

using Side = std::optional<std::string_view>;
using Sorter = std::optional<at::Tensor>;

at::Tensor searchsorted(const at::Tensor& boundaries, const at::Tensor& self, bool is_int32, bool is_right,
                        Side side, const Sorter& sorter);
at::Tensor& searchsorted_out(const at::Tensor& boundaries, const at::Tensor& self, bool is_int32,
                             bool is_right, Side side, const Sorter& sorter, at::Tensor& out);
at::Tensor searchsorted_value(const at::Tensor& boundaries, const at::Scalar& self, bool is_int32,
                              bool is_right, Side side, const Sorter& sorter);
at::Tensor& searchsorted_value_out(const at::Tensor& boundaries, const at::Scalar& self, bool is_int32,
                                   bool is_right, Side side, const Sorter& sorter, at::Tensor& out);
at::Tensor bucketize(const at::Tensor& self, const at::Tensor& boundaries, bool is_int32, bool is_right);
at::Tensor& bucketize_out(const at::Tensor& self, const at::Tensor& boundaries, bool is_int32, bool is_right,
                          at::Tensor& out);
at::Tensor bucketize_value(const at::Scalar& self, const at::Tensor& boundaries, bool is_int32,
                           bool is_right);

struct IsIn : at::meta::structured_isin_Tensor_Tensor {
  void impl(const at::Tensor& elements, const at::Tensor& tests, bool assume_unique, bool invert,
            const at::Tensor& out);
};

}  // namespace torch_xhal
