// SPDX-License-Identifier: Apache-2.0
// A device whose kernel pack was made without what OpenCL C 1.2 does not promise: what is left is judged, and what is lacking stands in the
// report. What every image must have is not excused.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

// Of OpenCL C 1.2 and nothing else.
const std::string kLean = XHAL_LEAN_KERNELS;

const Environment kWithoutF64 = {
    {"XHAL_SIM", "features=-builtin_kernels"}, {"XHAL_LAYERS", "variants"}, {"XHAL_VARIANTS", "name=no_f64"}};

Ending judge_lean(const Words& filters, const std::string& kernels, const Environment& environment) {
  Words words = {"--backend", "sim", "--level", "full", "--kernels", kernels};
  for (const std::string& filter : filters) words.insert(words.end(), {"--filter", filter});
  return judge(words, environment);
}

std::string message_of(const nlohmann::json& report, const std::string& id) {
  const nlohmann::json* const test = find_test(report, id);
  return test == nullptr ? "there is no such test" : test->at("message").get<std::string>();
}

TEST(LeanPack, LacksWhatItIsMadeWithout) {
  const auto manifest = nlohmann::json::parse(read_text(kLean + "/manifest.json"));
  for (const auto& image : manifest.at("images")) {
    const auto kernels = image.at("kernels").get<std::set<std::string>>();
    for (const char* name : {"xhal_fill_f64", "xhal_atomics_u64", "xhal_local_atomics_u64", "xhal_kept_u64"})
      EXPECT_FALSE(kernels.contains(name)) << name;
    for (const char* name : {"xhal_fill_f32", "xhal_fill_f16", "xhal_atomics_u32", "xhal_trap_u32"})
      EXPECT_TRUE(kernels.contains(name)) << name;
    EXPECT_TRUE(image.at("globals").empty()) << image.at("globals");
  }
}

TEST(LeanPack, IsJudgedByWhatItHas) {
  const Ending ending = judge_lean({"kernel.*", "module.*"}, kLean, kWithoutF64);
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  expect_valid(ending.report_text);
  expect_consistent(ending.report);
  std::map<std::string, std::string> lacking;
  for (const auto& test : ending.report.at("tests")) {
    const std::string message = test.at("message");
    if (message.find(" needs ") != std::string::npos && message.starts_with("not observed: "))
      lacking[test.at("id")] = message.substr(message.find(" needs ") + 7);
  }
  const std::string f64 = "f64, which its dtype_mask does not hold";
  const std::string atomics = "64-bit atomics, without which the image was made";
  const std::string globals = "global variables, without which the image was made";
  const std::map<std::string, std::string> expected = {
      {"kernel.elements/type=f64,n=0", f64},
      {"kernel.elements/type=f64,n=1", f64},
      {"kernel.elements/type=f64,n=63", f64},
      {"kernel.elements/type=f64,n=1000", f64},
      {"kernel.elements/type=f64,n=4099", f64},
      {"kernel.items_together/kernel=xhal_atomics_u64", atomics},
      {"kernel.items_together/kernel=xhal_local_atomics_u64", atomics},
      {"module.global_address", globals},
      {"module.global_name", globals},
      {"module.global_values", globals},
      {"module.globals_apart", globals},
      {"module.globals_in_flight/hold=host_function", globals},
      {"module.globals_in_flight/hold=kernel", globals}};
  EXPECT_EQ(lacking, expected);
  EXPECT_EQ(outcome_of(ending.report, "kernel.elements/type=f16,n=4099"), "passed");
  EXPECT_EQ(outcome_of(ending.report, "kernel.items_together/kernel=xhal_atomics_u32"), "passed");
}

TEST(LeanPack, BuiltInKernelsMayLackTheSame) {
  const Ending ending =
      judge_lean({"builtin.*"}, kLean, {{"XHAL_LAYERS", "variants"}, {"XHAL_VARIANTS", "name=no_f64"}});
  EXPECT_EQ(ending.exit_code, 0) << ending.out << ending.err;
  EXPECT_EQ(message_of(ending.report, "builtin.elements/type=f64"),
            "not observed: xhal_fill_f64 needs f64, which its dtype_mask does not hold");
  EXPECT_EQ(outcome_of(ending.report, "builtin.every_kernel_is_there"), "passed");
  EXPECT_EQ(outcome_of(ending.report, "builtin.items_together/kernel=xhal_atomics_u64"), "passed");
}

// The device computes in f64, so its image has to have the kernels.
TEST(LeanPack, F64IsExcusedByTheDeviceAlone) {
  const Ending ending =
      judge_lean({"kernel.elements/type=f64,n=63"}, kLean, {{"XHAL_SIM", "features=-builtin_kernels"}});
  EXPECT_EQ(ending.exit_code, 1) << ending.out;
  EXPECT_EQ(outcome_of(ending.report, "kernel.elements/type=f64,n=63"), "inconclusive");
  EXPECT_NE(message_of(ending.report, "kernel.elements/type=f64,n=63").find("has no xhal_fill_f64"),
            std::string::npos)
      << ending.out;
}

TEST(LeanPack, WhatEveryImageMustHaveIsNotExcused) {
  const TemporaryFolder folder;
  const std::string kernels = folder.file("pack");
  std::filesystem::copy(kLean, kernels);
  auto manifest = nlohmann::json::parse(read_text(kLean + "/manifest.json"));
  for (auto& image : manifest.at("images")) {
    auto& names = image.at("kernels");
    names.erase(std::find(names.begin(), names.end(), "xhal_iota_u32"));
  }
  std::ofstream(kernels + "/manifest.json") << manifest;
  const Ending ending = judge_lean({"kernel.fill_copy_iota/n=64", "kernel.ids/*"}, kernels, kWithoutF64);
  EXPECT_EQ(ending.exit_code, 1) << ending.out;
  EXPECT_EQ(tests_with(ending.report, "inconclusive"), Words{"kernel.fill_copy_iota/n=64"});
  EXPECT_NE(message_of(ending.report, "kernel.fill_copy_iota/n=64").find("has no xhal_iota_u32"),
            std::string::npos)
      << ending.out;
}

}  // namespace
}  // namespace xhal::test
