// SPDX-License-Identifier: Apache-2.0
#include "ops/bag.hpp"

#include <ATen/TensorUtils.h>
#include <ATen/ops/_embedding_bag_sparse_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/norm.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_FLOAT(name)                                        \
  {                                                                      \
    {"index", name "_f32"}, {"index", name "_f64"}, { nullptr, nullptr } \
  }
constinit KernelByType values_of = TORCH_XHAL_BY_FLOAT("xhal_bag");
constinit KernelByType give_back = TORCH_XHAL_BY_FLOAT("xhal_bag_backward");
constinit KernelByType give_back_chosen = TORCH_XHAL_BY_FLOAT("xhal_bag_backward_chosen");
constinit KernelByType factors_of = TORCH_XHAL_BY_FLOAT("xhal_bag_factors_backward");
constinit Kernel members_of{"index", "xhal_bag_members"};
constinit Kernel rows_of{"index", "xhal_bag_rows_f32"};

// Columns of one item, of which there are to be enough for all units.
uint64_t columns_of_item(c10::DeviceIndex device, uint64_t columns, uint64_t bags) {
  const uint64_t units = std::max<uint32_t>(device_at(device).properties.unit_count, 1);
  return std::clamp<uint64_t>(columns * bags / (units * 32), 1, 1024);
}

Memory reads_or(const at::Tensor& tensor, const at::Tensor& otherwise) {
  return reads(tensor.defined() && tensor.numel() != 0 ? tensor : otherwise);
}

struct Places {
  Places(const at::Tensor& given_indices, const at::Tensor& given_offsets) {
    const at::ScalarType type =
        given_indices.scalar_type() == given_offsets.scalar_type()
            ? given_offsets.scalar_type()
            : at::promoteTypes(given_offsets.scalar_type(), given_indices.scalar_type());
    indices = given_indices.to(type).contiguous();
    offsets = given_offsets.to(type).contiguous();
  }
  void check() const {
    const at::TensorArg of_indices(indices, "indices", 1);
    const at::TensorArg of_offsets(offsets, "offsets", 1);
    at::checkScalarTypes("embedding_bag", of_indices, {at::kLong, at::kInt});
    at::checkScalarTypes("embedding_bag", of_offsets, {at::kLong, at::kInt});
    at::checkSameType("embedding_bag", of_indices, of_offsets);
  }
  at::Tensor indices, offsets;
};

void check_weights(const Places& places, const at::Tensor& weight, int64_t mode, const at::Tensor& factors,
                   bool has_last_offset) {
  places.check();
  const at::TensorArg of_weight(weight, "weight", 1);
  at::checkScalarTypes("embedding_bag", of_weight, {at::kHalf, at::kBFloat16, at::kFloat, at::kDouble});
  if (factors.defined()) {
    TORCH_CHECK(mode == XHAL_OP_BAG_SUM, "embedding_bag: per_sample_weights only supported with mode='sum'");
    const at::TensorArg of_factors(factors, "per_sample_weights", 1);
    at::checkSameType("embedding_bag", of_weight, of_factors);
    TORCH_CHECK(factors.dim() == 1,
                "Expected per_sample_weights.value().dim() == 1 to be true, but got false.  (Could this "
                "error message be "
                "improved?  If so, please report an enhancement request to PyTorch.)");
    TORCH_CHECK(factors.numel() == places.indices.numel(),
                "Expected per_sample_weights.value().numel() == indices.numel() to be true, but got false.  "
                "(Could this error message be "
                "improved?  If so, please report an enhancement request to PyTorch.)");
  }
  TORCH_CHECK(!has_last_offset || places.offsets.size(0) >= 1,
              "include_last_offset: number of offset should be at least 1");
  TORCH_CHECK(mode >= XHAL_OP_BAG_SUM && mode <= XHAL_OP_BAG_MAX, "`mode` must be sum, mean, or max.");
  norm::check_one_device(weight, {places.indices, places.offsets, factors});
}

xhal_op_bag shape_of(const at::Tensor& indices, int64_t bags, int64_t rows, int64_t columns, int64_t mode,
                     int64_t padding) {
  xhal_op_bag out = {};
  out.bags = static_cast<uint64_t>(bags);
  out.indices = static_cast<uint64_t>(indices.numel());
  out.rows = static_cast<uint64_t>(rows);
  out.columns = static_cast<uint64_t>(columns);
  // What is below 0 is no index, and -1 itself no row.
  out.padding = padding < 0 ? -1 : padding;
  out.mode = static_cast<uint32_t>(mode);
  out.index_type = code_of(indices.scalar_type());
  return out;
}

