// SPDX-License-Identifier: Apache-2.0
// In a build without OpenCL's headers there is no such lane.
#if !__has_include(<CL/cl.h>)

#include "bench/lanes/opencl_lane.hpp"

namespace xhal::bench {

struct OpenClLane::Objects {};
OpenClLane::OpenClLane(Bench&) { throw NotHere("built without OpenCL's headers"); }
OpenClLane::~OpenClLane() = default;
bool OpenClLane::applies(const Bench&) { return false; }
bool OpenClLane::can_be_held(const Bench&) { return false; }
bool OpenClLane::runs_host_functions(const Bench&) { return false; }
void OpenClLane::prepare_launch(Bench&, int) {}
void OpenClLane::prepare_timing(Bench&) {}
void OpenClLane::launch() {}
void OpenClLane::launch_changed() {}
void OpenClLane::synchronize() {}
void OpenClLane::synchronize_second() {}
void OpenClLane::record() {}
bool OpenClLane::query_event() { return false; }
void OpenClLane::synchronize_event() {}
void OpenClLane::wait_event() {}
void OpenClLane::wait_for_event_of(OpenClLane&) {}
void OpenClLane::host_function(xhal_host_fn, void*) {}
void OpenClLane::copy(void*, const void*, uint64_t) {}
void OpenClLane::fill(void*, uint64_t, uint32_t, uint64_t) {}
void* OpenClLane::allocate(uint32_t, uint64_t) { return nullptr; }
void OpenClLane::release(void*) {}
void OpenClLane::create_and_destroy_stream() {}
void OpenClLane::load_and_destroy(const xhal_module_desc_t&) {}
void OpenClLane::prepare_lookup(const xhal_module_desc_t&) {}
void OpenClLane::look_up(const char*) {}
OpenClLane::Hold::Hold(OpenClLane& lane) : lane_(lane) {}
void OpenClLane::Hold::let_go() {}

}  // namespace xhal::bench

#endif
