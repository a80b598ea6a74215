// SPDX-License-Identifier: Apache-2.0
// One launch: its argument bytes, and running its groups.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>

#include "engine/scheduler.hpp"
#include "kernels/image.hpp"

namespace xhal::sim {

inline constexpr uint32_t kMaxLocalBytes = 64 * 1024;
inline constexpr uint32_t kLocalAlignment = 128;

struct AlignedFree {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte, AlignedFree>;

inline AlignedBytes allocate_aligned(size_t size, size_t alignment) {
  void* bytes = nullptr;
  if (posix_memalign(&bytes, alignment, size) != 0) throw std::bad_alloc();
  return AlignedBytes(static_cast<std::byte*>(bytes));
}

// The copied arguments of one launch, inline for all but large ones.
class ArgumentBytes {
 public:
  ArgumentBytes() = default;
  ArgumentBytes(const ArgumentBytes&) = delete;
  ArgumentBytes& operator=(const ArgumentBytes&) = delete;

  std::byte* reserve(uint32_t size, uint32_t alignment) {
    if (size <= sizeof(inline_) && alignment <= alignof(ArgumentBytes)) return inline_;
    heap_ = allocate_aligned(size, alignment);
    return heap_.get();
  }
  [[nodiscard]] std::byte* data() { return heap_ != nullptr ? heap_.get() : inline_; }

 private:
  alignas(16) std::byte inline_[112];
  AlignedBytes heap_;
};

struct Launch {
  std::shared_ptr<const Image> image;
  const KernelCode* kernel = nullptr;
  uint32_t group_count[3] = {};
  uint32_t group_size[3] = {};
  ArgumentBytes arguments;
};

// What an image keeps for one worker between groups. It belongs to one image, which stays loaded until it has freed it; another image's
// turn ends it.
class ImageScratch {
 public:
  ImageScratch() = default;
  ImageScratch(const ImageScratch&) = delete;
  ImageScratch& operator=(const ImageScratch&) = delete;
  ~ImageScratch() { reset(); }

  void use(const std::shared_ptr<const Image>& image) {
    if (image == owner_) return;
    reset();
    owner_ = image;
  }
  void reset() {
    if (scratch != nullptr && free != nullptr) free(scratch);
    scratch = nullptr;
    free = nullptr;
    owner_.reset();
  }

  void* scratch = nullptr;
  void (*free)(void*) = nullptr;

 private:
  std::shared_ptr<const Image> owner_;
};

// What a launch borrows from the stream that runs it.
struct LaunchPlace {
  Scheduler& scheduler;
  const std::atomic<bool>& abandoned;
  ImageScratch& scratch;
  std::byte*
      local_memory;  // kLocalBlockBytes, aligned to kLocalAlignment; may be null when the kernel has no local arguments
  uint64_t window_base;
  uint64_t window_size;
  uint64_t backing_distance;
};

// Room for kMaxLocalBytes in up to kMaxArguments blocks, each aligned.
inline constexpr size_t kLocalBlockBytes = kMaxLocalBytes + size_t{kMaxArguments} * kLocalAlignment;

enum class LaunchEnd { kDone, kTrapped, kAbandoned };

struct LaunchOutcome {
  LaunchEnd end = LaunchEnd::kDone;
  uint32_t group[3] = {};  // where it ended, unless done
};

LaunchOutcome run_launch(Launch& launch, const LaunchPlace& place);

}  // namespace xhal::sim
