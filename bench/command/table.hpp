// SPDX-License-Identifier: Apache-2.0
// A report as a table of Markdown, and such a table kept up to date within a page.
#pragma once

#include <string>
#include <vector>

namespace xhal::bench {

struct TableOptions {
  std::string report;
  std::vector<std::string> references;  // globs; empty: whatever has a goal
  std::string into;                     // a page; "": the standard output
  std::string block;                    // its part between "<!-- begin BLOCK -->" and "<!-- end BLOCK -->"
};

// Prints or writes, and gives the exit code.
int write_table(const TableOptions& options);

}  // namespace xhal::bench
