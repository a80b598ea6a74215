// SPDX-License-Identifier: Apache-2.0
// Work of a chosen length: the suite's kernel that turns a word over and over.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "bench/rows/row_parts.hpp"
#include "group_oracles.h"

namespace xhal::bench {

// A word, and a launch that turns it so often.
class SpinCell {
 public:
  SpinCell(Bench& bench, uint64_t turns, size_t device = 0)
      : turns_(turns),
        memory_(bench.make_memory(XHAL_MEMORY_DEVICE, kRoom, device)),
        launch_(bench.pack_kernel("xhal_spin_u64", device)) {
    launch_.updates(memory_.get()).value(turns);
  }
  void on(xhal_stream_t stream) const { launch_.on(stream); }
  // The word as it was at first; also wakes who runs the stream.
  void renew(xhal_stream_t stream) const {
    check("xhal_memory_fill",
          xhal_memory_fill(stream, memory_.get(), kFirst, sizeof(uint64_t), sizeof(uint64_t)));
  }
  // Throws RowFailed unless so many launches have run since it was renewed.
  void expect(uint64_t launches, xhal_stream_t stream) const {
    uint64_t wanted = kFirst;
    for (uint64_t i = 0; i < launches; ++i) wanted = oracle::spin_u64(wanted, turns_);
    if (words_of(memory_, stream).front() != wanted)
      throw RowFailed("the word is not what " + std::to_string(launches) + " kernels make of it");
  }

 private:
  static constexpr uint64_t kRoom = 4096;  // of no other one's page
  static constexpr uint64_t kFirst = 7;

  uint64_t turns_;
  Memory memory_;
  PreparedLaunch launch_;
};

// How many turns take about so long on the device: from two lengths, so that what a launch costs is not in it.
inline uint64_t turns_for(Bench& bench, double ns) {
  constexpr uint64_t kShort = 10'000;
  constexpr uint64_t kLong = 30'000;
  const Stream stream = bench.make_stream();
  const auto least = [&](uint64_t turns) {
    const SpinCell cell(bench, turns);
    double out = kUncounted;
    for (int i = 0; i < 4; ++i) {
      cell.renew(stream);
      wait_for(stream);
      const double took = nanoseconds_of([&] {
        cell.on(stream);
        wait_for(stream);
      });
      if (!(took >= out)) out = took;
    }
    return out;
  };
  const double each = (least(kLong) - least(kShort)) / static_cast<double>(kLong - kShort);
  // A machine that is taken away meanwhile may tell nonsense.
  constexpr double kLeastNs = 0.5;
  constexpr double kMostNs = 100;
  return static_cast<uint64_t>(ns / std::clamp(each, kLeastNs, kMostNs));
}

}  // namespace xhal::bench
