// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "report/print.h"
#include "run/subject.h"
#include "strength/strength.h"

namespace xhal::conformance {

namespace {

constexpr size_t kNear = kShownSuspects;
constexpr size_t kToldSuspects = 5;

bool is_killed(const FaultRecord& record) { return record.verdict == FaultVerdict::kKilled; }
bool applies(const FaultRecord& record) { return record.verdict != FaultVerdict::kNotApplicable; }

nlohmann::json suspects_json(const std::vector<Suspect>& suspects) {
  nlohmann::json out = nlohmann::json::array();
  for (const Suspect& one : suspects) {
    if (out.size() == kToldSuspects) break;
    out.push_back(
        {{"clause", one.clause}, {"failed", one.failed}, {"first", one.first}, {"tests", one.tests}});
  }
  return out;
}

nlohmann::json failures_json(const std::vector<Failing>& failures) {
  nlohmann::json out = nlohmann::json::array();
  for (const Failing& some : failures) out.push_back({{"clauses", some.clauses}, {"tests", some.tests}});
  return out;
}

nlohmann::json fault_json(const FaultRecord& record, const std::map<std::string, bool>& first_contact) {
  const FaultInfo& fault = *record.fault;
  const auto contact = first_contact.find(std::string(fault.name));
  return {{"name", fault.name},
          {"family", fault.family.name()},
          {"clause", fault.clause.id()},
          {"feature", feature_name(fault.feature)},
          {"without", record.without},
          {"wild", fault.wild},
          {"about", fault.about},
          {"verdict", name_of(record.verdict)},
          {"why", record.why},
          {"killed_by", record.killed_by},
          {"seeds", record.seeds},
          {"repeated_by", record.repeated_by},
          {"crashed", record.crashed},
          {"timed_out", record.timed_out},
          {"suspects", suspects_json(record.suspects)},
          {"first_of", record.first_of == 0 ? nlohmann::json(nullptr) : nlohmann::json(record.first_of)},
          {"first_contact",
           contact == first_contact.end() ? nlohmann::json(nullptr) : nlohmann::json(contact->second)},
          {"tests", record.tests},
          {"seconds", record.seconds}};
}

struct Sum {
  size_t killed = 0;
  size_t total = 0;
};

std::vector<std::pair<std::string_view, Sum>> by_family(const StrengthReport& report) {
  std::vector<std::pair<std::string_view, Sum>> out;
  for (const std::string_view family : kFaultFamilies) {
    Sum sum;
    for (const FaultRecord& record : report.faults) {
      if (record.fault->family.name() != family || !applies(record)) continue;
      ++sum.total;
      sum.killed += is_killed(record) ? 1 : 0;
    }
    if (sum.total > 0) out.emplace_back(family, sum);
  }
  return out;
}

Sum near(const StrengthReport& report) {
  Sum sum;
  for (const FaultRecord& record : report.faults) {
    if (!is_killed(record)) continue;
    ++sum.total;
    sum.killed += record.first_of != 0 && record.first_of <= kNear ? 1 : 0;
  }
  return sum;
}

Sum first_contact(const StrengthReport& report) {
  Sum sum;
  for (const FaultRecord& record : report.faults) {
    const auto found = report.first_contact.find(std::string(record.fault->name));
    if (found == report.first_contact.end()) continue;
    ++sum.total;
    sum.killed += found->second ? 1 : 0;
  }
  return sum;
}

// Of the whole table, whatever was selected for this run.
nlohmann::json clauses_json() {
  nlohmann::json out = nlohmann::json::array();
  for (size_t i = 0; i < kClauseCount; ++i) {
    nlohmann::json faults = nlohmann::json::array();
    for (const FaultInfo& fault : all_faults()) {
      if (fault.clause.index() == i) faults.push_back(fault.name);
    }
    size_t tests = 0;
    for (const TestCase& test : checked_cases()) {
      const auto& clauses = test.definition->info.clauses;
      tests += std::ranges::any_of(clauses, [&](Clause one) { return one.index() == i; }) ? 1 : 0;
    }
    out.push_back({{"id", kClauseIds[i]}, {"faults", faults}, {"tests", tests}});
  }
  return out;
}

nlohmann::json without_fault(const nlohmann::json& clauses) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& clause : clauses) {
    if (clause.at("faults").empty()) out.push_back(clause.at("id"));
  }
  return out;
}

