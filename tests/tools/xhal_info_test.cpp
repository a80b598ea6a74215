// SPDX-License-Identifier: Apache-2.0
// xhal-info as its users meet it, over a driver that misbehaves where it is told to.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "run_program.hpp"

namespace {

using nlohmann::json;
using xhal::test::ProgramOptions;
using xhal::test::ProgramResult;
using xhal::test::run_program;

const std::string kTool = XHAL_INFO_PROGRAM;
const std::string kFake = XHAL_FAKE_MANIFEST;
const std::string kJsonSchema = XHAL_INFO_SCHEMA;
const std::string kValidator = XHAL_JSONSCHEMA;

ProgramResult info(std::vector<std::string> arguments, ProgramOptions options = {}) {
  arguments.insert(arguments.begin(), kTool);
  return run_program(arguments, options);
}

ProgramResult info_on_fake(const std::string& mode, std::vector<std::string> arguments = {}) {
  arguments.insert(arguments.end(), {"--driver", kFake});
  return info(arguments, {.environment = {{"FAKE_DRIVER_MODE", mode}}});
}

bool is_one_line(const std::string& text) {
  return !text.empty() && text.back() == '\n' && std::count(text.begin(), text.end(), '\n') == 1;
}

// What --json prints is checked by a validator that we did not write.
void expect_valid(const std::string& text) {
  const std::string path = testing::TempDir() + "/report" + std::to_string(getpid()) + ".json";
  std::ofstream(path) << text;
  const ProgramResult result = run_program({kValidator, "-i", path, kJsonSchema});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err << text;
  std::filesystem::remove(path);
}

TEST(XhalInfo, ListsAWellBehavedDriverAndLabelsItEmulated) {
  const ProgramResult result = info_on_fake("");
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.out.find("fake (EMULATED)"), std::string::npos) << result.out;
  EXPECT_EQ(result.err, "");
}

TEST(XhalInfo, NeverPrintsControlBytesOfADriver) {
  for (const char* mode : {"", "garbage:properties", "unterminated"}) {
    for (const char* view : {"--json", "--topology", "--why"}) {
      const ProgramResult result = info_on_fake(mode, {view});
      EXPECT_EQ(result.exit_code, 0) << mode << " " << view << result.out << result.err;
      EXPECT_EQ(result.out.find('\x1b'), std::string::npos) << mode << " " << view;
      EXPECT_EQ(result.out.find('\xff'), std::string::npos) << mode << " " << view;
    }
  }
}

struct Misbehaviour {
  const char* mode;
  const char* status;
  const char* says;
};

class XhalInfoOnBadDriver : public testing::TestWithParam<Misbehaviour> {};

TEST_P(XhalInfoOnBadDriver, IsALineInTheTableAndExitCodeOne) {
  // A hang is waited out, and on a slow machine again with more time to reach the step at which it hangs. Nothing else meets its limit.
  const bool hangs = std::string(GetParam().status) == "timed_out";
  ProgramResult result;
  for (const char* limit :
       hangs ? std::vector<const char*>{"1", "8", "30"} : std::vector<const char*>{"60"}) {
    result = info_on_fake(GetParam().mode, {"--json", "--timeout", limit});
    if (result.out.find(GetParam().says) != std::string::npos) break;
  }
  EXPECT_EQ(result.exit_code, 1) << result.out << result.err;
  const json report = json::parse(result.out);
  ASSERT_EQ(report["drivers"].size(), 1U);
  EXPECT_EQ(report["drivers"][0]["status"], GetParam().status);
  const std::string message = report["drivers"][0]["message"];
  EXPECT_NE(message.find(GetParam().says), std::string::npos) << message;
  EXPECT_NE(message.find("ask whoever made it"), std::string::npos) << "what to do? " << message;
}

