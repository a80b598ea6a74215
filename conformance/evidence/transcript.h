// SPDX-License-Identifier: Apache-2.0
// What a run that answers a challenge writes down ahead of each test: lines of JSON, of which each holds the hash of the one before.
//
//   {schema, challenge, report}               the report, without a test
//   {begin: test, index, previous}            before it; again where it went wrong behind others and is run alone
//   {end: record, index, seconds, previous}   again where its process broke behind it
//   {report: hash of report.json, previous}   the last
#pragma once

#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evidence/controls.h"
#include "report/report.h"
#include "run/runner.h"

namespace xhal::conformance {

inline constexpr const char* kTranscriptSchema = "xhal-conform-transcript/1";

class TranscriptWriter : public RunListener {
 public:
  // Makes the file, which must not be there.
  explicit TranscriptWriter(std::string path);
  ~TranscriptWriter() override;
  TranscriptWriter(const TranscriptWriter&) = delete;
  TranscriptWriter& operator=(const TranscriptWriter&) = delete;

  void open(const Report& report);
  // Tests begin in this order.
  void begun(const TestCase& test) override;
  void ended(const TestRecord& record, size_t done, size_t total) override;
  void seal(const std::string& report_text);

  // Of the test that has begun last.
  [[nodiscard]] size_t index() const { return begun_count_ - 1; }
  [[nodiscard]] size_t lines() const { return lines_; }
  [[nodiscard]] const std::string& head() const { return head_; }
  [[nodiscard]] double seconds() const { return seconds_; }

 private:
  void write(nlohmann::json line);

  std::string path_;
  int fd_ = -1;
  const Report* report_ = nullptr;
  const TestCase* running_ = nullptr;
  size_t begun_count_ = 0;
  size_t lines_ = 0;
  std::string head_;
  double seconds_ = 0;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// A transcript as it was found.
struct Transcript {
  struct Entry {
    std::string test;
    size_t begins = 0;
    std::vector<nlohmann::json> ends;  // records; the last one counts
  };

  nlohmann::json header;  // null when there is none
  std::vector<Entry> entries;
  double seconds = 0;               // of the last end
  size_t lines = 0;                 // without the seal
  std::string head;                 // hash of the last of them
  std::optional<std::string> seal;  // hash of the report
  std::vector<std::string> findings;
};

// Never stops: what is wrong with the text is in `findings`.
Transcript read_transcript(const std::string& text);

}  // namespace xhal::conformance
