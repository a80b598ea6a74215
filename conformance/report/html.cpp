// SPDX-License-Identifier: Apache-2.0
// What report.html shows, as the data that the template is filled with. The page is whole without its script, which only filters.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "frame/clause.h"
#include "frame/outcome.h"
#include "report/document.h"
#include "report/report.h"
#include "report/suspects.h"
#include "report/template.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

constexpr const char kTemplate[] =
#include "report_template.inc"
    ;

// Below this share of killed faults a report says that it proves nothing about order.
constexpr double kEnoughPower = 0.9;
constexpr size_t kSlowest = 20;

// "not conformant" as a class of the page's style.
std::string class_of(std::string text) {
  std::ranges::replace(text, ' ', '_');
  return text;
}

struct Counts {
  size_t passed = 0;
  size_t bad = 0;
  size_t skipped = 0;
  size_t waived = 0;
  size_t by_substitute = 0;

  void add(const json& test) {
    const std::string outcome = text_at(test, "outcome");
    if (outcome == "passed") ++passed;
    if (outcome == "skipped") ++skipped;
    if (outcome == kWaived) ++waived;
    if (is_bad_outcome(outcome)) ++bad;
    if (outcome == "passed" && !text_at(test, "substitute").empty()) ++by_substitute;
  }
};

std::string title_of(const json& report) {
  return fmt::format("{} {}{} on {}, level {}, {}", text_at(report["driver"], "name"),
                     text_at(report["driver"], "version"),
                     report["driver"]["emulated"].get<bool>() ? " (emulated)" : "",
                     text_at(report["device"], "name"), text_at(report, "level"), text_at(report, "started"));
}

json totals_view(const json& report) {
  json out = json::array();
  for (const Outcome outcome : kOutcomes) {
    const std::string name(name_of(outcome));
    out.push_back({{"name", name}, {"count", report["totals"][name]}});
  }
  out.push_back({{"name", kWaived}, {"count", report["totals"]["waived"]}});
  return out;
}

json levels_view(const json& report) {
  json out = report["levels"];
  for (json& level : out) level["verdict_class"] = class_of(text_at(level, "verdict"));
  return out;
}

// The first level that has interfaces: one row each.
json interfaces_view(const json& report) {
  for (const json& level : report["levels"]) {
    if (level["interfaces"].empty()) continue;
    json rows = json::array();
    for (const json& one : level["interfaces"]) {
      const std::string state = text_at(one, "state");
      rows.push_back({{"name", one["name"]},
                      {"state", state},
                      {"state_class", state == "works"   ? "passed"
                                      : state == "fails" ? "failed"
                                                         : "skipped"},
                      {"clauses", one["clauses"]},
                      {"tests", one["tests"]},
                      {"failed", one["failed"]}});
    }
    return {{"level", level["level"]}, {"rows", rows}};
  }
  return json();
}

json failure_view(const json& test) {
  json seen = json::array();
  for (const json& failure : test["failures"]) {
    seen.push_back(fmt::format("{} {}: {}\n{}", text_at(failure, "clause"), text_at(failure, "where"),
                               text_at(failure, "expression"), text_at(failure, "message")));
  }
  std::string calls;
  for (const json& call : test["last_calls"]) calls += call.get<std::string>() + "\n";
  const std::string clause = broken_clause(test);
  return {{"id", test["id"]},
          {"outcome", test["outcome"]},
          {"area", area_of(test["id"])},
          {"message", test["message"]},
          {"clause", clause},
          {"rule", rule_of(clause)},
          {"observes", test["observes"]},
          {"seen", seen},
          {"calls", calls},
          {"log", test["log"]},
          {"rerun", test["rerun"]}};
}

json suspects_view(const json& report) {
  json out = json::array();
  for (const Suspect& one : suspects_of(report)) {
    if (out.size() == kShownSuspects) break;
    out.push_back({{"clause", one.clause},
                   {"rule", rule_of(one.clause)},
                   {"failed", one.failed},
                   {"tests", one.tests}});
  }
  return out;
}

