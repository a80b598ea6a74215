// SPDX-License-Identifier: Apache-2.0
#include <sys/auxv.h>
#include <unistd.h>

#include <cstdlib>

#include "discovery.hpp"
#include "path.hpp"
#include "text.hpp"
#include "trust.hpp"

extern "C" char** environ;

namespace xhal::discovery {

bool process_is_elevated() {
  // The kernel's word stands since exec; the ids may have changed since.
  return ::getauxval(AT_SECURE) != 0 || ::geteuid() != ::getuid() || ::getegid() != ::getgid();
}

Environment Environment::of_process(bool ignore_variables) {
  Environment environment;
  environment.elevated = process_is_elevated();
  environment.installation = installation_of(own_library_path());
  if (!environment.elevated && !ignore_variables) {
    environment.get = [](const char* name) -> std::optional<std::string> {
      // libxhal itself changes no variable.
      const char* value = std::getenv(name);  // NOLINT(concurrency-mt-unsafe)
      return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
    };
  }
  return environment;
}

std::optional<std::string> Environment::variable(const char* name) const {
  if (elevated || !get) return std::nullopt;
  return get(name);
}

std::vector<std::string> set_variables(bool ignore_variables) {
  std::vector<std::string> names;
  if (ignore_variables || process_is_elevated() || environ == nullptr) return names;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    if (text.starts_with("XHAL_")) names.emplace_back(text.substr(0, text.find('=')));
  }
  return names;
}

}  // namespace xhal::discovery
