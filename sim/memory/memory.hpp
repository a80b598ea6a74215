// SPDX-License-Identifier: Apache-2.0
// The memory of one instance: what is allocated, registered, reserved and imported, to whom it belongs, and when it may be used again.
//
// Questions take no lock: they may be asked by any number of threads while others allocate and free. A call that uses memory and a free of
// that memory in another thread are the application's to order; whatever the order, nothing that work may touch is unmapped before the
// instance ends.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "engine/progress.hpp"
#include "ipc/descriptor.hpp"
#include "memory/address_map.hpp"
#include "memory/arena.hpp"
#include "memory/host_memory.hpp"
#include "memory/pool.hpp"
#include "memory/retired.hpp"
#include "memory/stream_order.hpp"
#include "memory/virtual_memory.hpp"
#include "memory/window.hpp"
#include "xhal/memory.h"

namespace xhal::sim {

// What a range of addresses turned out to be.
struct Resolved {
  Allocation allocation;      // kind UNMANAGED: the application's own memory
  std::byte* host = nullptr;  // where the bytes are
  const char* problem = "";   // when the range was refused
};

// What a handle of a pool points to.
struct DevicePool {
  DevicePool(Device* of, uint32_t on_device, uint32_t made_in, Arena& arena, const StreamOrder& order,
             uint64_t threshold, uint64_t most)
      : owner(of), device(on_device), epoch(made_in), pool(arena, order, threshold, most) {}
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;
  ~DevicePool();

  Device* const owner;  // not looked at here
  const uint32_t device;
  const uint32_t epoch;
  Pool pool;
  xhal_pool_t handle = nullptr;
};

class Memory {
 public:
  struct Config {
    uint32_t devices = 0;
    uint64_t device_bytes = 0;  // of each
    uint64_t pinned_bytes = 0;  // of all together
    bool reuses = false;        // see Arena::give_out_again()
  };

  // All work that is submitted but not done; asked when memory is freed.
  using Pending = PendingWork;

  // `pending` may be called by any thread that calls this.
  Memory(Window& window, const Config& config, std::function<Pending()> pending);
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  // No work is left.
  ~Memory();

  // ---- Allocation. `id` names it for ever and is not 0. On an error `why` has a text.
  xhal_result_t allocate(uint32_t device, uint32_t kind, uint64_t size, uint64_t alignment, uint64_t id,
                         void** out_pointer, std::string& why);
  // The allocation is gone at once; its memory is used again when the work is done that is pending now.
  xhal_result_t free(uint32_t device, const void* pointer, std::string& why);

  xhal_result_t add_registered(uint32_t device, void* pointer, uint64_t size, uint64_t id, std::string& why);
  xhal_result_t remove_registered(uint32_t device, const void* pointer, std::string& why);

  // A global variable of a module, until withdraw_global() and, for its memory, end_graph_memory() with its id.
  xhal_result_t allocate_global(uint32_t device, uint64_t size, uint64_t alignment, uint64_t id,
                                void** out_pointer, std::string& why);
  // It is unknown from now on; its memory is kept. Nothing when it is so already.
  void withdraw_global(const void* pointer);

  // Device memory for who uses the simulator without the contract: known as imported, and freed by its own call alone.
  xhal_result_t allocate_native(uint32_t device, uint64_t size, uint64_t id, void** out_pointer,
                                std::string& why);
  [[nodiscard]] bool free_native(uint32_t device, const void* pointer);
  // Device memory of another instance: known from now on, and its owner's. What was imported at these addresses before is forgotten.
  xhal_result_t import_native(uint32_t device, const Allocation& owners, uint64_t id, std::string& why);

  // ---- Questions.

  // Resolves ranges for work that is about to be submitted. What it tells may change when the memory is freed meanwhile.
  class View {
   public:
    explicit View(const Memory& memory) : memory_(memory) {}
    // A range of at least one byte. On success `out.host` may be used by work of any device.
    xhal_result_t resolve(const void* pointer, uint64_t size, Use use, Resolved& out) const {
      return memory_.resolve(pointer, size, use, out);
    }
    // Memory that a launch names, by its address alone (size 0) or with its range. Host memory passes; a device address must be one that
    // the device's kernels reach, since following another would end the process. Whether something is allocated at an address is asked
    // only where a range is told, or some device was reset.
    xhal_result_t check_argument(const void* pointer, uint64_t size, Use use, const char*& problem) const {
      return memory_.check_argument(pointer, size, use, problem);
    }

