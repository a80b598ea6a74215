// SPDX-License-Identifier: Apache-2.0
// Drivers that wait where the contract lets them: for each operation, for room, for code, for memory.
#include <chrono>
#include <deque>
#include <set>
#include <thread>
#include <unordered_map>

#include "submissions.hpp"

namespace xhal::variants {
namespace {

constexpr uint32_t kEveryDirection = XHAL_COPY_PAGEABLE_TO_DEVICE | XHAL_COPY_DEVICE_TO_PAGEABLE |
                                     XHAL_COPY_PINNED_TO_DEVICE | XHAL_COPY_DEVICE_TO_PINNED |
                                     XHAL_COPY_DEVICE_TO_DEVICE | XHAL_COPY_HOST_TO_HOST |
                                     XHAL_COPY_DEVICE_TO_PEER;

template <Id id, uint32_t directions>
xhal_result_t properties_of_blocking(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<id>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, copy_blocks)) out->copy_blocks |= directions;
  return result;
}

// ---- synchronous

constexpr Id kSynchronous = Id::k_synchronous;

struct Synchronous {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work, const Call& call) {
    const xhal_result_t result = call();
    if (result != XHAL_SUCCESS || is_capturing(stream)) return result;
    next<kSynchronous>(stream).stream_synchronize(stream, kLongEnoughNs);
    count(kSynchronous);
    return result;
  }
};

xhal_result_t synchronous_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = properties_of_blocking<kSynchronous, kEveryDirection>(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, is_synchronous)) out->is_synchronous = 1;
  return result;
}

// ---- eager: what nothing holds is done when its call returns

constexpr Id kEager = Id::k_eager;

struct Eager {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work, const Call& call) {
    const xhal_result_t result = call();
    if (result != XHAL_SUCCESS || is_capturing(stream)) return result;
    const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(parameter<kEager>(stream));
    xhal_result_t state = XHAL_NOT_READY;
    while ((state = next<kEager>(stream).stream_query(stream)) == XHAL_NOT_READY &&
           std::chrono::steady_clock::now() < end)
      std::this_thread::yield();
    if (state == XHAL_SUCCESS) count(kEager);
    return result;
  }
};

// ---- bounded_queue: a stream takes so many operations, then a submission waits until there is room

constexpr Id kBounded = Id::k_bounded_queue;

// For each stream an event behind each operation that may not be done; events that are free. All made and used below.
struct Rings {
  struct Ring {
    std::deque<xhal_event_t> behind;
    std::deque<xhal_event_t> unused;
  };
  std::mutex lock;
  std::unordered_map<xhal_stream_t, std::shared_ptr<Ring>> all;

  std::shared_ptr<Ring> of(xhal_stream_t stream) {
    const std::lock_guard guard(lock);
    auto& ring = all[stream];
    if (ring == nullptr) ring = std::make_shared<Ring>();
    return ring;
  }
  std::shared_ptr<Ring> take(xhal_stream_t stream) {
    const std::lock_guard guard(lock);
    const auto found = all.find(stream);
    if (found == all.end()) return nullptr;
    auto ring = found->second;
    all.erase(found);
    return ring;
  }
};

void destroy_events(const xhal_functions_t& driver, Rings::Ring& ring) {
  for (xhal_event_t event : ring.behind) driver.event_destroy(event);
  for (xhal_event_t event : ring.unused) driver.event_destroy(event);
}

struct Bounded {
  template <class Call>
  static xhal_result_t submit(xhal_stream_t stream, Work work, const Call& call) {
    // A wait for an event never holds the calling thread, and a record is no work.
    if (work == Work::kWait || work == Work::kRecord || work == Work::kOther || is_capturing(stream))
      return call();
    Rings& rings = own<kBounded, Rings>(stream);
    const auto ring = rings.of(stream);
    make_room(stream, rings, *ring);
    const xhal_result_t result = call();
    if (result == XHAL_SUCCESS) note(stream, rings, *ring);
    return result;
  }

  static void make_room(xhal_stream_t stream, Rings& rings, Rings::Ring& ring) {
    const xhal_functions_t& driver = below(stream);
    for (;;) {
      xhal_event_t oldest = nullptr;
      {
        const std::lock_guard guard(rings.lock);
        while (!ring.behind.empty() && driver.event_query(ring.behind.front()) != XHAL_NOT_READY) {
          ring.unused.push_back(ring.behind.front());
          ring.behind.pop_front();
        }
        if (ring.behind.size() < parameter<kBounded>(stream)) return;
        oldest = ring.behind.front();
      }
      count(kBounded);
      if (driver.event_synchronize(oldest, kLongEnoughNs) == XHAL_TIMEOUT) return;
    }
  }

