// SPDX-License-Identifier: Apache-2.0
// Each lie of mutants_optional.def is noticed by the test that it names, on a base that claims the feature.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "conform.hpp"

namespace xhal::test {
namespace {

struct Mutant {
  std::string feature;  // without which its test does not apply
  std::string name;
  std::string base;
  std::string test;
};

void PrintTo(const Mutant& mutant, std::ostream* out) { *out << mutant.name; }

const Mutant kMutants[] = {
#define MUTANT_OF(feature, name, base, test, ...) {#feature, #name, #base, test},
#include "mutants_optional.def"
};

bool claims(const Ending& ending, const std::string& feature) {
  const auto& features = ending.report.at("device").at("features");
  return std::find(features.begin(), features.end(), feature) != features.end();
}

class OptionalMutant : public testing::TestWithParam<Mutant> {};

TEST_P(OptionalMutant, IsCaughtByItsTest) {
  const Mutant& one = GetParam();
  const Ending ending =
      judge(driver(one.base) + std::vector<std::string>{"--filter", one.test, "--seed", "7"},
            mutant(one.base, one.name));
  ASSERT_FALSE(ending.report.is_null()) << ending.out << ending.err;
  ASSERT_NE(find_test(ending.report, one.test), nullptr) << ending.out << ending.err;
  const auto& test = *find_test(ending.report, one.test);
  ASSERT_TRUE(claims(ending, one.feature)) << "nothing shows this lie on a base without " << one.feature;
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  ASSERT_EQ(test.at("outcome"), "failed") << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  // By an assertion about a clause of the test's own, and not by a call that failed on the way.
  const std::set<nlohmann::json> clauses(test.at("clauses").begin(), test.at("clauses").end());
  for (const auto& failure : test.at("failures"))
    EXPECT_TRUE(clauses.contains(failure.at("clause"))) << failure.dump();
}

INSTANTIATE_TEST_SUITE_P(Every, OptionalMutant, testing::ValuesIn(kMutants),
                         [](const auto& one) { return one.param.name; });

TEST(OptionalMutants, TheirBasePassesTheTestsThatCatchThem) {
  std::vector<std::string> arguments = driver("sim");
  std::set<std::string> wanted;
  for (const Mutant& one : kMutants) {
    ASSERT_EQ(one.base, "sim") << one.name;
    if (wanted.insert(one.test).second) arguments.insert(arguments.end(), {"--filter", one.test});
  }
  const Ending ending = judge(arguments, mutant("sim"));
  ASSERT_FALSE(ending.report.is_null()) << ending.out << ending.err;
  const auto passed = tests_with(ending.report, "passed");
  EXPECT_EQ(std::set<std::string>(passed.begin(), passed.end()), wanted) << ending.out;
}

}  // namespace
}  // namespace xhal::test
