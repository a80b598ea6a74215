// SPDX-License-Identifier: Apache-2.0
// Parts of a run are the run, and what is not all of it and nothing else is refused by name.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <set>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr const char* kFailing = "memory.copy_small/from=device,to=device";

// Three shards of the memory tests of core on a driver, and the files that they are in.
class Shards : public testing::Test {
 protected:
  static constexpr int kCount = 3;

  Ending run(const Words& arguments, const std::string& what = "") const {
    return judge(driver("minimal") + Words{"--level", level_, "--seed", "7"} + arguments,
                 mutant("minimal", what));
  }

  void run_all(const std::string& what = "") {
    for (int i = 1; i <= kCount; ++i) {
      Ending ending = run({"--shard", std::to_string(i) + "/" + std::to_string(kCount)}, what);
      ASSERT_TRUE(ending.report.is_object()) << ending.err;
      write(i, ending.report);
      endings_.push_back(std::move(ending));
    }
  }

  [[nodiscard]] std::string path(int i) const { return folder_.file("shard" + std::to_string(i) + ".json"); }
  [[nodiscard]] std::string out() const { return folder_.file("merged.json"); }
  void write(int i, const json& report) const { std::ofstream(path(i)) << report.dump(); }
  [[nodiscard]] Words merge_all() const { return {"merge", out(), path(1), path(2), path(3)}; }

  TemporaryFolder folder_;
  std::string level_ = level_file(folder_, "memory.*");
  std::vector<Ending> endings_;
};

TEST_F(Shards, TogetherAreTheWholeRun) {
  run_all();
  const Ending whole = run({});
  ASSERT_EQ(whole.report.at("verdict"), "conformant") << whole.out;
  std::set<std::string> seen;
  for (int i = 0; i < kCount; ++i) {
    const json& report = endings_[static_cast<size_t>(i)].report;
    EXPECT_EQ(endings_[static_cast<size_t>(i)].exit_code, 0);
    EXPECT_EQ(report.at("verdict"), "not judged");
    EXPECT_EQ(report.at("shard"), (json{{"index", i + 1}, {"count", kCount}}));
    EXPECT_EQ(report.at("seed"), 7);
    expect_valid(report.dump());
    expect_consistent(report);
    for (const std::string& id : tests_with(report, "")) EXPECT_TRUE(seen.insert(id).second) << id;
    // No shard has all the work.
    EXPECT_LT(tests_with(report, "").size(), tests_with(whole.report, "").size() / 2);
  }
  const Ending merged = run_conform(merge_all());
  EXPECT_EQ(merged.exit_code, 0) << merged.out << merged.err;
  EXPECT_NE(merged.out.find("verdict: conformant"), std::string::npos) << merged.out;
  const std::string text = read_text(out());
  expect_valid(text);
  const json report = json::parse(text);
  expect_consistent(report);
  EXPECT_EQ(tests_with(report, ""), tests_with(whole.report, ""));
  for (const char* same :
       {"verdict", "reasons", "totals", "levels", "seed", "driver", "device", "containment"})
    EXPECT_EQ(report.at(same), whole.report.at(same)) << same;
  EXPECT_TRUE(report.at("shard").is_null());
  EXPECT_EQ(report.at("shards").size(), 3U);
  // A test is told as it was told in its shard.
  for (const Ending& ending : endings_) {
    for (const json& test : ending.report.at("tests")) EXPECT_EQ(*find_test(report, test.at("id")), test);
  }
}

TEST_F(Shards, OneFailureFailsAll) {
  run_all("copy_leaves_the_last_byte");
  int failed = 0;
  for (const Ending& ending : endings_) {
    EXPECT_EQ(ending.report.at("verdict"), "not judged");
    EXPECT_EQ(ending.exit_code, tests_with(ending.report, "failed").empty() ? 0 : 1);
    failed += ending.exit_code;
  }
  EXPECT_GT(failed, 0);
  const Ending merged = run_conform(merge_all());
  EXPECT_EQ(merged.exit_code, 1) << merged.out << merged.err;
  const std::string text = read_text(out());
  expect_valid(text);
  const json report = json::parse(text);
  EXPECT_EQ(report.at("verdict"), "not conformant");
  EXPECT_EQ(outcome_of(report, kFailing), "failed");
}

TEST_F(Shards, ComeFromTheUsualVariablesToo) {
  Environment environment = mutant("minimal");
  environment["GTEST_TOTAL_SHARDS"] = "3";
  environment["GTEST_SHARD_INDEX"] = "1";
  const Words arguments = driver("minimal") + Words{"--level", level_, "--seed", "7"};
  const Ending second = judge(arguments, environment);
  const Ending same = run({"--shard", "2/3"});
  EXPECT_EQ(tests_with(second.report, ""), tests_with(same.report, ""));
  EXPECT_EQ(second.report.at("shard"), same.report.at("shard"));
  // The option wins, also over nonsense.
  environment["GTEST_SHARD_INDEX"] = "nine";
  const Ending first = judge(arguments + Words{"--shard", "1/3"}, environment);
  EXPECT_EQ(first.report.at("shard"), (json{{"index", 1}, {"count", 3}})) << first.err;
  for (const auto& [total, index] : std::vector<std::pair<const char*, const char*>>{
           {"3", "3"}, {"3", "-1"}, {"0", "0"}, {"", "0"}, {"3", ""}, {"three", "0"}, {"3", "1 "}}) {
    environment["GTEST_TOTAL_SHARDS"] = total;
    environment["GTEST_SHARD_INDEX"] = index;
    expect_refused(arguments, 2, "GTEST_TOTAL_SHARDS", environment);
  }
  environment.erase("GTEST_SHARD_INDEX");
  environment["GTEST_TOTAL_SHARDS"] = "3";
  expect_refused(arguments, 2, "set both", environment);
}

