// SPDX-License-Identifier: Apache-2.0
// Runs that answer a challenge: what they take and refuse, whom they find out, and what of them can be repeated.
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>

#include "bundle.hpp"
#include "fifo.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;
using nlohmann::json;

const Words kFew = {"--level", "core", "--filter", "memory.copy_small/*"};

TEST(Challenge, WrongWordsAreRefused) {
  const TemporaryFolder folder;
  const std::string bundle = folder.file("bundle");
  const Words good = driver("minimal") + kFew + Words{"--challenge", kWords, "--bundle", bundle};
  const Environment base = mutant("minimal");
  expect_refused(driver("minimal") + Words{"--challenge", kWords}, 2, "--bundle", base);
  expect_refused(driver("minimal") + Words{"--bundle", bundle}, 2, "--challenge", base);
  for (const char* words :
       {"short", "", " a blank at its beginning", "two\nlines of it", "w\xC3\xB6rter in Umlauten"})
    expect_refused(driver("minimal") + Words{"--challenge", words, "--bundle", bundle}, 2, "", base);
  for (const Words& more : std::vector<Words>{{"--seed", "1"},
                                              {"--no-shuffle"},
                                              {"--jobs", "2"},
                                              {"--resume", folder.file("journal")},
                                              {"--shard", "1/2"},
                                              {"--list"},
                                              {"--in-process", "device.uuid"}})
    expect_refused(good + more, 2, "", base);
  Environment layered = base;
  layered["XHAL_LAYERS"] = "faults";
  expect_refused(good, 2, "XHAL_LAYERS is set", layered);
  Environment sharded = base;
  sharded["GTEST_TOTAL_SHARDS"] = "2";
  sharded["GTEST_SHARD_INDEX"] = "0";
  expect_refused(good, 2, "not by shards", sharded);
  std::ofstream(folder.file("file")) << "x";
  expect_refused(driver("minimal") + Words{"--challenge", kWords, "--bundle", folder.file("file")}, 2,
                 "--bundle", base);
  EXPECT_EQ(answer(bundle, driver("minimal") + kFew, base).exit_code, 0);
  expect_refused(good, 2, "empty or not there", base);
}

TEST(Challenge, GivesOneOrderAndOneDataAndAnotherGivesOthers) {
  const auto order = [](const std::string& folder) {
    Words out;
    const BundleCopy copy(folder);
    for (const json& line : copy.lines) {
      if (line.contains("begin")) out.push_back(line.at("begin"));
    }
    return out;
  };
  const TemporaryFolder folder;
  const Words arguments = Words{"--backend", "sim"} + kFew;
  for (const char* name : {"one", "same"}) EXPECT_EQ(answer(folder.file(name), arguments).exit_code, 0);
  EXPECT_EQ(answer(folder.file("other"), arguments, {}, "nine herons over the estuary").exit_code, 0);
  EXPECT_EQ(order(folder.file("one")), order(folder.file("same")));
  EXPECT_NE(order(folder.file("one")), order(folder.file("other")));
  const auto digests = [](const std::string& path) {
    std::map<std::string, std::string> out;
    const BundleCopy copy(path);
    for (const json& test : copy.report.at("tests")) {
      if (test.contains("digest") && test.at("digest").at("bytes") > 0)
        out[test.at("id")] = test.at("digest").at("sha256");
    }
    return out;
  };
  const auto one = digests(folder.file("one"));
  const auto other = digests(folder.file("other"));
  EXPECT_FALSE(one.empty());
  EXPECT_EQ(one, digests(folder.file("same")));
  for (const auto& [test, digest] : one) EXPECT_NE(digest, other.at(test)) << test;
  const Ending filtered = verify(folder.file("one"));
  EXPECT_EQ(filtered.exit_code, 1) << filtered.out;
  EXPECT_EQ(findings_in(filtered.out), 0U) << filtered.out;
  EXPECT_NE(filtered.out.find("a filter left tests out"), std::string::npos) << filtered.out;
  EXPECT_NE(filtered.out.find("not judged"), std::string::npos) << filtered.out;
}

TEST(Challenge, WhatIsNoBundleIsRefused) {
  const TemporaryFolder folder;
  expect_refused({"verify"}, 2);
  expect_refused({"verify", ""}, 2);
  expect_refused({"verify", folder.file("nowhere")}, 2, "transcript.jsonl");
  std::ofstream(folder.file("file")) << "x";
  expect_refused({"verify", folder.file("file")}, 2, "transcript.jsonl");
  for (const char* replay : {"0", "-1", "many", "1.5", "3x", ""})
    expect_refused({"verify", folder.file("nowhere"), "--replay", replay}, 2, "--replay");
  expect_refused({"verify", folder.file("nowhere"), "--challenge", "short"}, 2, "--challenge");
  expect_refused({"--backend", "sim", "verify", folder.file("nowhere")}, 2, "no option of verify");
  // A report of another run, and none at all.
  const std::string other = folder.file("other");
  std::filesystem::create_directory(other);
  std::ofstream(other + "/transcript.jsonl") << "{}\n";
  std::ofstream(other + "/report.json") << "no JSON";
  expect_refused({"verify", other}, 2, "this is no JSON");
  std::ofstream(other + "/report.json") << judge(driver("minimal") + kFew, mutant("minimal")).report_text;
  expect_refused({"verify", other}, 2, "without --challenge");
}

