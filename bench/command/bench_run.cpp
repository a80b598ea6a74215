// SPDX-License-Identifier: Apache-2.0
#include "bench/command/bench_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "bench/command/console.hpp"
#include "bench/command/measurement.hpp"
#include "bench/command/page.hpp"
#include "bench/command/report_reader.hpp"
#include "bench/lanes/no_reference.hpp"
#include "report/output_file.h"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using nlohmann::json;

int exit_code_of(const BenchReport& report) {
  if (report.interrupted) return kExitInterrupted;
  const bool is_bad =
      report.count(Verdict::kFail) + report.count(RowState::kFailed) + report.count(RowState::kCrashed) > 0;
  if (is_bad) return kExitMisbehaved;
  return report.count(RowState::kMeasured) == 0 ? kExitNothing : kExitOk;
}

std::string text_of(const BenchReport& report, std::vector<json> history) {
  if (report.options.format == "json") return json_text(report);
  if (report.options.format == "csv") return csv_text(report);
  history.push_back(json_of(report));
  return html_of(history);
}

std::string raw_opencl_text(const std::string& row) {
  const std::string_view why = why_no_opencl(row);
  return why.empty() ? "its own calls are beside it when the driver is opencl"
                     : fmt::format("no reference available: {}", why);
}

int run(const BenchOptions& options) {
  std::vector<json> history;
  for (const std::string& path : options.history) history.push_back(kept_report(path).document);
  std::optional<OutputFile> file = output_file(options.output);
  Measurement measurement(options);
  const bool is_console = options.format == "console";
  Console console(is_console || file ? stdout : stderr, options);
  measurement.measure_all(console);
  const BenchReport& report = measurement.report();
  console.summary(report);
  if (!is_console) {
    const std::string text = text_of(report, std::move(history));
    if (file) {
      file->commit(text);
    } else {
      print(stdout, "{}", text);
    }
  }
  return exit_code_of(report);
}

}  // namespace

size_t BenchReport::count(Verdict verdict) const {
  return static_cast<size_t>(std::ranges::count_if(rows, [&](const RowResult& row) {
    return row.state == RowState::kMeasured && row.verdict() == verdict;
  }));
}

size_t BenchReport::count(RowState state) const {
  return static_cast<size_t>(
      std::ranges::count_if(rows, [&](const RowResult& row) { return row.state == state; }));
}

std::optional<OutputFile> output_file(const std::string& path) {
  std::optional<OutputFile> out;
  try {
    if (!path.empty()) out.emplace(path);
  } catch (const OutputError& error) {
    stop(kExitUsage, error.what());
  }
  return out;
}

int ended_with_output(const std::function<int()>& work) {
  return ended([&] {
    try {
      return work();
    } catch (const OutputError& error) {
      stop(kExitInternal, error.what());
    }
  });
}

int run_bench(const BenchOptions& options) {
  return ended_with_output([&] { return run(options); });
}

int list_rows(const BenchOptions& options) {
  return ended([&] {
    for (const RowInfo* row : chosen_rows(options.filters)) print(stdout, "{}\n", row->name());
    return int{kExitOk};
  });
}

int describe_rows(const std::string& pattern) {
  return ended([&] {
    for (const RowInfo* row : chosen_rows({pattern})) {
      print(stdout, "{}\n  measures  {}\n  regime    {}\n  value     {}\n  ratio     {}\n  opencl    {}\n",
            row->name(), row->measures, row->regime(), row->unit.empty() ? "a number" : row->unit,
            row->formula, raw_opencl_text(row->name()));
    }
    return int{kExitOk};
  });
}

}  // namespace xhal::bench
