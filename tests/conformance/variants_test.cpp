// SPDX-License-Identifier: Apache-2.0
// Legal but odd drivers as a user meets them: the layer, the simulator's options, and xhal-conform variants on a few of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <sstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

Ending with_layer(const std::string& option, const Words& arguments) {
  return run_conform(arguments, {{"XHAL_LAYERS", "variants"}, {"XHAL_VARIANTS", option}});
}

Ending with_simulator(const std::string& option, const Words& arguments) {
  return run_conform(arguments, {{"XHAL_SIM", option}});
}

// ---- The layer and the simulator's options ----

TEST(VariantsLayer, RefusesWhatItDoesNotKnow) {
  const Words run = {"--backend", "sim", "--filter", "device.uuid"};
  for (const auto& [option, says] :
       std::vector<std::pair<std::string, std::string>>{{"", "no oddity is named"},
                                                        {"nam=none", "'nam'"},
                                                        {"name=", "is no oddity"},
                                                        {"name=eeger", "is no oddity"},
                                                        {"name=eager+", "is no oddity"},
                                                        {"name=eager+eager", "named twice"},
                                                        {"name=eager:0", "from 1 to"},
                                                        {"name=eager:many", "from 1 to"},
                                                        {"name=synchronous:1", "takes no number"},
                                                        {"name=without_core", "every device claims core"},
                                                        {"name=without_wings", "no feature"}}) {
    const Ending ending = with_layer(option, run);
    EXPECT_EQ(ending.exit_code, 2) << option << ": " << ending.out << ending.err;
    EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
    EXPECT_NE(ending.err.find(says), std::string::npos) << option << ": " << ending.err;
  }
}

TEST(VariantsLayer, ChangesNothingWithoutAName) {
  const Ending ending = with_layer("name=none", {"--backend", "sim", "--filter", "instance.*"});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
}

// Where a failure ends its process nothing more can be seen in it: another one looks, and what needs a survivor says so.
TEST(VariantsLayer, AFailureThatEndsItsProcessIsSeenFromAnother) {
  const Ending ending = judge({"--backend", "sim", "--level", "full", "--filter", "error.*", "--filter",
                               "hostfn.*", "--filter", "kernel.c*_failure"},
                              {{"XHAL_LAYERS", "variants"}, {"XHAL_VARIANTS", "name=fatal_faults"}});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  expect_consistent(ending.report);
  const auto* const seen = find_test(ending.report, "error.trap_in_another_process");
  ASSERT_NE(seen, nullptr);
  EXPECT_EQ(seen->at("outcome"), "passed");
  EXPECT_EQ(seen->at("notes"), nlohmann::json({"a failure ends its process: ended by SIGSEGV"}));
  EXPECT_EQ(outcome_of(ending.report, "error.trap_without_its_flag"), "passed");
  EXPECT_EQ(ending.report.at("containment").at("declared"), "process");
  EXPECT_EQ(ending.report.at("containment").at("observed"), true);
  std::set<std::string> not_observed;
  for (const auto& test : ending.report.at("tests")) {
    if (test.at("message") == "not observed: a failure ends its process, as declared: ended by SIGSEGV")
      not_observed.insert(test.at("id"));
  }
  for (const char* id :
       {"error.containment", "error.nothing_hangs", "error.recovery", "error.event_of_a_destroyed_stream",
        "hostfn.runs_once_behind_a_failure", "kernel.cluster_failure", "kernel.cooperative_failure"})
    EXPECT_TRUE(not_observed.contains(id)) << id;
}

// One that goes on keeps the other clauses, which are looked at as on any device.
TEST(VariantsLayer, AProcessThatOutlivesItsFailureIsJudged) {
  const Ending ending =
      judge({"--backend", "sim", "--level", "core", "--filter", "error.*"},
            {{"XHAL_LAYERS", "variants"}, {"XHAL_VARIANTS", "name=device_wide_faults+fatal_faults:0"}});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("containment").at("declared"), "process");
  for (const char* id :
       {"error.containment", "error.surfaces_everywhere", "error.trap_in_another_process", "error.recovery"})
    EXPECT_EQ(outcome_of(ending.report, id), "passed") << id;
}

