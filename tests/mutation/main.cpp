// SPDX-License-Identifier: Apache-2.0
// mutation: judges the simulator with one small change after the other, and tells which the suite notices.
//
// A change is killed when an assertion fails in a test that passes without it, by the same seed. Crashes and deadlines are counted
// apart. What no test reaches is not run: it survives, unless equivalent.toml says why nobody can see it.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "build_info.h"
#include "equivalents.hpp"
#include "frame/random.h"
#include "report/print.h"
#include "run/command.h"
#include "run/exit_codes.h"
#include "run/runner.h"
#include "run/subject.h"
#include "run/worker.h"

namespace {

using namespace xhal::conformance;
using namespace xhal::ending;
namespace fs = std::filesystem;

struct Settings {
  uint64_t seed = 1;
  unsigned shard = 1;
  unsigned shards = 1;
  double deadline_s = 20;
  std::string json;
  std::vector<uint32_t> ids;
};

// Watches a run, and ends it as soon as it has told enough.
class Watch : public RunListener {
 public:
  explicit Watch(const std::set<const TestCase*>& sound) : sound_(sound) {
    if (pipe(stop_) != 0) stop(kExitInternal, "no pipe");
  }
  ~Watch() override {
    close(stop_[0]);
    close(stop_[1]);
  }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  void begun(const TestCase& /*test*/) override {}
  void ended(const TestRecord& record, size_t /*done*/, size_t /*total*/) override {
    if (!sound_.contains(record.test)) return;
    switch (record.result.outcome) {
      case Outcome::kPassed:
      case Outcome::kSkipped:
        return;
      case Outcome::kCrashed:
        ++crashed_;
        break;
      case Outcome::kTimedOut:
        ++timed_out_;
        break;
      default:
        // A call that the test only needed does not judge; neither does one that fails now and then.
        for (const Failure& failure : record.result.failures) {
          if (!failure.clause.empty() && record.result.outcome == Outcome::kFailed)
            killer_ = record.test->id + " " + failure.clause;
        }
        ++other_;
    }
    if (!killer_.empty() || crashed_ >= kMostCrashes || timed_out_ >= kMostDeadlines) enough();
  }

  [[nodiscard]] int stop_fd() const { return stop_[0]; }
  [[nodiscard]] const std::string& killer() const { return killer_; }
  [[nodiscard]] std::string verdict() const {
    if (!killer_.empty()) return "killed";
    if (crashed_ > 0) return "crashed";
    if (timed_out_ > 0) return "timed_out";
    return other_ > 0 ? "noticed" : "survived";
  }

 private:
  // A test that runs to its end may still tell why; deadlines cost too much to wait for many.
  static constexpr unsigned kMostCrashes = 50;
  static constexpr unsigned kMostDeadlines = 3;
  void enough() const { static_cast<void>(!write(stop_[1], "x", 1)); }

  const std::set<const TestCase*>& sound_;
  int stop_[2] = {-1, -1};
  std::string killer_;
  unsigned crashed_ = 0, timed_out_ = 0, other_ = 0;
};

class Mutation {
 public:
  explicit Mutation(const Settings& settings) : settings_(settings) {
    target_.driver_path = MUTANTS_MANIFEST;
    const fs::path program = fs::read_symlink("/proc/self/exe");
    target_.kernel_directory =
        (program.parent_path().parent_path().parent_path() / "share/xhal/kernels").string();
    const auto file = nlohmann::json::parse(std::ifstream(MUTANTS_FILE));
    mutants_ = file.at("mutants");
    nlohmann::json places = file.at("others");
    places.insert(places.end(), mutants_.begin(), mutants_.end());
    for (const std::string& entry : equivalents_.stale(places))
      stop(kExitUsage, "equivalent.toml, " + entry + ": the simulator has no such place (any more)");
    std::string folder = (fs::temp_directory_path() / "mutation-XXXXXX").string();
    if (mkdtemp(folder.data()) == nullptr) stop(kExitInternal, "no temporary folder " + folder);
    folder_ = folder;
  }
  ~Mutation() { fs::remove_all(folder_); }
  Mutation(const Mutation&) = delete;
  Mutation& operator=(const Mutation&) = delete;

  int run() {
    take_up();
    run_clean();
    for (nlohmann::json& mutant : mutants_) {
      const auto id = mutant.at("id").get<uint32_t>();
      const bool is_wanted = settings_.ids.empty()
                                 ? id % settings_.shards == settings_.shard - 1
                                 : std::ranges::find(settings_.ids, id) != settings_.ids.end();
      if (!is_wanted) continue;
      if (!mutant.contains("verdict")) {
        judge(mutant, id);
        keep();
      }
      ++counts_[mutant["verdict"].get<std::string>()];
    }
    return tell();
  }

