// SPDX-License-Identifier: Apache-2.0
// What the images of the pack say about themselves, and the manifest about them.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
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
  std::uint32_t alignment;
};

constexpr std::uint32_t kRead = XHAL_NATIVE_ACCESS_READ;
constexpr std::uint32_t kWrite = XHAL_NATIVE_ACCESS_WRITE;

Parameter value(const char* name, std::uint32_t size, std::uint32_t alignment = 0) {
  return {name, XHAL_NATIVE_PARAM_VALUE, 0, size, alignment != 0 ? alignment : size};
}
Parameter memory(const char* name, std::uint32_t access) {
  return {name, XHAL_NATIVE_PARAM_GLOBAL, access, 8, 8};
}
// Local memory has no alignment of its own.
Parameter local(const char* name) { return {name, XHAL_NATIVE_PARAM_LOCAL, 0, 0, 128}; }

void add_data_kernels(std::map<std::string, std::vector<Parameter>>* kernels, const std::string& type,
                      std::uint32_t size, bool computes) {
  const auto add = [&](const char* operation, std::vector<Parameter> parameters) {
    kernels->emplace(std::string("xhal_") + operation + "_" + type, std::move(parameters));
  };
  add("fill", {memory("dst", kWrite), value("value", size), value("n", 8)});
  add("copy", {memory("dst", kWrite), memory("src", kRead), value("n", 8)});
  add("iota", {memory("dst", kWrite), value("start", size), value("step", size), value("n", 8)});
  if (!computes) return;
  add("axpy", {memory("y", kRead | kWrite), memory("x", kRead), value("a", size), value("n", 8)});
  add("add", {memory("dst", kWrite), memory("a", kRead), memory("b", kRead), value("n", 8)});
}

// The table of kernels/README.md.
const std::map<std::string, std::vector<Parameter>>& described_kernels() {
  static const auto kernels = [] {
    std::map<std::string, std::vector<Parameter>> all = {
        {"xhal_reduce_u32", {memory("sums", kWrite), memory("src", kRead), value("n", 8), local("scratch")}},
        {"xhal_scan_u32", {memory("dst", kWrite), memory("src", kRead), value("n", 8), local("scratch")}},
        {"xhal_reverse_u32",
         {memory("dst", kWrite), memory("src", kRead), value("chunk", 4), value("n", 8), local("stage")}},
        {"xhal_transpose_u32",
         {memory("dst", kWrite), memory("src", kRead), value("rows", 4), value("columns", 4), local("tile")}},
        {"xhal_matmul_f32",
         {memory("c", kWrite), memory("a", kRead), memory("b", kRead), value("m", 4), value("n", 4),
          value("k", 4), local("tile_a"), local("tile_b")}},
        {"xhal_fold_u64", {memory("cells", kRead | kWrite), value("op", 8), value("n", 8)}},
        {"xhal_fold2_u64",
         {memory("dst", kRead | kWrite), memory("src", kRead), value("op", 8), value("n", 8)}},
        {"xhal_kept_u64", {memory("out", kWrite), value("op", 8), value("n", 8)}},
        {"xhal_gate_u32", {memory("flag", kRead | kWrite), value("open", 4), memory("entered", kWrite)}},
        {"xhal_spin_u64", {memory("cell", kRead | kWrite), value("turns", 8)}},
        {"xhal_chase_u64", {memory("out", kWrite), memory("head", kRead), value("steps", 4)}},
        {"xhal_ids_u32", {memory("out", kWrite)}},
        {"xhal_structs_u64",
         {memory("out", kWrite), value("color", 3, 1), value("pair", 16, 8), value("record", 56, 8),
          value("box", 32, 16), value("last", 4)}},
        {"xhal_meet_u64",
         {memory("cells", kRead | kWrite), memory("arrivals", kRead | kWrite), memory("quit", kRead),
          value("team_x", 4), value("team_y", 4), value("team_z", 4), value("rounds", 4), value("fails", 4),
          local("stage")}},
        {"xhal_trap_u32", {memory("flag", kRead)}},
    };
    for (const char* type : {"u32", "u64"}) {
      all[std::string("xhal_atomics_") + type] = {memory("cells", kRead | kWrite), memory("src", kRead),
                                                  value("n", 8)};
      all[std::string("xhal_local_atomics_") + type] = {memory("out", kWrite), memory("src", kRead),
                                                        value("n", 8)};
    }
    add_data_kernels(&all, "u32", 4, false);
    for (const auto& [type, size] : {std::pair{"i8", 1U},
                                     {"i16", 2U},
                                     {"i32", 4U},
                                     {"i64", 8U},
                                     {"f16", 2U},
                                     {"bf16", 2U},
                                     {"f32", 4U},
                                     {"f64", 8U}}) {
      add_data_kernels(&all, type, size, true);
    }
    return all;
  }();
  return kernels;
}

