// SPDX-License-Identifier: Apache-2.0
// Tensors whose elements follow from where they stand.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/tril_meta.h>
#include <ATen/ops/triu_meta.h>
#include <c10/core/Scalar.h>

#include <optional>

namespace torch_xhal {

struct Tril : at::meta::structured_tril {
  void impl(const at::Tensor& self, int64_t diagonal, const at::Tensor& out);
};
struct Triu : at::meta::structured_triu {
  void impl(const at::Tensor& self, int64_t diagonal, const at::Tensor& out);
};

at::Tensor& logspace_out(const at::Scalar& start, const at::Scalar& end, int64_t steps, double base,
                         at::Tensor& out);
at::Tensor& range_out(const at::Scalar& start, const at::Scalar& end, const at::Scalar& step,
                      at::Tensor& out);
at::Tensor& range_out_by_one(const at::Scalar& start, const at::Scalar& end, at::Tensor& out);
at::Tensor& eye_m_out(int64_t n, int64_t m, at::Tensor& out);
at::Tensor tril_indices(int64_t rows, int64_t columns, int64_t diagonal, std::optional<at::ScalarType> type,
                        std::optional<at::Layout> layout, std::optional<at::Device> device,
                        std::optional<bool> pin_memory);
at::Tensor triu_indices(int64_t rows, int64_t columns, int64_t diagonal, std::optional<at::ScalarType> type,
                        std::optional<at::Layout> layout, std::optional<at::Device> device,
                        std::optional<bool> pin_memory);
at::Tensor flip(const at::Tensor& self, at::IntArrayRef dims);
at::Tensor trace(const at::Tensor& self);

}  // namespace torch_xhal
