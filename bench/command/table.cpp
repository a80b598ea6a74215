// SPDX-License-Identifier: Apache-2.0
#include "bench/command/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <map>

#include "bench/command/bench_run.hpp"
#include "bench/command/console.hpp"
#include "bench/command/report_reader.hpp"
#include "report/document.h"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/level.h"

namespace xhal::bench {
namespace {

using namespace conformance;
using namespace ending;
using nlohmann::json;

// A bar would end the cell.
std::string cell(const std::string& text) {
  std::string out = one_line(text);
  std::ranges::replace(out, '|', '/');
  return out;
}

double number_at(const json& object, const char* key) {
  return object[key].is_number() ? object[key].get<double>() : std::nan("");
}

std::string interval_text(const json& comparison) {
  const double median = number_at(comparison, "median");
  if (std::isnan(median)) return "not counted";
  return fmt::format("{:.3g} [{:.3g}, {:.3g}]", median, number_at(comparison, "low"),
                     number_at(comparison, "high"));
}

std::string goal_text(const json& comparison) {
  const double goal = number_at(comparison, "goal");
  if (std::isnan(goal)) return "";
  return fmt::format("{} {:.3g}", text_at(comparison, "better") == "less" ? "at most" : "at least", goal);
}

bool is_wanted(const json& comparison, const std::vector<std::string>& references) {
  if (references.empty()) return comparison["goal"].is_number();
  const std::string name = text_at(comparison, "reference");
  return std::ranges::any_of(references, [&](const auto& one) { return glob_matches(one, name); });
}

class Table {
 public:
  explicit Table(const std::vector<std::string>& references) : references_(references) {}

  void add(const json& row) {
    if (text_at(row, "state") != "measured") return;
    std::string name = fmt::format("`{}`", cell(text_at(row, "name")));
    std::string value = value_text(number_at(row["value"], "median"), cell(text_at(row, "unit")));
    for (const json& comparison : row["comparisons"]) {
      if (!is_wanted(comparison, references_)) continue;
      const std::string verdict = text_at(comparison, "verdict");
      lines_ += fmt::format("| {} | {} | {} | {} | {} | {} |\n", name, value,
                            cell(text_at(comparison, "reference")), interval_text(comparison),
                            goal_text(comparison), verdict == "no goal" ? "" : cell(verdict));
      ++verdicts_[verdict];
      const std::string miss = text_at(comparison, "known_miss");
      if (verdict == "FAIL")
        misses_.push_back({text_at(row, "name"), text_at(comparison, "reference"), miss});
      name = value = "";
    }
  }

  [[nodiscard]] std::string text() const {
    std::string out =
        fmt::format("{} PASS, {} FAIL, {} AMBIGUOUS.\n\n", count("PASS"), count("FAIL"), count("AMBIGUOUS"));
    out += "| row | value | reference | ratio, 95 % interval | goal | verdict |\n";
    out += "| --- | --- | --- | --- | --- | --- |\n" + lines_;
    if (!misses_.empty()) out += "\nMissed:\n\n";
    for (const Miss& miss : misses_)
      out += fmt::format("- `{}` beside {}: {}\n", cell(miss.row), cell(miss.reference),
                         miss.why.empty() ? "not explained" : cell(miss.why));
    return out;
  }
  [[nodiscard]] bool is_empty() const { return lines_.empty(); }

 private:
  struct Miss {
    std::string row;
    std::string reference;
    std::string why;
  };
  [[nodiscard]] size_t count(const char* verdict) const {
    const auto found = verdicts_.find(verdict);
    return found == verdicts_.end() ? 0 : found->second;
  }

  const std::vector<std::string>& references_;
  std::string lines_;
  std::map<std::string, size_t> verdicts_;
  std::vector<Miss> misses_;
};

std::string head_of(const json& report) {
  const json& suite = report["suite"];
  const json& load = report["machine"]["before"]["load_average"];
  const unsigned cpus = report["environment"].value("cpus", 0U);
  return fmt::format("Driver {} {} on {}; {}, {} processors{}; commit {}{}, {}. ",
                     cell(text_at(report["driver"], "name")), cell(text_at(report["driver"], "version")),
                     cell(text_at(report["device"], "name")), cell(text_at(report["environment"], "cpu")),
                     cpus, load.is_number() ? fmt::format(", load average {:.1f}", load.get<double>()) : "",
                     cell(text_at(suite, "commit")).substr(0, 12),
                     suite["dirty"].get<bool>() ? " with changes" : "",
                     cell(text_at(report, "started")).substr(0, 10));
}

std::string replaced(const std::string& page, const std::string& path, const std::string& block,
                     const std::string& text) {
  const std::string begin = fmt::format("<!-- begin {} -->\n", block);
  const std::string end = fmt::format("<!-- end {} -->", block);
  const size_t from = page.find(begin);
  const size_t to = from == std::string::npos ? from : page.find(end, from);
  if (to == std::string::npos)
    stop(kExitUsage, fmt::format("{} has no part between '<!-- begin {} -->' and '{}'", path, block, end));
  return page.substr(0, from + begin.size()) + text + page.substr(to);
}

std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string out{std::istreambuf_iterator<char>(file), {}};
  if (!file) stop(kExitUsage, fmt::format("page {}: this is no file that can be read", path));
  return out;
}

int table_checked(const TableOptions& options) {
  const KeptReport report = kept_report(options.report);
  const std::string page = options.into.empty() ? "" : content_of(options.into);
  Table table(options.references);
  for (const json& row : report.document["rows"]) table.add(row);
  if (table.is_empty()) stop(kExitNothing, options.report + ": no row has such a reference");
  const std::string text = head_of(report.document) + table.text();
  if (options.into.empty()) {
    print(stdout, "{}", text);
    return kExitOk;
  }
  const std::string changed = replaced(page, options.into, options.block, text);
  output_file(options.into)->commit(changed);
  return kExitOk;
}

}  // namespace

int write_table(const TableOptions& options) {
  return ended_with_output([&] { return table_checked(options); });
}

}  // namespace xhal::bench
