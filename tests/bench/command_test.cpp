// SPDX-License-Identifier: Apache-2.0
// What xhal-bench writes, and what reads it again: as processes, over the simulator and over files that were changed.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>
#include <regex>
#include <thread>
#include <vector>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

struct Ended {
  int code = -1;
  std::string out;
  std::string err;
};

Ended run_bench(const Words& arguments) {
  Program program(Words{XHAL_BENCH_PROGRAM} + arguments, {});
  Ended out;
  out.code = program.wait();
  out.out = program.out();
  out.err = program.err();
  return out;
}

// One line that says this, and nothing else.
void expect_mistake(const Words& arguments, const std::string& says, int code = 2) {
  const Ended ended = run_bench(arguments);
  EXPECT_EQ(ended.code, code) << ended.out << ended.err;
  EXPECT_TRUE(is_one_line(ended.err)) << ended.err;
  EXPECT_NE(ended.err.find(says), std::string::npos) << ended.err;
}

class Reports : public testing::Test {
 protected:
  static const json& report() {
    static const json made = [] {
      const Ended ended = run_bench({"--backend", "sim", "--seconds", "1", "--restarts", "2", "--filter",
                                     "call.*", "--format", "json", "--seed", "5"});
      EXPECT_LE(ended.code, 1) << ended.err;
      return json::parse(ended.out);
    }();
    return made;
  }
  std::string file(const std::string& name, const json& content) const {
    std::ofstream(folder_.file(name)) << content.dump();
    return folder_.file(name);
  }
  // A report of three processes, whose ratios stand to those of the others as said.
  static json with_ratios(double times, const std::string& row = "call.noop") {
    json out = report();
    for (json& one : out["rows"]) {
      json restart = one["restarts"][0];
      restart["others_s"] = 0;
      one["restarts"] = json::array();
      for (const double process : {0.999, 1.0, 1.001}) {
        const size_t rounds = 20;
        for (json& series : restart["ns"]) series = json::array_t(rounds, 1.0);
        restart["values"] = json::array_t(rounds, 1.0);
        for (json& series : restart["ratios"])
          series = json::array_t(rounds, (one["name"] == row ? times : 1.0) * process);
        one["restarts"].push_back(restart);
      }
    }
    return out;
  }
  Ended compared(const json& before, const json& after, const Words& more = {}) const {
    return run_bench(Words{"compare", file("a.json", before), file("b.json", after)} + more);
  }
  void expect_refused_report(const json& bad, const std::string& says) const {
    expect_mistake({"compare", file("good.json", report()), file("bad.json", bad)}, says);
  }

  TemporaryFolder folder_;
};

void expect_schema(const std::string& path, const std::string& schema, bool valid = true) {
  Program validator(
      {XHAL_JSONSCHEMA, "-i", path, std::string(XHAL_BENCH_SCHEMAS) + "/" + schema + ".schema.json"}, {});
  EXPECT_EQ(validator.wait() == 0, valid) << validator.out() << validator.err();
}

TEST_F(Reports, KeepToTheSchema) {
  for (const json& one : {report(), with_ratios(2)}) expect_schema(file("report.json", one), "xhal-bench");
  json bad = report();
  bad["rows"][0]["restarts"][0].erase("units");
  expect_schema(file("report.json", bad), "xhal-bench", false);
  EXPECT_EQ(report()["options"]["goals_sha256"].get<std::string>().size(), 64U);
}

TEST_F(Reports, ThatAreNoneAreRefusedInALine) {
  const std::string good = file("good.json", report());
  expect_mistake({"compare", good, "/nowhere/report.json"}, "this is no file that can be read");
  expect_mistake({"compare", folder_.file(""), good}, "this is no file that can be read");
  std::ofstream(folder_.file("text")) << "{ no json";
  expect_mistake({"compare", folder_.file("text"), good}, "this is no JSON");
  expect_mistake({"compare", good}, "after");
  expect_mistake({"compare", good, good, "--tolerance", "-1"}, "--tolerance");
  expect_mistake({"--seed", "1", "compare", good, good}, "--seed is no option of compare");
  expect_refused_report(json::array(), "its schema is not xhal-bench/1");
  json other = report();
  other["schema"] = "xhal-bench/2";
  expect_refused_report(other, "its schema is not xhal-bench/1");
}

