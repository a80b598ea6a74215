// SPDX-License-Identifier: Apache-2.0
#include "memory/stream_order.hpp"

#include <mutex>

namespace xhal::sim {

// Room is made by what is done, which is in everybody's past, else by an earlier wait for the same stream, else by the oldest.
void StreamOrder::add(const Position& later, const Position& earlier) {
  const std::lock_guard lock(lock_);
  Waits& known = waits_[later.progress];
  Wait* of_same = nullptr;
  Wait* oldest = nullptr;
  Wait* place = known.count < kWaits ? &known.waits[known.count] : nullptr;
  for (size_t i = 0; i < known.count; ++i) {
    Wait& wait = known.waits[i];
    if (wait.earlier.progress == earlier.progress) {
      if (wait.earlier.number >= earlier.number) return;  // the stream has waited for more already
      of_same = &wait;
    }
    if (oldest == nullptr || wait.at < oldest->at) oldest = &wait;
    if (wait.earlier.progress->reached(wait.earlier.number)) place = &wait;
  }
  if (place == nullptr) place = of_same != nullptr ? of_same : oldest;
  if (place == &known.waits[known.count]) ++known.count;
  *place = {later.number, earlier};
}

bool StreamOrder::is_behind(const Position& later, const Position& earlier) const {
  if (later.progress == nullptr) return false;
  const std::lock_guard lock(lock_);
  uint32_t looks = kLooks;
  return look(later, earlier, looks);
}

bool StreamOrder::look(const Position& later, const Position& earlier, uint32_t& looks) const {
  if (later.progress == earlier.progress) return later.number >= earlier.number;
  const auto it = waits_.find(later.progress);
  if (it == waits_.end()) return false;
  const Waits& known = it->second;
  for (size_t i = 0; i < known.count && looks != 0; ++i) {
    const Wait& wait = known.waits[i];
    if (wait.at > later.number) continue;
    --looks;
    if (look(wait.earlier, earlier, looks)) return true;
  }
  return false;
}

}  // namespace xhal::sim
