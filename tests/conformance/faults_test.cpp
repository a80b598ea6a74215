// SPDX-License-Identifier: Apache-2.0
// The fault pack as a user meets it: the layer over drivers, and xhal-conform faults on a few of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "conform.hpp"
#include "strength/shown_by.h"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

Environment layer(const std::string& option, const Environment& over = {}) {
  Environment out = over;
  out["XHAL_LAYERS"] = "faults";
  out["XHAL_FAULTS"] = option;
  return out;
}

// ---- The layer ----

TEST(FaultLayer, ChangesNothingWithoutAFault) {
  for (const Words& whom : {driver("minimal") + Words{"--level", "core"},
                            Words{"--backend", "sim", "--filter", "instance.*", "--filter", "abi.*"}}) {
    const Environment base = whom.front() == "--driver" ? mutant("minimal") : Environment{};
    const Ending ending = judge(whom, layer("name=none", base));
    EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
    expect_consistent(ending.report);
  }
}

TEST(FaultLayer, RefusesAnUnknownNameAndTellsTheNearOnes) {
  for (const auto& [option, says] : std::vector<std::pair<std::string, std::string>>{
           {"name=copys_block", "copies_block"},
           {"name=elapsed", "elapsed_is_negative"},
           {"name=no_such_thing_at_all", "no fault has this name"},
           {"", "no fault is named"},
           {"nam=none", "'nam'"}}) {
    const Ending ending = run_conform({"--backend", "sim", "--filter", "device.uuid"}, layer(option));
    EXPECT_EQ(ending.exit_code, 2) << option << ": " << ending.out << ending.err;
    EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
    EXPECT_NE(ending.err.find(says), std::string::npos) << option << ": " << ending.err;
  }
}

TEST(FaultLayer, LiesOverAnyDriver) {
  const std::string id = "memory.copy_small/from=device,to=device";
  for (const Words& whom : {driver("minimal"), Words{"--backend", "sim"}}) {
    const Environment base = whom.front() == "--driver" ? mutant("minimal") : Environment{};
    const Ending ending = judge(whom + Words{"--filter", id}, layer("name=copy_leaves_the_last_byte", base));
    EXPECT_EQ(outcome_of(ending.report, id), "failed") << ending.out << ending.err;
  }
}

// ---- The command ----

nlohmann::json measure(const Words& arguments, int exit_code, const Environment& environment = {}) {
  const TemporaryFolder folder;
  const std::string path = folder.file("faults.json");
  const Ending ending = run_conform(Words{"faults", "--seed", "7", "--json", path} + arguments, environment);
  EXPECT_EQ(ending.exit_code, exit_code) << ending.out << ending.err;
  Program validator({XHAL_JSONSCHEMA, "-i", path, XHAL_FAULTS_SCHEMA}, {});
  EXPECT_EQ(validator.wait(), 0) << validator.out() << validator.err();
  return nlohmann::json::parse(read_text(path), nullptr, false);
}

const nlohmann::json& fault(const nlohmann::json& report, const std::string& name) {
  const auto& faults = report.at("faults");
  const auto found =
      std::find_if(faults.begin(), faults.end(), [&](const auto& one) { return one.at("name") == name; });
  EXPECT_NE(found, faults.end()) << name;
  return *found;
}

TEST(FaultsCommand, KillsASample) {
  const auto report = measure({"--over", "sim", "--seeds", "2", "--fault", "copy_leaves_the_last_byte",
                               "--fault", "stream_ids_are_equal", "--fault", "null_*"},
                              0);
  EXPECT_EQ(report.at("killed"), report.at("total"));
  EXPECT_EQ(report.at("faults").size(), 5U);
  EXPECT_EQ(report.at("seeds"), 2);
  EXPECT_FALSE(report.contains("powerless"));
  const auto& copy = fault(report, "copy_leaves_the_last_byte");
  EXPECT_EQ(copy.at("verdict"), "killed");
  EXPECT_EQ(copy.at("clause"), "XHAL-MEMORY-7");
  const auto& killers = copy.at("killed_by");
  EXPECT_NE(std::find(killers.begin(), killers.end(), "memory.copy_small/from=device,to=device"),
            killers.end())
      << killers;
  EXPECT_LE(copy.at("first_of").get<int>(), 3);
}

// What a failure does to its process is seen from another one, and counts only where an assertion says it.
TEST(FaultsCommand, KillsWhatIsWrongWithProcessesThatFail) {
  const auto report =
      measure({"--over", "sim", "--fault", "doomed_processes_*", "--fault", "failures_end_the_process"}, 0);
  EXPECT_EQ(report.at("killed"), 3);
  EXPECT_EQ(report.at("total"), 3);
}

// Where the test that shows one can look, it applies.
TEST(FaultsCommand, KillsWhatOneTestAloneShows) {
  Words words = {"--over", "sim"};
  for (const conformance::ShownBy& row : conformance::all_shown_by()) {
    words.emplace_back("--fault");
    words.emplace_back(row.fault);
  }
  const auto report = measure(words, 0);
  EXPECT_EQ(report.at("killed"), conformance::all_shown_by().size());
  EXPECT_EQ(report.at("total"), conformance::all_shown_by().size());
}

// On a device that has done everything when a call returns, a stream that always says so tells the truth.
TEST(FaultsCommand, TellsWhatSurvivesAndWhatDoesNotApply) {
  const auto report =
      measure(driver("minimal") + Words{"--fault", "stream_is_always_idle", "--fault", "size_is_rounded",
                                        "--fault", "graphs_count_a_node_more"},
              1, mutant("minimal"));
  EXPECT_EQ(fault(report, "stream_is_always_idle").at("verdict"), "survived");
  EXPECT_EQ(fault(report, "size_is_rounded").at("verdict"), "killed");
  EXPECT_EQ(fault(report, "graphs_count_a_node_more").at("verdict"), "not applicable");
  EXPECT_EQ(report.at("killed"), 1);
  EXPECT_EQ(report.at("total"), 2);
}

