// SPDX-License-Identifier: Apache-2.0
// Pools and their memory that go away with their scope.
#pragma once

#include <optional>
#include <utility>
#include <vector>

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

// Memory of a pool that is freed on a held stream behind a copy out of it which is still to run.
class HeldFree {
 public:
  static constexpr uint64_t kBytes = 1u << 20;

  HeldFree(Context& t, Gate::Kind hold, uint8_t contents);

  [[nodiscard]] xhal_pool_t pool() const { return pool_; }
  [[nodiscard]] xhal_stream_t held() const { return held_; }
  [[nodiscard]] xhal_stream_t other() const { return other_; }
  Gate& gate() { return *gate_; }
  // Opens the gate, waits for both streams and tells what the copy found.
  std::vector<uint8_t> finish();
  [[nodiscard]] std::vector<uint8_t> expected() const { return std::vector<uint8_t>(kBytes, contents_); }

 private:
  Context& t_;
  const uint8_t contents_;
  Pool pool_;
  Stream held_;
  Stream other_;
  Buffer seen_;
  PoolMemory memory_;
  std::optional<Gate> gate_;
};

xhal_pool_info_t pool_info(Context& t, xhal_pool_t pool);

// A size that is large against any granularity, small against the device.
uint64_t large(Context& t);

}  // namespace xhal::conformance
