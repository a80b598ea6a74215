// SPDX-License-Identifier: Apache-2.0
#include "bench/command/tolerance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <utility>

#include "bench/command/report_reader.hpp"
#include "bench/statistics/statistics.hpp"
#include "frame/random.h"
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

// The next two runs may lie further apart than any two of a few did: the exponent of what those did.
constexpr double kMargin = 1.5;

// How far two runs lie apart beyond what both of their intervals allow; 1 when they do not.
double excess_of(const KeptComparison& one, const KeptComparison& other) {
  const Interval drawn = interval_of_quotient(one.ratios, other.ratios, hash_text(one.reference));
  const Interval by_processes = interval_over_processes(one.ratios, other.ratios);
  const double above = std::min(drawn.low, by_processes.low);
  const double below = std::max(drawn.high, by_processes.high);
  // What did not count is NaN, which no comparison holds for.
  return above > 1 ? above : below > 0 && below < 1 ? 1 / below : 1;
}

// The most of all pairs that have this ratio, with the margin; two digits behind the point, upwards.
double factor_of(const std::vector<KeptReport>& reports, const std::string& row,
                 const std::string& reference) {
  std::vector<const KeptComparison*> all;
  for (const KeptReport& report : reports) {
    const KeptRow* const found = report.find(row);
    const KeptComparison* const comparison = found == nullptr ? nullptr : found->find(reference);
    if (comparison != nullptr) all.push_back(comparison);
  }
  double most = 1;
  for (size_t i = 0; i < all.size(); ++i) {
    for (size_t k = i + 1; k < all.size(); ++k) most = std::max(most, excess_of(*all[i], *all[k]));
  }
  constexpr double kDigits = 100;
  return std::ceil(std::pow(most, kMargin) * kDigits) / kDigits;
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
      "# How far runs of one build lie apart beyond their own intervals, to the power of {}. Written by "
      "`xhal-bench drift` of {} runs of commit {} on\n"
      "# {}. What is not listed did so by less than {} %.\n",
      kMargin, reports.size(), one_line(text_at(first["suite"], "commit")).substr(0, 12),
      one_line(text_at(first["environment"], "cpu")), least_percent);
  std::set<std::pair<std::string, std::string>> seen;
  for (const KeptReport& report : reports) {
    for (const KeptRow& row : report.rows) {
      for (const KeptComparison& comparison : row.comparisons) {
        if (!seen.emplace(row.name, comparison.reference).second) continue;
        const double factor = factor_of(reports, row.name, comparison.reference);
        if (!(factor > 1 + least_percent / 100)) continue;
        out += fmt::format("\n[[drift]]\ndriver = {}\nrow = {}\nreference = {}\nfactor = {:.2f}\n",
                           toml_text(driver), toml_text(row.name), toml_text(comparison.reference), factor);
      }
    }
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
