// SPDX-License-Identifier: Apache-2.0
// What a mask selects. Where the shape of a result is how much that is, the host waits for the count.
#include <ATen/Dispatch.h>
#include <ATen/ExpandUtils.h>
#include <ATen/MemoryOverlap.h>
#include <ATen/native/IndexKernel.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "kernels/launch.hpp"
#include "ops/index.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

// By the size of an element: 1, 2, 4, 8.
constinit Kernel fills[] = {{"index", "xhal_masked_fill_1"},
                            {"index", "xhal_masked_fill_2"},
                            {"index", "xhal_masked_fill_4"},
                            {"index", "xhal_masked_fill_8"}};
constinit Kernel takes[] = {{"index", "xhal_mask_take_1"},
                            {"index", "xhal_mask_take_2"},
                            {"index", "xhal_mask_take_4"},
                            {"index", "xhal_mask_take_8"}};
constinit Kernel puts[] = {{"index", "xhal_mask_put_1"},
                           {"index", "xhal_mask_put_2"},
                           {"index", "xhal_mask_put_4"},
                           {"index", "xhal_mask_put_8"}};
constinit Kernel counts_of_blocks{"index", "xhal_mask_counts"};
constinit Kernel starts_of_counts{"index", "xhal_mask_starts"};
constinit Kernel positions_of{"index", "xhal_mask_positions"};
constinit Kernel coordinates_of{"index", "xhal_mask_coordinates"};
constinit Kernel repeat_numbers{"index", "xhal_mask_repeat"};

constexpr uint64_t kLeastBlock = 256;
constexpr uint64_t kMostBlocks = 4096;
constexpr uint64_t kWidth = 256;

Kernel& by_size(Kernel* kernels, const at::Tensor& tensor) {
  return kernels[std::countr_zero(static_cast<unsigned>(tensor.element_size()))];
}

uint64_t count_of(const at::Tensor& tensor) { return static_cast<uint64_t>(tensor.numel()); }
uint64_t blocks_of(uint64_t n, uint64_t block) { return (n + block - 1) / block; }

// A dense tensor of any type, in blocks: how many elements that are not zero stand before each, and at last how many there are.
struct Selected {
  explicit Selected(const at::Tensor& given)
      : from(given.contiguous()),
        device(given.device().index()),
        n(count_of(given)),
        block(std::max(kLeastBlock, blocks_of(n, kMostBlocks))),
        blocks(blocks_of(n, block)),
        bytes(static_cast<uint32_t>(given.element_size())),
        significant(at::isFloatingType(given.scalar_type()) ? ~(uint64_t{1} << (bytes * 8 - 1))
                                                            : ~uint64_t{0}),
        starts(at::empty({static_cast<int64_t>(blocks) + 1}, given.options().dtype(at::kLong))) {
    launch(counts_of_blocks, device, items(device, blocks), updates(starts), reads(from), n, block, bytes,
           significant);
    launch(starts_of_counts, device, items(device, 1), updates(starts), blocks);
  }
  int64_t count() const { return starts.select(0, static_cast<int64_t>(blocks)).item<int64_t>(); }

  at::Tensor from;
  c10::DeviceIndex device;
  uint64_t n, block, blocks;
  uint32_t bytes;
  uint64_t significant;
  at::Tensor starts;
};

uint64_t bits_of(const at::Scalar& value, at::ScalarType type) {
  uint64_t out = 0;
  AT_DISPATCH_ALL_TYPES_AND3(at::kBool, at::kBFloat16, at::kHalf, type, "masked_fill", [&] {
    const auto number = value.to<scalar_t>();
    std::memcpy(&out, &number, sizeof(number));
  });
  return out;
}

