// SPDX-License-Identifier: Apache-2.0
// Operators whose index goes along one dimension, and embeddings, which are that.
#include <ATen/Context.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/TensorUtils.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <limits>

#include "kernels/launch.hpp"
#include "ops/index.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

constinit Kernel rows_of_bytes{"index", "xhal_index_rows_1"};
constinit Kernel rows_of_words{"index", "xhal_index_rows_4"};
constinit Kernel add_rows{"index", "xhal_index_add_rows_f32"};

constexpr uint64_t kLanes = 64;
// Columns of one item: neighbours lie in one line of a cache.
constexpr uint64_t kMostColumns = 16;

void check_index_type(const char* name, const at::Tensor& index) {
  TORCH_CHECK(index.scalar_type() == at::kLong || index.scalar_type() == at::kInt, name,
              "(): Expected dtype int32 or int64 for index");
}

bool is_at_word(const at::Tensor& tensor) {
  return reinterpret_cast<uintptr_t>(tensor.const_data_ptr()) % 4 == 0;
}

// Rows that lie densely on both sides: [outer, count, inner] becomes [outer, n, inner].
void select_rows(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& out) {
  uint64_t outer = 1;
  uint64_t inner = self.element_size();
  for (int64_t d = 0; d < self.dim(); ++d)
    if (d != dim) (d < dim ? outer : inner) *= static_cast<uint64_t>(self.size(d));
  const c10::DeviceIndex device = self.device().index();
  const bool has_words = inner % 4 == 0 && is_at_word(self) && is_at_word(out);
  const uint64_t words = has_words ? inner / 4 : inner;
  const auto n = static_cast<uint64_t>(index.numel());
  const uint64_t lanes =
      device_at(device).properties.kind == XHAL_DEVICE_KIND_CPU ? 1 : std::min(words, kLanes);
  launch(has_words ? rows_of_words : rows_of_bytes, device, items(device, outer * n * lanes), writes(out),
         reads(self), reads(index), outer * n, n, self.size(dim), words, lanes, code_of(index.scalar_type()));
}

// The lowest or highest value of a type.
at::Scalar bound_of(at::ScalarType type, bool highest) {
  switch (type) {
    case at::kByte:
      return highest ? 255 : 0;
    case at::kChar:
      return highest ? 127 : -128;
    case at::kShort:
      return highest ? 32767 : -32768;
    case at::kInt:
      return highest ? std::numeric_limits<int32_t>::max() : std::numeric_limits<int32_t>::min();
    case at::kLong:
      return highest ? std::numeric_limits<int64_t>::max() : std::numeric_limits<int64_t>::min();
    default:
      return highest ? std::numeric_limits<double>::infinity() : -std::numeric_limits<double>::infinity();
  }
}

void check_source_dims(const at::Tensor& self, const at::Tensor& source) {
  TORCH_CHECK(self.dim() > 1 || source.dim() <= 1, "source.dim() (", source.dim(),
              ") must one or zero for given self.dim() (", self.dim(), ")");
}

}  // namespace

at::Tensor& index_select_out(const at::Tensor& self, int64_t dim, const at::Tensor& index, at::Tensor& out) {
  check_one_device(self, {index, out});
  dim = at::maybe_wrap_dim(dim, self.dim());
  TORCH_CHECK_INDEX(index.dim() <= 1, "index_select(): Index is supposed to be a vector");
  check_index_type("index_select", index);
  TORCH_CHECK(self.scalar_type() == out.scalar_type(),
              "index_select(): self and result must have the same scalar type");
  TORCH_CHECK(self.dim() != 0 || index.numel() == 1,
              "index_select(): Index to scalar can have only 1 value, got ", index.numel(), " value(s)");
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, self);
  at::assert_no_overlap(out, index);
  auto sizes = self.sizes().vec();
  if (self.dim() > 0) sizes[static_cast<size_t>(dim)] = index.numel();
  at::native::resize_output(out, sizes);
  if (index.numel() == 0) return out;
  TORCH_CHECK(self.dim() == 0 || self.size(dim) > 0,
              "index_select(): self indexing axis dim should be positive");
  if (out.numel() == 0) return out;
  const at::Tensor dense_index = index.contiguous();
  if (self.is_contiguous() && out.is_contiguous() && self.dim() > 0)
    select_rows(self, dim, dense_index, out);
  else
    get_indexed(along(self, dim, dense_index, out, false));
  return out;
}

at::Tensor index_select(const at::Tensor& self, int64_t dim, const at::Tensor& index) {
  at::Tensor out = at::empty({0}, self.options());
  return index_select_out(self, dim, index, out);
}

void IndexAdd::impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
                    const at::Scalar& alpha, const at::Tensor& out) {
  check_one_device(self, {index, source, out});
  if (!out.is_same(self)) out.copy_(self);
  check_source_dims(out, source);
  const at::Tensor values = alpha.equal(1) ? source : source.mul(alpha);
  in_wide_sums(out, values, [&](const at::Tensor& sums, const at::Tensor& terms) {
    update_indexed(along(sums, dim, index, terms, false), XHAL_OP_UPDATE_ADD);
  });
}

void IndexCopy::impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
                     const at::Tensor& out) {
  check_one_device(self, {index, source, out});
  if (!out.is_same(self)) out.copy_(self);
  set_indexed(along(out, dim, index, source, false));
}

