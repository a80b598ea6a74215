// SPDX-License-Identifier: Apache-2.0
#include "run/runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <map>
#include <optional>

#include "run/protocol.h"
#include "run/worker_process.h"

namespace xhal::conformance {

namespace {

using Clock = WorkerProcess::Clock;

// A fresh process now and then, so that what a driver leaks or corrupts slowly does not reach every later test.
constexpr unsigned kTestsAWorker = 64;

Clock::time_point in_seconds(double seconds) {
  return Clock::now() + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
}

std::string last_line(const std::string& log) {
  const size_t end = log.find_last_not_of("\n\r ");
  if (end == std::string::npos) return {};
  const size_t begin = log.find_last_of('\n', end);
  return one_line(log.substr(begin + 1, end - begin));
}

std::string with_last_call(const WorkerProcess& worker, std::string text) {
  const auto calls = worker.trail().last_calls();
  if (!calls.empty()) text += "; last call: " + calls.back();
  return text;
}

// One place where tests run, one after another.
class Slot {
 public:
  Slot(const RunPlan& plan, RunListener& listener) : plan_(plan), listener_(listener) {}

  [[nodiscard]] bool busy() const { return running_ != nullptr || closing_; }
  [[nodiscard]] WorkerProcess* worker() const { return worker_.get(); }
  [[nodiscard]] Clock::time_point deadline() const { return busy() ? deadline_ : Clock::time_point::max(); }
  // The test that has just ended; asked once.
  std::optional<TestRecord> take() { return std::exchange(finished_, std::nullopt); }
  // Whether other tests ran in the worker before the one that has ended.
  [[nodiscard]] bool had_company() const { return had_company_; }

  // False: the worker in place must close first; ask again when it has.
  bool start(const TestCase& test, bool alone) {
    if (worker_ != nullptr && (alone || retire_ || tests_run_ >= kTestsAWorker)) {
      close();
      return false;
    }
    if (worker_ == nullptr) {
      worker_ = std::make_unique<WorkerProcess>();
      worker_->send({{"do", "setup"},
                     {"target", to_json(plan_.target)},
                     {"settings", to_json(plan_.settings)},
                     {"count_oddness", plan_.count_oddness}});
      tests_run_ = 0;
      retire_ = false;
    }
    had_company_ = tests_run_ > 0;
    ++tests_run_;
    running_ = &test;
    retire_ = alone;
    failures_.clear();
    worker_->clear_log();
    deadline_ = in_seconds(plan_.deadline_s);
    listener_.begun(test);
    worker_->send({{"do", "run"}, {"test", test.id}});
    return true;
  }

  // Lets the driver close and the process leave, which is a part of the last test.
  void close() {
    if (worker_ == nullptr || closing_) return;
    worker_->clear_log();
    worker_->send({{"do", "close"}});
    closing_ = true;
    deadline_ = in_seconds(plan_.deadline_s);
  }

  // What went wrong after the end of the last test, in its worker's close.
  std::optional<TestResult> take_trouble_at_close() { return std::exchange(trouble_at_close_, std::nullopt); }
  [[nodiscard]] const TestCase* last_test() const { return last_; }

  void step() {
    if (worker_ == nullptr) return;
    worker_->pump();
    while (auto message = worker_->next()) handle(*message);
    const bool late = busy() && Clock::now() >= deadline_;
    if (running_ != nullptr) {
      if (worker_->exited()) {
        end_by(Outcome::kCrashed, worker_->ending(false));
      } else if (worker_->lost()) {
        end_by(Outcome::kCrashed, "the worker's answers became garbage");
      } else if (late) {
        end_by(Outcome::kTimedOut, fmt::format("no end within {:.0f} s", plan_.deadline_s));
      }
    } else if (closing_) {
      if (worker_->exited()) {
        end_close(Outcome::kCrashed, worker_->ending(closed_));
      } else if (late) {
        end_close(Outcome::kTimedOut, fmt::format("no end within {:.0f} s", plan_.deadline_s));
      }
    } else if (worker_->exited()) {
      end_close(Outcome::kCrashed, worker_->ending(false));
    }
  }

