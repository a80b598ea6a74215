// SPDX-License-Identifier: Apache-2.0
// A known failure is excused by data that say which, why and until when, and by nothing else.
#include <gtest/gtest.h>

#include <fstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr const char* kFailing = "device.features_agree";
constexpr const char* kFault = "every_feature_is_claimed";

// An entry for the failing test; `more` replaces keys or adds some.
std::string entry(const std::map<std::string, std::string>& more = {}) {
  std::map<std::string, std::string> keys = {{"test", '"' + std::string(kFailing) + '"'},
                                             {"reason", "\"counts what it was built with\""},
                                             {"link", "\"https://example.org/bug/1\""},
                                             {"expires", "2999-01-01"},
                                             {"message", "\"XHAL-\""}};
  for (const auto& [key, value] : more) keys[key] = value;
  std::string out = "[[waiver]]\n";
  for (const auto& [key, value] : keys) out += value.empty() ? "" : key + " = " + value + "\n";
  return out;
}

class Waivers : public testing::Test {
 protected:
  Waivers() { std::ofstream(folder_.file("reproducer.c")) << "int main(void) { return 0; }\n"; }

  std::string file(const std::string& text) const {
    const std::string path = folder_.file("waivers.toml");
    std::ofstream(path) << text;
    return path;
  }
  Ending run(const std::string& text, const Words& arguments = {}, const std::string& what = kFault) const {
    return judge(driver("minimal") + Words{"--level", level_, "--waivers", file(text)} + arguments,
                 mutant("minimal", what));
  }

  TemporaryFolder folder_;
  std::string level_ = level_file(folder_, "device.*");
};

TEST_F(Waivers, AKnownFailureIsWaivedAndStillNoTick) {
  const std::string xml = folder_.file("report.xml");
  const Ending ending = run(entry(), {"--report", "junit=" + xml});
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  EXPECT_EQ(ending.report.at("verdict"), "conformant with waivers");
  EXPECT_EQ(ending.report.at("totals").at("waived"), 1);
  EXPECT_EQ(ending.report.at("totals").at("failed"), 0);
  const json& test = *find_test(ending.report, kFailing);
  EXPECT_EQ(test.at("outcome"), "waived");
  EXPECT_EQ(test.at("waived_outcome"), "failed");
  EXPECT_EQ(test.at("waiver").at("link"), "https://example.org/bug/1");
  const json& waiver = ending.report.at("waivers").at(0);
  EXPECT_EQ(waiver.at("state"), "used");
  EXPECT_EQ(waiver.at("tests"), json({kFailing}));
  EXPECT_NE(ending.out.find("https://example.org/bug/1"), std::string::npos) << ending.out;
  EXPECT_NE(read_text(xml).find(
                "<skipped message=\"waived: counts what it was built with (https://example.org/bug/1)\""),
            std::string::npos);
  EXPECT_EQ(run(entry(), {"--allow-waivers"}).exit_code, 0);
}

TEST_F(Waivers, AReproducerStandsForALink) {
  const Ending ending = run(entry({{"link", ""}, {"reproducer", "\"reproducer.c\""}}), {"--allow-waivers"});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("waivers").at(0).at("reproducer"), "reproducer.c");
  expect_valid(ending.report_text);
}

TEST_F(Waivers, ACrashCanBeKnownToo) {
  const Ending ending = run(entry({{"test", "\"device.links\""}, {"message", "\"SIGSEGV\""}}),
                            {"--allow-waivers"}, "crash:device_get_link");
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(find_test(ending.report, "device.links")->at("waived_outcome"), "crashed");
}

TEST_F(Waivers, AnotherFailureOfTheTestIsNotExcused) {
  const Ending ending = run(entry({{"message", "\"the device is on fire\""}}), {"--allow-waivers"});
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  EXPECT_EQ(outcome_of(ending.report, kFailing), "failed");
  EXPECT_NE(ending.report.at("waivers").at(0).at("problem").get<std::string>().find("on fire"),
            std::string::npos);
}

// Each fails the run although the device is conformant, and is named.
TEST_F(Waivers, OnesThatAreNotNeededFailTheRun) {
  struct {
    std::map<std::string, std::string> keys;
    const char* state;
    const char* says;
  } const kCases[] = {{{}, "passing", "passes"},
                      {{{"test", "\"device.no_such_test\""}}, "unused", "matches no test"},
                      {{{"expires", "2020-01-01"}}, "expired", "expired on 2020-01-01"}};
  for (const auto& one : kCases) {
    const std::string xml = folder_.file("report.xml");
    const Ending ending = run(entry(one.keys), {"--allow-waivers", "--report", "junit=" + xml}, "");
    EXPECT_EQ(ending.exit_code, 1) << ending.out;
    EXPECT_EQ(ending.report.at("verdict"), "conformant") << "the device is not to blame";
    EXPECT_EQ(ending.report.at("waivers").at(0).at("state"), one.state);
    EXPECT_NE(ending.report.at("waivers").at(0).at("problem").get<std::string>().find(one.says),
              std::string::npos);
    EXPECT_NE(ending.out.find(one.says), std::string::npos) << ending.out;
    EXPECT_NE(read_text(xml).find("type=\"waiver\""), std::string::npos);
    expect_valid(ending.report_text);
  }
}

