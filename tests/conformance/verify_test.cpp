// SPDX-License-Identifier: Apache-2.0
// A bundle that was changed is told by what was changed in it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <set>

#include "bundle.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

constexpr const char* kOtherWords = "nine otters under a bridge";

std::string small_level(const TemporaryFolder& folder) {
  const std::string path = folder.file("small.toml");
  std::ofstream(path)
      << "schema = 1\nname = \"small\"\nfeatures = [\"core\"]\ntests = [\"memory.copy_small/*\", "
         "\"memory.fill/kind=pinned*\", \"memory.refused_*\", \"memory.copy_between_devices\", "
         "\"device.links\", "
         // Enough of those that read nothing back: which of them are controls, or come first, follows from the commit.
         "\"memory.attributes_*\", \"device.declared_values_are_defined\", \"device.features_agree\", "
         "\"device.memory_info_moves\", \"device.names_and_limits\", \"device.priority_range\", "
         "\"device.unknown_is_declared\"]\n";
  return path;
}

// Bundles of real runs: one of the simulator, and one of a driver whose links are not told. The suite's commit is in each challenge, so that what
// is said here of tests, places and controls holds for all of them.
class Bundles {
 public:
  Bundles()
      : level_(small_level(folder_)),
        good_run(answer(good, {"--backend", "sim", "--level", level_})),
        bad_run(answer(bad, driver("minimal") + Words{"--level", level_},
                       mutant("minimal", "nothing:device_get_link"))) {}

 private:
  TemporaryFolder folder_;
  std::string level_;

 public:
  const std::string good = folder_.file("good");
  const std::string bad = folder_.file("bad");
  const Ending good_run;
  const Ending bad_run;
};

// ---- Finding one's way in a bundle ----

// A test that passed and is no control as well, neither among the first nor the last one, by whether it has read something back. (Without
// its last test a transcript is one that was interrupted, and verify says so.)
std::string plain_test(const BundleCopy& copy, bool reads, size_t skip = 0) {
  size_t last = copy.lines.size() - 1;
  while (!copy.lines.at(last).contains("begin")) --last;
  for (const json& test : copy.report.at("tests")) {
    const std::string id = test.at("id");
    const auto begins = copy.lines_of("begin", id);
    if (test.at("outcome") != "passed" || begins.size() != 1 || begins.front() < 10 || begins.front() == last)
      continue;
    if ((test.at("digest").at("bytes") > 0) == reads && skip-- == 0) return id;
  }
  ADD_FAILURE() << "no such test";
  return copy.report.at("tests").at(0).at("id");
}

json& record_of(BundleCopy& copy, const std::string& test) {
  return copy.lines.at(copy.lines_of("end", test).front())["end"];
}

void drop_from_report(BundleCopy& copy, const std::string& test) {
  std::erase_if(copy.report["tests"].get_ref<json::array_t&>(),
                [&](const json& one) { return one["id"] == test; });
}

// A control whose test is no other step as well.
size_t lone_control(const BundleCopy& copy) {
  const json& controls = copy.report.at("evidence").at("controls");
  size_t i = 0;
  while (copy.lines_of("begin", controls.at(i).at("test")).size() != 1) ++i;
  return i;
}
std::string told(const json& control) {
  return "control " + control["fault"].get<std::string>() + " over " + control["test"].get<std::string>();
}

// ---- Changes: each makes one, and gives what verify has to say of it ----

Words edit_an_outcome_in_the_report(BundleCopy& copy) {
  copy.test("device.links")["outcome"] = "passed";
  return {"report: test device.links:.outcome is passed, the transcript gives failed"};
}

Words edit_an_outcome_in_the_transcript(BundleCopy& copy) {
  record_of(copy, "device.links")["outcome"] = "passed";
  return {"test device.links passed, and has failed assertions"};
}

