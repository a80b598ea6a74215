// SPDX-License-Identifier: Apache-2.0
// The process's device addresses: a reserved range that nothing backs, and behind it a range of the same size for the backing.
//
// The bytes of device address p lie at p + distance(). The host that follows a device pointer faults at once; a kernel adds the
// distance. One window serves all instances, so that device pointers are unique in the process.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "memory/free_space.hpp"

namespace xhal::sim {

class Window {
 public:
  static constexpr uint64_t kWantedSize = uint64_t{256} << 30;
  static constexpr uint64_t kSmallestSize = uint64_t{64} << 20;
  static constexpr uint64_t kSliceAlignment = uint64_t{2} << 20;

  // The process's one; never destroyed, and usable in a forked child.
  static Window& of_process();

  // What serves some instances, three at least, whose devices have so much memory in all, and what is pinned, reserved and imported beside.
  static uint64_t size_for(uint64_t devices_bytes);

  // Tests make their own. `wanted` is halved until the system has it.
  explicit Window(uint64_t wanted = kWantedSize) : wanted_(wanted) {}
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;
  ~Window();

  // Once, `at_least` so many addresses; further calls do nothing, since its place and size are constant. False when not even the smallest
  // fits. `note` says when it is smaller than wanted.
  [[nodiscard]] bool reserve(std::string& note, uint64_t at_least = 0);

  // Valid after reserve(), and constant.
  [[nodiscard]] uint64_t base() const { return base_; }
  [[nodiscard]] uint64_t size() const { return size_; }
  [[nodiscard]] uint64_t distance() const { return size_; }
  [[nodiscard]] bool contains(uint64_t address) const { return address - base_ < size_; }

  // Addresses for one arena or reservation, a multiple of kSliceAlignment in size and of `alignment`, a power of two, in place.
  [[nodiscard]] std::optional<Interval> take_slice(uint64_t size, uint64_t alignment = kSliceAlignment);
  void give_slice(Interval slice);
  // Addresses that nobody has taken.
  [[nodiscard]] uint64_t available() const;
  // Nothing backs these addresses any more.
  void clear_backing(Interval addresses) const;

 private:
  friend struct WindowFork;

  const uint64_t wanted_;
  mutable std::mutex mutex_;
  uint64_t base_ = 0;
  uint64_t size_ = 0;
  void* mapping_ = nullptr;
  FreeSpace slices_;
  uint64_t available_ = 0;
};

}  // namespace xhal::sim
