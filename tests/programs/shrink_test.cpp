// SPDX-License-Identifier: Apache-2.0
#include "programs/shrink.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "programs/generate.h"
#include "programs/order.h"
#include "programs/print_c.h"

namespace xhal::test {
namespace {

using namespace programs;

Program some_program(uint64_t seed) {
  World world;
  world.devices.assign(2, {true, true, true, false, 0});
  return generate(world, {seed, 100, 3});
}

// "Fails" when a host function's memory is copied from later: two operations, whatever else is around them.
bool artificial(const Program& program) {
  for (size_t i = 0; i < program.ops.size(); ++i) {
    if (program.ops[i].kind != Kind::kHostFold) continue;
    for (size_t k = i + 1; k < program.ops.size(); ++k)
      if (program.ops[k].kind == Kind::kCopy && program.ops[k].source == program.ops[i].destination)
        return true;
  }
  return false;
}

TEST(Shrink, LeavesWhatFailsAndNothingElse) {
  int shrunk = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Program program = some_program(seed);
    if (!artificial(program)) continue;
    ++shrunk;
    int asked = 0;
    const Program small = shrink(program, [&](const Program& one) {
      ++asked;
      EXPECT_EQ(defect_of(one), "") << "a program was tried that is not sound";
      return artificial(one);
    });
    EXPECT_TRUE(artificial(small));
    EXPECT_EQ(defect_of(small), "");
    EXPECT_EQ(small.threads, 1u) << seed;
    // The two, and what may be needed to order them or to make the memory live.
    EXPECT_LE(small.ops.size(), 7u) << seed;
    EXPECT_LE(small.memories.size(), 3u) << seed;
    EXPECT_LT(asked, 3000) << seed;
  }
  EXPECT_GT(shrunk, 10);
}

TEST(Shrink, KeepsAProgramThatOnlyFailsWhole) {
  const Program program = some_program(3);
  const auto size = program.ops.size();
  const Program same = shrink(
      program, [&](const Program& one) { return one.ops.size() == size && one.threads == program.threads; });
  EXPECT_EQ(same.ops.size(), size);
}

TEST(PrintC, ADriversTextDoesNotEndTheComment) {
  const std::string text = c_text(some_program(1), "made", "a */ int x = 1; /* text");
  EXPECT_EQ(text.find("a */"), std::string::npos);
}

}  // namespace
}  // namespace xhal::test