 private:
  [[nodiscard]] RunPlan plan(uint32_t id) const {
    RunPlan plan;
    plan.target = target_;
    plan.target.environment = {{"XHAL_SIM_MUTANT", std::to_string(id)}};
    plan.settings = run_settings_;
    plan.deadline_s = settings_.deadline_s;
    plan.required = [](const TestCase&) { return true; };
    return plan;
  }

  void run_clean() {
    const Probe found = probed(target_, 60, -1);
    const Claims claims = claims_of(found);
    run_settings_ = settings_of(target_, settings_.seed, found);
    // What must happen happens soon here; a change that loses it is noticed by that.
    run_settings_.patience_ns = 2'000'000'000;
    std::vector<const TestCase*> tests;
    for (const TestCase& test : checked_cases()) {
      if (why_not_applicable(test, claims).empty()) tests.push_back(&test);
    }
    shuffle(tests, settings_.seed);
    RunPlan clean = plan(0);
    clean.tests = tests;
    const fs::path reached = folder_ / "reached";
    clean.target.environment.emplace_back("XHAL_SIM_REACHED", reached.string());
    Watch watch(sound_);
    bool interrupted = false;
    for (const TestRecord& record : run_tests(clean, watch, &interrupted)) {
      const Outcome outcome = record.result.outcome;
      if (outcome == Outcome::kPassed) sound_.insert(record.test);
      // A figure that was measured with a part of the tests looks like any other.
      if (outcome != Outcome::kPassed && outcome != Outcome::kSkipped)
        stop(kExitMisbehaved,
             fmt::format("{} is {} on the simulator as it is", record.test->id, name_of(outcome)));
    }
    for (const TestCase* test : tests) {
      if (sound_.contains(test)) tests_.push_back(test);
    }
    std::ifstream bytes(reached, std::ios::binary);
    reached_.assign(std::istreambuf_iterator<char>(bytes), {});
    print(stdout, "{} of {} tests pass on the simulator as it is; {} mutants in this build\n", tests_.size(),
          tests.size(), mutants_.size());
  }

  void judge(nlohmann::json& mutant, uint32_t id) {
    std::string verdict = "not reached";
    std::string killer;
    if (id < reached_.size() && reached_[id] != 0) {
      Watch watch(sound_);
      RunPlan mutated = plan(id);
      mutated.tests = tests_;
      mutated.interrupt_fd = watch.stop_fd();
      bool interrupted = false;
      run_tests(mutated, watch, &interrupted);
      verdict = watch.verdict();
      killer = watch.killer();
      // What found one change is likely to find the next, which often stands beside it.
      const auto by = std::ranges::find_if(
          tests_, [&](const TestCase* test) { return killer.starts_with(test->id + " "); });
      if (by != tests_.end()) std::rotate(tests_.begin(), by, by + 1);
    }
    const std::string reason = equivalents_.reason(mutant);
    if (!reason.empty() && verdict != "killed") {
      verdict = "equivalent";
      mutant["reason"] = reason;
    }
    if (!reason.empty() && verdict == "killed") not_equivalent_.push_back(id);
    mutant["verdict"] = verdict;
    mutant["killed_by"] = killer;
    if (verdict != "killed" && verdict != "equivalent")
      print(stdout, "{:<11} {} {}:{} {}: {}\n", verdict, id, mutant["file"].get<std::string>(),
            mutant["line"].get<int>(), mutant["kind"].get<std::string>(),
            first_line(mutant["original"]) + " -> " + first_line(mutant["mutated"]));
    std::fflush(stdout);
  }

  static std::string first_line(const nlohmann::json& text) {
    const auto whole = text.get<std::string>();
    return one_line(whole.substr(0, std::min<size_t>(whole.find('\n'), 100)));
  }

  // What an interrupted run of the same build, seed and shard has judged is not judged again.
  void take_up() {
    if (settings_.json.empty() || !fs::exists(settings_.json)) return;
    const auto before = nlohmann::json::parse(std::ifstream(settings_.json), nullptr, false);
    if (!before.is_object()) stop(kExitUsage, settings_.json + " is no result of this program");
    const nlohmann::json mine = identity();
    for (const auto& [name, value] : mine.items()) {
      if (before.value(name, nlohmann::json()) != value)
        stop(kExitUsage,
             fmt::format("{} is of another run: its {} is {}, not {}; name another file", settings_.json,
                         name, before.value(name, nlohmann::json()).dump(), value.dump()));
    }
    std::map<uint32_t, nlohmann::json> known;
    for (const auto& mutant : before.at("mutants")) known[mutant.at("id")] = mutant;
    for (nlohmann::json& mutant : mutants_) {
      const auto found = known.find(mutant.at("id"));
      if (found != known.end()) mutant = found->second;
    }
    if (!known.empty()) print(stdout, "{} were judged before\n", known.size());
  }

