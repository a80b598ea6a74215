// SPDX-License-Identifier: Apache-2.0
#include "counters.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "xhal/driver.h"

namespace xhal::sweep {
namespace {

constexpr const char* kVariable = "FAULT_SWEEP_COUNTERS";

constexpr size_t kEntryCount = 0
#define XHAL_ENTRY(feature, since, name, ...) +1
#include "xhal/entry_points.def"
    ;

Counters* map_counters() {
  const char* path = std::getenv(kVariable);
  const int fd = path != nullptr ? ::open(path, O_RDWR | O_CLOEXEC) : -1;
  void* memory =
      fd < 0 ? MAP_FAILED
             : ::mmap(nullptr, kEntryCount * sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (memory == MAP_FAILED) {
    std::fprintf(stderr, "fault_sweep: no counters at '%s'\n", path != nullptr ? path : "");
    std::abort();
  }
  ::close(fd);
  return static_cast<Counters*>(memory);
}

}  // namespace

Counters& counters_of(size_t number) {
  static Counters* const all = map_counters();
  return all[number];
}

void share_counters(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0 || ::ftruncate(fd, kEntryCount * sizeof(Counters)) != 0) {
    std::fprintf(stderr, "fault_sweep: '%s' cannot be made\n", path.c_str());
    std::exit(4);
  }
  ::close(fd);
  ::setenv(kVariable, path.c_str(), 1);
}

}  // namespace xhal::sweep
