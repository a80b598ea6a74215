// SPDX-License-Identifier: Apache-2.0
// Whether the process's memory stays as it is: samples at rest, in equal distances.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace xhal::soak {

class Flatness {
 public:
  // Of which the first quarter warms up.
  static constexpr size_t kSamples = 64;

  Flatness() { samples_.reserve(kSamples); }
  // While nothing runs.
  void sample();
  // Prints the quarters' medians. False, with a line that tells what grew, when the last lies above the second by more than noise.
  [[nodiscard]] bool report() const;

 private:
  struct Sample {
    uint64_t resident = 0;   // bytes of the process
    uint64_t allocated = 0;  // bytes that the C library's allocator has given out
  };
  [[nodiscard]] uint64_t median(size_t quarter, uint64_t Sample::*what) const;
  std::vector<Sample> samples_;
};

}  // namespace xhal::soak
