// SPDX-License-Identifier: Apache-2.0
// Pools and their memory that go away with their scope.
#pragma once

#include <utility>

#include "suite/support.h"

namespace xhal::conformance {

class Pool {
 public:
  explicit Pool(Context& t, uint64_t max_bytes = 0, uint64_t release_threshold = 0, size_t device = 0);
  ~Pool() { reset(); }
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;

  operator xhal_pool_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  // The test destroys it itself.
  xhal_pool_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_pool_t handle_ = nullptr;
};

// Memory of a pool. It has to stand behind its pool and its stream, on which it is freed in the end.
class PoolMemory {
 public:
  PoolMemory(Context& t, xhal_pool_t pool, xhal_stream_t stream, uint64_t bytes);
  // What the test has allocated itself.
  PoolMemory(xhal_pool_t pool, xhal_stream_t stream, void* pointer)
      : pool_(pool), stream_(stream), pointer_(pointer) {}
  ~PoolMemory();
  PoolMemory(PoolMemory&& other) noexcept
      : pool_(other.pool_), stream_(other.stream_), pointer_(other.release()) {}
  PoolMemory& operator=(PoolMemory&&) = delete;

  operator void*() const { return pointer_; }  // NOLINT(google-explicit-constructor)
  [[nodiscard]] void* at(uint64_t offset) const {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer_) + offset);
  }
  // The test has freed it.
  void* release() { return std::exchange(pointer_, nullptr); }

 private:
  xhal_pool_t pool_;
  xhal_stream_t stream_;
  void* pointer_ = nullptr;
};

xhal_pool_info_t pool_info(Context& t, xhal_pool_t pool);

}  // namespace xhal::conformance
