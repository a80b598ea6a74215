// SPDX-License-Identifier: Apache-2.0
#include "bench/command/page.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "bench/command/console.hpp"
#include "report/document.h"
#include "report/template.h"

namespace xhal::bench {
namespace {

using conformance::text_at;
using nlohmann::json;

constexpr const char kTemplate[] =
#include "bench_template.inc"
    ;

double figure(const json& value) { return value.is_number() ? value.get<double>() : std::nan(""); }

std::string short_text(const json& value) {
  return value.is_number() ? fmt::format("{:.3g}", figure(value)) : "-";
}

json comparisons_view(const json& row) {
  json out = json::array();
  for (const json& one : row["comparisons"]) {
    const bool less = one["better"] == "less";
    out.push_back({{"reference", one["reference"]},
                   {"ratio", fmt::format("{} [{}, {}]", short_text(one["median"]), short_text(one["low"]),
                                         short_text(one["high"]))},
                   {"goal", one["goal"].is_number() ? (less ? "<= " : ">= ") + short_text(one["goal"]) : "-"},
                   {"verdict", one["verdict"]}});
  }
  return out;
}

// What the page's filter calls a row: its verdict, or why it has none.
std::string word_of(const json& row) {
  return text_at(row, row["state"] == "measured" ? "verdict" : "state");
}

json rows_view(const json& report) {
  json out = json::array();
  for (const json& row : report["rows"]) {
    const bool is_measured = row["state"] == "measured";
    std::string state_class = row["state"];
    std::ranges::replace(state_class, ' ', '_');
    out.push_back(
        {{"name", row["name"]},
         {"measures", row["measures"]},
         {"verdict", word_of(row)},
         {"state", row["state"]},
         {"state_class", state_class},
         {"why", is_measured ? std::string() : text_at(row, "why") + " "},
         {"value", is_measured ? value_text(figure(row["value"]["median"]), text_at(row, "unit")) : "-"},
         {"comparisons", comparisons_view(row)},
         {"plot", is_measured ? distribution_view(row) : json()}});
  }
  return out;
}

json identity_view(const json& report) {
  json out = json::array();
  const auto add = [&](const std::string& name, const json& value) {
    out.push_back({{"name", name}, {"value", value.is_string() ? value.get<std::string>() : value.dump()}});
  };
  for (const char* object : {"suite", "driver", "device", "environment", "options"}) {
    for (const auto& [name, value] : report[object].items()) {
      if (name != "libraries") add(fmt::format("{} {}", object, name), value);
    }
  }
  for (const char* when : {"before", "after"}) {
    for (const auto& [name, value] : report["machine"][when].items())
      add(fmt::format("machine {}, {}", when, name), value);
  }
  add("ABI", report["abi"]);
  return out;
}

}  // namespace

std::string html_of(const std::vector<json>& reports) {
  const json& report = reports.back();
  json totals = json::array();
  for (const auto& [name, count] : report["totals"].items()) {
    std::string word = name;
    std::ranges::replace(word, '_', ' ');
    totals.push_back({{"name", word}, {"count", count}});
  }
  std::set<std::string> verdicts;
  for (const json& row : report["rows"]) verdicts.insert(word_of(row));
  const std::string title =
      fmt::format("{} {} on {}", text_at(report["driver"], "name"), text_at(report["driver"], "version"),
                  text_at(report["device"], "name"));
  return conformance::rendered(kTemplate, {{"script_hash", conformance::script_hash(kTemplate)},
                                           {"title", title},
                                           {"started", report["started"]},
                                           {"seed", report["seed"]},
                                           {"seconds", fmt::format("{:.1f}", figure(report["seconds"]))},
                                           {"interrupted", report["interrupted"]},
                                           {"totals", totals},
                                           {"verdicts", verdicts},
                                           {"rows", rows_view(report)},
                                           {"copies", bandwidth_view(report)},
                                           {"history", history_view(reports)},
                                           {"identity", identity_view(report)}});
}

}  // namespace xhal::bench
