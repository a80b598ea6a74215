// SPDX-License-Identifier: Apache-2.0
// Counting calls and lies, for whoever wants to know which test meets which entry.
#include "census.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>

#include "fault.hpp"
#include "generated.hpp"

namespace xhal::faults {
namespace {

std::atomic<Census*> g_census{nullptr};

void add_one(uint64_t& number) { std::atomic_ref(number).fetch_add(1, std::memory_order_relaxed); }

}  // namespace

bool begin_census(const char* path) {
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return false;
  struct stat file {};
  void* memory = MAP_FAILED;
  if (fstat(fd, &file) == 0 && file.st_size == sizeof(Census))
    memory = mmap(nullptr, sizeof(Census), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (memory == MAP_FAILED) return false;
  // Kept for the life of the process: another thread may be counting into the former one.
  g_census.store(static_cast<Census*>(memory));
  return true;
}

void count_lie() {
  if (Census* const census = g_census.load(std::memory_order_relaxed); census != nullptr)
    add_one(census->lies);
}

namespace {

enum Number : size_t {
#define XHAL_ENTRY(feature, since, name, ...) kNumber_##name,
#include "xhal/entry_points.def"
};

#define XHAL_ENTRY(feature, since, name, ...)                                            \
  xhal_result_t counted_##name(XHAL_PARAMS(__VA_ARGS__)) {                               \
    add_one(g_census.load(std::memory_order_relaxed)->calls[kNumber_##name]);            \
    return here(XHAL_FIRST_NAME(__VA_ARGS__)).counted.name(XHAL_ARGUMENTS(__VA_ARGS__)); \
  }
#include "xhal/entry_points.def"

}  // namespace

void install_counters(xhal_functions_t& to, xhal_functions_t& counted, const xhal_functions_t& next) {
#define XHAL_ENTRY(feature, since, name, ...)              \
  counted.name = to.name != nullptr ? to.name : next.name; \
  to.name = counted_##name;
#include "xhal/entry_points.def"
}

}  // namespace xhal::faults
