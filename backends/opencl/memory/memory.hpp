// SPDX-License-Identifier: Apache-2.0
// Allocations of all devices of an instance.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "memory/address_table.hpp"
#include "work/queue.hpp"
#include "xhal/driver.h"

namespace xhal::opencl {

struct Instance;
struct Device;

class Memory {
 public:
  explicit Memory(Instance& instance) : instance_(instance) {}
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;

  // Each tells its own error.
  xhal_result_t allocate(Device& device, uint32_t kind, uint64_t size, uint64_t alignment, void** out);
  xhal_result_t free(Device& device, void* pointer);
  // INVALID_POINTER or OUT_OF_RANGE, with a text; memory that is nobody's allocation is kind 0 where `pageable`.
  xhal_result_t resolve(const char* name, const void* pointer, uint64_t size, bool pageable,
                        Range& out) const;
  [[nodiscard]] Range find(const void* pointer) const { return table_.find(pointer); }
  // All of it in one allocation that was made for the device.
  [[nodiscard]] bool is_within(const void* pointer, uint64_t size, uint32_t device) const {
    return table_.is_within(pointer, size, device);
  }

  // Changes with each free: an address may be another allocation's since.
  [[nodiscard]] uint64_t frees() const { return frees_.load(std::memory_order_acquire); }
  // Gives all back; nothing is under way any more.
  void clear();
  // Gives back what was freed and is not used any more.
  void reclaim();

 private:
  struct Block {
    Range range;
    void* raw = nullptr;  // what OpenCL gave, or the system
    uint64_t raw_bytes = 0;
    uint64_t taken = 0;  // bytes of its device's memory, or of the host's
  };
  // Freed; given back when what was under way at that time is done.
  struct Retired {
    Block block;
    std::vector<EventRef> users;
  };

  // Of the device's memory, or of the host's for what is pinned; false when there is not as much left.
  bool take(Device& device, uint32_t kind, uint64_t bytes);
  void give_back(const Block& block);

  Instance& instance_;
  AddressTable table_;
  mutable std::mutex mutex_;
  std::unordered_map<uint64_t, Block> blocks_;  // by base
  std::vector<Retired> retired_;
  std::atomic<uint64_t> pinned_{0};
  std::atomic<uint64_t> frees_{0};
};

}  // namespace xhal::opencl
