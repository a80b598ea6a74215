// SPDX-License-Identifier: Apache-2.0
// Memory that a worker keeps for the kernels it runs.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <new>

#include "kernels/image.hpp"

namespace xhal::sim {

inline constexpr uint32_t kMaxLocalBytes = 64 * 1024;
inline constexpr uint32_t kLocalAlignment = 128;
// Room for kMaxLocalBytes in up to kMaxArguments blocks, each aligned.
inline constexpr size_t kLocalBlockBytes = kMaxLocalBytes + size_t{kMaxArguments} * kLocalAlignment;

struct AlignedFree {
  void operator()(std::byte* bytes) const { std::free(bytes); }
};
using AlignedBytes = std::unique_ptr<std::byte, AlignedFree>;

inline AlignedBytes allocate_aligned(size_t size, size_t alignment) {
  void* bytes = nullptr;
  if (posix_memalign(&bytes, alignment, size) != 0) throw std::bad_alloc();
  return AlignedBytes(static_cast<std::byte*>(bytes));
}

// A worker's local memory. Pages of the system's, which most workers never touch.
class LocalMemory {
 public:
  LocalMemory()
      : bytes_(mmap(nullptr, kLocalBlockBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    if (bytes_ == MAP_FAILED) throw std::bad_alloc();
  }
  LocalMemory(const LocalMemory&) = delete;
  LocalMemory& operator=(const LocalMemory&) = delete;
  ~LocalMemory() { munmap(bytes_, kLocalBlockBytes); }

  [[nodiscard]] std::byte* get() const { return static_cast<std::byte*>(bytes_); }

 private:
  void* const bytes_;
};

// What an image keeps for one worker between groups. It belongs to one image, which stays loaded until it has freed it; another image's
// turn ends it.
class ImageScratch {
 public:
  ImageScratch() = default;
  ImageScratch(const ImageScratch&) = delete;
  ImageScratch& operator=(const ImageScratch&) = delete;
  ~ImageScratch() { reset(); }

  void use(const Image& image) {
    if (&image == owner_.get()) return;
    reset();
    owner_ = image.shared_from_this();
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

}  // namespace xhal::sim