TEST(OddSimulator, RefusesWhatItDoesNotKnow) {
  for (const auto& [option, says] :
       std::vector<std::pair<std::string, std::string>>{{"odd=", "none of"},
                                                        {"odd=lasy", "'lasy'"},
                                                        {"odd=lazy+", "none of"},
                                                        {"odd=slow", "'slow'"},
                                                        {"slow=0", "from 1 to"},
                                                        {"level=1", "from 2 to 4"}}) {
    const Ending ending = with_simulator(option, {"--backend", "sim", "--filter", "device.uuid"});
    EXPECT_EQ(ending.exit_code, 2) << option << ": " << ending.out << ending.err;
    EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
    EXPECT_NE(ending.err.find(says), std::string::npos) << option << ": " << ending.err;
  }
}

// ---- The command ----

nlohmann::json judge_variants(const Words& arguments, int exit_code, const Environment& environment = {},
                              const Words& driver_words = {"--over", "sim"}) {
  const TemporaryFolder folder;
  const std::string path = folder.file("variants.json");
  const Ending ending =
      run_conform(Words{"variants", "--seed", "7", "--json", path} + driver_words + arguments, environment);
  EXPECT_EQ(ending.exit_code, exit_code) << ending.out << ending.err;
  const std::string text = read_text(path);
  expect_valid(text, "xhal-conform-variants");
  return nlohmann::json::parse(text, nullptr, false);
}

const nlohmann::json& variant(const nlohmann::json& report, const std::string& name) {
  const auto& all = report.at("variants");
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.at("name") == name; });
  EXPECT_NE(found, all.end()) << name;
  return *found;
}

TEST(VariantsCommand, PassesASampleAndCountsItsOddness) {
  const auto report =
      judge_variants({"--variant", "coarse_timer", "--variant", "lazy", "--variant", "not_ready", "--variant",
                      "without_pool", "--filter", "event.*", "--filter", "stream.query*", "--filter",
                      "abi.unclaimed_call/entry=pool*"},
                     0);
  EXPECT_EQ(report.at("fair"), 4);
  EXPECT_EQ(report.at("total"), 4);
  EXPECT_EQ(report.at("test_failures"), 0);
  EXPECT_GT(report.at("test_executions").get<int>(), 100);
  for (const auto& one : report.at("variants")) {
    EXPECT_EQ(one.at("verdict"), "not judged") << "a filter left tests out";
    for (const auto& [name, count] : one.at("oddness").items()) EXPECT_GT(count.get<uint64_t>(), 0U) << name;
  }
  EXPECT_EQ(variant(report, "coarse_timer").at("layer"), "coarse_timer");
  EXPECT_EQ(variant(report, "lazy").at("simulator"), "odd=lazy");
}

TEST(VariantsCommand, AnOddnessThatNeverHappensIsAFailure) {
  // Nothing in these tests takes times.
  const auto report = judge_variants({"--variant", "coarse_timer", "--filter", "abi.null_handle*"}, 1);
  const auto& one = variant(report, "coarse_timer");
  EXPECT_EQ(one.at("verdict"), "never odd");
  EXPECT_NE(one.at("why").get<std::string>().find("its oddness never happened"), std::string::npos);
  EXPECT_EQ(one.at("oddness").at("coarse_timer"), 0);
  EXPECT_EQ(report.at("fair"), 0);
}

