// SPDX-License-Identifier: Apache-2.0
// The whole of xhal-conform behind its command line.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compiled_pack.h"
#include "frame/session.h"

namespace xhal::conformance {

struct Options {
  Target target;  // kernel_directory: empty for the one beside the program
  KernelCompiler kernel_compiler;
  std::string level = "full";        // a name, or a file
  std::vector<std::string> filters;  // globs over ids
  std::optional<uint64_t> seed;
  bool shuffle = true;
  unsigned jobs = 1;
  std::vector<std::string> reports;  // FORMAT=FILE
  std::string power;                 // JSON of `faults`, for the HTML form
  std::string artifact_url;          // for the CI form: where the reports will be
  std::string shard;                 // "i/n"; empty: what the environment says
  std::string waivers;               // a file
  bool allow_waivers = false;
  std::string journal;         // of a run that may be interrupted and go on
  double test_deadline_s = 0;  // 0: calibrated on the device
  double entry_deadline_s = 60;
  std::string list_format = "text";  // or "json"
  std::string challenge;             // a reviewer's words, from which the run is derived
  std::string bundle;                // the folder for its answer
  std::string in_process;            // id of one test to run in this process
  std::string share_directory;       // holds levels/ and kernels/; empty: beside the program
  bool verbose = false;              // a line for every test also on a terminal
  bool terminal = false;             // progress in place on stderr
  bool color = false;
  int terminal_width = 80;
};

// The largest seed: reports are JSON, whose readers may keep numbers as doubles.
inline constexpr uint64_t kLargestSeed = (uint64_t{1} << 53) - 1;

// Fills in what was left open: folders beside the program, a seed.
void complete(Options& options);
// Where a compiler was named, the target's kernels become what it makes.
void compile_kernels(Options& options, int interrupt_fd);

// Each prints what it has to say and gives the exit code, one of run/exit_codes.h.
int run(Options options);
int list(Options options);

}  // namespace xhal::conformance