TEST_F(Reports, ThatLackAPartAreRefusedInALine) {
  for (const auto& [name, value] : report().items()) {
    // Nobody compares by these.
    if (name == "device_count" || name == "schema") continue;
    json bad = report();
    bad.erase(name);
    expect_refused_report(bad, "has no '" + name + "'");
    bad[name] = nullptr;
    expect_refused_report(bad, "is of the wrong kind");
  }
  for (const auto& [name, value] : report()["rows"][0].items()) {
    json bad = report();
    bad["rows"][0].erase(name);
    expect_refused_report(bad, "has no '" + name + "'");
  }
  for (const auto& [name, value] : report()["rows"][0]["restarts"][0].items()) {
    json bad = report();
    bad["rows"][0]["restarts"][0].erase(name);
    expect_refused_report(bad, "has no '" + name + "'");
  }
  const auto changed = [](const std::function<void(json&)>& change) {
    json bad = report();
    change(bad["rows"][0]);
    return bad;
  };
  expect_refused_report(changed([](json& row) { row["state"] = "fine"; }), "which is none");
  expect_refused_report(changed([](json& row) { row["restarts"] = json::array(); }), "no samples");
  expect_refused_report(changed([](json& row) { row["restarts"][0]["ratios"].clear(); }), "each reference");
  expect_refused_report(changed([](json& row) { row["restarts"][0]["ratios"][0].clear(); }), "each round");
  expect_refused_report(changed([](json& row) { row["restarts"][0]["ratios"][0][0] = "x"; }), "no number");
  expect_refused_report(changed([](json& row) { row["restarts"][0]["ns"].clear(); }), "each side");
  expect_refused_report(changed([](json& row) { row["comparisons"][0]["better"] = "?"; }), "neither");
  expect_refused_report(changed([](json& row) { row["comparisons"][0]["low"] = "x"; }), "wrong kind");
  expect_refused_report(changed([](json& row) { row["comparisons"][1] = row["comparisons"][0]; }), "twice");
  json twice = report();
  twice["rows"].push_back(twice["rows"][0]);
  expect_refused_report(twice, "call.noop twice");
}

TEST_F(Reports, OfOneBuildAreTheSame) {
  const Ended same = compared(with_ratios(1), with_ratios(1.01));
  EXPECT_EQ(same.code, 0) << same.out;
  EXPECT_TRUE(same.out.ends_with("\nSAME\n")) << same.out;
  EXPECT_NE(same.out.find("0 faster, 0 slower, 0 ambiguous, 0 in one alone"), std::string::npos) << same.out;
}

TEST_F(Reports, TellWhatChangedAndInWhichDirection) {
  const Ended slower = compared(with_ratios(1), with_ratios(1.2));
  EXPECT_EQ(slower.code, 1);
  EXPECT_TRUE(slower.out.ends_with("\nSLOWER\n")) << slower.out;
  EXPECT_TRUE(std::regex_search(slower.out, std::regex("call.noop +driver_table +1.2.* SLOWER\n")));
  EXPECT_TRUE(std::regex_search(slower.out, std::regex("call.stream_query +driver_table +1.0.* SAME\n")));
  const Ended faster = compared(with_ratios(1.2), with_ratios(1));
  EXPECT_EQ(faster.code, 0);
  EXPECT_TRUE(faster.out.ends_with("\nFASTER\n")) << faster.out;
  EXPECT_TRUE(compared(with_ratios(1), with_ratios(1.2), {"--tolerance", "25"}).out.ends_with("\nSAME\n"));
  // Where more is better, a larger ratio is the better one.
  json more = with_ratios(1);
  json more_later = with_ratios(1.2);
  for (json* report : {&more, &more_later}) {
    for (json& row : (*report)["rows"]) {
      for (json& comparison : row["comparisons"]) comparison["better"] = "more";
    }
  }
  EXPECT_EQ(compared(more, more_later).code, 0);
  EXPECT_EQ(compared(more_later, more).code, 1);
}

