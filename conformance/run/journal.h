// SPDX-License-Identifier: Apache-2.0
// What a run has seen, written ahead of each test, so that it goes on after whatever ended it: an interruption, a kill, a machine that fell.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "report/report.h"
#include "run/runner.h"

namespace xhal::conformance {

inline constexpr const char* kJournalSchema = "xhal-conform-journal/1";

// Lines of JSON: first {schema, report}, the report without a test; then {begin: id}, {end: test, seconds} and, each time the run goes on,
// {resume: n}.
class Journal : public RunListener {
 public:
  // Opens the file, and reads what an earlier run has left in it. Stops with what is wrong with it.
  explicit Journal(const std::string& path);
  ~Journal() override;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // Of the run that goes on; nothing when there is none.
  [[nodiscard]] std::optional<uint64_t> seed() const;
  // Begins a run, or goes on: then the report gets the tests that have ended and the time they took. Stops where the run that goes on is
  // another one.
  void open(Report& report);
  // What is told to the journal is told to `next`, too.
  void tell(RunListener& next) { next_ = &next; }

  void begun(const TestCase& test) override;
  void ended(const TestRecord& record, size_t done, size_t total) override;

 private:
  void read(const std::string& text);
  void write(const nlohmann::json& line) const;

  std::string path_;
  int fd_ = -1;
  nlohmann::json header_;
  std::map<std::string, nlohmann::json> finished_;  // by id
  unsigned resumed_ = 0;
  double seconds_ = 0;
  const Report* report_ = nullptr;
  RunListener* next_ = nullptr;
  std::chrono::steady_clock::time_point start_{};
};

}  // namespace xhal::conformance
