// SPDX-License-Identifier: Apache-2.0
// Bags of embeddings. What offsets and indices may not be is not told, as that would be a wait for the device: an index that names no row
// stands for one of zeros, and offsets are cut to the indices there are.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

namespace torch_xhal {

using Bags = std::tuple<at::Tensor, at::Tensor, at::Tensor, at::Tensor>;

Bags embedding_bag(const at::Tensor& weight, const at::Tensor& indices, const at::Tensor& offsets,
                   bool by_frequency, int64_t mode, bool sparse, const std::optional<at::Tensor>& factors,
                   bool has_last_offset, int64_t padding);
Bags embedding_bag_forward_only(const at::Tensor& weight, const at::Tensor& indices,
                                const at::Tensor& offsets, bool by_frequency, int64_t mode, bool sparse,
                                const std::optional<at::Tensor>& factors, bool has_last_offset,
                                int64_t padding);
at::Tensor embedding_bag_backward(const at::Tensor& gradient, const at::Tensor& indices,
                                  const at::Tensor& offsets, const at::Tensor& bag_of_index,
                                  const at::Tensor& sizes, const at::Tensor& chosen, int64_t rows,
                                  bool by_frequency, int64_t mode, bool sparse,
                                  const std::optional<at::Tensor>& factors, int64_t padding);
at::Tensor embedding_bag_dense_backward(const at::Tensor& gradient, const at::Tensor& indices,
                                        const at::Tensor& bag_of_index, const at::Tensor& sizes,
                                        const at::Tensor& chosen, int64_t rows, bool by_frequency,
                                        int64_t mode, const std::optional<at::Tensor>& factors,
                                        int64_t padding);
at::Tensor embedding_bag_factors_backward(const at::Tensor& gradient, const at::Tensor& weight,
                                          const at::Tensor& indices, const at::Tensor& offsets,
                                          const at::Tensor& bag_of_index, int64_t mode, int64_t padding);

}  // namespace torch_xhal
