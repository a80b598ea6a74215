// SPDX-License-Identifier: Apache-2.0
// Random programs written as plain OpenCL: they compile without a warning, OpenCL does what the oracle says, and what it does not do is told.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "../conformance/conform.hpp"
#include "programs/gates.h"
#include "programs/generate.h"
#include "programs/print_opencl.h"

namespace xhal::test {
namespace {

using namespace programs;
using Words = std::vector<std::string>;

struct Result {
  int exit_code = -1;
  std::string out;
};

Result run(const Words& words) {
  Program program(words, {{"SETUP", "skip"}});  // a test installs nothing
  const int code = program.wait();
  return {code, program.out() + program.err()};
}

// The compiled program; empty, and the test has failed, where it does not compile. A wrong order would need more turns to show, but
// not a wrong text.
std::string compiled(const TemporaryFolder& folder, const std::string& text) {
  const std::string source = folder.file("program.c");
  const std::string program = folder.file("program");
  std::ofstream(source) << text;
  // By the library's whole name: the short one is in a package that only those need who link with it.
  const Result made = run({XHAL_C_COMPILER, "-std=c11", "-Wall", "-Wextra", "-Werror", "-DTURNS=3",
                           "-pthread", source, "-l:libOpenCL.so.1", "-o", program});
  EXPECT_EQ(made.exit_code, 0) << made.out;
  return made.exit_code == 0 ? program : "";
}

Result on_pocl(const std::string& program, const Words& arguments, uint32_t devices = 1) {
  const Words words = {
      XHAL_SOURCE_DIR "/scripts/opencl.sh", "pocl", "--devices", std::to_string(devices), "--", program};
  return run(words + arguments);
}

// Everything that programs may hold.
World world_of(uint32_t devices) {
  World world;
  world.devices.assign(devices, {true, true, true, true, 0});
  return world;
}

programs::Program some_program(uint64_t seed, uint32_t devices = 1) {
  return generate(world_of(devices), {seed, 60, 3});
}

// With a stream held shut, if one of its waits allows that.
programs::Program held_program(uint64_t seed) {
  programs::Program program = some_program(seed);
  for (const NecessaryWait& wait : necessary_waits(program)) {
    if (auto gate = gated(world_of(1), program, wait)) return *gate;
  }
  return program;
}

void expect_right(const programs::Program& program, const std::string& path) {
  const TemporaryFolder folder;
  const std::string text = opencl_text(program, "made by a test", "nothing");
  EXPECT_EQ(text.find("xhal.h"), std::string::npos);
  const std::string runnable = compiled(folder, text);
  if (runnable.empty()) return;
  const Result result = on_pocl(runnable, {"", path}, program.devices);
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(result.out.find("memory by " + path), std::string::npos) << result.out;
  EXPECT_NE(result.out.find("every byte is right"), std::string::npos) << result.out;
}

class OpenClProgram : public testing::TestWithParam<uint64_t> {};

TEST_P(OpenClProgram, DoesWhatTheOracleSays) {
  const uint64_t seed = GetParam();
  expect_right(seed % 3 == 0 ? held_program(seed) : some_program(seed), seed % 2 == 0 ? "svm" : "buffers");
}

INSTANTIATE_TEST_SUITE_P(Seeds, OpenClProgram, testing::Range<uint64_t>(100, 130));

TEST(PlainOpenCl, RunsOnTwoDevices) {
  int found = 0;
  for (uint64_t seed = 200; found < 3; ++seed) {
    const programs::Program program = some_program(seed, 2);
    if (program.devices < 2) continue;
    ++found;
    expect_right(program, "svm");
  }
}

// A program of its own for each thing that could be left out by chance above.
TEST(PlainOpenCl, HoldsWhateverProgramsHold) {
  std::string all;
  for (uint64_t seed = 100; seed < 130; ++seed)
    all += opencl_text(seed % 3 == 0 ? held_program(seed) : some_program(seed), "", "");
  for (const char* call : {"  copy(",
                           "  fill(",
                           "  launch(",
                           "  host_fold(",
                           "  record(",
                           "  wait_event(",
                           "= allocate(",
                           "  free_memory(",
                           "  graph_0(",
                           "hold, &gates[",
                           "  open_gate(",
                           "  destroy_stream(",
                           "  host_write(",
                           "  host_read(",
                           "  query_stream(",
                           "  query_event(",
                           "  poll_event(",
                           "  synchronize_stream(",
                           "  synchronize_event(",
                           "  synchronize_device(",
                           "  renew_event(",
                           "  await("})
    EXPECT_NE(all.find(call), std::string::npos) << call;
}

TEST(PlainOpenCl, TellsTheFirstDifference) {
  const TemporaryFolder folder;
  std::string text = opencl_text(some_program(7), "made by a test", "nothing");
  // The first byte that is expected of any memory.
  const size_t at = text.find("[] = {\n", text.find("static const unsigned char expected_")) + 7;
  const size_t digit = text.find_first_not_of(' ', at);
  const int byte = std::stoi(text.substr(digit));
  text.replace(digit, std::to_string(byte).size(), std::to_string(byte ^ 1));
  const std::string runnable = compiled(folder, text);
  ASSERT_FALSE(runnable.empty());
  const Result result = on_pocl(runnable, {});
  EXPECT_EQ(result.exit_code, 1) << result.out;
  EXPECT_NE(result.out.find("+0: expected"), std::string::npos) << result.out;
  EXPECT_EQ(result.out.find("every byte is right"), std::string::npos) << result.out;
}

TEST(PlainOpenCl, SaysWhatItCannotBeTriedOn) {
  const TemporaryFolder folder;
  programs::Program program;
  for (uint64_t seed = 200; program.devices < 2; ++seed) program = some_program(seed, 2);
  const std::string runnable = compiled(folder, opencl_text(program, "made by a test", "nothing"));
  ASSERT_FALSE(runnable.empty());
  const auto expect_untried = [&](const Words& arguments, uint32_t devices, const std::string& says) {
    const Result result = on_pocl(runnable, arguments, devices);
    EXPECT_EQ(result.exit_code, 2) << result.out;
    EXPECT_NE(result.out.find(says), std::string::npos) << result.out;
  };
  expect_untried({"No such vendor"}, 2, "'No such vendor' in its name");
  expect_untried({}, 1, "no platform of 2 devices");
  expect_untried({"", "usm"}, 2, "memory path 'usm'");
  expect_untried({"", "buffers"}, 2, "memory path 'buffers'");
  expect_untried({"", "paper"}, 2, "memory path 'paper'");
}

// What is published as another driver's defect is none of PoCL's, and can be tried by anybody.
TEST(PlainOpenCl, DefectsOfOtherDriversCompileAndPass) {
  const TemporaryFolder folder;
  const std::string runnable =
      compiled(folder, read_text(XHAL_SOURCE_DIR "/docs/results/opencl/finish-behind-flush.c"));
  ASSERT_FALSE(runnable.empty());
  const Result result = on_pocl(runnable, {});
  EXPECT_EQ(result.exit_code, 0) << result.out;
  EXPECT_NE(result.out.find("clFinish has waited"), std::string::npos) << result.out;
}

// The whole way: a driver that is wrong, its program made small, and OpenCL that does it right.
TEST(PlainOpenCl, IsWhatFuzzWritesWhereAsked) {
  const TemporaryFolder folder;
  const std::string source = folder.file("reproducer.c");
  const Ending ending = run_conform(Words{"fuzz"} + driver("sim") +
                                        Words{"--programs", "4", "--seed", "5", "--no-gate-rotation",
                                              "--reproducer", source, "--reproducer-api", "opencl"},
                                    mutant("sim", "host_function_runs_twice"));
  ASSERT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  const std::string text = read_text(source);
  EXPECT_NE(text.find("host_fold(&s["), std::string::npos) << text;
  const std::string runnable = compiled(folder, text);
  ASSERT_FALSE(runnable.empty());
  EXPECT_EQ(on_pocl(runnable, {}).exit_code, 0);
}

}  // namespace
}  // namespace xhal::test
