// SPDX-License-Identifier: Apache-2.0
// Reports say what happened: by schema, by their own sums, and the same in each form.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <sstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

std::string lines_of(const Words& command) {
  Program program(command, {});
  EXPECT_EQ(program.wait(), 0) << program.err();
  return program.out();
}

// Read by a parser that is not ours: "tests failures errors skipped" of the root, the sums over its suites, the elements themselves, and
// the names of the cases.
struct Junit {
  std::array<size_t, 4> root{};
  std::array<size_t, 4> suites{};
  std::array<size_t, 4> elements{};
  std::set<std::string> names;
};

Junit read_junit(const std::string& path) {
  constexpr const char* kScript = R"(
import sys, xml.etree.ElementTree as tree
root = tree.parse(sys.argv[1]).getroot()
keys = ['tests', 'failures', 'errors', 'skipped']
print(*(root.get(key) for key in keys))
print(*(sum(int(suite.get(key)) for suite in root.findall('testsuite')) for key in keys))
print(*(len(root.findall('testsuite/testcase' + below)) for below in ['', '/failure', '/error', '/skipped']))
for case in root.findall('testsuite/testcase'):
    assert case.get('name').startswith(case.get('classname') + '.')
    print(case.get('name'))
)";
  std::istringstream in(lines_of({XHAL_PYTHON, "-c", kScript, path}));
  Junit out;
  for (auto* counts : {&out.root, &out.suites, &out.elements}) {
    for (size_t& count : *counts) in >> count;
  }
  for (std::string name; in >> name;) out.names.insert(name);
  return out;
}

void expect_same(const nlohmann::json& report, const Junit& junit) {
  const auto& totals = report.at("totals");
  const auto count = [&](const char* outcome) { return totals.at(outcome).get<size_t>(); };
  const std::array<size_t, 4> expected = {
      report.at("tests").size(),
      count("failed") + count("refused") + count("inconclusive") + count("unstable"),
      count("crashed") + count("timed_out"), count("skipped")};
  EXPECT_EQ(junit.root, expected);
  EXPECT_EQ(junit.suites, expected);
  EXPECT_EQ(junit.elements, expected);
  const auto ids = tests_with(report, "");
  EXPECT_EQ(junit.names, std::set<std::string>(ids.begin(), ids.end()));
}

struct Both {
  Ending ending;
  Junit junit;
};

Both judge_in_both_forms(Words arguments, const Environment& environment = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.file("report.xml");
  Both out;
  out.ending = judge(std::move(arguments) + Words{"--report", "junit=" + path}, environment);
  out.junit = read_junit(path);
  EXPECT_EQ(folder.names(), Words{"report.xml"});
  return out;
}

TEST(Report, OfAWholeRunIsValidAndComplete) {
  const auto [ending, junit] = judge_in_both_forms({"--backend", "sim"});
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  expect_same(ending.report, junit);
  EXPECT_EQ(ending.report.at("level"), "full");
  EXPECT_EQ(ending.report.at("driver").at("name"), "sim");
  EXPECT_EQ(ending.report.at("driver").at("sha256").get<std::string>().size(), 64U);
#ifdef XHAL_CONFORM_HAS_KERNELS
  EXPECT_EQ(ending.exit_code, 0) << ending.out;
  EXPECT_EQ(ending.report.at("verdict"), "conformant");
#endif
  // Level full selects every test there is, and each is told about once.
  Words listed;
  std::istringstream in(run_conform({"--list"}).out);
  for (std::string id; std::getline(in, id);) listed.push_back(id);
  EXPECT_GT(listed.size(), 500U);
  EXPECT_EQ(tests_with(ending.report, ""), listed);
  const std::string list_text = run_conform({"--list", "--format", "json"}).out;
  expect_valid(list_text, "xhal-conform-list");
  const auto list = nlohmann::json::parse(list_text);
  ASSERT_EQ(list.at("tests").size(), listed.size());
  for (size_t i = 0; i < listed.size(); ++i) {
    EXPECT_EQ(list.at("tests").at(i).at("id"), listed[i]);
    EXPECT_EQ(list.at("tests").at(i).at("clauses"), ending.report.at("tests").at(i).at("clauses"));
  }
}

