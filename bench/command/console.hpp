// SPDX-License-Identifier: Apache-2.0
// What a person reads while rows are measured.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>
#include <string_view>

#include "bench/command/results.hpp"

namespace xhal::bench {

struct BenchOptions;
struct BenchReport;

// "1.23 us", "45.6 ns"; other units as they are.
std::string value_text(double value, std::string_view unit);

class Console {
 public:
  Console(std::FILE* out, const BenchOptions& options);
  void head(const BenchReport& report);
  void progress(const RowInfo& row, double seconds_left) const;  // in place
  void row(const RowResult& row);
  void summary(const BenchReport& report);

 private:
  [[nodiscard]] std::string paint(std::string_view text, Verdict verdict) const;
  void clear_line() const;

  std::FILE* out_;
  bool color_;
  bool terminal_;
};

}  // namespace xhal::bench