TEST_F(Reports, ProcessesThatDoNotAgreeAreAmbiguous) {
  json noisy = with_ratios(1.2);
  for (json& value : noisy["rows"][0]["restarts"][1]["ratios"][0]) value = 0.7;
  const Ended ended = compared(with_ratios(1), noisy);
  EXPECT_TRUE(std::regex_search(ended.out, std::regex("call.noop +driver_table .* AMBIGUOUS\n")))
      << ended.out;
  // One process cannot tell a change from its place on the machine.
  json single = with_ratios(1.2);
  for (json& row : single["rows"]) row["restarts"].erase(row["restarts"].begin() + 1, row["restarts"].end());
  EXPECT_EQ(compared(with_ratios(1), single).code, 0);
}

TEST_F(Reports, OfABusyMachineAreAmbiguous) {
  const json then = with_ratios(1);
  json now = with_ratios(1.2);
  for (json& restart : now["rows"][0]["restarts"]) {
    restart["passed_s"] = 1;
    restart["others_s"] = 0.34;
  }
  for (const Ended& ended : {compared(then, now), compared(now, then)}) {
    EXPECT_EQ(ended.code, 0);
    EXPECT_TRUE(std::regex_search(ended.out, std::regex("call.noop +driver_table .* AMBIGUOUS\n")))
        << ended.out;
  }
  EXPECT_EQ(compared(then, now, {"--busy", "0.4"}).code, 1);
}

// Whatever a busy machine makes of a ratio, nothing passes and nothing fails by it.
TEST_F(Reports, TellOfOthersThatUseTheProcessors) {
  std::atomic<bool> stop{false};
  std::vector<std::thread> others;
  for (unsigned i = 0; i < 2 * std::max(std::thread::hardware_concurrency(), 1U); ++i)
    others.emplace_back([&stop] {
      while (!stop.load(std::memory_order_relaxed)) {
      }
    });
  const Ended ended = run_bench(
      {"--backend", "sim", "--seconds", "0.5", "--filter", "call.noop", "--format", "json", "--busy", "0.1"});
  stop = true;
  for (std::thread& thread : others) thread.join();
  EXPECT_EQ(ended.code, 0);
  EXPECT_NE(ended.err.find("1 rows neither pass nor fail: others used more than 10 % of the processors"),
            std::string::npos)
      << ended.err;
  const json row = json::parse(ended.out)["rows"][0];
  EXPECT_EQ(row["verdict"], "AMBIGUOUS");
  for (const json& restart : row["restarts"])
    EXPECT_GT(restart["others_s"].get<double>(), 0.1 * restart["passed_s"].get<double>());
}

// What is known of a build's own runs is in the file of drift.
TEST_F(Reports, WhatRunsOfOneBuildDifferByIsNoChange) {
  const auto drift = [&](const std::string& entry) {
    const std::string path = folder_.file("drift.toml");
    std::ofstream(path) << "[[drift]]\nrow = \"call.*\"\nreference = \"driver_table\"\n" << entry;
    return Words{"--drift", path};
  };
  const json then = with_ratios(1);
  const json now = with_ratios(1.2);
  EXPECT_TRUE(compared(then, now, drift("factor = 1.1")).out.ends_with("\nSLOWER\n"));
  const Ended same = compared(then, now, drift("factor = 1.3") + Words{"--tolerance", "1"});
  EXPECT_TRUE(
      std::regex_search(same.out, std::regex("call.noop +driver_table +1.2.* SAME  .runs drift by 1.30.\n")))
      << same.out;
  EXPECT_TRUE(
      std::regex_search(compared(then, now, drift("factor = inf")).out,
                        std::regex("call.noop +driver_table +1.2.* AMBIGUOUS  .runs drift by inf.\n")));
  EXPECT_EQ(compared(then, now, drift("factor = 1.3\ndriver = \"cuda\"")).code, 1);
  const std::string good = file("a.json", then);
  expect_mistake(Words{"compare", good, good} + drift("factor = 1"),
                 "wants row, reference and a factor above 1");
  expect_mistake({"compare", good, good, "--drift", "/nowhere/drift.toml"}, "/nowhere/drift.toml");
}

