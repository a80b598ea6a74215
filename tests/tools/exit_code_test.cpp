// SPDX-License-Identifier: Apache-2.0
// Whose fault it is does not depend on the tool that says it, nor on how the driver was named.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "run_program.hpp"

namespace {

namespace fs = std::filesystem;
using xhal::test::ProgramOptions;
using xhal::test::ProgramResult;
using xhal::test::run_program;

using Variables = std::map<std::string, std::string>;

// A situation of a driver named `wanted`, made in a folder of its own: its manifest, or text that stands in its place.
struct Situation {
  const char* name;
  int exit_code;
  const char* manifest_name = "fake";  // what the manifest calls it
  const char* library = XHAL_FAKE_LIBRARY;
  const char* abi = "0.1";
  const char* text = nullptr;  // instead of a manifest; "" for no file
  const char* mode = "";       // of the fake driver
  const char* variable = "";   // NAME=value
};

void PrintTo(const Situation& situation, std::ostream* out) { *out << situation.name; }

constexpr const char* kTools[] = {XHAL_INFO_PROGRAM, XHAL_CONFORM_PROGRAM};

class ExitCode : public testing::TestWithParam<Situation> {
 protected:
  ExitCode()
      : folder_(fs::path(testing::TempDir()) /
                ("exit-code-" + std::string(GetParam().name) + std::to_string(getpid()))),
        manifest_((folder_ / "fake.json").string()) {
    fs::create_directories(folder_);
    const Situation& s = GetParam();
    if (s.text != nullptr) {
      if (s.text[0] != '\0') std::ofstream(manifest_) << s.text;
      return;
    }
    std::ofstream(folder_ / "text.so") << "no ELF file";
    std::ofstream(manifest_) << nlohmann::json{
        {"xhal_manifest", 1}, {"kind", "driver"},           {"name", s.manifest_name}, {"library", s.library},
        {"abi", s.abi},       {"description", "for tests"}, {"emulated", true}};
  }
  ~ExitCode() override { fs::remove_all(folder_); }

  ProgramResult run(const std::string& tool, std::vector<std::string> words) {
    words.insert(words.begin(), tool);
    // A hang is waited out; whatever else the driver does is not to be taken for one where the machine is slow.
    const char* limit = std::string(GetParam().mode).starts_with("hang") ? "1" : "60";
    words.insert(words.end(), {tool == XHAL_INFO_PROGRAM ? "--timeout" : "--entry-timeout", limit});
    Variables environment = {{"FAKE_DRIVER_MODE", GetParam().mode}, {"XHAL_DRIVER_PATH", folder_.string()}};
    const std::string variable = GetParam().variable;
    if (const size_t equals = variable.find('='); equals != std::string::npos)
      environment[variable.substr(0, equals)] = variable.substr(equals + 1);
    return run_program(words, {.environment = environment});
  }

