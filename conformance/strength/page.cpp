// SPDX-License-Identifier: Apache-2.0
#include "strength/page.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "report/suspects.h"
#include "run/level.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

struct Share {
  size_t part = 0;
  size_t whole = 0;
  void count(bool is_part) {
    ++whole;
    part += is_part ? 1 : 0;
  }
  [[nodiscard]] double percent() const {
    return whole == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  }
  [[nodiscard]] std::string text() const {
    return whole == 0 ? "none" : fmt::format("{} of {} ({:.1f} %)", part, whole, percent());
  }
};

struct Row {
  std::string what, figure, goal;
};

// What may not become a table's or a page's own sign.
std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '|' || c == '<' || c == '*' || c == '_' || c == '`') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out;
}

std::string code(const std::string& text) { return "`" + text + "`"; }

// "Measured on": who, by which suite, with which seeds, how long.
std::string measured_on(const std::vector<json>& files) {
  std::set<std::string> subjects, suites;
  double seconds = 0;
  for (const json& file : files) {
    if (file.contains("driver")) {
      const json& driver = file.at("driver");
      std::string who = fmt::format("driver {} {}", driver.value("name", ""), driver.value("version", ""));
      if (file.contains("device")) who += fmt::format(", device {}", file.at("device").value("name", ""));
      subjects.insert(who);
    } else {
      subjects.insert("driver sim");
    }
    std::string suite;
    if (file.contains("suite")) {
      suite = file.at("suite").value("commit", "").substr(0, 12) +
              (file.at("suite").value("dirty", false) ? ", changed" : "");
    } else {
      suite = file.value("suite_commit", "").substr(0, 12);
    }
    const uint64_t seed = file.value("seed", uint64_t{0});
    const uint64_t seeds = file.value("seeds", uint64_t{1});
    suites.insert(fmt::format("suite {}, seed {}{}", suite, seed,
                              seeds > 1 ? fmt::format(" to {}", seed + seeds - 1) : ""));
    seconds += file.value("seconds", 0.0);
  }
  std::string out = fmt::format("Measured on {}; {}", fmt::join(subjects, "; "), fmt::join(suites, "; "));
  if (files.size() > 1) out += fmt::format("; {} files", files.size());
  if (seconds > 0)
    out += seconds < 120 ? fmt::format("; {:.0f} s", seconds) : fmt::format("; {:.0f} minutes", seconds / 60);
  return plain(out) + ".\n";
}

std::string again(const std::string& command) {
  return fmt::format("Measured again by {}.\n", code(command));
}

// Of a measurement in parts, those that are missing; a figure of a part is not one of the whole.
std::string missing_shards(const std::vector<json>& files) {
  std::set<unsigned> there;
  unsigned count = 1;
  for (const json& file : files) {
    std::string shard = file.value("shard", "");
    if (shard.empty() && file.contains("options")) shard = file.at("options").value("shard", "1/1");
    unsigned index = 1;
    unsigned of = 1;
    if (std::sscanf(shard.c_str(), "%u/%u", &index, &of) != 2) return "";  // NOLINT(cert-err34-c): no shards
    there.insert(index);
    count = std::max(count, of);
  }
  std::vector<unsigned> missing;
  for (unsigned i = 1; i <= count && count <= 10'000; ++i) {
    if (!there.contains(i)) missing.push_back(i);
  }
  if (missing.empty()) return "";
  return fmt::format("**Not complete**: of {} shards {} {} missing.\n", count, fmt::join(missing, ", "),
                     missing.size() == 1 ? "is" : "are");
}

void each(const std::vector<json>& files, const char* list, const std::function<void(const json&)>& visit) {
  for (const json& file : files) {
    for (const json& one : file.at(list)) visit(one);
  }
}

bool applies(const json& fault) {
  return fault.at("verdict") != "not applicable" && fault.at("verdict") != "equivalent";
}
bool is_killed(const json& fault) { return fault.at("verdict") == "killed"; }