bool has_barriers(const std::string& kernel) {
  return kernel.starts_with("xhal_local_atomics_") || kernel == "xhal_reduce_u32" ||
         kernel == "xhal_scan_u32" || kernel == "xhal_reverse_u32" || kernel == "xhal_transpose_u32" ||
         kernel == "xhal_matmul_f32" || kernel == "xhal_meet_u64";
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
      EXPECT_EQ(kernel.params[i].alignment, parameters[i].alignment);
    }
    EXPECT_EQ(kernel.max_group_size, 1024U);
    EXPECT_EQ(kernel.static_local_bytes, name == "xhal_local_atomics_u32"   ? 36U
                                         : name == "xhal_local_atomics_u64" ? 72U
                                         : name == "xhal_meet_u64"          ? 4U
                                                                            : 0U);
    EXPECT_EQ(kernel.uses_barrier, has_barriers(name) ? 1U : 0U);
  }
}

// Of kernels/README.md: 13 u64 with values, one u32 that is zero.
TEST_P(PackImage, GlobalVariablesAreTheDescribedOnes) {
  ASSERT_EQ(image_.global_count, 2U);
  const xhal_native_global& kept = *image_.globals[0];
  EXPECT_STREQ(kept.name, "xhal_kept");
  EXPECT_EQ(kept.size, 104U);
  EXPECT_EQ(kept.alignment % 8, 0U);
  ASSERT_NE(kept.initial, nullptr);
  for (std::uint64_t i = 0; i < 13; ++i) {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const char*>(kept.initial) + 8 * i, sizeof word);
    EXPECT_EQ(word, (i + 1) * 0x9E3779B97F4A7C15U);
  }
  const xhal_native_global& items = *image_.globals[1];
  EXPECT_STREQ(items.name, "xhal_kept_items");
  EXPECT_EQ(items.size, 4U);
  EXPECT_EQ(items.alignment % 4, 0U);
  EXPECT_EQ(items.initial, nullptr);
}

std::string level_name(const testing::TestParamInfo<const char*>& target) {
  return std::string(target.param).substr(std::string("x86-64-").size());
}
INSTANTIATE_TEST_SUITE_P(Targets, PackImage, testing::ValuesIn(kTargets), level_name);

// The text of OpenCL C 1.2 and the SPIR-V of its environment know no variables of the module.
bool has_variables(const nlohmann::json& image) {
  return image.at("format") == "native" || image.at("target") == "2.0";
}

TEST(PackManifest, NamesEveryImageAndItsKernels) {
  std::ifstream stream(XHAL_KERNEL_DIR "/manifest.json");
  const nlohmann::json manifest = nlohmann::json::parse(stream);
  EXPECT_EQ(manifest.at("schema"), 1);
  EXPECT_EQ(manifest.at("pack"), "xhal");
  std::vector<std::string> files;
  for (const auto& image : manifest.at("images")) {
    const auto file = image.at("file").get<std::string>();
    SCOPED_TRACE(file);
    files.push_back(file);
    const std::string named = "xhal_pack." + image.at("format").get<std::string>() + "." +
                              image.at("target").get<std::string>() + ".";
    EXPECT_TRUE(file.starts_with(named));
    EXPECT_GT(std::filesystem::file_size(std::string(XHAL_KERNEL_DIR "/") + file), 1000U);
    std::map<std::string, int> kernels;
    for (const auto& kernel : image.at("kernels")) ++kernels[kernel.get<std::string>()];
    for (const auto& [name, count] : kernels) {
      EXPECT_EQ(count, 1) << name;
      EXPECT_TRUE(described_kernels().contains(name)) << name;
    }
    const bool variables = has_variables(image);
    EXPECT_EQ(kernels.size(), described_kernels().size() - (variables ? 0 : 1));
    EXPECT_EQ(kernels.contains("xhal_kept_u64"), variables);
    EXPECT_EQ(image.at("globals"),
              variables ? nlohmann::json({"xhal_kept", "xhal_kept_items"}) : nlohmann::json::array());
  }
  std::vector<std::string> expected = {"xhal_pack.native.x86-64-v2.so", "xhal_pack.native.x86-64-v3.so",
                                       "xhal_pack.native.x86-64-v4.so", "xhal_pack.opencl-c.1.2.cl",
                                       "xhal_pack.opencl-c.2.0.cl"};
#ifdef XHAL_PACK_HAS_SPIRV
  expected.emplace_back("xhal_pack.spirv.1.0.spv");
#endif
  EXPECT_EQ(files, expected);
}

#ifdef XHAL_PACK_HAS_SPIRV
// What is lost on the way through the intermediate code unless it is asked for.
TEST(PackManifest, SpirvKeepsNamesAndTypesOfParameters) {
  std::ifstream stream(XHAL_KERNEL_DIR "/xhal_pack.spirv.1.0.spv", std::ios::binary);
  const std::string module{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const auto holds = [&](const std::string& text) { return module.find(text + '\0') != std::string::npos; };
  EXPECT_TRUE(holds("kernel_arg_type.xhal_axpy_i16.short*,short*,short,ulong,"));
  EXPECT_TRUE(holds("kernel_arg_type_qual.xhal_axpy_i16.,const,,,"));
  EXPECT_TRUE(holds("columns")) << "a parameter of xhal_transpose_u32";
}
#endif

}  // namespace
