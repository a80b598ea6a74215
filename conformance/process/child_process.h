// SPDX-License-Identifier: Apache-2.0
// A child process with a deadline: of tools that load a driver only ever in children, and of the compilers that vendors bring.
#pragma once

#include <chrono>
#include <string>
#include <vector>

namespace xhal::process {

struct ChildResult {
  enum class Ending { kExited, kSignalled, kTimedOut, kInterrupted, kNotStarted };
  Ending ending = Ending::kNotStarted;
  int code = 0;        // exit code, signal number, or errno when it was not started
  std::string answer;  // what it wrote to kAnswerDescriptor
  std::string noise;   // the end of what it wrote to stdout and stderr
};

// Where a worker writes its answer: stdout belongs to whatever a driver prints.
inline constexpr int kAnswerDescriptor = 3;

// Runs `arguments` (arguments[0] is the program) with stdin closed, and waits at most `deadline`; then the child's whole process group is
// killed, and likewise when `interrupt_fd` (or -1) turns readable. Output beyond the limits is dropped, so a child that prints for ever harms nobody.
ChildResult run_child(const std::vector<std::string>& arguments, std::chrono::milliseconds deadline,
                      int interrupt_fd = -1);

// To be called first in a worker: it dies with its parent, and of a broken pipe again, as drivers may expect. False when run_child did not
// start it, so that nobody listens.
bool begin_worker();

// This program's own file.
std::string self_path();

// "crashed with SIGSEGV", "did not answer within 5 s and was killed", "exited with code 3".
std::string describe_ending(const ChildResult& result, std::chrono::milliseconds deadline);
std::string signal_name(int number);

}  // namespace xhal::process
