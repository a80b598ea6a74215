// SPDX-License-Identifier: Apache-2.0
#include "evidence/examine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include "build_info.h"
#include "evidence/difference.h"
#include "frame/random.h"
#include "report/report_files.h"
#include "report/sha256.h"
#include "run/subject.h"
#include "run/verdict.h"
#include "run/waivers.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

// "memory.copy", or for a control what it is one of.
std::string told(const Step& step) {
  return step.fault == nullptr ? "test " + step.test->id
                               : fmt::format("control {} over {}", step.fault->name, step.test->id);
}

class Examiner {
 public:
  Examiner(const Bundle& bundle, const std::string& challenge, const std::string& share)
      : bundle_(bundle), transcript_(bundle.transcript), asked_(challenge), share_(share) {}

  Examination examine() {
    out_.findings = transcript_.findings;
    if (transcript_.header.is_null()) {
      find("transcript: it has no header, nothing of it can be checked");
      return std::move(out_);
    }
    try {
      if (!read_header()) return std::move(out_);
      expect_challenge();
      if (expect_steps()) {
        expect_outcomes();
        expect_report();
      } else {
        note("outcomes and report were not looked at: the transcript is of other steps");
      }
    } catch (const json::exception& error) {
      find("transcript: a field of it is of the wrong kind: {}", error.what());
    }
    return std::move(out_);
  }