void set_type(xhal_op_bag& shape, const at::Tensor& of) {
  shape.type = code_of(of.scalar_type());
  shape.bytes = static_cast<uint32_t>(of.element_size());
}

Bags run(const at::Tensor& weight, const at::Tensor& given_indices, const at::Tensor& given_offsets,
         int64_t mode, const std::optional<at::Tensor>& optional_factors, bool has_last_offset,
         int64_t padding, bool has_gradient) {
  TORCH_CHECK(given_indices.dim() == 1 || given_indices.dim() == 2,
              "input has to be a 1D or 2D Tensor, but got Tensor of dimension ", given_indices.dim());
  TORCH_CHECK(given_indices.dim() != 1 || given_offsets.dim() == 1,
              "offsets has to be a 1D Tensor, but got Tensor of dimension ", given_offsets.dim());
  const Places places(given_indices, given_offsets);
  const at::Tensor factors = norm::or_none(optional_factors);
  check_weights(places, weight, mode, factors, has_last_offset);
  const at::Tensor& indices = places.indices;
  const int64_t bags = places.offsets.size(0) - (has_last_offset ? 1 : 0);
  const int64_t columns = weight.size(1);
  at::Tensor out = at::empty({bags, columns}, weight.options());
  at::Tensor bag_of_index = at::empty({indices.numel()}, indices.options());
  // The host gives a sum that needs no gradient one size more, all of them 0.
  at::Tensor sizes = has_gradient || mode != XHAL_OP_BAG_SUM
                         ? at::empty({bags}, indices.options())
                         : at::zeros({places.offsets.size(0)}, indices.options());
  at::Tensor chosen = mode == XHAL_OP_BAG_MAX ? at::empty({bags, columns}, indices.options()) : at::Tensor();
  if (bags != 0) {
    xhal_op_bag shape = shape_of(indices, bags, weight.size(0), columns, mode, padding);
    set_type(shape, weight);
    shape.has_factors = factors.defined() ? 1 : 0;
    const c10::DeviceIndex device = weight.device().index();
    launch(members_of, device, items(device, shape.bags),
           indices.numel() != 0 ? writes(bag_of_index) : writes(sizes), updates(sizes),
           reads_or(indices, places.offsets), reads(places.offsets), shape);
    const at::Tensor dense_weight = weight.contiguous();
    const at::Tensor dense_factors = norm::dense(factors);
    if (columns == 0) {
    } else if (weight.scalar_type() == at::kFloat && mode != XHAL_OP_BAG_MAX) {
      const uint64_t width = columns_of_item(device, shape.columns, shape.bags);
      launch(rows_of, device, items(device, (shape.columns + width - 1) / width, shape.bags), updates(out),
             reads_or(dense_weight, places.offsets), reads_or(indices, places.offsets), reads(places.offsets),
             reads_or(dense_factors, places.offsets), shape, width);
    } else {
      launch(values_of.of(weight.scalar_type()), device, items(device, shape.bags * shape.columns),
             writes(out), mode == XHAL_OP_BAG_MAX ? writes(chosen) : updates(sizes),
             reads_or(dense_weight, places.offsets), reads_or(indices, places.offsets), reads(places.offsets),
             reads_or(dense_factors, places.offsets), shape);
    }
  }
  if (!chosen.defined()) chosen = sizes.clone();
  return {std::move(out), std::move(bag_of_index), std::move(sizes), std::move(chosen)};
}

}  // namespace

Bags embedding_bag(const at::Tensor& weight, const at::Tensor& indices, const at::Tensor& offsets, bool,
                   int64_t mode, bool, const std::optional<at::Tensor>& factors, bool has_last_offset,
                   int64_t padding) {
  return run(weight, indices, offsets, mode, factors, has_last_offset, padding, true);
}

Bags embedding_bag_forward_only(const at::Tensor& weight, const at::Tensor& indices,
                                const at::Tensor& offsets, bool, int64_t mode, bool,
                                const std::optional<at::Tensor>& factors, bool has_last_offset,
                                int64_t padding) {
  return run(weight, indices, offsets, mode, factors, has_last_offset, padding, false);
}

