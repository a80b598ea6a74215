// SPDX-License-Identifier: Apache-2.0
#include "strength/generated.h"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <stdexcept>
#include <system_error>

#include "run/command.h"
#include "run/exit_codes.h"
#include "run/subject.h"
#include "strength/reason_list.h"

namespace xhal::conformance {

using namespace ending;
using faults::Census;
using faults::GeneratedFault;
using faults::kCalls;

namespace {

// What a run's processes count into, by the layer's option `calls`.
class CensusFile {
 public:
  CensusFile() : fd_(memfd_create("xhal-conform-census", 0)) {
    void* memory = MAP_FAILED;
    if (fd_ >= 0 && ftruncate(fd_, sizeof(Census)) == 0)
      memory = mmap(nullptr, sizeof(Census), PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
    if (memory == MAP_FAILED) throw std::system_error(errno, std::generic_category(), "memfd_create");
    census_ = static_cast<Census*>(memory);
  }
  ~CensusFile() {
    munmap(census_, sizeof(Census));
    close(fd_);
  }
  CensusFile(const CensusFile&) = delete;
  CensusFile& operator=(const CensusFile&) = delete;

  // A name that other processes of the run open.
  [[nodiscard]] std::string path() const { return fmt::format("/proc/{}/fd/{}", getpid(), fd_); }
  void clear() { std::memset(static_cast<void*>(census_), 0, sizeof(Census)); }
  [[nodiscard]] uint64_t lies() const { return __atomic_load_n(&census_->lies, __ATOMIC_RELAXED); }
  [[nodiscard]] uint64_t calls(size_t call) const {
    return __atomic_load_n(&census_->calls[call], __ATOMIC_RELAXED);
  }

 private:
  int fd_;
  Census* census_ = nullptr;
};

RunPlan with_layer(RunPlan plan, const std::string& fault, const CensusFile& census) {
  plan.target.environment.emplace_back("XHAL_LAYERS", "faults");
  plan.target.environment.emplace_back("XHAL_FAULTS", fmt::format("name={},calls={}", fault, census.path()));
  return plan;
}

class Silent : public RunListener {
 public:
  void begun(const TestCase& /*test*/) override {}
  void ended(const TestRecord& /*record*/, size_t /*done*/, size_t /*total*/) override {}
};

// What the tests of a run with a fault tell, until they have told enough.
class Watch {
 public:
  bool enough(const TestRecord& record) {
    ++tests_;
    const Outcome outcome = record.result.outcome;
    if (outcome == Outcome::kPassed || outcome == Outcome::kSkipped) return false;
    const std::string told = fmt::format("{}: {}", record.test->id, record.result.message);
    if (outcome == Outcome::kCrashed && crashes_++ == 0) crash_ = told;
    if (outcome == Outcome::kTimedOut && deadlines_++ == 0) deadline_ = told;
    if (outcome == Outcome::kFailed || outcome == Outcome::kRefused) {
      for (const Failure& failure : record.result.failures) {
        if (failure.clause.empty()) continue;
        killer_ = record.test;
        clause_ = failure.clause;
        return true;
      }
    }
    if (notice_.empty()) notice_ = told;
    return crashes_ >= kMostCrashes || deadlines_ >= kMostDeadlines;
  }

  [[nodiscard]] const TestCase* killer() const { return killer_; }
  void tell(GeneratedRecord& out) const {
    out.tests = tests_;
    if (killer_ != nullptr) {
      out.verdict = GeneratedVerdict::kKilled;
      out.killed_by = killer_->id;
      out.clause = clause_;
    } else if (crashes_ > 0) {
      out.verdict = GeneratedVerdict::kCrashed;
      out.why = crash_;
    } else if (deadlines_ > 0) {
      out.verdict = GeneratedVerdict::kTimedOut;
      out.why = deadline_;
    } else if (!notice_.empty()) {
      out.verdict = GeneratedVerdict::kNoticed;
      out.why = notice_;
    } else {
      out.verdict = GeneratedVerdict::kSurvived;
    }
  }

 private:
  // A test that runs to its end may still tell; those that hang cost too much to wait for many.
  static constexpr unsigned kMostCrashes = 30;
  static constexpr unsigned kMostDeadlines = 3;
  const TestCase* killer_ = nullptr;
  std::string clause_, crash_, deadline_, notice_;
  unsigned crashes_ = 0, deadlines_ = 0;
  size_t tests_ = 0;
};

// Listens to the run without a fault.
class Counting : public RunListener {
 public:
  explicit Counting(CensusFile& census) : census_(census) {}
  void begun(const TestCase& /*test*/) override { census_.clear(); }
  void ended(const TestRecord& record, size_t /*done*/, size_t /*total*/) override {
    auto& calls = calls_[record.test];
    for (size_t i = 0; i < faults::kCallCount; ++i) calls[i] = calls[i] || census_.calls(i) > 0;
  }
  [[nodiscard]] const std::array<bool, faults::kCallCount>& of(const TestCase* test) { return calls_[test]; }

