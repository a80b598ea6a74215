// SPDX-License-Identifier: Apache-2.0
// The page of the suite's strength, made from a small set of results.
#include <gtest/gtest.h>

#include <fstream>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

json identity(const char* schema) {
  return {{"schema", schema},
          {"suite", {{"version", "0.1.0"}, {"commit", "0123456789abcdef"}, {"dirty", false}}},
          {"driver", {{"name", "sim"}, {"version", "0.1.0"}}},
          {"device", {{"name", "xhal simulator 0"}}},
          {"seed", 7},
          {"seeds", 20},
          {"seconds", 600},
          {"options", {{"all_tests", false}, {"shard", "1/1"}}},
          {"incomplete", false}};
}

json named_fault(const char* name, const char* verdict, int first_of, bool first_contact) {
  return {{"name", name},
          {"family", "order"},
          {"wild", "https://example.org/1"},
          {"about", "does wrong"},
          {"verdict", verdict},
          {"why", "12 tests passed"},
          {"clause", "XHAL-EVENT-4"},
          {"first_of", first_of},
          {"first_contact", first_contact}};
}

json named_faults() {
  json out = identity("xhal-conform-faults/1");
  out["localisation"] = json::object();
  out["clauses_without_fault"] = {"XHAL-ABI-1", "XHAL-EVENT-9", "XHAL-LOADER-1"};
  out["faults"] = {named_fault("first_lie", "killed", 1, true), named_fault("second_lie", "killed", 7, false),
                   named_fault("third_lie", "survived", 1, false)};
  return out;
}

json matrix() {
  json out = named_faults();
  out["options"]["all_tests"] = true;
  out["tests"] = {{{"id", "event.strong"}, {"clauses", {"XHAL-EVENT-4"}}, {"notices", 3}},
                  {{"id", "event.powerless"}, {"clauses", {"XHAL-EVENT-4"}}, {"notices", 0}}};
  // The first is seen by a test of a device that lacks a feature, the second by one that speaks of other clauses before.
  for (json& fault : out["faults"]) fault["failures"] = json::array();
  out["faults"][0]["failures"] = {
      {{"clauses", {"XHAL-EVENT-4", "XHAL-EVENT-9"}}, {"tests", {"event.without_it"}}}};
  out["faults"][1]["failures"] = {
      {{"clauses", {"XHAL-EVENT-1", "XHAL-EVENT-2", "XHAL-EVENT-3", "XHAL-EVENT-4"}},
       {"tests", {"event.strong"}}}};
  return out;
}

json generated(const char* shard, const char* fault) {
  json out = identity("xhal-conform-generated/1");
  out["options"]["shard"] = shard;
  out["hows"] = {{{"name", "dropped"}, {"about", "is not made"}, {"killed", 1}, {"total", 1}}};
  out["faults"] = {
      {{"name", fault}, {"entry", "memory_copy"}, {"how", "dropped"}, {"verdict", "killed"}, {"why", ""}},
      {{"name", std::string(fault) + "_too"},
       {"entry", "memory_copy"},
       {"how", "dropped"},
       {"verdict", "equivalent"},
       {"why", ""},
       {"equivalent", "nobody can see it"}}};
  return out;
}

json mutant(int id, const char* verdict, const char* original) {
  return {{"id", id},           {"verdict", verdict},   {"file", "engine.cpp"}, {"line", 10 + id},
          {"kind", "operator"}, {"original", original}, {"mutated", "a <= b"},  {"reason", "a hint alone"}};
}

json mutants() {
  return {{"schema", "xhal-mutation/1"},
          {"suite_commit", "0123456789abcdef"},
          {"seed", 1},
          {"shard", "1/4"},
          {"mutants",
           {{{"id", 1}, {"verdict", "killed"}},
            mutant(2, "survived", "a < b"),
            mutant(3, "crashed", "b < c"),
            mutant(4, "equivalent", "c < d")}}};
}

// What does not apply is named by the runs of single drivers and of their mixes both.
json variants(json rows) {
  json out = identity("xhal-conform-variants/1");
  out["test_executions"] = 4000;
  out["test_failures"] = 1;
  rows.push_back({{"name", "without_peer"}, {"verdict", "not applicable"}, {"why", "it has none"}});
  out["variants"] = std::move(rows);
  return out;
}

json single_variants() {
  return variants({{{"name", "lazy"}, {"mix", json::array({json::object()})}, {"verdict", "conformant"}},
                   {{"name", "late"}, {"verdict", "not conformant"}, {"why", "event.strong failed"}}});
}

