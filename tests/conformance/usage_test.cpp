// SPDX-License-Identifier: Apache-2.0
// What a mistyped command, a missing file or an empty driver ends in: one line, and an exit code that a script can trust.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

TEST(Usage, WrongWordsAreRefused) {
  for (const Words& words : std::vector<Words>{{"--no-such-option"},
                                               {"surplus"},
                                               {"--backend"},
                                               {"--device", "minus"},
                                               {"--device", "-1"},
                                               {"--seed", "seven"},
                                               {"--seed", "-1"},
                                               {"--seed", "9007199254740992"},
                                               {"--jobs", "0"},
                                               {"--jobs", "-1"},
                                               {"--jobs", "257"},
                                               {"--jobs", "many"},
                                               {"--timeout", "0"},
                                               {"--timeout", "soon"},
                                               {"--entry-timeout", "-2"},
                                               {"--list", "--format", "xml"},
                                               {"--kernels", "/no/such/folder"},
                                               {"--shard", "0/2"},
                                               {"--shard", "3/2"},
                                               {"--shard", "1"},
                                               {"--shard", "1/0"},
                                               {"--shard", "-1/2"},
                                               {"--shard", "1/2/3"},
                                               {"--shard", "1/10001"},
                                               {"--shard", ""}}) {
    expect_refused(driver("idle") + words, 2);
  }
  expect_refused(driver("idle") + Words{"--backend", "sim"}, 2);
}

TEST(Usage, DescribeTellsOfClausesAndOfTests) {
  const Ending clause = run_conform({"describe", "XHAL-EVENT-3"});
  EXPECT_EQ(clause.exit_code, 0) << clause.err;
  for (const char* part :
       {"XHAL-EVENT-3 (core)", "A wait binds the generation", "event.wait_binds_its_generation/hold=kernel"})
    EXPECT_NE(clause.out.find(part), std::string::npos) << clause.out;
  const Ending test = run_conform({"describe", "event.wait_binds_its_generation/hold=kernel"});
  EXPECT_EQ(test.exit_code, 0) << test.err;
  for (const char* part :
       {"looks at: record on A", "XHAL-EVENT-3: A wait binds", "kernel", "--filter event.wait_binds"})
    EXPECT_NE(test.out.find(part), std::string::npos) << test.out;
  EXPECT_GT(run_conform({"describe", "event.*"}).out.size(), 10 * test.out.size());
  expect_refused({"describe"}, 2, "name");
  expect_refused({"describe", ""}, 2);
  expect_refused({"describe", "XHAL-EVENT-0"}, 2, "no such clause");
  expect_refused({"describe", "no.such.test"}, 2, "neither");
  expect_refused({"--seed", "1", "describe", "XHAL-EVENT-3"}, 2, "--seed");
  expect_refused({"describe", "XHAL-EVENT-3", "surplus"}, 2);
}

TEST(Usage, TheLargestSeedIsTaken) {
  const Ending ending = judge(
      driver("minimal") + Words{"--filter", "device.uuid", "--seed", "9007199254740991"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_EQ(ending.report.at("seed"), 9007199254740991);
}

TEST(Usage, WhatIsNoDriverIsRefused) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("broken.json")) << "{ \"xhal_manifest\": ";
  std::ofstream(folder.file("empty.json")) << "";
  std::ofstream(folder.file("text.so")) << "no ELF file";
  expect_refused({"--driver", "/no/such/driver.json"}, 2, "/no/such/driver.json");
  expect_refused({"--driver", "/etc/passwd"}, 2, "/etc/passwd");
  expect_refused({"--driver", "/dev"}, 2, "/dev");
  expect_refused({"--driver", XHAL_LIBRARY}, 2);
  for (const char* name : {"broken.json", "empty.json", "text.so"})
    expect_refused({"--driver", folder.file(name)}, 2, name);
  expect_refused({"--backend", "no_such_driver"}, 2, "no_such_driver");
  expect_refused({"--backend", "No Good Name"}, 2);
}

TEST(Usage, AFilterOrADeviceThatIsNotThere) {
  expect_refused(driver("idle") + Words{"--filter", "no.such.*"}, 3, "no.such.*");
  // One of several is enough: it was meant to select something.
  expect_refused(driver("idle") + Words{"--filter", "device.*", "--filter", "no.such"}, 3, "no.such");
  expect_refused(driver("idle") + Words{"--device", "1"}, 2, "devices 0 to 0");
  expect_refused(driver("empty"), 3, "no device");
  expect_refused(driver("empty") + Words{"--device", "3"}, 3, "no device");
  expect_refused(driver("idle") + Words{"--in-process", "no.such"}, 2, "no.such");
}

