// SPDX-License-Identifier: Apache-2.0
// The external correlation ids that the calling thread has exchanged: one for each instance that it has one for.
#pragma once

#include <cstdint>

namespace xhal::sim {

class ThreadCorrelations {
 public:
  // Whether the thread has any, which every submission asks.
  [[nodiscard]] static bool any() { return count != 0; }
  // 0 when it has none for that instance.
  [[nodiscard]] static uint64_t of(uint64_t instance);
  // Id 0 ends it. False, and nothing has changed, when the thread has ids for kMost other instances.
  [[nodiscard]] static bool exchange(uint64_t instance, uint64_t id, uint64_t& out_former);

  static constexpr uint32_t kMost = 8;

 private:
  struct Entry {
    uint64_t instance, id;
  };
  // Initial-exec: one load instead of a call into the dynamic linker. Costs a few bytes of the static TLS block that glibc keeps for
  // libraries opened later.
  [[gnu::tls_model("initial-exec")]] static constinit thread_local uint32_t count;
  [[gnu::tls_model("initial-exec")]] static constinit thread_local Entry entries[kMost];
};

[[gnu::tls_model("initial-exec")]] inline constinit thread_local uint32_t ThreadCorrelations::count = 0;

}  // namespace xhal::sim
