// SPDX-License-Identifier: Apache-2.0
#include "memory/window.hpp"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdio>

namespace xhal::sim {

// A child must find the lock free and the list whole. What its parent's arenas held stays taken: their backing is not the child's.
struct WindowFork {
  static Window& window() {
    static Window* const kWindow = [] {
      auto* window = new Window;
      instance = window;
      pthread_atfork([] { instance->mutex_.lock(); }, [] { instance->mutex_.unlock(); },
                     [] { instance->mutex_.unlock(); });
      return window;
    }();
    return *kWindow;
  }
  static inline Window* instance = nullptr;
};

Window& Window::of_process() { return WindowFork::window(); }

Window::~Window() {
  if (mapping_ != nullptr) munmap(mapping_, 2 * size_ + kSliceAlignment);
}

uint64_t Window::size_for(uint64_t devices_bytes) {
  // A power of two, which keeps alignments over the distance. Each device's file has two to four times its memory in addresses. Twice the
  // largest size is half of what a process has.
  constexpr uint64_t kBeside = uint64_t{64} << 30;
  constexpr uint64_t kLargest = uint64_t{32} << 40;
  return std::clamp(std::bit_ceil(12 * devices_bytes + kBeside), kWantedSize, kLargest);
}

bool Window::reserve(std::string& note, uint64_t at_least) {
  const std::lock_guard lock(mutex_);
  if (mapping_ != nullptr) return true;
  const uint64_t wanted = std::max(wanted_, at_least);
  for (uint64_t size = wanted; size >= kSmallestSize; size /= 2) {
    // One mapping for both halves: their distance is the size. The rest is for aligning the first.
    void* mapping = mmap(nullptr, 2 * size + kSliceAlignment, PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping == MAP_FAILED) continue;
    mapping_ = mapping;
    size_ = size;
    const auto address = reinterpret_cast<uint64_t>(mapping);
    base_ = (address + kSliceAlignment - 1) / kSliceAlignment * kSliceAlignment;
    slices_ = FreeSpace({base_, base_ + size});
    available_ = size;
    if (size != wanted) {
      char text[160];
      std::snprintf(text, sizeof(text),
                    "device addresses: reserved %llu MiB instead of %llu MiB, the address space has no more",
                    static_cast<unsigned long long>(size >> 20),
                    static_cast<unsigned long long>(wanted >> 20));
      note = text;
    }
    return true;
  }
  return false;
}

std::optional<Interval> Window::take_slice(uint64_t size, uint64_t alignment) {
  const std::lock_guard lock(mutex_);
  const std::optional<uint64_t> begin = slices_.take(size, std::max(alignment, kSliceAlignment));
  if (!begin.has_value()) return std::nullopt;
  available_ -= size;
  return Interval{*begin, *begin + size};
}

void Window::clear_backing(Interval addresses) const {
  // When it fails the backing stays where it is, unused: mappings are the process's scarce good then, not addresses.
  static_cast<void>(mmap(reinterpret_cast<void*>(addresses.begin + size_), addresses.size(), PROT_NONE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0));
}

void Window::give_slice(Interval slice) {
  const std::lock_guard lock(mutex_);
  slices_.give(slice);
  available_ += slice.size();
}

uint64_t Window::available() const {
  const std::lock_guard lock(mutex_);
  return available_;
}

}  // namespace xhal::sim
