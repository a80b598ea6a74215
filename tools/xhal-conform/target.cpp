// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "commands.h"
#include "common/options.hpp"
#include "common/search.hpp"
#include "common/terminal.hpp"
#include "run/exit_codes.h"

namespace xhal::conform {

using namespace ending;
using conformance::Target;

int usage(const std::string& text) {
  tools::print_error(kTool, text);
  return kExitUsage;
}

void add_target_options(CLI::App& app, Target& target, const std::string& backend_flags) {
  auto* backend =
      app.add_option(backend_flags, target.backend, "name of the driver")->check(tools::not_empty());
  app.add_option("--driver", target.driver_path, "manifest or library of the driver")
      ->check(tools::not_empty())
      ->excludes(backend);
  app.add_option("--device", target.device_index, "number of the device among the driver's");
  app.add_option("--kernels", target.kernel_directory, "folder of the kernel pack")
      ->check(CLI::ExistingDirectory);
}

int choose_driver(Target& target) {
  tools::Selection selection;
  if (!target.driver_path.empty()) selection.driver_paths = {target.driver_path};
  if (!target.backend.empty()) selection.backends = {target.backend};
  const tools::SearchResult search = tools::search_drivers(selection);
  if (search.result < 0) {
    tools::print_error(kTool, search.text);
    return exit_code_of(Entry::kNotLoaded, search.result);
  }
  std::vector<std::string> names;
  for (const auto& driver : search.selected_drivers()) names.push_back(driver.name);
  if (names.empty()) {
    tools::print_error(kTool, "no driver found; name one with --driver PATH, or see xhal-info --why");
    return kExitNothing;
  }
  if (names.size() > 1) {
    return usage(fmt::format("there are {} drivers; choose one with --backend: {}", names.size(),
                             fmt::join(names, ", ")));
  }
  if (target.driver_path.empty()) target.backend = names.front();
  return kExitOk;
}

}  // namespace xhal::conform