Words drop_a_test(BundleCopy& copy) {
  const std::string id = plain_test(copy, false);
  copy.take_out(copy.lines.at(copy.lines_of("begin", id).front())["index"]);
  drop_from_report(copy, id);
  copy.report["totals"]["passed"] = copy.report["totals"]["passed"].get<size_t>() - 1;
  return {"test " + id + " is missing: it belongs to step "};
}

Words drop_a_test_from_the_report(BundleCopy& copy) {
  const std::string id = plain_test(copy, false);
  drop_from_report(copy, id);
  return {"report: test " + id + " is missing, the transcript has it as passed"};
}

Words add_a_test(BundleCopy& copy) {
  const size_t at = copy.lines_of("begin", plain_test(copy, false)).front();
  json begin = copy.lines.at(at);
  json end = copy.lines.at(at + 1);
  begin["begin"] = "device.uuid";
  end["end"]["id"] = "device.uuid";
  for (json& line : copy.lines) {
    if (line.contains("index") && line["index"] >= begin["index"])
      line["index"] = line["index"].get<size_t>() + 1;
  }
  copy.lines.insert(copy.lines.begin() + static_cast<std::ptrdiff_t>(at), {begin, end});
  return {"test device.uuid at step ", "was added"};
}

Words swap_the_seed(BundleCopy& copy) {
  copy.report["seed"] = copy.header()["seed"] = 7;
  return {"seed: it is 7, the challenge gives "};
}

Words write_another_challenge(BundleCopy& copy) {
  copy.lines.front()["challenge"] = kOtherWords;
  copy.header()["evidence"]["challenge"] = kOtherWords;
  copy.report["evidence"]["challenge"] = kOtherWords;
  return {"seed: it is ", "order: step "};
}

Words remove_a_control(BundleCopy& copy) {
  const size_t i = lone_control(copy);
  const json control = copy.report["evidence"]["controls"][i];
  copy.take_out(control["index"]);
  copy.report["evidence"]["controls"].erase(i);
  return {told(control) + " is missing: it belongs to step "};
}

Words let_a_control_pass(BundleCopy& copy) {
  const json& control = copy.report["evidence"]["controls"][lone_control(copy)];
  for (json& line : copy.lines) {
    if (!line.contains("end") || line["index"] != control["index"]) continue;
    line["end"]["outcome"] = "passed";
    line["end"]["message"] = "";
    line["end"]["failures"] = json::array();
  }
  return {told(control) + " passed: it had to fail, by an assertion of ", "controls failed"};
}

Words reorder_tests(BundleCopy& copy) {
  const size_t first = copy.lines_of("begin", plain_test(copy, true)).front();
  const size_t second = copy.lines_of("begin", plain_test(copy, true, 1)).front();
  for (const size_t more : {size_t{0}, size_t{1}}) {
    json& one = copy.lines.at(first + more);
    json& other = copy.lines.at(second + more);
    std::swap(one, other);
    std::swap(one["index"], other["index"]);
    if (more == 1) std::swap(one["seconds"], other["seconds"]);
  }
  return {"order: step "};
}

Words break_the_chain(BundleCopy& copy) {
  copy.lines.at(4)["seconds"] = copy.lines.at(2)["seconds"];
  return {"transcript line 6: the chain is broken here"};
}

Words edit_the_totals(BundleCopy& copy) {
  copy.report["totals"]["passed"] = 500;
  return {"report: totals.passed is 500, the transcript gives "};
}

Words edit_the_verdict(BundleCopy& copy) {
  copy.report["verdict"] = copy.report["levels"][0]["verdict"] = "conformant";
  return {"report: verdict is conformant, the transcript gives not conformant"};
}

Words rename_the_driver(BundleCopy& copy) {
  copy.report["driver"]["name"] = "better";
  copy.report["driver"]["emulated"] = false;
  return {"report: driver.name is better, the transcript gives sim", "report: driver.emulated is false"};
}

Words name_another_suite(BundleCopy& copy) {
  copy.header()["suite"]["commit"] = copy.report["suite"]["commit"] = std::string(40, '0');
  return {"suite: it ran ", "build that commit to verify it"};
}

