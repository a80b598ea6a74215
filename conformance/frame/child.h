// SPDX-License-Identifier: Apache-2.0
// Work in a forked child, for what the contract says about fork and exit.
#pragma once

#include <functional>
#include <string>

#include "frame/context.h"

namespace xhal::conformance {

struct ChildResult {
  bool timed_out = false;  // killed at the deadline
  int signal = 0;          // that ended it
  int exit_code = 0;
  std::string output;  // what it wrote

  // "ended by SIGSEGV", "exit code 3", "killed after 10 s"; "" when it exited with 0.
  [[nodiscard]] std::string trouble() const;
};

// How the child tells what it has found: one line each.
struct Say {
  int descriptor;
  void operator()(const std::string& line) const;
};

// Forks and runs `work` in the child, which leaves by _exit(0), or by exit(0) when `with_exit_handlers`. The parent waits for `patience`.
ChildResult run_in_child(Context& t, const std::function<void(const Say&)>& work,
                         bool with_exit_handlers = false);

// For the other side of the same: "SIGSEGV".
std::string signal_name(int signal);

}  // namespace xhal::conformance
