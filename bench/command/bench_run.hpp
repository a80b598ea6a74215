// SPDX-License-Identifier: Apache-2.0
// The whole of xhal-bench behind its command line.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bench/command/results.hpp"
#include "compiler/compiled_pack.h"
#include "frame/session.h"
#include "report/output_file.h"
#include "report/report.h"

namespace xhal::bench {

inline constexpr const char* kReportSchema = "xhal-bench/1";

// A processor of four.
inline constexpr double kBusy = 0.25;

struct BenchOptions {
  conformance::Target target;  // kernel_directory: empty for the one beside the program
  conformance::KernelCompiler kernel_compiler;
  std::vector<std::string> filters;  // globs over names
  double seconds = 40;               // of the whole run, about
  unsigned restarts = 3;             // processes in which each row is measured
  unsigned turns = 3;  // a row that stays ambiguous is measured in as many processes again, until then
  std::optional<uint64_t> seed;
  std::string format = "console";    // or "json", "csv", "html"
  std::vector<std::string> history;  // JSON reports for the page, oldest first
  std::string output;                // a file; "": the standard output
  std::string goals;                 // a file; "": the one beside the program
  double entry_deadline_s = 60;
  double busy = kBusy;      // the part of the processors that others may use
  double planted = 0;       // see Plan
  bool in_process = false;  // measure in this process, once
  std::string share_directory;
  bool terminal = false;  // progress in place on stderr
  bool color = false;
};

// A run, measured: what the formats are made of.
struct BenchReport {
  conformance::Report identity;
  BenchOptions options;
  uint64_t seed = 0;
  double seconds = 0;
  bool interrupted = false;
  nlohmann::json machine;            // its load, before and after
  std::string bench_kernels_sha256;  // of the manifest of the benchmarks' own pack
  std::string goals_sha256;
  std::vector<RowResult> rows;

  [[nodiscard]] size_t count(Verdict verdict) const;  // of rows, by their own verdict
  [[nodiscard]] size_t count(RowState state) const;
};

// Each prints what it has to say and gives the exit code, one of run/exit_codes.h.
int run_bench(const BenchOptions& options);
int list_rows(const BenchOptions& options);
// What rows of these names measure.
int describe_rows(const std::string& pattern);

// What the commands have in common. The file that a result goes to, opened before there is one; nothing without a name. Stops with the user's mistake.
std::optional<conformance::OutputFile> output_file(const std::string& path);
// As ended() of run/command.h, also when the file cannot be written in the end.
int ended_with_output(const std::function<int()>& work);

// The formats.
std::string csv_text(const BenchReport& report);
nlohmann::json json_of(const BenchReport& report);
std::string json_text(const BenchReport& report);

}  // namespace xhal::bench