json mixed_variants() {
  const json two = json::array({json::object(), json::object()});
  return variants(json::array({{{"name", "late+lazy"}, {"mix", two}, {"verdict", "conformant"}}}));
}

json dropped_waits(bool dropped) {
  json out = identity("xhal-conform-fuzz/1");
  out["options"] = {{"drop_waits", dropped}};
  out["totals"] = {{"rotations", 200}, {"dropped_waits_seen", 199}, {"waits_not_gated", 5}};
  return out;
}

json hollow(const char* name) {
  json out = identity("xhal-conform/1");
  out["driver"]["name"] = name;
  out["level"] = "core";
  out["verdict"] = "not conformant";
  out["tests"] = {{{"id", "device.uuid"}, {"required", true}, {"outcome", "passed"}},
                  {{"id", "event.strong"}, {"required", true}, {"outcome", "failed"}},
                  {{"id", "event.unlisted"}, {"required", true}, {"outcome", "passed"}}};
  return out;
}

class StrengthPage : public testing::Test {
 protected:
  std::string put(const std::string& name, const json& content) {
    std::ofstream(folder_.file(name)) << content.dump();
    return folder_.file(name);
  }
  std::string page_of(const Words& files) {
    const std::string path = folder_.file("strength.md");
    const Ending ending = run_conform(Words{"strength", "--output", path} + files);
    EXPECT_EQ(ending.exit_code, 0) << ending.err;
    return read_text(path);
  }
  TemporaryFolder folder_;
};

void expect_says(const std::string& page, const std::string& text) {
  EXPECT_NE(page.find(text), std::string::npos) << "'" << text << "' is missing in:\n" << page;
}

TEST_F(StrengthPage, ShowsWhatWasMeasured) {
  const std::string page = page_of(
      {put("faults.json", named_faults()), put("matrix.json", matrix()),
       put("g.json", generated("1/1", "memory_copy:dropped")), put("m.json", mutants()),
       put("v.json", single_variants()), put("x.json", mixed_variants()), put("f.json", dropped_waits(true)),
       put("idle.json", hollow("idle")), put("refusing.json", hollow("refusing"))});
  expect_says(page, "| named faults killed, with 20 seeds | 2 of 3 (66.7 %) | all |");
  expect_says(
      page,
      "| broken clause among the first three that a report of all tests names | 1 of 2 (50.0 %) | 90 % |");
  expect_says(page, "- `second_lie`, breaks XHAL-EVENT-4: 4");
  expect_says(page, "`third_lie` **survived**: does wrong");
  expect_says(page, "| order | 2 of 3 (66.7 %) | 1 of 3 (33.3 %) |");
  expect_says(page, "| clauses of drivers without a named fault | 1 | 0 |");
  expect_says(page, "| clauses of drivers that no layer over a driver can break | 1 | named |");
  expect_says(page,
              "Clauses of drivers without a fault, so that nothing is known of their tests by this list (1): "
              "XHAL-EVENT-9.");
  expect_says(page, "- XHAL-ABI-1: null handles, ");
  expect_says(page, "Clauses of libxhal itself, which no driver can break (1): XHAL-LOADER-1.");
  expect_says(page, "1 of 2 tests notice no named fault");
  expect_says(page, "- `event.powerless`");
  expect_says(page, "| generated faults killed | 1 of 1 (100.0 %) | 95 % |");
  expect_says(page, "nobody can see it: `memory_copy:dropped_too`");
  expect_says(page, "| mutants of the simulator's engine noticed | 2 of 3 (66.7 %) | 85 % |");
  expect_says(page, "by an assertion, and not by a crash or a deadline alone | 1 of 3 (33.3 %) |");
  expect_says(page, "- **survived** engine.cpp:12 a \\< b -> a \\<= b");
  expect_says(page, "- **crashed** engine.cpp:13 b \\< c");
  expect_says(page, "- a hint alone: engine.cpp:14 c \\< d");
  expect_says(page, "of 4 shards 2, 3, 4 are missing");
  expect_says(page, "| legal but odd drivers that pass | 1 of 2 (50.0 %) | all |");
  expect_says(page,
              "| mixes that pass, of which one at least holds every two of them | 1 of 1 (100.0 %) | all |");
  expect_says(page, "| failures among the executions of tests over them | 2 of 8000 |");
  expect_says(page,
              "| dropped waits of random programs that results alone show | 199 of 200 (99.5 %) | 99 % |");
  expect_says(page, "**no reason is given**: `event.unlisted`");
  expect_says(
      page,
      "Measured on driver sim 0.1.0, device xhal simulator 0; suite 0123456789ab, seed 7 to 26; 10 minutes.");
  expect_says(page, "Measured again by `xhal-conform faults --over sim");
  EXPECT_EQ(page.find("Not measured"), std::string::npos) << page;
}

