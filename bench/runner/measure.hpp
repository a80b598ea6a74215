// SPDX-License-Identifier: Apache-2.0
// Measures a row in this process: rounds in which every side has its turn.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/runner/contention.hpp"
#include "bench/runner/row.hpp"

namespace xhal::bench {

struct Plan {
  double seconds = 0.1;       // of rounds
  double block_ns = 200'000;  // about how long one side's turn takes
  // Left idle before each turn: whoever ran for the side before, and still looks whether there is more, falls asleep meanwhile instead of taking a
  // processor from the next one.
  double settle_ns = 50'000;
  // Beside a side that is a process, every other one runs for so long before its turn: until the system has spread its threads again.
  double spread_ns = 20'000'000;
  uint64_t least_rounds = 6;  // also when they take longer
  uint64_t most_rounds = 2000;
  uint64_t seed = 0;   // of the order of turns
  double planted = 0;  // the subject is made slower by this part of itself: for tests of the gate
};

struct Samples {
  std::vector<std::string> sides;
  std::vector<uint64_t> units;              // of a block, by side
  std::vector<std::vector<double>> ns;      // by side: one a round, for one unit
  std::vector<double> values;               // one a round
  std::vector<std::vector<double>> ratios;  // by comparison: one a round
  Contention contention;                    // while the row was set up and measured
};

// In a round each side has two turns, the second ones in the opposite order of the first ones, so that what drifts meets all sides alike. Throws
// RowFailed.
Samples measure(const Row& row, const Plan& plan);

}  // namespace xhal::bench
