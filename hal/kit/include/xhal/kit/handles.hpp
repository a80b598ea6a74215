// SPDX-License-Identifier: Apache-2.0
// Type-stable slabs for what handles point to (XHAL-ABI-4).
//
// A slot's memory is never unmapped and never used for another type. A freed slot points to the dead table and goes to the end of a
// first-in first-out queue; it is given out again only when at least kMinimumQueue others have been freed behind it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "xhal/driver.h"

namespace xhal::kit {

// A lock that a forked child finds free even when another thread held it at the fork. What it guards must be usable after each
// single store of its critical sections, since the child goes on from wherever the other thread was.
class ForkProofLock {
 public:
  void lock();
  void unlock();

 private:
  std::atomic<uint32_t> holder_{0};  // the process generation of the holder; 0: free
};

class HandleSlab {
 public:
  static constexpr size_t kMinimumQueue = 1024;

  constexpr explicit HandleSlab(uint32_t type) : type_(type) {}
  HandleSlab(const HandleSlab&) = delete;
  HandleSlab& operator=(const HandleSlab&) = delete;

  // A slot whose header is set up and whose object is `object`; null when memory is exhausted.
  [[nodiscard]] xhal_handle_header_t* allocate(void* object);
  // The header turns dead at once; the caller keeps the object.
  void free(xhal_handle_header_t* slot);

 private:
  // Slabs are leaked on purpose: a stale handle must stay readable, also during static destruction.
  static constexpr size_t kSlotsPerSlab = 256;

  // One cache line a handle, so that calls on one never wait for the destroy of its neighbour.
  struct alignas(64) Slot {
    xhal_handle_header_t header;
    std::atomic<Slot*> next;  // in the queue of freed slots
  };
  struct Slab {
    Slab* older;
    std::atomic<size_t> used;
    Slot slots[kSlotsPerSlab];
  };

  Slot* take_slot();

  const uint32_t type_;
  ForkProofLock lock_;
  // Atomic not for threads, which the lock orders, but so that a forked child sees the stores in their order.
  std::atomic<Slot*> queue_head_{nullptr};
  std::atomic<Slot*> queue_tail_{nullptr};
  std::atomic<size_t> queue_count_{0};  // never more than what the chain from the head holds
  std::atomic<Slab*> newest_{nullptr};
};

// The process-wide slab of a handle type; never destroyed.
HandleSlab& slab_of(uint32_t type);

template <class Handle>
struct HandleType;
#define XHAL_KIT_HANDLE_TYPE(name, tag)   \
  template <>                             \
  struct HandleType<xhal_##name##_t> {    \
    static constexpr uint32_t kTag = tag; \
  };
XHAL_HANDLE_LIST(XHAL_KIT_HANDLE_TYPE)
#undef XHAL_KIT_HANDLE_TYPE

// xhal_stream_t s = kit::make_handle<xhal_stream_t>(object);
template <class Handle>
[[nodiscard]] Handle make_handle(void* object) {
  return reinterpret_cast<Handle>(slab_of(HandleType<Handle>::kTag).allocate(object));
}

template <class Handle>
void free_handle(Handle handle) {
  slab_of(HandleType<Handle>::kTag).free(reinterpret_cast<xhal_handle_header_t*>(handle));
}

// The driver's object behind a live handle. libxhal has checked the handle; layers pass on what they got.
template <class Object, class Handle>
[[nodiscard]] Object* object_of(Handle handle) {
  return static_cast<Object*>(reinterpret_cast<const xhal_handle_header_t*>(handle)->object);
}

}  // namespace xhal::kit
