// SPDX-License-Identifier: Apache-2.0
// One driver looked at in a child process.
#pragma once

#include <chrono>
#include <nlohmann/json.hpp>
#include <string>

#include "common/search.hpp"
#include "describe.hpp"

namespace xhal::info {

// The worker's side: loads the driver, tells each step before it is taken, then everything. Returns the exit code.
int run_probe_worker(const std::string& load_path, const DescribeOptions& options);

struct Probed {
  nlohmann::json
      driver;     // {"name", "status": ok|absent|failed|crashed|timed_out, "message", ..., "devices": [...]}
  int exit_code;  // that this driver alone would end the tool with, devices or not
};

// The parent's side.
Probed probe_driver(const tools::FoundCandidate& candidate, const DescribeOptions& options,
                    std::chrono::milliseconds deadline);

}  // namespace xhal::info
