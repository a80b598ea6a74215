// SPDX-License-Identifier: Apache-2.0
#include "memory/host_memory.hpp"

#include <algorithm>

namespace xhal::sim {

std::optional<uint64_t> HostMemory::allocate(uint64_t size, uint64_t alignment, std::string& why) {
  const std::lock_guard lock(mutex_);
  if (size > limit_ || Arena::charge_of(size) > limit_ - used_) {
    why = std::to_string(size) + " bytes do not fit: " + std::to_string(used_) + " of " +
          std::to_string(limit_) + " bytes of pinned memory are in use";
    return std::nullopt;
  }
  // Addresses of the window are moved to its backing, which keeps alignments up to the distance alone.
  const uint64_t footprint = Arena::footprint(size);
  if (alignment > window_.distance() || footprint > window_.size()) {
    why = "the process has no addresses for " + std::to_string(size) + " bytes at a multiple of " +
          std::to_string(alignment);
    return std::nullopt;
  }
  const auto take = [&]() -> std::optional<uint64_t> {
    for (const auto& arena : arenas_) {
      if (const auto address = arena->take(footprint, alignment); address.has_value()) return address;
    }
    return std::nullopt;
  };
  std::optional<uint64_t> address = take();
  if (!address.has_value() && grow(footprint + std::max(alignment, Window::kSliceAlignment), why))
    address = take();
  if (!address.has_value()) return std::nullopt;
  used_ += Arena::charge_of(size);
  return *address + window_.distance();
}

bool HostMemory::grow(uint64_t addresses, std::string& why) {
  std::unique_ptr<Arena> arena;
  for (const uint64_t wanted :
       {std::max({addresses, addresses_, std::min(kFirstArena, window_.size() / 16)}), addresses}) {
    arena = Arena::create(window_, wanted, wanted, why);
    if (arena != nullptr) break;
  }
  if (arena == nullptr) return false;
  addresses_ += arena->addresses().size();
  arenas_.push_back(std::move(arena));
  return true;
}

void HostMemory::release(uint64_t address, uint64_t size) {
  const uint64_t begin = address - window_.distance();
  const std::lock_guard lock(mutex_);
  const auto arena = std::ranges::find_if(
      arenas_, [&](const auto& one) { return begin - one->addresses().begin < one->addresses().size(); });
  (*arena)->give({begin, begin + Arena::footprint(size)});
  used_ -= Arena::charge_of(size);
}

}  // namespace xhal::sim
