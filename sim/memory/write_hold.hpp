// SPDX-License-Identifier: Apache-2.0
// While it lives nobody writes to a range of memory: whoever tries sleeps until it ends and then writes to what is mapped there. Readers go
// on. That is what moves memory under kernels that run, whoever follows which pointer.
//
// It needs userfaultfd with write protection of files in memory (Linux 5.19, and no filter that forbids the call), and no privilege.
#pragma once

#include <cstddef>

#include "ipc/descriptor.hpp"

namespace xhal::sim {

class WriteHold {
 public:
  // Whole pages of one mapping of a file in memory. Holds nothing where the system does not offer it.
  WriteHold(std::byte* begin, size_t size);
  WriteHold(const WriteHold&) = delete;
  WriteHold& operator=(const WriteHold&) = delete;
  // Lets go of all of it, and of what was mapped in its place.
  ~WriteHold() = default;

  [[nodiscard]] bool holds() const { return holds_; }

 private:
  Descriptor faults_;  // its end wakes who sleeps
  bool holds_ = false;
};

}  // namespace xhal::sim
