// SPDX-License-Identifier: Apache-2.0
// Copies of pageable sources that wait in a stream, so that the caller may change its bytes at once and never waits.
#pragma once

#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace xhal::sim {

class StagingBudget {
 public:
  explicit StagingBudget(uint64_t limit) : limit_(limit) {}

  [[nodiscard]] uint64_t limit() const { return limit_; }
  [[nodiscard]] uint64_t used() const { return used_.load(std::memory_order_relaxed); }
  [[nodiscard]] bool take(uint64_t size) {
    uint64_t used = used_.load(std::memory_order_relaxed);
    do {
      if (size > limit_ - used) return false;
    } while (!used_.compare_exchange_weak(used, used + size, std::memory_order_relaxed));
    return true;
  }
  void give_back(uint64_t size) { used_.fetch_sub(size, std::memory_order_relaxed); }

 private:
  const uint64_t limit_;
  std::atomic<uint64_t> used_{0};
};

class StagedBytes {
 public:
  StagedBytes() = default;
  // Empty when the budget or the machine's memory is exhausted.
  StagedBytes(StagingBudget& budget, const void* source, uint64_t size) : StagedBytes(budget, size) {
    if (bytes_ != nullptr) std::memcpy(bytes_, source, size);
  }
  // To be written through data().
  StagedBytes(StagingBudget& budget, uint64_t size) {
    if (!budget.take(size)) return;
    bytes_ = std::malloc(size);
    if (bytes_ == nullptr) {
      budget.give_back(size);
      return;
    }
    budget_ = &budget;
    size_ = size;
  }
  StagedBytes(StagedBytes&& other) noexcept
      : budget_(std::exchange(other.budget_, nullptr)),
        bytes_(std::exchange(other.bytes_, nullptr)),
        size_(other.size_) {}
  StagedBytes& operator=(StagedBytes&& other) noexcept {
    std::swap(budget_, other.budget_);
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~StagedBytes() {
    if (bytes_ == nullptr) return;
    std::free(bytes_);
    budget_->give_back(size_);
  }

  [[nodiscard]] std::byte* data() { return static_cast<std::byte*>(bytes_); }
  [[nodiscard]] const std::byte* data() const { return static_cast<const std::byte*>(bytes_); }

 private:
  StagingBudget* budget_ = nullptr;
  void* bytes_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace xhal::sim
