// SPDX-License-Identifier: Apache-2.0
// The suite over each OpenCL driver that this project installs, against what is known of it: docs/results/opencl.
#include <gtest/gtest.h>

#include <toml++/toml.h>
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include "../tools/run_program.hpp"

namespace {

using xhal::test::ProgramOptions;
using xhal::test::ProgramResult;
using xhal::test::run_program;
using Names = std::set<std::string>;

// What is known of one lane.
struct Known {
  std::string driver;  // of scripts/opencl.sh
  int64_t devices = 1;
  std::string options;  // of the OpenCL driver
  Names filters;        // none: the whole level
  Names sample;         // what is run in place of that where little time is left; none: all
  std::string verdict;
  bool races = false;  // which tests fail is chance: what they name is not
  Names fails;         // tests, in every run
  Names may_fail;      // tests, in some runs
  Names clauses;       // that the tests of `fails` name
  Names not_observed;  // required tests that can see nothing on the device
  Names may_not_be_observed;
};

Names names_of(const toml::table& table, const char* key) {
  Names out;
  const toml::array* list = table[key].as_array();
  EXPECT_NE(list, nullptr) << key;
  for (size_t i = 0; list != nullptr && i < list->size(); ++i)
    out.insert(list->get(i)->value_or(std::string()));
  return out;
}

Known read_lane(const std::string& name) {
  const toml::table table = toml::parse_file(XHAL_SOURCE_DIR "/docs/results/opencl/" + name + ".toml");
  Known known;
  known.driver = table["driver"].value_or(std::string());
  known.devices = table["devices"].value_or(int64_t{0});
  known.options = table["options"].value_or(std::string());
  known.filters = names_of(table, "filters");
  known.sample = names_of(table, "sample");
  known.verdict = table["verdict"].value_or(std::string());
  known.races = table["races"].value_or(false);
  known.fails = names_of(table, "fails");
  known.may_fail = names_of(table, "may_fail");
  known.clauses = names_of(table, "clauses");
  known.not_observed = names_of(table, "not_observed");
  known.may_not_be_observed = names_of(table, "may_not_be_observed");
  return known;
}

Names without(const Names& all, const Names& some) {
  Names out;
  std::ranges::set_difference(all, some, std::inserter(out, out.end()));
  return out;
}

Names both(const Names& one, const Names& other) {
  Names out;
  std::ranges::set_intersection(one, other, std::inserter(out, out.end()));
  return out;
}

bool is_bad(const std::string& outcome) { return outcome != "passed" && outcome != "skipped"; }

class OpenClLanes : public testing::TestWithParam<std::string> {};

TEST_P(OpenClLanes, AreAsTheyAreKnown) {
  const std::string& lane = GetParam();
  const Known known = read_lane(lane);
  const std::string file = XHAL_LANES_FOLDER "/" + lane + ".json";
  std::vector<std::string> words = {XHAL_SOURCE_DIR "/scripts/opencl.sh",
                                    known.driver,
                                    "--devices",
                                    std::to_string(known.devices),
                                    "--cache",
                                    XHAL_LANES_FOLDER "/" + lane + ".cache",
                                    "--",
                                    XHAL_CONFORM,
                                    "--backend",
                                    "opencl",
                                    "--level",
                                    "full",
                                    "--seed",
                                    "7",
                                    "--report",
                                    "json=" + file};
  const bool whole = std::getenv("OPENCL_LANES") != nullptr || known.sample.empty();
  for (const std::string& filter : whole ? known.filters : known.sample)
    words.insert(words.end(), {"--filter", filter});
  ProgramOptions options;
  options.environment["SETUP"] = "skip";  // a test installs nothing
  if (!known.options.empty()) options.environment["XHAL_OPENCL"] = known.options;
  const ProgramResult run = run_program(words, options);
  if (known.driver == "intel" && run.exit_code == 125)
    GTEST_SKIP() << "Intel's runtime is not there: " << run.err;
  ASSERT_EQ(run.exit_code, known.verdict == "conformant" ? 0 : 1) << run.out << run.err;
  std::ifstream in(file);
  const auto report = nlohmann::json::parse(in);
  EXPECT_EQ(report.at("verdict"), known.verdict);

  Names bad;
  Names clauses;
  Names not_observed;
  Names all;
  const auto empty = nlohmann::json::array();
  for (const auto& test : report.at("tests")) {
    const std::string id = test.at("id");
    all.insert(id);
    if (is_bad(test.at("outcome"))) {
      bad.insert(id);
      // One that ended by itself has no assertions to name any.
      for (const auto& failure : test.at("failures")) {
        if (!failure.at("clause").is_null()) clauses.insert(failure.at("clause"));
      }
      for (const auto& clause : test.at("failures").empty() ? test.at("clauses") : empty)
        clauses.insert(clause);
    } else if (test.at("outcome") == "skipped" && test.at("required")) {
      not_observed.insert(id);
    }
  }
  if (known.races) {
    EXPECT_NE(both(known.clauses, clauses), Names()) << run.out;
    if (whole) {
      EXPECT_EQ(without(known.clauses, clauses), Names()) << "clauses that no failure names any more";
    }
    return;
  }
  EXPECT_EQ(without(both(known.fails, all), bad), Names()) << "known to fail, and did not";
  EXPECT_EQ(without(without(bad, known.fails), known.may_fail), Names()) << "not known to fail, and did\n"
                                                                         << run.out;
  if (whole) {
    EXPECT_EQ(without(known.clauses, clauses), Names()) << "clauses that no failure names any more";
    EXPECT_EQ(without(known.may_fail, all), Names()) << "no such test";
  }
  // What fails is not what cannot be observed.
  EXPECT_EQ(without(without(not_observed, known.not_observed), known.may_not_be_observed), Names());
  EXPECT_EQ(without(without(both(known.not_observed, all), not_observed), bad), Names());
}

INSTANTIATE_TEST_SUITE_P(All, OpenClLanes, testing::Values(XHAL_LANES), [](const auto& one) {
  std::string name = one.param;
  std::ranges::replace(name, '-', '_');
  return name;
});

}  // namespace
