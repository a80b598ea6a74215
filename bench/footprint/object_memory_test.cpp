// SPDX-License-Identifier: Apache-2.0
// Memory is no timing: what a stream and an event take is the same on a busy machine.
#include "bench/footprint/object_memory.hpp"

#include <gtest/gtest.h>

#include "xhal/xhal.h"

namespace xhal::bench {
namespace {

constexpr size_t kStreams = 1024;
constexpr size_t kEvents = 100'000;

// A measurement that finds nothing finds no excess either: there is no object without a handle.
constexpr double kLeastBytes = 16;

Bench& simulator() {
  static conformance::Session session([] {
    conformance::Target target;
    target.backend = "sim";
    return target;
  }());
  static Bench bench(session, XHAL_BENCH_KERNEL_DIR);
  return bench;
}

void expect_at_most(double most, const ObjectMemory& memory) {
  EXPECT_GE(memory.heap, kLeastBytes);
  EXPECT_LE(memory.heap, most);
  EXPECT_LE(memory.resident, most);
}

TEST(MemoryOfObjects, AStreamThatWasNeverUsed) {
  expect_at_most(kMostBytesOfStream, memory_of_streams(simulator(), kStreams, Use::kNone));
}

TEST(MemoryOfObjects, AStreamThatIsIdleAgain) {
  expect_at_most(kMostBytesOfStream, memory_of_streams(simulator(), kStreams, Use::kOnce));
}

TEST(MemoryOfObjects, AnEventThatWasNeverRecorded) {
  expect_at_most(kMostBytesOfEvent, memory_of_events(simulator(), kEvents, 0, Use::kNone));
  expect_at_most(kMostBytesOfEvent, memory_of_events(simulator(), kEvents, XHAL_EVENT_TIMING, Use::kNone));
}

TEST(MemoryOfObjects, AnEventThatWasRecorded) {
  expect_at_most(kMostBytesOfEvent, memory_of_events(simulator(), kEvents, 0, Use::kOnce));
  expect_at_most(kMostBytesOfEvent, memory_of_events(simulator(), kEvents, XHAL_EVENT_TIMING, Use::kOnce));
}

}  // namespace
}  // namespace xhal::bench
