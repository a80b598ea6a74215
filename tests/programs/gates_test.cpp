// SPDX-License-Identifier: Apache-2.0
#include "programs/gates.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "brute_order.hpp"
#include "programs/oracle.h"
#include "programs/order.h"

namespace xhal::test {
namespace {

using namespace programs;

World world() {
  World out;
  out.devices.push_back({true, true, false, false, 0});
  return out;
}

TEST(NecessaryWaits, AreThoseWithoutWhichBruteForceFindsARace) {
  size_t necessary = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Program program = generate(world(), {seed, 60, 3});
    const auto found = necessary_waits(program);
    necessary += found.size();
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      if (program.ops[i].kind != Kind::kWait) continue;
      const auto races = brute_races(program, i);
      const bool data =
          std::any_of(races.begin(), races.end(), [](const BrutePair& pair) { return !pair.lifetime; });
      const auto wait =
          std::find_if(found.begin(), found.end(), [i](const NecessaryWait& one) { return one.wait == i; });
      ASSERT_EQ(wait != found.end(), data) << "seed " << seed << ", operation " << i;
      if (wait == found.end()) continue;
      EXPECT_TRUE(std::any_of(races.begin(), races.end(),
                              [&](const BrutePair& pair) {
                                return pair.first == wait->producer && pair.second == wait->consumer &&
                                       !pair.lifetime;
                              }))
          << "seed " << seed << ", operation " << i;
    }
  }
  EXPECT_GT(necessary, 200u);
}

TEST(Gated, HoldsTheProducerUntilTheConsumerIsSubmitted) {
  size_t made = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const Program program = generate(world(), {seed, 60, 2});
    for (const NecessaryWait& wait : necessary_waits(program)) {
      const auto rotated = gated(world(), program, wait);
      if (!rotated) continue;
      ++made;
      EXPECT_EQ(defect_of(*rotated), "");
      EXPECT_EQ(rotated->ops.size(), program.ops.size() + 2);
      EXPECT_EQ(rotated->ops[wait.producer].kind, Kind::kGate);
      EXPECT_EQ(rotated->ops[wait.producer].stream, rotated->ops[wait.producer + 1].stream);
      EXPECT_EQ(rotated->ops[wait.wait + 1].kind, Kind::kWait);
      const bool before = rotated->ops[wait.consumer + 1].kind == Kind::kOpen;
      EXPECT_EQ(rotated->ops[wait.consumer + (before ? 1 : 2)].kind, Kind::kOpen);
      EXPECT_EQ(before, rotated->ops[wait.consumer + (before ? 1 : 2)].width != 0);
      EXPECT_EQ(expected_contents(*rotated), expected_contents(program));
    }
  }
  EXPECT_GT(made, 300u);
}

TEST(Held, OpensBeforeWhoeverWaitsForIt) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Program program = generate(world(), {seed, 30, 2});
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      const auto one = held(world(), program, i);
      EXPECT_EQ(one.has_value(), is_stream_op(program.ops[i].kind));
      if (one) {
        EXPECT_EQ(defect_of(*one), "");
      }
    }
  }
}

}  // namespace
}  // namespace xhal::test
