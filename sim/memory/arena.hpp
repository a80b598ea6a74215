// SPDX-License-Identifier: Apache-2.0
// The memory of one device: addresses of the window, backed by a file in memory that takes pages when they are touched.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "memory/free_space.hpp"
#include "memory/window.hpp"

namespace xhal::sim {

class Arena {
 public:
  // Every allocation starts at a multiple of this, and is counted as one.
  static constexpr uint64_t kGranule = 256;

  // Null with a reason when the system or the window has no room.
  static std::unique_ptr<Arena> create(Window& window, uint64_t limit, std::string& why);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // What `size` bytes count as.
  static uint64_t charge(uint64_t size) { return (size + kGranule - 1) / kGranule * kGranule; }

  [[nodiscard]] std::optional<uint64_t> allocate(uint64_t size, uint64_t alignment);
  // Returns the pages that are free now to the system.
  void release(uint64_t address, uint64_t size);

  [[nodiscard]] uint64_t limit() const { return limit_; }
  [[nodiscard]] uint64_t used() const;
  // Bytes of the system's memory that the arena holds.
  [[nodiscard]] uint64_t resident() const;

 private:
  Arena(Window& window, uint64_t limit, Interval slice, int fd);
  bool map();
  void punch(Interval addresses) const;
  // An allocation's addresses: one byte more than it has, so that its end is never another one's beginning.
  static uint64_t footprint(uint64_t size) { return charge(size + 1); }

  Window& window_;
  const uint64_t limit_;
  const Interval slice_;
  const int fd_;
  mutable std::mutex mutex_;
  FreeSpace free_;
  uint64_t used_ = 0;
};

}  // namespace xhal::sim
