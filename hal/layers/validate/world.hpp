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
  bool owned = false;             // the caller must destroy it
  bool recorded = false;          // an event that somebody recorded
  uint32_t users = 0;             // calls that are inside the driver with it
  uint32_t resets = 0;            // of its device before it was made
  uint64_t capture = 0;           // which a stream is in, or an event was recorded in; 0: none
  std::optional<uint32_t> flags;  // that an event was made with, where that is known
  uint64_t size = 0;              // of physical memory; 0: not known
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
  bool owned = true;     // false: only imports keep it
  uint32_t imports = 0;  // of its bytes, each of which is closed
  uint32_t resets = 0;
  const Attachment* owner = nullptr;
  const void* device = nullptr;
  const void* pool = nullptr;
  Site made;
  Site ended;
  [[nodiscard]] uintptr_t end() const { return base + size; }
};

// What is mapped into a reserved range, and which devices may do what with it.
struct Mapping {
  uint64_t size = 0;
  std::vector<std::pair<const void*, uint32_t>> access;
  Site made;
  [[nodiscard]] uint32_t access_of(const void* device) const {
    for (const auto& [allowed, what] : access) {
      if (allowed == device) return what;
    }
    return XHAL_ACCESS_NONE;
  }
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
  uint32_t max_arguments = 0;
  uint32_t max_argument_bytes = 0;
  uint32_t ipc_handle_bytes = 0;
  [[nodiscard]] bool has(uint32_t feature) const {
    return (features[feature / 64] >> (feature % 64) & 1) != 0;
  }
};

// 0, or UINT32_MAX of the count, where nobody knows.
struct KernelLimits {
  uint32_t parameter_count = UINT32_MAX;
  uint32_t max_group_items = 0;
  uint32_t static_local_bytes = 0;
};

struct Capture {
  uint32_t thread = 0;
  uint32_t mode = 0;
  bool is_broken = false;  // invalidated: the driver refuses what comes, with a code of its own
  bool is_unsure = false;  // a device that takes part was reset: it may be over, and nothing is told about it
  std::set<const void*> devices;
};

// An allocation from a pool that became a node. Its address means something as long as the graph or an executable of it lives, and its
// contents begin and end with each launch. [XHAL-POOL-10]
struct GraphMemory {
  uint64_t size = 0;
  const void* pool = nullptr;
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
  std::unordered_map<const void*, uint64_t> granularities;  // of virtual memory
  std::unordered_map<const void*, KernelLimits> kernel_limits;
  std::set<std::pair<const void*, const void*>> peers;  // from, to
  std::map<uint64_t, Capture> captures;
  uint64_t last_capture = 0;
  std::map<uintptr_t, GraphMemory> graph_memory;
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
  // Takes it out of what is alive, and nothing is said about its addresses any more.
  void drop_memory(uintptr_t base);
  // The addresses mean something again that is not known here.
  void forget_freed(uintptr_t begin, uintptr_t end);

  // What is mapped into reserved ranges, by address.
  std::map<uintptr_t, Mapping>& mappings() { return mappings_; }
  // The first mapping that reaches into the range, or the end.
  std::map<uintptr_t, Mapping>::iterator first_mapping(uintptr_t begin, uint64_t size);
  void forget_mappings(uintptr_t begin, uint64_t size);

  // All that belongs to a driver that was closed, in the order in which it was made.
  struct Remains {
    std::vector<Object> objects;
    std::vector<Memory> memory;
    std::vector<const void*> ended;  // handles that were destroyed before
  };
  Remains remove(const Attachment* owner);

 private:
  static constexpr size_t kMostFreed = 16384;

  // An address is released again and again: the number tells the releases apart.
  struct Freed {
    Memory memory;
    uint64_t release = 0;
  };
  struct Release {
    uintptr_t base = 0;
    uint64_t number = 0;
  };

  std::unordered_map<const void*, Object> objects_;
  std::map<uintptr_t, Memory> live_;
  std::map<uintptr_t, Mapping> mappings_;
  std::map<uintptr_t, Freed> freed_;  // by base, without overlaps
  std::deque<Release> releases_;      // the latest ones, whether or not freed_ still has them
  uint64_t last_release_ = 0;
};

World& world();

}  // namespace xhal::validate
