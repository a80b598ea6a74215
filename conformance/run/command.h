// SPDX-License-Identifier: Apache-2.0
// How a command of xhal-conform, or of another tool on this frame, ends: by its code, or by stop() from wherever it is.
#pragma once

#include <functional>
#include <string>

namespace xhal::conformance {

// What the lines of stop() begin with; "xhal-conform" unless said otherwise.
void name_tool(const char* name);

// The one-line end of a command that cannot go on: prints the text, leaves by ended().
[[noreturn]] void stop(int code, const std::string& text);

// A line of the tool about what it does, for people: on stderr.
void tell(const std::string& text);

// The exit code, whichever way `work` ends; what it throws beside stop() is a defect of the suite.
int ended(const std::function<int()>& work);

}  // namespace xhal::conformance
