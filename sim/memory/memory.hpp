// SPDX-License-Identifier: Apache-2.0
// The memory of one instance: what is allocated and registered, to whom it belongs, and when it may be used again.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "engine/progress.hpp"
#include "memory/arena.hpp"
#include "memory/window.hpp"
#include "xhal/memory.h"

namespace xhal::sim {

struct Allocation {
  uint64_t base = 0;
  uint64_t size = 0;
  uint32_t kind = XHAL_MEMORY_UNMANAGED;
  uint32_t device = 0;
  uint32_t epoch = 0;  // of the device when it was made
  uint64_t id = 0;

  [[nodiscard]] uint64_t end() const { return base + size; }
  [[nodiscard]] bool contains(uint64_t address) const { return address - base < size; }
};

// What a range of addresses turned out to be.
struct Resolved {
  Allocation allocation;      // kind UNMANAGED: the application's own memory
  std::byte* host = nullptr;  // where the bytes are
  const char* problem = "";   // when the range was refused
};

class Memory {
 public:
  struct Config {
    uint32_t devices = 0;
    uint64_t device_bytes = 0;  // of each
    uint64_t pinned_bytes = 0;  // of all together
  };

  // All work that is submitted but not done; asked when memory is freed.
  using Pending = std::vector<Position>;

  Memory(Window& window, const Config& config);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  // No work is left.
  ~Memory();

  // ---- Allocation. `id` names it for ever. On an error `why` has a text.
  xhal_result_t allocate(uint32_t device, uint32_t kind, uint64_t size, uint64_t alignment, uint64_t id,
                         void** out_pointer, std::string& why);
  // The allocation is gone at once; its memory is used again when the work is done that `pending` tells of. It is called while nothing
  // can be submitted.
  xhal_result_t free(uint32_t device, const void* pointer, const std::function<Pending()>& pending,
                     std::string& why);

  xhal_result_t add_registered(uint32_t device, void* pointer, uint64_t size, uint64_t id, std::string& why);
  xhal_result_t remove_registered(uint32_t device, const void* pointer, std::string& why);

  // ---- Questions.

  // Holds off allocation and free, so that what it resolves stays so until the work that uses it is submitted.
  class View {
   public:
    explicit View(const Memory& memory) : memory_(memory), lock_(memory.map_mutex_) {}
    // A range of at least one byte. On success `out.host` may be used by work of any device.
    xhal_result_t resolve(const void* pointer, uint64_t size, Resolved& out) const;

   private:
    const Memory& memory_;
    std::shared_lock<std::shared_mutex> lock_;
  };

  // Kind UNMANAGED when the address lies in none.
  [[nodiscard]] Allocation find(const void* pointer) const;
  struct Info {
    uint64_t free_bytes = 0, total_bytes = 0;
  };
  [[nodiscard]] Info info(uint32_t device);

  // Gives back what waited for work that is done by now. Cheap when nothing waits.
  void reclaim();

  // Everything of the device that exists now can only be freed from here on.
  void new_epoch(uint32_t device) { epochs_[device].fetch_add(1, std::memory_order_release); }
  [[nodiscard]] uint32_t epoch(uint32_t device) const {
    return epochs_[device].load(std::memory_order_acquire);
  }

 private:
  struct Deferred {
    Allocation allocation;
    Pending pending;
  };

  xhal_result_t allocate_device(uint32_t device, uint64_t size, uint64_t alignment, uint64_t& out_base,
                                std::string& why);
  xhal_result_t allocate_pinned(uint64_t size, uint64_t alignment, uint64_t& out_base, std::string& why);
  void give_back(const Allocation& allocation);
  // The allocation that holds the address, or null. Under map_mutex_.
  const Allocation* at(uint64_t address) const;
  const Allocation* first_in(uint64_t begin, uint64_t end) const;

  Window& window_;
  const Config config_;
  std::unique_ptr<std::atomic<uint32_t>[]> epochs_;

  mutable std::shared_mutex map_mutex_;
  std::map<uint64_t, Allocation> allocations_;  // by base

  std::mutex arena_mutex_;
  std::vector<std::unique_ptr<Arena>> arenas_;  // by device; made with the first allocation
  std::atomic<uint64_t> pinned_used_{0};

  std::mutex reclaim_mutex_;
  std::atomic<size_t> deferred_count_{0};  // of those whose memory is not given back
  std::mutex deferred_mutex_;
  std::vector<Deferred> deferred_;
};

}  // namespace xhal::sim
