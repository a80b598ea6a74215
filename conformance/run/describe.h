// SPDX-License-Identifier: Apache-2.0
// What a clause says and who judges it.
#pragma once

#include <string>

namespace xhal::conformance {

// Prints the clause with that id and its tests, or the tests whose id matches the glob. The exit code.
int describe(const std::string& name);

// What a level asks for: features, and interfaces with their clauses and tests.
int describe_level(const std::string& name_or_path);

}  // namespace xhal::conformance
