// SPDX-License-Identifier: Apache-2.0
#include "common/target.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <vector>

#include "common/options.hpp"
#include "common/search.hpp"
#include "common/terminal.hpp"
#include "run/exit_codes.h"

namespace xhal::tools {

using namespace ending;

void add_target_options(CLI::App& app, conformance::Target& target, const std::string& backend_flags) {
  auto* backend = app.add_option(backend_flags, target.backend, "name of the driver")->check(not_empty());
  app.add_option("--driver", target.driver_path, "manifest or library of the driver")
      ->check(not_empty())
      ->excludes(backend);
  app.add_option("--device", target.device_index, "number of the device among the driver's");
  app.add_option("--kernels", target.kernel_directory, "folder of the kernel pack")
      ->check(CLI::ExistingDirectory);
}

int choose_driver(std::string_view tool, conformance::Target& target) {
  Selection selection;
  if (!target.driver_path.empty()) selection.driver_paths = {target.driver_path};
  if (!target.backend.empty()) selection.backends = {target.backend};
  const SearchResult search = search_drivers(selection);
  if (search.result < 0) {
    print_error(tool, search.text);
    return exit_code_of(Entry::kNotLoaded, search.result);
  }
  std::vector<std::string> names;
  for (const auto& driver : search.selected_drivers()) names.push_back(driver.name);
  if (names.empty()) {
    print_error(tool, "no driver found; name one with --driver PATH, or see xhal-info --why");
    return kExitNothing;
  }
  if (names.size() > 1) {
    print_error(tool, fmt::format("there are {} drivers; choose one with --backend: {}", names.size(),
                                  fmt::join(names, ", ")));
    return kExitUsage;
  }
  if (target.driver_path.empty()) target.backend = names.front();
  return kExitOk;
}

}  // namespace xhal::tools