 private:
  void handle(const nlohmann::json& message) {
    const std::string what = message.value("what", "");
    if (what == "failure" && running_ != nullptr) {
      failures_.push_back(failure_from_json(message.value("failure", nlohmann::json::object())));
    } else if (what == "result" && running_ != nullptr) {
      end(result_from_json(message.value("result", nlohmann::json::object())));
    } else if (what == "oddness") {
      listener_.was_odd(message.value("counts", OddnessCounts()));
    } else if (what == "closed") {
      closed_ = true;
    }
  }

  void end(TestResult result) {
    TestRecord record;
    record.test = running_;
    record.result = std::move(result);
    if (is_bad(record.result.outcome)) {
      record.log = worker_->log();
      record.last_calls = worker_->trail().last_calls();
      retire_ = true;
    }
    last_ = running_;
    running_ = nullptr;
    finished_ = std::move(record);
  }

  void end_by(Outcome outcome, const std::string& how) {
    worker_->kill();
    worker_->pump();
    TestResult result;
    result.outcome = outcome;
    result.failures = failures_;
    result.message = with_last_call(*worker_, how);
    if (!failures_.empty()) result.message = to_string(failures_.front()) + "; then " + result.message;
    const std::string line = last_line(worker_->log());
    if (!line.empty()) result.message += "; it printed: " + line;
    result.milliseconds =
        (plan_.deadline_s - std::chrono::duration<double>(deadline_ - Clock::now()).count()) * 1000;
    end(std::move(result));
    worker_.reset();
  }

  void end_close(Outcome outcome, const std::string& how) {
    if (!how.empty()) {
      TestResult trouble;
      trouble.outcome = outcome;
      trouble.message = with_last_call(
          *worker_, fmt::format("behind the test, while {}: {}", worker_->trail().stage(), how));
      const std::string line = last_line(worker_->log());
      if (!line.empty()) trouble.message += "; it printed: " + line;
      trouble_at_close_ = std::move(trouble);
    }
    worker_.reset();
    closing_ = false;
    closed_ = false;
  }

  const RunPlan& plan_;
  RunListener& listener_;
  std::unique_ptr<WorkerProcess> worker_;
  unsigned tests_run_ = 0;
  bool retire_ = false;  // the next test gets a fresh worker
  bool had_company_ = false;
  const TestCase* running_ = nullptr;
  const TestCase* last_ = nullptr;
  std::vector<Failure> failures_;
  Clock::time_point deadline_{};
  bool closing_ = false;
  bool closed_ = false;
  std::optional<TestRecord> finished_;
  std::optional<TestResult> trouble_at_close_;
};

class Runner {
 public:
  Runner(const RunPlan& plan, RunListener& listener) : plan_(plan), listener_(listener) {
    for (const TestCase* test : plan.tests)
      waiting_.push_back({test, test->definition->info.isolated, false});
    for (unsigned i = 0; i < std::max(1u, plan.jobs); ++i)
      slots_.push_back(std::make_unique<Slot>(plan, listener));
  }

  std::vector<TestRecord> run(bool* interrupted) {
    *interrupted = false;
    while (!finished()) {
      for (const auto& slot : slots_) feed(*slot);
      if (wait()) {
        *interrupted = true;
        break;
      }
      for (const auto& slot : slots_) collect(*slot);
    }
    return std::move(records_);
  }

 private:
  struct Waiting {
    const TestCase* test;
    bool alone;
    bool again;  // alone, after it went wrong in company
  };

  bool finished() const {
    return waiting_.empty() && std::all_of(slots_.begin(), slots_.end(),
                                           [](const auto& slot) { return slot->worker() == nullptr; });
  }

  void feed(Slot& slot) {
    if (slot.busy()) return;
    if (waiting_.empty()) {
      slot.close();
    } else if (slot.start(*waiting_.front().test, waiting_.front().alone)) {
      waiting_.pop_front();
    }
  }

  // True when interrupted.
  bool wait() {
    std::vector<WorkerProcess*> workers;
    auto until = in_seconds(60);
    for (const auto& slot : slots_) {
      if (slot->worker() == nullptr) continue;
      workers.push_back(slot->worker());
      until = std::min(until, slot->deadline());
    }
    return wait_for(workers, plan_.interrupt_fd, until);
  }

  void collect(Slot& slot) {
    slot.step();
    if (auto record = slot.take()) settle(std::move(*record), slot.had_company());
    if (auto trouble = slot.take_trouble_at_close(); trouble && slot.last_test() != nullptr) {
      worsen(*slot.last_test(), std::move(*trouble));
    }
  }

