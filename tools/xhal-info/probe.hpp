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

// The parent's side: {"name", "status": ok|failed|crashed|timed_out|garbage, "message", ..., "devices": [...]}.
nlohmann::json probe_driver(const tools::FoundCandidate& candidate, const DescribeOptions& options,
                            std::chrono::milliseconds deadline);

}  // namespace xhal::info