  const fs::path folder_;
  const std::string manifest_;
};

TEST_P(ExitCode, IsTheSameForBothToolsAndBothOptions) {
  for (const char* tool : kTools) {
    for (const std::vector<std::string>& how :
         {std::vector<std::string>{"--driver", manifest_},
          std::vector<std::string>{"--backend", GetParam().manifest_name}}) {
      const ProgramResult result = run(tool, how);
      EXPECT_EQ(result.exit_code, GetParam().exit_code) << tool << " " << how[0] << "\n"
                                                        << result.out << result.err;
    }
  }
}

// What is wrong with it is one line, or a table that tells it.
TEST_P(ExitCode, ComesWithItsReason) {
  for (const char* tool : kTools) {
    const ProgramResult result = run(tool, {"--driver", manifest_});
    const std::string& told = result.err.empty() ? result.out : result.err;
    EXPECT_NE(told.find_first_not_of(" \n"), std::string::npos) << tool;
    EXPECT_LE(std::count(result.err.begin(), result.err.end(), '\n'), 1) << tool << result.err;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every, ExitCode,
    testing::Values(
        // The user's input.
        Situation{.name = "no_file", .exit_code = 2, .text = ""},
        Situation{.name = "malformed_manifest", .exit_code = 2, .text = "{ \"xhal_manifest\": "},
        Situation{.name = "manifest_without_its_library", .exit_code = 2, .library = "no_such_library.so"},
        Situation{.name = "library_that_is_text", .exit_code = 2, .library = "text.so"},
        Situation{.name = "library_without_the_entry", .exit_code = 2, .library = XHAL_LIBRARY},
        Situation{.name = "manifest_of_another_driver", .exit_code = 2, .manifest_name = "genuine"},
        Situation{.name = "manifest_of_another_version", .exit_code = 2, .abi = "0.9"},
        Situation{.name = "unknown_layer", .exit_code = 2, .variable = "XHAL_LAYERS=no_such_layer"},
        Situation{.name = "option_that_is_refused", .exit_code = 2, .mode = "picky"},
        Situation{.name = "options_that_are_none", .exit_code = 2, .variable = "XHAL_FAKE=words"},
        // The driver.
        Situation{.name = "crash_in_load", .exit_code = 1, .mode = "crash:load"},
        Situation{.name = "crash_in_negotiation", .exit_code = 1, .mode = "crash:negotiate"},
        Situation{.name = "crash_in_open", .exit_code = 1, .mode = "crash:open"},
        Situation{.name = "crash_in_enumeration", .exit_code = 1, .mode = "crash:enumerate"},
        Situation{.name = "exit_in_open", .exit_code = 1, .mode = "exit:open"},
        Situation{.name = "hang_in_open", .exit_code = 1, .mode = "hang:open"},
        Situation{.name = "answers_with_another_version", .exit_code = 1, .mode = "stranger"},
        Situation{.name = "refuses_to_open", .exit_code = 1, .mode = "refuses"},
        Situation{.name = "refuses_its_properties", .exit_code = 1, .mode = "sulks"},
        Situation{.name = "lies_about_its_count", .exit_code = 1, .mode = "many"},
        // Neither.
        Situation{.name = "no_device", .exit_code = 3, .mode = "none"}),
    [](const auto& one) { return one.param.name; });

struct Words {
  const char* name;
  std::vector<std::string> words;
  int exit_code;
};

void PrintTo(const Words& words, std::ostream* out) { *out << words.name; }

class ExitCodeOfWords : public testing::TestWithParam<Words> {};

TEST_P(ExitCodeOfWords, IsTheSameForBothTools) {
  for (const char* tool : kTools) {
    std::vector<std::string> words = GetParam().words;
    words.insert(words.begin(), tool);
    const ProgramResult result = run_program(words);
    EXPECT_EQ(result.exit_code, GetParam().exit_code) << tool << result.out << result.err;
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << tool << result.err;
    EXPECT_EQ(result.out, "") << tool;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every, ExitCodeOfWords,
    testing::Values(Words{"unknown_option", {"--no-such-option"}, 2},
                    Words{"empty_backend", {"--backend", ""}, 2}, Words{"empty_driver", {"--driver", ""}, 2},
                    Words{"unknown_backend", {"--backend", "no_such_driver"}, 2},
                    Words{"folder_as_driver", {"--driver", "/tmp"}, 2},
                    Words{"device_out_of_range", {"--driver", XHAL_FAKE_MANIFEST, "--device", "1"}, 2}),
    [](const auto& one) { return one.param.name; });

// Options of the simulator, as a user writes them.
TEST(ExitCodeOfSimOptions, AreTheUsersToCorrect) {
  for (const char* tool : kTools) {
    for (const char* options : {"devices=abc", "nosuch=1"}) {
      const ProgramResult result =
          run_program({tool, "--backend", "sim"}, {.environment = {{"XHAL_SIM", options}}});
      EXPECT_EQ(result.exit_code, 2) << tool << " " << options << result.out << result.err;
    }
  }
}

// The same rules are written down twice, where each tool's user looks for them.
TEST(ExitCodeTable, IsTheSameOnBothPages) {
  std::string tables[2];
  const char* pages[] = {XHAL_DOCS "/xhal-info.md", XHAL_DOCS "/conformance.md"};
  for (size_t i = 0; i < 2; ++i) {
    std::ifstream page(pages[i]);
    bool inside = false;
    for (std::string line; std::getline(page, line);) {
      inside = inside ? line.starts_with('|') : line.starts_with("| what happened |");
      if (inside) tables[i] += line + "\n";
    }
    EXPECT_GT(tables[i].size(), 200U) << pages[i];
  }
  EXPECT_EQ(tables[0], tables[1]);
}

}  // namespace
