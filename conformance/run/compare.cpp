// SPDX-License-Identifier: Apache-2.0
#include "run/compare.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>
#include <vector>

#include "frame/outcome.h"
#include "report/document.h"
#include "report/print.h"
#include "report/report.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

namespace {

using Outcomes = std::map<std::string, std::string>;  // by id

Outcomes outcomes_of(const json& report, const std::string& path) {
  Outcomes out;
  for (const json& test : report["tests"]) {
    if (!out.emplace(test["id"], test["outcome"]).second)
      stop(kExitUsage, fmt::format("report {}: it has {} twice", path, test["id"].get<std::string>()));
  }
  return out;
}

struct Read {
  explicit Read(const std::string& path) : report(read_report(path)), outcomes(outcomes_of(report, path)) {}

  json report;
  Outcomes outcomes;
};

std::string identity(const json& report) {
  const auto text = [](const json& object, const char* key) { return one_line(object.value(key, "")); };
  return fmt::format("{} {} on {}, suite {} ({}), level {}, seed {}", text(report["driver"], "name"),
                     text(report["driver"], "version"), text(report["device"], "name"),
                     text(report["suite"], "version"), text(report["suite"], "commit").substr(0, 12),
                     text(report, "level"), report["seed"].dump());
}

// What a person would rather have stands first.
size_t badness(const std::string& outcome) {
  constexpr std::string_view kOrder[] = {"passed",   "skipped", "waived",    "inconclusive", "refused",
                                         "unstable", "failed",  "timed_out", "crashed"};
  return static_cast<size_t>(std::ranges::find(kOrder, outcome) - std::begin(kOrder));
}

bool is_whole(const json& report) { return report.value("shard", json()).is_null(); }

int compare_checked(const std::string& before, const std::string& after) {
  const Read a(before);
  const Read b(after);
  print(stdout, "A: {}\nB: {}\n", identity(a.report), identity(b.report));
  size_t differences = 0;
  const auto tell = [&](const std::string& id, const std::string& what) {
    ++differences;
    print(stdout, "  {}: {}\n", one_line(id), what);
  };
  for (const auto& [id, outcome] : a.outcomes) {
    const auto found = b.outcomes.find(id);
    if (found == b.outcomes.end()) {
      tell(id, fmt::format("{}, vanished", outcome));
    } else if (found->second != outcome) {
      tell(id, fmt::format("{} -> {}", outcome, found->second));
    }
  }
  for (const auto& [id, outcome] : b.outcomes) {
    if (!a.outcomes.contains(id)) tell(id, fmt::format("new, {}", outcome));
  }
  print(stdout, "{} of {} tests differ\nverdicts: {}, {}\n", differences,
        std::max(a.outcomes.size(), b.outcomes.size()), one_line(a.report["verdict"].get<std::string>()),
        one_line(b.report["verdict"].get<std::string>()));
  return differences == 0 ? kExitOk : kExitMisbehaved;
}

// What got worse, one line each.
std::vector<std::string> regressions(const Read& baseline, const Read& now) {
  std::vector<std::string> out;
  const auto features = now.report["device"]["features"].get<std::set<std::string>>();
  for (const json& feature : baseline.report["device"]["features"]) {
    if (!features.contains(feature))
      out.push_back(fmt::format("lost claim: {}", one_line(feature.get<std::string>())));
  }
  for (const auto& [id, outcome] : baseline.outcomes) {
    const auto found = now.outcomes.find(id);
    if (found == now.outcomes.end()) {
      out.push_back(fmt::format("vanished: {} ({})", one_line(id), outcome));
      continue;
    }
    const std::string& word = found->second;
    // What failed and is skipped or waived now did not get better.
    const bool hidden = word != outcome && (word == "skipped" || word == kWaived);
    if (hidden || badness(word) > badness(outcome)) {
      out.push_back(fmt::format("{}: {} ({} -> {})",
                                word == "skipped" ? "new skip"
                                : word == kWaived ? "new waiver"
                                                  : "worse",
                                one_line(id), outcome, word));
    }
  }
  // A test that the baseline does not know has to pass: a skip or a waiver does not come in unseen.
  for (const auto& [id, outcome] : now.outcomes) {
    if (baseline.outcomes.contains(id) || outcome == "passed") continue;
    out.push_back(fmt::format("{}: {} ({}, not in the baseline)",
                              outcome == "skipped"  ? "new skip"
                              : outcome == "waived" ? "new waiver"
                                                    : "new failure",
                              one_line(id), outcome));
  }
  return out;
}

int gate_checked(const std::string& baseline, const std::string& report) {
  const Read before(baseline);
  const Read now(report);
  if (!is_whole(now.report))
    stop(kExitUsage, fmt::format("report {}: this is a shard; merge the shards first", report));
  if (!is_whole(before.report))
    stop(kExitUsage, fmt::format("report {}: this is a shard; merge the shards first", baseline));
  const auto worse = regressions(before, now);
  for (const std::string& line : worse) print(stdout, "{}\n", line);
  print(stdout, "gate: {}\nverdict: {}\n",
        worse.empty() ? std::string("nothing got worse") : fmt::format("{} regressions", worse.size()),
        one_line(now.report["verdict"].get<std::string>()));
  return worse.empty() ? kExitOk : kExitMisbehaved;
}

}  // namespace

int compare(const std::string& before, const std::string& after) {
  return ended([&] { return compare_checked(before, after); });
}

int gate(const std::string& baseline, const std::string& report) {
  return ended([&] { return gate_checked(baseline, report); });
}

}  // namespace xhal::conformance
