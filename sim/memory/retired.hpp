// SPDX-License-Identifier: Apache-2.0
// Memory that was freed while work was pending which may still touch it: used again when that work is done.
//
// Items come in batches that share one snapshot of all pending work. A snapshot costs a look at every stream, so the more streams there
// are, the more items share one; and the number of snapshots is bounded: a later one says all that an earlier one said that still
// matters, so the newest two are made one when there are too many. Batches are done in their order.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "engine/progress.hpp"
#include "memory/free_space.hpp"

namespace xhal::sim {

// All work that is submitted but not done, and how many streams were looked at for it.
struct PendingWork {
  std::vector<Position> positions;
  size_t streams = 0;
  void push_back(const Position& position) { positions.push_back(position); }
};

struct RetiredRange {
  enum class What : uint32_t {
    kDevice,    // of a device's arena: addresses and memory
    kHost,      // pinned memory
    kUnmapped,  // a reserved range that nothing is mapped to any more
    kSlice      // addresses of the window, and whatever backs them
  };
  What what = What::kDevice;
  uint32_t device = 0;
  Interval addresses;
  uint64_t size = 0;        // kDevice: memory that it counted as; kHost: what was asked for
  bool was_shared = false;  // kDevice: another process may have written to it
};

class RetiredMemory {
 public:
  using Source = std::function<PendingWork()>;
  using Release = std::function<void(const RetiredRange&)>;

  // `pending` is called with no lock of the memory's held but this one's.
  RetiredMemory(Source pending, Release release)
      : pending_(std::move(pending)), release_(std::move(release)) {}
  RetiredMemory(const RetiredMemory&) = delete;
  RetiredMemory& operator=(const RetiredMemory&) = delete;

  // From now on nobody is given the range until the work that is pending is done; at once when there is none.
  void add(const RetiredRange& range);
  // Releases all whose work is done. Cheap when nothing waits.
  void reclaim();
  // The same for those whose work was looked at already, by whoever finds nobody at it: for streams that have become idle.
  void reclaim_known();
  // No work is left.
  void release_all();

  [[nodiscard]] bool is_empty() const { return count_.load(std::memory_order_acquire) == 0; }
  [[nodiscard]] size_t snapshots();

 private:
  static constexpr size_t kMostBatches = 32;
  static constexpr size_t kStreamsForEach = 16;

  struct Batch {
    std::vector<RetiredRange> ranges;
    std::vector<Position> pending;
    size_t first_pending = 0;  // those before it are done
  };

  void close_open();
  void release_done();
  void release(std::vector<RetiredRange>& ranges);

  const Source pending_;
  const Release release_;
  std::atomic<size_t> count_{0};
  std::mutex mutex_;
  std::vector<RetiredRange> open_;  // no snapshot yet
  size_t last_streams_ = 0;
  std::deque<Batch> closed_;
};

}  // namespace xhal::sim