  static void note(xhal_stream_t stream, Rings& rings, Rings::Ring& ring) {
    const xhal_functions_t& driver = below(stream);
    const std::lock_guard guard(rings.lock);
    xhal_event_t event = nullptr;
    if (!ring.unused.empty()) {
      event = ring.unused.front();
      ring.unused.pop_front();
    } else if (driver.event_create(device_of(stream), nullptr, &event) != XHAL_SUCCESS) {
      return;
    }
    // A stream that has failed takes no record, and nothing of it is waited for any more.
    const bool noted = driver.event_record(event, stream, 0) == XHAL_SUCCESS;
    (noted ? ring.behind : ring.unused).push_back(event);
  }
};

xhal_result_t destroy_bounded_stream(xhal_stream_t stream) {
  const xhal_functions_t& driver = below(stream);
  Rings& rings = own<kBounded, Rings>(stream);
  const xhal_result_t result = next<kBounded>(stream).stream_destroy(stream);
  if (result != XHAL_SUCCESS) return result;
  if (const auto ring = rings.take(stream); ring != nullptr) destroy_events(driver, *ring);
  return result;
}

// Events of before a reset can only be destroyed.
xhal_result_t reset_bounded_device(xhal_device_t device) {
  const xhal_result_t result = next<kBounded>(device).device_reset(device);
  Rings& rings = own<kBounded, Rings>(device);
  const std::lock_guard guard(rings.lock);
  for (auto& [stream, ring] : rings.all) {
    destroy_events(below(device), *ring);
    *ring = {};
  }
  return result;
}

// ---- first_launch_waits: a kernel's code is loaded by its first launch, which waits for the device

constexpr Id kFirstLaunch = Id::k_first_launch_waits;

struct Kernels {
  std::mutex lock;
  std::set<xhal_kernel_t> launched;
  std::unordered_map<xhal_module_t, std::set<xhal_kernel_t>> of_module;
};

xhal_result_t launch_after_loading(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  Kernels& kernels = own<kFirstLaunch, Kernels>(stream);
  bool first = false;
  if (!is_capturing(stream)) {
    const std::lock_guard guard(kernels.lock);
    first = kernels.launched.insert(kernel).second;
  }
  if (first) {
    below(stream).device_synchronize(device_of(stream), kLongEnoughNs);
    count(kFirstLaunch);
  }
  return next<kFirstLaunch>(stream).kernel_launch(stream, kernel, launch);
}

xhal_result_t get_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  const xhal_result_t result = next<kFirstLaunch>(module).module_get_kernel(module, name, out);
  if (result != XHAL_SUCCESS) return result;
  Kernels& kernels = own<kFirstLaunch, Kernels>(module);
  const std::lock_guard guard(kernels.lock);
  kernels.of_module[module].insert(*out);
  return result;
}

// Other kernels may get the same handles.
xhal_result_t destroy_module(xhal_module_t module) {
  {
    Kernels& kernels = own<kFirstLaunch, Kernels>(module);
    const std::lock_guard guard(kernels.lock);
    for (xhal_kernel_t kernel : kernels.of_module[module]) kernels.launched.erase(kernel);
    kernels.of_module.erase(module);
  }
  return next<kFirstLaunch>(module).module_destroy(module);
}

// ---- Copies that block

bool is_pageable(xhal_stream_t stream, const void* pointer) {
  auto attributes = sized<xhal_pointer_attributes_t>();
  xhal_driver_t driver = here(stream).driver.load(std::memory_order_relaxed);
  return driver != nullptr &&
         below(stream).driver_get_pointer_attributes(driver, pointer, &attributes) == XHAL_SUCCESS &&
         attributes.kind == XHAL_MEMORY_UNMANAGED;
}

template <Id id>
xhal_result_t block(xhal_stream_t stream, xhal_result_t result) {
  if (result != XHAL_SUCCESS || is_capturing(stream)) return result;
  if (next<id>(stream).stream_query(stream) == XHAL_NOT_READY) count(id);
  next<id>(stream).stream_synchronize(stream, kLongEnoughNs);
  return result;
}

template <Id id>
xhal_result_t blocking_copy(xhal_stream_t stream, void* to, const void* from, uint64_t size) {
  const xhal_result_t result = next<id>(stream).memory_copy(stream, to, from, size);
  const bool blocks =
      id == Id::k_copies_block || (size != 0 && (is_pageable(stream, to) || is_pageable(stream, from)));
  return blocks ? block<id>(stream, result) : result;
}
template <Id id>
xhal_result_t blocking_region(xhal_stream_t stream, const xhal_copy_region_t* region) {
  const xhal_result_t result = next<id>(stream).memory_copy_region(stream, region);
  const bool blocks =
      result == XHAL_SUCCESS && (id == Id::k_copies_block || is_pageable(stream, region->destination) ||
                                 is_pageable(stream, region->source));
  return blocks ? block<id>(stream, result) : result;
}

