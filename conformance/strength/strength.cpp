// SPDX-License-Identifier: Apache-2.0
#include "strength/strength.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <iterator>

#include "run/subject.h"
#include "strength/shown_by.h"

namespace xhal::conformance {

namespace {

class Silent : public RunListener {
 public:
  void begun(const TestCase&) override {}
  void ended(const TestRecord&, size_t, size_t) override {}
};

bool is_of(const TestCase& test, Clause clause) {
  return std::ranges::any_of(test.definition->info.clauses, [&](Clause one) { return one == clause; });
}

// Whether an assertion of the clause failed. A crash is none, whatever failed before it.
bool kills(const TestRecord& record, Clause clause) {
  const Outcome outcome = record.result.outcome;
  if (outcome != Outcome::kFailed && outcome != Outcome::kRefused) return false;
  return std::ranges::any_of(record.result.failures,
                             [&](const Failure& failure) { return failure.clause == clause.id(); });
}

void add_ids(const std::vector<TestRecord>& records, Outcome outcome, std::vector<std::string>& to) {
  for (const TestRecord& record : records) {
    if (record.result.outcome == outcome) to.push_back(record.test->id);
  }
}

std::vector<Failing> failures_of(const std::vector<TestRecord>& records) {
  std::map<std::vector<std::string>, std::vector<std::string>> by_clauses;
  for (const TestRecord& record : records) {
    std::vector<std::string> clauses;
    for (const std::string_view clause : broken_clauses(record)) clauses.emplace_back(clause);
    if (!clauses.empty()) by_clauses[clauses].push_back(record.test->id);
  }
  std::vector<Failing> out;
  for (auto& [clauses, tests] : by_clauses) out.push_back({clauses, std::move(tests)});
  return out;
}

}  // namespace

std::string_view name_of(FaultVerdict verdict) {
  switch (verdict) {
    case FaultVerdict::kKilled:
      return "killed";
    case FaultVerdict::kSurvived:
      return "survived";
    case FaultVerdict::kCrashed:
      return "crashed";
    case FaultVerdict::kTimedOut:
      return "timed_out";
    case FaultVerdict::kUnstable:
      return "unstable";
    case FaultVerdict::kNotApplicable:
      return "not applicable";
  }
  return "survived";
}

Strength::Withheld Strength::withheld_for(const TestCase& test) const {
  Withheld out;
  for (const uint32_t feature : test.unless()) {
    if (plan_.claims.claims(feature)) out.insert(feature);
  }
  return out;
}

Target Strength::target_for(const Withheld& features, const FaultInfo* fault) const {
  Target out = plan_.run.target;
  std::vector<std::string> layers;
  if (fault != nullptr) {
    layers.emplace_back("faults");
    out.environment.emplace_back("XHAL_FAULTS", fmt::format("name={}", fault->name));
  }
  if (!features.empty()) {
    std::vector<std::string> names;
    for (const uint32_t feature : features) names.push_back("without_" + feature_name(feature));
    layers.emplace_back("variants");
    out.environment.emplace_back("XHAL_VARIANTS", fmt::format("name={}", fmt::join(names, "+")));
  }
  if (!layers.empty()) out.environment.emplace_back("XHAL_LAYERS", fmt::format("{}", fmt::join(layers, ",")));
  return out;
}

const Claims& Strength::claims_without(const Withheld& features) {
  const auto known = lesser_.find(features);
  if (known != lesser_.end()) return known->second;
  const Probe found = probed(target_for(features, nullptr), plan_.entry_deadline_s, plan_.run.interrupt_fd);
  // Interrupted: no test applies to what was not seen.
  return lesser_[features] = found.devices.empty() ? Claims() : claims_of(found);
}

std::optional<std::vector<TestRecord>> Strength::run(const std::vector<const TestCase*>& tests, uint64_t seed,
                                                     const FaultInfo* fault) {
  std::map<Withheld, std::vector<const TestCase*>> groups;
  for (const TestCase* test : tests) groups[withheld_for(*test)].push_back(test);
  std::vector<TestRecord> out;
  for (const auto& [features, group] : groups) {
    auto records = run_without(features, group, seed, fault);
    if (!records) return std::nullopt;
    std::ranges::move(*records, std::back_inserter(out));
  }
  std::ranges::sort(out, {}, [](const TestRecord& record) { return record.test->id; });
  return out;
}

std::optional<std::vector<TestRecord>> Strength::run_without(const Withheld& features,
                                                             const std::vector<const TestCase*>& tests,
                                                             uint64_t seed, const FaultInfo* fault) {
  RunPlan plan = plan_.run;
  plan.tests = tests;
  plan.settings.seed = seed;
  plan.target = target_for(features, fault);
  // With the same patience whether there is a fault or not.
  if (std::ranges::any_of(tests, [&](const TestCase* test) { return slow_.contains(test); })) {
    plan.settings.patience_ns = std::max(plan.settings.patience_ns, plan_.long_patience_ns);
    plan.deadline_s = std::max(plan.deadline_s, deadline_of(plan.settings));
  }
  Silent silent;
  bool interrupted = false;
  std::vector<TestRecord> records = run_tests(plan, silent, &interrupted);
  if (interrupted) return std::nullopt;
  return records;
}

bool Strength::know_clean(const std::vector<const TestCase*>& tests, uint64_t seed) {
  auto& outcomes = clean_[seed].outcomes;
  std::vector<const TestCase*> unknown;
  std::ranges::copy_if(tests, std::back_inserter(unknown),
                       [&](const TestCase* test) { return !outcomes.contains(test); });
  if (unknown.empty()) return true;
  // What fails is asked once more, and from then on with more patience: a busy machine must not turn a kill into none.
  for (int round = 0; round < 2 && !unknown.empty(); ++round) {
    const auto records = run(unknown, seed, nullptr);
    if (!records) return false;
    unknown.clear();
    for (const TestRecord& record : *records) {
      outcomes[record.test] = record.result.outcome;
      if (is_bad(record.result.outcome)) unknown.push_back(record.test);
    }
    slow_.insert(unknown.begin(), unknown.end());
  }
  return true;
}

std::vector<const TestCase*> Strength::tests_of(const FaultInfo& fault) {
  std::vector<const TestCase*> out;
  std::ranges::copy_if(plan_.run.tests, std::back_inserter(out),
                       [&](const TestCase* test) { return is_of(*test, fault.clause); });
  if (!out.empty()) return plan_.all_tests ? plan_.run.tests : out;
  // The clause is about what a device does not claim, and this one claims it.
  for (const TestCase& test : checked_cases()) {
    const Withheld features = withheld_for(test);
    if (is_of(test, fault.clause) && !features.empty() &&
        why_not_applicable(test, claims_without(features)).empty())
      out.push_back(&test);
  }
  return out;
}

std::optional<FaultRecord> Strength::measure(const FaultInfo& fault) {
  const auto begin = std::chrono::steady_clock::now();
  FaultRecord out;
  out.fault = &fault;
  const auto not_applicable = [&](std::string why) {
    out.verdict = FaultVerdict::kNotApplicable;
    out.why = std::move(why);
    return out;
  };
  if (!plan_.claims.claims(fault.feature))
    return not_applicable(fmt::format("the device does not claim {}", feature_name(fault.feature)));
  const uint64_t first_seed = plan_.run.settings.seed;
  std::vector<const TestCase*> tests = tests_of(fault);
  Withheld without;
  for (const TestCase* test : tests) without.merge(withheld_for(*test));
  for (const uint32_t feature : without) out.without.push_back(feature_name(feature));
  if (!know_clean(tests, first_seed)) return std::nullopt;
  const auto passes = [&](const TestCase* test, uint64_t seed) {
    return clean_[seed].outcomes[test] == Outcome::kPassed;
  };
  const auto judges = [&](const TestCase* test) { return is_of(*test, fault.clause); };
  if (std::ranges::none_of(checked_cases(), [&](const TestCase& test) { return judges(&test); })) {
    out.why = fmt::format("{} has no test", fault.clause.id());
    return out;
  }
  if (std::ranges::none_of(tests, [&](const TestCase* test) {
        return judges(test) && clean_[first_seed].outcomes[test] != Outcome::kSkipped;
      }))
    return not_applicable(fmt::format("no test of {} applies to the device", fault.clause.id()));
  if (const std::string_view shows = shown_by(fault.name); !shows.empty()) {
    const auto is_it = [&](const TestCase* test) {
      return test->id.starts_with(shows) &&
             (test->id.size() == shows.size() || test->id[shows.size()] == '/');
    };
    const auto found = std::ranges::find_if(plan_.run.tests, is_it);
    if (found == plan_.run.tests.end())
      return not_applicable(fmt::format("{}, which would show it, does not apply to the device", shows));
    if (!know_clean({*found}, first_seed)) return std::nullopt;
    if (clean_[first_seed].outcomes[*found] == Outcome::kSkipped)
      return not_applicable(fmt::format("{}, which would show it, can see nothing on the device", shows));
  }
  std::erase_if(tests, [&](const TestCase* test) { return !passes(test, first_seed); });

  const auto records = run(tests, first_seed, &fault);
  if (!records) return std::nullopt;
  out.suspects = suspects_of(*records);
  out.failures = failures_of(*records);
  const auto place = std::ranges::find(out.suspects, fault.clause.id(), &Suspect::clause);
  if (place != out.suspects.end()) out.first_of = static_cast<size_t>(place - out.suspects.begin()) + 1;
  out.tests = records->size();
  add_ids(*records, Outcome::kCrashed, out.crashed);
  add_ids(*records, Outcome::kTimedOut, out.timed_out);
  bool noticed_once = false;
  std::vector<const TestRecord*> killers;
  for (const TestRecord& record : *records) {
    if (record.result.outcome == Outcome::kFailed) out.noticed_by.push_back(record.test->id);
    noticed_once |= record.result.outcome == Outcome::kUnstable;
    if (kills(record, fault.clause)) killers.push_back(&record);
  }
  Candidates& candidates = candidates_[&fault];
  for (const TestRecord* record : killers) out.killed_by.push_back(record->test->id);
  std::ranges::stable_sort(killers, {}, [](const TestRecord* record) { return record->result.milliseconds; });
  for (const TestRecord* record : killers) candidates.killers.push_back(record->test);
  std::ranges::copy_if(tests, std::back_inserter(candidates.others), [&](const TestCase* test) {
    return judges(test) && std::ranges::find(candidates.killers, test) == candidates.killers.end();
  });
  out.seeds = killers.empty() ? 0 : 1;
  if (!killers.empty()) {
    out.verdict = FaultVerdict::kKilled;
  } else if (noticed_once) {
    out.verdict = FaultVerdict::kUnstable;
    out.why = "noticed in some company only";
  } else if (!out.crashed.empty()) {
    out.verdict = FaultVerdict::kCrashed;
    out.why = fmt::format("{} crashed", out.crashed.front());
  } else if (!out.timed_out.empty()) {
    out.verdict = FaultVerdict::kTimedOut;
    out.why = fmt::format("{} had no end", out.timed_out.front());
  } else if (tests.empty()) {
    out.why = fmt::format("no test of {} passes without it", fault.clause.id());
  } else {
    out.why = out.noticed_by.empty() ? fmt::format("{} tests passed", out.tests)
                                     : fmt::format("{} failed, by no assertion of {}", out.noticed_by.front(),
                                                   fault.clause.id());
  }
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

bool Strength::passes(const TestCase* test) {
  const auto& outcomes = clean_[plan_.run.settings.seed].outcomes;
  const auto found = outcomes.find(test);
  return found != outcomes.end() && found->second == Outcome::kPassed;
}

std::optional<const TestCase*> Strength::killed_with(uint64_t seed, const FaultInfo& fault,
                                                     const std::vector<const TestCase*>& tests) {
  if (!know_clean(tests, seed)) return std::nullopt;
  for (const TestCase* test : tests) {
    if (clean_[seed].outcomes[test] != Outcome::kPassed) continue;
    const auto records = run({test}, seed, &fault);
    if (!records) return std::nullopt;
    if (std::ranges::any_of(*records, [&](const TestRecord& record) { return kills(record, fault.clause); }))
      return test;
  }
  return nullptr;
}

bool Strength::repeat(std::vector<FaultRecord>& records, const std::function<void(uint64_t)>& begun) {
  const auto is_killed = [](const FaultRecord& record) { return record.verdict == FaultVerdict::kKilled; };
  for (uint32_t i = 1; i < plan_.seeds; ++i) {
    const uint64_t seed = plan_.run.settings.seed + i;
    begun(seed);
    // Without a fault, those that will be asked first: all in one run.
    std::vector<const TestCase*> first;
    for (const FaultRecord& record : records) {
      if (is_killed(record)) first.push_back(candidates_[record.fault].killers.front());
    }
    std::ranges::sort(first);
    first.erase(std::unique(first.begin(), first.end()), first.end());
    if (!know_clean(first, seed)) return false;
    for (FaultRecord& record : records) {
      if (!is_killed(record)) continue;
      Candidates& candidates = candidates_[record.fault];
      auto by = killed_with(seed, *record.fault, {candidates.killers.front()});
      if (by && *by == nullptr)
        by = killed_with(seed, *record.fault, {candidates.killers.begin() + 1, candidates.killers.end()});
      if (by && *by == nullptr) by = killed_with(seed, *record.fault, candidates.others);
      if (!by) return false;
      if (*by == nullptr) {
        record.verdict = FaultVerdict::kUnstable;
        const bool could = std::ranges::any_of(candidates.killers, [&](const TestCase* test) {
          return clean_[seed].outcomes[test] == Outcome::kPassed;
        });
        record.why = could ? fmt::format("not noticed with seed {}", seed)
                           : fmt::format("with seed {} no test that killed it passes without it", seed);
        continue;
      }
      ++record.seeds;
      if (std::ranges::find(record.repeated_by, (*by)->id) == record.repeated_by.end())
        record.repeated_by.push_back((*by)->id);
    }
  }
  return true;
}

}  // namespace xhal::conformance