// Where a report of all tests names the clause that a fault breaks; 0: nowhere. Made of what failed, so that it is what reports of this version say.
size_t place_in_report(const json& fault, const json& tests) {
  std::map<std::string_view, std::vector<std::string_view>> broken;
  for (const json& failing : fault.at("failures")) {
    const auto clauses = failing.at("clauses").get<std::vector<std::string_view>>();
    for (const json& test : failing.at("tests")) broken[test.get_ref<const std::string&>()] = clauses;
  }
  std::vector<Testimony> said;
  for (const json& test : tests) {
    Testimony one;
    one.judges = test.at("clauses").get<std::vector<std::string_view>>();
    auto found = broken.find(test.at("id").get_ref<const std::string&>());
    if (found != broken.end()) {
      one.broken = std::move(found->second);
      broken.erase(found);
    }
    said.push_back(std::move(one));
  }
  // Of a device from which a feature was kept back: other tests are run.
  for (auto& [test, clauses] : broken) said.push_back({{}, std::move(clauses)});
  const std::vector<Suspect> suspects = suspects_of(said);
  const auto place =
      std::ranges::find(suspects, fault.at("clause").get_ref<const std::string&>(), &Suspect::clause);
  return place == suspects.end() ? 0 : static_cast<size_t>(place - suspects.begin()) + 1;
}

class Page {
 public:
  Page(const StrengthInputs& inputs, const std::vector<HollowReason>& reasons, const Unbroken& unbroken)
      : inputs_(inputs), reasons_(reasons), unbroken_(unbroken) {}

  std::string text() {
    faults();
    generated();
    matrix();
    mutation();
    variants();
    dropped_waits();
    hollow();
    std::string out =
        "# Strength\n\n"
        "What the suite notices when a driver is wrong, and that it says nothing when it is right. Made from "
        "the results in\n"
        "`docs/results/strength` by `scripts/strength.sh`; do not edit.\n\n"
        "| measure | figure | wanted |\n| --- | --- | --- |\n";
    for (const Row& row : rows_) out += fmt::format("| {} | {} | {} |\n", row.what, row.figure, row.goal);
    return out + body_;
  }

 private:
  void row(std::string what, std::string figure, std::string goal) {
    rows_.push_back({std::move(what), std::move(figure), std::move(goal)});
  }
  void say(const std::string& text) { body_ += text; }
  void heading(const std::string& text) { body_ += fmt::format("\n## {}\n\n", text); }
  // False, and said, when there is nothing.
  bool measured(const std::vector<json>& files, const std::string& title, const std::string& what,
                const std::string& goal, const std::string& command) {
    heading(title);
    if (files.empty()) {
      row(what, "not measured", goal);
      say("**Not measured.** " + again(command));
      return false;
    }
    say(measured_on(files) + again(command) + missing_shards(files) + "\n");
    return true;
  }

  // Everything that was not killed, by name.
  void survivors(const std::vector<json>& files, const std::function<std::string(const json&)>& what) {
    std::vector<std::string> lines;
    each(files, "faults", [&](const json& fault) {
      if (applies(fault) && !is_killed(fault))
        lines.push_back(fmt::format("- {} **{}**: {}. {}\n", code(fault.at("name")),
                                    fault.at("verdict").get<std::string>(), plain(what(fault)),
                                    plain(fault.value("why", ""))));
    });
    if (lines.empty()) return say("Nothing survives.\n");
    say(fmt::format("\n{} not killed:\n\n", lines.size()));
    for (const std::string& line : lines) say(line);
  }

  void faults() {
    const std::string goal = "all";
    if (!measured(inputs_.faults, "Named faults", "named faults killed, in 20 of 20 seeds", goal,
                  "xhal-conform faults --over sim --seed 7 --seeds 20 --jobs 2 --json FILE"))
      return;
    Share all, wild, contact;
    uint64_t seeds = UINT64_MAX;
    std::map<std::string, Share> families;
    std::set<std::string> not_applicable;
    for (const json& file : inputs_.faults) seeds = std::min(seeds, file.at("seeds").get<uint64_t>());
    each(inputs_.faults, "faults", [&](const json& fault) {
      if (!applies(fault)) return void(not_applicable.insert(fault.at("name")));
      all.count(is_killed(fault));
      families[fault.at("family")].count(is_killed(fault));
      if (!fault.value("wild", "").empty()) wild.count(is_killed(fault));
    });
    row(fmt::format("named faults killed, with {} seed{}", seeds, seeds == 1 ? "" : "s"), all.text(), goal);
    row("of them repeating a real driver's bug", wild.text(), goal);
    say("A fault is killed when, with every seed, an assertion of the clause that it breaks fails in a test "
        "that passes "
        "without it.\n\n");
    if (seeds < 20) say(fmt::format("**{} of the 20 seeds** that a kill has to repeat with.\n\n", seeds));
    // First contact, by family: recorded once for each fault.
    std::map<std::string, Share> contacts;
    each(inputs_.faults, "faults", [&](const json& fault) {
      if (!fault.contains("first_contact") || !fault.at("first_contact").is_boolean()) return;
      contacts[fault.at("family")].count(fault.at("first_contact").get<bool>());
      contact.count(fault.at("first_contact").get<bool>());
    });
    row("first contact: noticed by the tests that were there before the fault", contact.text(), "published");
    say("| family | killed | at first contact |\n| --- | --- | --- |\n");
    for (const auto& [family, share] : families)
      say(fmt::format("| {} | {} | {} |\n", family, share.text(), contacts[family].text()));
    say("\n");
    survivors(inputs_.faults, [](const json& fault) { return fault.at("about").get<std::string>(); });
    if (!not_applicable.empty()) {
      say(fmt::format("\nOn this device {} faults do not apply:", not_applicable.size()));
      for (const std::string& name : not_applicable) say(" " + code(name));
      say(".\n");
    }
    clauses_without_fault();
  }

