// SPDX-License-Identifier: Apache-2.0
// Memory for a driver or layer to fill, with a check whether it wrote behind the size that it was told.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

namespace xhal::host {

template <class T>
struct Guarded {
  static constexpr uint64_t kPattern = 0x5bd1e995a17c3f0d;
  T value{};
  std::array<uint64_t, 16> guard = filled();

  bool intact() const {
    return std::all_of(guard.begin(), guard.end(), [](uint64_t word) { return word == kPattern; });
  }

 private:
  static constexpr std::array<uint64_t, 16> filled() {
    std::array<uint64_t, 16> words{};
    words.fill(kPattern);
    return words;
  }
};

}  // namespace xhal::host
