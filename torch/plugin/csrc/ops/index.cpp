// SPDX-License-Identifier: Apache-2.0
#include "ops/index.hpp"

#include <ATen/Context.h>
#include <ATen/ExpandUtils.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/native/IndexKernel.h>
#include <ATen/native/TensorAdvancedIndexing.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>

#include <bit>
#include <vector>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"
#include "torch_version.hpp"

namespace torch_xhal {
namespace {

// By the size of an element: 1, 2, 4, 8.
constinit Kernel gets[] = {{"index", "xhal_index_get_1"},
                           {"index", "xhal_index_get_2"},
                           {"index", "xhal_index_get_4"},
                           {"index", "xhal_index_get_8"}};
constinit Kernel sets[] = {{"index", "xhal_index_set_1"},
                           {"index", "xhal_index_set_2"},
                           {"index", "xhal_index_set_4"},
                           {"index", "xhal_index_set_8"}};
constinit KernelByType updates_by_type = {{"index", "xhal_index_update_f32"},
                                          {"index", "xhal_index_update_f64"},
                                          {"index", "xhal_index_update_i64"}};
constinit Kernel offsets{"index", "xhal_index_offsets"};

// Below so many items that have elements of their own, and from so many values for each on, items share elements instead.
constexpr uint64_t kFewItems = 16;
constexpr uint64_t kManyTurns = 1024;

enum Operand { kSelf, kValues, kIndex };

at::TensorIterator iterator_of(const Indexed& indexed) {
  return at::TensorIteratorConfig()
      .set_check_mem_overlap(false)
      .check_all_same_dtype(false)
      .check_all_same_device(false)
      .resize_outputs(false)
      .add_output(indexed.self)
      .add_const_input(indexed.values)
      .add_const_input(indexed.index)
      .build();
}

struct Launch {
  xhal_op_places places;
  Memory memory[3];
};

// `is_turn` says which dimensions of the iterator an item goes through itself.
template <class IsTurn>
Launch launch_of(const at::TensorIteratorBase& iterator, const Indexed& indexed, const IsTurn& is_turn) {
  Launch out = {};
  xhal_op_places& places = out.places;
  uint64_t bytes[3] = {};
  for (const Operand k : {kSelf, kValues, kIndex}) bytes[k] = static_cast<uint64_t>(iterator.element_size(k));
  bytes[kSelf] += static_cast<uint64_t>((indexed.count - 1) * indexed.bytes);
  places.items = places.turns = 1;
  for (const bool turns : {false, true}) {
    for (int d = 0; d < iterator.ndim(); ++d) {
      const int64_t size = iterator.shape()[d];
      if (size == 1 || is_turn(d) != turns) continue;
      places.sizes[places.dims] = static_cast<uint64_t>(size);
      places.self[places.dims] = iterator.strides(kSelf)[d];
      places.values[places.dims] = iterator.strides(kValues)[d];
      places.index[places.dims] = iterator.strides(kIndex)[d];
      for (const Operand k : {kSelf, kValues, kIndex})
        bytes[k] += static_cast<uint64_t>((size - 1) * iterator.strides(k)[d]);
      (turns ? places.turns : places.items) *= static_cast<uint64_t>(size);
      ++places.dims;
    }
    if (!turns) places.kept = places.dims;
  }
  places.count = indexed.count;
  places.stride = indexed.bytes;
  places.wraps = indexed.wraps;
  places.index_type = code_of(iterator.dtype(kIndex));
  places.type = code_of(iterator.dtype(kSelf));
  places.bytes = static_cast<uint32_t>(iterator.element_size(kSelf));
  // Bytes between elements keep what they are, so that what is written is read, too.
  for (const Operand k : {kSelf, kValues, kIndex})
    out.memory[k] = {iterator.data_ptr(k), bytes[k], XHAL_ACCESS_READ};
  return out;
}

// Runs `one` on the iterator, or on slices of its outermost dimension until a launch has place for what is left.
template <class One>
void within_dims(at::TensorIteratorBase& iterator, const One& one) {
  int dims = 0;
  for (const int64_t size : iterator.shape()) dims += size != 1;
  if (dims <= XHAL_OP_DIMS) {
    one(iterator);
    return;
  }
  int outermost = iterator.ndim() - 1;
  while (iterator.shape()[outermost] == 1) --outermost;
  for (int64_t i = 0; i < iterator.shape()[outermost]; ++i) {
    at::TensorIterator slice(iterator);
    slice.narrow(outermost, i, 1);
    within_dims(slice, one);
  }
}

template <class Run>
void with_iterator(const Indexed& indexed, const Run& run) {
  check_one_device(indexed.self, {indexed.values, indexed.index});
  TORCH_INTERNAL_ASSERT(indexed.self.scalar_type() == indexed.values.scalar_type());
  at::TensorIterator whole = iterator_of(indexed);
  if (whole.numel() == 0) return;
  TORCH_CHECK_INDEX(indexed.count != 0, "index is out of bounds for dimension with size 0");
  within_dims(whole, [&](at::TensorIteratorBase& iterator) { run(iterator, indexed.self.device().index()); });
}

bool runs_items_in_turn(c10::DeviceIndex device) {
  return device_at(device).properties.kind == XHAL_DEVICE_KIND_CPU;
}

// A processor goes through the innermost dimension in one item, other devices share it.
int turning_dim(const at::TensorIteratorBase& iterator, c10::DeviceIndex device) {
  return runs_items_in_turn(device) && iterator.ndim() > 0 && iterator.numel() / iterator.shape()[0] >= 64
             ? 0
             : -1;
}

void move_indexed(Kernel* kernels, const Indexed& indexed, Operand from, Operand to) {
  with_iterator(indexed, [&](at::TensorIteratorBase& iterator, c10::DeviceIndex device) {
    const int turning = turning_dim(iterator, device);
    // Of several values that are written to one place the last is to stay where PyTorch is to be deterministic.
    const bool is_in_order = to == kSelf && at::globalContext().deterministicAlgorithms();
    Launch parts = launch_of(iterator, indexed, [&](int d) {
      return is_in_order ? iterator.strides(kSelf)[d] == 0 : d == turning;
    });
    parts.memory[to].access = XHAL_ACCESS_READ_WRITE;
    launch(kernels[std::countr_zero(parts.places.bytes)], device, items(device, parts.places.items),
           parts.memory[to], parts.memory[from], parts.memory[kIndex], parts.places);
  });
}

bool can_share(const Launch& parts, xhal_op_update_code op, at::ScalarType type) {
  if (parts.places.items >= kFewItems || parts.places.turns < kManyTurns) return false;
  if (at::globalContext().deterministicAlgorithms() && at::isFloatingType(type)) return false;
  if (at::isReducedFloatingType(type)) return false;
  if (reinterpret_cast<uintptr_t>(parts.memory[kSelf].pointer) % 4 != 0) return false;
  return parts.places.bytes <= 4 || (type == at::kLong && op == XHAL_OP_UPDATE_ADD);
}

// Several tensors of indices become one of distances in bytes.
Indexed by_tensors(const at::Tensor& self, const at::Tensor& values, at::TensorList indices,
                   at::IntArrayRef sizes, at::IntArrayRef strides) {
  const at::Tensor& first = indices[0];
  Indexed out{self, values, first, sizes[0], strides[0], true};
  if (sizes.size() == 1) return out;
  out.index = at::empty(first.sizes(), first.options().dtype(at::kLong));
  out.count = 1;
  out.bytes = 1;
  for (size_t k = 0; k < sizes.size(); ++k) {
    at::TensorIterator pair = at::TensorIteratorConfig()
                                  .check_all_same_dtype(false)
                                  .resize_outputs(false)
                                  .add_output(out.index)
                                  .add_const_input(indices[k])
                                  .build();
    out.count += (sizes[k] - 1) * strides[k];
    if (pair.numel() == 0) continue;
    within_dims(pair, [&](at::TensorIteratorBase& part) {
      xhal_op_shape shape = {};
      uint64_t bytes[2] = {8, 8};
      for (int d = 0; d < part.ndim(); ++d) {
        if (part.shape()[d] == 1) continue;
        shape.sizes[shape.dims] = static_cast<uint64_t>(part.shape()[d]);
        for (int operand = 0; operand < 2; ++operand) {
          shape.strides[operand][shape.dims] = part.strides(operand)[d];
          bytes[operand] += static_cast<uint64_t>((part.shape()[d] - 1) * part.strides(operand)[d]);
        }
        ++shape.dims;
      }
      while (shape.dims < 2) shape.sizes[shape.dims++] = 1;
      shape.types[1] = code_of(part.dtype(1));
      uint64_t deep = 1;
      for (uint32_t d = 2; d < shape.dims; ++d) deep *= shape.sizes[d];
      const c10::DeviceIndex device = out.index.device().index();
      launch(offsets, device, items(device, shape.sizes[0], shape.sizes[1], deep),
             Memory{part.data_ptr(0), bytes[0], XHAL_ACCESS_READ_WRITE},
             Memory{part.data_ptr(1), bytes[1], XHAL_ACCESS_READ}, uint64_t{k == 0}, sizes[k], strides[k],
             shape);
    });
  }
  // The offsets are what they are: -1 leads nowhere.
  out.wraps = false;
  return out;
}

at::Tensor at_least_1d(const at::Tensor& tensor) { return tensor.dim() == 0 ? tensor.unsqueeze(0) : tensor; }

// As of gather and scatter: the index has all dimensions, and where it is smaller than the others they are cut.
Indexed element_by_element(const at::Tensor& given_self, int64_t dim, const at::Tensor& given_index,
                           const at::Tensor& given_values) {
  const at::Tensor self = at_least_1d(given_self);
  const at::Tensor index = at_least_1d(given_index);
  const at::Tensor values = at_least_1d(given_values);
  dim = at::maybe_wrap_dim(dim, self.dim());
  at::DimVector strides(self.strides());
  strides[static_cast<size_t>(dim)] = 0;
  // A value for all elements stays one.
  const at::Tensor part = given_values.dim() == 0 && given_index.dim() != 0
                              ? given_values
                              : values.as_strided(index.sizes(), values.strides());
  return {self.as_strided(index.sizes(), strides),
          part,
          index,
          self.size(dim),
          self.stride(dim) * static_cast<int64_t>(self.element_size()),
          false};
}

at::Tensor value_like(const at::Tensor& self, const at::Scalar& value) {
  return at::full({}, value, self.options());
}

xhal_op_update_code code_of_reduction(at::native::ReductionType reduction) {
  switch (reduction) {
    case at::native::ReductionType::PROD:
      return XHAL_OP_UPDATE_MUL;
    case at::native::ReductionType::MIN:
      return XHAL_OP_UPDATE_MIN;
    case at::native::ReductionType::MAX:
      return XHAL_OP_UPDATE_MAX;
    default:
      return XHAL_OP_UPDATE_ADD;
  }
}

void reduce_elements(const at::Tensor& given_self, int64_t dim, const at::Tensor& index,
                     const at::Tensor& given_values, at::native::ReductionType reduction) {
  in_wide_sums(given_self, given_values, [&](const at::Tensor& self, const at::Tensor& values) {
    update_indexed(element_by_element(self, dim, index, values), code_of_reduction(reduction));
  });
}

void take(at::TensorIterator& iterator, const at::TensorBase& from) {
  const at::Tensor& index = iterator.tensor(1);
  const at::Tensor flat = at::Tensor(from).contiguous();
  const at::DimVector still(static_cast<size_t>(index.dim()), 0);
  get_indexed({flat.as_strided(index.sizes(), still), iterator.tensor(0), index, flat.numel(),
               static_cast<int64_t>(flat.element_size()), true});
}

void put(at::TensorIterator& iterator, const at::TensorBase& to, bool accumulates) {
  const at::Tensor& index = iterator.tensor(1);
  const at::DimVector still(static_cast<size_t>(index.dim()), 0);
  const auto run = [&](const at::Tensor& self, const at::Tensor& values) {
    const at::Tensor flat = self.contiguous();
    const Indexed indexed{flat.as_strided(index.sizes(), still),     values, index, flat.numel(),
                          static_cast<int64_t>(flat.element_size()), true};
    if (accumulates)
      update_indexed(indexed, XHAL_OP_UPDATE_ADD);
    else
      set_indexed(indexed);
    if (!flat.is_same(self)) self.copy_(flat);
  };
  const at::Tensor self(to);
  if (accumulates)
    in_wide_sums(self, iterator.tensor(0), run);
  else
    run(self, iterator.tensor(0));
}

// What the iterator has behind its first two operands.
std::vector<at::Tensor> indices_of(const at::TensorIteratorBase& iterator) {
  std::vector<at::Tensor> out;
  for (int k = 2; k < iterator.ntensors(); ++k) out.push_back(iterator.tensor(k));
  return out;
}

void index_put(at::TensorIterator& iterator, at::IntArrayRef sizes, at::IntArrayRef strides,
               bool accumulates) {
  const Indexed indexed =
      by_tensors(iterator.tensor(0), iterator.tensor(1), indices_of(iterator), sizes, strides);
  if (accumulates)
    update_indexed(indexed, XHAL_OP_UPDATE_ADD);
  else
    set_indexed(indexed);
}

// What PyTorch makes of a tensor and its indices before it reads through them. The elements that it would read are not wanted, so that its
// output is one element wherever one looks.
struct Prepared final : at::meta::structured_index_Tensor {
  Prepared(const at::Tensor& self, const c10::List<std::optional<at::Tensor>>& indices) {
    auto found = meta(self, indices);
    sizes = std::move(found.sizes);
    strides = std::move(found.strides);
  }
  void set_output_strided(int64_t index, at::IntArrayRef shape, at::IntArrayRef order,
                          at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    set_output_raw_strided(index, shape, order, options TORCH_XHAL_NAMES);
  }
  void set_output_raw_strided(int64_t index, at::IntArrayRef shape, at::IntArrayRef order,
                              at::TensorOptions options TORCH_XHAL_NAMES_PARAMETER) override {
    output_ = at::empty({1}, options).as_strided(shape, at::DimVector(shape.size(), 0));
    structured_index_Tensor::set_output_raw_strided(index, shape, order, options TORCH_XHAL_NAMES);
  }
  const at::Tensor& maybe_get_output(int64_t) override { return output_; }