Words claim_otherwise(BundleCopy& copy) {
  // In both: a test of two devices applies no more.
  copy.header()["device_count"] = copy.report["device_count"] = 1;
  return {"test memory.copy_between_devices at step ", "was added"};
}

Words end_early(BundleCopy& copy) {
  copy.lines.resize(12);
  return {"transcript: it ends behind ", "the next one is ", "it has no seal"};
}

Words take_a_digest_out(BundleCopy& copy) {
  const std::string id = plain_test(copy, true);
  copy.test(id).erase("digest");
  record_of(copy, id).erase("digest");
  return {"test " + id + " has no digest"};
}

Words try_a_test_again(BundleCopy& copy) {
  const std::string id = plain_test(copy, true);
  const size_t at = copy.lines_of("begin", id).front();
  copy.lines.insert(copy.lines.begin() + static_cast<std::ptrdiff_t>(at), json(copy.lines.at(at)));
  return {"test " + id + " was begun 2 times and passed"};
}

Words let_time_go_back(BundleCopy& copy) {
  const std::string id = plain_test(copy, true);
  copy.lines.at(copy.lines_of("end", id).front())["seconds"] = 0.0;
  return {"transcript: " + id + " ends before what was run before it"};
}

Words change_a_digest(BundleCopy& copy) {
  const std::string id = plain_test(copy, true);
  copy.test(id)["digest"]["sha256"] = record_of(copy, id)["digest"]["sha256"] = std::string(64, 'a');
  return {"replay: test " + id + ": the digest of "};
}

// Verify over a copy behind the change; with `again` every hash fits.
Ending changed(const std::string& of, const std::function<Words(BundleCopy&)>& change, bool again,
               const Words& arguments, Words& says) {
  BundleCopy copy(of);
  says = change(copy);
  if (again) copy.chain_again();
  const TemporaryFolder folder;
  copy.write(folder.file("bundle"));
  return verify(folder.file("bundle"), arguments);
}

void expect_told(const Ending& ending, const Words& says) {
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  EXPECT_GT(findings_in(ending.out), 0U) << ending.out;
  EXPECT_NE(ending.out.find("the bundle does not hold"), std::string::npos) << ending.out;
  for (const std::string& word : says)
    EXPECT_NE(ending.out.find(word), std::string::npos) << word << "\n" << ending.out;
}

TEST(Verify, NamesEachChange) {
  const Bundles bundles;
  const struct {
    const char* name;
    const std::string& of;
    Words (*change)(BundleCopy&);
    bool again;
  } kChanges[] = {
      {"outcome in the report", bundles.bad, edit_an_outcome_in_the_report, true},
      {"outcome in the transcript", bundles.bad, edit_an_outcome_in_the_transcript, true},
      {"dropped test", bundles.good, drop_a_test, true},
      {"test dropped from the report", bundles.good, drop_a_test_from_the_report, true},
      {"added test", bundles.good, add_a_test, true},
      {"seed", bundles.good, swap_the_seed, true},
      {"challenge", bundles.good, write_another_challenge, true},
      {"removed control", bundles.good, remove_a_control, true},
      {"control that passed", bundles.good, let_a_control_pass, true},
      {"order", bundles.good, reorder_tests, true},
      {"chain", bundles.good, break_the_chain, false},
      {"totals", bundles.good, edit_the_totals, true},
      {"verdict", bundles.bad, edit_the_verdict, true},
      {"driver", bundles.good, rename_the_driver, true},
      {"suite", bundles.good, name_another_suite, true},
      {"claims", bundles.good, claim_otherwise, true},
      {"end", bundles.good, end_early, false},
      {"no digest", bundles.good, take_a_digest_out, true},
      {"second try", bundles.good, try_a_test_again, true},
      {"time", bundles.good, let_time_go_back, true},
  };
  for (const auto& one : kChanges) {
    SCOPED_TRACE(one.name);
    Words says;
    const Ending ending = changed(one.of, one.change, one.again, {}, says);
    expect_told(ending, says);
  }
  // Words that were sent, and others that came back.
  expect_told(verify(bundles.good, {"--challenge", kOtherWords}),
              {std::string("challenge: the bundle answers '") + kWords + "', not '" + kOtherWords + "'",
               "seed: it is ", "order: step "});
  // Bytes that say the same.
  const TemporaryFolder folder;
  const BundleCopy copy(bundles.good);
  copy.write(folder.file("bundle"));
  std::ofstream(folder.file("bundle") + "/report.json") << copy.report.dump() << "\n";
  const Ending anew = verify(folder.file("bundle"));
  expect_told(anew, {"report: its bytes are not the ones that the transcript's last line was made of"});
  EXPECT_EQ(findings_in(anew.out), 1U) << anew.out;
  // A last line that is half a line.
  copy.write(folder.file("cut"));
  const std::string path = folder.file("cut") + "/transcript.jsonl";
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 40);
  expect_told(verify(folder.file("cut")), {"it is cut off in the middle", "it has no seal"});
  // A digest that fits everywhere is told by a replay alone.
  Words says;
  const Ending unseen = changed(bundles.good, change_a_digest, true, {}, says);
  EXPECT_EQ(unseen.exit_code, 0) << unseen.out;
  const Ending seen = changed(bundles.good, change_a_digest, true, {"--replay", "all"}, says);
  expect_told(seen, says);
  EXPECT_EQ(findings_in(seen.out), 1U) << seen.out;
}

