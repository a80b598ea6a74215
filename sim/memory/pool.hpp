// SPDX-License-Identifier: Apache-2.0
// A pool: memory of one device that is freed and given out again in stream order.
//
// What a stream freed is that stream's at once, since all it does later comes behind. It is another stream's when that one waits for an event
// behind the free, and everybody's when the stream has come so far. Frees of a stream are collected in a few batches, so that the oldest
// becomes everybody's while the stream goes on freeing. Memory and addresses are counted apart, as in the arena: an allocation needs room in
// both.
//
// A stream that fails drops its waits with its work. So memory that was given to a follower takes along what it follows: whoever has it next
// waits for that, too, whatever became of the stream that should have.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "engine/progress.hpp"
#include "memory/arena.hpp"
#include "memory/free_space.hpp"
#include "memory/stream_order.hpp"

namespace xhal::sim {

class Pool {
 public:
  struct Info {
    uint64_t reserved = 0, used = 0;
    uint64_t peak_reserved = 0, peak_used = 0;
  };

  // `threshold` bytes are kept when a look finds them free. `most`: how much it may have; 0 for all there is.
  Pool(Arena& arena, const StreamOrder& order, uint64_t threshold, uint64_t most);
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  // For work that is submitted to a stream behind that position; with none, for work whose place in the order is not known yet. None when the
  // limit or the device's memory is exhausted.
  [[nodiscard]] std::optional<uint64_t> allocate(uint64_t size, const Position& behind);
  // Whether it is the base of a live allocation of this pool.
  [[nodiscard]] bool has(uint64_t address);

  // Positions of work that may still touch what was freed; null: none.
  using Users = std::shared_ptr<const std::vector<Position>>;
  struct Retired {
    uint64_t size = 0;
    Users users;
  };
  // Takes it from the live ones; it belongs to work until it is freed. None when it is no such base.
  [[nodiscard]] std::optional<Retired> retire(uint64_t address);
  // What was retired is free behind that position.
  void free(uint64_t address, const Retired& retired, const Position& behind);
  // Gives free memory back to the device until at most `keep` bytes are reserved.
  void trim(uint64_t keep);
  // What a synchronise leaves of it. Cheap when nothing was freed since.
  void settle();
  [[nodiscard]] Info info();

  // The end: tells of the live allocations, whose memory stays taken, and of addresses and memory that wait for their streams.
  struct Waiting {
    Interval addresses;
    uint64_t charge = 0;
  };
  void dissolve(const std::function<void(uint64_t address)>& live,
                const std::function<void(const Waiting&)>& waiting);

 private:
  struct Batch {
    FreeSpace space;
    uint64_t charge = 0;
    uint64_t number = 0;  // of the last free, in the order of its stream
    Users users;
  };
  using Batches = std::vector<Batch>;  // oldest first
  static constexpr size_t kMostBatches = 8;

  // A batch of another stream, or of the one that allocates.
  struct Source {
    Batch* batch = nullptr;
    const Progress* stream = nullptr;
  };
  using Sources = std::span<const Source>;
  using OwnSources = std::array<Source, kMostBatches>;

  // Under mutex_.
  bool settle_oldest(Batches& batches, const Progress& stream);
  void collect();
  // Calls use(source) for the batches that whoever comes behind that position may have, the latest first.
  template <class Use>
  void for_usable(const Position& behind, const Progress& stream, Batches& batches, Use&& use) const;
  [[nodiscard]] Sources usable_own(const Position& behind, OwnSources& out);
  [[nodiscard]] std::optional<uint64_t> allocate_from(Sources own, Sources followed, bool grow,
                                                      uint64_t size);
  [[nodiscard]] bool pay(uint64_t charge, Sources own, Sources followed, bool grow);
  [[nodiscard]] uint64_t available() const { return reserved_ - live_charge_ - waiting_charge_; }
  void trim_locked(uint64_t keep);

  Arena& arena_;
  const StreamOrder& order_;
  const uint64_t threshold_;
  const uint64_t most_;
  std::atomic<bool> was_freed_{false};  // since nothing was left to settle
  std::mutex mutex_;
  std::unordered_map<uint64_t, Retired> live_;  // by base
  FreeSpace ready_;
  std::unordered_map<const Progress*, Batches> waits_;  // by stream
  uint64_t used_ = 0;                                   // what was asked for
  uint64_t reserved_ = 0;                               // charged to the arena
  uint64_t live_charge_ = 0;                            // of it
  uint64_t waiting_charge_ = 0;                         // of it
  uint64_t peak_reserved_ = 0, peak_used_ = 0;
};

}  // namespace xhal::sim
