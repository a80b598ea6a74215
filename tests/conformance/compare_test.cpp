// SPDX-License-Identifier: Apache-2.0
// Reports side by side: what changed is told, and a gate lets nothing through that got worse.
#include <gtest/gtest.h>

#include <fstream>
#include <functional>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

class TwoReports : public testing::Test {
 protected:
  // Passed tests of a run that was not whole, so that all outcomes may be put in by hand.
  static json run() {
    const Ending ending =
        judge(driver("minimal") + Words{"--filter", "device.*", "--filter", "managed.*"}, mutant("minimal"));
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    return ending.report;
  }
  static json& test(json& report, const std::string& id) {
    for (json& one : report["tests"]) {
      if (one["id"] == id) return one;
    }
    throw std::runtime_error("no " + id);
  }
  // As json_report() tells it.
  static void set(json& report, const std::string& id, const std::string& outcome) {
    json& one = test(report, id);
    one["outcome"] = outcome;
    one["last_calls"] = json::array();
    one["log"] = "";
    one["rerun"] = "";
    if (outcome != "waived") return;
    one["waived_outcome"] = "failed";
    one["waiver"] = {{"entry", 0},
                     {"reason", "known"},
                     {"link", nullptr},
                     {"reproducer", "x.c"},
                     {"expires", "2030-01-01"}};
  }
  std::string write(const char* name, const json& report) {
    std::ofstream(folder_.file(name)) << report.dump();
    return folder_.file(name);
  }

  TemporaryFolder folder_;
};

TEST_F(TwoReports, OfTheSameAreTheSame) {
  const json report = run();
  const std::string a = write("a.json", report);
  const Ending ending = run_conform({"compare", a, a});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_NE(ending.out.find("0 of "), std::string::npos) << ending.out;
  const Ending gate = run_conform({"gate", "--baseline", a, a});
  EXPECT_EQ(gate.exit_code, 0) << gate.err;
  EXPECT_NE(gate.out.find("nothing got worse"), std::string::npos) << gate.out;
}

TEST_F(TwoReports, DifferInWhatChangedIsNewAndVanished) {
  const json before = run();
  json after = before;
  set(after, "device.uuid", "failed");
  test(after, "device.links")["id"] = "device.renamed";
  after["suite"]["commit"] = "another";
  const Ending ending = run_conform({"compare", write("a.json", before), write("b.json", after)});
  EXPECT_EQ(ending.exit_code, 1) << ending.err;
  for (const char* line : {"device.uuid: passed -> failed", "device.links: passed, vanished",
                           "device.renamed: new, passed", "3 of ", "another"})
    EXPECT_NE(ending.out.find(line), std::string::npos) << line << "\n" << ending.out;
}

struct Change {
  const char* name;
  std::function<void(json&, json&)> make;  // in the baseline and in the report
  const char* says;                        // "" where the gate stays open
};

void PrintTo(const Change& change, std::ostream* out) { *out << change.name; }

class Gate : public TwoReports, public testing::WithParamInterface<Change> {
 public:
  using TwoReports::set;
  using TwoReports::test;
};

TEST_P(Gate, HoldsWhatGotWorse) {
  json before = run();
  json after = before;
  GetParam().make(before, after);
  const std::string says = GetParam().says;
  const Ending ending = run_conform({"gate", "--baseline", write("a.json", before), write("b.json", after)});
  EXPECT_EQ(ending.exit_code, says.empty() ? 0 : 1) << ending.out << ending.err;
  EXPECT_NE(ending.out.find(says), std::string::npos) << ending.out;
  // A baseline makes nothing good that is not.
  EXPECT_NE(ending.out.find("verdict: " + after.at("verdict").get<std::string>()), std::string::npos)
      << ending.out;
}

INSTANTIATE_TEST_SUITE_P(
    Every, Gate,
    testing::Values(
        Change{"vanished", [](json&, json& b) { b["tests"].erase(0); }, "vanished: device."},
        Change{"skipped", [](json&, json& b) { Gate::set(b, "device.uuid", "skipped"); },
               "new skip: device.uuid (passed -> skipped)"},
        Change{"failed_is_skipped",
               [](json& a, json& b) {
                 Gate::set(a, "device.uuid", "failed"), Gate::set(b, "device.uuid", "skipped");
               },
               "new skip: device.uuid"},
        Change{"waived",
               [](json& a, json& b) {
                 Gate::set(a, "device.uuid", "failed"), Gate::set(b, "device.uuid", "waived");
               },
               "new waiver: device.uuid (failed -> waived)"},
        Change{"failed", [](json&, json& b) { Gate::set(b, "device.uuid", "failed"); },
               "worse: device.uuid (passed -> failed)"},
        Change{"crashes",
               [](json& a, json& b) {
                 Gate::set(a, "device.uuid", "failed"), Gate::set(b, "device.uuid", "crashed");
               },
               "worse: device.uuid (failed -> crashed)"},
        Change{"claim", [](json& a, json&) { a["device"]["features"].push_back("graph"); },
               "lost claim: graph"},
        Change{"new_failure",
               [](json& a, json& b) { a["tests"].erase(0), Gate::set(b, b["tests"][0]["id"], "failed"); },
               "new failure: "},
        Change{"new_skip",
               [](json& a, json& b) { a["tests"].erase(0), Gate::set(b, b["tests"][0]["id"], "skipped"); },
               "new skip: "},
        Change{"new_pass", [](json& a, json&) { a["tests"].erase(0); }, ""},
        Change{"better", [](json& a, json&) { Gate::set(a, "device.uuid", "failed"); }, ""},
        Change{"still_bad",
               [](json& a, json& b) {
                 Gate::set(a, "device.uuid", "failed"), Gate::set(b, "device.uuid", "failed");
                 b["verdict"] = "not conformant";
               },
               ""},
        Change{"new_claim", [](json&, json& b) { b["device"]["features"].push_back("graph"); }, ""}),
    [](const auto& one) { return one.param.name; });

TEST_F(TwoReports, ThatAreNoneAreRefused) {
  const json report = run();
  const std::string good = write("good.json", report);
  json twice = report;
  twice["tests"].push_back(twice["tests"][0]);
  json shard = report;
  shard["shard"] = {{"index", 1}, {"count", 2}};
  json odd = report;
  odd["tests"][0]["outcome"] = "perhaps";
  json kind = report;
  kind["tests"][0]["milliseconds"] = "fast";
  expect_refused({"compare", good, write("twice.json", twice)}, 2, "twice");
  expect_refused({"compare", good, write("odd.json", odd)}, 2, "'perhaps'");
  expect_refused({"compare", write("kind.json", kind), good}, 2, "'milliseconds'");
  expect_refused({"compare", good, "/no/such.json"}, 2, "/no/such.json");
  expect_refused({"compare", good}, 2);
  expect_refused({"gate", good}, 2, "--baseline");
  expect_refused({"gate", "--baseline", good, write("shard.json", shard)}, 2, "merge the shards");
  expect_refused({"gate", "--baseline", folder_.file("shard.json"), good}, 2, "merge the shards");
}

}  // namespace
}  // namespace xhal::test