TEST(Report, OfAFailedRunIsValidAndItsFormsAgree) {
  // Refused by a driver without anything; some fail, some are skipped.
  const auto [ending, junit] =
      judge_in_both_forms(driver("refusing") + Words{"--filter", "stream.*", "--filter", "instance.*"});
  EXPECT_EQ(ending.exit_code, 1);
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  expect_same(ending.report, junit);
  EXPECT_GT(ending.report.at("totals").at("refused"), 0);
  EXPECT_GT(ending.report.at("totals").at("skipped"), 0);
  const nlohmann::json& suspects = ending.report.at("suspects");
  ASSERT_EQ(suspects.size(), 3u);
  EXPECT_NE(ending.out.find("look first at " + suspects[0].at("clause").get<std::string>() + ": failed in "),
            std::string::npos)
      << ending.out;
}

TEST(Report, OfACrashIsValidAndItsFormsAgree) {
  const auto [ending, junit] = judge_in_both_forms(driver("minimal") + Words{"--filter", "device.*"},
                                                   mutant("minimal", "crash:device_get_link"));
  expect_valid(ending.report_text);
  expect_same(ending.report, junit);
  EXPECT_EQ(ending.report.at("totals").at("crashed"), 1);
}

TEST(Report, CommandOfAFailureRunsItAgain) {
  const std::string id = "memory.copy_small/from=device,to=device";
  Environment lies = mutant("minimal");
  lies["XHAL_LAYERS"] = "faults";
  lies["XHAL_FAULTS"] = "name=copy_leaves_the_last_byte";
  const Ending first = judge(driver("minimal") + Words{"--filter", id}, lies);
  ASSERT_EQ(outcome_of(first.report, id), "failed");
  std::istringstream words(find_test(first.report, id)->at("rerun").get<std::string>());
  Words arguments;
  for (std::string word; words >> word;) arguments.push_back(word);
  ASSERT_EQ(arguments.front(), "xhal-conform");
  arguments.erase(arguments.begin());
  const Ending again = judge(arguments, lies);
  ASSERT_EQ(outcome_of(again.report, id), "failed") << again.err;
  // The same seed, so the same data and the same words.
  EXPECT_EQ(find_test(again.report, id)->at("failures"), find_test(first.report, id)->at("failures"));
}