INSTANTIATE_TEST_SUITE_P(
    EveryStep, XhalInfoOnBadDriver,
    testing::Values(Misbehaviour{"crash:load", "crashed", "SIGSEGV in load"},
                    Misbehaviour{"crash:negotiate", "crashed", "SIGSEGV in load"},
                    Misbehaviour{"crash:open", "crashed", "SIGSEGV in load, open or enumeration"},
                    Misbehaviour{"crash:enumerate", "crashed", "SIGSEGV in load, open or enumeration"},
                    Misbehaviour{"crash:properties", "crashed", "SIGSEGV in properties"},
                    Misbehaviour{"crash:close", "crashed", "SIGSEGV in close"},
                    Misbehaviour{"hang:load", "timed_out", "in load"},
                    Misbehaviour{"hang:enumerate", "timed_out", "did not answer within"},
                    Misbehaviour{"hang:close", "timed_out", "in close"},
                    Misbehaviour{"exit:open", "failed", "exited with code 7 in load, open or enumeration"},
                    Misbehaviour{"exit:properties", "failed", "exited with code 7 in properties"}),
    [](const auto& info_of) {
      std::string name = info_of.param.mode;
      std::replace(name.begin(), name.end(), ':', '_');
      return name;
    });

TEST(XhalInfo, ADriverThatLiesAboutItsCountHarmsNobody) {
  const ProgramResult result = info_on_fake("many", {"--json", "--timeout", "60"});
  EXPECT_EQ(result.exit_code, 1) << result.err;
  EXPECT_EQ(json::parse(result.out)["drivers"][0]["status"], "failed");
}

TEST(XhalInfo, NoDeviceIsExitCodeThree) {
  EXPECT_EQ(info_on_fake("none").exit_code, 3);
  const ProgramResult empty =
      info({}, {.environment = {{"XHAL_DRIVERS", ""}, {"XHAL_DRIVER_PATH", "/nonexistent"}}});
  const ProgramResult one = info_on_fake("none", {"--device", "0"});
  EXPECT_EQ(one.exit_code, 3);
  EXPECT_TRUE(is_one_line(one.err)) << one.err;
}

TEST(XhalInfo, WrongInputIsOneLineAndExitCodeTwo) {
  const std::vector<std::vector<std::string>> inputs = {
      {"--no-such-option"},
      {"--backend", "no_such_driver"},
      {"--driver", "/no/such/file.json"},
      {"--driver", "/etc/passwd"},
      {"--driver", "/dev"},
      {"--device", "minus"},
      {"--device", "-1"},
      {"--timeout", "0"},
      {"--driver", kFake, "--device", "1"},
      {"surplus"},
      {"--driver", XHAL_LIBRARY},
  };
  for (const auto& input : inputs) {
    const ProgramResult result = info(input);
    std::string words;
    for (const std::string& word : input) words += word + " ";
    EXPECT_EQ(result.exit_code, 2) << words << result.out << result.err;
    EXPECT_TRUE(is_one_line(result.err)) << words << ": " << result.err;
  }
}

TEST(XhalInfoJson, WhyOfASearchThatFailsIsJsonAndOneLine) {
  const ProgramResult result = info({"--json", "--why", "--backend", "nope"});
  EXPECT_EQ(result.exit_code, 2);
  EXPECT_TRUE(is_one_line(result.err)) << result.err;
  expect_valid(result.out);
  EXPECT_TRUE(json::parse(result.out)["candidates"].is_array());
  const ProgramResult plain = info({"--json", "--backend", "nope"});
  EXPECT_EQ(plain.out, "");
  EXPECT_TRUE(is_one_line(plain.err)) << plain.err;
}

TEST(XhalInfoJson, OneDeviceKeepsTheDecisionsThatWereAskedFor) {
  const ProgramResult with_why = info_on_fake("", {"--json", "--why", "--device", "0"});
  expect_valid(with_why.out);
  const json report = json::parse(with_why.out);
  EXPECT_EQ(report["drivers"][0]["devices"][0]["architecture"], "fake-1");
  EXPECT_FALSE(report["candidates"].empty());
  const ProgramResult plain = info_on_fake("", {"--json", "--device", "0"});
  expect_valid(plain.out);
  EXPECT_FALSE(json::parse(plain.out).contains("candidates"));
}

