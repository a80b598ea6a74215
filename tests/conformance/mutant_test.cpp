// SPDX-License-Identifier: Apache-2.0
// Each lie of mutants.def is noticed by the test that it names, and by none without the lie.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

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
#include "mutants.def"
};

// Those of this build: some lies show in kernels only.
std::vector<Mutant> usable_mutants() {
  std::vector<Mutant> out;
  for (const Mutant& one : kMutants) {
#ifndef XHAL_CONFORM_HAS_KERNELS
    if (one.test.starts_with("kernel.") || one.test.find("hold=kernel") != std::string::npos) continue;
#endif
    out.push_back(one);
  }
  return out;
}

class KilledMutant : public testing::TestWithParam<Mutant> {};

TEST_P(KilledMutant, IsCaughtByItsTest) { expect_killed(GetParam().base, GetParam().name, GetParam().test); }

INSTANTIATE_TEST_SUITE_P(Every, KilledMutant, testing::ValuesIn(usable_mutants()),
                         [](const auto& one) { return one.param.name; });

class Base : public testing::TestWithParam<std::string> {};

TEST_P(Base, PassesTheTestsThatCatchItsMutants) {
  std::vector<std::string> arguments = driver(GetParam());
  std::set<std::string> wanted;
  for (const Mutant& one : usable_mutants()) {
    if (one.base != GetParam()) continue;
    if (wanted.insert(one.test).second) arguments.insert(arguments.end(), {"--filter", one.test});
  }
  const Ending ending = judge(arguments, mutant(GetParam()));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  const auto passed = tests_with(ending.report, "passed");
  EXPECT_EQ(std::set<std::string>(passed.begin(), passed.end()), wanted);
}

INSTANTIATE_TEST_SUITE_P(Both, Base, testing::Values("minimal", "sim"),
                         [](const auto& one) { return one.param; });

// The wrapper itself changes nothing that the suite can see.
TEST(MutantDriver, IsConformantAsLongAsItDoesNotLie) {
  const Ending ending =
      judge(driver("minimal") + std::vector<std::string>{"--level", "core"}, mutant("minimal"));
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "conformant");
  expect_consistent(ending.report);
}

TEST(MutantDriver, RefusesAnUnknownDefect) {
  for (const char* what : {"no_such_lie", "crash:no_such_entry", "no_such_fault:device_get_link",
                           "crash:", "hang:device_get_link:no_such_entry"}) {
    const Ending ending = judge(driver("minimal") + std::vector<std::string>{"--filter", "device.links"},
                                mutant("minimal", what));
    EXPECT_EQ(ending.exit_code, 1) << what << ending.out << ending.err;
    EXPECT_NE((ending.out + ending.err).find("mutant driver: "), std::string::npos)
        << ending.out << ending.err;
  }
}

}  // namespace
}  // namespace xhal::test
