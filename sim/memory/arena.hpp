// SPDX-License-Identifier: Apache-2.0
// Memory in a file that takes pages when they are touched: one device's, or a part of the host's pinned memory.
//
// Addresses and memory are counted apart. There are more addresses than memory, so that holes between allocations, and the page behind
// each that is never touched, cost nothing. Pages that are free are kept for the next allocation up to kKeptBytes, then returned. An allocation
// finds zeros, whoever had its pages before: it may be handed to another process, which is to read none of that.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "ipc/descriptor.hpp"
#include "memory/free_space.hpp"
#include "memory/window.hpp"

namespace xhal::sim {

class Arena {
 public:
  // Every allocation starts at a multiple of this and is counted as one: a page, so that one can be shared with another process without
  // its neighbours.
  static constexpr uint64_t kGranule = 4096;
  static constexpr uint64_t kKeptBytes = uint64_t{16} << 20;

  // `limit` bytes in a slice of the window that has twice as many addresses, and up to four times where `share` of them may be taken; or
  // exactly `addresses`. Null with a reason when the system or the window has no room.
  static std::unique_ptr<Arena> create(Window& window, uint64_t limit, std::string& why,
                                       uint64_t share = UINT64_MAX);
  static std::unique_ptr<Arena> create(Window& window, uint64_t limit, uint64_t addresses, std::string& why);
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena();

  // What `size` bytes count as.
  static uint64_t charge_of(uint64_t size) { return (size + kGranule - 1) / kGranule * kGranule; }
  // An allocation's addresses: one byte more than it has, so that its end is never another one's beginning.
  static uint64_t footprint(uint64_t size) { return charge_of(size + 1); }

  // Memory and addresses together; the memory is zero.
  [[nodiscard]] std::optional<uint64_t> allocate(uint64_t size, uint64_t alignment);
  void release(uint64_t address, uint64_t size);

  // Memory alone, addresses alone: for who divides them himself, and hands none of it to other processes. What the bytes are is left open.
  [[nodiscard]] bool charge(uint64_t bytes);
  void uncharge(uint64_t bytes);
  [[nodiscard]] std::optional<uint64_t> take(uint64_t addresses, uint64_t alignment);
  void give(Interval addresses);
  // Nothing is left of what the bytes were; whole pages.
  void wipe(Interval addresses) const;
  // Something else was mapped at their backing. False when the system maps no more.
  [[nodiscard]] bool back(Interval addresses) const;
  // Returns to the system what is free.
  void trim();
  // From here on what was given back last is taken first, at the same addresses. Set before the first allocation.
  void give_out_again() { gives_out_again_ = true; }

  [[nodiscard]] uint64_t limit() const { return limit_; }
  [[nodiscard]] uint64_t used() const;
  [[nodiscard]] Interval addresses() const { return slice_; }
  // Bytes of the system's memory that the arena holds.
  [[nodiscard]] uint64_t resident() const;

  // The file, and where in it an address lies.
  [[nodiscard]] int file() const { return file_.get(); }
  [[nodiscard]] uint64_t offset_of(uint64_t address) const { return address - slice_.begin; }

 private:
  // Bits, one a page; calloc, so that those of pages that were never used cost nothing.
  using PageBits = std::unique_ptr<uint64_t[], void (*)(void*)>;
  Arena(Window& window, uint64_t limit, Interval slice, Descriptor file, PageBits dirty);
  bool punch(Interval addresses) const;
  void clear(Interval addresses) const;
  void set_to_zero(Interval addresses) const;
  [[nodiscard]] uint64_t page_of(uint64_t address) const { return offset_of(address) / kGranule; }
  void mark_locked(Interval addresses, bool is_dirty);
  // The first pages in a row that are dirty, which they are no longer; empty when there are none.
  Interval claim_dirty_locked(Interval addresses);
  std::optional<uint64_t> take_locked(uint64_t addresses, uint64_t alignment);
  void trim_locked();

  Window& window_;
  const uint64_t limit_;
  const Interval slice_;
  const Descriptor file_;
  mutable std::mutex mutex_;
  FreeSpace free_;
  uint64_t used_ = 0;
  bool gives_out_again_ = false;
  std::vector<Interval> given_;  // the last ones, where they are given out again
  std::vector<Interval> kept_;   // given back and not returned to the system; may have been taken again
  uint64_t kept_bytes_ = 0;
  const PageBits dirty_;  // pages that were given back with bytes in them
};

}  // namespace xhal::sim
