// SPDX-License-Identifier: Apache-2.0
// The command `fuzz`: many random programs, each judged by the oracle, in worker processes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "compiler/compiled_pack.h"
#include "frame/session.h"

namespace xhal::programs {

struct FuzzOptions {
  conformance::Target target;  // kernel_directory: empty for the one beside the program
  conformance::KernelCompiler kernel_compiler;
  uint64_t programs = 1000;
  std::optional<uint64_t> seed;  // of the first program; the next has the next number
  uint32_t ops = 100;            // about, a program
  uint32_t threads = 2;          // at most
  bool rotation = true;
  bool drop =
      false;  // measure: leave out the wait that each rotation is about, and count how often that is seen
  std::string reproducer;               // C file for the first failing program, made small
  std::string reproducer_api = "xhal";  // what it calls: this, or "opencl"
  std::string json;
  double entry_deadline_s = 60;
  bool terminal = false;
};

inline constexpr uint32_t kMostFuzzOps = 1000;

// Prints what it has to say and gives the exit code, one of run/exit_codes.h.
int fuzz(FuzzOptions options);

}  // namespace xhal::programs