// The order of filters and what else is selected do not move a test.
TEST_F(Shards, AreTheSameUnderEveryFilter) {
  const Ending all = run({"--shard", "2/3"});
  const Ending few = run({"--shard", "2/3", "--filter", "memory.fill*", "--filter", "memory.copy*"});
  const Ending turned = run({"--shard", "2/3", "--filter", "memory.copy*", "--filter", "memory.fill*"});
  EXPECT_EQ(tests_with(few.report, ""), tests_with(turned.report, ""));
  EXPECT_FALSE(tests_with(few.report, "").empty());
  for (const std::string& id : tests_with(few.report, ""))
    EXPECT_NE(find_test(all.report, id), nullptr) << id;
}

TEST_F(Shards, OneThatHasNoTestIsWhole) {
  for (const char* shard : {"1/2", "2/2"}) {
    const Ending ending = run({"--shard", shard, "--filter", kFailing});
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    expect_valid(ending.report_text);
    expect_consistent(ending.report);
  }
}

// ---- What cannot be merged ----

struct Spoiled {
  const char* name;
  std::function<void(json&)> spoil;  // the second shard
  const char* says;
};

void PrintTo(const Spoiled& spoiled, std::ostream* out) { *out << spoiled.name; }

class NotMerged : public Shards, public testing::WithParamInterface<Spoiled> {};

TEST_P(NotMerged, IsRefusedByName) {
  run_all();
  json second = endings_[1].report;
  GetParam().spoil(second);
  write(2, second);
  expect_refused(merge_all(), 4, GetParam().says);
  expect_refused(merge_all(), 4, path(2));
  EXPECT_FALSE(std::ifstream(out()).good());
}

INSTANTIATE_TEST_SUITE_P(
    Every, NotMerged,
    testing::Values(
        Spoiled{"seed", [](json& r) { r["seed"] = 8; }, "seed 7 and 8"},
        Spoiled{"driver", [](json& r) { r["driver"]["sha256"] = std::string(64, 'a'); },
                "hash of the driver's file"},
        Spoiled{"device", [](json& r) { r["device"]["name"] = "other"; }, "device "},
        Spoiled{"features", [](json& r) { r["device"]["features"].push_back("graph"); },
                "features of the device"},
        Spoiled{"suite", [](json& r) { r["suite"]["commit"] = "0123456789"; }, "commit 0123456789"},
        Spoiled{"level", [](json& r) { r["level"] = "core"; }, "level"},
        Spoiled{"filters", [](json& r) { r["options"]["filters"] = {"memory.*"}; }, "option --filter"},
        Spoiled{"timeout", [](json& r) { r["options"]["timeout_s"] = 5; }, "option --timeout"},
        Spoiled{"variables", [](json& r) { r["environment"]["variables"]["XHAL_SIM"] = "slow"; }, "XHAL_SIM"},
        Spoiled{"count", [](json& r) { r["shard"]["count"] = 4; }, "one of 4"},
        Spoiled{"same_shard", [](json& r) { r["shard"]["index"] = 1; }, "both shard 1 of 3"},
        Spoiled{"whole_run", [](json& r) { r["shard"] = nullptr; }, "no shard"},
        Spoiled{"interrupted", [](json& r) { r["incomplete"] = true; }, "was interrupted"},
        Spoiled{"unknown_test", [](json& r) { r["tests"][0]["id"] = "memory.no_such"; }, "memory.no_such"},
        Spoiled{"twice", [](json& r) { r["tests"].push_back(r["tests"][0]); }, "is in "}),
    [](const auto& one) { return one.param.name; });

TEST_F(Shards, AMissingOneIsNamed) {
  run_all();
  expect_refused({"merge", out(), path(1), path(3)}, 4, "shard 2 of 3 is missing");
  expect_refused({"merge", out(), path(1), path(2), path(3), path(2)}, 4, "both shard 2 of 3");
}

TEST_F(Shards, ATestThatIsGoneOrElsewhereIsNamed) {
  run_all();
  json second = endings_[1].report;
  const std::string id = second["tests"][0]["id"];
  const json test = second["tests"][0];
  second["tests"].erase(0);
  write(2, second);
  expect_refused(merge_all(), 4, id + " is missing in shard 2");
  json third = endings_[2].report;
  third["tests"].push_back(test);
  write(3, third);
  expect_refused(merge_all(), 4, id + " is in " + path(3) + ", but belongs to shard 2");
}

TEST_F(Shards, OtherFilesAreTheUsersMistake) {
  std::ofstream(folder_.file("text")) << "no JSON";
  std::ofstream(folder_.file("other")) << R"({"schema": "xhal-conform/2"})";
  std::ofstream(folder_.file("half")) << R"({"schema": "xhal-conform/1", "abi": "0.1.0"})";
  for (const auto& [name, says] : std::vector<std::pair<const char*, const char*>>{{"text", "no JSON"},
                                                                                   {"other", "schema"},
                                                                                   {"half", "has no 'suite'"},
                                                                                   {"absent", "no file"},
                                                                                   {".", "no file"}})
    expect_refused({"merge", out(), folder_.file(name)}, 2, says);
  expect_refused({"merge"}, 2);
  expect_refused({"merge", out()}, 2);
  run_all();
  expect_refused({"merge", "/no/such/folder/out.json", path(1), path(2), path(3)}, 2, "/no/such/folder");
}

}  // namespace
}  // namespace xhal::test
