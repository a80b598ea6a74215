// SPDX-License-Identifier: Apache-2.0
// Runs xhal-conform as a process over the drivers of this folder and looks at all that it leaves behind.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xhal::test {

using Environment = std::map<std::string, std::string>;

// Gone with all that is in it at the end of its life.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  // What is in it, sorted.
  [[nodiscard]] std::vector<std::string> names() const;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

std::string read_text(const std::string& path);

// A running program whose environment is the caller's without its XHAL_, MUTANT and GTEST_ variables. It is interrupted by the signals that interrupt
// any program, also where the tests run in the background, but for `ignored`.
class Program {
 public:
  Program(const std::vector<std::string>& arguments, const Environment& environment, int ignored = 0);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  [[nodiscard]] pid_t pid() const { return pid_; }
  // The exit code, or 128 + signal. Fails the running test when a process that the program started outlives it.
  int wait();
  [[nodiscard]] std::string out() const { return read_text(folder_.file("out")); }
  [[nodiscard]] std::string err() const { return read_text(folder_.file("err")); }

 private:
  TemporaryFolder folder_;
  pid_t pid_ = -1;
};

struct Ending {
  int exit_code = -1;
  std::string out;
  std::string err;
  nlohmann::json report;  // null when none was written
  std::string report_text;
};

// xhal-conform with these arguments and nothing else.
Ending run_conform(const std::vector<std::string>& arguments, const Environment& environment = {});
// The same with a JSON report.
Ending judge(std::vector<std::string> arguments, const Environment& environment = {});

// Arguments that choose a driver of this folder: "idle", "refusing", or a mutant of "minimal" or "sim".
std::vector<std::string> driver(const std::string& name);
// What tells a mutant driver who it is: "" for the base as it is, FAULT:ENTRY of drivers/mutant.c, or a fault of the pack over the base.
Environment mutant(const std::string& base, const std::string& what = "");
std::vector<std::string> operator+(std::vector<std::string> first, const std::vector<std::string>& second);

// ---- Reading a report ----
const nlohmann::json* find_test(const nlohmann::json& report, const std::string& id);
std::string outcome_of(const nlohmann::json& report, const std::string& id);
// Ids of the tests with this outcome, "" for all.
std::vector<std::string> tests_with(const nlohmann::json& report, const std::string& outcome);

// Fails the running test where totals, verdict and tests of the report contradict each other.
void expect_consistent(const nlohmann::json& report);
// By a validator that we did not write.
void expect_valid(const std::string& report_text);
// By the schema of this name, "xhal-conform-ci".
void expect_valid(const std::string& text, const std::string& schema);
// A level of one's own, in a file: the core tests that match the glob.
std::string level_file(const TemporaryFolder& folder, const std::string& glob);

bool is_one_line(const std::string& text);
// xhal-conform refuses these arguments by this code and one line that says this.
void expect_refused(const std::vector<std::string>& arguments, int exit_code, const std::string& says = "",
                    const Environment& environment = {});

}  // namespace xhal::test
