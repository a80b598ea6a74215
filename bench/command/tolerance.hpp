// SPDX-License-Identifier: Apache-2.0
// By how much ratios of two runs may differ before anybody speaks of a change.
#pragma once

#include <string>
#include <vector>

#include "bench/command/bench_run.hpp"
#include "bench/command/row_table.hpp"

namespace xhal::bench {

struct HoldOptions {
  double tolerance_percent = 0;
  double busy = kBusy;  // the part of the processors that others may have used
  std::string drift;    // a file; "": the one that is installed
};

// What runs of one build have been seen to differ by is no change, whatever else is asked for.
class Tolerance {
 public:
  // Stops with the user's mistake.
  Tolerance(const HoldOptions& options, const std::string& share_directory, std::string driver);

  // 1.05: a quotient between 1 / 1.05 and 1.05 is none. Infinite where nobody can tell.
  [[nodiscard]] double bound(const std::string& row, const std::string& reference) const;
  // How many of so many ratios are slower, or faster, between runs of one build.
  [[nodiscard]] size_t by_chance(size_t ratios) const;
  [[nodiscard]] const HoldOptions& options() const { return options_; }

 private:
  HoldOptions options_;
  RowTable drift_;
  std::string driver_;
  double chance_ = 0;  // the part of all ratios
};

struct DriftOptions {
  std::vector<std::string> reports;  // of runs of one build
  std::string output;                // a file; "": the standard output
  double least_percent = 3;          // what differs by less is not listed
};

// Writes a drift file of these runs; the exit code.
int write_drift(const DriftOptions& options);

}  // namespace xhal::bench