void fill_masked(at::TensorIterator& whole, const at::Scalar& value) {
  const uint64_t bits = bits_of(value, whole.dtype(0));
  if (whole.numel() == 0) return;
  int dims = 0;
  for (const int64_t size : whole.shape()) dims += size != 1;
  if (dims > XHAL_OP_DIMS) {
    int outermost = whole.ndim() - 1;
    while (whole.shape()[outermost] == 1) --outermost;
    for (int64_t i = 0; i < whole.shape()[outermost]; ++i) {
      at::TensorIterator slice(whole);
      slice.narrow(outermost, i, 1);
      fill_masked(slice, value);
    }
    return;
  }
  xhal_op_shape shape = {};
  uint64_t bytes[2] = {static_cast<uint64_t>(whole.element_size(0)), 1};
  for (int d = 0; d < whole.ndim(); ++d) {
    if (whole.shape()[d] == 1) continue;
    shape.sizes[shape.dims] = static_cast<uint64_t>(whole.shape()[d]);
    for (int k = 0; k < 2; ++k) {
      shape.strides[k][shape.dims] = whole.strides(k)[d];
      bytes[k] += static_cast<uint64_t>((whole.shape()[d] - 1) * whole.strides(k)[d]);
    }
    ++shape.dims;
  }
  while (shape.dims < 2) shape.sizes[shape.dims++] = 1;
  uint64_t deep = 1;
  for (uint32_t d = 2; d < shape.dims; ++d) deep *= shape.sizes[d];
  const c10::DeviceIndex device = whole.device(0).index();
  // Neighbours that many items fill are one item's on a processor.
  const uint64_t width = device_at(device).properties.kind == XHAL_DEVICE_KIND_CPU ? kWidth : 1;
  launch(fills[std::countr_zero(static_cast<unsigned>(whole.element_size(0)))], device,
         items(device, (shape.sizes[0] + width - 1) / width, shape.sizes[1], deep),
         Memory{whole.data_ptr(0), bytes[0], XHAL_ACCESS_READ_WRITE},
         Memory{whole.data_ptr(1), bytes[1], XHAL_ACCESS_READ}, bits, width, shape);
}

}  // namespace

at::Tensor& masked_fill_(at::Tensor& self, const at::Tensor& mask, const at::Tensor& value) {
  TORCH_CHECK(value.dim() == 0,
              "masked_fill_ only supports a 0-dimensional value tensor, but got tensor "
              "with ",
              value.dim(), " dimension(s).");
  if (value.device().is_cpu()) return self.masked_fill_(mask, value.item());
  check_one_device(self, {mask, value});
  TORCH_CHECK(mask.dtype() == at::kBool, "masked_fill_ only supports boolean masks, but got mask with dtype ",
              mask.dtype());
  at::assert_no_partial_overlap(self, mask);
  return self.copy_(at::where(mask.expand(self.sizes()), value.to(self.scalar_type()), self));
}

at::Tensor& nonzero_out(const at::Tensor& self, at::Tensor& out) {
  TORCH_CHECK(out.scalar_type() == at::kLong, "nonzero: Expected out tensor to have scalar type ", at::kLong,
              " but got scalar type", out.scalar_type());
  check_one_device(self, {out});
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, self);
  if (self.numel() == 0) {
    at::native::resize_output(out, {0, self.dim()});
    return out;
  }
  const Selected selected(self);
  const int64_t count = selected.count();
  at::native::resize_output(out, {count, self.dim()});
  if (out.numel() == 0) return out;
  const at::Tensor dense = out.is_contiguous() ? out : at::empty(out.sizes(), out.options());
  const at::Tensor positions = self.dim() == 1 ? dense : at::empty({count}, out.options());
  launch(positions_of, selected.device, items(selected.device, selected.blocks), updates(positions),
         reads(selected.starts), reads(selected.from), selected.n, selected.block, selected.bytes,
         selected.significant, uint64_t{1});
  int64_t inner = self.numel();
  for (int64_t d = 0; d < self.dim() && self.dim() != 1; ++d) {
    inner /= self.size(d);
    const at::Tensor column = dense.select(1, d);
    launch(coordinates_of, selected.device, items(selected.device, count_of(positions)), updates(column),
           reads(positions), count_of(positions), static_cast<uint64_t>(self.dim()), inner, self.size(d));
  }
  if (!dense.is_same(out)) out.copy_(dense);
  return out;
}

at::Tensor nonzero(const at::Tensor& self) {
  at::Tensor out = at::empty({0}, self.options().dtype(at::kLong));
  return nonzero_out(self, out);
}

