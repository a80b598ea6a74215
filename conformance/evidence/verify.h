// SPDX-License-Identifier: Apache-2.0
// xhal-conform verify, behind its command line: whether a bundle is the answer to its challenge, and hangs together.
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "frame/session.h"

namespace xhal::conformance {

struct VerifyOptions {
  std::string bundle;
  std::string challenge;         // "": the one that the bundle names
  std::optional<size_t> replay;  // so many tests again on `target`; kAllTests: all that can be
  bool allow_waivers = false;
  Target target;  // of the replay: the simulator
  double entry_deadline_s = 60;
  std::string share_directory;  // empty: beside the program
};

inline constexpr size_t kAllTests = static_cast<size_t>(-1);

// Prints one line a finding, then the verdict; the exit code: 1 for a finding and for a run that was not judged, else that of the run.
int verify(VerifyOptions options);

}  // namespace xhal::conformance
