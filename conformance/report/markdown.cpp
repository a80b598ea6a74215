// SPDX-License-Identifier: Apache-2.0
// For a pull request. Texts come from drivers: nothing in them is markup, a mention or a link.
#include <fmt/format.h>

#include <vector>

#include "frame/outcome.h"
#include "report/document.h"
#include "report/report.h"
#include "report/suspects.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

constexpr size_t kMostRows = kMostMarkdown / 2;
constexpr size_t kMostMessage = 400;
constexpr size_t kMostDetails = 4'000;

std::string escaped(const std::string& text, bool lines) {
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = lines ? std::min(text.find('\n', begin), text.size()) : text.size();
    for (const char c : one_line(text.substr(begin, end - begin))) {
      const bool plain = static_cast<unsigned char>(c) >= 0x80 || (c >= 'a' && c <= 'z') ||
                         (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == ' ' || c == '.' || c == ',';
      out += plain ? std::string(1, c) : fmt::format("&#{};", static_cast<int>(c));
    }
    if (end >= text.size()) break;
    out += '\n';
    begin = end + 1;
  }
  return out;
}

// Hosts neither mention nor link what is code.
std::string code(const std::string& text, size_t most = kMostMessage) {
  return text.empty() ? std::string() : "<code>" + escaped(shortened(text, most), false) + "</code>";
}

std::string totals_table(const json& totals) {
  std::string names = "|";
  std::string rule = "|";
  std::string counts = "|";
  const auto add = [&](const std::string& name) {
    const auto count = totals[name].get<size_t>();
    if (count == 0 && name != "passed" && name != "failed" && name != "skipped") return;
    names += fmt::format(" {} |", name);
    rule += " ---: |";
    counts += fmt::format(" {} |", count);
  };
  for (const Outcome outcome : kOutcomes) add(std::string(name_of(outcome)));
  add(std::string(kWaived));
  return fmt::format("{}\n{}\n{}\n\n", names, rule, counts);
}

// Of what a level promises a framework, only what does not work is worth the room.
std::string interfaces_line(const json& levels) {
  std::string failing;
  size_t works = 0;
  size_t all = 0;
  for (const json& level : levels) {
    for (const json& one : level["interfaces"]) {
      ++all;
      if (text_at(one, "state") == "works") ++works;
      if (text_at(one, "state") == "fails")
        failing += (failing.empty() ? "" : ", ") + code(text_at(one, "name"));
    }
  }
  if (all == 0) return {};
  return fmt::format("\n{} of {} interfaces work{}\n", works, all,
                     failing.empty() ? "." : "; failing: " + failing);
}

std::string levels_table(const json& levels) {
  std::string out =
      "| level | verdict | required | passed | by substitute | waived | not observed |\n"
      "| --- | --- | ---: | ---: | ---: | ---: | ---: |\n";
  for (const json& level : levels) {
    out += fmt::format("| {} | {} | {} | {} | {} | {} | {} |\n", code(text_at(level, "level")),
                       text_at(level, "verdict"), level["required"].dump(), level["required_passed"].dump(),
                       level["by_substitute"].dump(), level["waived"].dump(), level["not_observed"].dump());
  }
  return out + interfaces_line(levels) + "\n";
}

std::string row(const json& test) {
  return fmt::format("| {} | {} | {} | {} |\n", text_at(test, "outcome"), code(text_at(test, "id")),
                     code(broken_clause(test)), code(text_at(test, "message")));
}

std::string block(const char* name, const std::string& text) {
  if (text.empty()) return {};
  return fmt::format("{}:\n<pre>{}</pre>\n", name, escaped(shortened(text, kMostDetails), true));
}

std::string details(const json& test) {
  std::string seen;
  for (const json& failure : test["failures"]) {
    seen += fmt::format("{} {}: {}: {}\n", text_at(failure, "clause"), text_at(failure, "where"),
                        text_at(failure, "expression"), text_at(failure, "message"));
  }
  std::string calls;
  for (const json& call : test["last_calls"]) calls += call.get<std::string>() + "\n";
  const std::string clause = broken_clause(test);
  return fmt::format("<details><summary>{}</summary>\n\n", code(text_at(test, "id"))) +
         block("clause", clause.empty() ? "" : clause + ": " + rule_of(clause)) +
         block("the test looks at", text_at(test, "observes")) + block("failures", seen) +
         block("last calls", calls) + block("output", text_at(test, "log")) +
         block("again", text_at(test, "rerun")) + "</details>\n\n";
}

