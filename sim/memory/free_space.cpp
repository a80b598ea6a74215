// SPDX-License-Identifier: Apache-2.0
#include "memory/free_space.hpp"

#include <iterator>

namespace xhal::sim {

std::optional<uint64_t> FreeSpace::take_from(uint64_t begin, uint64_t hole_size, uint64_t size,
                                             uint64_t alignment) {
  const Interval hole = {begin, begin + hole_size};
  const uint64_t slack = (alignment - hole.begin % alignment) % alignment;
  if (slack > hole.size() - size) return std::nullopt;
  const uint64_t start = hole.begin + slack;
  erase(hole);
  if (start != hole.begin) insert({hole.begin, start});
  if (start + size != hole.end) insert({start + size, hole.end});
  return start;
}

std::optional<uint64_t> FreeSpace::take(uint64_t size, uint64_t alignment) {
  constexpr int kBestFits = 16;
  auto it = by_size_.lower_bound({size, 0});
  for (int tries = 0; it != by_size_.end() && tries < kBestFits; ++it, ++tries) {
    const auto [hole_size, begin] = *it;
    if (const auto start = take_from(begin, hole_size, size, alignment); start.has_value()) return start;
  }
  // Whatever its beginning, a hole of this size holds it.
  const auto sure =
      size > UINT64_MAX - alignment ? by_size_.end() : by_size_.lower_bound({size + alignment - 1, 0});
  if (sure != by_size_.end()) return take_from(sure->second, sure->first, size, alignment);
  for (; it != by_size_.end(); ++it) {
    const auto [hole_size, begin] = *it;
    if (const auto start = take_from(begin, hole_size, size, alignment); start.has_value()) return start;
  }
  return std::nullopt;
}

bool FreeSpace::take_at(Interval wanted) {
  if (!has(wanted)) return false;
  const auto it = std::prev(by_begin_.upper_bound(wanted.begin));
  const Interval hole = {it->first, it->second};
  erase(hole);
  if (hole.begin != wanted.begin) insert({hole.begin, wanted.begin});
  if (hole.end != wanted.end) insert({wanted.end, hole.end});
  return true;
}

bool FreeSpace::has(Interval interval) const {
  auto it = by_begin_.upper_bound(interval.begin);
  if (it == by_begin_.begin()) return false;
  --it;
  return interval.end <= it->second;
}

Interval FreeSpace::take_largest() {
  if (by_size_.empty()) return {};
  const auto [size, begin] = *by_size_.rbegin();
  const Interval hole = {begin, begin + size};
  erase(hole);
  return hole;
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
