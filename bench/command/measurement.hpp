// SPDX-License-Identifier: Apache-2.0
// A run without what is said of it at its end: what every command that measures begins with.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "bench/command/bench_run.hpp"
#include "bench/command/console.hpp"
#include "bench/command/row_runner.hpp"
#include "run/interrupts.h"

namespace xhal::bench {

// Rows whose name or id matches one of the globs, all without one. Each glob must match.
std::vector<const RowInfo*> chosen_rows(const std::vector<std::string>& filters);

class Measurement {
 public:
  // Finds rows, goals and device. Stops with the user's or the driver's mistake.
  explicit Measurement(BenchOptions options);

  [[nodiscard]] const std::vector<const RowInfo*>& rows() const { return rows_; }
  [[nodiscard]] const Ground& ground() const { return ground_; }
  // All rows, in turn, each told to the console, which also hears of the whole.
  void measure_all(Console& console);
  // Who is measured; the rows once they are.
  [[nodiscard]] BenchReport& report() { return report_; }

 private:
  std::vector<const RowInfo*> rows_;
  conformance::Interrupts interrupts_;
  Ground ground_;
  BenchReport report_;
};

}  // namespace xhal::bench
