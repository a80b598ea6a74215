// SPDX-License-Identifier: Apache-2.0
// docs/strength.md, made from what the measurements have left. xhal-conform strength, behind its command line.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "strength/unbroken.h"

namespace xhal::conformance {

struct StrengthPageOptions {
  std::vector<std::string> files;  // JSON of measurements
  std::string output = "-";
  std::string reasons;   // why tests pass on drivers with nothing behind them; "": beside the program
  std::string unbroken;  // why no layer can break clauses that have no fault; "": beside the program
  bool summary =
      false;  // no page: the one file is a run over such a driver, and what the page needs of it is written
};

// The exit code.
int write_strength_page(const StrengthPageOptions& options);

// What was measured, by kind; shards of one measurement stand beside each other.
struct StrengthInputs {
  std::vector<nlohmann::json> faults, matrix, generated, mutation, variants, dropped_waits, hollow;
};

inline constexpr const char* kHollowSchema = "xhal-conform-hollow/1";

// Why a test passes on a driver that does nothing, or refuses everything.
struct HollowReason {
  std::string driver;              // "idle" or "refusing"
  std::vector<std::string> tests;  // globs
  std::string reason;
};
// Stops with what is wrong with the file.
std::vector<HollowReason> read_hollow_reasons(const std::string& path);

// Throws nothing: what is missing is named as not measured.
std::string strength_page(const StrengthInputs& inputs, const std::vector<HollowReason>& reasons,
                          const Unbroken& unbroken);

}  // namespace xhal::conformance
