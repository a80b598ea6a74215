// SPDX-License-Identifier: Apache-2.0
// What lives: objects and memory of all drivers and instances under the layer, each with the site where it began.
//
// One lock guards it. It is held for look-ups and small changes, never while a driver, libxhal or the application runs.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <unordered_map>
#include <vector>

#include "finding.hpp"

namespace xhal::validate {

struct Attachment;

std::mutex& layer_lock();

enum class State : uint8_t { kLive, kEnding, kEnded };

struct Object {
  uint32_t type = 0;
  State state = State::kLive;
  bool owned = false;     // the caller must destroy it
  bool recorded = false;  // an event that somebody recorded
  uint32_t users = 0;     // calls that are inside the driver with it
  uint32_t resets = 0;    // of its device before it was made
  uint64_t capture = 0;   // which a stream is in, or an event was recorded in; 0: none
  const Attachment* owner = nullptr;
  const void* device = nullptr;
  const void* parent = nullptr;  // a kernel's module
  Site made;
  Site ended;
};

enum class MemoryKind : uint8_t {
  kDevice,
  kPinned,
  kManaged,
  kRegistered,
  kReserved,
  kPool,
  kImported,
  kExternal
};
constexpr uint32_t bit_of(MemoryKind kind) { return 1U << static_cast<uint32_t>(kind); }
// Host memory that a copy may take as pageable memory all the same.
constexpr bool is_host_memory(MemoryKind kind) {
  return kind == MemoryKind::kPinned || kind == MemoryKind::kRegistered || kind == MemoryKind::kManaged;
}

struct Memory {
  uintptr_t base = 0;
  uint64_t size = 0;
  MemoryKind kind = MemoryKind::kDevice;
  uint32_t imports = 1;
  uint32_t resets = 0;
  const Attachment* owner = nullptr;
  const void* device = nullptr;
  const void* pool = nullptr;
  Site made;
  Site ended;
  [[nodiscard]] uintptr_t end() const { return base + size; }
};

struct DeviceLimits {
  bool known = false;
  uint32_t index = 0;
  uint64_t features[XHAL_FEATURE_WORDS] = {};
  int32_t priority_least = 0, priority_greatest = 0;
  uint32_t max_group_items = 0;
  uint32_t max_group_size[3] = {};
  uint32_t max_group_count[3] = {};
  uint32_t max_local_bytes = 0;
};

struct Capture {
  uint32_t thread = 0;
  uint32_t mode = 0;
};

// What the layer knows of one driver of one instance.
struct Attachment {
  Attachment(const xhal_layer_attach_t& params, const Settings& chosen)
      : next(params.next),
        slot(params.slot),
        settings(chosen),
        reporter(settings, params.host_context, params.driver_name) {}
  Attachment(const Attachment&) = delete;
  Attachment& operator=(const Attachment&) = delete;

  const xhal_functions_t* const next;
  const uint32_t slot;
  const Settings settings;
  Reporter reporter;
  std::atomic<uint64_t> calls{0};
  // Whether the calling thread is in a host function; null where the driver cannot tell.
  std::atomic<uint32_t (*)()> is_in_host_function{nullptr};

  // Guarded by the layer's lock.
  xhal_driver_t driver = nullptr;  // known from libxhal's own first question
  std::unordered_map<const void*, uint32_t> device_indices;
  std::unordered_map<const void*, uint32_t> device_resets;
  std::unordered_map<const void*, DeviceLimits> device_limits;
  std::unordered_map<const void*, uint32_t> kernel_parameters;
  std::set<std::pair<const void*, const void*>> peers;  // from, to
  std::map<uint64_t, Capture> captures;
  uint64_t last_capture = 0;
};

// All members are called with the lock held.
class World {
 public:
  // Null when nothing is known of it.
  Object* find(const void* handle);
  Object& add(const void* handle, const Object& object);
  // The kernels of a module that goes.
  std::vector<const void*> children_of(const void* parent);

  // The memory that an address lies in, among what is alive.
  Memory* memory_at(uintptr_t address);
  // The first one that begins at the address or behind it.
  Memory* memory_from(uintptr_t address);
  // Among what was freed, the latest.
  const Memory* freed_at(uintptr_t address);
  // What lies there already goes: its driver has given the addresses out again.
  void add_memory(const Memory& memory);
  // Takes it out of what is alive. It is remembered as freed where its addresses meant nothing else.
  void end_memory(uintptr_t base, const Site& ended);
  // A release that the driver refused.
  void restore_memory(const Memory& memory);

  // All that belongs to a driver that was closed, in the order in which it was made.
  struct Remains {
    std::vector<Object> objects;
    std::vector<Memory> memory;
    std::vector<const void*> ended;  // handles that were destroyed before
  };
  Remains remove(const Attachment* owner);

 private:
  static constexpr size_t kMostFreed = 16384;

  void forget_freed(uintptr_t begin, uintptr_t end);

  std::unordered_map<const void*, Object> objects_;
  std::map<uintptr_t, Memory> live_;
  std::map<uintptr_t, Memory> freed_;  // by base, without overlaps
  std::deque<uintptr_t> freed_order_;
};

World& world();

}  // namespace xhal::validate