// Of some hundred ratios a few differ by chance: the file of drift says how many.
TEST_F(Reports, AreSlowerWhenMoreRatiosAreThanByChance) {
  const json then = with_ratios(1);
  const json now = with_ratios(1.2);
  const auto chance = [&](const std::string& entry) {
    const std::string path = folder_.file("drift.toml");
    std::ofstream(path) << "[[chance]]\n" << entry;
    return Words{"--drift", path};
  };
  const Ended same = compared(then, now, chance("driver = \"sim\"\nshare = 0.99"));
  EXPECT_EQ(same.code, 0);
  EXPECT_TRUE(same.out.ends_with(" between runs of one build\nSAME\n")) << same.out;
  EXPECT_TRUE(std::regex_search(same.out, std::regex("call.noop +driver_table +1.2.* SLOWER\n"))) << same.out;
  EXPECT_EQ(compared(now, then, chance("driver = \"sim\"\nshare = 0.99")).code, 0);
  // Of so few rows none is by chance.
  EXPECT_TRUE(compared(then, now, chance("driver = \"sim\"\nshare = 0.04")).out.ends_with("\nSLOWER\n"));
  EXPECT_TRUE(compared(now, then, chance("driver = \"sim\"\nshare = 0.04")).out.ends_with("\nFASTER\n"));
  EXPECT_EQ(compared(then, now, chance("driver = \"cuda\"\nshare = 0.99")).code, 1);
  const std::string good = file("a.json", then);
  for (const char* entry : {"share = 0.1", "driver = \"sim\"\nshare = 1", "driver = \"sim\"\nshare = -0.1",
                            "driver = \"sim\"\nshare = \"all\"", "driver = \"sim\"\nshare = 0.1\nrow = 1"})
    expect_mistake(Words{"compare", good, good} + chance(entry), "wants a driver and a share");
}

TEST_F(Reports, DriftIsWrittenOfSeveralRuns) {
  const std::string one = file("a.json", with_ratios(1));
  const std::string other = file("b.json", with_ratios(1.21));
  const std::string drift = folder_.file("drift.toml");
  EXPECT_EQ(run_bench({"drift", one, other, file("c.json", with_ratios(1.05)), "--output", drift}).code, 0);
  const std::string text = read_text(drift);
  // What is beyond the intervals of 1.21 to the power of 1.5.
  EXPECT_TRUE(std::regex_search(
      text, std::regex("row = \"call.noop\"\nreference = \"driver_table\"\nfactor = 1.3[0-3]\n")))
      << text;
  EXPECT_EQ(text.find("row = \"call.stream_query\""), std::string::npos) << text;
  // It is what the other commands read.
  EXPECT_EQ(run_bench({"compare", one, other, "--drift", drift}).code, 0);
  // Three runs leave nothing to hold two of them against.
  EXPECT_EQ(text.find("[[chance]]"), std::string::npos) << text;
  const Ended four =
      run_bench({"drift", one, other, file("c.json", with_ratios(1)), file("d.json", with_ratios(1))});
  EXPECT_TRUE(std::regex_search(four.out, std::regex("driver = \"sim\"\nshare = 0.[1-9][0-9]+\n")))
      << four.out;
  expect_mistake({"drift", one}, "reports");
  json later = with_ratios(1);
  later["suite"]["commit"] = "0123456789abcdef0123456789abcdef01234567";
  expect_mistake({"drift", one, file("d.json", later)}, "are of different builds: commit");
  later["driver"]["name"] = "cuda";
  expect_mistake({"drift", one, file("d.json", later)}, "different drivers, sim and cuda");
}

TEST_F(Reports, BecomeATableOfAPage) {
  json bad = with_ratios(1);
  json& first = bad["rows"][0]["comparisons"][0];
  first["verdict"] = "FAIL";
  first["known_miss"] = "because | of it";
  const std::string report = file("a.json", bad);
  const std::string page = folder_.file("page.md");
  const std::string before = "# Page\n\n<!-- begin figures -->\n";
  const std::string after = "<!-- end figures -->\nrest\n";
  std::ofstream(page) << before << "what stood there\n" << after;
  const Ended printed = run_bench({"table", report});
  EXPECT_EQ(printed.code, 0) << printed.err;
  EXPECT_NE(printed.out.find("| `call.noop` | "), std::string::npos) << printed.out;
  EXPECT_NE(printed.out.find("\n- `call.noop` beside driver_table: because / of it\n"), std::string::npos)
      << printed.out;
  // What has no goal is not in it unless it is asked for.
  EXPECT_EQ(printed.out.find("indirect_call"), std::string::npos) << printed.out;
  EXPECT_NE(run_bench({"table", report, "--reference", "indirect*"}).out.find("| indirect_call |"),
            std::string::npos);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(run_bench({"table", report, "--into", page, "--block", "figures"}).code, 0);
    EXPECT_EQ(read_text(page), before + printed.out + after);
  }
  expect_mistake({"table", report, "--into", page, "--block", "other"}, "has no part between");
  expect_mistake({"table", report, "--into", page}, "--block");
  expect_mistake({"table", report, "--into", "/nowhere/page", "--block", "x"}, "no file that can be read");
  expect_mistake({"table", report, "--reference", "nothing"}, "no row has such a reference", 3);
  EXPECT_EQ(read_text(page), before + printed.out + after);
}

