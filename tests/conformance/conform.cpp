// SPDX-License-Identifier: Apache-2.0
#include "conform.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace xhal::test {

using nlohmann::json;

namespace {

std::vector<std::string> merged(const Environment& added) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text(*entry);
    const std::string name = text.substr(0, text.find('='));
    if (name.starts_with("XHAL_") || name.starts_with("MUTANT") || name.starts_with("GTEST_") ||
        added.contains(name)) {
      continue;
    }
    out.push_back(text);
  }
  for (const auto& [name, value] : added) out.push_back(name + "=" + value);
  return out;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

// Orphans of the program are ours (PR_SET_CHILD_SUBREAPER): what was killed with it may take a moment to be gone, what was not is left.
void expect_no_process_left() {
  constexpr auto kPatience = std::chrono::seconds(10);
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  int status = 0;
  pid_t child = 0;
  while ((child = waitpid(-1, &status, WNOHANG)) >= 0) {
    if (child == 0 && std::chrono::steady_clock::now() >= deadline) break;
    sched_yield();
  }
  if (child != 0) return;
  const std::string path = "/proc/self/task/" + std::to_string(getpid()) + "/children";
  std::ifstream list(path);
  if (!list) ADD_FAILURE() << "a process outlived xhal-conform, and " << path << " does not tell which";
  for (pid_t left = 0; list >> left;) {
    ADD_FAILURE() << "process " << left
                  << " outlived xhal-conform: " << read_text("/proc/" + std::to_string(left) + "/cmdline");
    kill(left, SIGKILL);
    waitpid(left, &status, 0);
  }
}

}  // namespace

