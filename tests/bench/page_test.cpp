// SPDX-License-Identifier: Apache-2.0
// The page: what it plots, and that nothing of a driver is more than text in it.
#include <gtest/gtest.h>

#include <fstream>

#include "bench/command/page.hpp"
#include "browser.hpp"
#include "conform.hpp"

namespace xhal::bench {
namespace {

using nlohmann::json;
using namespace xhal::test;

constexpr const char* kHostile =
    "</td><script>document.title = 'taken'</script><img src=\"http://example.invalid/x.png\" "
    "onerror=\"x()\">";

json row(const std::string& id, const std::string& parameters, const std::string& side, double ns) {
  const json series = {ns, ns * 1.1, ns * 0.9, nullptr};
  return {{"name", parameters.empty() ? id : id + "/" + parameters},
          {"id", id},
          {"parameters", parameters},
          {"measures", "what it measures"},
          {"regime", "warm"},
          {"formula", "a / b"},
          {"unit", "ns"},
          {"state", "measured"},
          {"why", ""},
          {"verdict", "PASS"},
          {"value", {{"median", ns}, {"low", ns}, {"high", ns}}},
          {"times_ns", {{"p5", ns}, {"p25", ns}, {"p50", ns}, {"p75", ns}, {"p99", ns}}},
          {"comparisons",
           {{{"reference", side},
             {"better", "less"},
             {"median", 1.5},
             {"low", 1.4},
             {"high", 1.6},
             {"goal", 2},
             {"known_miss", ""},
             {"verdict", "PASS"}}}},
          {"restarts",
           {{{"sides", {"xhal", side}},
             {"units", {1, 1}},
             {"ns", {series, series}},
             {"values", series},
             {"ratios", {series}}}}}};
}

json report() {
  json not_here = row("event.elapsed", "", "host_clock", 1);
  not_here["state"] = "not here";
  not_here["why"] = "the device has no clock";
  not_here["comparisons"] = json::array();
  not_here["restarts"] = json::array();
  json failing = row("call.error", "", "driver_table", 20);
  failing["verdict"] = "FAIL";
  const json machine = {
      {"load_average", 1.0}, {"stolen_share", 0.0}, {"clock_source", "tsc"}, {"spin_round_trip_ns", 400.0}};
  return {{"schema", "xhal-bench/1"},
          {"abi", "0.1.1"},
          {"suite", {{"version", "0.1.0"}, {"commit", "0123456789abcdef"}, {"dirty", false}}},
          {"started", "2026-01-31T12:00:00Z"},
          {"environment", {{"cpu", "a processor"}}},
          {"driver", {{"name", "sim"}, {"version", "0.1.0"}, {"libraries", json::array()}}},
          {"device", {{"name", "device 0"}}},
          {"seed", 7},
          {"options", {{"target", "--backend sim"}}},
          {"machine", {{"before", machine}, {"after", machine}}},
          {"seconds", 1.5},
          {"interrupted", false},
          {"totals", {{"pass", 4}, {"fail", 1}, {"no_goal", 0}}},
          {"rows",
           {row("call.noop", "", "driver_table", 10), failing, not_here,
            row("copy.h2d", "pinned=1,size=1024", "memcpy", 100),
            row("copy.h2d", "pinned=1,size=4096", "memcpy", 200)}}};
}

TEST(BenchPlots, ADistributionHasABarForWhatWasSeen) {
  const json view = distribution_view(report()["rows"][0]);
  EXPECT_EQ(view["bars"].size(), 3U);
  EXPECT_TRUE(distribution_view(report()["rows"][2]).is_null());
}

TEST(BenchPlots, BandwidthIsOfCopiesWithSizesAndGrowsUpwards) {
  const json families = bandwidth_view(report())["families"];
  ASSERT_EQ(families.size(), 1U);
  EXPECT_EQ(families[0]["name"], "copy.h2d/pinned=1");
  // 10.24 and 20.48 bytes a nanosecond.
  EXPECT_EQ(families[0]["points"], "40.0,97.5 540.0,15.0 ");
  EXPECT_EQ(families[0]["memcpy"], families[0]["points"]);
  EXPECT_EQ(families[0]["most"], "20.5");
  json none = report();
  none["rows"].erase(4);
  EXPECT_TRUE(bandwidth_view(none).is_null());
}

TEST(BenchPlots, HistoryFollowsARowsOwnRatio) {
  json old = report();
  old["rows"][0]["comparisons"][0]["median"] = 3.0;
  const json view = history_view({old, report()});
  EXPECT_EQ(view["rows"][0]["points"], "4.0,4.0 236.0,40.0 ");
  EXPECT_EQ(view["rows"][0]["ratios"], "3 1.5 ");
  EXPECT_TRUE(history_view({report()}).is_null());
}

class BenchPage : public testing::Test {
 protected:
  void SetUp() override {
    if (std::string(XHAL_CHROMIUM).empty()) GTEST_SKIP() << "no browser here";
  }
  Page open(const std::vector<json>& reports, const std::string& fragment = "") const {
    std::ofstream(folder_.file("page.html")) << html_of(reports);
    return open_page(folder_, folder_.file("page.html"), fragment);
  }
  TemporaryFolder folder_;
};

TEST_F(BenchPage, OpensWithoutAnErrorOrARequest) {
  const Page page = open({report(), report()});
  EXPECT_EQ(page.errors, "");
  EXPECT_EQ(page.requests, 0U);
  EXPECT_NE(page.dom.find(">5 of 5 rows<"), std::string::npos);
  for (const char* part :
       {"id=\"bandwidth\"", "id=\"history\"", "the device has no clock", "<polyline class=\"memcpy\""})
    EXPECT_NE(page.dom.find(part), std::string::npos) << part;
}

TEST_F(BenchPage, FiltersByTextAndVerdict) {
  EXPECT_NE(open({report()}, "#verdict=FAIL").dom.find(">1 of 5 rows<"), std::string::npos);
  EXPECT_NE(open({report()}, "#text=COPY&verdict=PASS").dom.find(">2 of 5 rows<"), std::string::npos);
  EXPECT_NE(open({report()}, "#text=no+such+thing").dom.find(">0 of 5 rows<"), std::string::npos);
}

TEST_F(BenchPage, TakesATextForAText) {
  json hostile = report();
  for (const char* object : {"driver", "device"}) hostile[object]["name"] = kHostile;
  hostile["environment"]["cpu"] = kHostile;
  hostile["rows"][0]["name"] = kHostile;
  hostile["rows"][0]["comparisons"][0]["reference"] = kHostile;
  hostile["rows"][2]["why"] = kHostile;
  hostile["rows"][3]["unit"] = kHostile;
  const Page page = open({hostile, hostile});
  EXPECT_EQ(page.errors, "");
  EXPECT_EQ(page.requests, 0U);
  EXPECT_NE(page.dom.find("&lt;script&gt;document.title"), std::string::npos);
  EXPECT_EQ(page.dom.find("<title>taken"), std::string::npos);
}

}  // namespace
}  // namespace xhal::bench