  at::DimVector sizes, strides;

 private:
  at::Tensor output_;
};

// What PyTorch asks of devices that accumulate, or are to be deterministic: the values of one place in their order.
void index_put_in_order(at::Tensor& given_self, const c10::List<std::optional<at::Tensor>>& indices,
                        const at::Tensor& given_values, bool accumulates, bool) {
  const auto run = [&](const at::Tensor& self, const at::Tensor& values) {
    const Prepared prepared(self, indices);
    const at::Tensor& places = prepared.tensor(1);
    TORCH_CHECK(at::is_expandable_to(values.sizes(), places.sizes()),
                "shape mismatch: value tensor of shape ", values.sizes(),
                " cannot be broadcast to indexing result of shape ", places.sizes());
    TORCH_CHECK(given_values.scalar_type() == given_self.scalar_type(),
                "Index put requires the source and destination dtypes match, got ", given_self.scalar_type(),
                " for the destination and ", given_values.scalar_type(), " for the source.");
    const Indexed indexed =
        by_tensors(places, values, indices_of(prepared), prepared.sizes, prepared.strides);
    if (accumulates)
      update_indexed(indexed, XHAL_OP_UPDATE_ADD);
    else
      set_indexed(indexed);
  };
  if (accumulates)
    in_wide_sums(given_self, given_values, run);
  else
    run(given_self, given_values);
}

void index_fill(at::TensorIterator& iterator, int64_t, int64_t size, int64_t stride,
                const at::Scalar& value) {
  const at::Tensor& self = iterator.tensor(0);
  set_indexed({self, value_like(self, value), iterator.tensor(1), size,
               stride * static_cast<int64_t>(self.element_size()), true});
}

}  // namespace

void check_one_device(const at::Tensor& first, std::initializer_list<at::Tensor> others) {
  for (const at::Tensor& other : others)
    TORCH_CHECK(other.device() == first.device(),
                "Expected all tensors to be on the same device, but found at least two devices, ",
                first.device(), " and ", other.device(), "!");
}

void get_indexed(const Indexed& indexed) { move_indexed(gets, indexed, kSelf, kValues); }
void set_indexed(const Indexed& indexed) { move_indexed(sets, indexed, kValues, kSelf); }

void update_indexed(const Indexed& indexed, xhal_op_update_code op) {
  const at::ScalarType type = indexed.self.scalar_type();
  with_iterator(indexed, [&](at::TensorIteratorBase& iterator, c10::DeviceIndex device) {
    Launch parts = launch_of(iterator, indexed, [&](int d) { return iterator.strides(kSelf)[d] == 0; });
    const bool is_shared = can_share(parts, op, type);
    if (is_shared) parts = launch_of(iterator, indexed, [](int) { return false; });
    parts.memory[kSelf].access = XHAL_ACCESS_READ_WRITE;
    launch(updates_by_type.of(type), device, items(device, parts.places.items), static_cast<uint32_t>(op),
           parts.memory[kSelf], parts.memory[kValues], parts.memory[kIndex], uint32_t{is_shared},
           parts.places);
  });
}

Indexed along(const at::Tensor& given_self, int64_t dim, const at::Tensor& index,
              const at::Tensor& given_values, bool wraps) {
  const at::Tensor self = at_least_1d(given_self);
  dim = at::maybe_wrap_dim(dim, self.dim());
  at::DimVector sizes(self.sizes());
  at::DimVector strides(self.strides());
  at::DimVector index_sizes(static_cast<size_t>(self.dim()), 1);
  sizes[static_cast<size_t>(dim)] = index_sizes[static_cast<size_t>(dim)] = index.numel();
  strides[static_cast<size_t>(dim)] = 0;
  return {self.as_strided(sizes, strides),
          at_least_1d(given_values),
          index.reshape(index_sizes),
          self.size(dim),
          self.stride(dim) * static_cast<int64_t>(self.element_size()),
          wraps};
}

void Index::meta(const at::Tensor& self, at::IOptTensorListRef indices) {
  auto found = structured_index_Tensor::meta(self, indices);
  sizes_ = std::move(found.sizes);
  strides_ = std::move(found.strides);
}
void Index::impl(const at::Tensor&, at::IOptTensorListRef, const at::Tensor&) {
  get_indexed(by_tensors(tensor(1), tensor(0), indices_of(*this), sizes_, strides_));
}

}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(take_stub, &torch_xhal::take)
REGISTER_PRIVATEUSE1_DISPATCH(put_stub, &torch_xhal::put)
REGISTER_PRIVATEUSE1_DISPATCH(index_put_stub, &torch_xhal::index_put)
REGISTER_PRIVATEUSE1_DISPATCH(index_put_with_sort_stub, &torch_xhal::index_put_in_order)
REGISTER_PRIVATEUSE1_DISPATCH(index_fill_stub, &torch_xhal::index_fill)