TEST(Verify, AcceptsWhatWasNotChangedAndEndsAsTheRun) {
  const Bundles bundles;
  EXPECT_EQ(bundles.good_run.exit_code, 0) << bundles.good_run.out << bundles.good_run.err;
  EXPECT_NE(bundles.good_run.out.find("tamper-evident, not proof of hardware"), std::string::npos)
      << bundles.good_run.out;
  const Ending good = verify(bundles.good, {"--challenge", kWords});
  EXPECT_EQ(good.exit_code, 0) << good.out << good.err;
  EXPECT_EQ(findings_in(good.out), 0U) << good.out;
  for (const char* word :
       {"the bundle holds", "tamper-evident, not proof of hardware", ": conformant", "--replay"})
    EXPECT_NE(good.out.find(word), std::string::npos) << good.out;
  // A copy through our own hands is the same one.
  Words says;
  EXPECT_EQ(changed(
                bundles.good, [](BundleCopy&) { return Words(); }, true, {}, says)
                .exit_code,
            0);
  // An honest failure is one.
  EXPECT_EQ(bundles.bad_run.exit_code, 1);
  const Ending bad = verify(bundles.bad);
  EXPECT_EQ(bad.exit_code, 1) << bad.out << bad.err;
  EXPECT_EQ(findings_in(bad.out), 0U) << bad.out;
  for (const char* word : {"the bundle holds", "not conformant"})
    EXPECT_NE(bad.out.find(word), std::string::npos) << bad.out;

  const BundleCopy copy(bundles.good);
  expect_valid(read_text(bundles.good + "/report.json"));
  expect_consistent(copy.report);
  std::set<std::string> kinds;
  for (const json& line : copy.lines) {
    const char* const kind = line.contains("begin")    ? "begin"
                             : line.contains("end")    ? "end"
                             : line.contains("schema") ? "header"
                                                       : "seal";
    // A validator for each of hundreds of lines would take minutes.
    if (kinds.insert(kind).second) expect_valid(line.dump(), "xhal-conform-transcript");
  }
  EXPECT_EQ(kinds.size(), 4U);
  std::set<std::string> faults;
  for (const json& control : copy.report.at("evidence").at("controls")) {
    faults.insert(control.at("fault"));
    EXPECT_TRUE(control.at("noticed")) << control;
  }
  EXPECT_EQ(faults.size(), 8U);
}

}  // namespace
}  // namespace xhal::test
