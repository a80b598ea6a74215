// SPDX-License-Identifier: Apache-2.0
// A run that is told to stop tells what it has seen, and leaves nothing running.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>

#include "conform.hpp"
#include "fifo.hpp"

namespace xhal::test {
namespace {

// Where a mutant driver waits until it may go on.
class Gate {
 public:
  explicit Gate(const std::string& path) : path_(path) {
    if (mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("cannot make " + path);
    fd_ = open(path.c_str(), O_RDWR | O_CLOEXEC);
  }
  ~Gate() { close(fd_); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // More bytes than a run has calls of one entry, and fewer than a pipe holds.
  void open_for_all() const {
    const std::string bytes(4096, 'x');
    EXPECT_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }

 private:
  std::string path_;
  int fd_ = -1;
};

class Interrupted : public testing::TestWithParam<int> {
 protected:
  // Starts a run, waits until the driver blocks, signals, and gives the exit code.
  int run(const std::string& what, const std::vector<std::string>& arguments) {
    const Fifo fifo(folder_.file("reached"));
    Environment environment = mutant("minimal", what);
    environment["MUTANT_FIFO"] = fifo.path();
    Program program(std::vector<std::string>{XHAL_CONFORM_PROGRAM} + driver("minimal") + arguments,
                    environment);
    EXPECT_TRUE(fifo.wait_for_the_driver()) << program.out() << program.err();
    kill(program.pid(), GetParam());
    const int exit_code = program.wait();
    out_ = program.out();
    err_ = program.err();
    return exit_code;
  }

  TemporaryFolder folder_;
  std::string out_;
  std::string err_;
};

TEST_P(Interrupted, ReportsWhatWasSeenSoFar) {
  const std::string json = folder_.file("report.json");
  const std::string junit = folder_.file("report.xml");
  EXPECT_EQ(run("block:device_get_link", {"--level", "core", "--filter", "device.*", "--no-shuffle",
                                          "--report", "json=" + json, "--report", "junit=" + junit}),
            130);
  const std::string text = read_text(json);
  const auto report = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(report.is_object()) << text;
  EXPECT_EQ(report.at("incomplete"), true);
  EXPECT_EQ(report.at("verdict"), "not judged");
  expect_consistent(report);
  expect_valid(text);
  // Sorted by id, those before the one that blocked have passed; itself and those behind it were not judged.
  EXPECT_EQ(outcome_of(report, "device.default_stream"), "passed");
  EXPECT_EQ(outcome_of(report, "device.links"), "not in the report");
  EXPECT_EQ(outcome_of(report, "device.uuid"), "not in the report");
  // A CI that knows nothing of ours must not take it for a clean run that was short.
  const std::string xml = read_text(junit);
  for (const char* part : {"name=\"device.default_stream\"", "errors=\"1\"", "name=\"run.interrupted\"",
                           "<error type=\"interrupted\" message=\"the run was interrupted: ",
                           "<property name=\"incomplete\" value=\"true\"/>", "name=\"device.uuid\"",
                           "<skipped message=\"not run: the run was interrupted\"/>"})
    EXPECT_NE(xml.find(part), std::string::npos) << part << "\n" << xml;
  const auto not_run = report.at("not_run").get<std::vector<std::string>>();
  for (const char* id : {"device.links", "device.uuid"})
    EXPECT_NE(std::find(not_run.begin(), not_run.end(), id), not_run.end()) << id;
  EXPECT_NE(xml.find("interrupted: " + std::to_string(not_run.size()) + " tests"), std::string::npos) << xml;
  EXPECT_NE(out_.find("INTERRUPTED"), std::string::npos) << out_;
}

TEST_P(Interrupted, WithSeveralJobsStopsThemAll) {
  EXPECT_EQ(run("block:event_create", {"--filter", "event.*", "--jobs", "4"}), 130);
}

// Before the first test there is nothing to tell but that, and nothing half made is left beside the report.
TEST_P(Interrupted, WhileTheDriverIsLoadedLeavesAReportWithoutTests) {
  EXPECT_EQ(run("block:open", {"--report", "json=" + folder_.file("report.json"), "--report",
                               "junit=" + folder_.file("report.xml")}),
            130);
  EXPECT_TRUE(is_one_line(err_)) << err_;
  EXPECT_NE(err_.find("interrupted"), std::string::npos) << err_;
  EXPECT_EQ(folder_.names(), (std::vector<std::string>{"reached", "report.json", "report.xml"}));
  EXPECT_NE(read_text(folder_.file("report.xml")).find("interrupted before its first test"),
            std::string::npos);
  const std::string text = read_text(folder_.file("report.json"));
  const auto report = nlohmann::json::parse(text, nullptr, false);
  ASSERT_TRUE(report.is_object()) << text;
  EXPECT_EQ(report.at("incomplete"), true);
  EXPECT_EQ(report.at("verdict"), "not judged");
  EXPECT_TRUE(report.at("tests").empty());
  expect_consistent(report);
  expect_valid(text);
}

INSTANTIATE_TEST_SUITE_P(Every, Interrupted, testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& one) { return std::string("SIG") + sigabbrev_np(one.param); });

// As under nohup(1): the signal comes while the driver is inside a call, and the run goes on to its verdict.
class NotInterrupted : public testing::TestWithParam<int> {};

TEST_P(NotInterrupted, BySignalsThatTheCallerIgnores) {
  const TemporaryFolder folder;
  const Fifo reached(folder.file("reached"));
  const Gate gate(folder.file("gate"));
  Environment environment = mutant("minimal", "gate:device_get_link");
  environment["MUTANT_FIFO"] = reached.path();
  environment["MUTANT_GATE"] = gate.path();
  const std::string path = folder.file("report.json");
  Program program(
      std::vector<std::string>{XHAL_CONFORM_PROGRAM} + driver("minimal") +
          std::vector<std::string>{"--level", "core", "--filter", "device.*", "--report", "json=" + path},
      environment, GetParam());
  ASSERT_TRUE(reached.wait_for_the_driver()) << program.out() << program.err();
  kill(program.pid(), GetParam());
  gate.open_for_all();
  EXPECT_EQ(program.wait(), 0) << program.out() << program.err();
  const auto report = nlohmann::json::parse(read_text(path), nullptr, false);
  ASSERT_TRUE(report.is_object());
  EXPECT_EQ(report.at("incomplete"), false);
  EXPECT_EQ(outcome_of(report, "device.links"), "passed");
  expect_consistent(report);
}

INSTANTIATE_TEST_SUITE_P(Every, NotInterrupted, testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& one) { return std::string("SIG") + sigabbrev_np(one.param); });

}  // namespace
}  // namespace xhal::test
