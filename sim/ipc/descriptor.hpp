// SPDX-License-Identifier: Apache-2.0
// File descriptors that end with their owner, and that a forked child does not keep: it would hold open what others wait to see closed.
#pragma once

#include <utility>

namespace xhal::sim {

class Descriptor {
 public:
  // Before the first fork that may matter.
  static void prepare_for_fork();

  Descriptor() = default;
  // -1: none. Throws std::bad_alloc; the descriptor is closed then.
  explicit Descriptor(int fd);
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() { reset(); }

  void reset();
  [[nodiscard]] int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_ = -1;
};

}  // namespace xhal::sim