TEST(Report, OnTheStandardOutputIsAlone) {
  const Ending ending = run_conform(
      driver("minimal") + Words{"--filter", "device.uuid", "--report", "json=-"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(nlohmann::json::parse(ending.out, nullptr, false).is_object()) << ending.out;
  EXPECT_NE(ending.err.find("verdict: "), std::string::npos) << ending.err;
}

TEST(Report, AFilterLeavesTheVerdictOpen) {
  const Ending ending = judge(driver("minimal") + Words{"--filter", "device.uuid"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "not judged");
  EXPECT_EQ(ending.report.at("options").at("filters"), nlohmann::json({"device.uuid"}));
  EXPECT_EQ(ending.report.at("incomplete"), false);
}

// Without an image a kernel's test shows nothing, which is not enough for a device that claims kernels.
TEST(Report, WithoutKernelImagesIsInconclusive) {
  const TemporaryFolder nothing;
  const Ending ending =
      judge({"--backend", "sim", "--filter", "kernel.ids/*", "--kernels", nothing.file(".")},
            {{"XHAL_SIM", "features=-builtin_kernels"}});
  EXPECT_EQ(ending.exit_code, 1) << ending.out;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  EXPECT_EQ(tests_with(ending.report, "inconclusive").size(), ending.report.at("tests").size());
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
}

// A declaration that nothing has tried is told as no more than that.
TEST(Report, ContainmentWithoutAKernelIsNotObserved) {
  const TemporaryFolder folder;
  const std::string xml = folder.file("report.xml");
  const Ending ending =
      judge({"--backend", "sim", "--level", "core", "--filter", "error.*", "--report", "junit=" + xml},
            {{"XHAL_SIM", "features=-kernel"}});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  EXPECT_EQ(ending.report.at("containment").at("declared"), "stream");
  EXPECT_EQ(ending.report.at("containment").at("observed"), false);
  EXPECT_NE(ending.out.find("declares faults contained by the stream"), std::string::npos) << ending.out;
  EXPECT_NE(
      ending.out.find("containment: not observed, the device declares the stream (error.containment skipped: "
                      "needs the feature kernel"),
      std::string::npos)
      << ending.out;
  EXPECT_NE(
      read_text(xml).find("<property name=\"containment\" value=\"not observed: error.containment skipped"),
      std::string::npos);
}

#ifdef XHAL_CONFORM_HAS_KERNELS
TEST(Report, ContainmentThatWasTriedIsObserved) {
  const Ending ending = judge({"--backend", "sim", "--level", "core", "--filter", "error.containment"});
  EXPECT_EQ(ending.report.at("containment").at("observed"), true) << ending.out;
  EXPECT_NE(ending.out.find("containment: observed, faults stay within the stream"), std::string::npos)
      << ending.out;
}
#endif

// The id says stream_signal_semaphore, and a device without semaphores has none to ask with.
TEST(Report, WhatPassedBySubstituteIsCounted) {
  const auto [ending, junit] =
      judge_in_both_forms({"--backend", "sim", "--level", "core", "--filter", "abi.foreign_handle/*"});
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  expect_same(ending.report, junit);
  EXPECT_NE(find_test(ending.report, "abi.foreign_handle/entry=stream_signal_semaphore")->at("substitute"),
            "");
  EXPECT_EQ(find_test(ending.report, "abi.foreign_handle/entry=event_record")->at("substitute"), "");
  const auto count = ending.report.at("levels").at(0).at("by_substitute").get<size_t>();
  EXPECT_GT(count, 0U);
  EXPECT_LT(count, ending.report.at("tests").size());
  EXPECT_NE(ending.out.find(std::to_string(count) + " of them by substitute"), std::string::npos)
      << ending.out;
}

// ---- Order and jobs ----

// Ids in the order in which a run tells of them, from lines like "passed        device.uuid  0.1 ms".
Words order_of(const Words& arguments) {
  const Ending ending =
      run_conform(driver("minimal") + Words{"--filter", "device.*", "--filter", "memory.*"} + arguments,
                  mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  Words out;
  std::istringstream in(ending.out);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    std::string outcome;
    std::string id;
    if (words >> outcome >> id && outcome == "passed" && id.find('.') != std::string::npos) out.push_back(id);
  }
  EXPECT_GT(out.size(), 30U);
  return out;
}

Words sorted(Words words) {
  std::sort(words.begin(), words.end());
  return words;
}

TEST(Order, ComesFromTheSeed) {
  const Words first = order_of({"--seed", "1"});
  const Words again = order_of({"--seed", "1"});
  const Words other = order_of({"--seed", "2"});
  EXPECT_EQ(first, again);
  EXPECT_NE(first, other);
  EXPECT_NE(first, sorted(first));
  EXPECT_EQ(sorted(first), sorted(other));
}

TEST(Order, WithoutShuffleIsById) {
  const Words words = order_of({"--no-shuffle", "--seed", "1"});
  EXPECT_EQ(words, sorted(words));
}

TEST(Jobs, SeveralSeeWhatOneSees) {
  const Words arguments = {"--backend", "sim", "--seed", "5"};
  const Ending one = judge(arguments + Words{"--jobs", "1"});
  const Ending four = judge(arguments + Words{"--jobs", "4"});
  const Words ids = tests_with(one.report, "");
  EXPECT_GT(ids.size(), 500U);
  ASSERT_EQ(ids, tests_with(four.report, ""));
  for (const std::string& id : ids) {
    EXPECT_EQ(outcome_of(one.report, id), outcome_of(four.report, id))
        << id << "\n"
        << find_test(one.report, id)->at("message") << "\n"
        << find_test(four.report, id)->at("message");
  }
  EXPECT_EQ(one.exit_code, four.exit_code);
}

}  // namespace
}  // namespace xhal::test
