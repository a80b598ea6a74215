// SPDX-License-Identifier: Apache-2.0
// xhal-conform variants, behind its command line: whether drivers that keep the contract in unusual ways pass.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/compiled_pack.h"
#include "frame/session.h"

namespace xhal::conformance {

struct FairnessOptions {
  Target target;
  KernelCompiler kernel_compiler;
  std::vector<std::string> variants;  // globs over names; none: all
  bool pairs = false;                 // every two of them, in place of each alone
  uint32_t together = 2;              // that many at once, so that fewer mixes hold every two
  std::string level = "full";
  std::vector<std::string> filters;  // globs over tests
  std::optional<uint64_t> seed;
  uint32_t seeds = 1;
  unsigned jobs = 1;
  std::string shard;           // "i/n"; empty: what the environment says
  double test_deadline_s = 0;  // 0: calibrated on each variant
  double entry_deadline_s = 60;
  std::string json;             // a file, "-" for the standard output, "" for none
  std::string share_directory;  // empty: beside the program
  bool terminal = false;        // progress in place on stderr
};

// Prints the selected variants, or mixes; the exit code.
int list_variants(const FairnessOptions& options);
int run_variants(FairnessOptions options);

}  // namespace xhal::conformance