   private:
    const Memory& memory_;
  };
  xhal_result_t resolve(const void* pointer, uint64_t size, Use use, Resolved& out) const;
  xhal_result_t check_argument(const void* pointer, uint64_t size, Use use, const char*& problem) const;
  // What most arguments are: memory around which all is the device's own, from here to its end. Says nothing about others.
  [[nodiscard]] bool is_plain_argument(const void* pointer, uint64_t size, uint32_t device) const {
    return size == 0 && !was_reset_.load(std::memory_order_acquire) &&
           map_.owner(reinterpret_cast<uint64_t>(pointer)) == AddressMap::owner_of(device);
  }

  // Kind UNMANAGED when the address lies in none.
  [[nodiscard]] Allocation find(const void* pointer) const {
    return map_.find(reinterpret_cast<uint64_t>(pointer));
  }
  // Whether the simulator alone hands out this address, for device memory or for what the host reaches, too.
  [[nodiscard]] bool is_own_address(const void* pointer) const {
    return map_.is_paged(reinterpret_cast<uint64_t>(pointer));
  }
  struct Info {
    uint64_t free_bytes = 0, total_bytes = 0;
  };
  [[nodiscard]] Info info(uint32_t device);

  // Bytes of the device that the instance holds, those included that are freed and wait for work. Looks at no work.
  [[nodiscard]] uint64_t held(uint32_t device);

  // Gives back what waited for work that is done by now. Cheap when nothing waits.
  void reclaim() {
    settle_graph_memory();
    retired_.reclaim();
  }
  // The same for a stream that has become idle: it looks at no other stream and waits for nobody.
  void reclaim_known() { retired_.reclaim_known(); }

  // ---- Peers. False when it is so already.
  bool set_peer(uint32_t device, uint32_t peer, bool enabled);
  [[nodiscard]] bool reaches(uint32_t device, uint32_t owner) const {
    return device == owner || (peers_[device].load(std::memory_order_relaxed) >> owner & 1) != 0;
  }

  // ---- Pools. The handle is made, too.
  xhal_result_t create_pool(Device* owner, uint32_t device, uint64_t threshold, uint64_t most,
                            xhal_pool_t* out_pool, std::string& why);
  void destroy_pool(DevicePool& pool);
  // For work that is submitted behind that position, or has no place yet. `flags`: kOfGraph, or none.
  xhal_result_t allocate_from(DevicePool& pool, const Position& behind, uint64_t size, uint64_t id,
                              void** out_pointer, std::string& why, uint32_t flags = 0);
  // Of a graph that is gone, whose launches are done, or of a module with global variables.
  // These end wherever their last holder lets go, under all kinds of locks: what they kept is noted, and freed by whoever comes by next
  // without one. begin_ throws std::bad_alloc, so that end_ needs no memory.
  void begin_graph_memory();
  void end_graph_memory(const void* pointer, uint64_t id) noexcept;
  void settle_graph_memory() {
    if (ended_count_.load(std::memory_order_acquire) != 0) [[unlikely]]
      free_graph_memory();
  }
  xhal_result_t free_to(DevicePool& pool, const Position& behind, const void* pointer, std::string& why);
  // A stream's operation waits for another's: that one may have what was freed before. Costs one look where there is no pool.
  void follows(const Position& later, const Position& earlier) {
    if (pool_count_.load(std::memory_order_acquire) != 0) order_.add(later, earlier);
  }
  // Somebody has waited for the device: its pools give back what is above their thresholds.
  void synchronized(uint32_t device) {
    if (pool_count_.load(std::memory_order_acquire) != 0) settle_pools(device, false);
  }

  // ---- Virtual memory.
  [[nodiscard]] VirtualMemory& virtual_memory() { return virtual_memory_; }
  // Before it is used.
  xhal_result_t prepare(std::string& why);

  // ---- Other processes.

