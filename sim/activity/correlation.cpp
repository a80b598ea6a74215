// SPDX-License-Identifier: Apache-2.0
#include "activity/correlation.hpp"

#include <algorithm>
#include <span>
#include <utility>

namespace xhal::sim {

constinit thread_local ThreadCorrelations::Entry ThreadCorrelations::entries[kMost] = {};

uint64_t ThreadCorrelations::of(uint64_t instance) {
  for (const Entry& entry : std::span(entries).first(count)) {
    if (entry.instance == instance) return entry.id;
  }
  return 0;
}

bool ThreadCorrelations::exchange(uint64_t instance, uint64_t id, uint64_t& out_former) {
  const auto used = std::span(entries).first(count);
  const auto entry = std::ranges::find(used, instance, &Entry::instance);
  if (entry == used.end()) {
    if (id != 0 && count == kMost) return false;
    if (id != 0) entries[count++] = {instance, id};
    out_former = 0;
    return true;
  }
  out_former = std::exchange(entry->id, id);
  if (id == 0) *entry = entries[--count];
  return true;
}

}  // namespace xhal::sim