json clauses_view(const json& report) {
  std::map<std::string, Counts> clauses;
  for (const json& test : report["tests"]) {
    for (const json& clause : test["clauses"]) clauses[clause].add(test);
  }
  json out = json::array();
  for (const auto& [id, counts] : clauses) {
    out.push_back({{"id", id},
                   {"rule", rule_of(id)},
                   {"passed", counts.passed},
                   {"bad", counts.bad > 0},
                   {"bad_count", counts.bad},
                   {"skipped", counts.skipped},
                   {"waived", counts.waived}});
  }
  return out;
}

std::string feature_of(const std::string& clause) {
  const auto* const found = std::ranges::find(kClauseIds, clause);
  return found == std::end(kClauseIds)
             ? std::string("unknown to this build")
             : std::string(clause_info(static_cast<size_t>(found - std::begin(kClauseIds))).feature);
}

// What was seen of a feature that is claimed, or of one that is not and has to be refused.
std::string observed(bool claimed, const Counts& counts) {
  if (counts.bad > 0) return "broken";
  if (counts.waived > 0) return "broken, waived";
  if (counts.passed == 0) return "not observed";
  return claimed ? "kept" : "refused as it must be";
}

json claims_view(const json& report) {
  const auto claimed = report["device"]["features"].get<std::set<std::string>>();
  std::map<std::string, Counts> features;
  for (const std::string& feature : claimed) features[feature];
  for (const json& test : report["tests"]) {
    std::set<std::string> touched;
    for (const json& clause : test["clauses"]) touched.insert(feature_of(clause));
    for (const std::string& feature : touched) features[feature].add(test);
  }
  json out = json::array();
  for (const auto& [feature, counts] : features) {
    // What holds for every driver is claimed by being one.
    const bool is_claimed = claimed.contains(feature) || feature == "host" || feature == "core";
    out.push_back({{"feature", feature},
                   {"claimed", is_claimed ? "yes" : "no"},
                   {"passed", counts.passed},
                   {"bad", counts.bad},
                   {"by_substitute", counts.by_substitute},
                   {"skipped", counts.skipped},
                   {"observed", observed(is_claimed, counts)}});
  }
  return out;
}

json tests_view(const json& report) {
  json out = json::array();
  for (const json& test : report["tests"]) {
    out.push_back({{"id", test["id"]},
                   {"outcome", test["outcome"]},
                   {"area", area_of(test["id"])},
                   {"clauses", test["clauses"]},
                   {"milliseconds", fmt::format("{:.1f}", test["milliseconds"].get<double>())},
                   {"message", shortened(test["message"], 300)}});
  }
  return out;
}

json timing_view(const json& report) {
  constexpr struct {
    double below;
    const char* name;
  } kBins[] = {{0.1, "below 0.1 ms"}, {1, "0.1 to 1 ms"}, {10, "1 to 10 ms"},   {100, "10 to 100 ms"},
               {1e3, "0.1 to 1 s"},   {1e4, "1 to 10 s"}, {1e300, "above 10 s"}};
  constexpr size_t kRow = 18;
  constexpr size_t kWidest = 440;
  std::vector<size_t> counts(std::size(kBins));
  std::vector<const json*> ran;
  for (const json& test : report["tests"]) {
    if (test["outcome"] == "skipped") continue;
    ran.push_back(&test);
    const auto time = test["milliseconds"].get<double>();
    const auto* const bin = std::ranges::find_if(kBins, [&](const auto& one) { return time < one.below; });
    ++counts[static_cast<size_t>(bin - std::begin(kBins)) % std::size(kBins)];
  }
  const size_t most = std::max<size_t>(1, *std::ranges::max_element(counts));
  json bins = json::array();
  for (size_t i = 0; i < counts.size(); ++i) {
    const size_t width = counts[i] * kWidest / most;
    bins.push_back({{"name", kBins[i].name},
                    {"count", counts[i]},
                    {"y", i * kRow},
                    {"text_y", i * kRow + 10},
                    {"width", width},
                    {"text_x", 104 + width + 6}});
  }
  std::ranges::stable_sort(ran, std::ranges::greater{},
                           [](const json* test) { return (*test)["milliseconds"].get<double>(); });
  json slowest = json::array();
  for (size_t i = 0; i < std::min(ran.size(), kSlowest); ++i) {
    slowest.push_back({{"id", (*ran[i])["id"]},
                       {"milliseconds", fmt::format("{:.1f}", (*ran[i])["milliseconds"].get<double>())}});
  }
  return {{"seconds", fmt::format("{:.1f}", report["seconds"].get<double>())},
          {"count", ran.size()},
          {"height", counts.size() * kRow},
          {"bins", bins},
          {"slowest", slowest}};
}

