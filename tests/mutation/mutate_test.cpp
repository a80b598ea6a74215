// SPDX-License-Identifier: Apache-2.0
// The sample as xhal-mutate rewrote it: as it is while nothing is chosen, and another one for each alternative.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "equivalents.hpp"
#include "mutant.hpp"
#include "sample.hpp"

namespace xhal::mutation_test {
namespace {

const std::vector<long> kAsWritten = {10, 6, 1, 0, 6, -7, 0, 25};

nlohmann::json mutants() { return nlohmann::json::parse(std::ifstream(SAMPLE_MUTANTS)).at("mutants"); }

std::vector<long> numbers_with(uint32_t id) {
  mutation::current = id;
  std::vector<long> found = numbers();
  mutation::current = 0;
  return found;
}

TEST(Mutate, NothingChosenIsAsWritten) { EXPECT_EQ(numbers_with(0), kAsWritten); }

TEST(Mutate, EveryAlternativeIsReachedAndChangesSomething) {
  for (const auto& mutant : mutants()) {
    const auto id = mutant.at("id").get<uint32_t>();
    mutation::reached[id] = 0;
    EXPECT_NE(numbers_with(id), kAsWritten) << mutant.dump(1);
    EXPECT_EQ(mutation::reached[id], 1) << mutant.dump(1);
  }
}

TEST(Mutate, TakesEveryKindOfPlaceAndNoOther) {
  std::map<std::string, int> kinds;
  for (const auto& mutant : mutants()) ++kinds[mutant.at("kind")];
  const std::map<std::string, int> expected = {{"condition", 4}, {"call", 1},     {"assignment", 1},
                                               {"step", 1},      {"operator", 3}, {"return", 2}};
  EXPECT_EQ(kinds, expected) << mutants().dump(1);
}

mutation::Equivalents equivalents(const std::string& text) {
  const std::string path = testing::TempDir() + "equivalent.toml";
  std::ofstream(path) << text;
  return mutation::Equivalents(path);
}

TEST(Mutate, AnEquivalentIsKnownHoweverItIsBrokenIntoLines) {
  const auto listed = equivalents(R"([[equivalent]]
reason = "a hint that only saves time"
mutants = [["a.cpp", "f(1, 2);"], ["a.cpp", "x < y", "x <= y"]]
)");
  const nlohmann::json call = {{"file", "a.cpp"}, {"original", "f(1,\n    2);"}, {"mutated", "(nothing)"}};
  const nlohmann::json less = {{"file", "a.cpp"}, {"original", "x < y"}, {"mutated", "x <= y"}};
  nlohmann::json more = less;
  more["mutated"] = "x > y";
  EXPECT_EQ(listed.reason(call), "a hint that only saves time");
  EXPECT_EQ(listed.reason(less), "a hint that only saves time");
  EXPECT_EQ(listed.reason(more), "");
  EXPECT_TRUE(listed.stale({call, less, more}).empty());
  ASSERT_EQ(listed.stale({call, more}).size(), 1u);
  EXPECT_EQ(listed.stale({call, more})[0], "line 3: a.cpp: x < y");
}

TEST(Mutate, AnEntryMayMeanOneOfThoseThatReadTheSame) {
  const auto listed = equivalents(R"([[equivalent]]
reason = "a hint that only saves time"
mutants = [["a.cpp", "f();", "g();", 2]]
)");
  const nlohmann::json first = {{"file", "a.cpp"}, {"original", "f();"}, {"mutated", "g();"}, {"nth", 1}};
  nlohmann::json second = first;
  second["nth"] = 2;
  EXPECT_EQ(listed.reason(first), "");
  EXPECT_EQ(listed.reason(second), "a hint that only saves time");
  EXPECT_EQ(listed.stale(nlohmann::json::array({first})).size(), 1u);
  EXPECT_TRUE(listed.stale(nlohmann::json::array({first, second})).empty());
}

TEST(Mutate, AnEntryWithoutAReasonIsRefused) {
  for (const char* text :
       {"mutants = [['a.cpp', 'f();']]", "reason = 'too short'\nmutants = [['a.cpp', 'f();']]",
        "reason = 'a hint that only saves time'\nmutants = [['a.cpp']]",
        "reason = 'a hint that only saves time'\nmutants = [['a.cpp', 'f();', '(nothing)', 0]]"})
    EXPECT_THROW(equivalents(std::string("[[equivalent]]\n") + text), std::runtime_error) << text;
  EXPECT_THROW(equivalents("equivalent = 3"), std::runtime_error);
}

}  // namespace
}  // namespace xhal::mutation_test
