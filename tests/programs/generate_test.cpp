// SPDX-License-Identifier: Apache-2.0
#include "programs/generate.h"

#include <gtest/gtest.h>

#include <set>

#include "brute_order.hpp"
#include "programs/order.h"

namespace xhal::test {
namespace {

using namespace programs;

World world(size_t devices, bool all) {
  World out;
  for (size_t i = 0; i < devices; ++i) out.devices.push_back({all, all, all, false, 0});
  return out;
}

std::string listing(const Program& program) {
  std::string out;
  for (const Op& op : program.ops) out += text_of(program, op) + "\n";
  for (const Memory& memory : program.memories) out += std::to_string(memory.bytes) + " ";
  return out;
}

TEST(Generate, TheSameSeedIsTheSameProgram) {
  for (uint64_t seed = 0; seed < 50; ++seed) {
    const Program one = generate(world(2, true), {seed, 100, 3});
    EXPECT_EQ(listing(one), listing(generate(world(2, true), {seed, 100, 3})));
    EXPECT_NE(listing(one), listing(generate(world(2, true), {seed + 1, 100, 3})));
  }
}

TEST(Generate, EveryKindOfOperationComes) {
  std::set<Kind> seen;
  for (uint64_t seed = 0; seed < 300; ++seed)
    for (const Op& op : generate(world(3, true), {seed, 100, 4}).ops) seen.insert(op.kind);
  for (size_t kind = 0; kind <= static_cast<size_t>(Kind::kRenewEvent); ++kind) {
    if (kind == static_cast<size_t>(Kind::kGate)) continue;  // only rotations have some
    EXPECT_TRUE(seen.contains(static_cast<Kind>(kind))) << name_of(static_cast<Kind>(kind));
  }
}

TEST(Generate, NothingThatIsNotClaimedComes) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    const Program program = generate(world(2, false), {seed, 100, 2});
    EXPECT_TRUE(program.graphs.empty());
    for (const Op& op : program.ops)
      EXPECT_FALSE(is_kernel(op.kind) || op.kind == Kind::kPoolAllocate || op.kind == Kind::kLaunch)
          << text_of(program, op);
  }
}

TEST(Generate, ProgramsAreSound) {
  for (uint64_t seed = 0; seed < 2000; ++seed)
    EXPECT_EQ(defect_of(generate(world(3, seed % 3 != 0), {seed, 80, 4})), "") << seed;
}

TEST(Generate, ABruteForceCheckerFindsNoRace) {
  for (uint64_t seed = 0; seed < 250; ++seed) {
    const Program program = generate(world(2, seed % 4 != 0), {seed, 60, 4});
    const auto races = brute_races(program);
    ASSERT_TRUE(races.empty()) << "seed " << seed << ": "
                               << text_of(program, program.ops[races.front().first]) << " and "
                               << text_of(program, program.ops[races.front().second]);
  }
}

// A checker that never finds anything would pass the tests above.
TEST(Generate, BothCheckersFindAMissingWait) {
  int waits = 0;
  int racy = 0;
  for (uint64_t seed = 0; seed < 40; ++seed) {
    const Program program = generate(world(1, true), {seed, 60, 2});
    for (uint32_t i = 0; i < program.ops.size(); ++i) {
      if (program.ops[i].kind != Kind::kWait) continue;
      Program without = program;
      without.ops.erase(without.ops.begin() + i);
      const bool found = !brute_races(without).empty();
      EXPECT_EQ(found, !defect_of(without).empty())
          << "seed " << seed << ", operation " << i << ": " << defect_of(without);
      ++waits;
      racy += found;
    }
  }
  EXPECT_GT(racy, waits / 3);
}

TEST(Soundness, NamesWhatIsWrong) {
  Program program;
  program.streams = {0, 0};
  program.memories = {{Place::kDevice, Origin::kPermanent, 0, 64, 0},
                      {Place::kDevice, Origin::kAllocated, 0, 64, 0}};
  Op fold{Kind::kFold, 0, 0, 0, kNone, 0, 0, kNone, 0, 64, 5};
  program.ops = {fold};
  EXPECT_EQ(defect_of(program), "");
  fold.stream = 1;
  program.ops.push_back(fold);
  EXPECT_NE(defect_of(program).find("races with operation 0"), std::string::npos) << defect_of(program);
  fold.destination = 1;
  program.ops = {fold};
  EXPECT_NE(defect_of(program).find("leaves its memory"), std::string::npos) << defect_of(program);
  program.ops.insert(program.ops.begin(), Op{Kind::kAllocate, 0, 0, kNone, kNone, 1, 0, kNone, 0, 0, 0});
  EXPECT_NE(defect_of(program).find("reads what nobody wrote"), std::string::npos) << defect_of(program);
  program.gates = 1;
  program.ops = {Op{Kind::kGate, 0, 0, 0, 0}, Op{Kind::kSyncStream, 0, 0, 0}};
  EXPECT_NE(defect_of(program).find("waits on the host for a shut gate"), std::string::npos)
      << defect_of(program);
}

}  // namespace
}  // namespace xhal::test
