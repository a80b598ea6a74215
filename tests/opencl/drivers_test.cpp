// SPDX-License-Identifier: Apache-2.0
// The OpenCL drivers that this project installs: scripts/opencl.sh shows the loader one of them, and each device of it runs a kernel.
#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <vector>

#include "../tools/run_program.hpp"

namespace {

using xhal::test::ProgramOptions;
using xhal::test::ProgramResult;
using xhal::test::run_program;

struct Choice {
  std::string driver;
  int devices;
  std::string platform;  // as its vendor calls it
  std::string device;    // begins so
};

void PrintTo(const Choice& choice, std::ostream* out) { *out << choice.driver << " x" << choice.devices; }

ProgramResult opencl(const std::vector<std::string>& arguments) {
  std::vector<std::string> words = {XHAL_SOURCE_DIR "/scripts/opencl.sh"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  ProgramOptions options;
  options.environment["SETUP"] = "skip";  // a test installs nothing
  return run_program(words, options);
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

class OpenClDrivers : public testing::TestWithParam<Choice> {};

TEST_P(OpenClDrivers, AreSeenAloneAndRunKernels) {
  const Choice& choice = GetParam();
  const ProgramResult run =
      opencl({choice.driver, "--devices", std::to_string(choice.devices), "--", XHAL_LIST_DEVICES, "--use"});
  if (choice.driver == "intel" && run.exit_code == 125) {
    GTEST_SKIP() << "Intel's runtime is not installed: " << run.err;
  }
  ASSERT_EQ(run.exit_code, 0) << run.out << run.err;
  EXPECT_EQ(count(run.out, "platform: "), 1) << run.out;
  EXPECT_EQ(count(run.out, "platform: " + choice.platform + "\n"), 1) << run.out;
  EXPECT_EQ(count(run.out, "device: "), choice.devices) << run.out;
  EXPECT_EQ(count(run.out, "device: " + choice.device), choice.devices) << run.out;
  EXPECT_EQ(count(run.out, "each of which ran a kernel"), 1) << run.out;
}

// clang-format off
const std::vector<Choice> kChoices = {
    {"pocl", 1, "Portable Computing Language", "pthread-"},
    {"pocl", 2, "Portable Computing Language", "pthread-"},
    {"pocl-basic", 1, "Portable Computing Language", "basic-"},
    {"intel", 1, "Intel(R) OpenCL", ""},
    {"oclgrind", 1, "Oclgrind", "Oclgrind Simulator"},
    {"rusticl", 1, "rusticl", "llvmpipe"},
};
// clang-format on

INSTANTIATE_TEST_SUITE_P(All, OpenClDrivers, testing::ValuesIn(kChoices), [](const auto& one) {
  std::string name = one.param.driver == "pocl-basic" ? "pocl_basic" : one.param.driver;
  return name + "_" + std::to_string(one.param.devices);
});

}  // namespace
