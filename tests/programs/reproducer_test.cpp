// SPDX-License-Identifier: Apache-2.0
// What --reproducer writes compiles against headers and library alone, fails on the faulty driver and passes on the one that it is a
// mutant of.
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>

#include "../conformance/conform.hpp"

namespace xhal::test {
namespace {

struct Fault {
  const char* base;
  const char* mutant;
  bool needs_kernels;
  size_t most_lines;  // of the program proper
};

void PrintTo(const Fault& fault, std::ostream* out) { *out << fault.mutant; }

class Reproducer : public testing::TestWithParam<Fault> {};

int run_shell(const std::string& command) {
  const int status = std::system(command.c_str());  // NOLINT(cert-env33-c,concurrency-mt-unsafe)
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

size_t lines_of_run(const std::string& text) {
  const size_t begin = text.find("static void run(void) {");
  const size_t end = text.find("\n}", begin);
  size_t lines = 0;
  for (size_t at = begin; at < end && at != std::string::npos; at = text.find('\n', at + 1)) ++lines;
  return begin == std::string::npos ? SIZE_MAX : lines - 1;
}

TEST_P(Reproducer, FailsOnTheFaultyDriverAlone) {
  const Fault& fault = GetParam();
#ifndef XHAL_CONFORM_HAS_KERNELS
  if (fault.needs_kernels) GTEST_SKIP() << "a build without kernels";
#endif
  TemporaryFolder folder;
  const std::string source = folder.file("program.c");
  const std::string program = folder.file("program");
  const Ending ending =
      run_conform(std::vector<std::string>{"fuzz"} + driver(fault.base) +
                      std::vector<std::string>{"--programs", "4", "--seed", "5", "--no-gate-rotation",
                                               "--reproducer", source},
                  mutant(fault.base, fault.mutant));
  ASSERT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  ASSERT_EQ(
      run_shell(std::string(XHAL_C_COMPILER) +
                " -std=c11 -Wall -Wextra -Werror -Wno-unused-function -pthread -I" XHAL_HEADERS " " + source +
                " -o " + program + " -L" XHAL_LIBRARY_FOLDER " -lxhal -Wl,-rpath," XHAL_LIBRARY_FOLDER),
      0)
      << read_text(source);
  EXPECT_LE(lines_of_run(read_text(source)), fault.most_lines) << read_text(source);
  const std::string manifest = driver(fault.base).back();
  const auto run = [&](const std::string& what) {
    std::string environment = "env";
    for (const auto& [name, value] : mutant(fault.base, what)) environment += " " + name + "='" + value + "'";
    return run_shell(environment + " " + program + " " + manifest + " " XHAL_KERNEL_FOLDER " > " +
                     folder.file("out"));
  };
  EXPECT_EQ(run(fault.mutant), 1) << read_text(folder.file("out")) << read_text(source);
  EXPECT_EQ(run(""), 0) << read_text(folder.file("out")) << read_text(source);
}

INSTANTIATE_TEST_SUITE_P(Every, Reproducer,
                         testing::Values(Fault{"minimal", "fill_repeats_one_byte", false, 4},
                                         Fault{"sim", "host_function_runs_twice", false, 4},
                                         Fault{"sim", "first_record_stays", true, 12},
                                         Fault{"sim", "launch_drops_a_group", true, 6},
                                         Fault{"sim", "copies_leave_their_stream", true, 12}),
                         [](const auto& one) { return one.param.mutant; });

}  // namespace
}  // namespace xhal::test