nlohmann::json tests_json(const StrengthReport& report) {
  std::map<std::string, nlohmann::json> kills;
  std::map<std::string, size_t> notices;
  for (const FaultRecord& record : report.faults) {
    for (const std::string& id : record.killed_by) kills[id].push_back(record.fault->name);
    for (const std::string& id : record.noticed_by) ++notices[id];
  }
  nlohmann::json out = nlohmann::json::array();
  for (const TestCase* test : report.tests) {
    const auto found = kills.find(test->id);
    nlohmann::json clauses = nlohmann::json::array();
    for (const Clause clause : test->definition->info.clauses) clauses.push_back(clause.id());
    out.push_back({{"id", test->id},
                   {"clauses", clauses},
                   {"kills", found == kills.end() ? nlohmann::json::array() : found->second},
                   {"notices", notices[test->id]}});
  }
  return out;
}

nlohmann::json powerless(const nlohmann::json& tests) {
  nlohmann::json out = nlohmann::json::array();
  for (const auto& test : tests) {
    if (test.at("notices") == 0) out.push_back(test.at("id"));
  }
  return out;
}

std::string share(const Sum& sum) {
  return sum.total == 0
             ? "none"
             : fmt::format("{} of {} ({:.1f} %)", sum.killed, sum.total,
                           100.0 * static_cast<double>(sum.killed) / static_cast<double>(sum.total));
}

}  // namespace

size_t StrengthReport::count(FaultVerdict verdict) const {
  return static_cast<size_t>(
      std::ranges::count_if(faults, [&](const FaultRecord& record) { return record.verdict == verdict; }));
}

nlohmann::json json_of(const StrengthReport& report) {
  nlohmann::json out = report.identity;
  out["schema"] = kFaultsSchema;
  out["killed"] = report.count(FaultVerdict::kKilled);
  out["total"] = report.total();
  nlohmann::json verdicts = nlohmann::json::object();
  for (const auto verdict : {FaultVerdict::kKilled, FaultVerdict::kSurvived, FaultVerdict::kCrashed,
                             FaultVerdict::kTimedOut, FaultVerdict::kUnstable, FaultVerdict::kNotApplicable})
    verdicts[std::string(name_of(verdict))] = report.count(verdict);
  out["verdicts"] = verdicts;
  nlohmann::json families = nlohmann::json::array();
  for (const auto& [family, sum] : by_family(report))
    families.push_back({{"name", family}, {"killed", sum.killed}, {"total", sum.total}});
  out["families"] = families;
  const Sum localised = near(report);
  out["localisation"] = {{"within", kNear}, {"localised", localised.killed}, {"killed", localised.total}};
  const Sum contact = first_contact(report);
  out["first_contact"] = {{"killed", contact.killed}, {"total", contact.total}};
  out["faults"] = nlohmann::json::array();
  for (const FaultRecord& record : report.faults) {
    nlohmann::json one = fault_json(record, report.first_contact);
    // The tests of its clause alone are in `killed_by`.
    if (report.all_tests) one["failures"] = failures_json(record.failures);
    out["faults"].push_back(std::move(one));
  }
  out["clauses"] = clauses_json();
  out["clauses_without_fault"] = without_fault(out["clauses"]);
  out["incomplete"] = report.incomplete;
  out["seconds"] = report.seconds;
  out["first_seed_seconds"] = report.first_seed_seconds;
  if (report.all_tests) {
    out["tests"] = tests_json(report);
    out["powerless"] = powerless(out["tests"]);
  }
  return out;
}

std::string line_of(const FaultRecord& record) {
  return fmt::format("{:<14} {}  {} {}: {} ({})", name_of(record.verdict), record.fault->name,
                     record.fault->family.name(), record.fault->clause.id(), record.fault->about, record.why);
}

void print_summary(std::FILE* out, const StrengthReport& report) {
  print(out, "\n{:<14}{:>8}{:>8}\n", "family", "killed", "total");
  for (const auto& [family, sum] : by_family(report))
    print(out, "{:<14}{:>8}{:>8}\n", family, sum.killed, sum.total);
  const Sum all{report.count(FaultVerdict::kKilled), report.total()};
  print(out, "\n{} faults killed", share(all));
  for (const auto verdict : {FaultVerdict::kSurvived, FaultVerdict::kCrashed, FaultVerdict::kTimedOut,
                             FaultVerdict::kUnstable, FaultVerdict::kNotApplicable}) {
    if (report.count(verdict) > 0) print(out, ", {} {}", report.count(verdict), name_of(verdict));
  }
  print(out, "\nclause among the first {} that a report of these tests names: {}\n", kNear,
        share(near(report)));
  print(out, "noticed when they were new: {}\n", share(first_contact(report)));
  if (report.all_tests) {
    const auto silent = powerless(tests_json(report));
    print(out, "{} of {} tests notice no fault{}\n", silent.size(), report.tests.size(),
          silent.empty() ? "" : ":");
    for (const auto& id : silent) print(out, "  {}\n", id.get<std::string>());
  }
  print(out, "{:.0f} s{}\n", report.seconds, report.incomplete ? ", interrupted" : "");
}

}  // namespace xhal::conformance
