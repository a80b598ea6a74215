// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "bench/limits/raw_costs.hpp"
#include "bench/runner/clock.hpp"

namespace xhal::bench {

double raw_line_copies(int lines) {
  constexpr size_t kLine = 64;
  constexpr size_t kBytes = 8;
  static std::vector<std::byte> from;
  static std::vector<std::byte> to;
  const size_t size = kLine * static_cast<size_t>(lines);
  from.resize(size);
  to.resize(size);
  return nanoseconds_of([size] {
           for (size_t place = 0; place < size; place += kLine) {
             std::memcpy(&to[place], &from[place], kBytes);
             benchmark::ClobberMemory();
           }
         }) /
         lines;
}

double raw_copy_of_nodes(int nodes) {
  constexpr size_t kBytes = 256;
  static std::vector<std::byte> all;
  all.resize(kBytes * static_cast<size_t>(nodes));
  return nanoseconds_of([] {
           std::vector<std::byte> copy(all);
           benchmark::DoNotOptimize(copy.data());
         }) /
         nodes;
}

}  // namespace xhal::bench
