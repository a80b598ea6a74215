// SPDX-License-Identifier: Apache-2.0
// Two operations of any two kinds that meet in one memory, so that what is left tells which of them was first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

class OperationPair {
 public:
  // From the parameters "hazard" (the later one reads what the earlier one wrote, writes what it read, or writes what it wrote), "first" and
  // "second".
  explicit OperationPair(Context& t);

  void submit_first(xhal_stream_t stream) { submit(operations_[0], stream); }
  void submit_second(xhal_stream_t stream) { submit(operations_[1], stream); }
  // Whether one of them may wait for its stream, as declared: it must not meet a shut gate.
  [[nodiscard]] bool may_wait() const { return may_wait_; }
  // All that both left behind, after so many executions of the two.
  void expect(Clause clause, int executions = 1);

 private:
  enum class Kind { kFill, kCopyDevice, kCopyPinned, kRegion, kKernel, kHostFunction };

  // What a host function is given.
  struct HostWork {
    std::vector<uint64_t> own;
    uint64_t* shared = nullptr;
    uint64_t op = 0;
    bool writes = false;
  };

  struct Operation {
    Kind kind;
    bool writes;                     // the memory in which they meet; else it reads it
    uint64_t op;                     // of a fold, or the pattern of a fill
    std::vector<Buffer> own;         // the other side of a copy, or where a kernel puts what it read
    std::vector<uint64_t> expected;  // what is in it
    HostWork* host = nullptr;
  };

  Operation make(const std::string& kind, bool writes, uint64_t which);
  void submit(const Operation& one, xhal_stream_t stream);
  void submit_kernel(const Operation& one, xhal_stream_t stream);
  void submit_region(const Operation& one, xhal_stream_t stream);
  void execute(Operation& one);
  static void run_host_work(void* user, xhal_result_t status);

  Context& t_;
  Buffer shared_;
  std::vector<uint64_t> expected_;  // in it
  std::vector<Operation> operations_;
  bool may_wait_ = false;
};

// Every pair of kinds for each hazard.
Cases operation_pairs();

}  // namespace xhal::conformance