// A driver that is not conformant is none with an oddness either; the command of the failure says the same.
TEST(VariantsCommand, NamesTheTestThatFailsAndHowToRunItAgain) {
  const std::string id = "memory.copy_small/from=device,to=device";
  const auto report = judge_variants({"--variant", "eager", "--filter", id}, 1,
                                     mutant("sim", "copy_leaves_the_last_byte"), driver("sim"));
  const auto& one = variant(report, "eager");
  EXPECT_EQ(one.at("verdict"), "not conformant");
  ASSERT_EQ(one.at("failures").size(), 1U);
  const auto& failure = one.at("failures").front();
  EXPECT_EQ(failure.at("test"), id);
  EXPECT_EQ(failure.at("seed"), 7);
  EXPECT_EQ(failure.at("clauses"), nlohmann::json({"XHAL-MEMORY-7"}));
  const auto rerun = failure.at("rerun").get<std::string>();
  EXPECT_EQ(rerun.rfind("XHAL_LAYERS=variants,faults XHAL_VARIANTS=name=eager xhal-conform --driver ", 0), 0U)
      << rerun;
  // As a shell would run it.
  Environment again = mutant("sim", "copy_leaves_the_last_byte");
  std::istringstream words(rerun);
  Words arguments;
  for (std::string word; words >> word;) {
    if (arguments.empty() && word.find('=') != std::string::npos && word.rfind("XHAL_", 0) == 0) {
      again[word.substr(0, word.find('='))] = word.substr(word.find('=') + 1);
    } else {
      arguments.push_back(word);
    }
  }
  ASSERT_EQ(arguments.front(), "xhal-conform");
  arguments.erase(arguments.begin());
  const Ending ending = run_conform(arguments, again);
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  EXPECT_NE(ending.out.find("XHAL-MEMORY-7"), std::string::npos) << ending.out;
}

TEST(VariantsCommand, GoesOverAnyDriver) {
  const auto report = judge_variants({"--variant", "renamed", "--variant", "lazy", "--variant", "odd_limits",
                                      "--level", "core", "--filter", "device.*"},
                                     0, mutant("minimal"), driver("minimal"));
  EXPECT_EQ(variant(report, "renamed").at("verdict"), "not judged");
  EXPECT_EQ(variant(report, "lazy").at("verdict"), "not applicable");
  EXPECT_NE(variant(report, "lazy").at("why").get<std::string>().find("simulator"), std::string::npos);
  EXPECT_NE(variant(report, "odd_limits").at("why").get<std::string>().find("needs kernel"),
            std::string::npos);
  EXPECT_EQ(report.at("total"), 1);
}

TEST(VariantsCommand, MixesPairsAndTellsWhichStandApart) {
  const auto report =
      judge_variants({"--pairs", "--variant", "eager", "--variant", "coarse_timer", "--variant",
                      "without_event_timing", "--filter", "event.elapsed*", "--filter", "stream.order*"},
                     0);
  ASSERT_EQ(report.at("variants").size(), 2U);
  const auto& mix = variant(report, "eager+coarse_timer");
  EXPECT_EQ(mix.at("mix").size(), 2U);
  EXPECT_EQ(mix.at("layer"), "eager+coarse_timer");
  EXPECT_EQ(mix.at("oddness").size(), 2U);
  ASSERT_EQ(report.at("apart").size(), 1U);
  EXPECT_EQ(report.at("apart").front().at("name"), "coarse_timer+without_event_timing");
  EXPECT_NE(report.at("apart").front().at("why"), "");
}

// One oddness may hide another: then its pairs have to show it.
TEST(VariantsCommand, TakesAMixApartInWhichOneIsNeverOdd) {
  const auto report = judge_variants({"--pairs", "--together", "3", "--variant", "eager", "--variant",
                                      "coarse_timer", "--variant", "renamed", "--filter", "stream.order*"},
                                     1);
  std::map<std::string, std::string> verdicts;
  for (const auto& one : report.at("variants")) verdicts[one.at("name")] = one.at("verdict");
  const std::map<std::string, std::string> expected = {{"eager+coarse_timer+renamed", "taken apart"},
                                                       {"eager+coarse_timer", "never odd"},
                                                       {"coarse_timer+renamed", "never odd"}};
  EXPECT_EQ(verdicts, expected);
  EXPECT_EQ(report.at("total"), 2);
}

// Lines that begin a row of the list.
Words names_of(const std::string& list) {
  Words out;
  std::istringstream lines(list);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.front() != ' ') out.push_back(line);
  }
  return out;
}

TEST(VariantsCommand, ListsThemAllWithTheReasonWhyEachIsLegal) {
  const Ending ending = run_conform({"variants", "--list"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  const Words names = names_of(ending.out);
  EXPECT_GE(names.size(), 24U);
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_NE(ending.out.find("legal by XHAL-EVENT-10"), std::string::npos);
}

// The parts of "eager+slow", two by two.
std::vector<std::pair<std::string, std::string>> twos_of(const std::string& mix) {
  Words parts;
  std::istringstream words(mix);
  for (std::string part; std::getline(words, part, '+');) parts.push_back(part);
  std::vector<std::pair<std::string, std::string>> out;
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t k = i + 1; k < parts.size(); ++k) out.emplace_back(parts[i], parts[k]);
  }
  return out;
}