  [[nodiscard]] nlohmann::json identity() const {
    return {{"schema", "xhal-mutation/1"},
            {"suite_commit", xhal::build::commit()},
            {"seed", settings_.seed},
            {"shard", fmt::format("{}/{}", settings_.shard, settings_.shards)}};
  }

  // Written behind every mutant: these runs are long, and may be ended.
  void keep() const {
    if (settings_.json.empty()) return;
    nlohmann::json report = identity();
    report["mutants"] = nlohmann::json::array();
    for (const nlohmann::json& mutant : mutants_) {
      if (mutant.contains("verdict")) report["mutants"].push_back(mutant);
    }
    const auto killed = std::ranges::count_if(
        report["mutants"], [](const nlohmann::json& mutant) { return mutant["verdict"] == "killed"; });
    report["killed"] = killed;
    report["total"] = report["mutants"].size();
    const std::string part = settings_.json + ".part";
    std::ofstream out(part);
    out << report.dump(1) << "\n";
    out.close();
    if (!out) stop(kExitInternal, "cannot write " + part);
    fs::rename(part, settings_.json);
  }

  int tell() {
    size_t total = 0;
    for (const auto& [verdict, count] : counts_) total += count;
    if (total == 0) stop(kExitNothing, "no mutant has such a number, or the shard is empty");
    for (const auto& [verdict, count] : counts_) print(stdout, "{} {}\n", count, verdict);
    total -= counts_["equivalent"];
    const auto tell_share = [&](const char* what, size_t part) {
      print(stdout, "{} {} of {}: {:.1f} %\n", what, part, total,
            total == 0 ? 0 : 100.0 * static_cast<double>(part) / static_cast<double>(total));
    };
    tell_share("killed by an assertion", counts_["killed"]);
    tell_share("or noticed by a crash or a deadline",
               counts_["killed"] + counts_["crashed"] + counts_["timed_out"]);
    for (const uint32_t id : not_equivalent_)
      print(stdout, "{} is listed as equivalent and was killed: take it out of equivalent.toml\n", id);
    return not_equivalent_.empty() ? kExitOk : kExitUsage;
  }

  const Settings settings_;
  Target target_;
  RunSettings run_settings_;
  const xhal::mutation::Equivalents equivalents_{EQUIVALENT_FILE};
  std::vector<uint32_t> not_equivalent_;
  nlohmann::json mutants_;
  fs::path folder_;
  std::set<const TestCase*> sound_;     // pass without a change
  std::vector<const TestCase*> tests_;  // the same, the likely killers first
  std::vector<char> reached_;
  std::map<std::string, size_t> counts_;
};

int mutate(int argc, char** argv) {
  Settings settings;
  std::string shard = "1/1";
  CLI::App app{"Runs the suite on the simulator with one small change after the other.", "mutation"};
  app.add_option("--seed", settings.seed, "of the suite")->capture_default_str();
  app.add_option("--shard", shard, "I/N: every N-th mutant, from the I-th")->capture_default_str();
  app.add_option("--timeout", settings.deadline_s, "seconds for one test")
      ->check(CLI::Range(1.0, 3600.0))
      ->capture_default_str();
  app.add_option("--mutant", settings.ids, "only the mutant of this number (repeatable)")
      ->allow_extra_args(false);
  app.add_option("--json", settings.json,
                 "a file for all verdicts; one that an interrupted run left is gone on with");
  CLI11_PARSE(app, argc, argv);
  if (std::sscanf(shard.c_str(), "%u/%u", &settings.shard, &settings.shards) != 2 || settings.shard < 1 ||
      settings.shard > settings.shards) {
    print(stderr, "mutation: --shard {}: write I/N with I from 1 to N\n", shard);
    return kExitUsage;
  }
  return ended([&] { return Mutation(settings).run(); });
}

}  // namespace

int main(int argc, char** argv) {
  int worker_code = 0;
  if (run_as_worker(argc, argv, &worker_code)) return worker_code;
  return mutate(argc, argv);
}
