// SPDX-License-Identifier: Apache-2.0
// Copies between tensors. What is the same bytes on both sides goes as bytes; between layouts and types of a device kernels copy, and what is
// to be put right between host and device the host does.
#include <ATen/TensorIterator.h>
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/view_as_real.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/elementwise.hpp"
#include "ops/fallback.hpp"
#include "ops/types.hpp"
#include "runtime/check.hpp"
#include "runtime/copy.hpp"
#include "runtime/driver.hpp"
#include "runtime/events.hpp"
#include "runtime/memory.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

bool is_ours(const at::Tensor& tensor) { return tensor.device().type() == kDevice; }

// Bytes from the first element to behind the last: holes between them included.
size_t span_of(const at::Tensor& tensor) {
  int64_t last = 0;
  for (int64_t d = 0; d < tensor.dim(); ++d) last += (tensor.size(d) - 1) * tensor.stride(d);
  return static_cast<size_t>(last + 1) * tensor.element_size();
}

void same_bits(const at::Tensor& of, const at::Tensor& to) {
  if (of.is_conj()) to._set_conj(true);
  if (of.is_neg()) to._set_neg(true);
}

// The same elements in the same places, on the host.
at::Tensor on_host(const at::Tensor& tensor) {
  at::Tensor bytes = at::empty({static_cast<int64_t>(span_of(tensor))}, at::kByte);
  const c10::DeviceGuard guard(tensor.device());
  copy_bytes(current_stream(-1), bytes.data_ptr(), tensor.data_ptr(), span_of(tensor));
  at::Tensor out = at::from_blob(
      bytes.data_ptr(), tensor.sizes(), tensor.strides(), [bytes](void*) {},
      tensor.options().device(at::kCPU));
  same_bits(tensor, out);
  return out;
}

bool are_same_bytes(const at::Tensor& source, const at::Tensor& destination) {
  return source.dtype() == destination.dtype() && source.is_conj() == destination.is_conj() &&
         source.is_neg() == destination.is_neg() && source.sizes() == destination.sizes() &&
         source.strides() == destination.strides() && source.is_non_overlapping_and_dense();
}

// Between two devices the copy is the destination's, between what both streams have been given before and get afterwards.
void copy_between(const at::Tensor& source, const at::Tensor& destination) {
  const c10::Stream from = current_stream(source.device().index());
  const c10::Stream to = current_stream(destination.device().index());
  const auto hand_over = [](c10::Stream before, c10::Stream behind) {
    void* event = nullptr;
    record_event(&event, before, before.device_index(), c10::EventFlag::PYTORCH_DEFAULT);
    block_on_event(event, behind);
    destroy_event(event);
  };
  if (from != to) hand_over(from, to);
  copy_bytes(to, destination.data_ptr(), source.data_ptr(), destination.nbytes());
  if (from != to) hand_over(to, from);
}

void copy_with_host(const at::Tensor& source, const at::Tensor& destination, bool non_blocking) {
  const at::Tensor& host = is_ours(source) ? destination : source;
  const at::Tensor& device = is_ours(source) ? source : destination;
  const c10::DeviceGuard guard(device.device());
  const c10::Stream stream = current_stream(-1);
  copy_bytes(stream, destination.data_ptr(), source.data_ptr(), destination.nbytes());
  // Pinned memory belongs to the copy until it is done.
  auto* const allocator = at::getHostAllocator(kDevice);
  const bool is_kept = non_blocking && allocator->record_event(
                                           host.data_ptr(), host.storage().data_ptr().get_context(), stream);
  if (!is_kept) XHAL_CHECK(xhal_stream_synchronize(handle_of(stream), XHAL_WAIT_FOREVER));
}

void copy_elements(const at::Tensor& source, const at::Tensor& destination) {
  const at::Tensor host_source = is_ours(source) ? on_host(source) : source;
  if (!is_ours(destination)) {
    destination.copy_(host_source);
    return;
  }
  // Elements between those of the destination keep what they have.
  const at::Tensor host_destination = destination.is_non_overlapping_and_dense()
                                          ? at::empty_strided(destination.sizes(), destination.strides(),
                                                              destination.options().device(at::kCPU))
                                          : on_host(destination);
  if (destination.is_non_overlapping_and_dense()) same_bits(destination, host_destination);
  host_destination.copy_(host_source);
  const c10::DeviceGuard guard(destination.device());
  copy_bytes(current_stream(-1), destination.data_ptr(), host_destination.data_ptr(), span_of(destination));
}

at::TensorIterator pair_of(const at::Tensor& source, const at::Tensor& destination) {
  return at::TensorIteratorConfig()
      .add_output(destination)
      .add_const_input(source)
      .resize_outputs(false)
      .check_all_same_dtype(false)
      .check_all_same_device(true)
      .build();
}

// In what a value of one type becomes one of the other without loss on the way.
at::ScalarType type_between(at::ScalarType source, at::ScalarType destination) {
  if (source == at::kDouble || destination == at::kDouble) return at::kDouble;
  return at::isFloatingType(source) || at::isFloatingType(destination) ? at::kFloat : at::kLong;
}

