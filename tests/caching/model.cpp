// SPDX-License-Identifier: Apache-2.0
#include "model.hpp"

#include <algorithm>
#include <bit>
#include <iterator>

namespace xhal::caching_test {
namespace {

constexpr uint64_t kUnit = 512;
constexpr uint64_t kSmall = kMib;
constexpr size_t kAggregate = 0, kOfSmall = 1, kOfLarge = 2;

uint64_t up_to(uint64_t value, uint64_t unit) { return (value + unit - 1) / unit * unit; }
int64_t number(uint64_t value) { return static_cast<int64_t>(value); }

}  // namespace

Model::Model(const Machine& machine, Allocator& allocator)
    : machine_(machine), allocator_(allocator), settings_(allocator.settings()) {}

void Model::Count::add(int64_t amount) {
  current += amount;
  allocated += amount;
  peak = std::max(peak, current);
}

void Model::Count::take(int64_t amount) {
  current -= amount;
  freed += amount;
}

void Model::count(Counts& counts, bool is_large, int64_t amount) {
  for (const size_t kind : {kAggregate, is_large ? kOfLarge : kOfSmall}) {
    if (amount >= 0)
      counts[kind].add(amount);
    else
      counts[kind].take(-amount);
  }
}

uint64_t Model::rounded(uint64_t bytes) const {
  const uint64_t in_units = std::max(up_to(bytes, kUnit), kUnit);
  const auto power = static_cast<int>(std::bit_width(bytes)) - 1;
  const uint64_t divisions = settings_.divisions[static_cast<size_t>(std::clamp(power - 20, 0, 15))];
  if (divisions <= 1 || bytes <= kUnit * divisions) return in_units;
  return up_to(bytes, (uint64_t{1} << power) / divisions);
}

uint64_t Model::segment_for(uint64_t size) const {
  if (size <= kSmall) return 2 * kMib;
  return size < 10 * kMib ? settings_.large_segment_bytes : up_to(size, 2 * kMib);
}

// ---- Requests ----

bool Model::fits(const SegmentInfo& segment, const BlockInfo& block) const {
  if (block.is_active || segment.stream_id != request_.stream || segment.pool != request_.pool) return false;
  if (segment.is_large != (request_.rounded > kSmall) || block.size < request_.rounded) return false;
  if (block.size < settings_.max_split_bytes) return true;
  return request_.rounded >= settings_.max_split_bytes &&
         block.size < request_.rounded + settings_.max_waste_bytes;
}

void Model::before_allocate(uint64_t bytes, Stream stream, PoolId pool) {
  request_ = {};
  request_.rounded = rounded(bytes);
  request_.stream = stream.id;
  request_.pool = pool;
  const Stats stats = allocator_.stats();
  request_.num_device_alloc = stats.num_device_alloc;
  request_.num_device_free = stats.num_device_free;
  request_.is_exact = pending_.empty();
  request_.least = UINT64_MAX;
  for (const SegmentInfo& segment : last_.segments) {
    for (const BlockInfo& block : segment.blocks) {
      if (!fits(segment, block) || block.size > request_.least) continue;
      if (block.size < request_.least) request_.candidates.clear();
      request_.least = block.size;
      request_.was_free = true;
      request_.candidates.emplace_back(block.address, block.size);
    }
  }
}

void Model::allocated(Block* block, uint64_t bytes, Stream stream, PoolId pool) {
  ASSERT_NE(block, nullptr);
  complete_pending();
  if (may_fail_ && filling_ == 0 && allocator_.stats().num_alloc_retries > 0) forget_uncertain();
  const uint64_t begin = begin_of(block);
  const uint64_t size = caching::size_of(block);
  EXPECT_EQ(caching::requested_of(block), bytes);
  check_size(block);
  check_overlap(begin, size);
  check_source(block);
  const bool is_large = bytes > kSmall;
  live_[begin] = {size, bytes, stream.id, block, pool, {}};
  count(allocation_, is_large, 1);
  count(allocated_bytes_, is_large, number(size));
  count(requested_bytes_, is_large, number(bytes));
}

void Model::check_size(const Block* block) const {
  const uint64_t size = caching::size_of(block);
  EXPECT_EQ(size % kUnit, 0U);
  EXPECT_EQ(begin_of(block) % kUnit, 0U);
  ASSERT_GE(size, request_.rounded);
  const uint64_t rest = size - request_.rounded;
  if (request_.rounded <= kSmall || settings_.expandable) {
    EXPECT_EQ(rest, 0U) << "of " << size;
  } else if (size < settings_.max_split_bytes) {
    EXPECT_LE(rest, kMib) << "of " << size;
  } else {
    EXPECT_LT(rest, settings_.max_waste_bytes) << "of " << size;
  }
}

void Model::check_overlap(uint64_t begin, uint64_t size) {
  auto next = live_.lower_bound(begin);
  if (next != live_.end()) {
    EXPECT_LE(begin + size, next->first) << "a live block is given out twice";
  }
  if (next != live_.begin()) {
    --next;
    EXPECT_LE(next->first + next->second.size, begin) << "a live block is given out twice";
  }
  std::erase_if(pending_, [&](const auto& each) {
    if (each.first + each.second.size <= begin || begin + size <= each.first) return false;
    EXPECT_FALSE(each.second.is_certain()) << "a recorded stream may still use the memory";
    return true;
  });
}

void Model::ran_out() {
  ++ooms_;
  EXPECT_FALSE(request_.was_free) << request_.least << " were free for " << request_.rounded;
  cache_released({});
}

// Memory was given back for the sake of a request, and that waits for recorded streams.
void Model::forget_uncertain() {
  std::erase_if(pending_, [](const auto& each) { return !each.second.is_certain(); });
}

// Free memory of the same stream and pool is used before the device is asked, and the smallest that fits.
void Model::check_source(const Block* block) {
  const int64_t taken = allocator_.stats().num_device_alloc - request_.num_device_alloc;
  if (request_.was_free) {
    EXPECT_EQ(taken, 0) << request_.least << " were free for " << request_.rounded;
  }
  if (!request_.is_exact || settings_.expandable) return;
  if (may_fail_ && allocator_.stats().num_device_free != request_.num_device_free) return;
  if (!request_.was_free) {
    EXPECT_EQ(taken, 1) << "for " << request_.rounded;
    const auto attributes = machine_.attributes_of(begin_of(block));
    EXPECT_EQ(attributes.size, segment_for(request_.rounded));
    return;
  }
  const uint64_t begin = begin_of(block);
  EXPECT_TRUE(
      std::any_of(request_.candidates.begin(), request_.candidates.end(),
                  [&](const auto& each) { return each.first <= begin && begin < each.first + each.second; }))
      << "not of the smallest block that fits, " << request_.least << " for " << request_.rounded;
}

// ---- Frees ----

void Model::recorded(Block* block, Stream stream) {
  Live& live = live_.at(begin_of(block));
  if (stream.id != live.stream) live.recorded.insert(stream.id);
}

void Model::freeing(Block* block) {
  const uint64_t begin = begin_of(block);
  const Live live = live_.at(begin);
  live_.erase(begin);
  const bool is_large = live.requested > kSmall;
  count(allocation_, is_large, -1);
  count(allocated_bytes_, is_large, -number(live.size));
  count(requested_bytes_, is_large, -number(live.requested));
  if (live.recorded.empty()) return;
  Pending pending{live.size, is_large, live.pool, live.recorded, {}, {}, filling_ != 0, filling_ != 0, 0};
  std::set_intersection(live.recorded.begin(), live.recorded.end(), held_.begin(), held_.end(),
                        std::inserter(pending.surely, pending.surely.end()));
  pending_[begin] = pending;
}

void Model::stream_passed(uint64_t id) {
  held_.erase(id);
  for (auto& [begin, pending] : pending_) {
    pending.surely.erase(id);
    pending.maybe.erase(id);
  }
}

void Model::complete_pending() {
  if (filling_ != 0) return;
  for (auto each = pending_.begin(); each != pending_.end();) {
    Pending& pending = each->second;
    if (pending.is_deferred) {
      // Its streams are asked from now on, which may mean what they were given meanwhile.
      pending.is_deferred = false;
      pending.rounds = 1;
      std::set_intersection(pending.streams.begin(), pending.streams.end(), held_.begin(), held_.end(),
                            std::inserter(pending.maybe, pending.maybe.end()));
    } else if (pending.surely.empty() && pending.maybe.empty() && pending.rounds-- == 0) {
      each = pending_.erase(each);
      continue;
    }
    ++each;
  }
}

bool Model::would_wait() const {
  if (filling_ != 0) return false;
  return std::any_of(pending_.begin(), pending_.end(), [&](const auto& each) {
    const Pending& pending = each.second;
    if (!pending.surely.empty() || !pending.maybe.empty()) return true;
    return pending.is_deferred && std::any_of(pending.streams.begin(), pending.streams.end(),
                                              [&](uint64_t id) { return held_.contains(id); });
  });
}

// ---- Pools and the cache ----

void Model::pool_begun(PoolId pool) {
  ++filling_;
  ++holds_[{pool.first, pool.second}];
  for (auto& [begin, pending] : pending_) pending.is_frozen = pending.is_certain();
}

void Model::pool_ended() {
  if (--filling_ != 0) return;
  for (auto& [begin, pending] : pending_) pending.is_frozen = false;
}

void Model::pool_released(PoolId pool) { --holds_[{pool.first, pool.second}]; }

void Model::cache_released(PoolId pool) {
  const bool is_all = pool == PoolId{};
  const auto is_meant = [&](PoolId each) {
    const auto held = holds_.find({each.first, each.second});
    return (is_all || each == pool) && (held == holds_.end() || held->second == 0);
  };
  if (filling_ == 0) std::erase_if(pending_, [&](const auto& each) { return is_meant(each.second.pool); });
  for (const SegmentInfo& segment : allocator_.snapshot().segments) {
    if (!is_meant(segment.pool) || (segment.is_expandable && filling_ != 0)) continue;
    // Of an expandable segment only whole pieces go back, so a free rest may stay beside what is active.
    const bool has_active = std::any_of(segment.blocks.begin(), segment.blocks.end(),
                                        [](const BlockInfo& block) { return block.is_active; });
    EXPECT_TRUE(has_active) << segment.total_size << " bytes are free and were not given back";
  }
}

void Model::reset_sums() {
  ooms_ = 0;
  for (Counts* counts : {&allocation_, &allocated_bytes_, &requested_bytes_})
    for (Count& each : *counts) each.allocated = each.freed = 0;
  for (auto& [name, law] : laws_) law.base = INT64_MIN;
}

void Model::reset_peaks() {
  for (Counts* counts : {&allocation_, &allocated_bytes_, &requested_bytes_})
    for (Count& each : *counts) each.peak = each.current;
  for (auto& [name, law] : laws_) law.peak = INT64_MIN;
}

// ---- Judging ----

void Model::check() {
  const Stats stats = allocator_.stats();
  last_ = allocator_.snapshot();
  check_counts(stats);
  check_laws(stats);
  check_against_snapshot(stats);
}

void Model::check_counts(const Stats& stats) const {
  const auto expect = [](const char* name, const Counts& want, const caching::StatArray& have) {
    for (size_t kind = 0; kind < want.size(); ++kind) {
      EXPECT_EQ(have[kind].current, want[kind].current) << name << " current of kind " << kind;
      EXPECT_EQ(have[kind].peak, want[kind].peak) << name << " peak of kind " << kind;
      EXPECT_EQ(have[kind].allocated, want[kind].allocated) << name << " allocated of kind " << kind;
      EXPECT_EQ(have[kind].freed, want[kind].freed) << name << " freed of kind " << kind;
    }
  };
  expect("allocation", allocation_, stats.allocation);
  expect("allocated_bytes", allocated_bytes_, stats.allocated_bytes);
  expect("requested_bytes", requested_bytes_, stats.requested_bytes);
  for (size_t kind = 0; kind < allocation_.size(); ++kind) {
    EXPECT_EQ(stats.active[kind].allocated, allocation_[kind].allocated) << kind;
    EXPECT_EQ(stats.active_bytes[kind].allocated, allocated_bytes_[kind].allocated) << kind;
    EXPECT_GE(stats.active[kind].current, stats.allocation[kind].current) << kind;
    EXPECT_GE(stats.active[kind].peak, stats.allocation[kind].peak) << kind;
  }
  EXPECT_EQ(stats.num_ooms, ooms_);
  if (!may_fail_) {
    EXPECT_EQ(stats.num_alloc_retries, 0);
  }
}

void Model::check_laws(const Stats& stats) {
  const std::pair<const char*, const caching::StatArray*> all[] = {
      {"segment", &stats.segment},
      {"reserved_bytes", &stats.reserved_bytes},
      {"active", &stats.active},
      {"active_bytes", &stats.active_bytes},
      {"inactive_split", &stats.inactive_split},
      {"inactive_split_bytes", &stats.inactive_split_bytes}};
  for (const auto& [name, array] : all) {
    for (size_t kind = 0; kind < array->size(); ++kind) {
      const caching::Stat& stat = (*array)[kind];
      Law& law = laws_[{name, kind}];
      if (law.base == INT64_MIN) law.base = stat.current;
      law.peak = std::max(law.peak, stat.current);
      EXPECT_EQ(stat.current, law.base + stat.allocated - stat.freed) << name << " of kind " << kind;
      EXPECT_GE(stat.peak, law.peak) << name << " of kind " << kind;
    }
    EXPECT_EQ((*array)[kAggregate].current, (*array)[kOfSmall].current + (*array)[kOfLarge].current) << name;
  }
}

void Model::check_segment(const SegmentInfo& segment) {
  uint64_t at = segment.address;
  uint64_t live = 0, active = 0, requested = 0;
  bool was_free = false;
  for (const BlockInfo& block : segment.blocks) {
    EXPECT_EQ(block.address, at) << "blocks do not tile their segment";
    EXPECT_GT(block.size, 0U);
    EXPECT_EQ(block.size % kUnit, 0U);
    EXPECT_TRUE(block.is_active || !block.is_live);
    EXPECT_TRUE(block.is_live || block.requested_size == 0);
    EXPECT_FALSE(was_free && !block.is_active) << "free neighbours are two blocks";
    was_free = !block.is_active;
    at += block.size;
    live += block.is_live ? block.size : 0;
    active += block.is_active ? block.size : 0;
    requested += block.requested_size;
  }
  EXPECT_EQ(at, segment.address + segment.total_size) << "blocks do not fill their segment";
  EXPECT_EQ(segment.live_size, live);
  EXPECT_EQ(segment.active_size, active);
  EXPECT_EQ(segment.requested_size, requested);
  EXPECT_EQ(segment.is_expandable, settings_.expandable);
  const auto attributes = machine_.attributes_of(segment.address);
  EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  if (segment.is_expandable) {
    EXPECT_EQ(machine_.attributes_of(at - 1).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
    return;
  }
  EXPECT_EQ(number_of(attributes.base), segment.address);
  EXPECT_EQ(attributes.size, segment.total_size);
  if (!segment.is_large) {
    EXPECT_EQ(segment.total_size, 2 * kMib);
  }
  const auto [owner, is_new] = owners_.try_emplace(attributes.allocation_id, segment.stream_id, segment.pool);
  EXPECT_EQ(owner->second.first, segment.stream_id) << "memory went to another stream";
  EXPECT_EQ(owner->second.second, segment.pool) << "memory went to another pool";
}

void Model::check_against_snapshot(const Stats& stats) {
  std::array<int64_t, caching::kPoolKinds> segments{}, reserved{}, active{}, active_bytes{}, split{},
      split_bytes{};
  size_t live_seen = 0;
  size_t certain_seen = 0;
  uint64_t end = 0;
  for (const SegmentInfo& segment : last_.segments) {
    EXPECT_GE(segment.address, end) << "segments are not by address";
    end = segment.address + segment.total_size;
    check_segment(segment);
    for (const size_t kind : {kAggregate, segment.is_large ? kOfLarge : kOfSmall}) {
      segments[kind] += 1;
      reserved[kind] += number(segment.total_size);
      for (const BlockInfo& block : segment.blocks) {
        const bool is_split = !block.is_active && segment.blocks.size() > 1;
        active[kind] += block.is_active ? 1 : 0;
        active_bytes[kind] += block.is_active ? number(block.size) : 0;
        split[kind] += is_split ? 1 : 0;
        split_bytes[kind] += is_split ? number(block.size) : 0;
      }
    }
    for (const BlockInfo& block : segment.blocks) {
      if (!block.is_active) continue;
      if (!block.is_live) {
        const auto pending = pending_.find(block.address);
        ASSERT_NE(pending, pending_.end()) << "active, and every recorded stream has passed";
        EXPECT_EQ(pending->second.size, block.size);
        certain_seen += pending->second.is_certain() ? 1 : 0;
        continue;
      }
      const auto live = live_.find(block.address);
      ASSERT_NE(live, live_.end()) << "nobody has this block";
      EXPECT_EQ(live->second.size, block.size);
      EXPECT_EQ(live->second.requested, block.requested_size);
      EXPECT_EQ(live->second.stream, segment.stream_id);
      EXPECT_EQ(live->second.pool, segment.pool);
      EXPECT_EQ(live->second.requested > kSmall, segment.is_large);
      ++live_seen;
    }
  }
  EXPECT_EQ(live_seen, live_.size());
  EXPECT_EQ(certain_seen,
            static_cast<size_t>(std::count_if(pending_.begin(), pending_.end(),
                                              [](const auto& each) { return each.second.is_certain(); })))
      << "a free was completed while a recorded stream may use the memory";
  for (size_t kind = 0; kind < segments.size(); ++kind) {
    EXPECT_EQ(stats.reserved_bytes[kind].current, reserved[kind]) << kind;
    EXPECT_EQ(stats.active[kind].current, active[kind]) << kind;
    EXPECT_EQ(stats.active_bytes[kind].current, active_bytes[kind]) << kind;
    // Runs of an expandable segment are told apart, and what is unmapped beside them is not told.
    if (settings_.expandable) continue;
    EXPECT_EQ(stats.segment[kind].current, segments[kind]) << kind;
    EXPECT_EQ(stats.inactive_split[kind].current, split[kind]) << kind;
    EXPECT_EQ(stats.inactive_split_bytes[kind].current, split_bytes[kind]) << kind;
  }
}

}  // namespace xhal::caching_test
