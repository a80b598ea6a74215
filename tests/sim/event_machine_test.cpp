// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "engine/event.hpp"

namespace xhal::sim {
namespace {

TEST(EventMachine, StartsWithoutAPosition) {
  const Event event(0, false);
  EXPECT_EQ(event.generation(), 0u);
  EXPECT_EQ(event.current().progress, nullptr);
}

TEST(EventMachine, APositionTakenBeforeARecordStaysWhatItWas) {
  Progress a;
  Progress b;
  Event event(0, false);
  event.publish({&a, 1});
  const Position bound = event.current();
  event.publish({&b, 9});
  EXPECT_EQ(bound.progress, &a);
  EXPECT_EQ(bound.number, 1u);
  EXPECT_EQ(event.current().progress, &b);
  EXPECT_EQ(event.current().number, 9u);
  EXPECT_EQ(event.generation(), 2u);
}

TEST(EventMachine, TheTimeIsTheLatestGenerationsInWhateverOrderTheyAreReached) {
  Progress progress;
  Event event(0, true);
  event.publish({&progress, 1});
  event.publish({&progress, 2});
  EXPECT_EQ(event.time(), std::nullopt);
  event.stamp(2, 200);
  event.stamp(1, 300);  // a stream that was held
  EXPECT_EQ(event.time(), 200u);
  event.publish({&progress, 3});
  EXPECT_EQ(event.time(), std::nullopt);
}

// A reader never sees one generation's stream with another one's number.
TEST(EventMachine, AReaderSeesWholePositions) {
  Progress streams[3];
  Event event(0, false);
  std::atomic<bool> stop{false};
  std::thread writer([&] {
    for (uint64_t i = 1; i <= 200'000; ++i) event.publish({&streams[i % 3], i});
    stop.store(true);
  });
  uint64_t last = 0;
  while (!stop.load()) {
    const Position position = event.current();
    if (position.progress == nullptr) continue;
    ASSERT_EQ(position.progress, &streams[position.number % 3]);
    ASSERT_GE(position.number, last);
    last = position.number;
  }
  writer.join();
}

}  // namespace
}  // namespace xhal::sim