TEST(Usage, AListNeedsNoDriver) {
  const Ending ending = run_conform({"--list", "--backend", "no_such_driver"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("device.uuid\n"), std::string::npos);
  expect_refused({"--list", "--filter", "no.such"}, 3, "no.such");
  size_t in_shards = 0;
  for (const char* shard : {"1/3", "2/3", "3/3"}) {
    const std::string out = run_conform({"--list", "--shard", shard}).out;
    in_shards += static_cast<size_t>(std::count(out.begin(), out.end(), '\n'));
  }
  EXPECT_EQ(in_shards, static_cast<size_t>(std::count(ending.out.begin(), ending.out.end(), '\n')));
}

// What would do nothing is no option there.
TEST(Usage, OptionsThatDoNotGoTogether) {
  for (const Words& words : std::vector<Words>{{"--report", "json=/dev/null"},
                                               {"--resume", "/dev/null"},
                                               {"--waivers", "/dev/null"},
                                               {"--allow-waivers"}}) {
    expect_refused(Words{"--list"} + words, 2, "--list");
    expect_refused(driver("idle") + Words{"--in-process", "device.uuid"} + words, 2, "--in-process");
  }
  expect_refused(driver("idle") + Words{"--in-process", "device.uuid", "--shard", "1/2"}, 2, "--in-process");
  const Words json = {"--report", "json=/dev/null"};
  expect_refused(driver("idle") + json + Words{"--artifact-url", "https://example.org"}, 2,
                 "--report ci=FILE");
}

// ---- Levels ----

struct LevelFile {
  const char* name;
  const char* text;
  const char* says;
};

void PrintTo(const LevelFile& file, std::ostream* out) { *out << file.name; }

class BadLevel : public testing::TestWithParam<LevelFile> {};

TEST_P(BadLevel, IsRefusedByName) {
  const TemporaryFolder folder;
  const std::string path = folder.file("bad.toml");
  std::ofstream(path) << GetParam().text;
  expect_refused(driver("idle") + Words{"--level", path}, 2, GetParam().says);
  expect_refused(driver("idle") + Words{"--level", path}, 2, "; correct the level's file");
  expect_refused(driver("idle") + Words{"--level", path}, 2, path);
}

INSTANTIATE_TEST_SUITE_P(
    Every, BadLevel,
    testing::Values(
        LevelFile{"no_toml", "schema = = 1", ":1:"}, LevelFile{"empty", "", "schema"},
        LevelFile{"other_schema", "schema = 2\nname = \"a\"\nfeatures = []\ntests = []",
                  "'schema' must be 1"},
        LevelFile{"nameless", "schema = 1\nfeatures = []\ntests = [\"*\"]", "'name' is missing"},
        LevelFile{"unknown_key", "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\nwaived = []",
                  "'waived'"},
        LevelFile{"unknown_feature", "schema = 1\nname = \"a\"\nfeatures = [\"cores\"]\ntests = [\"*\"]",
                  "'cores'"},
        LevelFile{"features_no_list", "schema = 1\nname = \"a\"\nfeatures = \"core\"\ntests = [\"*\"]",
                  "'features'"},
        LevelFile{"tests_no_strings", "schema = 1\nname = \"a\"\nfeatures = []\ntests = [1]", "'tests'"},
        LevelFile{"claimed_feature_unknown",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\nif_claimed = [\"cores\"]", "'cores'"},
        LevelFile{"interface_of_no_clause",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\n[[interface]]\nname = \"i\"\n"
                  "clauses = [\"XHAL-"
                  "EVENT-0\"]",
                  "'XHAL-"
                  "EVENT-0' names no clause"},
        LevelFile{"interface_beyond_the_clauses",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\n[[interface]]\nname = \"i\"\n"
                  "clauses = [\"XHAL-"
                  "EVENT-1..999\"]",
                  "is no clause of docs/spec"},
        LevelFile{"interface_backwards",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\n[[interface]]\nname = \"i\"\n"
                  "clauses = [\"XHAL-"
                  "EVENT-3..1\"]",
                  "names no clause"},
        LevelFile{"interface_without_clauses",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\n[[interface]]\nname = \"i\"\n"
                  "clauses = []",
                  "the interface 'i' names no clause"},
        LevelFile{"interface_without_name",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\n[[interface]]\nclauses = []",
                  "[[interface]] has 'name' and 'clauses'"},
        LevelFile{"interface_no_table",
                  "schema = 1\nname = \"a\"\nfeatures = []\ntests = []\ninterface = \"i\"", "[[interface]]"},
        LevelFile{"without_tests", "schema = 1\nname = \"a\"\nfeatures = []", "'tests'"}),
    [](const auto& one) { return one.param.name; });

TEST(Level, UnknownOnesAreRefused) {
  expect_refused(driver("idle") + Words{"--level", "no_such_level"}, 2, "there are: core, full");
  expect_refused(driver("idle") + Words{"--level", "/no/such/level.toml"}, 2, "/no/such/level.toml");
  expect_refused(driver("idle") + Words{"--level", ""}, 2);
}

TEST(Level, AFileOfOnesOwnIsJudged) {
  const TemporaryFolder folder;
  const std::string path = folder.file("mine.toml");
  std::ofstream(path) << "schema = 1\nname = \"mine\"\nfeatures = [\"core\"]\ntests = [\"device.*\"]\n";
  const Ending ending = judge(driver("minimal") + Words{"--level", path}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "conformant");
  for (const std::string& id : tests_with(ending.report, "")) EXPECT_TRUE(id.starts_with("device.")) << id;
}

TEST(Level, OneWithoutTestsIsNothingToTest) {
  const TemporaryFolder folder;
  const std::string path = folder.file("none.toml");
  std::ofstream(path) << "schema = 1\nname = \"none\"\nfeatures = [\"core\"]\ntests = [\"no.such\"]\n";
  expect_refused(driver("minimal") + Words{"--level", path}, 3, "nothing to test", mutant("minimal"));
}

// A level that wants more than the device claims is not met, whatever passes.
TEST(Level, MissingFeaturesAreTold) {
  const Ending ending =
      judge(driver("minimal") + Words{"--level", "graph", "--filter", "device.uuid"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 1);
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  EXPECT_EQ(outcome_of(ending.report, "device.uuid"), "passed");
  EXPECT_NE(ending.report.at("reasons").dump().find("requires the feature graph"), std::string::npos);
}

// A driver that claims to do no more than core is not asked for the rest.
TEST(Level, AFeatureThatIsWantedAndNotClaimedSkipsItsTestsAgainstTheVerdict) {
  const TemporaryFolder folder;
  const std::string path = folder.file("kernels.toml");
  std::ofstream(path)
      << "schema = 1\nname = \"kernels\"\nfeatures = [\"core\", \"kernel\"]\ntests = [\"kernel.ids/*\"]\n";
  const Ending ending = judge(driver("minimal") + Words{"--level", path}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 1) << ending.out;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  EXPECT_EQ(tests_with(ending.report, "skipped").size(), ending.report.at("tests").size());
  EXPECT_GT(ending.report.at("levels").at(0).at("required"), 0);
  EXPECT_EQ(ending.report.at("levels").at(0).at("required_passed"), 0);
}

// What a level promises a framework is told by interface: which works, which fails by what test, which is not there, and which nobody looked at.
TEST(Level, InterfacesAreJudgedByTheirClauses) {
  const TemporaryFolder folder;
  const std::string path = folder.file("mine.toml");
  std::ofstream(path) << "schema = 1\nname = \"mine\"\nfeatures = [\"core\"]\ntests = [\"device.*\"]\n"
                         "[[interface]]\nname = \"names\"\nclauses = [\"XHAL-DEVICE-1..2\"]\n"
                         "[[interface]]\nname = \"links\"\nclauses = [\"XHAL-DEVICE-12\"]\n"
                         "[[interface]]\nname = \"graphs\"\nclauses = [\"XHAL-GRAPH-1\"]\n"
                         "[[interface]]\nname = \"copies\"\nclauses = [\"XHAL-MEMORY-7\"]\n";
  const Ending ending =
      judge(driver("minimal") + Words{"--level", path}, mutant("minimal", "nothing:device_get_link"));
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  expect_valid(ending.report_text);
  const auto& interfaces = ending.report.at("levels").at(0).at("interfaces");
  ASSERT_EQ(interfaces.size(), 4U);
  std::string states;
  for (const auto& one : interfaces)
    states += one.at("name").get<std::string>() + " " + one.at("state").get<std::string>() + "; ";
  EXPECT_EQ(states, "names works; links fails; graphs absent; copies not judged; ");
  EXPECT_EQ(interfaces.at(0).at("clauses").dump(), R"(["XHAL-DEVICE-1","XHAL-DEVICE-2"])");
  EXPECT_GT(interfaces.at(0).at("tests"), 1);
  EXPECT_EQ(interfaces.at(1).at("failed").dump(), nlohmann::json(tests_with(ending.report, "failed")).dump());
  EXPECT_NE(
      ending.out.find("interfaces: 1 works, 1 fails, 1 absent, 1 not judged\n    fails: links: device."),
      std::string::npos)
      << ending.out;
}

// What a level takes only where it is claimed makes nobody worse who does not claim it.
TEST(Level, AFeatureThatCountsIfClaimedIsNotMissed) {
  const TemporaryFolder folder;
  const std::string path = folder.file("mine.toml");
  std::ofstream(path) << "schema = 1\nname = \"mine\"\nfeatures = [\"core\"]\nif_claimed = [\"graph\"]\n"
                         "tests = [\"device.uuid\", \"graph.capture_*\"]\n";
  const Ending without = judge(driver("minimal") + Words{"--level", path}, mutant("minimal"));
  EXPECT_EQ(without.report.at("verdict"), "conformant") << without.out;
  EXPECT_EQ(without.report.at("tests").size(), 1U);
  const Ending with = judge({"--backend", "sim", "--level", path});
  EXPECT_EQ(with.report.at("verdict"), "conformant") << with.out;
  EXPECT_GT(with.report.at("tests").size(), 1U);
  EXPECT_NE(run_conform({"--list", "--level", path}).out.find("\ngraph.capture_"), std::string::npos);
}

TEST(Level, IsDescribedWithItsInterfacesAndTheirTests) {
  const Ending ending = run_conform({"describe", "--level", "torch"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("\nblock\n  XHAL-EVENT-3 XHAL-EVENT-4"), std::string::npos) << ending.out;
  EXPECT_NE(ending.out.find("\n  event.wait_binds_its_generation/hold=kernel\n"), std::string::npos);
  expect_refused({"describe", "--level", "no_such_level"}, 2, "there are: core, full");
  expect_refused({"describe", "--level", "torch", "XHAL-EVENT-3"}, 2, "--level");
}

// ---- Reports ----

TEST(ReportOption, IsCheckedBeforeTheDriverIsLoaded) {
  const TemporaryFolder folder;
  // Were the driver loaded first, its crash would be the answer.
  const Environment crashes = mutant("minimal", "crash:load");
  for (const std::string& value :
       Words{"json", "json=", "=x", "xml=" + folder.file("x"), "JSON=" + folder.file("x"),
             "json=/no/such/folder/report.json", "json=" + folder.file("."), "junit=/proc/nope"})
    expect_refused(driver("minimal") + Words{"--report", value}, 2, "report", crashes);
  expect_refused(driver("minimal") + Words{"--report", "json=-", "--report", "junit=-"}, 2, "standard output",
                 crashes);
  // The second would take the first one's place, by whatever path.
  for (const std::string& second : Words{folder.file("x"), folder.file("./x")})
    expect_refused(
        driver("minimal") + Words{"--report", "json=" + folder.file("x"), "--report", "junit=" + second}, 2,
        "the same file", crashes);
  EXPECT_TRUE(folder.names().empty());
}

TEST(ReportOption, AFolderIsRefusedWithWhatToDo) {
  expect_refused(driver("minimal") + Words{"--report", "json=/tmp"}, 2, "; name a file", mutant("minimal"));
}

TEST(ReportOption, AnEarlierReportSurvivesARunThatDoesNotTakePlace) {
  const TemporaryFolder folder;
  std::ofstream(folder.file("report.json")) << "earlier";
  expect_refused(driver("empty") + Words{"--report", "json=" + folder.file("report.json")}, 3);
  EXPECT_EQ(read_text(folder.file("report.json")), "earlier");
  EXPECT_EQ(folder.names(), Words{"report.json"});
}

TEST(ReportOption, AFullDeviceIsExitCodeFour) {
  const Ending ending = run_conform(
      driver("minimal") + Words{"--filter", "device.uuid", "--report", "json=/dev/full"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 4) << ending.out << ending.err;
  EXPECT_TRUE(is_one_line(ending.err)) << ending.err;
}

}  // namespace
}  // namespace xhal::test
