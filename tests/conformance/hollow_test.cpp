// SPDX-License-Identifier: Apache-2.0
// Drivers with nothing behind their entries: nobody may take them for real ones, and they may not harm their judge.
#include <gtest/gtest.h>

#include <algorithm>

#include "conform.hpp"
#include "run/level.h"
#include "strength/page.h"

namespace xhal::test {
namespace {

size_t total(const Ending& ending, const char* outcome) {
  return ending.report.at("totals").at(outcome).get<size_t>();
}

void expect_not_conformant(const Ending& ending) {
  EXPECT_EQ(ending.exit_code, 1) << ending.err;
  ASSERT_TRUE(ending.report.is_object()) << ending.out << ending.err;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  expect_consistent(ending.report);
  // It fails by assertions, which name a clause, and not by what it does to the process of the suite.
  EXPECT_EQ(total(ending, "crashed"), 0) << tests_with(ending.report, "crashed").front();
  EXPECT_EQ(total(ending, "timed_out"), 0) << tests_with(ending.report, "timed_out").front();
  EXPECT_EQ(total(ending, "unstable"), 0) << tests_with(ending.report, "unstable").front();
}

// Everything but the checks of handles, which libxhal makes before a driver is asked.
void expect_most_fail(const Ending& ending, const std::string& outcome) {
  size_t judged = 0;
  size_t bad = 0;
  for (const auto& test : ending.report.at("tests")) {
    const std::string id = test.at("id");
    if (id.starts_with("abi.") || test.at("outcome") == "skipped") continue;
    ++judged;
    bad += test.at("outcome") == outcome ? 1 : 0;
  }
  EXPECT_GT(judged, 100);
  EXPECT_GT(bad * 10, judged * 8) << bad << " of " << judged << " are " << outcome;
}

// Of the required tests one in twenty may pass, and each for a reason that somebody has written down; a reason that nothing needs is stale.
void expect_justified_passes(const Ending& ending, const std::string& driver) {
  size_t required = 0;
  std::vector<std::string> passed;
  for (const auto& test : ending.report.at("tests")) {
    if (!test.at("required").get<bool>()) continue;
    ++required;
    if (test.at("outcome") == "passed") passed.push_back(test.at("id"));
  }
  EXPECT_LE(passed.size() * 20, required);
  std::vector<std::string> globs;
  for (const auto& reason : conformance::read_hollow_reasons(XHAL_HOLLOW_REASONS)) {
    if (reason.driver == driver) globs.insert(globs.end(), reason.tests.begin(), reason.tests.end());
  }
  const auto matches = [](const std::string& glob) {
    return [&glob](const std::string& test) { return conformance::glob_matches(glob, test); };
  };
  for (const std::string& test : passed) {
    EXPECT_TRUE(std::any_of(globs.begin(), globs.end(),
                            [&](const std::string& glob) { return conformance::glob_matches(glob, test); }))
        << test << " passes on the driver '" << driver << "': say why in " << XHAL_HOLLOW_REASONS;
  }
  for (const std::string& glob : globs)
    EXPECT_TRUE(std::any_of(passed.begin(), passed.end(), matches(glob)))
        << glob << " is listed, and no such test passes";
}

TEST(Hollow, WhoDoesNothingIsNotConformant) {
  const Ending ending = judge(driver("idle") + std::vector<std::string>{"--level", "core"});
  expect_not_conformant(ending);
  expect_most_fail(ending, "failed");
  expect_justified_passes(ending, "idle");
}

TEST(Hollow, WhoRefusesEverythingIsNotConformant) {
  const Ending ending = judge(driver("refusing") + std::vector<std::string>{"--level", "core"});
  expect_not_conformant(ending);
  expect_most_fail(ending, "refused");
  expect_justified_passes(ending, "refusing");
}

// Real memory, so that the tests get to their copies, fills and waits. Those that wait for what never comes are left out: each of
// them spends its whole patience.
TEST(Hollow, WhoNeverWritesIsCaughtByTheData) {
  for (const char* id :
       {"memory.copy_small/from=device,to=device", "memory.copy_chain", "memory.contents_survive",
        "memory.fill/kind=device,width=1", "memory.fill/kind=pinned,width=8",
        "stream.order_of_copies/hold=none", "hostfn.gets_pointer_and_status", "stream.info",
        "event.done_means_visible/seen_by=query", "memory.attributes_of_known_pointers"}) {
    const Ending ending =
        judge(driver("mirage") + std::vector<std::string>{"--level", "core", "--filter", id});
    EXPECT_EQ(ending.exit_code, 1) << id << ending.err;
    EXPECT_EQ(outcome_of(ending.report, id), "failed");
  }
}

}  // namespace
}  // namespace xhal::test
