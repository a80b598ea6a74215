// SPDX-License-Identifier: Apache-2.0
#include "flatness.hpp"

#include <malloc.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>

namespace xhal::soak {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

// A sanitizer's allocator keeps what was freed for a while, and tells the C library's nothing.
constexpr bool kIsSanitized =
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    true;
#else
    false;
#endif
#else
    false;
#endif

uint64_t noise(uint64_t level) { return kIsSanitized ? 64 * kMiB : level / 50 + kMiB; }

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

}  // namespace

void Flatness::sample() {
  const struct mallinfo2 heap = mallinfo2();
  samples_.push_back({resident_bytes(), heap.uordblks + heap.hblkhd});
}

uint64_t Flatness::median(size_t quarter, uint64_t Sample::*what) const {
  std::vector<uint64_t> values;
  const size_t count = samples_.size() / 4;
  for (size_t i = quarter * count; i < (quarter + 1) * count; ++i) values.push_back(samples_[i].*what);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(count / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

bool Flatness::report() const {
  struct Row {
    const char* name;
    uint64_t Sample::*what;
  };
  bool is_flat = true;
  for (const Row& row : {Row{"resident", &Sample::resident}, Row{"allocated", &Sample::allocated}}) {
    uint64_t levels[4];
    for (size_t quarter = 0; quarter < 4; ++quarter) levels[quarter] = median(quarter, row.what);
    std::printf(
        "%-9s KiB, by quarters: %llu %llu %llu %llu\n", row.name,
        static_cast<unsigned long long>(levels[0] >> 10), static_cast<unsigned long long>(levels[1] >> 10),
        static_cast<unsigned long long>(levels[2] >> 10), static_cast<unsigned long long>(levels[3] >> 10));
    if (levels[3] <= levels[1] + noise(levels[1])) continue;
    std::fprintf(stderr,
                 "soak: memory is not flat: %s grew by %llu KiB between the second and the last quarter\n",
                 row.name, static_cast<unsigned long long>((levels[3] - levels[1]) >> 10));
    is_flat = false;
  }
  return is_flat;
}

}  // namespace xhal::soak
