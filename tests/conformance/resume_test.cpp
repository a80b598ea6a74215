// SPDX-License-Identifier: Apache-2.0
// A run that was ended from outside goes on as if it had not been.
#include <gtest/gtest.h>
#include <sys/file.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fstream>
#include <set>
#include <sstream>

#include "conform.hpp"
#include "fifo.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr const char* kBlocks = "device.links";

class Resumed : public testing::Test {
 protected:
  [[nodiscard]] std::string journal() const { return folder_.file("journal"); }
  [[nodiscard]] Words arguments(const Words& more = {}) const {
    return driver("minimal") + Words{"--level", level_, "--no-shuffle", "--resume", journal()} + more;
  }
  // Starts a run whose driver blocks, and ends it by the signal.
  void run_until_it_blocks(int number) const {
    const Fifo fifo(folder_.file("reached" + std::to_string(number)));
    Environment environment = mutant("minimal", "block:device_get_link");
    environment["MUTANT_FIFO"] = fifo.path();
    Program program(Words{XHAL_CONFORM_PROGRAM} + arguments({"--seed", "11"}), environment);
    ASSERT_TRUE(fifo.wait_for_the_driver()) << program.out() << program.err();
    kill(program.pid(), number);
    EXPECT_EQ(program.wait(), number == SIGINT ? 130 : 128 + number);
  }
  // The ids in lines with this key.
  [[nodiscard]] Words told(const char* key) const {
    Words out;
    std::set<std::string> kinds;
    std::istringstream in(read_text(journal()));
    for (std::string text; std::getline(in, text);) {
      const json line = json::parse(text);
      // A validator for each of hundreds of lines would take minutes: one of each kind.
      if (kinds.insert(line.items().begin().key()).second) expect_valid(text, "xhal-conform-journal");
      if (!line.contains(key)) continue;
      const json& what = line.at(key);
      out.push_back(what.is_object()   ? what.at("id").get<std::string>()
                    : what.is_string() ? what.get<std::string>()
                                       : what.dump());
    }
    return out;
  }

  TemporaryFolder folder_;
  std::string level_ = level_file(folder_, "device.*");
};

class ResumedAfter : public Resumed, public testing::WithParamInterface<int> {};

TEST_P(ResumedAfter, GoesOnToTheReportOfOneRun) {
  run_until_it_blocks(GetParam());
  const Words before = told("end");
  EXPECT_FALSE(before.empty());
  EXPECT_EQ(told("begin").back(), kBlocks) << "written ahead of the test";
  const Ending ending = judge(arguments(), mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  EXPECT_EQ(ending.report.at("verdict"), "conformant");
  EXPECT_EQ(ending.report.at("incomplete"), false);
  EXPECT_EQ(ending.report.at("resumed"), 1);
  EXPECT_EQ(ending.report.at("seed"), 11) << "of the run that goes on";
  EXPECT_EQ(outcome_of(ending.report, kBlocks), "passed");
  // What had ended is not run again, what had only begun is.
  const Ending whole = judge(driver("minimal") + Words{"--level", level_}, mutant("minimal"));
  EXPECT_EQ(tests_with(ending.report, ""), tests_with(whole.report, ""));
  const Words ends = told("end");
  EXPECT_EQ(Words(ends.begin(), ends.begin() + static_cast<std::ptrdiff_t>(before.size())), before);
  EXPECT_EQ(std::set<std::string>(ends.begin(), ends.end()).size(), ends.size());
  const Words begins = told("begin");
  EXPECT_EQ(std::count(begins.begin(), begins.end(), kBlocks), 2);
}

INSTANTIATE_TEST_SUITE_P(Every, ResumedAfter, testing::Values(SIGINT, SIGKILL),
                         [](const auto& one) { return std::string("SIG") + sigabbrev_np(one.param); });

TEST_F(Resumed, AFailureIsKeptWithAllThatIsKnownOfIt) {
  const Ending first = judge(arguments({"--seed", "3"}), mutant("minimal", "crash:device_get_link"));
  ASSERT_EQ(outcome_of(first.report, kBlocks), "crashed");
  // All is done: only the report is made again, by a driver that would pass.
  const Ending again = judge(arguments(), mutant("minimal"));
  EXPECT_EQ(again.exit_code, 1);
  EXPECT_EQ(again.report.at("tests"), first.report.at("tests"));
  EXPECT_EQ(again.report.at("started"), first.report.at("started"));
  EXPECT_EQ(again.report.at("verdict"), "not conformant");
}

TEST_F(Resumed, HalfALineAtTheEndIsWrittenAgain) {
  run_until_it_blocks(SIGKILL);
  std::ofstream(journal(), std::ios::app) << R"({"end": {"id": "device.li)";
  const Ending ending = judge(arguments(), mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_FALSE(told("resume").empty()) << "and every line is whole";
}

TEST_F(Resumed, AnotherRunIsRefused) {
  run_until_it_blocks(SIGKILL);
  const Environment same = mutant("minimal");
  expect_refused(arguments({"--seed", "12"}), 2, "seed 11 and 12", same);
  expect_refused(arguments({"--filter", "device.uuid"}), 2, "option --filter", same);
  expect_refused(arguments({"--timeout", "5"}), 2, "option --timeout", same);
  expect_refused(arguments({"--shard", "1/2"}), 2, "shard", same);
  expect_refused(arguments({"--shuffle"}), 2, "option --shuffle", same);
  expect_refused(driver("idle") + Words{"--level", level_, "--no-shuffle", "--resume", journal()}, 2,
                 "driver");
  Environment variables = same;
  variables["XHAL_SIM"] = "features=-kernel";
  expect_refused(arguments(), 2, "XHAL_SIM", variables);
}

TEST_F(Resumed, WhatIsNoJournalIsRefusedAndLeftAlone) {
  std::ofstream(journal()) << "my thesis\nchapter 1\n";
  expect_refused(arguments(), 2, "line 1", mutant("minimal"));
  EXPECT_EQ(read_text(journal()), "my thesis\nchapter 1\n");
  std::ofstream(journal()) << "one line that does not end";
  expect_refused(arguments(), 2, "no journal", mutant("minimal"));
  EXPECT_EQ(read_text(journal()), "one line that does not end");
  expect_refused(driver("minimal") + Words{"--resume", "/no/such/folder/journal"}, 2, "/no/such/folder",
                 mutant("minimal"));
  expect_refused(driver("minimal") + Words{"--resume", folder_.file(".")}, 2, "journal", mutant("minimal"));
  expect_refused(driver("minimal") + Words{"--resume", ""}, 2, "", mutant("minimal"));
}

TEST_F(Resumed, ALineThatIsSpoiledIsNamed) {
  run_until_it_blocks(SIGKILL);
  std::string text = read_text(journal());
  text.replace(text.find('\n') + 1, 1, "?");
  std::ofstream(journal()) << text;
  expect_refused(arguments(), 2, "line 2", mutant("minimal"));
}

TEST_F(Resumed, TwoRunsDoNotShareAJournal) {
  const int fd = open(journal().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  ASSERT_EQ(flock(fd, LOCK_EX), 0) << "as a run does";
  expect_refused(arguments(), 2, "another run is writing it", mutant("minimal"));
  close(fd);
  EXPECT_EQ(run_conform(arguments(), mutant("minimal")).exit_code, 0);
}

}  // namespace
}  // namespace xhal::test
