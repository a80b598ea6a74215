// SPDX-License-Identifier: Apache-2.0
// What a misspelled name may have meant.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

namespace xhal::faults {

inline size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row[b.size()];
}

// At most three, the nearest first: a part of the other, or a few letters away.
inline std::vector<std::string_view> near_names(std::string_view name,
                                                const std::vector<std::string_view>& known) {
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const std::string_view one : known) {
    constexpr size_t kNowhere = std::string_view::npos;
    const bool holds = name.size() >= 3 && (one.find(name) != kNowhere || name.find(one) != kNowhere);
    const size_t distance = holds ? 1 : edit_distance(name, one);
    if (distance <= std::max<size_t>(2, name.size() / 3)) near.emplace_back(distance, one);
  }
  std::stable_sort(near.begin(), near.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string_view> out;
  for (size_t i = 0; i < near.size() && i < 3; ++i) out.push_back(near[i].second);
  return out;
}

}  // namespace xhal::faults