  void clauses_without_fault() {
    std::vector<std::string> clauses, hosts;
    std::map<std::string, std::vector<std::string>> unbroken;  // by reason
    size_t unbroken_clauses = 0;
    // Of the whole table of each file's day: a fault that is new leaves its clause in the older files alone.
    for (const json& clause : inputs_.faults.front().at("clauses_without_fault")) {
      const bool in_all = std::ranges::all_of(inputs_.faults, [&](const json& file) {
        const json& list = file.at("clauses_without_fault");
        return std::ranges::find(list, clause) != list.end();
      });
      if (!in_all) continue;
      const std::string reason = unbroken_.reason(clause);
      unbroken_clauses += reason.empty() ? 0 : 1;
      (!reason.empty()                         ? unbroken[reason]
       : is_of_host(clause.get<std::string>()) ? hosts
                                               : clauses)
          .push_back(clause);
    }
    row("clauses of drivers without a named fault", fmt::format("{}", clauses.size()), "0");
    row("clauses of drivers that no layer over a driver can break", fmt::format("{}", unbroken_clauses),
        "named");
    if (clauses.empty()) {
      say("\nEvery clause of drivers that a layer can break has a fault.\n");
    } else {
      say(
          fmt::format("\nClauses of drivers without a fault, so that nothing is known of their tests by this "
                      "list ({}): {}.\n",
                      clauses.size(), fmt::join(clauses, ", ")));
    }
    if (!unbroken.empty()) {
      say(fmt::format("\nClauses of drivers that no layer can break, with the reason ({}):\n\n",
                      unbroken_clauses));
      for (const auto& [reason, some] : unbroken)
        say(fmt::format("- {}: {}.\n", fmt::join(some, ", "), plain(reason)));
    }
    say(fmt::format("\nClauses of libxhal itself, which no driver can break ({}): {}.\n", hosts.size(),
                    fmt::join(hosts, ", ")));
  }

  void generated() {
    if (!measured(inputs_.generated, "Generated faults", "generated faults killed", "95 %",
                  "xhal-conform faults --generated --over sim --seed 7 --json FILE"))
      return;
    Share all;
    std::map<std::string, Share> hows;
    std::map<std::string, std::vector<std::string>> equivalent;
    std::map<std::string, std::string> about;
    for (const json& how : inputs_.generated.front().at("hows")) about[how.at("name")] = how.at("about");
    size_t not_applicable = 0;
    each(inputs_.generated, "faults", [&](const json& fault) {
      if (fault.at("verdict") == "equivalent")
        equivalent[fault.at("equivalent")].push_back(code(fault.at("name")));
      not_applicable += fault.at("verdict") == "not applicable" ? 1 : 0;
      if (!applies(fault)) return;
      all.count(is_killed(fault));
      hows[fault.at("how")].count(is_killed(fault));
    });
    row("generated faults killed", all.text(), "95 %");
    say("Every entry of the contract, wrong in every way that its parameters have room for. Killed: an "
        "assertion of a clause "
        "fails in a test that passes without it.\n\n| the call | killed |\n| --- | --- |\n");
    for (const auto& [how, share] : hows)
      say(fmt::format("| {}: {} | {} |\n", code(how), about[how], share.text()));
    say("\n");
    survivors(inputs_.generated, [&](const json& fault) {
      return fmt::format("{} {}", fault.at("entry").get<std::string>(), about[fault.at("how")]);
    });
    if (!equivalent.empty()) {
      say("\nEquivalent, so in no total: no clause speaks of it and no application can see it.\n\n");
      for (const auto& [reason, names] : equivalent)
        say(fmt::format("- {}: {}.\n", plain(reason), fmt::join(names, " ")));
    }
    if (not_applicable > 0)
      say(fmt::format("\n{} are of features that the device does not claim.\n", not_applicable));
  }

