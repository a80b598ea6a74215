// SPDX-License-Identifier: Apache-2.0
// What the contract allows goes through although findings refuse, and what has an effect of its own reaches the driver.
#include "../clause.hpp"
#include "validated.hpp"

namespace xhal::layers_test {
namespace {

class ValidateRules : public testing::Test {
 protected:
  ValidateRules() : t({{"validate", "findings", "error"}}), keep(*t) {}
  // Whether the call reached the driver.
  template <class Call>
  bool reaches_driver(const Call& call) {
    const uint64_t before = t->control->calls();
    call();
    return t->control->calls() != before;
  }
  void capture(xhal_stream_t stream, uint32_t mode = XHAL_CAPTURE_THREAD) {
    EXPECT_EQ(xhal_stream_begin_capture(stream, mode), XHAL_SUCCESS);
  }
  void end_capture(xhal_stream_t stream) {
    xhal_graph_t graph = nullptr;
    EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
    EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
  }
  void* allocate(xhal_pool_t pool, xhal_stream_t stream, uint64_t size = 64) {
    void* memory = nullptr;
    EXPECT_EQ(xhal_pool_allocate(pool, stream, size, &memory), XHAL_SUCCESS);
    return memory;
  }
  // As an import in the exporting process: the driver gives the address of the allocation that it made last.
  void import_last(void* expected) {
    const char bytes[64] = {};
    void* pointer = nullptr;
    t->control->misbehave(clay::Defect::kSameAddress);
    EXPECT_EQ(xhal_ipc_import_memory(t->devices[0], bytes, sizeof(bytes), &pointer), XHAL_SUCCESS);
    t->control->misbehave(clay::Defect::kNone);
    EXPECT_EQ(pointer, expected);
  }
  Validated t;
  Cleanup keep;
};

// ---- Captures ----------------------------------------------------------------------------------------------------------------------------

TEST_F(ValidateRules, WhatBreaksACaptureReachesTheDriver) {
  XHAL_CLAUSE("XHAL-GRAPH-5");
  xhal_stream_t stream = keep.stream();
  xhal_event_t event = keep.event();
  capture(stream);
  EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
  EXPECT_TRUE(reaches_driver([&] { xhal_stream_query(stream); }));
  EXPECT_TRUE(reaches_driver([&] { xhal_stream_synchronize(stream, 0); }));
  EXPECT_TRUE(reaches_driver([&] { xhal_event_query(event); }));
  EXPECT_TRUE(reaches_driver([&] { xhal_event_synchronize(event, 0); }));
  EXPECT_EQ(t.kinds(), "capture-misuse capture-misuse capture-misuse capture-misuse") << "and is told";
  end_capture(stream);
}

TEST_F(ValidateRules, ABrokenCaptureIsTheDriversToRefuse) {
  XHAL_CLAUSE("XHAL-GRAPH-6");
  xhal_stream_t stream = keep.stream();
  xhal_event_t before = keep.event();
  EXPECT_EQ(xhal_event_record(before, stream, 0), XHAL_SUCCESS);
  capture(stream);
  EXPECT_EQ(xhal_stream_wait_event(stream, before, 0), XHAL_ERROR_CAPTURE_UNSUPPORTED) << "the layer's own";
  t->control->fail_next(XHAL_ERROR_CAPTURE_UNSUPPORTED);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_CAPTURE_UNSUPPORTED);
  t->control->fail_next(XHAL_ERROR_CAPTURE_INVALIDATED);
  EXPECT_EQ(xhal_stream_wait_event(stream, before, 0), XHAL_ERROR_CAPTURE_INVALIDATED) << "the driver's";
  end_capture(stream);
}

TEST_F(ValidateRules, AStreamIsDestroyedInItsCapture) {
  XHAL_CLAUSE("XHAL-GRAPH-18");
  xhal_stream_t stream = t->stream();
  xhal_stream_t forked = keep.stream();
  xhal_event_t event = keep.event();
  capture(stream);
  EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_wait_event(forked, event, 0), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "capture-misuse");
  EXPECT_EQ(xhal_stream_query(forked), XHAL_SUCCESS) << "its capture is over";
  EXPECT_EQ(t.kinds(), "capture-misuse");
}

