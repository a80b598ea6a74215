// SPDX-License-Identifier: Apache-2.0
#include "memory/free_space.hpp"

#include <iterator>

namespace xhal::sim {

std::optional<uint64_t> FreeSpace::take(uint64_t size, uint64_t alignment) {
  for (auto it = by_size_.lower_bound({size, 0}); it != by_size_.end(); ++it) {
    const Interval hole = {it->second, it->second + it->first};
    const uint64_t slack = (alignment - hole.begin % alignment) % alignment;
    if (slack > hole.size() - size) continue;
    const uint64_t begin = hole.begin + slack;
    erase(hole);
    if (begin != hole.begin) insert({hole.begin, begin});
    if (begin + size != hole.end) insert({begin + size, hole.end});
    return begin;
  }
  return std::nullopt;
}

Interval FreeSpace::give(Interval interval) {
  auto next = by_begin_.lower_bound(interval.begin);
  if (next != by_begin_.end() && next->first == interval.end) {
    interval.end = next->second;
    const auto after = std::next(next);
    erase({next->first, next->second});
    next = after;
  }
  if (next != by_begin_.begin()) {
    const auto before = std::prev(next);
    if (before->second == interval.begin) {
      interval.begin = before->first;
      erase({before->first, before->second});
    }
  }
  insert(interval);
  return interval;
}

void FreeSpace::insert(Interval hole) {
  by_begin_.emplace(hole.begin, hole.end);
  by_size_.emplace(hole.size(), hole.begin);
}

void FreeSpace::erase(Interval hole) {
  by_size_.erase({hole.size(), hole.begin});
  by_begin_.erase(hole.begin);
}

}  // namespace xhal::sim