 private:
  CensusFile& census_;
  std::map<const TestCase*, std::array<bool, faults::kCallCount>> calls_;
};

}  // namespace

std::string_view name_of(GeneratedVerdict verdict) {
  switch (verdict) {
    case GeneratedVerdict::kKilled:
      return "killed";
    case GeneratedVerdict::kSurvived:
      return "survived";
    case GeneratedVerdict::kNoticed:
      return "noticed";
    case GeneratedVerdict::kCrashed:
      return "crashed";
    case GeneratedVerdict::kTimedOut:
      return "timed_out";
    case GeneratedVerdict::kEquivalent:
      return "equivalent";
    case GeneratedVerdict::kNotApplicable:
      return "not applicable";
  }
  return "survived";
}

bool CallMap::learn(const RunPlan& run) {
  CensusFile census;
  RunPlan plan = with_layer(run, "none", census);
  // One after another: what is counted is of one test.
  plan.jobs = 1;
  Counting counting(census);
  bool interrupted = false;
  const auto records = run_tests(plan, counting, &interrupted);
  if (interrupted) return false;
  for (const TestRecord& record : records) {
    if (record.result.outcome != Outcome::kPassed) continue;
    const auto& calls = counting.of(record.test);
    tests_.push_back({record.test, calls, static_cast<size_t>(std::ranges::count(calls, true)),
                      record.result.milliseconds});
  }
  std::ranges::sort(tests_, [](const Seen& a, const Seen& b) {
    return std::tie(a.entries, a.milliseconds, a.test->id) < std::tie(b.entries, b.milliseconds, b.test->id);
  });
  return true;
}

std::vector<const TestCase*> CallMap::callers_of(size_t call) const {
  std::vector<const TestCase*> out;
  for (const Seen& seen : tests_) {
    if (seen.calls[call]) out.push_back(seen.test);
  }
  return out;
}

std::optional<GeneratedRecord> Generated::measure(const GeneratedFault& fault) {
  const auto begin = std::chrono::steady_clock::now();
  GeneratedRecord out;
  out.fault = fault;
  const auto not_applicable = [&](std::string why) {
    out.verdict = GeneratedVerdict::kNotApplicable;
    out.why = std::move(why);
    return out;
  };
  const faults::Call& call = kCalls[fault.call];
  if (!plan_.claims.claims(call.feature))
    return not_applicable(fmt::format("the device does not claim {}", feature_name(call.feature)));
  if (fault.how == faults::How::kOtherDevice && plan_.claims.device_count < 2)
    return not_applicable("the driver has one device");
  std::vector<const TestCase*> tests = map_.callers_of(fault.call);
  out.calling = tests.size();
  if (tests.empty()) {
    out.why = "no test calls it";
    return out;
  }
  // What found another fault of the entry is likely to find this one.
  std::vector<const TestCase*>& killers = killers_[fault.call];
  std::stable_partition(tests.begin(), tests.end(), [&](const TestCase* test) {
    return std::find(killers.begin(), killers.end(), test) != killers.end();
  });

  CensusFile census;
  RunPlan plan = with_layer(plan_.run, fault.name(), census);
  plan.tests = std::move(tests);
  Watch watch;
  plan.enough = [&](const TestRecord& record) { return watch.enough(record); };
  Silent silent;
  bool interrupted = false;
  run_tests(plan, silent, &interrupted);
  if (interrupted) return std::nullopt;
  watch.tell(out);
  out.lies = census.lies();
  if (out.verdict == GeneratedVerdict::kSurvived)
    out.why = out.lies == 0 ? fmt::format("{} tests never came to it", out.tests)
                            : fmt::format("{} tests passed", out.tests);
  if (watch.killer() != nullptr && std::ranges::find(killers, watch.killer()) == killers.end())
    killers.insert(killers.begin(), watch.killer());
  out.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return out;
}

Equivalents::Equivalents(const std::string& path) {
  std::vector<std::string> known;
  for (const GeneratedFault& fault : faults::generated_faults()) known.push_back(fault.name());
  try {
    for (const ReasonedEntry& entry : read_reasons(path, "equivalent", "faults")) {
      const auto driver = entry.words.find("driver");
      for (const ReasonedThing& one : entry.things) {
        const std::string& name = one.texts.front();
        if (std::ranges::find(known, name) == known.end())
          wrong_reasons(path, one.line, fmt::format("'{}' is no generated fault", name));
        const Entry reason = {entry.reason, driver == entry.words.end() ? "" : driver->second};
        if (!reasons_.emplace(name, reason).second)
          wrong_reasons(path, one.line, fmt::format("'{}' is listed twice", name));
      }
    }
  } catch (const std::runtime_error& error) {
    stop(kExitInternal, error.what());
  }
}

void Equivalents::keep_those_of(const std::string& driver) {
  std::erase_if(reasons_,
                [&](const auto& one) { return !one.second.driver.empty() && one.second.driver != driver; });
}

std::string Equivalents::reason(const std::string& fault) const {
  const auto found = reasons_.find(fault);
  return found == reasons_.end() ? "" : found->second.reason;
}

}  // namespace xhal::conformance
