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
  void begin(const RowInfo& row, size_t done, size_t total);  // progress in place, with the time left
  void row(const RowResult& row);
  void summary(const BenchReport& report);

 private:
  [[nodiscard]] std::string paint(std::string_view text, Verdict verdict) const;
  void clear_line() const;

  std::FILE* out_;
  bool color_;
  bool terminal_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace xhal::bench