json power_view(const json& power, const json& report) {
  std::map<std::string, std::pair<size_t, size_t>> families;  // killed, total
  std::set<std::string> killers;
  json survivors = json::array();
  for (const json& fault : power["faults"]) {
    const bool killed = fault["verdict"] == "killed";
    auto& [killed_here, total_here] = families[fault["family"]];
    killed_here += killed ? 1 : 0;
    ++total_here;
    if (!killed) survivors.push_back(fault);
    for (const json& test : fault["killed_by"]) killers.insert(test);
  }
  json powerless = json::array();
  for (const json& test : report["tests"]) {
    if (test["outcome"] == "passed" && !killers.contains(test["id"])) powerless.push_back(test["id"]);
  }
  json rows = json::array();
  for (const auto& [family, counts] : families)
    rows.push_back({{"family", family}, {"killed", counts.first}, {"total", counts.second}});
  const double share = power["killed"].get<double>() / std::max(1.0, power["total"].get<double>());
  return {{"killed", power["killed"]},
          {"total", power["total"]},
          {"share", share},
          {"percent", fmt::format("{:.1f}", 100 * share)},
          {"families", rows},
          {"survivors", survivors},
          {"survivor_count", survivors.size()},
          {"powerless", powerless},
          {"powerless_count", powerless.size()}};
}

json history_view(const std::vector<json>& reports) {
  json runs = json::array();
  std::map<std::string, std::vector<std::string>> outcomes;
  for (size_t i = 0; i < reports.size(); ++i) {
    const json& report = reports[i];
    Counts counts;
    for (const json& test : report["tests"]) {
      counts.add(test);
      auto& row = outcomes[test["id"]];
      row.resize(i, "absent");
      row.push_back(test["outcome"]);
    }
    runs.push_back(
        {{"number", i + 1},
         {"started", report["started"]},
         {"commit", shortened(report["suite"]["commit"], 12 + 3)},
         {"driver", text_at(report["driver"], "name") + " " + text_at(report["driver"], "version")},
         {"seed", report["seed"]},
         {"verdict", report["verdict"]},
         {"verdict_class", class_of(report["verdict"])},
         {"passed", counts.passed},
         {"bad", counts.bad},
         {"skipped", counts.skipped},
         {"waived", counts.waived},
         {"seconds", fmt::format("{:.1f}", report["seconds"].get<double>())}});
  }
  json changed = json::array();
  for (auto& [id, row] : outcomes) {
    row.resize(reports.size(), "absent");
    if (std::ranges::adjacent_find(row, std::ranges::not_equal_to{}) != row.end())
      changed.push_back({{"id", id}, {"outcomes", row}});
  }
  return {{"runs", runs}, {"changed_count", changed.size()}, {"changed", changed}};
}

