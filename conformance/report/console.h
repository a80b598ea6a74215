// SPDX-License-Identifier: Apache-2.0
// What a person sees while it runs and at its end.
#pragma once

#include <chrono>
#include <cstdio>
#include <string>

#include "report/report.h"
#include "run/runner.h"

namespace xhal::conformance {

struct ConsoleStyle {
  bool terminal = false;  // progress is redrawn in place, tests that passed leave no line
  bool color = false;
  bool verbose = false;
  int width = 80;
};

class Console : public RunListener {
 public:
  // Everything goes to `out`, which is stderr when a report goes to the standard output.
  Console(std::FILE* out, ConsoleStyle style) : out_(out), style_(style) {}
  ~Console() override { erase_progress(); }
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  void header(const Report& report, size_t selected, size_t to_run);
  void begun(const TestCase& test) override;
  void ended(const TestRecord& record, size_t done, size_t total) override;
  void summary(const Report& report);

 private:
  void draw_progress();
  void erase_progress();
  void line(const TestRecord& record);
  void failure_details(const TestRecord& record);
  void interfaces_of(const LevelVerdict& level);
  [[nodiscard]] std::string paint(std::string_view text, const char* code) const;

  std::FILE* out_;
  ConsoleStyle style_;
  std::string rerun_prefix_;
  const Report* report_ = nullptr;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point drawn_{};
  std::string current_;
  size_t done_ = 0;
  size_t total_ = 0;
  bool progress_shown_ = false;
};

}  // namespace xhal::conformance