TEST_F(StrengthPage, TakesTheSummaryOfARunInItsPlace) {
  const std::string summary = folder_.file("summary.json");
  const Ending ending =
      run_conform({"strength", "--summary", put("idle.json", hollow("idle")), "--output", summary});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  expect_valid(read_text(summary), "xhal-conform-hollow");
  expect_says(page_of({summary}),
              "| required tests that pass on a driver that does nothing | 2 of 3 (66.7 %) | 5 % |");
}

TEST_F(StrengthPage, NamesWhatWasNotMeasured) {
  const std::string page = page_of({});
  size_t missing = 0;
  for (size_t at = page.find("**Not measured.**"); at != std::string::npos;
       at = page.find("**Not measured.**", at + 1))
    ++missing;
  EXPECT_EQ(missing, 7U) << page;
  expect_says(page, "| generated faults killed | not measured | 95 % |");
}

TEST_F(StrengthPage, RefusesAListOfUnbrokenClausesThatIsNotTrue) {
  const auto refused = [&](const std::string& list, const std::string& says) {
    std::ofstream(folder_.file("unbroken.toml")) << list;
    expect_refused({"strength", "--output", folder_.file("out.md"), "--unbroken",
                    folder_.file("unbroken.toml"), put("faults.json", named_faults())},
                   2, "unbroken.toml:" + says);
  };
  const auto entry = [](const std::string& clauses) {
    return "[[unbroken]]\nclauses = [" + clauses + "]\nreason = \"nobody stands before it and after it\"\n";
  };
  refused(entry("'XHAL-MEMORY-7'"), "2: XHAL-MEMORY-7 is broken by copies_move_whole_words: take it out");
  // In two pieces: the check of the specification would look for it.
  refused(entry("'XHAL-ABI-1', 'XHAL-ABI-"
                "99'"),
          "2: 'XHAL-ABI-"
          "99' is no clause");
  refused(entry("'XHAL-LOADER-1'"), "2: XHAL-LOADER-1 is a clause of libxhal");
  refused(entry("'XHAL-ABI-1'") + entry("'XHAL-ABI-1'"), "5: XHAL-ABI-1 is listed twice");
  refused(entry("7"), "2: 'clauses' holds what is no text");
  refused(entry(""), "1: an entry has 'clauses', a list, and a 'reason'");
  refused("[[unbroken]]\nclauses = ['XHAL-ABI-1']\nreason = 'so'\n", "1: an entry has");
  refused("unbroken = 7\n", "1: has no [[unbroken]]");
  refused("[[unbroken", "1: ");
  expect_refused({"strength", "--unbroken", folder_.file("missing.toml")}, 2, "missing.toml");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("out.md")));
}

TEST_F(StrengthPage, RefusesWhatItCannotBeMadeOf) {
  json interrupted = named_faults();
  interrupted["incomplete"] = true;
  json old = named_faults();
  old.erase("localisation");
  json old_matrix = matrix();
  old_matrix["faults"][1].erase("failures");
  json broken = named_faults();
  broken["faults"][0].erase("family");
  std::ofstream(folder_.file("none.json")) << "[";
  const std::string faults = put("faults.json", named_faults());
  for (const auto& [files, says] : std::vector<std::pair<Words, std::string>>{
           {{put("other.json", {{"schema", "xhal-other/1"}})}, "its schema is 'xhal-other/1'"},
           {{folder_.file("none.json")}, "is no JSON object"},
           {{folder_.file("missing.json")}, "cannot be read"},
           {{put("cut.json", interrupted)}, "was interrupted"},
           {{put("old.json", old)}, "has no 'localisation'"},
           {{put("old_matrix.json", old_matrix)}, "old_matrix.json: has no 'failures'; make it again"},
           {{put("broken.json", broken)}, "not as its schema says"},
           {{faults, put("again.json", named_faults())}, "repeats what another of the files has measured"},
           {{put("plain.json", dropped_waits(false))}, "--drop-waits"},
           {{put("sim.json", hollow("sim"))}, "judges the driver 'sim'"},
           {{"--summary", faults}, "is no report of a run"}})
    expect_refused(Words{"strength", "--output", folder_.file("out.md")} + files, 2, says);
  expect_refused({"strength", "--output", "/proc/no/such/page.md"}, 2, "/proc/no/such/page.md");
  EXPECT_FALSE(std::filesystem::exists(folder_.file("out.md")));
}

}  // namespace
}  // namespace xhal::test
