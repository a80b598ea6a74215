// SPDX-License-Identifier: Apache-2.0
#include "bench/command/tolerance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "bench/command/report_reader.hpp"
#include "report/document.h"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;

// The next run may lie outside of what a few have shown: the exponent of what they have.
constexpr double kMargin = 1.5;
constexpr double kEndless = std::numeric_limits<double>::infinity();

// The medians of a ratio, of all runs that measured it, and how far they lie apart.
struct Spread {
  std::string row;
  std::string reference;
  double least = kEndless;
  double most = 0;
  size_t runs = 0;

  void add(double median) {
    // A ratio without a sign of its own, or that was not counted, cannot be held against another.
    if (!(median > 0)) median = least = 0;
    least = std::min(least, median);
    most = std::max(most, median);
    ++runs;
  }
  // Two digits behind the point, upwards.
  [[nodiscard]] double factor() const {
    if (least <= 0) return kEndless;
    constexpr double kDigits = 100;
    return std::ceil(std::pow(most / least, kMargin) * kDigits) / kDigits;
  }
};

double median_of(const KeptComparison& comparison) {
  Restart all;
  for (const Restart& one : comparison.ratios) all.insert(all.end(), one.begin(), one.end());
  return median(std::move(all));
}

std::vector<Spread> spreads_of(const std::vector<KeptReport>& reports) {
  std::vector<Spread> out;
  for (const KeptReport& report : reports) {
    for (const KeptRow& row : report.rows) {
      if (!row.measured()) continue;
      for (const KeptComparison& comparison : row.comparisons) {
        auto found = std::ranges::find_if(out, [&](const Spread& one) {
          return one.row == row.name && one.reference == comparison.reference;
        });
        if (found == out.end())
          found = out.insert(found, Spread{row.name, comparison.reference, kEndless, 0, 0});
        found->add(median_of(comparison));
      }
    }
  }
  return out;
}

std::string toml_text(const std::string& text) {
  std::string out = "\"";
  for (const char c : one_line(text)) out += c == '"' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
  return out + '"';
}

std::string drift_text(const std::vector<KeptReport>& reports, double least_percent) {
  const nlohmann::json& first = reports.front().document;
  const std::string driver = text_at(first["driver"], "name");
  std::string out = fmt::format(
      "# SPDX-License-Identifier: Apache-2.0\n"
      "# How far runs of one build lie apart: what their medians differed by, to the power of {}. Written by "
      "`xhal-bench drift` of {} runs of commit "
      "{}\n# on {}. What is not listed differed by less than {} % of its ratio. inf: two runs cannot be held "
      "against each other.\n",
      kMargin, reports.size(), one_line(text_at(first["suite"], "commit")).substr(0, 12),
      one_line(text_at(first["environment"], "cpu")), least_percent);
  for (const Spread& one : spreads_of(reports)) {
    const double factor = one.factor();
    if (one.runs < 2 || !(factor > 1 + least_percent / 100)) continue;
    out += fmt::format("\n[[drift]]\ndriver = {}\nrow = {}\nreference = {}\nfactor = {}\n", toml_text(driver),
                       toml_text(one.row), toml_text(one.reference),
                       std::isinf(factor) ? "inf" : fmt::format("{:.2f}", factor));
  }
  return out;
}

int drift_checked(const DriftOptions& options) {
  std::vector<KeptReport> reports;
  for (const std::string& path : options.reports) reports.push_back(kept_report(path));
  for (const KeptReport& report : reports) {
    if (const std::string why = other_subject(reports.front(), report); !why.empty())
      stop(kExitUsage, fmt::format("{} and {}: {}", reports.front().path, report.path, why));
    const auto commit = [](const KeptReport& one) { return text_at(one.document["suite"], "commit"); };
    if (commit(report) != commit(reports.front()))
      stop(kExitUsage,
           fmt::format("{} and {} are of different builds: commit {} and {}", reports.front().path,
                       report.path, one_line(commit(reports.front())), one_line(commit(report))));
  }
  const std::string text = drift_text(reports, options.least_percent);
  if (std::optional<OutputFile> file = output_file(options.output)) {
    file->commit(text);
  } else {
    print(stdout, "{}", text);
  }
  return kExitOk;
}

}  // namespace

Tolerance::Tolerance(const HoldOptions& options, const std::string& share_directory, std::string driver)
    : options_(options), driver_(std::move(driver)) {
  const std::string share = share_directory.empty() ? default_share_directory() : share_directory;
  try {
    drift_ = RowTable(options.drift.empty() ? share + "/bench/drift.toml" : options.drift, kDrift);
  } catch (const RowTableError& error) {
    stop(kExitUsage, error.what());
  }
}

double Tolerance::bound(const std::string& row, const std::string& reference) const {
  const RowEntry* const drift = drift_.find(row, reference, driver_);
  return std::max(1 + options_.tolerance_percent / 100, drift == nullptr ? 1 : drift->number);
}

int write_drift(const DriftOptions& options) {
  return ended_with_output([&] { return drift_checked(options); });
}

}  // namespace xhal::bench
