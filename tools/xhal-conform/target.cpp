// SPDX-License-Identifier: Apache-2.0
#include "common/target.hpp"

#include "commands.h"
#include "common/terminal.hpp"
#include "run/exit_codes.h"

namespace xhal::conform {

int usage(const std::string& text) {
  tools::print_error(kTool, text);
  return ending::kExitUsage;
}

int choose_driver(conformance::Target& target) { return tools::choose_driver(kTool, target); }

}  // namespace xhal::conform