  // By what a report says of all tests: those of the clause alone would name hardly any other.
  void localisation() {
    Share near;
    std::vector<std::string> lines;
    for (const json& file : inputs_.matrix) {
      for (const json& fault : file.at("faults")) {
        if (!applies(fault) || !is_killed(fault)) continue;
        const size_t place = place_in_report(fault, file.at("tests"));
        const bool is_near = place != 0 && place <= kShownSuspects;
        near.count(is_near);
        if (!is_near)
          lines.push_back(fmt::format("- {}, breaks {}: {}\n", code(fault.at("name")),
                                      fault.at("clause").get<std::string>(),
                                      place != 0 ? std::to_string(place) : "not named"));
      }
    }
    row("broken clause among the first three that a report of all tests names", near.text(), "90 %");
    if (lines.empty()) return;
    say(fmt::format("\n{} broken clauses are further down in the report of all tests, at this place:\n\n",
                    lines.size()));
    for (const std::string& line : lines) say(line);
  }

  void matrix() {
    if (!measured(inputs_.matrix, "Matrix: every fault against every test",
                  "tests that notice no named fault", "named",
                  "xhal-conform faults --over sim --seed 7 --all-tests --jobs 2 --json FILE"))
      return;
    std::map<std::string, uint64_t> notices;
    each(inputs_.matrix, "tests",
         [&](const json& test) { notices[test.at("id")] += test.at("notices").get<uint64_t>(); });
    std::vector<std::string> powerless;
    for (const auto& [id, count] : notices) {
      if (count == 0) powerless.push_back(id);
    }
    row("tests that notice no named fault", fmt::format("{} of {}", powerless.size(), notices.size()),
        "named");
    if (powerless.empty()) say("Every test notices a fault.\n");
    if (!powerless.empty())
      say(fmt::format("{} of {} tests notice no named fault:\n\n", powerless.size(), notices.size()));
    for (const std::string& id : powerless) say("- " + code(id) + "\n");
    localisation();
  }

  void mutation() {
    if (!measured(inputs_.mutation, "Mutants of the simulator's engine",
                  "mutants of the simulator's engine noticed", "85 %",
                  "build/release/tests/bin/mutation --shard 1/4 --json FILE"))
      return;
    Share killed, noticed;
    std::vector<std::string> lines;
    std::map<std::string, std::vector<std::string>> equivalent;
    each(inputs_.mutation, "mutants", [&](const json& mutant) {
      const std::string verdict = mutant.at("verdict");
      if (verdict == "equivalent") {
        equivalent[mutant.at("reason")].push_back(change_of(mutant));
        return;
      }
      killed.count(verdict == "killed");
      noticed.count(verdict == "killed" || verdict == "crashed" || verdict == "timed_out");
      if (verdict != "killed") lines.push_back(fmt::format("- **{}** {}\n", verdict, change_of(mutant)));
    });
    row("mutants of the simulator's engine noticed", noticed.text(), "85 %");
    row("of them by an assertion, and not by a crash or a deadline alone", killed.text(), "");
    say(
        fmt::format("{} noticed by an assertion, a crash or a deadline; {} by an assertion. A crash may come "
                    "before any test has a say. Not killed by an assertion:\n\n",
                    noticed.text(), killed.text()));
    for (const std::string& line : lines) say(line);
    if (!equivalent.empty()) {
      say("\nEquivalent, so in no total: no clause speaks of it, or no application can see it.\n\n");
      for (const auto& [reason, changes] : equivalent)
        say(fmt::format("- {}: {}.\n", plain(reason), fmt::join(changes, "; ")));
    }
  }

  static std::string change_of(const json& mutant) {
    const auto head = [](const json& text) {
      const std::string whole = text.get<std::string>();
      return whole.substr(0, std::min<size_t>(whole.find('\n'), 60));
    };
    return fmt::format("{}:{} {}", mutant.at("file").get<std::string>(), mutant.at("line").get<int>(),
                       plain(head(mutant.at("original")) + " -> " + head(mutant.at("mutated"))));
  }

