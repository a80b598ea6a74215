// SPDX-License-Identifier: Apache-2.0
// Memory that rows move data between: touched, and with contents that are known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "bench/runner/bench.hpp"

namespace xhal::bench {

enum class Place {
  kPageable,
  kPinned,
  kDevice,
  kPeer  // the second device
};

inline uint32_t kind_of(Place place) {
  return place == Place::kPinned ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE;
}

class Area {
 public:
  // All of it has been written once, with zeros, so that no page comes into being in what is timed. Throws NotHere.
  Area(Bench& bench, Place place, uint64_t size);
  [[nodiscard]] void* get() { return memory_ ? memory_->get() : pageable_.data(); }
  [[nodiscard]] uint64_t size() const { return size_; }

  // Each word tells its place, and `salt`.
  void write_pattern(uint64_t salt);
  // Throws RowFailed when another word is there. What is there afterwards are zeros, so that the next look sees what was written since.
  void expect_pattern(uint64_t salt);

  void clear();
  void write(uint64_t offset, const void* from, uint64_t size);
  void read(uint64_t offset, void* to, uint64_t size);

 private:
  uint64_t size_;
  std::optional<Memory> memory_;
  std::vector<std::byte> pageable_;
  Stream stream_;  // for what is set up and looked at
};

// Whether host memory and host threads are what the device's own are made of.
inline bool is_cpu(const Bench& bench) { return bench.properties().kind == XHAL_DEVICE_KIND_CPU; }

// So many bytes a unit of the first side, in GB/s.
inline Formula gigabytes_per_second(uint64_t bytes) {
  return [bytes](std::span<const double> ns) { return static_cast<double>(bytes) / ns[0]; };
}

}  // namespace xhal::bench
