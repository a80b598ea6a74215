// SPDX-License-Identifier: Apache-2.0
#include "memory/stream_order.hpp"

#include <gtest/gtest.h>

#include <deque>

namespace xhal::sim {
namespace {

class StreamOrders : public testing::Test {
 protected:
  Position at(size_t stream, uint64_t number) { return {&streams[stream], number}; }
  std::deque<Progress> streams{40};
  StreamOrder order;
};

TEST_F(StreamOrders, AStreamFollowsItselfAndWhatItWaitedFor) {
  order.add(at(1, 5), at(0, 3));
  EXPECT_TRUE(order.is_behind(at(0, 3), at(0, 3)));
  EXPECT_FALSE(order.is_behind(at(0, 2), at(0, 3)));
  EXPECT_TRUE(order.is_behind(at(1, 5), at(0, 3)));
  EXPECT_TRUE(order.is_behind(at(1, 9), at(0, 1)));
  EXPECT_FALSE(order.is_behind(at(1, 4), at(0, 1))) << "before it waited";
  EXPECT_FALSE(order.is_behind(at(1, 9), at(0, 4))) << "later than what it waited for";
  EXPECT_FALSE(order.is_behind(at(0, 9), at(1, 1))) << "the other way round";
  EXPECT_FALSE(order.is_behind({}, at(0, 1))) << "no place in the order";
}

TEST_F(StreamOrders, OrderIsHandedOnByPositions) {
  order.add(at(1, 5), at(0, 3));
  order.add(at(2, 1), at(1, 4));
  EXPECT_FALSE(order.is_behind(at(2, 1), at(0, 3)));
  order.add(at(2, 2), at(1, 5));
  EXPECT_FALSE(order.is_behind(at(2, 1), at(0, 3)));
  EXPECT_TRUE(order.is_behind(at(2, 2), at(0, 3)));
  // Two streams that wait for each other in turn: no way round and round.
  order.add(at(1, 6), at(2, 2));
  order.add(at(2, 3), at(1, 6));
  EXPECT_FALSE(order.is_behind(at(2, 9), at(0, 4)));
  EXPECT_TRUE(order.is_behind(at(1, 6), at(2, 2)));
}

TEST_F(StreamOrders, WhatIsDoneMakesRoomFirst) {
  for (uint64_t i = 1; i <= 16; ++i) order.add(at(0, i), at(i, 1));
  streams[7].submit(1);
  streams[7].retire(1);
  order.add(at(0, 17), at(20, 1));
  EXPECT_FALSE(order.is_behind(at(0, 20), at(7, 1))) << "done: nobody needs to be told";
  for (const size_t still : {1u, 2u, 6u, 8u, 16u, 20u})
    EXPECT_TRUE(order.is_behind(at(0, 20), at(still, 1))) << still;
  order.add(at(0, 18), at(21, 1));
  EXPECT_FALSE(order.is_behind(at(0, 20), at(1, 1))) << "else the oldest is forgotten";
  EXPECT_TRUE(order.is_behind(at(0, 20), at(21, 1)));
}

TEST_F(StreamOrders, ALaterWaitForTheSameStreamTakesTheEarlierOnesPlace) {
  for (uint64_t i = 1; i <= 16; ++i) order.add(at(0, i), at(i, 1));
  order.add(at(0, 17), at(9, 5));
  EXPECT_TRUE(order.is_behind(at(0, 17), at(9, 5)));
  for (size_t i = 1; i <= 16; ++i) EXPECT_TRUE(order.is_behind(at(0, 17), at(i, 1))) << i;
  // One that says nothing new takes none.
  order.add(at(0, 18), at(9, 2));
  for (size_t i = 1; i <= 16; ++i) EXPECT_TRUE(order.is_behind(at(0, 18), at(i, 1))) << i;
}

TEST_F(StreamOrders, AnAnswerTakesABoundedLook) {
  // Each waits for all before it: as many ways as there are paths.
  for (size_t later = 1; later < 17; ++later) {
    for (size_t earlier = 0; earlier < later; ++earlier) order.add(at(later, earlier + 1), at(earlier, 100));
  }
  EXPECT_TRUE(order.is_behind(at(1, 100), at(0, 100)));
  EXPECT_FALSE(order.is_behind(at(16, 100), at(30, 1))) << "and it ends";
}

}  // namespace
}  // namespace xhal::sim