  void settle(TestRecord record, bool had_company) {
    record.required = plan_.required && plan_.required(*record.test);
    const auto first = first_results_.find(record.test);
    if (first != first_results_.end()) {
      if (!is_bad(record.result.outcome)) {
        TestRecord unstable = std::move(first->second);
        unstable.result.message = fmt::format("{} behind other tests, passed alone: {}",
                                              name_of(unstable.result.outcome), unstable.result.message);
        unstable.result.outcome = Outcome::kUnstable;
        record = std::move(unstable);
      }
      first_results_.erase(first);
    } else if (is_bad(record.result.outcome) && had_company) {
      waiting_.push_front({record.test, true, true});
      first_results_.emplace(record.test, std::move(record));
      return;
    }
    records_.push_back(std::move(record));
    listener_.ended(records_.back(), records_.size(), plan_.tests.size());
    if (plan_.enough && plan_.enough(records_.back())) waiting_.clear();
  }

  // A worker that passed its tests and broke when it closed: its last test carries it.
  void worsen(const TestCase& test, TestResult trouble) {
    for (TestRecord& record : records_) {
      if (record.test != &test || is_bad(record.result.outcome)) continue;
      trouble.milliseconds = record.result.milliseconds;
      trouble.notes = record.result.notes;
      trouble.substitute = record.result.substitute;
      trouble.asserted = record.result.asserted;
      record.result = std::move(trouble);
      listener_.ended(record, records_.size(), plan_.tests.size());
      return;
    }
  }

  const RunPlan& plan_;
  RunListener& listener_;
  std::deque<Waiting> waiting_;
  std::vector<std::unique_ptr<Slot>> slots_;
  std::map<const TestCase*, TestRecord> first_results_;
  std::vector<TestRecord> records_;
};

}  // namespace

Probe probe(const Target& target, double deadline_s, int interrupt_fd) {
  Probe out;
  WorkerProcess worker;
  worker.send({{"do", "setup"}, {"target", to_json(target)}, {"settings", to_json(RunSettings())}});
  worker.send({{"do", "probe"}});
  worker.send({{"do", "close"}});
  const auto until = in_seconds(deadline_s);
  bool closed = false;
  for (;;) {
    worker.pump();
    while (auto message = worker.next()) {
      const std::string what = message->value("what", "");
      if (what == "entry_error") {
        out.ending = Probe::Ending::kRefused;
        out.code = message->value("code", XHAL_ERROR_UNKNOWN);
        out.created = message->value("created", false);
        out.text = one_line(message->value("text", ""));
        return out;
      }
      if (what == "opened") {
        out.ending = Probe::Ending::kOpened;
        out.driver = message->value("driver", nlohmann::json::object());
        for (const auto& device : message->value("devices", nlohmann::json::array()))
          out.devices.push_back(device);
      } else if (what == "measured") {
        out.first_trip_ns = message->value("first_trip_ns", uint64_t{0});
        out.round_trip_ns = message->value("round_trip_ns", uint64_t{0});
        out.driver["libraries"] = message->value("libraries", nlohmann::json::array());
      } else if (what == "kernel_names") {
        out.kernel_names = message->value("text", "");
      } else if (what == "closed") {
        closed = true;
      }
    }
    const bool late = Clock::now() >= until;
    const bool over = worker.exited() || worker.lost() || late;
    if (over && out.ending != Probe::Ending::kOpened) {
      const std::string how = worker.lost()     ? "its answers became garbage"
                              : worker.exited() ? worker.ending(false)
                                                : fmt::format("no answer within {:g} s", deadline_s);
      out.text = with_last_call(worker, fmt::format("{} while {}", how, worker.trail().stage()));
      const std::string line = last_line(worker.log());
      if (!line.empty()) out.text += "; it printed: " + line;
      out.text += worker.exited() || worker.lost()
                      ? "; it is defective, ask whoever made it"
                      : "; give it longer with --entry-timeout, or ask whoever made it";
      return out;
    }
    // What goes wrong behind the enumeration is seen again, and judged, by the tests.
    if (closed || over) return out;
    if (wait_for({&worker}, interrupt_fd, until)) {
      out.ending = Probe::Ending::kInterrupted;
      return out;
    }
  }
}

std::vector<TestRecord> run_tests(const RunPlan& plan, RunListener& listener, bool* interrupted) {
  return Runner(plan, listener).run(interrupted);
}

}  // namespace xhal::conformance