  void variants() {
    if (!measured(inputs_.variants, "Fairness: legal but odd drivers", "legal but odd drivers that pass",
                  "all", "xhal-conform variants --over sim --json FILE"))
      return;
    Share fair, mixed;
    uint64_t executions = 0;
    uint64_t failures = 0;
    std::vector<std::string> lines;
    each(inputs_.variants, "variants", [&](const json& variant) {
      const std::string verdict = variant.value("verdict", "");
      if (verdict == "not applicable" || verdict == "taken apart") return;
      const bool is_mix = variant.contains("mix") && variant.at("mix").size() > 1;
      (is_mix ? mixed : fair).count(verdict == "conformant");
      if (verdict != "conformant")
        lines.push_back(fmt::format("- {} **{}**: {}\n", code(variant.at("name")), verdict,
                                    plain(variant.value("why", ""))));
    });
    for (const json& file : inputs_.variants) {
      executions += file.at("test_executions").get<uint64_t>();
      failures += file.at("test_failures").get<uint64_t>();
    }
    row("legal but odd drivers that pass", fair.text(), "all");
    row("mixes that pass, of which one at least holds every two of them",
        mixed.whole == 0 ? "not measured" : mixed.text(), "all");
    say("The mixes: " + again("xhal-conform variants --over sim --pairs --together 5 --json FILE"));
    row("failures among the executions of tests over them", fmt::format("{} of {}", failures, executions),
        "0 of 300000");
    if (lines.empty()) return say("All pass.\n");
    for (const std::string& line : lines) say(line);
  }

  void dropped_waits() {
    if (!measured(inputs_.dropped_waits, "Random programs", "dropped waits that results show", "99 %",
                  "xhal-conform fuzz --backend sim --programs 300 --seed 1 --drop-waits --json FILE"))
      return;
    Share seen;
    uint64_t not_gated = 0;
    for (const json& file : inputs_.dropped_waits) {
      seen.part += file.at("totals").at("dropped_waits_seen").get<size_t>();
      seen.whole += file.at("totals").at("rotations").get<size_t>();
      not_gated += file.at("totals").at("waits_not_gated").get<uint64_t>();
    }
    row("dropped waits of random programs that results alone show", seen.text(), "99 %");
    say(
        fmt::format("{} dropped waits seen by the contents of memory; before {} more a call waits for the "
                    "producer, so that no "
                    "gate can be held.\n",
                    seen.text(), not_gated));
  }

  void hollow() {
    if (!measured(inputs_.hollow, "Drivers with nothing behind them",
                  "required tests that pass on a driver that does nothing", "5 %",
                  "xhal-conform --driver DRIVER --level core --seed 7 --report json=FILE"))
      return;
    std::set<std::string> seen;
    for (const json& file : inputs_.hollow) {
      const std::string driver = file.at("driver").at("name");
      seen.insert(driver);
      const std::string what = driver == "idle" ? "does nothing" : "refuses everything";
      Share passed;
      std::map<std::string, std::vector<std::string>> by_reason;
      passed.whole = file.at("required").get<size_t>();
      passed.part = file.at("passed").size();
      for (const json& test : file.at("passed")) by_reason[reason_of(driver, test)].push_back(code(test));
      row(fmt::format("required tests that pass on a driver that {}", what), passed.text(), "5 %");
      say(fmt::format("\nOne that {}: level {}, **{}**, {} required tests pass.\n\n", what,
                      file.at("level").get<std::string>(), file.at("verdict").get<std::string>(),
                      passed.text()));
      for (const auto& [reason, tests] : by_reason)
        say(fmt::format("- {}: {}.\n", reason.empty() ? "**no reason is given**" : plain(reason),
                        fmt::join(tests, " ")));
    }
    for (const char* driver : {"idle", "refusing"}) {
      if (!seen.contains(driver)) say(fmt::format("\n**Not measured**: the driver {}.\n", driver));
    }
  }

  [[nodiscard]] std::string reason_of(const std::string& driver, const std::string& test) const {
    for (const HollowReason& one : reasons_) {
      if (one.driver != driver) continue;
      if (std::ranges::any_of(one.tests, [&](const std::string& glob) { return glob_matches(glob, test); }))
        return one.reason;
    }
    return "";
  }

  const StrengthInputs& inputs_;
  const std::vector<HollowReason>& reasons_;
  const Unbroken& unbroken_;
  std::vector<Row> rows_;
  std::string body_;
};

}  // namespace

std::string strength_page(const StrengthInputs& inputs, const std::vector<HollowReason>& reasons,
                          const Unbroken& unbroken) {
  return Page(inputs, reasons, unbroken).text();
}

}  // namespace xhal::conformance
