// SPDX-License-Identifier: Apache-2.0
// Two threads that each store one word and then look at the other's need a full fence between the two. Where one of them comes by a
// thousand times as often, it can do without: the other one then has the system put a fence into every running thread.
//
//   often:  first.store(...); light_fence(); second.load();
//   rarely: second.store(...); heavy_fence(); first.load();
//
// At least one of the two sees the other's store.
#pragma once

#include <atomic>

namespace xhal::sim {

// Whether the system can. Asked by everyone who would do without a fence of his own; the answer never changes. The first call registers
// the process, which may take milliseconds where it has threads already.
[[nodiscard]] bool has_heavy_fence();

// For the compiler alone.
inline void light_fence() { std::atomic_signal_fence(std::memory_order_seq_cst); }

// Some microseconds. Only where has_heavy_fence() was true.
void heavy_fence();

}  // namespace xhal::sim
