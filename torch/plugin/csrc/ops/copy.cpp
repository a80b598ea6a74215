// SPDX-License-Identifier: Apache-2.0
// Copies between tensors. What is the same bytes on both sides goes as bytes; all else is put right on the host, and counted, until a
// kernel does it.
#include <ATen/core/CachingHostAllocator.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>
#include <ATen/ops/from_blob.h>
#include <c10/core/DeviceGuard.h>
#include <torch/library.h>

#include "ops/fallback.hpp"
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

at::Tensor copy_from(const at::Tensor& self, const at::Tensor& destination, bool non_blocking) {
  if (destination.numel() == 0) return destination;
  const at::Tensor source = self.sizes() == destination.sizes() ? self : self.expand_as(destination);
  if (source.is_same(destination)) return destination;
  if (are_same_bytes(source, destination)) {
    if (is_ours(source) && is_ours(destination)) {
      if (source.data_ptr() != destination.data_ptr()) copy_between(source, destination);
    } else {
      copy_with_host(source, destination, non_blocking);
    }
    return destination;
  }
  // A change of type or order on the host's side is the host's work in any case.
  if (is_ours(source) != is_ours(destination)) {
    copy_elements(source, destination);
    return destination;
  }
  const FallbackScope counted("aten::_copy_from");
  copy_elements(source, destination);
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
