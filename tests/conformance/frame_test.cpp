// SPDX-License-Identifier: Apache-2.0
// How a test of the suite may end, and what its outcome is then.
#include <gtest/gtest.h>

#include <stdexcept>

#include "frame/check.h"
#include "frame/execute.h"

namespace xhal::conformance {
namespace {

TestResult result_of(void (*function)(Context&)) {
  const Definition definition = {"frame",    "ending", {.clauses = {"XHAL-POOL-10"}}, nullptr, function,
                                 "here.cpp", 7};
  const auto no_session = []() -> Session& { throw std::logic_error("nobody asks for a session"); };
  return execute({"frame.ending", &definition, {}}, {}, {}, no_session, [](const Failure&) {});
}

TEST(Ending, PassesOnceSomethingWasAsserted) {
  EXPECT_EQ(result_of([](Context& t) { EXPECT_CLAUSE("XHAL-POOL-10", true, "holds"); }).outcome,
            Outcome::kPassed);
  EXPECT_EQ(result_of([](Context&) {}).outcome, Outcome::kInconclusive);
}

TEST(Ending, ATestThatStopsHasSaidWhy) {
  const TestResult silent = result_of([](Context& t) {
    EXPECT_CLAUSE("XHAL-POOL-10", true, "holds");
    throw StopTest();
  });
  EXPECT_EQ(silent.outcome, Outcome::kFailed);
  EXPECT_NE(silent.message.find("stopped without saying why"), std::string::npos) << silent.message;
  const TestResult told =
      result_of([](Context& t) { ASSERT_CLAUSE("XHAL-POOL-10", false, "does not hold"); });
  EXPECT_EQ(told.outcome, Outcome::kFailed);
  ASSERT_EQ(told.failures.size(), 1u);
  EXPECT_EQ(told.failures[0].clause, "XHAL-POOL-10");
}

}  // namespace
}  // namespace xhal::conformance
