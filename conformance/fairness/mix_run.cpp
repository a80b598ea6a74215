// SPDX-License-Identifier: Apache-2.0
#include "fairness/mix_run.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <set>
#include <span>

#include "frame/random.h"
#include "report/print.h"
#include "run/subject.h"
#include "run/verdict.h"

namespace xhal::conformance {

namespace {

class Counting : public RunListener {
 public:
  explicit Counting(std::map<std::string, uint64_t>& into) : into_(into) {}
  void begun(const TestCase&) override {}
  void ended(const TestRecord&, size_t, size_t) override {}
  void was_odd(const OddnessCounts& counts) override {
    for (const auto& [name, count] : counts) into_[name] += count;
  }

 private:
  std::map<std::string, uint64_t>& into_;
};

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

// What the user has set stays: layers below the variants, and of a key of the simulator's that stands twice the last one counts.
std::vector<std::pair<std::string, std::string>> environment_of(const Mix& mix) {
  const std::string layers = variable("XHAL_LAYERS");
  // Always there, since it tells the numbers.
  const std::string layer = mix.layer();
  std::vector<std::pair<std::string, std::string>> out = {
      {"XHAL_LAYERS", layers.empty() ? "variants" : "variants," + layers},
      {"XHAL_VARIANTS", "name=" + (layer.empty() ? "none" : layer)}};
  if (const std::string own = mix.simulator(); !own.empty()) {
    const std::string set = variable("XHAL_SIM");
    out.emplace_back("XHAL_SIM", set.empty() ? own : fmt::format("{},{}", set, own));
  }
  return out;
}

std::string rerun_command(const Mix& mix, const MixPlan& plan, uint64_t seed, const std::string& test) {
  std::string out;
  for (const auto& [name, value] : environment_of(mix)) out += fmt::format("{}={} ", name, shell_word(value));
  const Target& target = plan.options.target;
  out += target.driver_path.empty() ? "xhal-conform --backend " + shell_word(target.backend)
                                    : "xhal-conform --driver " + shell_word(target.driver_path);
  if (target.kernel_directory != plan.options.share_directory + "/kernels")
    out += " --kernels " + shell_word(target.kernel_directory);
  return out + fmt::format(" --device {} --level {} --seed {} --filter {}", target.device_index,
                           shell_word(plan.options.level), seed, shell_word(test));
}

MixFailure failure_of(const TestRecord& record, uint64_t seed, std::string rerun) {
  MixFailure out;
  out.test = record.test->id;
  out.seed = seed;
  out.outcome = name_of(record.result.outcome);
  std::set<std::string> clauses;
  for (const Failure& failure : record.result.failures) {
    if (!failure.clause.empty()) clauses.insert(failure.clause);
  }
  out.clauses.assign(clauses.begin(), clauses.end());
  out.message = record.result.message;
  if (out.message.empty() && !record.result.failures.empty())
    out.message = to_string(record.result.failures.front());
  out.rerun = std::move(rerun);
  return out;
}

// One seed. False when interrupted.
bool run_seed(const Mix& mix, const MixPlan& plan, const Target& target, const Probe& found, uint64_t seed,
              MixRecord& out) {
  const FairnessOptions& options = plan.options;
  const Claims claims = claims_of(found);
  Report report;
  report.filters = options.filters;
  RunPlan run;
  run.target = target;
  run.settings = settings_of(target, seed, found);
  run.deadline_s = options.test_deadline_s > 0 ? options.test_deadline_s : deadline_of(run.settings);
  run.jobs = options.jobs;
  run.interrupt_fd = plan.interrupt_fd;
  run.count_oddness = true;
  run.required = [&](const TestCase& test) { return is_required(test, plan.level, claims); };
  for (const TestCase* test : selected_tests(options.filters, plan.level, claims)) {
    if (const std::string why = why_not_applicable(*test, claims); why.empty()) {
      run.tests.push_back(test);
    } else {
      TestRecord& skipped = report.tests.emplace_back();
      skipped.test = test;
      skipped.result.outcome = Outcome::kSkipped;
      skipped.result.message = why;
    }
  }
  shuffle(run.tests, seed);
  Counting counting(out.oddness);
  bool interrupted = false;
  for (TestRecord& record : run_tests(run, counting, &interrupted)) report.tests.push_back(std::move(record));
  if (interrupted) return false;
  std::ranges::sort(report.tests, {}, [](const TestRecord& one) { return one.test->id; });
  const LevelVerdict verdict = judge(report, plan.level, claims);
  for (const Outcome outcome : kOutcomes) out.totals[std::string(name_of(outcome))] += report.count(outcome);
  for (const TestRecord& record : report.tests) {
    const Outcome outcome = record.result.outcome;
    const bool unobservable =
        outcome == Outcome::kSkipped && record.test->definition->info.may_be_unobservable;
    const bool missed = outcome == Outcome::kSkipped && record.required && !unobservable;
    if (!is_bad(outcome) && !missed) continue;
    out.failures.push_back(failure_of(record, seed, rerun_command(mix, plan, seed, record.test->id)));
  }
  if (verdict.verdict == Verdict::kConformant || verdict.verdict == Verdict::kNotJudged) return true;
  out.verdict = MixVerdict::kNotConformant;
  if (out.why.empty()) out.why = verdict.reasons.empty() ? "" : verdict.reasons.front();
  return true;
}

}  // namespace

std::string_view name_of(MixVerdict verdict) {
  switch (verdict) {
    case MixVerdict::kConformant:
      return "conformant";
    case MixVerdict::kNotJudged:
      return "not judged";
    case MixVerdict::kNotConformant:
      return "not conformant";
    case MixVerdict::kNeverOdd:
      return "never odd";
    case MixVerdict::kTakenApart:
      return "taken apart";
    case MixVerdict::kBroken:
      return "broken";
    case MixVerdict::kNotApplicable:
      return "not applicable";
  }
  return "broken";
}

std::string why_not(const Variant& variant, const Probe& base) {
  if (!variant.simulator.empty() && base.driver.value("name", "") != "sim")
    return fmt::format("{} is made by an option of the simulator", variant.name);
  if (!claims_of(base).claims(variant.needs))
    return fmt::format("{} needs {}, which the device does not claim", variant.name,
                       feature_name(variant.needs));
  return "";
}

std::optional<MixRecord> run_mix(const Mix& mix, const MixPlan& plan) {
  const auto begin = std::chrono::steady_clock::now();
  MixRecord out;
  out.mix = mix;
  for (const std::string& name : mix.counts()) out.oddness[name] = 0;
  for (const Variant* variant : mix.variants) {
    if (out.why = why_not(*variant, plan.base); !out.why.empty()) return out;
  }
  const auto seconds = [&] {
    out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return out;
  };
  Target target = plan.options.target;
  target.environment = environment_of(mix);
  const Probe found = probe(target, plan.options.entry_deadline_s, plan.interrupt_fd);
  if (found.ending == Probe::Ending::kInterrupted) return std::nullopt;
  if (found.ending != Probe::Ending::kOpened || target.device_index >= found.devices.size()) {
    out.verdict = MixVerdict::kBroken;
    out.why = found.text.empty() ? "its devices are gone" : found.text;
    return seconds();
  }
  out.verdict = plan.options.filters.empty() ? MixVerdict::kConformant : MixVerdict::kNotJudged;
  for (uint32_t i = 0; i < plan.options.seeds; ++i) {
    if (!run_seed(mix, plan, target, found, *plan.options.seed + i, out)) return std::nullopt;
  }
  // Layer and simulator also count what was not asked for.
  const std::vector<std::string> wanted = mix.counts();
  std::erase_if(out.oddness,
                [&](const auto& one) { return std::ranges::find(wanted, one.first) == wanted.end(); });
  if (out.verdict == MixVerdict::kNotConformant) return seconds();
  for (const auto& [name, count] : out.oddness) {
    if (count != 0) continue;
    out.verdict = mix.variants.size() > 2 ? MixVerdict::kTakenApart : MixVerdict::kNeverOdd;
    out.why = fmt::format("its oddness never happened: {} is 0 after {} tests", name, out.totals["passed"]);
  }
  return seconds();
}

std::vector<Mix> pairs_of_hidden(const MixRecord& record) {
  const auto is_hidden = [&](const Variant* variant) {
    return std::ranges::any_of(variant->counts,
                               [&](const std::string& name) { return record.oddness.at(name) == 0; });
  };
  std::vector<Mix> out;
  for (const Pair& pair : pairs_of(record.mix.variants)) {
    if (std::ranges::any_of(pair.mix.variants, is_hidden)) out.push_back(pair.mix);
  }
  return out;
}

nlohmann::json json_of(const MixRecord& record) {
  nlohmann::json variants = nlohmann::json::array();
  for (const Variant* variant : record.mix.variants) {
    nlohmann::json clauses = nlohmann::json::array();
    for (const Clause clause : variant->clauses) clauses.push_back(clause.id());
    variants.push_back(
        {{"name", variant->name}, {"what", variant->what}, {"clauses", clauses}, {"why", variant->why}});
  }
  nlohmann::json failures = nlohmann::json::array();
  for (const MixFailure& failure : record.failures) {
    failures.push_back({{"test", failure.test},
                        {"seed", failure.seed},
                        {"outcome", failure.outcome},
                        {"clauses", failure.clauses},
                        {"message", failure.message},
                        {"rerun", failure.rerun}});
  }
  return {{"name", record.mix.name()},
          {"mix", variants},
          {"layer", record.mix.layer()},
          {"simulator", record.mix.simulator()},
          {"verdict", name_of(record.verdict)},
          {"why", record.why},
          {"oddness", record.oddness},
          {"totals", record.totals},
          {"failures", failures},
          {"seconds", record.seconds}};
}

void print_record(std::FILE* out, const MixRecord& record) {
  std::string odd;
  for (const auto& [name, count] : record.oddness)
    odd += fmt::format("{}{} {}", odd.empty() ? "" : ", ", name, count);
  if (record.verdict == MixVerdict::kNotApplicable) {
    print(out, "{:<15} {}: {}\n", name_of(record.verdict), record.mix.name(), record.why);
    return;
  }
  const auto total = [&](const char* name) {
    const auto found = record.totals.find(name);
    return found == record.totals.end() ? uint64_t{0} : found->second;
  };
  print(out, "{:<15} {}: {} passed, {} skipped, odd: {}, {:.1f} s{}{}\n", name_of(record.verdict),
        record.mix.name(), total("passed"), total("skipped"), odd, record.seconds,
        record.why.empty() ? "" : ": ", one_line(record.why));
  constexpr size_t kShown = 10;
  for (const MixFailure& failure :
       std::span(record.failures).first(std::min(kShown, record.failures.size()))) {
    conformance::print(out, "  {} {} {}: {}\n    {}\n", failure.outcome, failure.test,
                       fmt::join(failure.clauses, " "), one_line(failure.message), failure.rerun);
  }
  if (record.failures.size() > kShown)
    print(out, "  and {} more; --json has them\n", record.failures.size() - kShown);
}

}  // namespace xhal::conformance