TEST_F(ValidateRules, AResetEndsCaptures) {
  XHAL_CLAUSE("XHAL-GRAPH-18");
  xhal_stream_t stream = t->stream();
  capture(stream);
  EXPECT_EQ(xhal_device_reset(t->devices[0]), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "");
}

// ---- Pools -------------------------------------------------------------------------------------------------------------------------------

TEST_F(ValidateRules, MemoryOfAGraphIsFreedInsideAndOutside) {
  XHAL_CLAUSE("XHAL-POOL-10");
  xhal_stream_t stream = keep.stream();
  xhal_pool_t pool = keep.pool();
  xhal_pool_t other = keep.pool();
  EXPECT_EQ(xhal_pool_free(pool, stream, allocate(pool, stream)), XHAL_SUCCESS);
  // The graph gets addresses that were freed before.
  t->control->misbehave(clay::Defect::kSameAddress);
  capture(stream);
  void* memory = allocate(pool, stream);
  t->control->misbehave(clay::Defect::kNone);
  t->control->know(memory, 64);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 65), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(xhal_pool_free(pool, stream, memory), XHAL_SUCCESS);
  end_capture(stream);
  EXPECT_EQ(xhal_pool_free(pool, stream, memory), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS) << "a later launch's";
  EXPECT_EQ(t.kinds(), "out-of-bounds");
  EXPECT_EQ(xhal_pool_free(other, stream, memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(t.kinds(), "out-of-bounds wrong-release");
}

TEST_F(ValidateRules, ACapturedFreeEndsNothingYet) {
  XHAL_CLAUSE("XHAL-POOL-10");
  xhal_stream_t stream = keep.stream();
  xhal_pool_t pool = keep.pool();
  void* memory = allocate(pool, stream);
  capture(stream);
  EXPECT_EQ(xhal_pool_free(pool, stream, memory), XHAL_SUCCESS);
  end_capture(stream);
  t->control->know(memory, 64);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS) << "no launch has freed it";
  EXPECT_EQ(t.kinds(), "");
}

// ---- Memory of others --------------------------------------------------------------------------------------------------------------------

TEST_F(ValidateRules, ImportsKeepTheExportersMemory) {
  XHAL_CLAUSE("XHAL-IPC-5");
  XHAL_CLAUSE("XHAL-IPC-6");
  xhal_stream_t stream = keep.stream();
  char* memory = t->memory(64);
  import_last(memory);
  import_last(memory);
  EXPECT_EQ(xhal_ipc_close_memory(t->devices[0], memory), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_ERROR_INVALID_POINTER)
      << "an import is no allocation";
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS) << "the second import keeps it";
  EXPECT_EQ(xhal_ipc_close_memory(t->devices[0], memory), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_ipc_close_memory(t->devices[0], memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(t.kinds(), "wrong-release use-after-free double-free");
}

TEST_F(ValidateRules, ARefusedCloseCountsNothing) {
  char* memory = t->memory(64);
  import_last(memory);
  t->control->fail_next(XHAL_ERROR_UNKNOWN);
  EXPECT_EQ(xhal_ipc_close_memory(t->devices[0], memory), XHAL_ERROR_UNKNOWN);
  EXPECT_EQ(xhal_ipc_close_memory(t->devices[0], memory), XHAL_SUCCESS);
  t->control->fail_next(XHAL_ERROR_UNKNOWN);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_ERROR_UNKNOWN);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "");
}

TEST_F(ValidateRules, AddressesThatSomebodyElseGotAreMemoryAgain) {
  XHAL_CLAUSE("XHAL-INTEROP-7");
  xhal_stream_t stream = keep.stream();
  char* memory = t->memory(64);
  EXPECT_EQ(xhal_memory_free(t->devices[0], memory), XHAL_SUCCESS);
  t->control->know(memory, 128);  // a vendor's own allocator
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 128), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 129), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(t.kinds(), "out-of-bounds");
}