TEST_F(Reports, OfOthersAreNotCompared) {
  json other = report();
  other["driver"]["name"] = "cuda";
  const std::string good = file("a.json", report());
  expect_mistake({"compare", good, file("b.json", other)}, "different drivers, sim and cuda");
  other = report();
  other["device"]["name"] = "another";
  expect_mistake({"compare", good, file("b.json", other)}, "different devices");
  other = with_ratios(1);
  other["options"]["goals_sha256"] = std::string(64, '0');
  const Ended goals = compared(with_ratios(1), other);
  EXPECT_EQ(goals.code, 0);
  EXPECT_NE(goals.out.find("they have different goals: "), std::string::npos) << goals.out;
}

TEST_F(Reports, RowsInOneAloneAreListed) {
  json fewer = with_ratios(1);
  fewer["rows"].erase(0);
  fewer["rows"][0]["comparisons"][0]["reference"] = "else";
  const Ended ended = compared(with_ratios(1), fewer);
  EXPECT_NE(ended.out.find("in A alone"), std::string::npos);
  EXPECT_TRUE(std::regex_search(ended.out, std::regex("call.noop +in A alone\n"))) << ended.out;
  EXPECT_TRUE(std::regex_search(ended.out, std::regex("else in B alone\n"))) << ended.out;
  json none = with_ratios(1);
  none["rows"].clear();
  expect_mistake({"compare", file("a.json", report()), file("b.json", none)}, "no row in common", 3);
}

// ---- The gate ----

const Words kQuick = {"--backend", "sim",    "--filter", "call.noop",   "--seconds", "0.5",    "--restarts",
                      "3",         "--seed", "3",        "--tolerance", "90",        "--busy", "1"};

class Gates : public Reports {
 protected:
  // Of call.noop, as this machine measures it, times this.
  json baseline(double times) const {
    const std::string path = folder_.file("baseline.json");
    const Ended ended = run_bench({"--backend", "sim", "--filter", "call.noop", "--seconds", "0.5",
                                   "--format", "json", "--output", path});
    EXPECT_LE(ended.code, 1) << ended.err;
    json out = json::parse(read_text(path));
    for (json& row : out["rows"]) {
      for (json& restart : row["restarts"]) {
        for (json& series : restart["ratios"]) {
          for (json& value : series) value = value.is_number() ? json(value.get<double>() * times) : value;
        }
      }
    }
    return out;
  }
  Ended gated(const json& baseline, const Words& more = {}) const {
    return run_bench(Words{"gate", "--baseline", file("gate.json", baseline)} + kQuick + more);
  }
};

TEST_F(Gates, PassWhatIsAsItWas) {
  const std::string kept = folder_.file("now.json");
  const Ended ended = gated(baseline(1), {"--output", kept});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  EXPECT_TRUE(ended.out.ends_with("gate: nothing got slower\n")) << ended.out;
  expect_schema(kept, "xhal-bench");
}

TEST_F(Gates, FailWhatIsSlowerBeyondDoubtAndMeasureItAgain) {
  const std::string kept = folder_.file("now.json");
  const Ended ended = gated(baseline(0.1), {"--output", kept});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_TRUE(std::regex_search(ended.out, std::regex("call.noop +driver_table .* SLOWER"))) << ended.out;
  EXPECT_TRUE(ended.out.ends_with("gate: FAIL\n")) << ended.out;
  EXPECT_GE(json::parse(read_text(kept))["rows"][0]["restarts"].size(), 9U);
}

