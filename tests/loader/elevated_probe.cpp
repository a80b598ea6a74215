// SPDX-License-Identifier: Apache-2.0
// What a process sees of itself and of its drivers, printed. elevated_test runs set-uid and set-gid copies of it.
#include <unistd.h>

#include <cstdio>

#include "discovery/discovery.hpp"
#include "xhal/driver.h"

// The leak checker of a sanitizer build traces its own process, which the kernel forbids for one with privileges.
// NOLINTBEGIN(readability-identifier-naming): the runtime's name
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }
// NOLINTEND(readability-identifier-naming)

int main() {
  using namespace xhal::discovery;
  Environment environment = Environment::of_process(false);
  std::printf("elevated %d\n", environment.elevated ? 1 : 0);
  std::printf("installation %s\n", environment.installation.c_str());
  std::printf("variables %zu\n", set_variables(false).size());
  environment.system_roots.clear();
  const Found found = find({}, environment);
  for (const Candidate& candidate : found.candidates) {
    std::printf("candidate %u %s %s: %s\n", candidate.decision, candidate.origin.c_str(),
                candidate.place.c_str(), candidate.reason.c_str());
  }
  for (const Manifest& manifest : found.selected) {
    const Opened opened = open_library(manifest, XHAL_DRIVER_NEGOTIATE_SYMBOL, environment.elevated);
    const int mark = opened.symbol != nullptr ? reinterpret_cast<int (*)()>(opened.symbol)() : -1;
    std::printf("opened %s: %d mark %d %s\n", manifest.name.c_str(), opened.result, mark,
                opened.text.c_str());
  }
  return 0;
}
