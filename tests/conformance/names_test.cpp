// SPDX-License-Identifier: Apache-2.0
// The suite judges what a driver does: under another name of the driver, its file, its device and the suite's own program, every outcome is the same.
#include <gtest/gtest.h>

#include <fstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

namespace fs = std::filesystem;

const std::vector<std::string> kSome = {"--level",  "full",     "--seed",   "5",        "--filter",
                                        "device.*", "--filter", "memory.*", "--filter", "event.*",
                                        "--filter", "error.*",  "--filter", "kernel.*"};

// A copy of the build's program in a tree of its own, under another name.
std::string renamed_program(const TemporaryFolder& folder) {
  const fs::path built = XHAL_CONFORM_PROGRAM;
  const fs::path tree = folder.file("tree");
  fs::create_directories(tree / "bin");
  for (const char* shared : {"lib", "share"})
    fs::create_directory_symlink(built.parent_path().parent_path() / shared, tree / shared);
  fs::copy_file(built, tree / "bin/judge-of-acme");
  return (tree / "bin/judge-of-acme").string();
}

std::string renamed_driver(const TemporaryFolder& folder) {
  fs::copy_file(fs::path(XHAL_CONFORM_DRIVERS) / "lib/xhal/mutant.so", folder.file("libwarp_drive.so"));
  const std::string manifest = folder.file("acme.json");
  std::ofstream(manifest)
      << R"({"xhal_manifest": 1, "kind": "driver", "name": "acme", "library": "libwarp_drive.so",
    "abi": "0.1", "description": "for a test", "emulated": true})";
  return manifest;
}

TEST(Names, ChangeNoOutcome) {
  const Ending plain = judge(driver("sim") + kSome, mutant("sim"));
  ASSERT_EQ(plain.exit_code, 0) << plain.out << plain.err;

  const TemporaryFolder folder;
  Environment environment = mutant("sim");
  environment["MUTANT_NAME"] = "acme";
  Program program(std::vector<std::string>{renamed_program(folder), "--driver", renamed_driver(folder),
                                           "--report", "json=" + folder.file("report.json")} +
                      kSome,
                  environment);
  ASSERT_EQ(program.wait(), 0) << program.out() << program.err();
  const auto renamed = nlohmann::json::parse(read_text(folder.file("report.json")));
  EXPECT_EQ(renamed.at("driver").at("name"), "acme");
  EXPECT_EQ(renamed.at("device").at("name"), "acme 9000");
  ASSERT_GT(plain.report.at("tests").size(), 400U);
  ASSERT_EQ(renamed.at("tests").size(), plain.report.at("tests").size());
  for (const auto& test : plain.report.at("tests")) {
    const std::string id = test.at("id");
    EXPECT_EQ(outcome_of(renamed, id), test.at("outcome")) << id;
  }
}

}  // namespace
}  // namespace xhal::test