  // Where the bytes of an allocation lie for whoever is given the file: pages of which no other allocation has a byte. The file cannot be
  // resized; who has it can reach all of the device's memory, so it goes to processes of the same user alone.
  struct Share {
    int file = -1;  // the arena's own
    uint64_t offset = 0;
    uint64_t bytes = 0;  // whole pages
    uint64_t size = 0;   // of the allocation
    uint64_t id = 0;
    uint64_t skip = 0;  // bytes of the first page that are not shown
  };
  // Of the base of a device allocation that is neither a pool's nor imported nor mapped. Its memory is withheld after its free until
  // end_share(), and what others wrote is gone before it is used again. Bytes behind its end, in its last page, are cleared.
  xhal_result_t share(uint32_t device, const void* pointer, Share& out, std::string& why);
  // Nobody else has the allocation of that base and id any more, which may be freed by now.
  void end_share(uint64_t base, uint64_t id);
  // Maps what another process shared. The file is duplicated by the mapping and stays the caller's. INVALID_ARGUMENT for a file that may
  // shrink or a range beyond its end. `hold` is closed when no work can touch the memory any more.
  xhal_result_t import_shared(uint32_t device, const Share& share, uint64_t id, Descriptor hold,
                              void** out_pointer, std::string& why);
  xhal_result_t close_shared(uint32_t device, const void* pointer, std::string& why) {
    return forget_import(device, pointer, false, why);
  }
  // A descriptor of a file that holds this allocation alone: its bytes move there the first time, which BUSY refuses when processes have
  // it by share(). `is_idle`: no work runs meanwhile; else BUSY, too, where the system cannot stop who writes to it for so long.
  xhal_result_t export_file(uint32_t device, const void* pointer, bool is_idle, int32_t& out_fd,
                            std::string& why);
  // Bytes `offset` to `size` of an object, of whose kind nothing is known. INVALID_ARGUMENT also for files that can fail when touched.
  xhal_result_t import_file(uint32_t device, int fd, uint64_t offset, uint64_t size, uint64_t id,
                            void** out_pointer, std::string& why);
  xhal_result_t release_file(uint32_t device, const void* pointer, std::string& why) {
    return forget_import(device, pointer, true, why);
  }

  // ---- Resets. Everything of the device that exists now can only be freed from here on.
  void new_epoch(uint32_t device) {
    epochs_[device].fetch_add(1, std::memory_order_release);
    was_reset_.store(true, std::memory_order_release);
  }
  [[nodiscard]] uint32_t epoch(uint32_t device) const {
    return epochs_[device].load(std::memory_order_acquire);
  }
  // Where it stands, for who asks often.
  [[nodiscard]] const std::atomic<uint32_t>& epoch_word(uint32_t device) const { return epochs_[device]; }

 private:
  void free_graph_memory();
  Arena* arena_of(uint32_t device, std::string& why);
  xhal_result_t allocate_as(Allocation allocation, uint64_t alignment, void** out_pointer, std::string& why);
  xhal_result_t allocate_device(uint32_t device, uint64_t size, uint64_t alignment, uint64_t& out_base,
                                std::string& why);
  // What the memory of an allocation is once it is nobody's.
  [[nodiscard]] RetiredRange range_of(const Allocation& allocation) const;
  void give_back(const RetiredRange& range);
  // Returns what pools do not use: `all` of it, or what a synchronise would.
  void settle_pools(uint32_t device, bool all);
  // The base of an allocation that others may be given.
  xhal_result_t find_whole(uint32_t device, const void* pointer, Allocation& out, std::string& why) const;
  xhal_result_t map_import(uint32_t device, const Share& share, uint64_t id, Descriptor hold, bool is_file,
                           void** out_pointer, std::string& why);
  xhal_result_t forget_import(uint32_t device, const void* pointer, bool is_file, std::string& why);
  xhal_result_t resolve_mapped(uint64_t begin, uint64_t size, Use use, Resolved& out) const;

  Window& window_;
  const Config config_;
  const std::unique_ptr<std::atomic<uint32_t>[]> epochs_;
  const std::unique_ptr<std::atomic<uint64_t>[]> peers_;  // bit n of each: it reaches device n
  std::atomic<bool> was_reset_{false};                    // some device

  struct GraphMemory {
    const void* pointer;
    uint64_t id;
  };
  std::mutex ended_mutex_;
  size_t graph_memories_ = 0;  // that live, or are in ended_, which has room for them
  std::vector<GraphMemory> ended_;
  std::atomic<size_t> ended_count_{0};

  AddressMap map_;
  std::mutex arenas_mutex_;
  std::vector<std::unique_ptr<Arena>> arenas_;  // by device; made with the first allocation
  HostMemory pinned_;
  RetiredMemory retired_;
  VirtualMemory virtual_memory_;

  std::mutex imports_mutex_;  // imports take turns

  StreamOrder order_;  // as far as it was told since there is a pool, which is as much as pools need
  std::atomic<size_t> pool_count_{0};
  std::mutex pools_mutex_;
  std::unordered_map<DevicePool*, std::unique_ptr<DevicePool>> pools_;

  std::mutex shared_mutex_;
  // By id: freed here, and another process, or work of a module that was destroyed, may have it.
  std::unordered_map<uint64_t, RetiredRange> withheld_;
  struct Import {
    Interval slice;  // that backs it
    Descriptor hold;
    bool is_file = false;
  };
  std::unordered_map<uint64_t, Descriptor>
      own_files_;  // by base: allocations that were moved out of the arena's file
  std::unordered_map<uint64_t, Import> imported_;  // by base
  std::unordered_map<uint64_t, Descriptor>
      closing_;  // by begin of the slice: holds of what work may still touch
};

}  // namespace xhal::sim
