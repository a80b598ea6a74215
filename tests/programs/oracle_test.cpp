// SPDX-License-Identifier: Apache-2.0
#include "programs/oracle.h"

#include <gtest/gtest.h>

#include <cstring>
#include <stdexcept>

#include "oracles.h"

namespace xhal::test {
namespace {

using namespace programs;

Program two_memories() {
  Program out;
  out.streams = {0};
  out.memories = {{Place::kDevice, Origin::kPermanent, 0, 32, 0},
                  {Place::kDevice, Origin::kPermanent, 0, 32, 0}};
  return out;
}

uint64_t cell(const Contents& contents, size_t memory, size_t i) {
  uint64_t out = 0;
  std::memcpy(&out, contents[memory].data() + 8 * i, 8);
  return out;
}

TEST(Oracle, KernelsAreWhatTheirPageSays) {
  Program program = two_memories();
  const Contents first = expected_contents(program);
  program.ops = {Op{Kind::kFold, 0, 0, 0, kNone, 0, 8, kNone, 0, 8, 77},
                 Op{Kind::kFold2, 0, 0, 0, kNone, 0, 16, 1, 0, 8, 5},
                 Op{Kind::kAxpy, 0, 0, 0, kNone, 1, 8, 0, 0, 8, 3},
                 Op{Kind::kCopyKernel, 0, 0, 0, kNone, 1, 24, 0, 8, 8, 0}};
  const Contents got = expected_contents(program);
  EXPECT_EQ(cell(got, 0, 0), cell(first, 0, 0));
  // By the other oracle, which was written for the kernels alone.
  EXPECT_EQ(cell(got, 0, 1), oracle::mix(cell(first, 0, 1), 77));
  EXPECT_EQ(cell(got, 0, 2), oracle::mix(oracle::mix(cell(first, 0, 2), cell(first, 1, 0)), 5));
  EXPECT_EQ(cell(got, 1, 1), cell(first, 1, 1) + 3 * cell(first, 0, 0));
  EXPECT_EQ(cell(got, 1, 3), cell(got, 0, 1));
}

TEST(Oracle, CopiesAndFillsTouchTheirBytesAlone) {
  Program program = two_memories();
  const Contents first = expected_contents(program);
  program.ops = {Op{Kind::kCopy, 0, 0, 0, kNone, 0, 3, 1, 10, 5, 0},
                 Op{Kind::kFill, 0, 2, 0, kNone, 1, 2, kNone, 0, 4, 0xBEEF}};
  const Contents got = expected_contents(program);
  for (size_t i = 0; i < 32; ++i) {
    EXPECT_EQ(got[0][i], i >= 3 && i < 8 ? first[1][i + 7] : first[0][i]) << i;
    const unsigned char filled = i % 2 == 0 ? 0xEF : 0xBE;
    EXPECT_EQ(got[1][i], i >= 2 && i < 6 ? filled : first[1][i]) << i;
  }
}

TEST(Oracle, RefusesToLeaveAMemory) {
  Program program = two_memories();
  program.ops = {Op{Kind::kCopy, 0, 0, 0, kNone, 0, 30, 1, 0, 5, 0}};
  EXPECT_THROW(expected_contents(program), std::out_of_range);
}

TEST(Oracle, NamesTheEarliestOperationWhoseBytesAreMissing) {
  Program program = two_memories();
  program.ops = {Op{Kind::kFill, 0, 8, 0, kNone, 1, 0, kNone, 0, 8, 1},
                 Op{Kind::kFill, 0, 8, 0, kNone, 0, 8, kNone, 0, 8, 2}};
  const Contents expected = expected_contents(program);
  Contents got = expected;
  EXPECT_FALSE(first_difference(program, expected, got));
  got[0][9] ^= 1;
  auto difference = first_difference(program, expected, got);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->writer, 1u);
  got[1][3] ^= 1;
  difference = first_difference(program, expected, got);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->writer, 0u);
  EXPECT_EQ(difference->memory, 1u);
  EXPECT_EQ(difference->offset, 3u);
  EXPECT_EQ(difference->differing, 2u);
  EXPECT_NE(text_of(program, *difference).find("operation 0 should have written it last: fill"),
            std::string::npos);
  got[0][31] ^= 1;
  difference = first_difference(program, expected, got);
  ASSERT_TRUE(difference);
  EXPECT_EQ(difference->writer, kNone);
}

}  // namespace
}  // namespace xhal::test
