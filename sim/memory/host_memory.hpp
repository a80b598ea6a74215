// SPDX-License-Identifier: Apache-2.0
// The pinned memory of one instance: addresses of the window's backing, which the host follows and kernels leave unchanged.
//
// It grows by arenas, each as large as all before it together, and gives addresses back only at its end: what a late copy may touch is
// always mapped.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "memory/arena.hpp"

namespace xhal::sim {

class HostMemory {
 public:
  HostMemory(Window& window, uint64_t limit) : window_(window), limit_(limit) {}
  HostMemory(const HostMemory&) = delete;
  HostMemory& operator=(const HostMemory&) = delete;

  // An address that the host may follow; null with a reason.
  [[nodiscard]] std::optional<uint64_t> allocate(uint64_t size, uint64_t alignment, std::string& why);
  void release(uint64_t address, uint64_t size);

 private:
  static constexpr uint64_t kFirstArena = uint64_t{64} << 20;
  bool grow(uint64_t addresses, std::string& why);

  Window& window_;
  const uint64_t limit_;
  std::mutex mutex_;
  uint64_t used_ = 0;
  uint64_t addresses_ = 0;
  std::vector<std::unique_ptr<Arena>> arenas_;  // a few dozen at most
};

}  // namespace xhal::sim