// ---- free_waits

constexpr Id kFreeWaits = Id::k_free_waits;

// Streams that capture: a wait for their device may be refused, and break the capture.
struct Captures {
  std::mutex lock;
  std::set<xhal_stream_t> streams;
};

xhal_result_t free_after_waiting(xhal_device_t device, void* pointer) {
  const xhal_functions_t& on = next<kFreeWaits>(device);
  Captures& captures = own<kFreeWaits, Captures>(device);
  bool captured = false;
  {
    const std::lock_guard guard(captures.lock);
    captured = !captures.streams.empty();
  }
  if (pointer != nullptr && !captured && on.device_synchronize(device, 0) == XHAL_TIMEOUT) {
    count(kFreeWaits);
    on.device_synchronize(device, kLongEnoughNs);
  }
  return on.memory_free(device, pointer);
}
xhal_result_t free_waits_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next<kFreeWaits>(device).device_get_properties(device, out);
  if (result == XHAL_SUCCESS && XHAL_TOLD(out, free_waits)) out->free_waits = XHAL_FREE_WAITS_MAYBE;
  return result;
}
xhal_result_t begin_capture(xhal_stream_t stream, uint32_t mode) {
  const xhal_result_t result = next<kFreeWaits>(stream).stream_begin_capture(stream, mode);
  if (result != XHAL_SUCCESS) return result;
  Captures& captures = own<kFreeWaits, Captures>(stream);
  const std::lock_guard guard(captures.lock);
  captures.streams.insert(stream);
  return result;
}
void forget_capture(xhal_stream_t stream) {
  Captures& captures = own<kFreeWaits, Captures>(stream);
  const std::lock_guard guard(captures.lock);
  captures.streams.erase(stream);
}
xhal_result_t end_capture(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = next<kFreeWaits>(stream).stream_end_capture(stream, out);
  if (!is_capturing(stream)) forget_capture(stream);
  return result;
}
xhal_result_t destroy_stream(xhal_stream_t stream) {
  forget_capture(stream);
  return next<kFreeWaits>(stream).stream_destroy(stream);
}
xhal_result_t reset_device(xhal_device_t device) {
  {
    Captures& captures = own<kFreeWaits, Captures>(device);
    const std::lock_guard guard(captures.lock);
    captures.streams.clear();
  }
  return next<kFreeWaits>(device).device_reset(device);
}

}  // namespace

std::shared_ptr<void> make_rings() { return std::make_shared<Rings>(); }
std::shared_ptr<void> make_kernels() { return std::make_shared<Kernels>(); }
std::shared_ptr<void> make_captures() { return std::make_shared<Captures>(); }

void install_synchronous(xhal_functions_t& to) {
  Submissions<kSynchronous, Synchronous>::install(to);
  to.device_get_properties = synchronous_properties;
}
void install_eager(xhal_functions_t& to) { Submissions<kEager, Eager>::install(to); }
void install_bounded_queue(xhal_functions_t& to) {
  Submissions<kBounded, Bounded>::install(to);
  to.device_get_properties = properties_of_blocking<kBounded, kEveryDirection>;
  to.stream_destroy = destroy_bounded_stream;
  to.device_reset = reset_bounded_device;
}
void install_first_launch_waits(xhal_functions_t& to) {
  to.kernel_launch = launch_after_loading;
  to.module_get_kernel = get_kernel;
  to.module_destroy = destroy_module;
}
void install_pageable_copies_block(xhal_functions_t& to) {
  constexpr Id kId = Id::k_pageable_copies_block;
  to.memory_copy = blocking_copy<kId>;
  to.memory_copy_region = blocking_region<kId>;
  to.device_get_properties =
      properties_of_blocking<kId, XHAL_COPY_PAGEABLE_TO_DEVICE | XHAL_COPY_DEVICE_TO_PAGEABLE |
                                      XHAL_COPY_HOST_TO_HOST>;
}
void install_copies_block(xhal_functions_t& to) {
  constexpr Id kId = Id::k_copies_block;
  to.memory_copy = blocking_copy<kId>;
  to.memory_copy_region = blocking_region<kId>;
  to.device_get_properties = properties_of_blocking<kId, kEveryDirection>;
}
void install_free_waits(xhal_functions_t& to) {
  to.memory_free = free_after_waiting;
  to.device_get_properties = free_waits_properties;
  to.stream_begin_capture = begin_capture;
  to.stream_end_capture = end_capture;
  to.stream_destroy = destroy_stream;
  to.device_reset = reset_device;
}

}  // namespace xhal::variants