TEST(XhalInfoJson, NotesAreOfTheDriverThatHasThem) {
  const ProgramResult odd = info({"--json", "--backend", "sim"}, {.environment = {{"XHAL_SIM", "odd=lazy"}}});
  ASSERT_EQ(odd.exit_code, 0) << odd.err;
  expect_valid(odd.out);
  const json note = {{"kind", "fact"}, {"topic", "order"}, {"text", "odd=lazy"}, {"link", ""}};
  EXPECT_EQ(json::parse(odd.out)["drivers"][0]["devices"][0]["notes"][0], note);
  const ProgramResult none = info_on_fake("", {"--json"});  // lacks the call, as drivers from before it do
  expect_valid(none.out);
  EXPECT_EQ(json::parse(none.out)["drivers"][0]["devices"][0]["notes"], json::array());
}

// One document, whatever is asked for: the second device of two is the only one in it, with its own number.
TEST(XhalInfoJson, OneDeviceIsTheOnlyOneOfTheSameDocument) {
  const ProgramResult result = info({"--json", "--backend", "sim", "--device", "1"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_valid(result.out);
  const json report = json::parse(result.out);
  ASSERT_EQ(report["drivers"].size(), 1U);
  ASSERT_EQ(report["drivers"][0]["devices"].size(), 1U);
  EXPECT_EQ(report["drivers"][0]["devices"][0]["index"], 1);
}

TEST(XhalInfoJson, FeaturesAreTheTablesRows) {
  const ProgramResult result = info({"--json", "--features"});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  expect_valid(result.out);
  const json report = json::parse(result.out);
  const std::string table = info({"--features"}).out;
  EXPECT_EQ(report["features"].size(), static_cast<size_t>(std::count(table.begin(), table.end(), '\n')) - 1);
  EXPECT_EQ(report["features"][0]["name"], "core");
  EXPECT_EQ(report["features"][0]["state"], "settled");
}

TEST(XhalInfo, OptionsThatWouldBeIgnoredAreRefused) {
  for (const std::vector<std::string>& words :
       std::vector<std::vector<std::string>>{{"--device", "0", "--topology"},
                                             {"--memory", "--topology"},
                                             {"--features", "--device", "0"},
                                             {"--features", "--topology"},
                                             {"--features", "--why"},
                                             {"--features", "--memory"},
                                             {"--features", "--backend", "sim"},
                                             {"--features", "--driver", kFake}}) {
    const ProgramResult result = info(words);
    EXPECT_EQ(result.exit_code, 2) << words[0] << words[1] << result.out;
    EXPECT_TRUE(is_one_line(result.err)) << result.err;
    EXPECT_EQ(result.out, "") << words[0] << words[1];
  }
}

TEST(XhalInfo, MemoryIsInTheTable) {
  EXPECT_EQ(info({"--backend", "sim"}).out.find(" free"), std::string::npos);
  const ProgramResult result = info({"--backend", "sim", "--memory"});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_NE(result.out.find(" free"), std::string::npos) << result.out;
}

// The matrix tells of the drivers that are not in it, as the table does.
TEST(XhalInfo, TopologyTellsOfADriverThatCrashed) {
  const ProgramOptions crashes = {.environment = {{"FAKE_DRIVER_MODE", "crash:load"}}};
  const ProgramResult alone = info({"--topology", "--driver", kFake, "--timeout", "60"}, crashes);
  EXPECT_EQ(alone.exit_code, 1);
  EXPECT_NE(alone.out.find("no devices\n\nfake: crashed with SIGSEGV"), std::string::npos) << alone.out;
  const ProgramResult beside =
      info({"--topology", "--backend", "sim", "--driver", kFake, "--timeout", "60"}, crashes);
  EXPECT_EQ(beside.exit_code, 1);
  EXPECT_NE(beside.out.find("dev1"), std::string::npos) << beside.out;
  EXPECT_NE(beside.out.find("\nfake: crashed with SIGSEGV"), std::string::npos) << beside.out;
}

TEST(XhalInfo, BadManifestsOfTheSearchAreALineEachAndHarmNobody) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("search" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a_broken.json") << "{ \"xhal_manifest\": ";
  std::ofstream(folder / "b_nested.json") << std::string(40, '[');
  std::filesystem::copy_file(kFake, folder / "c_lost.json");
  ASSERT_EQ(mkfifo((folder / "d_pipe.json").c_str(), 0600), 0);
  std::ofstream(folder / "e_zero.json") << "{\"xhal_manifest\": 0}";
  const ProgramResult result =
      info({}, {.environment = {{"XHAL_DRIVER_PATH", folder.string()}, {"XDG_DATA_HOME", folder.string()}}});
  EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
  EXPECT_NE(result.out.find("sim"), std::string::npos) << result.out;
  for (const char* name : {"a_broken.json", "b_nested.json", "c_lost.json", "d_pipe.json", "e_zero.json"}) {
    const size_t at = result.err.find(std::string(name) + "' was left out: ");
    ASSERT_NE(at, std::string::npos) << name << result.err;
    const std::string line = result.err.substr(at, result.err.find('\n', at) - at);
    EXPECT_NE(line.find("; "), std::string::npos) << "what to do? " << line;
  }
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 5) << result.err;
  EXPECT_EQ(info({"--backend", "sim"}, {.environment = {{"XHAL_DRIVER_PATH", folder.string()}}}).err, "");
  std::filesystem::remove_all(folder);
}

// A library without a manifest has no name until it has answered.
TEST(XhalInfo, ALibraryThatFailsIsCalledByItsPath) {
  const ProgramOptions refuses = {.environment = {{"FAKE_DRIVER_MODE", "refuses"}}};
  const ProgramResult table = info({"--driver", XHAL_FAKE_LIBRARY}, refuses);
  EXPECT_EQ(table.exit_code, 1);
  EXPECT_NE(table.out.find("\n" XHAL_FAKE_LIBRARY ": "), std::string::npos) << table.out;
  EXPECT_EQ(table.out.find("\n: "), std::string::npos) << table.out;
  const ProgramResult report = info({"--driver", XHAL_FAKE_LIBRARY, "--json"}, refuses);
  expect_valid(report.out);
  EXPECT_EQ(json::parse(report.out)["drivers"][0]["name"], XHAL_FAKE_LIBRARY);
}

TEST(XhalInfo, ADeviceOfADriverThatFailedIsTheDriversFault) {
  const ProgramResult result = info_on_fake("crash:open", {"--device", "0"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_NE(result.err.find("SIGSEGV"), std::string::npos) << result.err;
  EXPECT_TRUE(is_one_line(result.err)) << result.err;
}

// The exit code tells of every driver, also where one device is shown.
TEST(XhalInfo, OneDeviceBesideADriverThatFailed) {
  const ProgramOptions crashes = {.environment = {{"FAKE_DRIVER_MODE", "crash:open"}}};
  for (const char* device : {"0", "7"}) {
    const ProgramResult result =
        info({"--backend", "sim", "--driver", kFake, "--timeout", "60", "--device", device}, crashes);
    EXPECT_EQ(result.exit_code, 1) << device;
    EXPECT_TRUE(is_one_line(result.err)) << device << result.err;
    EXPECT_NE(result.err.find("driver fake: crashed with SIGSEGV"), std::string::npos)
        << device << result.err;
    EXPECT_EQ(result.out.find("uuid") != std::string::npos, device == std::string("0")) << result.out;
  }
}

TEST(XhalInfo, OutOfRangeDeviceTellsTheRange) {
  const ProgramResult result = info_on_fake("", {"--device", "5"});
  EXPECT_NE(result.err.find("0 to 0"), std::string::npos) << result.err;
}

TEST(XhalInfo, ShowsOneDeviceWhole) {
  const ProgramResult result = info_on_fake("", {"--device", "0"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* word : {"uuid", "fault_scope", "max_local_bytes", "+ core", "- graph", "unknown (60)"}) {
    EXPECT_NE(result.out.find(word), std::string::npos) << word << "\n" << result.out;
  }
}

TEST(XhalInfo, WhyTellsOfBadManifestsAndGoesOn) {
  const std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("why" + std::to_string(getpid()));
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "a_broken.json") << "{ \"xhal_manifest\": ";
  std::ofstream(folder / "b_empty.json") << "";
  std::filesystem::copy_file(kFake,
                             folder / "c_lost.json");  // its library is relative to the folder it came from
  const ProgramResult result =
      info({"--why"},
           {.environment = {{"XHAL_DRIVER_PATH", folder.string() + ":" + kFake}, {"XHAL_DRIVERS", "fake"}}});
  for (const char* word :
       {"a_broken.json", "b_empty.json", "c_lost.json", "refused", "selected", "XHAL_DRIVER_PATH"}) {
    EXPECT_NE(result.out.find(word), std::string::npos) << word << "\n" << result.out;
  }
  std::filesystem::remove_all(folder);
}

TEST(XhalInfo, AnOutputThatCannotBeWrittenIsAnError) {
  EXPECT_EQ(info({"--driver", kFake, "--json"}, {.stdout_path = "/dev/full"}).exit_code, 4);
  const ProgramResult closed = info({"--driver", kFake, "--json"}, {.stdout_path = "-"});
  EXPECT_EQ(closed.exit_code, 4);
  EXPECT_TRUE(is_one_line(closed.err)) << closed.err;
}

TEST(XhalInfo, NarrowAndPlainSurroundings) {
  const ProgramResult result =
      info({"--driver", kFake},
           {.environment = {{"COLUMNS", "40"}, {"LC_ALL", "C"}, {"NO_COLOR", "1"}, {"TERM", "xterm"}}});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_EQ(result.out.find('\x1b'), std::string::npos);
}

TEST(XhalInfo, VersionNamesAbiAndCommit) {
  const ProgramResult result = info({"--version"});
  EXPECT_EQ(result.exit_code, 0);
  EXPECT_NE(result.out.find("ABI 0."), std::string::npos);
  EXPECT_NE(result.out.find("commit "), std::string::npos);
}

TEST(XhalInfoJson, ValidatesWhateverTheDriverDoes) {
  for (const char* mode :
       {"", "none", "many", "garbage:open", "crash:open", "exit:enumerate", "unterminated"}) {
    SCOPED_TRACE(mode);
    expect_valid(info_on_fake(mode, {"--json", "--why", "--timeout", "60"}).out);
  }
}

TEST(XhalInfoJson, TheValidatorRefusesWhatIsWrong) {
  const std::string path = testing::TempDir() + "/wrong" + std::to_string(getpid()) + ".json";
  std::ofstream(path) << R"({"schema": "xhal-info/1", "drivers": []})";
  EXPECT_NE(run_program({kValidator, "-i", path, kJsonSchema}).exit_code, 0);
  std::filesystem::remove(path);
}

TEST(XhalInfoSim, ListsTwoDevicesWithEveryIdentityField) {
  const ProgramResult result = info({"--backend", "sim", "--json"});
  ASSERT_EQ(result.exit_code, 0) << result.out << result.err;
  expect_valid(result.out);
  const json driver = json::parse(result.out)["drivers"][0];
  ASSERT_EQ(driver["devices"].size(), 2U);
  EXPECT_NE(driver["devices"][0]["uuid"], driver["devices"][1]["uuid"]);
  for (const json& device : driver["devices"]) {
    for (const char* field : {"name", "architecture", "uuid", "pci", "numa_node", "memory_bytes",
                              "unit_count", "dtypes", "parent_uuid", "partition", "address_bits"}) {
      EXPECT_TRUE(device.contains(field)) << field;
    }
    EXPECT_FALSE(device["active"].get<bool>()) << "looking at a device must not open it";
    EXPECT_TRUE(device["features"]["kernel"].get<bool>());
  }
}

TEST(XhalInfoSim, ABadNeighbourDisturbsNobody) {
  const ProgramResult result = info({"--backend", "sim", "--driver", kFake, "--json", "--timeout", "60"},
                                    {.environment = {{"FAKE_DRIVER_MODE", "crash:open"}}});
  EXPECT_EQ(result.exit_code, 1);
  const json report = json::parse(result.out);
  ASSERT_EQ(report["drivers"].size(), 2U) << result.out;
  for (const json& driver : report["drivers"]) {
    EXPECT_EQ(driver["status"], driver["name"] == "sim" ? "ok" : "crashed");
  }
}

}  // namespace
