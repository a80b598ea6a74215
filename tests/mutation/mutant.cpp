// SPDX-License-Identifier: Apache-2.0
// XHAL_SIM_MUTANT is the number of the alternative that is taken; XHAL_SIM_REACHED names a file of a byte for each alternative, which all
// processes of a run set together.
#include "mutant.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

namespace xhal::mutation {
namespace {

constexpr size_t kMost = 65536;
constinit unsigned char own_bytes[kMost];

// A run that measures nothing must not look like one in which nothing was found.
[[noreturn]] void give_up(const char* why, const char* what) {
  std::fprintf(stderr, "mutants of the simulator: %s '%s'\n", why, what);
  _exit(99);
}

__attribute__((constructor)) void choose() {
  if (const char* text = std::getenv("XHAL_SIM_MUTANT")) {
    char* end = nullptr;
    const unsigned long id = std::strtoul(text, &end, 10);
    if (*end != 0 || end == text || id >= kMost) give_up("no number of a mutant:", text);
    current = static_cast<uint32_t>(id);
  }
  const char* path = std::getenv("XHAL_SIM_REACHED");
  if (path == nullptr) return;
  const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0 || ftruncate(fd, kMost) != 0) give_up("cannot write", path);
  void* const shared = mmap(nullptr, kMost, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (shared == MAP_FAILED) give_up("cannot map", path);
  close(fd);
  reached = static_cast<unsigned char*>(shared);
}

}  // namespace

constinit uint32_t current = 0;
constinit unsigned char* reached = own_bytes;

}  // namespace xhal::mutation
