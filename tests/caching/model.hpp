// SPDX-License-Identifier: Apache-2.0
// What the headers say of an allocator's state after each call, kept independently: it shares no code with what it judges.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <utility>
#include <vector>

#include "harness.hpp"

namespace xhal::caching_test {

class Model {
 public:
  Model(const Machine& machine, Allocator& allocator);

  // ---- Told before and after calls ----
  void before_allocate(uint64_t bytes, Stream stream, PoolId pool);
  void allocated(Block* block, uint64_t bytes, Stream stream, PoolId pool);
  // Only where requests may fail.
  void ran_out();
  void requests_may_fail() { may_fail_ = true; }
  void recorded(Block* block, Stream stream);
  // Before the call: the handle ends with it.
  void freeing(Block* block);
  void reset_sums();
  void reset_peaks();
  void pool_begun(PoolId pool);
  void pool_ended();
  void pool_released(PoolId pool);
  void cache_released(PoolId pool);

  // ---- Told of streams: each is held by a gate or idle ----
  void stream_held(uint64_t id) { held_.insert(id); }
  void stream_passed(uint64_t id);

  // Whether release_cached() would have to wait for a stream that is held.
  [[nodiscard]] bool would_wait() const;
  [[nodiscard]] bool is_filling() const { return filling_ != 0; }

  void check();

 private:
  struct Live {
    uint64_t size = 0, requested = 0, stream = 0;
    Block* block = nullptr;
    PoolId pool;
    std::set<uint64_t> recorded;
  };
  // Freed, and recorded streams may not have passed yet.
  struct Pending {
    uint64_t size = 0;
    bool is_large = false;
    PoolId pool;
    std::set<uint64_t> streams;
    std::set<uint64_t> surely;  // held since before the free
    std::set<uint64_t> maybe;   // held since before the free was asked about
    bool is_frozen = false;     // a pool was being filled all the time
    bool is_deferred = false;   // freed while a pool was being filled
    int rounds = 0;             // requests that may pass before it is completed
    [[nodiscard]] bool is_certain() const { return is_frozen || !surely.empty(); }
  };
  struct Count {
    int64_t current = 0, peak = 0, allocated = 0, freed = 0;
    void add(int64_t amount);
    void take(int64_t amount);
  };
  // A stat that is known by its laws alone.
  struct Law {
    int64_t base = 0;  // current at the last reset of the sums
    int64_t peak = 0;  // most that was seen since the last reset of the peaks
  };
  using Counts = std::array<Count, caching::kPoolKinds>;

  [[nodiscard]] uint64_t rounded(uint64_t bytes) const;
  [[nodiscard]] uint64_t segment_for(uint64_t size) const;
  [[nodiscard]] bool fits(const SegmentInfo& segment, const BlockInfo& block) const;
  void complete_pending();
  void forget_uncertain();
  void check_size(const Block* block) const;
  void check_source(const Block* block);
  void check_overlap(uint64_t begin, uint64_t size);
  void check_counts(const Stats& stats) const;
  void check_laws(const Stats& stats);
  void check_segment(const SegmentInfo& segment);
  void check_against_snapshot(const Stats& stats);
  void count(Counts& counts, bool is_large, int64_t amount);

  const Machine& machine_;
  Allocator& allocator_;
  const Settings settings_;
  std::map<uint64_t, Live> live_;        // by address
  std::map<uint64_t, Pending> pending_;  // by address
  std::map<std::pair<uint64_t, uint64_t>, int> holds_;
  std::map<uint64_t, std::pair<uint64_t, PoolId>> owners_;  // stream and pool of an allocation of the driver
  std::set<uint64_t> held_;
  int filling_ = 0;
  bool may_fail_ = false;
  int64_t ooms_ = 0;
  Counts allocation_, allocated_bytes_, requested_bytes_;
  std::map<std::pair<const char*, size_t>, Law> laws_;
  Snapshot last_;

  // Of the request that is under way.
  struct Request {
    uint64_t rounded = 0, stream = 0;
    PoolId pool;
    int64_t num_device_alloc = 0;
    int64_t num_device_free = 0;
    bool was_free = false;                                  // something that fits was
    uint64_t least = 0;                                     // its size
    std::vector<std::pair<uint64_t, uint64_t>> candidates;  // of this size
    bool is_exact = false;                                  // nothing pending could have changed that
  };
  Request request_;
};

}  // namespace xhal::caching_test
