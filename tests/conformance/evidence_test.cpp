// SPDX-License-Identifier: Apache-2.0
// The parts behind challenges, each alone.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
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
  rename_kernels(names, "k", "native", image);
  EXPECT_EQ(text_of(image),
            "code\0"s + fold + "\0"s + two + "\0"s + fold + "_run\0unfold\0"s + two + ".resume\0"s);
  auto without = bytes_of("code\0fold\0"s);
  EXPECT_THROW(rename_kernels(names, "k", "native", without), std::runtime_error);
  // A name that is only the beginning of others is not there.
  auto part = bytes_of("fold_run\0fold_two\0"s);
  EXPECT_THROW(rename_kernels(std::vector<std::string>{"fold"}, "k", "native", part), std::runtime_error);
}

TEST(KernelNames, OfATextAreMacros) {
  auto image = bytes_of("#define OF(type) kernel void fold_##type(global type* x) {}\nOF(int)\n");
  rename_kernels(std::vector<std::string>{"fold_int"}, "k", "opencl-c", image);
  EXPECT_EQ(text_of(image),
            "typedef int xhal_renamed_text;\n#if 1\n#define fold_int " + kernel_name_of("k", "fold_int") +
                "\n#define OF(type) kernel void fold_##type(global type* x) {}\nOF(int)\n" + "\n#endif\n");
}

TEST(KernelNames, AreKeptWhereNoWayIsKnown) {
  for (const char* format : {"native", "spirv", "opencl-c"}) EXPECT_EQ(why_names_are_kept(format), "");
  EXPECT_NE(why_names_are_kept("builtin").find("built-in"), std::string::npos);
  EXPECT_NE(why_names_are_kept("hsaco").find("hsaco"), std::string::npos);
}

#ifdef XHAL_PACK_HAS_TEXT
// The pack's own images, as the tools that made them see them afterwards.
struct RenamedImage {
  std::vector<std::string> names;
  std::string path;
  std::string text;
};

std::string read_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

RenamedImage renamed_image(const std::string& format, const std::string& target) {
  const auto manifest = nlohmann::json::parse(read_text(XHAL_KERNEL_DIR "/manifest.json"));
  for (const auto& image : manifest.at("images")) {
    if (image.at("format") != format || image.at("target") != target) continue;
    RenamedImage out;
    out.names = image.at("kernels").get<std::vector<std::string>>();
    for (const auto& global : image.at("globals")) out.names.push_back(global);
    auto bytes = bytes_of(read_text(XHAL_KERNEL_DIR "/" + image.at("file").get<std::string>()));
    rename_kernels(out.names, "k", format, bytes);
    out.text = text_of(bytes);
    out.path = XHAL_RENAMED_DIR "/renamed." + format;
    std::ofstream(out.path, std::ios::binary) << out.text;
    return out;
  }
  ADD_FAILURE() << "no image " << format << " " << target;
  return {};
}

TEST(KernelNames, ACompilerFindsTheDerivedOnesInTheText) {
  const RenamedImage image = renamed_image("opencl-c", "2.0");
  const std::string command = "\"" XHAL_KERNEL_CLANG
                              "\" -x cl -cl-std=CL2.0 --target=spir64 -Xclang -disable-llvm-passes -S "
                              "-emit-llvm -o '" +
                              image.path + ".ll' '" + image.path + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const std::string module = read_text(image.path + ".ll");
  ASSERT_GT(image.names.size(), 50U);
  for (const std::string& name : image.names) {
    EXPECT_NE(module.find("@" + kernel_name_of("k", name)), std::string::npos) << name;
    EXPECT_EQ(module.find("@" + name + "("), std::string::npos) << name;
  }
}

#ifdef XHAL_KERNEL_SPIRV_VAL
TEST(KernelNames, SpirvStaysValidAndTellsNoneOfTheOldOnes) {
  const RenamedImage image = renamed_image("spirv", "1.0");
  ASSERT_GT(image.names.size(), 50U);
  for (const std::string& name : image.names) {
    EXPECT_NE(image.text.find(kernel_name_of("k", name) + '\0'), std::string::npos) << name;
    EXPECT_EQ(image.text.find(name), std::string::npos) << name;
  }
  EXPECT_EQ(std::system(("\"" XHAL_KERNEL_SPIRV_VAL "\" --target-env spv1.0 '" + image.path + "'").c_str()),
            0);
}
#endif
#endif

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