TEST_F(Waivers, AnExpiredOneExcusesNothing) {
  const Ending ending = run(entry({{"expires", "2020-01-01"}}), {"--allow-waivers"});
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(outcome_of(ending.report, kFailing), "failed");
}

// One file for several drivers and several kinds of runs.
TEST_F(Waivers, OnesOfOthersDoNoHarm) {
  for (const char* key : {"driver", "device"}) {
    const Ending ending = run(entry({{key, "\"other*\""}}), {}, "");
    EXPECT_EQ(ending.exit_code, 0) << ending.out;
    EXPECT_EQ(ending.report.at("waivers").at(0).at("state"), "not for this device");
  }
  const Ending ending = run(entry(), {"--filter", "device.uuid"}, "");
  EXPECT_EQ(ending.exit_code, 0) << ending.out;
  EXPECT_EQ(ending.report.at("waivers").at(0).at("state"), "not looked at");
}

// The shards that do not have the test do not call the entry unused; merged, it is used.
TEST_F(Waivers, AreJudgedWhenShardsAreMerged) {
  Words merge = {"merge", folder_.file("merged.json")};
  for (const char* shard : {"1/2", "2/2"}) {
    const Ending ending = run(entry(), {"--shard", shard, "--seed", "1"});
    EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
    merge.push_back(folder_.file(std::string("shard") + shard[0]));
    std::ofstream(merge.back()) << ending.report_text;
  }
  EXPECT_EQ(run_conform(merge).exit_code, 1);
  const json report = json::parse(read_text(folder_.file("merged.json")));
  EXPECT_EQ(report.at("verdict"), "conformant with waivers");
  EXPECT_EQ(report.at("waivers").at(0).at("state"), "used");
  expect_consistent(report);
  EXPECT_EQ(run_conform(merge + Words{"--allow-waivers"}).exit_code, 0);
}

struct BadFile {
  const char* name;
  std::string text;
  const char* says;
};

void PrintTo(const BadFile& file, std::ostream* out) { *out << file.name; }

class BadWaivers : public Waivers, public testing::WithParamInterface<BadFile> {};

TEST_P(BadWaivers, AreRefusedWithTheLine) {
  // Before the driver is loaded: its crash would be the answer.
  const Words arguments = driver("minimal") + Words{"--waivers", file(GetParam().text)};
  expect_refused(arguments, 2, GetParam().says, mutant("minimal", "crash:load"));
  expect_refused(arguments, 2, "waivers.toml:", mutant("minimal", "crash:load"));
}

INSTANTIATE_TEST_SUITE_P(
    Every, BadWaivers,
    testing::Values(BadFile{"no_toml", "\n\n[[waiver", ":3: "},
                    BadFile{"other_schema", "schema = 2\n", ":1: 'schema' must be 1"},
                    BadFile{"unknown_table", "\n[[waver]]\n", "'waver' is unknown"},
                    BadFile{"no_list", "[waiver]\ntest = \"x\"\n", "[[waiver]]"},
                    BadFile{"list_of_texts", "waiver = [\"device.uuid\"]\n", ":1: "},
                    BadFile{"second_entry", entry() + entry({{"unknown", "1"}}), ":13: the key 'unknown'"},
                    BadFile{"no_test", entry({{"test", ""}}), ":1: 'test' is missing"},
                    BadFile{"no_reason", entry({{"reason", ""}}), "'reason' is missing"},
                    BadFile{"no_message", entry({{"message", ""}}), "'message' is missing"},
                    BadFile{"empty_message", entry({{"message", "\"\""}}), "'message' must be a text"},
                    BadFile{"number", entry({{"reason", "7"}}), "'reason' must be a text"},
                    BadFile{"no_day", entry({{"expires", ""}}), "'expires' must be a day"},
                    BadFile{"text_day", entry({{"expires", "\"2999-01-01\""}}), "'expires' must be a day"},
                    BadFile{"no_such_day", entry({{"expires", "2999-02-31"}}), "waivers.toml:2: "},
                    BadFile{"neither", entry({{"link", ""}}), "'reproducer'"},
                    BadFile{"both", entry({{"reproducer", "\"reproducer.c\""}}), "'link'"},
                    BadFile{"odd_link", entry({{"link", "\"the tracker\""}}), "https://"},
                    BadFile{"no_reproducer", entry({{"link", ""}, {"reproducer", "\"absent.c\""}}),
                            "absent.c"},
                    BadFile{"too_many", entry({{"test", "\"device.*\""}}), "an entry may excuse 5"}),
    [](const auto& one) { return one.param.name; });

TEST_F(Waivers, OfNoFileAreRefused) {
  expect_refused(driver("minimal") + Words{"--waivers", folder_.file("absent.toml")}, 2, "absent.toml");
  expect_refused(driver("minimal") + Words{"--waivers", folder_.file(".")}, 2, "no file");
}

}  // namespace
}  // namespace xhal::test
