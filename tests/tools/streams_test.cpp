// SPDX-License-Identifier: Apache-2.0
// What the tools do when their standard streams are closed, full or broken, and when they are started in ways that nobody means.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.hpp"

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using xhal::test::ProgramOptions;
using xhal::test::ProgramResult;
using xhal::test::run_program;
using Words = std::vector<std::string>;

bool is_one_line(const std::string& text) {
  return !text.empty() && text.back() == '\n' && std::count(text.begin(), text.end(), '\n') == 1;
}

class Streams : public testing::Test {
 protected:
  Streams()
      : folder_(fs::path(testing::TempDir()) /
                (std::string(testing::UnitTest::GetInstance()->current_test_info()->name()) +
                 std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~Streams() override { fs::remove_all(folder_); }

  ProgramResult judge(const ProgramOptions& options) const {
    return run_program({XHAL_CONFORM_PROGRAM, "--backend", "sim", "--filter", "device.uuid", "--report",
                        "json=" + report_path()},
                       options);
  }
  [[nodiscard]] std::string report_path() const { return (folder_ / "report.json").string(); }
  // The report, which is whole and alone in its folder.
  [[nodiscard]] json report() const {
    EXPECT_EQ(std::distance(fs::directory_iterator(folder_), fs::directory_iterator()), 1);
    std::ifstream file(report_path());
    return json::parse(file, nullptr, false);
  }

  const fs::path folder_;
};

TEST_F(Streams, AClosedOutputLeavesTheReportAlone) {
  const ProgramResult result = judge({.stdout_path = "-"});
  EXPECT_EQ(result.exit_code, 4);
  EXPECT_TRUE(is_one_line(result.err)) << result.err;
  const json report = this->report();
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report["totals"]["passed"], 1);
}

TEST_F(Streams, AllClosedIsNoInterruption) {
  for (const std::vector<int>& closed :
       std::vector<std::vector<int>>{{0}, {0, 1}, {0, 2}, {1, 2}, {2}, {0, 1, 2}}) {
    const bool output_is_closed = std::find(closed.begin(), closed.end(), 1) != closed.end();
    const ProgramResult result = judge({.closed = closed});
    EXPECT_EQ(result.exit_code, output_is_closed ? 4 : 0) << closed.size() << closed[0] << result.err;
    EXPECT_TRUE(report().is_object()) << closed.size() << closed[0];
  }
}

TEST_F(Streams, ABrokenPipeOrAFullDiskIsTold) {
  for (const char* out : {"|", "/dev/full"}) {
    const ProgramResult result = judge({.stdout_path = out});
    EXPECT_EQ(result.exit_code, 4) << out << result.err;
    EXPECT_TRUE(is_one_line(result.err)) << out << result.err;
    EXPECT_TRUE(report().is_object()) << out;
  }
}

TEST(ShortStreams, WhateverIsPrintedIsTold) {
  const std::vector<Words> commands = {
      {XHAL_CONFORM_PROGRAM, "--list"},
      {XHAL_CONFORM_PROGRAM, "--list", "--format", "json"},
      {XHAL_CONFORM_PROGRAM, "--help"},
      {XHAL_CONFORM_PROGRAM, "--version"},
      {XHAL_INFO_PROGRAM, "--help"},
      {XHAL_INFO_PROGRAM, "--version"},
      {XHAL_INFO_PROGRAM, "--features"},
      {XHAL_INFO_PROGRAM, "--driver", XHAL_FAKE_MANIFEST},
      {XHAL_INFO_PROGRAM, "--driver", XHAL_FAKE_MANIFEST, "--json"},
  };
  for (const Words& words : commands) {
    for (const char* out : {"-", "|", "/dev/full"}) {
      const ProgramResult result = run_program(words, {.stdout_path = out});
      EXPECT_EQ(result.exit_code, 4) << words[0] << words[1] << " " << out << result.err;
      EXPECT_TRUE(is_one_line(result.err)) << words[0] << words[1] << " " << out << result.err;
    }
  }
}

// stderr is where it would be told: what is left is the exit code.
TEST(ShortStreams, NobodyToTellItTo) {
  for (const char* tool : {XHAL_CONFORM_PROGRAM, XHAL_INFO_PROGRAM}) {
    EXPECT_EQ(run_program({tool, "--backend", "no_such_driver"}, {.closed = {2}}).exit_code, 2) << tool;
    EXPECT_EQ(run_program({tool, "--backend", "no_such_driver"}, {.closed = {0, 1, 2}}).exit_code, 2) << tool;
  }
  EXPECT_EQ(run_program({XHAL_CONFORM_PROGRAM, "--backend", "sim", "--filter", "no.such"}, {.closed = {2}})
                .exit_code,
            3);
}

// The tools ignore SIGPIPE; a driver finds it as any program does.
TEST(Workers, HaveTheirSignalsBack) {
  const ProgramOptions options = {.environment = {{"FAKE_DRIVER_MODE", "pipe:open"}}};
  const ProgramResult info = run_program({XHAL_INFO_PROGRAM, "--driver", XHAL_FAKE_MANIFEST}, options);
  EXPECT_EQ(info.exit_code, 1);
  EXPECT_NE(info.out.find("crashed with SIGPIPE"), std::string::npos) << info.out;
  const ProgramResult conform = run_program({XHAL_CONFORM_PROGRAM, "--driver", XHAL_FAKE_MANIFEST}, options);
  EXPECT_EQ(conform.exit_code, 1);
  EXPECT_NE(conform.err.find("SIGPIPE"), std::string::npos) << conform.err;
}

TEST(Workers, AreNotForPeople) {
  for (const Words& words : std::vector<Words>{{XHAL_CONFORM_PROGRAM, "--worker"},
                                               {XHAL_INFO_PROGRAM, "--probe-worker", XHAL_FAKE_MANIFEST}}) {
    const ProgramResult result = run_program(words);
    EXPECT_EQ(result.exit_code, 2) << words[1];
    EXPECT_TRUE(is_one_line(result.err)) << result.err;
  }
}

TEST(ConformWords, AreRefusedEmptyOrUnknown) {
  for (const char* option : {"--backend", "--driver", "--level", "--filter", "--report", "--in-process"}) {
    const ProgramResult result = run_program({XHAL_CONFORM_PROGRAM, option, ""});
    EXPECT_EQ(result.exit_code, 2) << option << result.out;
    EXPECT_NE(result.err.find(option), std::string::npos) << result.err;
  }
  const ProgramResult unknown = run_program({XHAL_CONFORM_PROGRAM, "--level", "nope", "--list"});
  EXPECT_EQ(unknown.exit_code, 2);
  EXPECT_EQ(unknown.out, "");
  EXPECT_TRUE(is_one_line(unknown.err)) << unknown.err;
}

TEST(ConformWords, AListIsOfTheLevel) {
  const ProgramResult core = run_program({XHAL_CONFORM_PROGRAM, "--level", "core", "--list"});
  const ProgramResult all = run_program({XHAL_CONFORM_PROGRAM, "--list"});
  EXPECT_EQ(core.exit_code, 0) << core.err;
  EXPECT_NE(core.out.find("device.uuid\n"), std::string::npos);
  EXPECT_EQ(core.out.find("kernel.ids"), std::string::npos);
  EXPECT_NE(all.out.find("kernel.ids"), std::string::npos);
}

// A message that leaves its reader alone is half a message.
TEST(Messages, SayWhatToDo) {
  struct Case {
    Words words;
    const char* advice;
  };
  const std::vector<Case> cases = {
      {{XHAL_CONFORM_PROGRAM, "--driver", XHAL_LIBRARY}, "name a driver's library or manifest"},
      {{XHAL_INFO_PROGRAM, "--driver", XHAL_LIBRARY}, "name a driver's library or manifest"},
      {{XHAL_CONFORM_PROGRAM, "--driver", "/tmp"}, "name a driver's manifest (.json) or library (.so)"},
      {{XHAL_INFO_PROGRAM, "--driver", "/tmp"}, "name a driver's manifest (.json) or library (.so)"},
      {{XHAL_INFO_PROGRAM, "--driver", "/no/such.json", "--driver", "/tmp"},
       "'/no/such.json' does not exist; check the path"},
      {{XHAL_CONFORM_PROGRAM, "--backend", "sim", "--level", "x.toml"},
       "x.toml: there is no such file; give"},
      {{XHAL_CONFORM_PROGRAM, "--backend", "sim", "--level", "/tmp"}, "/tmp: this is no file; give"},
  };
  for (const Case& one : cases) {
    const ProgramResult result = run_program(one.words);
    EXPECT_EQ(result.exit_code, 2) << result.err;
    EXPECT_NE(result.err.find(one.advice), std::string::npos) << result.err;
    EXPECT_TRUE(is_one_line(result.err)) << result.err;
  }
}

}  // namespace
