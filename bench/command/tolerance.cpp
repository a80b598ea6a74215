// SPDX-License-Identifier: Apache-2.0
#include "bench/command/tolerance.hpp"

#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cmath>
#include <cstdint>
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
// Fewer runs beside the two tell nothing of what is to be expected.
constexpr size_t kLeastOthers = 2;

// By this much two runs may differ that nobody has drift for; what `compare` has unless it is told otherwise.
constexpr double kTolerance = 1.05;

// How far the second run lies above the first, or, negative, below it, beyond what both intervals allow; a logarithm, 0 when it does not.
double excess_of(const KeptComparison& one, const KeptComparison& other) {
  const Interval drawn = interval_of_quotient(other.ratios, one.ratios, hash_text(one.reference));
  const Interval by_processes = interval_over_processes(other.ratios, one.ratios);
  const double above = std::min(drawn.low, by_processes.low);
  const double below = std::max(drawn.high, by_processes.high);
  // What did not count is NaN, which no comparison holds for.
  return above > 1 ? std::log(above) : below > 0 && below < 1 ? std::log(below) : 0;
}

// One ratio in all runs that have it.
class RatioOfRuns {
 public:
  RatioOfRuns(const std::vector<KeptReport>& reports, std::string row, std::string reference)
      : row_(std::move(row)),
        reference_(std::move(reference)),
        runs_(reports.size()),
        excess_(runs_ * runs_, 0) {
    std::vector<const KeptComparison*> all;
    for (const KeptReport& report : reports) {
      const KeptRow* const found = report.find(row_);
      all.push_back(found == nullptr ? nullptr : found->find(reference_));
    }
    for (size_t i = 0; i < runs_; ++i)
      for (size_t k = i + 1; k < runs_; ++k)
        if (all[i] != nullptr && all[k] != nullptr) excess_[i * runs_ + k] = excess_of(*all[i], *all[k]);
  }

  [[nodiscard]] const std::string& row() const { return row_; }
  [[nodiscard]] const std::string& reference() const { return reference_; }
  [[nodiscard]] double excess(size_t i, size_t k) const { return excess_[i * runs_ + k]; }

  // The most of all pairs without these two runs, with the margin.
  [[nodiscard]] double factor(size_t without = SIZE_MAX, size_t nor = SIZE_MAX) const {
    double most = 0;
    for (size_t i = 0; i < runs_; ++i)
      for (size_t k = i + 1; k < runs_; ++k)
        if (i != without && i != nor && k != without && k != nor)
          most = std::max(most, std::abs(excess(i, k)));
    return std::exp(most * kMargin);
  }

 private:
  std::string row_;
  std::string reference_;
  size_t runs_;
  std::vector<double> excess_;  // of pairs
};

std::vector<RatioOfRuns> ratios_of(const std::vector<KeptReport>& reports) {
  std::vector<RatioOfRuns> out;
  std::set<std::pair<std::string, std::string>> seen;
  for (const KeptReport& report : reports)
    for (const KeptRow& row : report.rows)
      for (const KeptComparison& comparison : row.comparisons)
        if (seen.emplace(row.name, comparison.reference).second)
          out.emplace_back(reports, row.name, comparison.reference);
  return out;
}

// Two runs are held against each other with the drift of all others: the largest part of the ratios that was said to be slower, or faster.
double chance_of(const std::vector<RatioOfRuns>& ratios, size_t runs) {
  size_t most = 0;
  for (size_t i = 0; i < runs; ++i) {
    for (size_t k = i + 1; k < runs; ++k) {
      size_t above = 0;
      size_t below = 0;
      for (const RatioOfRuns& ratio : ratios) {
        const double excess = ratio.excess(i, k);
        if (std::abs(excess) <= std::log(std::max(kTolerance, ratio.factor(i, k)))) continue;
        ++(excess > 0 ? above : below);
      }
      most = std::max({most, above, below});
    }
  }
  return ratios.empty() ? 0 : static_cast<double>(most) / static_cast<double>(ratios.size());
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
  const std::vector<RatioOfRuns> ratios = ratios_of(reports);
  if (reports.size() >= kLeastOthers + 2) {
    out += fmt::format(
        "\n# Two of the runs, held against each other with the drift of the others: at most this part of "
        "their "
        "ratios was slower, or faster.\n[[chance]]\ndriver = {}\nshare = {:.3f}\n",
        toml_text(driver), chance_of(ratios, reports.size()));
  }
  for (const RatioOfRuns& ratio : ratios) {
    constexpr double kDigits = 100;
    const double factor = std::ceil(ratio.factor() * kDigits) / kDigits;
    if (!(factor > 1 + least_percent / 100)) continue;
    out += fmt::format("\n[[drift]]\ndriver = {}\nrow = {}\nreference = {}\nfactor = {:.2f}\n",
                       toml_text(driver), toml_text(ratio.row()), toml_text(ratio.reference()), factor);
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

// Of the driver, from a file that RowTable has read before.
double chance_in(const std::string& file, const std::string& driver) {
  const toml::table table = toml::parse_file(file);
  const toml::node_view entries = table["chance"];
  if (!entries) return 0;
  double out = 0;
  const toml::array* const all = entries.as_array();
  if (all == nullptr) throw RowTableError(file + ": wants [[chance]] entries");
  for (const toml::node& node : *all) {
    const toml::table* const entry = node.as_table();
    const auto share = entry == nullptr ? std::nullopt : (*entry)["share"].value<double>();
    const auto of = entry == nullptr ? std::nullopt : (*entry)["driver"].value<std::string>();
    if (!share || !of || entry->size() != 2 || !(*share >= 0 && *share < 1))
      throw RowTableError(file + ": [[chance]] wants a driver and a share from 0 to below 1");
    if (*of == driver) out = *share;
  }
  return out;
}

}  // namespace

Tolerance::Tolerance(const HoldOptions& options, const std::string& share_directory, std::string driver)
    : options_(options), driver_(std::move(driver)) {
  const std::string share = share_directory.empty() ? default_share_directory() : share_directory;
  try {
    const std::string file = options.drift.empty() ? share + "/bench/drift.toml" : options.drift;
    drift_ = RowTable(file, kDrift);
    chance_ = chance_in(file, driver_);
  } catch (const RowTableError& error) {
    stop(kExitUsage, error.what());
  }
}

double Tolerance::bound(const std::string& row, const std::string& reference) const {
  const RowEntry* const drift = drift_.find(row, reference, driver_);
  return std::max(1 + options_.tolerance_percent / 100, drift == nullptr ? 1 : drift->number);
}

size_t Tolerance::by_chance(size_t ratios) const {
  return static_cast<size_t>(std::floor(chance_ * static_cast<double>(ratios)));
}

int write_drift(const DriftOptions& options) {
  return ended_with_output([&] { return drift_checked(options); });
}

}  // namespace xhal::bench
