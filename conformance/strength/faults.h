// SPDX-License-Identifier: Apache-2.0
// xhal-conform faults, behind its command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compiled_pack.h"
#include "frame/session.h"
#include "run/shard.h"

namespace xhal::conformance {

struct FaultOptions {
  Target target;
  KernelCompiler kernel_compiler;
  std::vector<std::string> faults;   // globs over names; none: all
  std::string family;                // "": all
  bool generated = false;            // not those of the table, but those of every entry
  std::vector<std::string> entries;  // generated: globs over entries; none: all
  std::vector<std::string> hows;     // generated: names of kHows; none: all
  Shard shard;
  std::optional<uint64_t> seed;
  uint32_t seeds = 1;
  bool all_tests = false;
  unsigned jobs = 1;
  double test_deadline_s = 0;  // 0: calibrated on the device
  double entry_deadline_s = 60;
  std::string json;             // a file, "-" for the standard output, "" for none
  std::string share_directory;  // empty: beside the program
  bool terminal = false;        // progress in place on stderr
};

// The user's "2/4"; the exit code.
int take_shard(const std::string& text, FaultOptions& options);
// Prints the selected faults; the exit code.
int list_faults(const FaultOptions& options);
int run_faults(FaultOptions options);
// Within ended(): generated_command.cpp.
int list_generated(const FaultOptions& options);
int run_generated(const FaultOptions& options);

}  // namespace xhal::conformance