 private:
  template <class... Args>
  void find(fmt::format_string<Args...> format, Args&&... args) {
    out_.findings.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  void note(std::string text) { out_.notes.push_back(std::move(text)); }

  // What the run was, before its first test. False where it was none of this suite.
  bool read_header() {
    try {
      const json& report = transcript_.header.at("report");
      const json& suite = report.at("suite");
      if (suite.at("version") != build::version() || suite.at("commit") != build::commit()) {
        find("suite: it ran {} commit {}, this is {} commit {}; build that commit to verify it",
             suite.at("version").get<std::string>(), suite.at("commit").get<std::string>(), build::version(),
             build::commit());
        return false;
      }
      if (suite.at("dirty") != build::dirty()) {
        find("suite: it ran {} uncommitted changes, this is {} them",
             suite.at("dirty").get<bool>() ? "with" : "without", build::dirty() ? "with" : "without");
      } else if (build::dirty()) {
        note(
            "the suite has uncommitted changes, that of the sender had some, too; nobody knows whether they "
            "are the same");
      }
      again_ = report_from_json(report);
      if (!again_.evidence) throw std::invalid_argument("no evidence");
      level_ = load_level(again_.level, share_ + "/levels");
    } catch (const LevelError& error) {
      find("level: {}", error.what());
      return false;
    } catch (const std::exception& error) {
      find("transcript line 1: its report cannot be read: {}", error.what());
      return false;
    }
    claims_ = claims_of(again_.device, again_.device_count);
    if (again_.kernels_sha256 != sha256_of_file(share_ + "/kernels/manifest.json"))
      note("the kernel pack is not the one that lies beside this program; look at what it holds");
    if (again_.level != level_.name)
      note(fmt::format("the level {} is a file of its own, and none of the suite's", again_.level));
    if (again_.evidence->kernel_names != "derived")
      note(fmt::format("kernels kept their names: {}", again_.evidence->kernel_names));
    return true;
  }

  void expect_challenge() {
    const std::string& named = again_.evidence->challenge;
    if (!asked_.empty() && named != asked_)
      find("challenge: the bundle answers '{}', not '{}'", named, asked_);
    if (transcript_.header.at("challenge") != named)
      find("challenge: line 1 of the transcript has two, '{}' and '{}'",
           transcript_.header.at("challenge").get<std::string>(), named);
    const Challenge challenge(asked_.empty() ? named : asked_, build::commit());
    if (again_.seed != challenge.seed())
      find("seed: it is {}, the challenge gives {}", again_.seed, challenge.seed());
    if (!again_.shuffled || again_.jobs != 1 || again_.shard || again_.resumed != 0)
      find("options: an answer to a challenge is one whole run, shuffled, one test at a time");

    std::vector<const TestCase*> selected;
    for (const TestCase* test : selected_tests(known_filters(), level_, claims_)) {
      if (why_not_applicable(*test, claims_).empty()) {
        selected.push_back(test);
      } else {
        skipped_.push_back(test);
      }
    }
    // As in the run: not the order of the seed that it names.
    shuffle(selected, challenge.seed());
    steps_ = schedule_of(challenge, selected, claims_);
  }

  // One that matches nothing would end the command.
  std::vector<std::string> known_filters() {
    std::vector<std::string> out;
    for (const std::string& filter : again_.filters) {
      const bool matches = std::ranges::any_of(
          checked_cases(), [&](const TestCase& test) { return glob_matches(filter, test.id); });
      if (matches) out.push_back(filter);
      if (!matches) find("options: the filter {} matches no test of this suite", filter);
    }
    if (!out.empty()) note("a filter left tests out, and nothing is said of them");
    return out;
  }

  // Each step has its entry, in this order. entry_of_[i] is that of step i. False where nobody can tell which belongs to which.
  bool expect_steps() {
    const auto& entries = transcript_.entries;
    entry_of_.assign(steps_.size(), nullptr);
    const bool cut =
        entries.size() < steps_.size() && std::ranges::equal(
                                              entries, std::span(steps_).first(entries.size()), {},
                                              [](const Transcript::Entry& entry) { return entry.test; },
                                              [](const Step& step) { return step.test->id; });
    if (cut) {
      for (size_t i = 0; i < entries.size(); ++i) entry_of_[i] = &entries[i];
      find("transcript: it ends behind {} of {} steps, the next one is {}", entries.size(), steps_.size(),
           told(steps_[entries.size()]));
      return true;
    }
    // What is missing and what is too much, by number: then the rest has an order.
    std::map<std::string, int> surplus;
    for (const auto& entry : entries) ++surplus[entry.test];
    for (const Step& step : steps_) --surplus[step.test->id];
    size_t at = 0;
    const auto is_added = [&] {
      if (surplus[entries[at].test] <= 0) return false;
      find("test {} at step {} was added: neither the level nor the challenge puts it there",
           entries[at].test, at);
      --surplus[entries[at].test];
      return true;
    };
    const auto is_missing = [&](size_t i) {
      if (surplus[steps_[i].test->id] >= 0) return false;
      find("{} is missing: it belongs to step {}", told(steps_[i]), i);
      ++surplus[steps_[i].test->id];
      return true;
    };
    for (size_t i = 0; i < steps_.size(); ++i) {
      const std::string& wanted = steps_[i].test->id;
      while (at < entries.size() && entries[at].test != wanted && is_added()) ++at;
      if (at < entries.size() && entries[at].test == wanted) {
        entry_of_[i] = &entries[at++];
      } else if (!is_missing(i)) {
        const std::string seen = at < entries.size() ? entries[at].test : "nothing";
        for (size_t k = i; k < steps_.size(); ++k) is_missing(k);
        for (; at < entries.size(); ++at) is_added();
        find("order: step {} is {}, the challenge puts {} there", i, seen, told(steps_[i]));
        return false;
      }
    }
    for (; at < entries.size(); ++at) is_added();
    return true;
  }

  void expect_outcomes() {
    again_.evidence->controls.clear();
    for (size_t i = 0; i < steps_.size(); ++i) {
      if (entry_of_[i] == nullptr) continue;
      const Step& step = steps_[i];
      if (entry_of_[i]->ends.empty()) {
        find("{} has no outcome: the run was interrupted in it", told(step));
        continue;
      }
      try {
        TestRecord record = record_from_json(entry_of_[i]->ends.back());
        record.waiver.reset();
        record.required = is_required(*record.test, level_, claims_);
        expect_fair(step, *entry_of_[i], record);
        if (step.fault == nullptr) {
          again_.tests.push_back(std::move(record));
        } else {
          again_.evidence->controls.push_back(control_of(step, i, record));
        }
      } catch (const std::exception& error) {
        find("{}: its outcome cannot be read: {}", told(step), error.what());
      }
    }
    if (std::ranges::none_of(steps_, [](const Step& step) { return step.fault != nullptr; }))
      find("controls: there are none that apply to this device");
  }

  void expect_fair(const Step& step, const Transcript::Entry& entry, const TestRecord& record) {
    const TestResult& result = record.result;
    const std::string word(name_of(result.outcome));
    if (step.fault != nullptr) {
      const ControlRecord control = control_of(step, 0, record);
      if (!control.noticed && is_bad(result.outcome))
        note(fmt::format("{} {}, by no assertion of {}; the verdict says so", told(step), word,
                         control.clause));
      if (!control.noticed && !is_bad(result.outcome))
        find("{} {}: it had to fail, by an assertion of {}", told(step), word, control.clause);
    }
    if (entry.begins > 1 && !is_bad(result.outcome))
      find("{} was begun {} times and {}", told(step), entry.begins, word);
    if (entry.ends.size() > 1 && !is_bad(result.outcome))
      find("{} ended {} times, at last as {}", told(step), entry.ends.size(), word);
    if (result.outcome == Outcome::kSkipped && !step.test->definition->info.may_be_unobservable)
      find("{} was skipped, and applies to the device", told(step));
    const std::string_view why = step.test->definition->info.not_bit_exact;
    if (result.outcome == Outcome::kPassed && why.empty() && result.digest.empty())
      find("{} has no digest", told(step));
    if (!why.empty() && !result.digest.empty())
      find("{} has a digest, and is not bit-exact: {}", told(step), why);
    if (!result.failures.empty() && !is_bad(result.outcome))
      find("{} {}, and has failed assertions", told(step), word);
  }

  // The report follows from the transcript.
  void expect_report() {
    for (const TestCase* test : skipped_) {
      TestRecord record;
      record.test = test;
      record.required = is_required(*test, level_, claims_);
      record.result.outcome = Outcome::kSkipped;
      record.result.message = why_not_applicable(*test, claims_);
      again_.tests.push_back(std::move(record));
    }
    std::set<const TestCase*> seen;
    for (const TestRecord& record : again_.tests) seen.insert(record.test);
    for (const Step& step : steps_) {
      if (step.fault == nullptr && !seen.contains(step.test)) again_.not_run.push_back(step.test);
    }
    std::ranges::sort(again_.not_run, {}, &TestCase::id);
    again_.incomplete = !again_.not_run.empty();
    again_.seconds = transcript_.seconds;
    again_.evidence->transcript_lines = transcript_.lines;
    again_.evidence->transcript_head = transcript_.head;
    conclude(again_, level_, claims_, share_);
    const json made = json::parse(json_text(json_report(again_)));
    for (std::string& one : differences(made, bundle_.report))
      out_.findings.push_back("report: " + std::move(one));
    if (!transcript_.seal) {
      find("transcript: it has no seal, the run did not come to its end");
    } else if (*transcript_.seal != bundle_.report_hash) {
      find("report: its bytes are not the ones that the transcript's last line was made of");
    }
    out_.again = std::move(again_);
  }

  const Bundle& bundle_;
  const Transcript& transcript_;
  const std::string& asked_;
  const std::string& share_;
  Examination out_;
  Report again_;
  Level level_;
  Claims claims_;
  std::vector<const TestCase*> skipped_;
  std::vector<Step> steps_;
  std::vector<const Transcript::Entry*> entry_of_;
};

}  // namespace

Examination examine(const Bundle& bundle, const std::string& challenge, const std::string& share_directory) {
  return Examiner(bundle, challenge, share_directory).examine();
}

}  // namespace xhal::conformance