at::Tensor& masked_select_out(const at::Tensor& self, const at::Tensor& mask, at::Tensor& out) {
  TORCH_CHECK(mask.scalar_type() == at::kBool, "masked_select: expected BoolTensor for mask");
  TORCH_CHECK(self.scalar_type() == out.scalar_type(),
              "masked_select(): self and result must have the same scalar type");
  check_one_device(self, {mask, out});
  at::assert_no_internal_overlap(out);
  at::assert_no_overlap(out, self);
  at::assert_no_overlap(out, mask);
  const auto [wide_mask, wide_self] = at::expand_outplace(mask, self);
  if (wide_mask->numel() == 0) {
    at::native::resize_output(out, {0});
    return out;
  }
  const Selected selected(*wide_mask);
  const at::Tensor from = wide_self->contiguous();
  at::native::resize_output(out, {selected.count()});
  if (out.numel() == 0) return out;
  const at::Tensor dense = out.is_contiguous() ? out : at::empty(out.sizes(), out.options());
  launch(by_size(takes, from), selected.device, items(selected.device, selected.blocks), updates(dense),
         reads(from), reads(selected.from), reads(selected.starts), selected.n, selected.block);
  if (!dense.is_same(out)) out.copy_(dense);
  return out;
}

at::Tensor masked_select(const at::Tensor& self, const at::Tensor& mask) {
  at::Tensor out = at::empty({0}, self.options());
  return masked_select_out(self, mask, out);
}

at::Tensor& masked_scatter_(at::Tensor& self, const at::Tensor& mask, const at::Tensor& source) {
  at::assert_no_internal_overlap(self);
  TORCH_CHECK(self.scalar_type() == source.scalar_type(),
              "masked_scatter: expected self and source to have same dtypes but got", self.scalar_type(),
              " and ", source.scalar_type());
  check_one_device(self, {mask, source});
  TORCH_CHECK(mask.dtype() == at::kBool,
              "masked_scatter_ only supports boolean masks, "
              "but got mask with dtype ",
              mask.dtype());
  const c10::MaybeOwned<at::Tensor> wide_mask = at::expand_inplace(self, mask, "masked_scatter_");
  if (self.numel() == 0) return self;
  const Selected selected(*wide_mask);
  TORCH_CHECK(source.numel() >= self.numel() || source.numel() >= selected.count(),
              "Number of elements of source < number of ones in mask");
  if (source.numel() == 0) return self;
  const at::Tensor values = source.contiguous();
  const at::Tensor dense = self.contiguous();
  launch(by_size(puts, dense), selected.device, items(selected.device, selected.blocks), updates(dense),
         reads(values), reads(selected.from), reads(selected.starts), selected.n, selected.block,
         count_of(values));
  if (!dense.is_same(self)) self.copy_(dense);
  return self;
}

at::Tensor count_nonzero(const at::Tensor& self, at::IntArrayRef dims) {
  return self.ne(0).sum(dims, false, at::kLong);
}

at::Tensor repeat_interleave(const at::Tensor& repeats, std::optional<int64_t> size) {
  TORCH_CHECK(repeats.dim() == 1, "repeat_interleave only accept 1D vector as repeat");
  TORCH_CHECK(repeats.scalar_type() == at::kLong || repeats.scalar_type() == at::kInt,
              "repeats has to be Long or Int tensor");
  if (repeats.size(0) == 0) return at::empty_like(repeats);
  TORCH_CHECK(size || repeats.amin().item<int64_t>() >= 0, "repeats can not be negative");
  at::Tensor starts = at::empty({repeats.size(0) + 1}, repeats.options().dtype(at::kLong));
  starts.narrow(0, 0, repeats.size(0)).copy_(repeats);
  const c10::DeviceIndex device = repeats.device().index();
  launch(starts_of_counts, device, items(device, 1), updates(starts), count_of(repeats));
  const at::Tensor out =
      at::empty({size ? *size : starts.select(0, repeats.size(0)).item<int64_t>()}, repeats.options());
  if (out.numel() == 0) return out;
  launch(repeat_numbers, device, items(device, count_of(repeats)), updates(out), reads(starts),
         count_of(repeats), count_of(out), code_of(out.scalar_type()));
  return out;
}

}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(masked_fill_stub, &torch_xhal::fill_masked)

}  // namespace at::native
