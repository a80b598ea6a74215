// SPDX-License-Identifier: Apache-2.0
// Which clauses a reader is sent to first.
#include <gtest/gtest.h>

#include <algorithm>

#include "report/suspects.h"

namespace xhal::conformance {
namespace {

std::vector<Testimony> times(size_t count, const Testimony& one) {
  return std::vector<Testimony>(count, one);
}

std::vector<std::string> names(const std::vector<Testimony>& tests) {
  std::vector<std::string> out;
  for (const Suspect& one : suspects_of(tests)) out.push_back(one.clause);
  return out;
}

std::vector<Testimony> operator+(std::vector<Testimony> left, const std::vector<Testimony>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

TEST(Suspects, NothingFailedAndNobodyIsOne) {
  EXPECT_TRUE(suspects_of(std::vector<Testimony>{}).empty());
  EXPECT_TRUE(suspects_of(times(5, {{"XHAL-EVENT-1"}, {}})).empty());
}

TEST(Suspects, WhatMostOfItsTestsSpeakAgainstComesFirst) {
  // A clause that many tests judge in passing, of which the defect breaks some, too.
  EXPECT_EQ(names(times(60, {{"XHAL-STREAM-1"}, {}}) + times(8, {{"XHAL-STREAM-1"}, {"XHAL-STREAM-1"}}) +
                  times(6, {{"XHAL-MEMORY-14"}, {"XHAL-MEMORY-14"}})),
            (std::vector<std::string>{"XHAL-MEMORY-14", "XHAL-STREAM-1"}));
}

TEST(Suspects, OneTestCountsLessThanSeveral) {
  EXPECT_EQ(names(times(1, {{"XHAL-EVENT-9"}, {"XHAL-EVENT-9"}}) +
                  times(12, {{"XHAL-MEMORY-7"}, {"XHAL-MEMORY-7"}}) + times(3, {{"XHAL-MEMORY-7"}, {}})),
            (std::vector<std::string>{"XHAL-MEMORY-7", "XHAL-EVENT-9"}));
}

TEST(Suspects, ATestThatSpeaksAgainstSeveralSaysLessOfEach) {
  EXPECT_EQ(names(times(4, {{"XHAL-ABI-1"}, {"XHAL-ABI-1", "XHAL-ABI-2", "XHAL-ABI-3"}}) +
                  times(4, {{"XHAL-EVENT-1"}, {"XHAL-EVENT-1"}}))
                .front(),
            "XHAL-EVENT-1");
}

TEST(Suspects, AreCountedByTestsAndNotByAssertions) {
  const auto found = suspects_of(times(3, {{"XHAL-EVENT-1"}, {"XHAL-EVENT-2", "XHAL-EVENT-1"}}) +
                                 times(2, {{"XHAL-EVENT-1"}, {}}));
  ASSERT_EQ(found.size(), 2u);
  const auto by = [&](const char* clause) { return *std::ranges::find(found, clause, &Suspect::clause); };
  EXPECT_EQ(by("XHAL-EVENT-1").failed, 3u);
  EXPECT_EQ(by("XHAL-EVENT-1").first, 0u);
  EXPECT_EQ(by("XHAL-EVENT-1").tests, 5u);
  // Its tests do not list it among what they judge: an assertion that failed judged it.
  EXPECT_EQ(by("XHAL-EVENT-2").tests, 3u);
  EXPECT_EQ(by("XHAL-EVENT-2").first, 3u);
}

TEST(Suspects, OfAReportAreThoseOfItsTests) {
  const nlohmann::json report = {
      {"tests",
       {{{"outcome", "failed"},
         {"clauses", {"XHAL-EVENT-1"}},
         {"failures", {{{"clause", "XHAL-EVENT-1"}}, {{"clause", "XHAL-EVENT-1"}}, {{"clause", nullptr}}}}},
        {{"outcome", "skipped"}, {"clauses", {"XHAL-EVENT-1"}}, {"failures", nlohmann::json::array()}},
        {{"outcome", "passed"}, {"clauses", {"XHAL-EVENT-1"}}, {"failures", nlohmann::json::array()}}}}};
  const auto found = suspects_of(report);
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].failed, 1u);
  EXPECT_EQ(found[0].tests, 2u);
}

}  // namespace
}  // namespace xhal::conformance