// What `--list --pairs` names: what is run, and what is not since it contradicts itself.
struct Listed {
  std::set<std::string> run, apart;
};
Listed listed(const Words& words) {
  Listed out;
  std::string last;
  std::istringstream lines(run_conform(Words{"variants", "--list", "--pairs"} + words).out);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("  apart: ", 0) == 0) {
      out.apart.insert(out.run.extract(last));
    } else {
      out.run.insert(last = line);
    }
  }
  return out;
}

TEST(VariantsCommand, MixesOfSeveralHoldEveryPairAndNoneThatStandsApart) {
  const Listed pairs = listed({});
  const Listed mixes = listed({"--together", "5"});
  std::set<std::pair<std::string, std::string>> held;
  for (const std::string& mix : mixes.run) {
    const auto twos = twos_of(mix);
    EXPECT_LE(twos.size(), 10U) << mix << " has more than five";
    held.insert(twos.begin(), twos.end());
  }
  for (const std::string& pair : pairs.run) EXPECT_TRUE(held.contains(twos_of(pair).front())) << pair;
  for (const std::string& pair : pairs.apart) EXPECT_FALSE(held.contains(twos_of(pair).front())) << pair;
  EXPECT_EQ(held.size(), pairs.run.size());
  EXPECT_EQ(mixes.apart, pairs.apart);
  EXPECT_GT(pairs.run.size(), 1000U);
  EXPECT_LT(mixes.run.size(), pairs.run.size() / 4);
}

TEST(VariantsCommand, ShardsAreTheWhole) {
  std::multiset<std::string> all;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const Ending ending = run_conform({"variants", "--list", "--pairs", "--shard", shard});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    for (const std::string& name : names_of(ending.out)) all.insert(name);
  }
  const Words whole = names_of(run_conform({"variants", "--list", "--pairs"}).out);
  EXPECT_EQ(all, std::multiset<std::string>(whole.begin(), whole.end()));
}

TEST(VariantsCommand, RefusesWrongWords) {
  const Words one = {"--variant", "eager"};
  for (const auto& [words, exit_code, says] : std::vector<std::tuple<Words, int, std::string>>{
           {{"--variant", "nobody_has_this_name"}, 3, "matches no variant"},
           {{"--variant", "eager", "--pairs"}, 3, "makes no pair"},
           {{"--variant", "*_floats", "--pairs"}, 3, "no two of them go together"},
           {one + Words{"--filter", "no.such.test"}, 3, "matches no test"},
           {one + Words{"--level", "expert"}, 2, "level expert is unknown"},
           {one + Words{"--seeds", "0"}, 2, "--seeds"},
           {one + Words{"--together", "3"}, 2, "--pairs"},
           {{"--pairs", "--together", "1"}, 2, "--together"},
           {one + Words{"--shard", "4/3"}, 2, "--shard 4/3"},
           {one + Words{"--device", "99"}, 2, "--device 99"},
           {one + Words{"--json", "/proc/no/such/place.json"}, 2, "/proc/no/such/place.json"},
           {one + Words{"--kernels", "/no/such/folder"}, 2, "/no/such/folder"}})
    expect_refused(Words{"variants", "--over", "sim"} + words, exit_code, says, {});
  expect_refused({"variants", "--over", "nobody"}, 2, "nobody", {});
}

// Every pageable copy crashes: the tests say so, whatever is odd.
TEST(VariantsCommand, SurvivesADriverThatCrashes) {
  const auto report = judge_variants({"--variant", "renamed", "--filter", "memory.null_pointers"}, 1,
                                     mutant("sim", "crash:memory_copy"), driver("sim"));
  EXPECT_EQ(variant(report, "renamed").at("verdict"), "not conformant");
  EXPECT_EQ(variant(report, "renamed").at("failures").front().at("outcome"), "crashed");
}

}  // namespace
}  // namespace xhal::test
