// SPDX-License-Identifier: Apache-2.0
// Standard streams that are what the rest of a program takes them for.
#pragma once

#include <string_view>

namespace xhal::tools {

// First of all in main. A closed descriptor 0, 1 or 2 would be given to the next file that is opened, which then gets what is printed: it
// is filled with a /dev/null whose reads or writes fail, as those of a closed one do. A broken pipe becomes a failed write instead of a death.
void prepare_standard_streams();

// Writes to stdout; what goes wrong is told by finish().
void print_text(std::string_view text);

// Last of all in main: `code`, or kExitInternal and a line on stderr when stdout could not take all that was printed.
int finish(std::string_view tool, int code);

}  // namespace xhal::tools
