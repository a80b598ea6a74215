// SPDX-License-Identifier: Apache-2.0
// In a build without Unified Runtime's headers there is no such lane.
#include "bench/peers/unified_runtime.hpp"

namespace xhal::bench {

struct UnifiedRuntimeLane::Objects {};
UnifiedRuntimeLane::UnifiedRuntimeLane(Bench&) { throw NotHere("built without Unified Runtime's headers"); }
UnifiedRuntimeLane::~UnifiedRuntimeLane() = default;
bool UnifiedRuntimeLane::applies(const Bench&) { return false; }
bool UnifiedRuntimeLane::has_pointers(const Bench&) { return false; }
void UnifiedRuntimeLane::prepare_launch(Bench&, int) {}
void UnifiedRuntimeLane::prepare_timing(Bench&) {}
void UnifiedRuntimeLane::launch() {}
void UnifiedRuntimeLane::launch_changed() {}
void UnifiedRuntimeLane::synchronize() {}
void UnifiedRuntimeLane::synchronize_second() {}
void UnifiedRuntimeLane::record() {}
bool UnifiedRuntimeLane::query_event() { return false; }
void UnifiedRuntimeLane::synchronize_event() {}
void UnifiedRuntimeLane::wait_event() {}
void UnifiedRuntimeLane::wait_for_event_of(UnifiedRuntimeLane&) {}
void UnifiedRuntimeLane::copy(void*, const void*, uint64_t) {}
void UnifiedRuntimeLane::fill(void*, uint64_t, uint32_t, uint64_t) {}
void* UnifiedRuntimeLane::allocate(uint32_t, uint64_t) { return nullptr; }
void UnifiedRuntimeLane::release(void*) {}

}  // namespace xhal::bench