json identity_view(const json& report) {
  json out = json::array();
  const auto add = [&](const std::string& name, const std::string& value) {
    out.push_back({{"name", name}, {"value", value}});
  };
  const json& driver = report["driver"];
  const json& device = report["device"];
  const json& suite = report["suite"];
  const json& options = report["options"];
  const json& machine = report["environment"];
  add("ABI", text_at(report, "abi"));
  add("suite", text_at(suite, "version") + ", commit " + text_at(suite, "commit") +
                   (suite["dirty"].get<bool>() ? ", with changes that are not committed" : ""));
  add("driver file", text_at(driver, "path"));
  add("its sha256", text_at(driver, "sha256"));
  add("native driver", text_at(driver, "native_driver_version"));
  add("native runtime", text_at(driver, "native_runtime_version"));
  add("device",
      fmt::format("{} of {}: {}, {}, {}", device["index"].dump(), report["device_count"].dump(),
                  text_at(device, "name"), text_at(device, "architecture"), text_at(device, "uuid")));
  add("seed", report["seed"].dump());
  for (const auto& [name, value] : options.items())
    add("option " + name, value.is_string() ? value.get<std::string>() : value.dump());
  add("resumed", report["resumed"].dump() + " times");
  for (const json& shard : report["shards"]) {
    add("shard " + shard.value("index", json()).dump(),
        text_at(shard, "started") + " on " + text_at(shard, "device_uuid"));
  }
  add("kernel", text_at(machine, "kernel"));
  add("machine",
      text_at(machine, "machine") + ", " + text_at(machine, "cpu") + ", " + machine["cpus"].dump());
  for (const auto& [name, value] : machine["variables"].items()) add("variable " + name, value);
  return out;
}

}  // namespace

std::string html_form(const std::vector<json>& reports, const json& power) {
  const json& report = reports.back();
  json failures = json::array();
  json unstable = json::array();
  std::set<std::string> areas;
  for (const json& test : report["tests"]) {
    areas.insert(area_of(test["id"]));
    if (is_bad_outcome(text_at(test, "outcome"))) failures.push_back(failure_view(test));
    if (test["outcome"] == "unstable") unstable.push_back(test["id"]);
  }
  json declared = json::array();
  for (const auto& [name, value] : report["device"]["declared"].items())
    declared.push_back({{"name", name}, {"value", value}});
  const auto or_none = [](const char* name, const json& list) {
    return list.empty() ? json() : json{{name, list}};
  };
  const json power_data = power.is_null() ? json() : power_view(power, report);
  json warning;
  if (!power.is_null() && power_data["share"].get<double>() < kEnoughPower) {
    warning = fmt::format(
        "Ordering was not proven: of the faults that were put over this driver only {} % were noticed.",
        power_data["percent"].get<std::string>());
  }
  json evidence;
  if (const std::string line = evidence_line(report); !line.empty()) {
    const json& controls = report["evidence"]["controls"];
    evidence = {{"line", line}, {"count", controls.size()}, {"controls", controls}};
  }
  return rendered(kTemplate, {{"script_hash", script_hash(kTemplate)},
                              {"verdict", report["verdict"]},
                              {"verdict_class", class_of(report["verdict"])},
                              {"title", title_of(report)},
                              {"reasons", report["reasons"]},
                              {"evidence", evidence},
                              {"power_warning", warning},
                              {"totals", totals_view(report)},
                              {"levels", levels_view(report)},
                              {"interfaces", interfaces_view(report)},
                              {"suspects", or_none("clauses", suspects_view(report))},
                              {"failures", failures},
                              {"unstable", or_none("tests", unstable)},
                              {"waivers", or_none("entries", report["waivers"])},
                              {"containment", report["containment"]},
                              {"claims", claims_view(report)},
                              {"declared", declared},
                              {"power", power_data},
                              {"timing", timing_view(report)},
                              {"history", reports.size() > 1 ? history_view(reports) : json()},
                              {"areas", areas},
                              {"tests", tests_view(report)},
                              {"clauses", clauses_view(report)},
                              {"identity", identity_view(report)},
                              {"libraries", report["driver"]["libraries"]}});
}

}  // namespace xhal::conformance
