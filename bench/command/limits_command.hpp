// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best: the references of rows, by themselves and without any driver.
#pragma once

#include <string>

namespace xhal::bench {

struct LimitsOptions {
  double seconds = 5;              // of all of them, about
  std::string format = "console";  // or "json"
};

// Prints; the exit code.
int run_limits(const LimitsOptions& options);

}  // namespace xhal::bench
