// SPDX-License-Identifier: Apache-2.0
// A pool: memory of one device that is freed and given out again in stream order.
//
// What a stream freed is that stream's at once, since all it does later comes behind; it is everybody's when the stream has come so far.
// Frees of a stream are collected in two generations, so that the older becomes everybody's while the stream goes on freeing. Memory and
// addresses are counted apart, as in the arena: an allocation needs room in both.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "engine/progress.hpp"
#include "memory/arena.hpp"
#include "memory/free_space.hpp"

namespace xhal::sim {

class Pool {
 public:
  struct Info {
    uint64_t reserved = 0, used = 0;
    uint64_t peak_reserved = 0, peak_used = 0;
  };

  // `threshold` bytes are kept when a look finds them free. `most`: how much it may have; 0 for all there is.
  Pool(Arena& arena, uint64_t threshold, uint64_t most);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // For work that is submitted to the stream of that progress from now on. None when the limit or the device's memory is exhausted.
  [[nodiscard]] std::optional<uint64_t> allocate(uint64_t size, const Progress& stream);
  // Whether it is the base of a live allocation of this pool.
  [[nodiscard]] bool has(uint64_t address);
  // Takes it from the live ones; it belongs to work until it is freed. None when it is no such base.
  [[nodiscard]] std::optional<uint64_t> retire(uint64_t address);
  // What was retired is free behind that position. `size` as retire() told it.
  void free(uint64_t address, uint64_t size, const Position& behind);
  // Gives free memory back to the device until at most `keep` bytes are reserved.
  void trim(uint64_t keep);
  // What a synchronise leaves of it.
  void settle() { trim(threshold_); }
  [[nodiscard]] Info info();

  // The end: tells of the live allocations, whose memory stays taken, and of addresses and memory that wait for their streams.
  struct Waiting {
    Interval addresses;
    uint64_t charge = 0;
  };
  void dissolve(const std::function<void(uint64_t address)>& live,
                const std::function<void(const Waiting&)>& waiting);

 private:
  struct Generation {
    FreeSpace space;
    uint64_t charge = 0;
    uint64_t number = 0;  // of the last free
  };
  struct Waits {
    Generation old, young;
  };

  // Under mutex_.
  void collect();
  [[nodiscard]] bool settle_generation(Generation& generation, const Progress& stream);
  [[nodiscard]] std::optional<uint64_t> take(uint64_t footprint, Waits* waits);
  [[nodiscard]] bool pay(uint64_t charge, Waits* waits);
  [[nodiscard]] uint64_t available() const { return reserved_ - live_charge_ - waiting_charge_; }
  void trim_locked(uint64_t keep);

  Arena& arena_;
  const uint64_t threshold_;
  const uint64_t most_;
  std::mutex mutex_;
  std::unordered_map<uint64_t, uint64_t> live_;  // base -> size
  FreeSpace ready_;
  std::unordered_map<const Progress*, Waits> waits_;
  uint64_t used_ = 0;            // what was asked for
  uint64_t reserved_ = 0;        // charged to the arena
  uint64_t live_charge_ = 0;     // of it
  uint64_t waiting_charge_ = 0;  // of it
  uint64_t peak_reserved_ = 0, peak_used_ = 0;
};

}  // namespace xhal::sim