// The whole matrix of a fault: also what tests of other clauses say, and which of them say nothing.
TEST(FaultsCommand, KeepsWhatEveryTestSaid) {
  const auto report =
      measure(driver("minimal") + Words{"--fault", "size_is_rounded", "--all-tests"}, 0, mutant("minimal"));
  const auto& rounded = fault(report, "size_is_rounded");
  std::vector<nlohmann::json> judges, silent;
  for (const auto& failing : rounded.at("failures")) {
    const auto& clauses = failing.at("clauses");
    if (std::find(clauses.begin(), clauses.end(), rounded.at("clause")) != clauses.end())
      judges.insert(judges.end(), failing.at("tests").begin(), failing.at("tests").end());
  }
  // Those that met the fault, and no others.
  EXPECT_EQ(report.at("tests").size(), rounded.at("tests").get<size_t>());
  std::sort(judges.begin(), judges.end());
  EXPECT_EQ(nlohmann::json(judges), rounded.at("killed_by"));
  for (const auto& test : report.at("tests")) {
    EXPECT_FALSE(test.at("clauses").empty()) << test;
    if (test.at("notices") == 0) silent.push_back(test.at("id"));
  }
  EXPECT_EQ(nlohmann::json(silent), report.at("powerless"));
  EXPECT_GT(silent.size(), 100U);
}

// What has to be refused without a feature is asked of a device from which the feature was taken, whether it had it or not.
TEST(FaultsCommand, KeepsBackFeaturesForFaultsOfDevicesWithoutThem) {
  const auto over_sim = measure({"--over", "sim", "--fault", "unclaimed_timing_is_taken", "--fault",
                                 "unclaimed_launches_are_plain", "--fault", "any_size_is_taken"},
                                0);
  const auto& timing = fault(over_sim, "unclaimed_timing_is_taken");
  EXPECT_EQ(timing.at("verdict"), "killed");
  EXPECT_EQ(timing.at("without"), nlohmann::json({"event_timing"}));
  EXPECT_EQ(timing.at("killed_by"), nlohmann::json({"event.timing_without_the_feature"}));
  if (over_sim.at("device").at("features").dump().find("\"kernel\"") != std::string::npos) {
    const auto& launches = fault(over_sim, "unclaimed_launches_are_plain");
    EXPECT_EQ(launches.at("verdict"), "killed");
    EXPECT_EQ(launches.at("without"), nlohmann::json({"cooperative_launch", "cluster_launch"}));
    EXPECT_EQ(launches.at("killed_by").size(), 2U) << launches;
  }
  EXPECT_TRUE(fault(over_sim, "any_size_is_taken").at("without").empty());
  const auto over_minimal = measure(
      driver("minimal") + Words{"--fault", "unclaimed_managed_memory_is_pinned"}, 0, mutant("minimal"));
  EXPECT_EQ(fault(over_minimal, "unclaimed_managed_memory_is_pinned").at("verdict"), "killed");
  EXPECT_TRUE(fault(over_minimal, "unclaimed_managed_memory_is_pinned").at("without").empty());
}

TEST(FaultsCommand, ListsWhatIsSelected) {
  const Ending all = run_conform({"faults", "--list"});
  EXPECT_EQ(all.exit_code, 0) << all.err;
  EXPECT_NE(all.out.find("as in https://"), std::string::npos);
  const Ending some = run_conform({"faults", "--list", "--family", "timing", "--fault", "elapsed_*"});
  EXPECT_EQ(some.exit_code, 0) << some.err;
  EXPECT_NE(some.out.find("breaks XHAL-EVENT-10"), std::string::npos) << some.out;
  EXPECT_EQ(some.out.find("clocks_are_off"), std::string::npos) << some.out;
}

TEST(FaultsCommand, RefusesWrongWords) {
  const std::vector<std::tuple<Words, int, std::string>> cases = {
      {{"--fault", "nobody_has_this_name"}, 3, "matches no fault"},
      {{"--family", "weather"}, 2, "there is no such family"},
      {{"--family", "timing", "--fault", "copy_*"}, 3, "none of the selected faults"},
      {{"--seeds", "0"}, 2, "--seeds"},
      {{"--device", "99"}, 2, "--device 99"},
      {{"--fault", "copy_*", "--json", "/proc/no/such/place.json"}, 2, "/proc/no/such/place.json"}};
  for (const auto& [words, exit_code, says] : cases) {
    const Ending ending = run_conform(Words{"faults", "--over", "sim"} + words);
    EXPECT_EQ(ending.exit_code, exit_code) << says << ": " << ending.out << ending.err;
    EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
    EXPECT_NE(ending.err.find(says), std::string::npos) << ending.err;
    EXPECT_EQ(ending.out, "");
  }
  EXPECT_EQ(run_conform({"faults", "--over", "nobody"}).exit_code, 2);
}

// A driver that crashes under a test is no kill.
TEST(FaultsCommand, ListsCrashesApart) {
  const auto report = measure(driver("minimal") + Words{"--fault", "size_is_rounded", "--jobs", "2"}, 1,
                              mutant("minimal", "crash:memory_allocate"));
  const auto& rounded = fault(report, "size_is_rounded");
  EXPECT_NE(rounded.at("verdict"), "killed");
  EXPECT_EQ(report.at("killed"), 0);
}

}  // namespace
}  // namespace xhal::test
