// SPDX-License-Identifier: Apache-2.0
// Runs a program with a clean XHAL_ environment and gives back all that it said.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace xhal::test {

struct ProgramResult {
  int exit_code = -1;  // 128 + signal when it was killed by one
  std::string out;
  std::string err;
};

struct ProgramOptions {
  std::map<std::string, std::string> environment =
      {};  // added to the caller's without its XHAL_ and NO_COLOR variables
  std::string stdout_path =
      {};  // instead of capturing; "" captures; "-" closes it; "|" is a pipe that nobody reads
  std::vector<int> closed = {};  // standard descriptors that the program finds closed
};

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options = {});

}  // namespace xhal::test