at::Tensor embedding_bag_dense_backward(const at::Tensor& gradient, const at::Tensor& given_indices,
                                        const at::Tensor& bag_of_index, const at::Tensor& given_sizes,
                                        const at::Tensor& given_chosen, int64_t rows, bool by_frequency,
                                        int64_t mode, const std::optional<at::Tensor>& optional_factors,
                                        int64_t padding) {
  const at::TensorArg of_gradient(gradient, "grad_", 1);
  at::checkScalarTypes("embedding_bag", of_gradient, {at::kHalf, at::kBFloat16, at::kFloat, at::kDouble});
  const at::Tensor factors = norm::or_none(optional_factors);
  norm::check_one_device(gradient, {given_indices, bag_of_index, given_sizes, given_chosen, factors});
  // Of 16 bits sums are made in 32 and rounded once.
  const at::ScalarType type = gradient.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const at::Tensor given = gradient.to(type).contiguous();
  const at::Tensor out = at::zeros({rows, gradient.size(1)}, given.options());
  if (out.numel() == 0 || given.numel() == 0 || given_indices.numel() == 0)
    return out.to(gradient.scalar_type());
  const at::Tensor indices = given_indices.contiguous();
  const at::Tensor bags = bag_of_index.to(indices.scalar_type()).contiguous();
  const at::Tensor sizes = given_sizes.to(indices.scalar_type()).contiguous();
  xhal_op_bag shape = shape_of(indices, gradient.size(0), rows, gradient.size(1), mode, padding);
  set_type(shape, given);
  const c10::DeviceIndex device = gradient.device().index();
  const uint64_t width = columns_of_item(device, shape.columns, 1);
  const Grid grid = items(device, (shape.columns + width - 1) / width);
  if (mode == XHAL_OP_BAG_MAX) {
    const at::Tensor chosen = given_chosen.to(indices.scalar_type()).contiguous();
    launch(give_back_chosen.of(type), device, grid, updates(out), reads(given), reads(chosen), reads(sizes),
           shape, width);
    return out.to(gradient.scalar_type());
  }
  at::Tensor counts;
  if (by_frequency) {
    const auto options = indices.options().dtype(at::kLong);
    counts = at::zeros({rows}, options).index_add_(0, indices.view(-1), at::ones({indices.numel()}, options));
  }
  const at::Tensor wide_factors = factors.defined() ? factors.to(type).contiguous() : factors;
  shape.has_factors = factors.defined() ? 1 : 0;
  shape.has_counts = by_frequency ? 1 : 0;
  launch(give_back.of(type), device, grid, updates(out), reads(given), reads(indices), reads(bags),
         reads(sizes), reads_or(wide_factors, given), reads_or(counts, given), shape, width);
  return out.to(gradient.scalar_type());
}

at::Tensor embedding_bag_backward(const at::Tensor& gradient, const at::Tensor& indices,
                                  const at::Tensor& offsets, const at::Tensor& bag_of_index,
                                  const at::Tensor& sizes, const at::Tensor& chosen, int64_t rows,
                                  bool by_frequency, int64_t mode, bool sparse,
                                  const std::optional<at::Tensor>& factors, int64_t padding) {
  const Places places(indices, offsets);
  places.check();
  if (sparse)
    return at::_embedding_bag_sparse_backward(gradient, places.indices, places.offsets, bag_of_index, sizes,
                                              rows, by_frequency, mode, factors, padding);
  return embedding_bag_dense_backward(gradient, places.indices, bag_of_index, sizes, chosen, rows,
                                      by_frequency, mode, factors, padding);
}

at::Tensor embedding_bag_factors_backward(const at::Tensor& gradient, const at::Tensor& weight,
                                          const at::Tensor& given_indices, const at::Tensor& offsets,
                                          const at::Tensor& given_bags, int64_t mode, int64_t padding) {
  TORCH_CHECK(mode == XHAL_OP_BAG_SUM,
              "embedding_bag_backward: per_sample_weights only supported for mode='sum'");
  const Places places(given_indices, offsets);
  places.check();
  norm::check_one_device(gradient, {weight, places.indices, places.offsets, given_bags});
  norm::check_type(gradient.scalar_type(), {weight});
  const at::Tensor& indices = places.indices;
  const at::Tensor out = at::zeros({indices.numel()}, gradient.options());
  if (out.numel() == 0 || gradient.numel() == 0) return out;
  const c10::DeviceIndex device = gradient.device().index();
  xhal_op_bag shape = shape_of(indices, gradient.size(0), weight.size(0), gradient.size(1), mode, padding);
  set_type(shape, gradient);
  at::Tensor bags = given_bags.to(indices.scalar_type()).contiguous();
  if (bags.numel() == 0) {
    bags = at::empty_like(indices);
    const at::Tensor sizes = at::empty({gradient.size(0)}, indices.options());
    launch(members_of, device, items(device, shape.bags), updates(bags), writes(sizes), reads(indices),
           reads(places.offsets), shape);
  }
  const at::Tensor dense_gradient = gradient.contiguous();
  const at::Tensor dense_weight = weight.contiguous();
  launch(factors_of.of(gradient.scalar_type()), device, items(device, shape.indices), writes(out),
         reads(dense_gradient), reads_or(dense_weight, dense_gradient), reads(indices), reads(bags), shape);
  return out;
}

}  // namespace torch_xhal