TEST(Challenge, GarbageInATranscriptIsNamedByItsLine) {
  const TemporaryFolder folder;
  const std::string bundle = folder.file("bundle");
  ASSERT_EQ(answer(bundle, driver("minimal") + kFew, mutant("minimal")).exit_code, 0);
  const std::string path = bundle + "/transcript.jsonl";
  const std::string whole = read_text(path);
  const size_t second = whole.find('\n') + 1;
  for (const auto& [text, says] : std::vector<std::pair<std::string, std::string>>{
           {"", "it has no header"},
           {"garbage\n", "line 1: this is no line of a transcript"},
           {"{\"schema\":\"xhal-conform-transcript/1\",\"challenge\":7,\"report\":{}}\n",
            "line 1: this is no line"},
           {"{\"schema\":\"xhal-conform-transcript/1\",\"challenge\":\"x\",\"report\":{}}\n",
            "its report cannot be read"},
           {whole.substr(0, second) + "[]\n" + whole.substr(second),
            "line 2: this is no line of a transcript"},
           {whole.substr(0, second) + "{\"begin\":{}}\n", "line 2: "},
           {whole + whole.substr(second, whole.find('\n', second) + 1 - second),
            "this is no line of a transcript"}}) {
    std::ofstream(path) << text;
    const Ending ending = verify(bundle);
    EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
    EXPECT_NE(ending.out.find(says), std::string::npos) << says << "\n" << ending.out;
    EXPECT_EQ(ending.err, "") << says;
  }
}

TEST(Challenge, WaiversAreAppliedAgain) {
  const TemporaryFolder folder;
  const std::string waivers = folder.file("waivers.toml");
  std::ofstream(waivers)
      << "[[waiver]]\ntest = \"device.links\"\nreason = \"it has none\"\n"
         "link = \"https://example.org/bug/1\"\nexpires = 2999-01-01\nmessage = \"XHAL-\"\n";
  const std::string bundle = folder.file("bundle");
  const Words arguments =
      driver("minimal") + Words{"--level", level_file(folder, "device.*"), "--waivers", waivers};
  EXPECT_EQ(answer(bundle, arguments, mutant("minimal", "nothing:device_get_link")).exit_code, 1);
  for (const auto& [more, exit_code] :
       std::vector<std::pair<Words, int>>{{{}, 1}, {{"--allow-waivers"}, 0}}) {
    const Ending ending = verify(bundle, more);
    EXPECT_EQ(ending.exit_code, exit_code) << ending.out << ending.err;
    EXPECT_EQ(findings_in(ending.out), 0U) << ending.out;
    EXPECT_NE(ending.out.find("conformant with waivers"), std::string::npos) << ending.out;
  }
}

// An interrupted answer is told as one, and is never good enough: whoever could go on could choose what to try again.
class Interrupted : public testing::TestWithParam<int> {};

TEST_P(Interrupted, IsToldAndNotAccepted) {
  const TemporaryFolder folder;
  const Fifo fifo(folder.file("reached"));
  Environment environment = mutant("minimal", "block:device_get_link");
  environment["MUTANT_FIFO"] = fifo.path();
  const std::string bundle = folder.file("bundle");
  Program program(
      Words{XHAL_CONFORM_PROGRAM} + driver("minimal") +
          Words{"--level", "core", "--filter", "device.*", "--challenge", kWords, "--bundle", bundle},
      environment);
  ASSERT_TRUE(fifo.wait_for_the_driver()) << program.out() << program.err();
  kill(program.pid(), GetParam());
  EXPECT_EQ(program.wait(), GetParam() == SIGINT ? 130 : 128 + GetParam());
  const Ending ending = verify(bundle);
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  const Words says = GetParam() == SIGINT
                         ? Words{"device.links has no outcome: the run was interrupted in it"}
                         : Words{"report.json is missing: the run was killed"};
  for (const std::string& word : says) EXPECT_NE(ending.out.find(word), std::string::npos) << ending.out;
}

INSTANTIATE_TEST_SUITE_P(Signals, Interrupted, testing::Values(SIGINT, SIGKILL));

#ifdef XHAL_CONFORM_HAS_KERNELS
TEST(Challenge, FindsADriverThatKnowsKernelsByTheirNames) {
  const Words arguments = driver("sim") + Words{"--filter", "kernel.info", "--filter", "stream.order*"};
  const Environment cheat = mutant("sim", "names:module_get_kernel");
  EXPECT_EQ(judge(arguments, cheat).exit_code, 0);
  const TemporaryFolder folder;
  EXPECT_EQ(answer(folder.file("cheat"), arguments, cheat).exit_code, 1);
  EXPECT_NE(outcome_of(BundleCopy(folder.file("cheat")).report, "kernel.info"), "passed");
  EXPECT_EQ(answer(folder.file("honest"), arguments, mutant("sim")).exit_code, 0);
  const json report = BundleCopy(folder.file("honest")).report;
  EXPECT_EQ(outcome_of(report, "kernel.info"), "passed");
  EXPECT_EQ(report.at("evidence").at("kernel_names"), "derived");
  const Ending ending = verify(folder.file("cheat"));
  EXPECT_EQ(findings_in(ending.out), 0U) << ending.out;
  EXPECT_EQ(ending.exit_code, 1);
}

