// SPDX-License-Identifier: Apache-2.0
// Drivers with nothing behind their entries: nobody may take them for real ones, and they may not harm their judge.
#include <gtest/gtest.h>

#include "conform.hpp"

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

TEST(Hollow, WhoDoesNothingIsNotConformant) {
  const Ending ending = judge(driver("idle") + std::vector<std::string>{"--level", "core"});
  expect_not_conformant(ending);
  expect_most_fail(ending, "failed");
}

TEST(Hollow, WhoRefusesEverythingIsNotConformant) {
  const Ending ending = judge(driver("refusing") + std::vector<std::string>{"--level", "core"});
  expect_not_conformant(ending);
  expect_most_fail(ending, "refused");
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
