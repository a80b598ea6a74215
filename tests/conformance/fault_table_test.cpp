// SPDX-License-Identifier: Apache-2.0
// The table of faults as data: what its compiler does not check.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "faults/generated_list.hpp"
#include "faults/near_names.hpp"
#include "strength/fault_list.h"
#include "strength/shown_by.h"
#include "strength/unbroken.h"

namespace xhal::conformance {
namespace {

TEST(FaultTable, HasNamesOfTheirOwnInLowerSnake) {
  std::set<std::string_view> names;
  for (const FaultInfo& fault : all_faults()) {
    EXPECT_TRUE(names.insert(fault.name).second) << fault.name;
    EXPECT_EQ(fault.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string_view::npos)
        << fault.name;
    EXPECT_NE(fault.name, "none");
  }
}

TEST(FaultTable, SaysInOneLineWhatEachDoes) {
  std::set<std::string_view> lines;
  for (const FaultInfo& fault : all_faults()) {
    EXPECT_GE(fault.about.size(), 10U) << fault.name;
    EXPECT_LE(fault.about.size(), 110U) << fault.name;
    EXPECT_TRUE(lines.insert(fault.about).second) << fault.name << " is told like another: " << fault.about;
  }
}

TEST(FaultTable, IsLargeAndWild) {
  const auto faults = all_faults();
  EXPECT_GE(faults.size(), 150U);
  size_t wild = 0;
  for (const FaultInfo& fault : faults) {
    if (fault.wild.empty()) continue;
    ++wild;
    EXPECT_TRUE(fault.wild.starts_with("https://")) << fault.name << ": " << fault.wild;
  }
  EXPECT_GE(wild, 40U);
}

TEST(FaultTable, HasEveryFamily) {
  std::map<std::string_view, size_t> seen;
  for (const FaultInfo& fault : all_faults()) ++seen[fault.family.name()];
  for (const std::string_view family : kFaultFamilies) EXPECT_GT(seen[family], 0U) << family;
}

TEST(FaultTable, NamesTestsThatShowFaultsThatExist) {
  const auto faults = all_faults();
  std::set<std::string_view> seen;
  for (const ShownBy& row : all_shown_by()) {
    EXPECT_TRUE(std::ranges::any_of(faults, [&](const FaultInfo& fault) { return fault.name == row.fault; }))
        << row.fault;
    EXPECT_TRUE(seen.insert(row.fault).second) << row.fault;
    EXPECT_EQ(shown_by(row.fault), row.test);
  }
  EXPECT_EQ(shown_by("copies_lose_a_byte"), "");
}

TEST(FaultTable, FirstContactsAreOfFaultsThatExist) {
  std::ifstream file(XHAL_FIRST_CONTACT);
  const auto json = nlohmann::json::parse(file);
  for (const auto& [name, noticed] : json.at("faults").items()) {
    EXPECT_TRUE(noticed.is_boolean()) << name;
    const auto faults = all_faults();
    EXPECT_TRUE(std::ranges::any_of(faults, [&wanted = name](const FaultInfo& one) {
      return one.name == wanted;
    })) << name;
  }
}

// Of a clause that no fault breaks nothing is known of its tests: it gets a fault, or its reason in unbroken.toml.
TEST(FaultTable, BreaksEveryClauseOfDriversThatALayerCanBreak) {
  const Unbroken unbroken(XHAL_UNBROKEN);
  const auto faults = all_faults();
  for (const std::string_view id : kClauseIds) {
    const bool is_broken =
        std::ranges::any_of(faults, [&](const FaultInfo& fault) { return fault.clause.id() == id; });
    EXPECT_TRUE(is_broken || is_of_host(id) || !unbroken.reason(std::string(id)).empty()) << id;
  }
}

// What stands in the contract's list decides which generated faults there are.
TEST(GeneratedList, HasEachWayForWhichACallHasRoom) {
  using faults::How;
  using faults::kCalls;
  std::set<std::string> names;
  for (const auto& fault : faults::generated_faults()) names.insert(fault.name());
  EXPECT_EQ(names.size(), faults::generated_faults().size());
  EXPECT_GE(names.size(), 6 * faults::kCallCount);
  for (const char* name :
       {"memory_copy:late", "memory_copy:other_stream", "memory_copy:other_device", "memory_copy:shorter",
        "memory_copy:repeated", "kernel_launch:shorter", "memory_allocate:shorter",
        "memory_copy_region:shorter", "stream_query:stale", "stream_create:stale",
        "device_get_memory_info:idle", "event_record:other_stream", "device_reset:other_device"})
    EXPECT_TRUE(names.contains(name)) << name;
  for (const char* name : {"memory_copy:stale", "memory_copy:idle", "stream_create:idle",
                           "stream_create:late", "stream_destroy:repeated", "stream_query:repeated",
                           "stream_synchronize:late", "event_query:other_stream", "event_query:shorter",
                           "graph_destroy:other_device", "device_get_memory_info:late"})
    EXPECT_FALSE(names.contains(name)) << name;
  for (const faults::Call& call : kCalls) {
    for (const How how : {How::kDropped, How::kWrongError, How::kWrongSuccess})
      EXPECT_TRUE(applies(call, how)) << call.name;
  }
}

TEST(NearNames, AreAFewLettersOrAPartAway) {
  using faults::near_names;
  const std::vector<std::string_view> known = {"copies_block", "copies_move", "fills_block"};
  EXPECT_EQ(near_names("copys_block", known).front(), "copies_block");
  EXPECT_EQ(near_names("block", known), (std::vector<std::string_view>{"copies_block", "fills_block"}));
  EXPECT_TRUE(near_names("weather", known).empty());
  EXPECT_EQ(faults::edit_distance("", "abc"), 3U);
  EXPECT_EQ(faults::edit_distance("kitten", "sitting"), 3U);
}

}  // namespace
}  // namespace xhal::conformance