void IndexReduce::impl(const at::Tensor& self, int64_t dim, const at::Tensor& index, const at::Tensor& source,
                       c10::string_view reduce, bool include_self, const at::Tensor& out) {
  TORCH_WARN_ONCE("index_reduce() is in beta and the API may change at any time.");
  check_one_device(self, {index, source, out});
  TORCH_CHECK_NOT_IMPLEMENTED(self.scalar_type() != at::kBool, "\"index_func_\" not implemented for 'Bool'");
  const at::ScalarType type = self.scalar_type();
  xhal_op_update_code op = XHAL_OP_UPDATE_ADD;
  at::Scalar start = 0;
  if (reduce == "prod") {
    op = XHAL_OP_UPDATE_MUL;
    start = 1;
  } else if (reduce == "amax") {
    op = XHAL_OP_UPDATE_MAX;
    start = bound_of(type, false);
  } else if (reduce == "amin") {
    op = XHAL_OP_UPDATE_MIN;
    start = bound_of(type, true);
  }
  if (!out.is_same(self)) out.copy_(self);
  check_source_dims(out, source);
  at::Tensor result = out;
  if (!include_self) result.index_fill_(dim, index.to(at::kLong), start);
  // Rounded at each step, as on the host; only the counts of a mean are exact.
  update_indexed(along(result, dim, index, source, false), op);
  if (reduce != "mean") return;
  const auto wide = result.options().dtype(at::isReducedFloatingType(type) ? at::kFloat : type);
  at::Tensor counts = include_self ? at::ones_like(result, wide) : at::zeros_like(result, wide);
  update_indexed(along(counts, dim, index, at::ones_like(source, wide), false), XHAL_OP_UPDATE_ADD);
  counts.masked_fill_(counts.eq(0), 1);
  if (at::isFloatingType(type))
    result.div_(counts);
  else
    result.div_(counts, "floor");
}

at::Tensor embedding_dense_backward(const at::Tensor& gradient, const at::Tensor& indices, int64_t count,
                                    int64_t padding, bool scales_by_frequency) {
  check_one_device(gradient, {indices});
  const at::TensorArg argument(indices, "indices", 2);
  at::checkScalarTypes("embedding_backward", argument, {at::kLong, at::kInt});
  at::Tensor index = indices.reshape({-1});
  const int64_t columns = gradient.size(-1);
  // Of 16 bits sums are made in 32 and rounded once.
  const at::ScalarType type =
      at::isReducedFloatingType(gradient.scalar_type()) ? at::kFloat : gradient.scalar_type();
  at::Tensor rows = gradient.reshape({index.numel(), columns}).to(type);
  at::Tensor out = at::zeros({count, columns}, rows.options());
  if (index.numel() == 0 || out.numel() == 0) return out.to(gradient.scalar_type());
  if (scales_by_frequency) {
    at::Tensor counts = at::zeros({count}, index.options().dtype(at::kFloat));
    update_indexed(along(counts, 0, index, at::ones({index.numel()}, counts.options()), false),
                   XHAL_OP_UPDATE_ADD);
    rows = rows.mul(torch_xhal::index_select(counts, 0, index).reciprocal().unsqueeze(1)).to(type);
  }
  // A row that leads nowhere adds nothing.
  if (padding >= 0) index = index.masked_fill(index.eq(padding), -1);
  if (rows.scalar_type() != at::kFloat) {
    update_indexed(along(out, 0, index, rows, false), XHAL_OP_UPDATE_ADD);
    return out;
  }
  const c10::DeviceIndex device = out.device().index();
  const auto wide = static_cast<uint64_t>(columns);
  const uint64_t units = std::max<uint32_t>(device_at(device).properties.unit_count, 1);
  const uint64_t width = std::clamp<uint64_t>(wide / (units * 32), 1, kMostColumns);
  const at::Tensor dense_rows = rows.contiguous();
  const at::Tensor dense_index = index.contiguous();
  launch(add_rows, device, items(device, (wide + width - 1) / width), updates(out), reads(dense_rows),
         reads(dense_index), static_cast<uint64_t>(index.numel()), count, wide, width,
         code_of(index.scalar_type()));
  return out.to(gradient.scalar_type());
}

at::Tensor bincount(const at::Tensor& self, const std::optional<at::Tensor>& given, int64_t least) {
  const at::Tensor weights = given.value_or(at::Tensor());
  TORCH_CHECK(least >= 0, "minlength should be >= 0");
  TORCH_CHECK_NOT_IMPLEMENTED(at::isIntegralType(self.scalar_type(), false),
                              "\"bincount_cpu\" not implemented for '", self.scalar_type(), "'");
  const auto counts = self.options().dtype(at::kLong);
  if (self.dim() == 1 && self.numel() == 0) return at::zeros({least}, counts);
  TORCH_CHECK(self.dim() == 1 && self.amin().item<int64_t>() >= 0,
              "bincount only supports 1-d non-negative integral inputs.");
  if (weights.defined()) {
    TORCH_CHECK(weights.dim() == 1 && weights.size(0) == self.size(0),
                "weights should be 1-d and have the same length as input");
    check_one_device(self, {weights});
  }
  const int64_t size = std::max(self.amax().item<int64_t>() + 1, least);
  const at::Tensor index = self.to(at::kLong);
  at::Tensor values = !weights.defined()                    ? at::ones({}, counts).expand_as(self)
                      : weights.scalar_type() == at::kFloat ? weights
                                                            : weights.to(at::kDouble);
  const at::Tensor out = at::zeros({size}, values.options());
  update_indexed(along(out, 0, index, values, false), XHAL_OP_UPDATE_ADD);
  return out;
}

}  // namespace torch_xhal