TemporaryFolder::TemporaryFolder() {
  std::string name = (std::filesystem::path(testing::TempDir()) / "xhal-conform-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("cannot make the folder " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

std::vector<std::string> TemporaryFolder::names() const {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(path_))
    out.push_back(entry.path().filename().string());
  std::sort(out.begin(), out.end());
  return out;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Program::Program(const std::vector<std::string>& arguments, const Environment& environment, int ignored) {
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const std::vector<std::string> variables = merged(environment);
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> envp = pointers(variables);
  const int out = open(folder_.file("out").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  const int err = open(folder_.file("err").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  pid_ = fork();
  if (pid_ == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    for (const int number : {SIGINT, SIGTERM, SIGHUP})
      std::signal(number, number == ignored ? SIG_IGN : SIG_DFL);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  close(out);
  close(err);
  if (pid_ < 0) throw std::runtime_error("cannot fork");
}

Program::~Program() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  wait();
}

int Program::wait() {
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  expect_no_process_left();
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Ending run_conform(const std::vector<std::string>& arguments, const Environment& environment) {
  Program program(std::vector<std::string>{XHAL_CONFORM_PROGRAM} + arguments, environment);
  Ending ending;
  ending.exit_code = program.wait();
  ending.out = program.out();
  ending.err = program.err();
  return ending;
}

Ending judge(std::vector<std::string> arguments, const Environment& environment) {
  const TemporaryFolder folder;
  const std::string path = folder.file("report.json");
  arguments.insert(arguments.end(), {"--report", "json=" + path});
  Ending ending = run_conform(arguments, environment);
  ending.report_text = read_text(path);
  if (!ending.report_text.empty()) ending.report = json::parse(ending.report_text, nullptr, false);
  return ending;
}

std::vector<std::string> driver(const std::string& name) {
  return {"--driver", std::string(XHAL_CONFORM_DRIVERS) + "/share/xhal/drivers.d/" + name + ".json"};
}

Environment mutant(const std::string& base, const std::string& what) {
  const std::string library = base == "sim" ? XHAL_SIM_LIBRARY : XHAL_MINIMAL_LIBRARY;
  if (what.empty() || what.find(':') != std::string::npos)
    return {{"MUTANT_BASE", library}, {"MUTANT", what}};
  return {
      {"MUTANT_BASE", library}, {"MUTANT", ""}, {"XHAL_LAYERS", "faults"}, {"XHAL_FAULTS", "name=" + what}};
}

std::vector<std::string> operator+(std::vector<std::string> first, const std::vector<std::string>& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

const json* find_test(const json& report, const std::string& id) {
  if (!report.is_object()) return nullptr;
  for (const json& test : report.at("tests")) {
    if (test.at("id") == id) return &test;
  }
  return nullptr;
}

std::string outcome_of(const json& report, const std::string& id) {
  const json* test = find_test(report, id);
  return test == nullptr ? "not in the report" : test->at("outcome").get<std::string>();
}

std::vector<std::string> tests_with(const json& report, const std::string& outcome) {
  std::vector<std::string> out;
  if (!report.is_object()) return out;
  for (const json& test : report.at("tests")) {
    if (outcome.empty() || test.at("outcome") == outcome) out.push_back(test.at("id"));
  }
  return out;
}

void expect_consistent(const json& report) {
  ASSERT_TRUE(report.is_object()) << "no report";
  std::map<std::string, size_t> seen;
  size_t required_passed = 0;
  size_t by_substitute = 0;
  size_t not_observed = 0;
  size_t bad = 0;
  for (const json& test : report.at("tests")) {
    const std::string outcome = test.at("outcome");
    ++seen[outcome];
    const bool is_bad = outcome != "passed" && outcome != "skipped";
    bad += is_bad && outcome != "waived" ? 1 : 0;
    required_passed += outcome == "passed" && test.at("required").get<bool>() ? 1 : 0;
    by_substitute +=
        outcome == "passed" && test.at("required").get<bool>() && test.at("substitute") != "" ? 1 : 0;
    not_observed += outcome == "skipped" && test.at("required").get<bool>() ? 1 : 0;
    EXPECT_EQ(test.contains("rerun"), is_bad) << test.at("id");
    EXPECT_TRUE(outcome == "passed" || test.at("message") != "")
        << test.at("id") << " does not say why it " << outcome;
    const bool asserts = outcome == "failed" || outcome == "passed";
    EXPECT_TRUE(!asserts || test.at("failures").empty() == (outcome == "passed")) << test.at("id");
  }
  size_t total = 0;
  for (const auto& [outcome, count] : report.at("totals").items()) {
    EXPECT_EQ(count.get<size_t>(), seen[outcome]) << outcome;
    total += count.get<size_t>();
  }
  EXPECT_EQ(total, report.at("tests").size());
  const json& first_level = report.at("levels").at(0);
  const std::string asked = report.at("level");
  EXPECT_TRUE(first_level.at("level") == asked || asked.ends_with(".toml")) << asked;
  EXPECT_EQ(first_level.at("verdict"), report.at("verdict"));
  EXPECT_EQ(first_level.at("reasons"), report.at("reasons"));
  EXPECT_EQ(first_level.at("required_passed"), required_passed);
  EXPECT_GE(first_level.at("required").get<size_t>(), required_passed);
  EXPECT_EQ(first_level.at("by_substitute"), by_substitute);
  EXPECT_EQ(report.at("containment").at("observed").get<bool>(),
            report.at("containment").at("why_not") == "");
  EXPECT_TRUE(report.at("incomplete").get<bool>() || report.at("not_run").empty());
  const bool is_shard = !report.at("shard").is_null();
  EXPECT_TRUE(bad == 0 || report.at("verdict") == (is_shard ? "not judged" : "not conformant"))
      << report.at("verdict");
  if (report.at("verdict") == "conformant") {
    EXPECT_EQ(first_level.at("required"), required_passed);
    EXPECT_EQ(first_level.at("not_observed"), not_observed) << "a required test is skipped for nothing else";
    EXPECT_TRUE(report.at("reasons").empty());
    EXPECT_TRUE(report.at("options").at("filters").empty());
    EXPECT_FALSE(report.at("incomplete").get<bool>());
  } else {
    EXPECT_FALSE(report.at("reasons").empty());
  }
}

void expect_valid(const std::string& report_text) { expect_valid(report_text, "xhal-conform-report"); }

void expect_valid(const std::string& text, const std::string& schema) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("text.json")) << text;
  const std::string path = std::string(XHAL_CONFORM_SCHEMAS) + "/" + schema + ".schema.json";
  Program validator({XHAL_JSONSCHEMA, "-i", folder.file("text.json"), path}, {});
  const int exit_code = validator.wait();
  EXPECT_EQ(exit_code, 0) << validator.out() << validator.err();
}

std::string level_file(const TemporaryFolder& folder, const std::string& glob) {
  const std::string path = folder.file("level.toml");
  std::ofstream(path) << "schema = 1\nname = \"mine\"\nfeatures = [\"core\"]\ntests = [\"" << glob << "\"]\n";
  return path;
}

void expect_refused(const std::vector<std::string>& arguments, int exit_code, const std::string& says,
                    const Environment& environment) {
  std::string line;
  for (const std::string& word : arguments) line += word + " ";
  const Ending ending = run_conform(arguments, environment);
  EXPECT_EQ(ending.exit_code, exit_code) << line << ": " << ending.out << ending.err;
  EXPECT_TRUE(is_one_line(ending.err)) << line << ": " << ending.err;
  EXPECT_NE(ending.err.find(says), std::string::npos) << line << ": " << ending.err;
  EXPECT_EQ(ending.out, "") << line;
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.back() == '\n' && std::count(text.begin(), text.end(), '\n') == 1;
}

}  // namespace xhal::test
