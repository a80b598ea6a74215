// SPDX-License-Identifier: Apache-2.0
#include "bench/footprint/footprint.hpp"

#include <malloc.h>

#include <fstream>
#include <stdexcept>
#include <string>

namespace xhal::bench {
namespace {

// Of the pages themselves: the counters of statm lag behind by some pages a thread.
uint64_t resident_bytes() {
  constexpr uint64_t kKib = 1024;
  std::ifstream file("/proc/self/smaps_rollup");
  for (std::string word; file >> word;) {
    uint64_t kib = 0;
    if (word == "Rss:" && file >> kib) return kib * kKib;
  }
  throw std::runtime_error("/proc/self/smaps_rollup tells no Rss");
}

}  // namespace

Footprint footprint() {
  const struct mallinfo2 heap = mallinfo2();
  return {heap.uordblks + heap.hblkhd, resident_bytes()};
}

Footprint trimmed_footprint() {
  malloc_trim(0);
  return footprint();
}

double bytes_each(uint64_t before, uint64_t after, uint64_t count) {
  return (static_cast<double>(after) - static_cast<double>(before)) / static_cast<double>(count);
}

}  // namespace xhal::bench
