// SPDX-License-Identifier: Apache-2.0
// The parts behind challenges, each alone.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <span>

#include "evidence/challenge.h"
#include "evidence/controls.h"
#include "frame/digest.h"
#include "frame/kernel_names.h"
#include "run/run.h"

namespace xhal::conformance {
namespace {

std::vector<unsigned char> bytes_of(const std::string& text) { return {text.begin(), text.end()}; }
std::string text_of(const std::vector<unsigned char>& bytes) { return {bytes.begin(), bytes.end()}; }

TEST(Challenge, GivesNumbersThatFollowFromWordsAndCommit) {
  const Challenge one("seven herons over the estuary", "abc");
  EXPECT_EQ(one.seed(), Challenge("seven herons over the estuary", "abc").seed());
  EXPECT_LE(one.seed(), kLargestSeed);
  std::set<uint64_t> numbers = {one.seed(), one.control_seed()};
  std::set<std::string> keys = {one.kernel_key()};
  for (const Challenge& other : {Challenge("seven herons over the estuarz", "abc"),
                                 Challenge("seven herons over the estuary", "abd")}) {
    numbers.insert({other.seed(), other.control_seed()});
    keys.insert(other.kernel_key());
  }
  EXPECT_EQ(numbers.size(), 6U);
  EXPECT_EQ(keys.size(), 3U);
}

TEST(Digest, DoesNotDependOnOrderOrRepetition) {
  const auto add = [](Digest& digest, const std::string& text) {
    digest.add(std::as_bytes(std::span(text)));
  };
  Digest one;
  Digest other;
  for (const char* text : {"a", "bc", ""}) add(one, text);
  for (const char* text : {"", "bc", "a", "bc"}) add(other, text);
  EXPECT_EQ(one.text(), other.text());
  EXPECT_EQ(one.bytes(), 3U);
  // Where one array ends and the next begins counts.
  Digest joined;
  for (const char* text : {"ab", "c", ""}) add(joined, text);
  EXPECT_NE(one.text(), joined.text());
  EXPECT_NE(Digest().text(), one.text());
}

TEST(KernelNames, AreAsLongAndOthersForAnotherKey) {
  const std::string name = kernel_name_of("key", "xhal_fold_u64");
  EXPECT_EQ(name.size(), 13U);
  EXPECT_EQ(name, kernel_name_of("key", "xhal_fold_u64"));
  EXPECT_NE(name, kernel_name_of("kez", "xhal_fold_u64"));
  EXPECT_NE(name, kernel_name_of("key", "xhal_fill_u32"));
  EXPECT_EQ(name.find("xhal"), std::string::npos);
}

TEST(KernelNames, ReplaceWholeNamesAndTheirSymbolsInAnImage) {
  const std::vector<std::string> names = {"fold", "fold_two"};
  const std::string fold = kernel_name_of("k", "fold");
  const std::string two = kernel_name_of("k", "fold_two");
  using namespace std::string_literals;
  auto image = bytes_of("code\0fold\0fold_two\0fold_run\0unfold\0fold_two.resume\0"s);
  rename_kernels(names, "k", image);
  EXPECT_EQ(text_of(image),
            "code\0"s + fold + "\0"s + two + "\0"s + fold + "_run\0unfold\0"s + two + ".resume\0"s);
  auto without = bytes_of("code\0fold\0"s);
  EXPECT_THROW(rename_kernels(names, "k", without), std::runtime_error);
  // A name that is only the beginning of others is not there.
  auto part = bytes_of("fold_run\0fold_two\0"s);
  EXPECT_THROW(rename_kernels(std::vector<std::string>{"fold"}, "k", part), std::runtime_error);
}

TEST(Controls, ThatWereNotNoticedSpoilEveryLevel) {
  Report report;
  report.verdict.verdict = Verdict::kConformant;
  report.levels = {report.verdict, report.verdict};
  apply_controls(report);
  EXPECT_EQ(report.verdict.verdict, Verdict::kConformant) << "no challenge, no controls";
  report.evidence.emplace();
  report.evidence->controls = {{3, "a_fault", "XHAL-ABI-1", "a.test", "failed", true, ""}};
  apply_controls(report);
  EXPECT_EQ(report.verdict.verdict, Verdict::kConformant);
  report.evidence->controls.push_back({4, "another_fault", "XHAL-ABI-2", "b.test", "passed", false, ""});
  apply_controls(report);
  for (const LevelVerdict& level : {report.verdict, report.levels[0], report.levels[1]}) {
    EXPECT_EQ(level.verdict, Verdict::kNotConformant);
    ASSERT_EQ(level.reasons.size(), 1U);
    EXPECT_NE(level.reasons[0].find("another_fault"), std::string::npos) << level.reasons[0];
  }
}

}  // namespace
}  // namespace xhal::conformance