REGISTER_PRIVATEUSE1_DISPATCH(gather_stub, [](const Tensor& result, const Tensor& self, int64_t dim,
                                              const Tensor& index) {
  torch_xhal::get_indexed(torch_xhal::element_by_element(self, dim, index, result));
})
REGISTER_PRIVATEUSE1_DISPATCH(scatter_stub, [](const Tensor& self, int64_t dim, const Tensor& index,
                                               const Tensor& source) {
  torch_xhal::set_indexed(torch_xhal::element_by_element(self, dim, index, source));
})
REGISTER_PRIVATEUSE1_DISPATCH(scatter_fill_stub,
                              [](const Tensor& self, int64_t dim, const Tensor& index, const Scalar& value) {
                                torch_xhal::set_indexed(torch_xhal::element_by_element(
                                    self, dim, index, torch_xhal::value_like(self, value)));
                              })
REGISTER_PRIVATEUSE1_DISPATCH(scatter_add_stub,
                              [](const Tensor& self, int64_t dim, const Tensor& index, const Tensor& source) {
                                torch_xhal::reduce_elements(self, dim, index, source, ReductionType::SUM);
                              })
REGISTER_PRIVATEUSE1_DISPATCH(scatter_scalar_reduce_stub, [](const Tensor& self, int64_t dim,
                                                             const Tensor& index, const Scalar& value,
                                                             const ReductionType& reduction) {
  torch_xhal::reduce_elements(self, dim, index, torch_xhal::value_like(self, value), reduction);
})
#define TORCH_XHAL_SCATTER_REDUCE(stub)                                                          \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](const Tensor& self, int64_t dim, const Tensor& index,   \
                                         const Tensor& source, const ReductionType& reduction) { \
    torch_xhal::reduce_elements(self, dim, index, source, reduction);                            \
  })
TORCH_XHAL_SCATTER_REDUCE(scatter_reduce_stub)
TORCH_XHAL_SCATTER_REDUCE(scatter_reduce_two_stub)

}  // namespace at::native