TEST_F(Gates, FailForRowsThatAreGone) {
  json gone = baseline(1);
  gone["rows"][0]["name"] = "call.noop/was=there";
  const Ended ended = gated(gone);
  EXPECT_EQ(ended.code, 1) << ended.out;
  EXPECT_NE(ended.out.find("LOST  call.noop/was=there: "), std::string::npos) << ended.out;
  json other = baseline(1);
  for (json& comparison : other["rows"][0]["comparisons"])
    comparison["reference"] = comparison["reference"].get<std::string>() + "_gone";
  EXPECT_EQ(gated(other).code, 1);
  // What is not asked for is not missed.
  json more = baseline(1);
  more["rows"].push_back(more["rows"][0]);
  more["rows"][1]["name"] = "else.gone";
  EXPECT_EQ(gated(more).code, 0);
}

TEST_F(Gates, RefuseABaselineThatIsNone) {
  const Words gate = {"gate", "--backend", "sim", "--filter", "call.noop", "--baseline"};
  expect_mistake(gate + Words{"/nowhere/report.json"}, "this is no file that can be read");
  std::ofstream(folder_.file("text")) << "{";
  expect_mistake(gate + Words{folder_.file("text")}, "this is no JSON");
  json other = report();
  other["schema"] = "xhal-bench/0";
  expect_mistake(gate + Words{file("b.json", other)}, "its schema is not xhal-bench/1");
  other = report();
  other["driver"]["name"] = "cuda";
  expect_mistake(gate + Words{file("b.json", other)}, "different drivers, cuda and sim");
  other = report();
  other["device"]["name"] = "another";
  expect_mistake(gate + Words{file("b.json", other)}, "different devices");
  expect_mistake({"gate", "--backend", "sim"}, "--baseline");
  const std::string good = file("b.json", report());
  expect_mistake(gate + Words{good, "--tolerance", "-3"}, "--tolerance");
  expect_mistake(gate + Words{good, "--output", "/nowhere/x"}, "nowhere");
  expect_mistake(gate + Words{good, "--filter", "nothing.*"}, "matches no row", 3);
}

TEST_F(Gates, AreTriedBySelfTest) {
  const std::string result = folder_.file("trial.json");
  const Ended ended = run_bench({"self-test", "--backend",     "sim",  "--filter",   "call.noop", "--trials",
                                 "2",         "--row-seconds", "0.05", "--restarts", "5",         "--plant",
                                 "1.0",       "--tolerance",   "10",   "--wish",     "0.5",       "--busy",
                                 "1",         "--json",        result});
  EXPECT_EQ(ended.code, 0) << ended.out << ended.err;
  expect_schema(result, "xhal-bench-self-test");
  const json row = json::parse(read_text(result))["rows"][0];
  EXPECT_EQ(row["trials"], 2) << ended.out;
  EXPECT_EQ(row["false_alarms"], 0) << ended.out;
  // Of two; a machine with much else to do leaves one of them ambiguous.
  const int catches = row["catches"];
  EXPECT_GE(catches, 1) << ended.out;
  EXPECT_NEAR(row["catches_at_least"].get<double>(), catches == 2 ? 0.2236 : 0.0253, 0.001);
}

TEST_F(Gates, WhatCatchesNothingDoesNotGate) {
  const Ended ended = run_bench({"self-test", "--backend", "sim", "--filter", "call.noop", "--trials", "1",
                                 "--row-seconds", "0.01", "--plant", "0", "--tolerance", "90"});
  EXPECT_EQ(ended.code, 1) << ended.out << ended.err;
  EXPECT_NE(ended.out.find("not gating: call.noop: 0 of 1 caught\n"), std::string::npos) << ended.out;
}

TEST_F(Gates, SelfTestRefusesWhatItCannotDo) {
  const Words quick = {"self-test", "--backend", "sim", "--filter", "call.noop"};
  expect_mistake(quick + Words{"--trials", "0"}, "--trials");
  expect_mistake(quick + Words{"--shard", "3/2"}, "--shard 3/2");
  expect_mistake(quick + Words{"--json", "/nowhere/x"}, "nowhere");
  expect_mistake({"self-test", "--backend", "none"}, "none");
  expect_mistake({"--format", "json", "self-test", "--backend", "sim"}, "--format is no option of self-test");
}

}  // namespace
}  // namespace xhal::test
