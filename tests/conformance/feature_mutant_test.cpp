// SPDX-License-Identifier: Apache-2.0
// Each lie of feature_mutants.def is noticed by the test that it names, on a base that claims what this test needs.
#include <gtest/gtest.h>

#include "conform.hpp"

namespace xhal::test {
namespace {

struct Mutant {
  std::string name;
  std::string base;
  std::string test;
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.name; }

const Mutant kMutants[] = {
#define MUTANT(name, base, test, ...) {#name, #base, test},
#include "feature_mutants.def"
};

class KilledFeatureMutant : public testing::TestWithParam<Mutant> {};

TEST_P(KilledFeatureMutant, IsCaughtByItsTest) {
  const Mutant& one = GetParam();
  const Ending clean = judge(driver(one.base) + std::vector<std::string>{"--filter", one.test, "--seed", "7"},
                             mutant(one.base));
  const std::string outcome = outcome_of(clean.report, one.test);
#ifndef XHAL_CONFORM_HAS_KERNELS
  if (outcome == "skipped" || outcome == "inconclusive")
    GTEST_SKIP() << "a build without kernels has nothing to show it by: " << clean.out;
#endif
  ASSERT_EQ(outcome, "passed") << clean.out << clean.err;
  expect_killed(one.base, one.name, one.test);
}

INSTANTIATE_TEST_SUITE_P(Every, KilledFeatureMutant, testing::ValuesIn(kMutants),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace xhal::test