TEST_F(ValidateRules, MemoryOfAnInstanceInTheSameContextIsUsed) {
  XHAL_CLAUSE("XHAL-INTEROP-7");
  Instance other("validate", {});
  Cleanup keep_other(other);
  char* memory = keep_other.memory(64);
  xhal_stream_t stream = keep.stream();
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_ERROR_INVALID_POINTER);
  t->control->know(memory, 64);
  const Launch launch(memory);
  EXPECT_EQ(xhal_memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS);
  EXPECT_EQ(xhal_kernel_launch(stream, keep.kernel(), &launch.launch), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "foreign-memory");
}

// ---- Codes -------------------------------------------------------------------------------------------------------------------------------

TEST_F(ValidateRules, RegionsHaveTheContractsCodes) {
  XHAL_CLAUSE("XHAL-REGION-2");
  xhal_stream_t stream = keep.stream();
  char host[256] = {};
  xhal_copy_region_t good = {};
  good.struct_size = sizeof(good);
  good.destination = keep.memory(256);
  good.source = host;
  good.destination_pitch = good.source_pitch = 16;
  good.destination_slice_pitch = good.source_slice_pitch = 64;
  good.extent[0] = 8;
  good.extent[1] = 4;
  good.extent[2] = 2;
  const auto answer = [&](auto spoil) {
    xhal_copy_region_t region = good;
    spoil(region);
    return xhal_memory_copy_region(stream, &region);
  };
  EXPECT_EQ(answer([](auto&) {}), XHAL_SUCCESS);
  EXPECT_EQ(answer([](auto& r) { r.destination_slice_pitch = UINT64_MAX; }), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(answer([](auto& r) { r.source_slice_pitch = UINT64_MAX; }), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(answer([](auto& r) { r.destination_slice_pitch = 63; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(answer([](auto& r) { r.source = nullptr; }), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(answer([](auto& r) { r.extent[2] = r.source_pitch = 0; }), XHAL_SUCCESS)
      << "nothing is looked at";
}

TEST_F(ValidateRules, MappingsHaveTheContractsCodes) {
  XHAL_CLAUSE("XHAL-VMM-6");
  constexpr uint64_t kPage = 4096;
  char* range = keep.range(2 * kPage);
  keep.map(range, kPage);
  xhal_physical_t physical = keep.physical(kPage);
  xhal_device_t device = t->devices[0];
  EXPECT_EQ(xhal_vmm_map(device, range, kPage, physical, 0), XHAL_ERROR_ALREADY_DONE);
  EXPECT_EQ(xhal_vmm_map(device, range + kPage, 2 * kPage, physical, 0), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(xhal_vmm_map(device, range + 2 * kPage, kPage, physical, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_vmm_map(t->devices[1], range + kPage, kPage, physical, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_vmm_unmap(device, range, 2 * kPage), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_vmm_release(device, range, 2 * kPage), XHAL_ERROR_BUSY);
  EXPECT_EQ(xhal_vmm_release(device, range, kPage), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_memory_free(device, range), XHAL_ERROR_INVALID_POINTER);
  // Two mappings beside each other are one memory, and access is set of both.
  EXPECT_EQ(xhal_vmm_map(device, range + kPage, kPage, physical, 0), XHAL_SUCCESS);
  EXPECT_EQ(xhal_vmm_set_access(device, range, 2 * kPage, device, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  EXPECT_EQ(xhal_memory_fill(keep.stream(), range + 1, 0, 1, 2 * kPage - 1), XHAL_SUCCESS);
  EXPECT_EQ(xhal_vmm_unmap(device, range + kPage, kPage), XHAL_SUCCESS);
}

TEST_F(ValidateRules, MappedMemoryNeedsNoPeerAccess) {
  XHAL_CLAUSE("XHAL-VMM-3");
  char* range = keep.range(4096);
  keep.map(range, 4096);
  const Launch launch(range);
  xhal_stream_t stream = keep.stream(1);
  xhal_kernel_t kernel = keep.kernel(1);
  EXPECT_EQ(xhal_kernel_launch(stream, kernel, &launch.launch), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(xhal_vmm_set_access(t->devices[0], range, 4096, t->devices[1], XHAL_ACCESS_READ_WRITE),
            XHAL_SUCCESS);
  EXPECT_EQ(xhal_kernel_launch(stream, kernel, &launch.launch), XHAL_SUCCESS);
  EXPECT_EQ(t.kinds(), "not-mapped");
}

}  // namespace
}  // namespace xhal::layers_test