bool has_kernel(const at::Tensor& source, const at::Tensor& destination) {
  const c10::DeviceIndex device = source.device().index();
  const at::ScalarType from = c10::toRealValueType(source.scalar_type());
  const at::ScalarType to = c10::toRealValueType(destination.scalar_type());
  return from == to || (is_native_type(from, device) && is_native_type(to, device));
}

void copy_by_kernel(const at::Tensor& source, const at::Tensor& destination);

// Complex numbers as pairs of real ones; what is conjugated is so by the sign of the second.
void copy_complex(const at::Tensor& source, const at::Tensor& destination) {
  const auto parts = [](const at::Tensor& tensor) {
    at::Tensor plain = tensor.is_conj() ? tensor.conj() : tensor;
    plain = plain.is_neg() ? plain._neg_view() : plain;
    return at::view_as_real(plain);
  };
  if (!destination.is_complex()) {
    TORCH_WARN_ONCE("Casting complex values to real discards the imaginary part");
    const at::Tensor real = parts(source).select(-1, 0);
    copy_by_kernel(source.is_neg() ? real._neg_view() : real, destination);
    return;
  }
  const at::Tensor to = parts(destination);
  if (!source.is_complex()) {
    copy_by_kernel(source, to.select(-1, 0));
    to.select(-1, 1).zero_();
    return;
  }
  const at::Tensor from = parts(source);
  const bool is_negative = source.is_neg() != destination.is_neg();
  const bool is_conjugate = source.is_conj() != destination.is_conj();
  for (int64_t part = 0; part < 2; ++part) {
    const at::Tensor values = from.select(-1, part);
    copy_by_kernel(is_negative != (part == 1 && is_conjugate) ? values._neg_view() : values,
                   to.select(-1, part));
  }
}

// Both on one device.
void copy_by_kernel(const at::Tensor& source, const at::Tensor& destination) {
  const bool is_same = source.scalar_type() == destination.scalar_type() &&
                       source.is_conj() == destination.is_conj() && source.is_neg() == destination.is_neg();
  if (is_same) {
    at::TensorIterator pair = pair_of(source, destination);
    run_move(pair);
  } else if (source.is_complex() || destination.is_complex()) {
    copy_complex(source, destination);
  } else {
    at::TensorIterator pair = pair_of(source, destination);
    run_unary(pair, source.is_neg() != destination.is_neg() ? XHAL_OP_NEG : XHAL_OP_COPY,
              type_between(source.scalar_type(), destination.scalar_type()));
  }
}

// Across devices the bytes travel in the destination's type and order.
void copy_across(const at::Tensor& source, const at::Tensor& destination) {
  const c10::DeviceGuard guard(source.device());
  at::Tensor ready = at::empty(destination.sizes(), destination.options().device(source.device()));
  copy_by_kernel(source, ready);
  if (destination.is_contiguous() && !destination.is_conj() && !destination.is_neg()) {
    copy_between(ready, destination);
    return;
  }
  const at::Tensor arrived = at::empty(destination.sizes(), destination.options());
  copy_between(ready, arrived);
  copy_by_kernel(arrived, destination);
}

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& destination, bool non_blocking) {
  if (destination.numel() == 0) return destination;
  const at::Tensor source = self.sizes() == destination.sizes() ? self : self.expand_as(destination);
  if (source.is_same(destination)) return destination;
  const bool is_on_host = is_ours(source) != is_ours(destination);
  if (are_same_bytes(source, destination)) {
    if (is_on_host)
      copy_with_host(source, destination, non_blocking);
    else if (source.data_ptr() != destination.data_ptr())
      copy_between(source, destination);
  } else if (is_on_host) {
    // A change of type or order on the host's side is the host's work in any case.
    copy_elements(source, destination);
  } else if (!has_kernel(source, destination)) {
    const FallbackScope counted("aten::_copy_from");
    copy_elements(source, destination);
  } else if (source.device() != destination.device()) {
    copy_across(source, destination);
  } else {
    copy_by_kernel(source, destination);
  }
  return destination;
}

at::Tensor copy_from_and_resize(const at::Tensor& self, const at::Tensor& destination) {
  if (self.sizes() != destination.sizes()) destination.resize_(self.sizes());
  return copy_from(self, destination, false);
}

at::Scalar local_scalar(const at::Tensor& self) {
  const at::Tensor host = on_host(self);
  return host.item();
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("_copy_from", &copy_from);
  m.impl("_copy_from_and_resize", &copy_from_and_resize);
  m.impl("_local_scalar_dense", &local_scalar);
}

// The bits are looked at above; PyTorch's own way of resolving them first would end here again.
TORCH_LIBRARY_IMPL(aten, Conjugate, m) { m.impl("_copy_from", torch::CppFunction::makeFallthrough()); }
TORCH_LIBRARY_IMPL(aten, Negative, m) { m.impl("_copy_from", torch::CppFunction::makeFallthrough()); }

}  // namespace
}  // namespace torch_xhal
