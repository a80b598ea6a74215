// SPDX-License-Identifier: Apache-2.0
// What is known of the order between streams: which position of one comes behind which position of another, since the one waited for it.
//
// Told of each wait for an event that holds a stream back, for whoever hands out memory in stream order. Little is remembered of a stream, and
// an answer takes a bounded look: "no" may mean "not known", "yes" is true.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>

#include "engine/progress.hpp"
#include "engine/spin_lock.hpp"

namespace xhal::sim {

class StreamOrder {
 public:
  StreamOrder() = default;
  StreamOrder(const StreamOrder&) = delete;
  StreamOrder& operator=(const StreamOrder&) = delete;

  // The operation at `later` waits until `earlier` is done. Told in the order of the operations.
  void add(const Position& later, const Position& earlier);
  // Whether whatever is submitted behind `later` runs when `earlier` is done, directly or by way of other streams. A stream that failed drops
  // its waits with the rest of its work: then `earlier` may be reached after `later`.
  [[nodiscard]] bool is_behind(const Position& later, const Position& earlier) const;

 private:
  static constexpr size_t kWaits = 16;  // remembered of each stream
  static constexpr uint32_t kLooks = 64;
  struct Wait {
    uint64_t at = 0;
    Position earlier;
  };
  struct Waits {
    std::array<Wait, kWaits> waits;
    size_t count = 0;
  };

  // Under lock_.
  bool look(const Position& later, const Position& earlier, uint32_t& looks) const;

  mutable SpinLock lock_;
  std::unordered_map<const Progress*, Waits> waits_;  // as many as there ever were streams at a time
};

}  // namespace xhal::sim
