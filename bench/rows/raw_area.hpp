// SPDX-License-Identifier: Apache-2.0
// Memory of a raw lane's own, as the Area that stands beside it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "bench/lanes/lanes.hpp"
#include "bench/rows/areas.hpp"

namespace xhal::bench {

template <HasMemory Lane>
class RawArea {
 public:
  // All of it has been written once.
  RawArea(std::shared_ptr<Lane> lane, Place place, uint64_t size) : lane_(std::move(lane)) {
    if (place == Place::kPageable) {
      pageable_.resize(size);
      return;
    }
    memory_ = lane_->allocate(kind_of(place), size);
    lane_->fill(memory_, 0, 1, size);
    lane_->synchronize();
  }
  ~RawArea() {
    if (memory_ == nullptr) return;
    lane_->synchronize();
    lane_->release(memory_);
  }
  RawArea(const RawArea&) = delete;
  RawArea& operator=(const RawArea&) = delete;
  [[nodiscard]] std::byte* get() {
    return memory_ != nullptr ? static_cast<std::byte*>(memory_) : pageable_.data();
  }

 private:
  std::shared_ptr<Lane> lane_;
  void* memory_ = nullptr;
  std::vector<std::byte> pageable_;
};

}  // namespace xhal::bench
