// SPDX-License-Identifier: Apache-2.0
#include "run/compare.h"

#include <memory>
#include <string>
#include <utility>

#include "commands.h"
#include "common/options.hpp"

namespace xhal::conform {

Command compare_command(CLI::App& program) {
  CLI::App* const app = program.add_subcommand(
      "compare", "Which tests ended otherwise, are new or vanished; exit code 1 when there are any.");
  const auto names = std::make_shared<std::pair<std::string, std::string>>();
  app->add_option("before", names->first, "a JSON report")->required()->check(tools::not_empty());
  app->add_option("after", names->second, "another one")->required()->check(tools::not_empty());
  return {app, [names] { return conformance::compare(names->first, names->second); }};
}

}  // namespace xhal::conform