TEST(Challenge, TellsWhereKernelsKeptTheirNames) {
  const TemporaryFolder folder;
  // Nothing but built-in kernels is there to be loaded.
  const std::string pack = folder.file("pack");
  std::filesystem::create_directory(pack);
  std::ofstream(pack + "/manifest.json") << R"({"schema": 1, "pack": "xhal", "images": []})";
  const std::string bundle = folder.file("bundle");
  const Ending run = answer(bundle, {"--backend", "sim", "--filter", "kernel.info", "--kernels", pack});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  const std::string why = "built-in kernels are asked for by the pack's names";
  EXPECT_EQ(BundleCopy(bundle).report.at("evidence").at("kernel_names"), why);
  EXPECT_NE(run.out.find(why), std::string::npos) << run.out;
  const Ending ending = verify(bundle);
  EXPECT_EQ(findings_in(ending.out), 0U) << ending.out;
  EXPECT_NE(ending.out.find("note: kernels kept their names: " + why), std::string::npos) << ending.out;
}

// Images are there that would be renamed, but what the manifest says of them is for later readers.
TEST(Challenge, APackOfAnotherSchemaIsNotRead) {
  namespace fs = std::filesystem;
  const TemporaryFolder folder;
  const fs::path pack = folder.file("pack");
  fs::copy(fs::path(XHAL_CONFORM_PROGRAM).parent_path().parent_path() / "share/xhal/kernels", pack);
  json manifest = json::parse(std::ifstream(pack / "manifest.json"));
  manifest["schema"] = 2;
  std::ofstream(pack / "manifest.json") << manifest;
  const std::string bundle = folder.file("bundle");
  const Ending run =
      answer(bundle, {"--backend", "sim", "--filter", "kernel.info", "--kernels", pack.string()});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  EXPECT_EQ(BundleCopy(bundle).report.at("evidence").at("kernel_names"),
            "built-in kernels are asked for by the pack's names");
}
#endif

// Each test that counts as bit-exact has the same digest in another order, another process and without the controls between.
TEST(Challenge, DigestsAreTheSameInAnotherOrder) {
  const TemporaryFolder folder;
  const std::string bundle = folder.file("bundle");
  const Ending run = answer(bundle, {"--backend", "sim", "--filter", "memory.fill*", "--filter", "stream.*",
                                     "--filter", "pool.*", "--filter", "ipc.*", "--filter", "program.*"});
  EXPECT_EQ(run.exit_code, 0) << run.out;
  const Ending ending = verify(bundle, {"--replay", "all"});
  EXPECT_EQ(findings_in(ending.out), 0U) << ending.out;
  EXPECT_NE(ending.out.find(", 0 digests differ"), std::string::npos) << ending.out;
}

// Digests do not depend on the device: those of the example driver, which is synchronous and does no more than it must, come out of the simulator.
TEST(Challenge, DigestsOfAnotherDriverComeOutOfTheSimulator) {
  const TemporaryFolder folder;
  const std::string bundle = folder.file("bundle");
  const Ending run = answer(bundle, driver("minimal") + Words{"--level", "core"}, mutant("minimal"));
  EXPECT_EQ(run.exit_code, 0) << run.out;
  const Ending ending = verify(bundle, {"--replay", "200", "--challenge", kWords});
  EXPECT_EQ(ending.exit_code, 0) << ending.out;
  EXPECT_NE(ending.out.find(", 0 digests differ"), std::string::npos) << ending.out;
  EXPECT_NE(ending.out.find("verdict of the run, level core: conformant"), std::string::npos) << ending.out;
}

TEST(Challenge, IsSaidInEveryFormOfTheReport) {
  const TemporaryFolder folder;
  const std::string bundle = folder.file("bundle");
  ASSERT_EQ(answer(bundle, driver("minimal") + kFew, mutant("minimal")).exit_code, 0);
  const Ending made =
      run_conform({"report", bundle + "/report.json", "--report", "html=" + folder.file("page.html"),
                   "--report", "markdown=" + folder.file("comment.md")});
  EXPECT_EQ(made.exit_code, 0) << made.err;
  EXPECT_NE(read_text(folder.file("page.html")).find("tamper-evident, not proof of hardware"),
            std::string::npos);
  // A hyphen is no letter to Markdown.
  EXPECT_NE(read_text(folder.file("comment.md")).find("tamper&#45;evident, not proof of hardware"),
            std::string::npos);
}

}  // namespace
}  // namespace xhal::test
