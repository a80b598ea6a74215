// SPDX-License-Identifier: Apache-2.0
// Writes the ABI of include/xhal as text, one fact a line.
#pragma once

#include <iosfwd>
#include <string>

namespace xhal::abi {

// What clang said about driver.h: its AST as JSON, its record layouts, its macros.
struct CompilerOutputs {
  std::string ast;
  std::string layouts;
  std::string macros;
};

// Throws std::runtime_error with one line when clang's output is not what this reads.
std::string dump(const CompilerOutputs& outputs);

}  // namespace xhal::abi
