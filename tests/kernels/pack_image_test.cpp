// SPDX-License-Identifier: Apache-2.0
// What the images of the pack say about themselves, and the manifest about them.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "native_harness.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file

struct Parameter {
  const char* name;
  std::uint32_t kind;
  std::uint32_t access;
  std::uint32_t size;
};

constexpr std::uint32_t kRead = XHAL_NATIVE_ACCESS_READ;
constexpr std::uint32_t kWrite = XHAL_NATIVE_ACCESS_WRITE;

Parameter value(const char* name, std::uint32_t size) { return {name, XHAL_NATIVE_PARAM_VALUE, 0, size}; }
Parameter memory(const char* name, std::uint32_t access) {
  return {name, XHAL_NATIVE_PARAM_GLOBAL, access, 8};
}
Parameter local(const char* name) { return {name, XHAL_NATIVE_PARAM_LOCAL, 0, 0}; }

// The table of kernels/README.md.
const std::map<std::string, std::vector<Parameter>>& described_kernels() {
  static const std::map<std::string, std::vector<Parameter>> kernels = {
      {"xhal_fill_u32", {memory("dst", kWrite), value("value", 4), value("n", 8)}},
      {"xhal_copy_u32", {memory("dst", kWrite), memory("src", kRead), value("n", 8)}},
      {"xhal_iota_u32", {memory("dst", kWrite), value("start", 4), value("step", 4), value("n", 8)}},
      {"xhal_axpy_f32", {memory("y", kRead | kWrite), memory("x", kRead), value("a", 4), value("n", 8)}},
      {"xhal_reduce_u32", {memory("sums", kWrite), memory("src", kRead), value("n", 8), local("scratch")}},
      {"xhal_fold_u64", {memory("cells", kRead | kWrite), value("op", 8), value("n", 8)}},
      {"xhal_fold2_u64",
       {memory("dst", kRead | kWrite), memory("src", kRead), value("op", 8), value("n", 8)}},
      {"xhal_gate_u32", {memory("flag", kRead | kWrite), value("open", 4), memory("entered", kWrite)}},
      {"xhal_chase_u64", {memory("out", kWrite), memory("head", kRead), value("steps", 4)}},
      {"xhal_ids_u32", {memory("out", kWrite)}},
      {"xhal_trap_u32", {memory("flag", kRead)}},
  };
  return kernels;
}

class PackImage : public testing::TestWithParam<const char*> {
 protected:
  // Reading an image's tables needs no processor that could run it.
  const xhal_native_image& image_ = load_image(XHAL_KERNEL_DIR, "xhal", GetParam());
};

TEST_P(PackImage, HeaderIsThatOfTheInterface) {
  EXPECT_EQ(image_.magic, XHAL_NATIVE_IMAGE_MAGIC);
  EXPECT_EQ(image_.struct_size, sizeof(xhal_native_image));
  EXPECT_EQ(image_.kernel_struct_size, sizeof(xhal_native_kernel));
  EXPECT_STREQ(image_.target, GetParam());
}

TEST_P(PackImage, KernelsAndParametersAreTheDescribedOnes) {
  ASSERT_EQ(image_.kernel_count, described_kernels().size());
  for (const auto& [name, parameters] : described_kernels()) {
    SCOPED_TRACE(name);
    const xhal_native_kernel& kernel = find_kernel(image_, name);
    ASSERT_EQ(kernel.param_count, parameters.size());
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      SCOPED_TRACE(parameters[i].name);
      EXPECT_STREQ(kernel.params[i].name, parameters[i].name);
      EXPECT_EQ(kernel.params[i].kind, parameters[i].kind);
      EXPECT_EQ(kernel.params[i].access, parameters[i].access);
      EXPECT_EQ(kernel.params[i].size, parameters[i].size);
      // Scalars and pointers are aligned to their size; local memory has none of its own.
      EXPECT_EQ(kernel.params[i].alignment, parameters[i].size != 0 ? parameters[i].size : 128);
    }
    EXPECT_EQ(kernel.max_group_size, 1024U);
    EXPECT_EQ(kernel.static_local_bytes, 0U);
    EXPECT_EQ(kernel.uses_barrier, name == "xhal_reduce_u32" ? 1U : 0U);
  }
}

std::string level_name(const testing::TestParamInfo<const char*>& target) {
  return std::string(target.param).substr(std::string("x86-64-").size());
}
INSTANTIATE_TEST_SUITE_P(Targets, PackImage, testing::ValuesIn(kTargets), level_name);

TEST(PackManifest, NamesEveryImageAndItsKernels) {
  std::ifstream stream(XHAL_KERNEL_DIR "/manifest.json");
  const nlohmann::json manifest = nlohmann::json::parse(stream);
  EXPECT_EQ(manifest.at("schema"), 1);
  EXPECT_EQ(manifest.at("pack"), "xhal");
  const nlohmann::json& images = manifest.at("images");
  ASSERT_EQ(images.size(), kTargets.size());
  for (std::size_t i = 0; i < kTargets.size(); ++i) {
    EXPECT_EQ(images[i].at("format"), "native");
    EXPECT_EQ(images[i].at("target"), kTargets[i]);
    EXPECT_EQ(images[i].at("file"), "xhal_pack.native." + std::string(kTargets[i]) + ".so");
    std::map<std::string, int> named;
    for (const auto& kernel : images[i].at("kernels")) ++named[kernel.get<std::string>()];
    ASSERT_EQ(named.size(), described_kernels().size());
    for (const auto& [name, count] : named) {
      EXPECT_EQ(count, 1) << name;
      EXPECT_TRUE(described_kernels().contains(name)) << name;
    }
  }
}

}  // namespace
