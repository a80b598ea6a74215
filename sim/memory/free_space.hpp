// SPDX-License-Identifier: Apache-2.0
// Which addresses of a range are free. Best fit; neighbours merge.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <utility>

namespace xhal::sim {

struct Interval {
  uint64_t begin = 0;
  uint64_t end = 0;
  [[nodiscard]] uint64_t size() const { return end - begin; }
};

class FreeSpace {
 public:
  FreeSpace() = default;
  explicit FreeSpace(Interval all) {
    if (all.size() != 0) insert(all);
  }

  // Start of `size` bytes at a multiple of `alignment`, a power of two; the smallest hole that has them, or a slightly larger one where many
  // are large enough and none is aligned.
  [[nodiscard]] std::optional<uint64_t> take(uint64_t size, uint64_t alignment);
  // Takes these very addresses. False when not all of them are free.
  [[nodiscard]] bool take_at(Interval wanted);
  // Gives back exactly what was taken. Returns the whole hole that it is part of now.
  Interval give(Interval interval);

  // Whether all of it is free.
  [[nodiscard]] bool has(Interval interval) const;
  // Takes the largest hole whole; empty when there is none.
  Interval take_largest();

  [[nodiscard]] bool empty() const { return by_begin_.empty(); }
  [[nodiscard]] uint64_t largest() const { return by_size_.empty() ? 0 : by_size_.rbegin()->first; }
  [[nodiscard]] size_t holes() const { return by_begin_.size(); }

 private:
  std::optional<uint64_t> take_from(uint64_t begin, uint64_t hole_size, uint64_t size, uint64_t alignment);
  void insert(Interval hole);
  void erase(Interval hole);

  std::map<uint64_t, uint64_t> by_begin_;            // begin -> end
  std::set<std::pair<uint64_t, uint64_t>> by_size_;  // (size, begin)
};

}  // namespace xhal::sim