std::string failures(const std::vector<const json*>& bad) {
  if (bad.empty()) return {};
  std::string out = fmt::format(
      "### {} to look at\n\n| outcome | test | clause | what was seen |\n| --- | --- | --- | --- |\n",
      bad.size());
  size_t shown = 0;
  for (; shown < bad.size(); ++shown) {
    const std::string next = row(*bad[shown]);
    if (out.size() + next.size() > kMostRows) break;
    out += next;
  }
  out += "\n";
  if (shown < bad.size())
    out += fmt::format("and {} more; the JSON report has them all\n\n", bad.size() - shown);
  return out;
}

std::string suspects(const json& report) {
  std::string out;
  size_t shown = 0;
  for (const Suspect& one : suspects_of(report)) {
    if (shown++ == kShownSuspects) break;
    out += fmt::format("{}. {} failed in {} of its {} tests: {}\n", shown, code(one.clause), one.failed,
                       one.tests, code(rule_of(one.clause)));
  }
  return out.empty() ? out : "### Look first at\n\n" + out + "\n";
}

std::string waivers(const json& report) {
  std::string out;
  for (const json& waiver : report["waivers"]) {
    if (waiver["state"] != "used" && text_at(waiver, "problem").empty()) continue;
    const std::string link = text_at(waiver, "link");
    const std::string next = fmt::format("| {} | {} | {} | {} | {} | {} |\n", code(text_at(waiver, "test")),
                                         text_at(waiver, "state"), code(text_at(waiver, "reason")),
                                         code(link.empty() ? text_at(waiver, "reproducer") : link),
                                         code(text_at(waiver, "expires")), code(text_at(waiver, "problem")));
    if (out.size() + next.size() > kMostMarkdown / 8)
      return out + "\nand more; the JSON report has them all\n\n";
    if (out.empty())
      out =
          "### Waivers\n\n| test | state | reason | link or reproducer | until | problem |\n| --- | --- | "
          "--- | --- | --- | --- |\n";
    out += next;
  }
  return out.empty() ? out : out + "\n";
}

std::string identity(const json& report) {
  std::string out = "<details><summary>who, where and how</summary>\n\n| | |\n| --- | --- |\n";
  const auto add = [&](const char* name, const std::string& value) {
    out += fmt::format("| {} | {} |\n", name, code(value, 200));
  };
  const json& driver = report["driver"];
  const json& device = report["device"];
  const json& suite = report["suite"];
  add("driver", text_at(driver, "name") + " " + text_at(driver, "version") +
                    (driver["emulated"].get<bool>() ? ", emulated" : ""));
  add("driver file", "sha256 " + text_at(driver, "sha256"));
  add("native versions",
      text_at(driver, "native_driver_version") + " " + text_at(driver, "native_runtime_version"));
  add("device",
      text_at(device, "name") + " " + text_at(device, "architecture") + " " + text_at(device, "uuid"));
  add("suite", text_at(suite, "version") + " " + text_at(suite, "commit") +
                   (suite["dirty"].get<bool>() ? " with changes" : "") + ", ABI " + text_at(report, "abi"));
  add("run", fmt::format("seed {}, {}, {:.1f} s, resumed {} times, {} shards", report["seed"].dump(),
                         text_at(report, "started"), report["seconds"].get<double>(),
                         report["resumed"].dump(), report["shards"].size()));
  add("options", report["options"]["target"].get<std::string>() + " --level " + text_at(report, "level"));
  const json& machine = report["environment"];
  add("machine", text_at(machine, "cpu") + ", " + text_at(machine, "kernel"));
  for (const auto& [name, value] : machine["variables"].items()) {
    if (out.size() > kMostMarkdown / 8) break;
    add("variable", name + "=" + value.get<std::string>());
  }
  return out + "\n</details>\n";
}

}  // namespace

std::string markdown_form(const json& report) {
  std::vector<const json*> bad;
  for (const json& test : report["tests"]) {
    if (is_bad_outcome(text_at(test, "outcome"))) bad.push_back(&test);
  }
  const std::string who = text_at(report["driver"], "name") + " " + text_at(report["driver"], "version") +
                          ", " + text_at(report["device"], "name");
  std::string out = fmt::format("## xhal-conform: {}\n\n{}, level {}\n\n", text_at(report, "verdict"),
                                code(who), code(text_at(report, "level")));
  for (const json& reason : report["reasons"]) {
    if (out.size() > kMostMarkdown / 8) break;
    out += fmt::format("- {}\n", code(reason));
  }
  if (const std::string evidence = evidence_line(report); !evidence.empty())
    out += fmt::format("\n{}\n", escaped(evidence, false));
  out += "\n" + totals_table(report["totals"]) + levels_table(report["levels"]) + suspects(report) +
         failures(bad) + waivers(report);
  const std::string end = identity(report);
  for (const json* test : bad) {
    const std::string next = details(*test);
    if (out.size() + next.size() + end.size() > kMostMarkdown) break;
    out += next;
  }
  return out + end;
}

}  // namespace xhal::conformance
