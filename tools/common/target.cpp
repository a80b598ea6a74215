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

void add_compiler_options(CLI::App& app, conformance::KernelCompiler& compiler) {
  auto* command = app.add_option("--kernel-compiler", compiler.commands,
                                 "program, and its arguments, that makes the kernels of the pack's text "
                                 "(repeatable: tried in order)")
                      ->check(not_empty())
                      ->allow_extra_args(false);
  app.add_option("--kernel-compiler-timeout", compiler.deadline_s, "seconds for one image")
      ->check(CLI::Range(0.1, 86400.0))
      ->capture_default_str()
      ->needs(command);
  app.add_option("--kernel-cache", compiler.cache_directory,
                 "folder in which its images are kept (default: xhal/kernels in the user's cache)")
      ->check(not_empty())
      ->needs(command);
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
