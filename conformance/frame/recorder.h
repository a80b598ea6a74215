// SPDX-License-Identifier: Apache-2.0
// What a running test has found so far. Assertions may come from several threads at once.
#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "frame/clause.h"
#include "frame/digest.h"
#include "frame/outcome.h"

namespace xhal::conformance {

struct Where {
  const char* file;
  int line;
};

struct Failure {
  std::string clause;      // "" when a call failed that the test only needed and does not judge
  std::string where;       // "event_wait.cpp:31"
  std::string expression;  // as written in the test
  std::string message;     // values, and what was expected
};

// One line that a report can show on its own.
std::string to_string(const Failure& failure);

struct TestResult {
  Outcome outcome = Outcome::kPassed;
  std::string message;  // "" for a plain pass
  std::vector<Failure> failures;
  std::vector<std::string> notes;  // where the test followed a declaration of the device
  std::string
      substitute;  // why something else was checked than what the test is called after; "" when it was not
  std::vector<std::string> asserted;  // clauses about which an assertion was evaluated
  std::string digest;                 // of what was read back from the device; "" where none was taken
  uint64_t digest_bytes = 0;
  double milliseconds = 0;
};

// Thrown to leave a test; what happened is in the recorder already.
struct StopTest {};
struct Inconclusive {
  std::string why;
};
struct NotObservable {
  std::string why;
};

class Recorder {
 public:
  // on_failure is told at once, so that it survives a crash right behind it.
  Recorder(const std::vector<Clause>& declared, std::function<void(const Failure&)> on_failure)
      : declared_(declared), on_failure_(std::move(on_failure)) {}

  // Counts an assertion about the clause; gives `holds` back.
  bool asserted(Clause clause, bool holds);
  // The same of another process of the test, by the clause's index; what failed there comes by failed().
  void asserted_elsewhere(uint16_t clause_index);
  void failed(std::string_view clause, Where where, std::string_view expression, std::string message);
  void refused(std::string_view clause, Where where, std::string_view expression, std::string message);
  void note(std::string text);
  [[nodiscard]] bool has_failed();
  // From here on what is read back from the device goes into a digest.
  void take_digest() { takes_digest_ = true; }
  void saw(std::span<const std::byte> array);
  // The same of another process of the test.
  void saw_elsewhere(const std::string& hash, uint64_t size);
  [[nodiscard]] std::map<std::string, uint64_t> seen_arrays();
  // What the test is called after cannot be asked of this device, and what is checked in its place is less. The first reason is kept.
  void substitute(std::string why);

  // Failures beyond this many are counted only: one broken loop must not fill a report.
  static constexpr size_t kMostFailures = 20;

  // The outcome of a test that ended by returning or by StopTest.
  TestResult result();

 private:
  void add(std::string_view clause, Where where, std::string_view expression, std::string message,
           bool refusal);

  const std::vector<Clause>& declared_;
  std::function<void(const Failure&)> on_failure_;
  std::mutex mutex_;
  std::bitset<kClauseCount> asserted_;
  std::vector<Failure> failures_;
  std::vector<std::string> notes_;
  std::string substitute_;
  bool takes_digest_ = false;
  Digest digest_;
  size_t failure_count_ = 0;
  bool first_is_refusal_ = false;
};

}  // namespace xhal::conformance
