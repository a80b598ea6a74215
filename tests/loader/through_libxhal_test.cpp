// SPDX-License-Identifier: Apache-2.0
// The same rules seen by an application: from xhal_instance_create to the driver and back.
#include <dlfcn.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "fixtures/tiny.h"
#include "xhal/driver.h"
#include "xhal/xhal.h"

namespace {

namespace fs = std::filesystem;

struct Told {
  uint32_t decision;
  xhal_result_t result;
  std::string name, place, reason;
};

std::string library(const std::string& name) {
  return std::string(XHAL_TEST_FIXTURES) + "/lib" + name + ".so";
}

class ThroughLibxhal : public ::testing::Test {
 protected:
  ThroughLibxhal() {
    std::string path = (fs::temp_directory_path() / "xhal-through-XXXXXX").native();
    if (::mkdtemp(path.data()) != nullptr) root_ = fs::canonical(path).native();
  }
  ~ThroughLibxhal() override { fs::remove_all(root_); }

  void SetUp() override {
    ASSERT_NE(root_, "");
    for (const char* name : {"XHAL_DRIVERS", "XHAL_LAYERS", "XHAL_LOG", "XHAL_TINY"}) ::unsetenv(name);
    fs::create_directories(root_ + "/drivers");
    fs::create_directories(root_ + "/layers");
    ::setenv("XHAL_DRIVER_PATH", (root_ + "/drivers").c_str(), 1);
    ::setenv("XHAL_LAYER_PATH", (root_ + "/layers").c_str(), 1);
    ::setenv("XDG_DATA_HOME", root_.c_str(), 1);
  }

  void install(const std::string& kind, const std::string& name, const std::string& library_path) {
    std::ofstream(root_ + "/" + kind + "s/" + name + ".json")
        << R"({"xhal_manifest": 1, "kind": ")" << kind << R"(", "name": ")" << name << R"(", "library": ")"
        << library_path << R"(", "abi": "0.1"})";
  }

  xhal_result_t create(const char* drivers, const char* layers, xhal_instance_t* out,
                       const std::string& path = "") {
    told_.clear();
    xhal_instance_desc_t desc = {};
    desc.struct_size = sizeof desc;
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.drivers = drivers;
    desc.layers = layers;
    const char* paths[] = {path.c_str()};
    if (!path.empty()) {
      desc.driver_paths = paths;
      desc.driver_path_count = 1;
    }
    desc.on_candidate = [](void* user, const xhal_candidate_t* candidate) {
      static_cast<std::vector<Told>*>(user)->push_back({candidate->decision, candidate->result,
                                                        candidate->name, candidate->manifest_path,
                                                        candidate->reason});
    };
    desc.candidate_user = &told_;
    return xhal_instance_create(&desc, out);
  }

  static std::string last_text() {
    xhal_error_t error = {};
    error.struct_size = sizeof error;
    xhal_error_get_last(&error);
    return error.text;
  }

  // Of a library that libxhal has loaded; null when it has not.
  static const tiny_facts_t* facts(const std::string& name) {
    void* handle = ::dlopen(library(name).c_str(), RTLD_NOW | RTLD_NOLOAD);
    if (handle == nullptr) return nullptr;
    ::dlclose(handle);
    return static_cast<const tiny_facts_t*>(::dlsym(handle, "xhal_test_facts"));
  }

  static xhal_driver_t only_driver(xhal_instance_t instance) {
    xhal_driver_t driver = nullptr;
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(instance, 1, &driver, &count), XHAL_SUCCESS);
    EXPECT_EQ(count, 1u);
    return driver;
  }

  static void call(xhal_driver_t driver) {
    xhal_driver_properties_t properties = {};
    properties.struct_size = sizeof properties;
    EXPECT_EQ(xhal_driver_get_properties(driver, &properties), XHAL_SUCCESS) << last_text();
    EXPECT_STREQ(properties.name, "tiny");
  }

  static const xhal_table_t* table_of(xhal_driver_t driver) {
    return reinterpret_cast<const xhal_handle_header_t*>(driver)->table;
  }

  std::string root_;
  std::vector<Told> told_;
};

TEST_F(ThroughLibxhal, WithoutLayersCallsGoStraightToTheDriver) {
  XHAL_CLAUSE("XHAL-LAYER-1");
  install("driver", "tiny", library("tiny_driver"));
  install("layer", "outer", library("tiny_layer_outer"));
  const bool was_loaded = facts("tiny_layer_outer") != nullptr;
  xhal_instance_t instance = nullptr;
  ASSERT_EQ(create("tiny", nullptr, &instance), XHAL_SUCCESS) << last_text();
  const xhal_table_t* table = table_of(only_driver(instance));
  EXPECT_EQ(table->functions.driver_get_devices, table->driver->driver_get_devices);
  EXPECT_EQ(table->functions.driver_get_extension, table->driver->driver_get_extension);
  EXPECT_EQ(facts("tiny_layer_outer") != nullptr, was_loaded)
      << "a layer that nobody asked for is not loaded";
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
}

TEST_F(ThroughLibxhal, LayersStandInOrderAndAreDetachedAfterTheDriver) {
  XHAL_CLAUSE("XHAL-LAYER-3");
  XHAL_CLAUSE("XHAL-LAYER-6");
  XHAL_CLAUSE("XHAL-LAYER-7");
  XHAL_CLAUSE("XHAL-LAYER-8");
  install("driver", "tiny", library("tiny_driver"));
  install("layer", "outer", library("tiny_layer_outer"));
  install("layer", "inner", library("tiny_layer_inner"));
  // This process may have used them before, in another round of this test.
  const uint32_t rounds = facts("tiny_layer_outer") != nullptr ? facts("tiny_layer_outer")->opens : 0;
  xhal_instance_t instance = nullptr;
  ASSERT_EQ(create("tiny", "outer,inner,outer", &instance), XHAL_SUCCESS) << last_text();
  const tiny_facts_t* outer = facts("tiny_layer_outer");
  const tiny_facts_t* inner = facts("tiny_layer_inner");
  const tiny_facts_t* driver = facts("tiny_driver");
  ASSERT_TRUE(outer != nullptr && inner != nullptr && driver != nullptr);
  EXPECT_EQ(outer->opens, rounds + 1) << "listed twice, on once";
  EXPECT_EQ(inner->opens, rounds + 1);
  EXPECT_NE(outer->slot, inner->slot);
  EXPECT_EQ(outer->empty_next, 0u);
  EXPECT_EQ(inner->empty_next, 0u) << "not even above a driver that leaves slots null";

  const xhal_driver_t handle = only_driver(instance);
  EXPECT_EQ(table_of(handle)->layer_state[outer->slot], outer);
  EXPECT_EQ(table_of(handle)->layer_state[inner->slot], inner);
  call(handle);
  EXPECT_EQ(outer->handle, handle);
  EXPECT_EQ(inner->handle, handle);
  EXPECT_EQ(driver->handle, handle);
  EXPECT_LT(outer->called_at, inner->called_at);
  EXPECT_LT(inner->called_at, driver->called_at);
  EXPECT_LT(driver->called_at, inner->returned_at);
  EXPECT_LT(inner->returned_at, outer->returned_at);
  const void* table = nullptr;
  EXPECT_EQ(xhal_driver_get_extension(handle, "x", 1, &table), XHAL_ERROR_UNSUPPORTED)
      << "through layers that leave it alone";

  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  EXPECT_EQ(outer->closes, rounds + 1);
  EXPECT_EQ(inner->closes, rounds + 1);
  EXPECT_LT(driver->closed_at, outer->closed_at);
  EXPECT_LT(driver->closed_at, inner->closed_at);
}

TEST_F(ThroughLibxhal, ALibraryStaysLoadedAndIsNegotiatedOnce) {
  XHAL_CLAUSE("XHAL-LOADER-43");
  XHAL_CLAUSE("XHAL-LOADER-48");
  XHAL_CLAUSE("XHAL-LOADER-49");
  install("driver", "tiny", library("tiny_driver"));
  // This process may have used it before, in another test.
  const tiny_facts_t* before = facts("tiny_driver");
  const uint32_t opens = before != nullptr ? before->opens : 0;
  for (int i = 0; i < 3; ++i) {
    xhal_instance_t instance = nullptr;
    ASSERT_EQ(create("tiny", "", &instance), XHAL_SUCCESS) << last_text();
    const void* table = nullptr;
    EXPECT_EQ(xhal_driver_get_extension(only_driver(instance), "x", 1, &table), XHAL_ERROR_UNSUPPORTED)
        << "its slot is null";
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  }
  const tiny_facts_t* driver = facts("tiny_driver");
  ASSERT_NE(driver, nullptr);
  EXPECT_EQ(driver->negotiations, 1u);
  EXPECT_EQ(driver->opens, opens + 3);
  EXPECT_EQ(driver->closes, opens + 3);
  EXPECT_EQ(driver->unloaded, 0u);
}

TEST_F(ThroughLibxhal, AManifestThatLiesAboutTheNameIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-45");
  install("driver", "other", library("tiny_driver"));
  xhal_instance_t instance = nullptr;
  EXPECT_EQ(create("other", "", &instance), XHAL_ERROR_BAD_MANIFEST);
  EXPECT_NE(last_text().find("'tiny'"), std::string::npos) << last_text();
}

struct BadInput {
  const char* file;
  const char* content;  // null: a library of the fixtures
  xhal_result_t result;
  const char* words;
};

TEST_F(ThroughLibxhal, BadInputIsOneLineAndOthersAreUnaffected) {
  XHAL_CLAUSE("XHAL-INSTANCE-4");
  XHAL_CLAUSE("XHAL-LOADER-29");
  XHAL_CLAUSE("XHAL-LOADER-44");
  install("driver", "tiny", library("tiny_driver"));
  static const BadInput kInputs[] = {
      {"missing.json", "", XHAL_ERROR_DRIVER_NOT_FOUND, "does not exist; check the path"},
      {"missing.so", "", XHAL_ERROR_DRIVER_NOT_FOUND, "does not exist; check the path"},
      {"broken.json", "{\"xhal_manifest\": 1", XHAL_ERROR_BAD_MANIFEST,
       "line 1, column 20: expected ',' or '}'"},
      {"empty.json", "\n", XHAL_ERROR_BAD_MANIFEST, "holds no JSON value"},
      {"array.json", "[]", XHAL_ERROR_BAD_MANIFEST, "a manifest is an object"},
      {"nokeys.json", "{}", XHAL_ERROR_BAD_MANIFEST, "the key 'xhal_manifest' is missing"},
      {"escape.json",
       R"({"xhal_manifest":1,"kind":"driver","name":"a","library":"../../../../a.so","abi":"0.1"})",
       XHAL_ERROR_BAD_MANIFEST, "starts with '..'"},
      {"old.json", R"({"xhal_manifest":1,"kind":"driver","name":"a","library":"a.so","abi":"0.0"})",
       XHAL_ERROR_VERSION_MISMATCH, "is built for ABI 0.0, this libxhal has 0.1"},
      {"hollow.json", R"({"xhal_manifest":1,"kind":"driver","name":"a","library":"a.so","abi":"0.1"})",
       XHAL_ERROR_DRIVER_FAILED, "a.so' does not exist; install it, or correct 'library'"},
      {"text.so", "GROUP ( libreal.so )\n", XHAL_ERROR_DRIVER_FAILED,
       "is no shared library, but a text file that starts with 'GROUP"},
      {"cut.so",
       "\x7f"
       "ELF",
       XHAL_ERROR_DRIVER_FAILED, "is cut off"},
      {"libno_entry.so", nullptr, XHAL_ERROR_DRIVER_FAILED, "does not export xhal_driver_negotiate"},
      {"libunresolved.so", nullptr, XHAL_ERROR_DRIVER_FAILED,
       "undefined symbol: xhal_test_provided_elsewhere"},
      {"liblayer.so", nullptr, XHAL_ERROR_DRIVER_FAILED, "is a layer, not a driver"},
  };
  for (const BadInput& input : kInputs) {
    const std::string path = input.content == nullptr ? std::string(XHAL_TEST_FIXTURES) + "/" + input.file
                                                      : root_ + "/" + input.file;
    if (input.content != nullptr && *input.content != '\0') std::ofstream(path) << input.content;
    xhal_instance_t instance = nullptr;
    EXPECT_EQ(create(nullptr, "", &instance, path), input.result) << input.file << ": " << last_text();
    EXPECT_EQ(instance, nullptr);
    EXPECT_NE(last_text().find(input.words), std::string::npos) << input.file << ": " << last_text();
    EXPECT_EQ(last_text().find('\n'), std::string::npos) << input.file;

    // The same thing in a folder that is searched costs nothing but its own line.
    if (!path.ends_with(".json") || !fs::exists(path)) continue;
    fs::copy_file(path, root_ + "/drivers/0.json", fs::copy_options::overwrite_existing);
    ASSERT_EQ(create(nullptr, "", &instance), XHAL_SUCCESS) << input.file << ": " << last_text();
    bool is_told = false;
    for (const Told& told : told_) {
      if (!told.place.ends_with("/0.json")) continue;
      is_told = true;
      EXPECT_EQ(told.decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
      EXPECT_EQ(told.result, input.result);
      EXPECT_NE(told.reason.find(input.words), std::string::npos) << told.reason;
    }
    EXPECT_TRUE(is_told);
    uint32_t count = 0;
    xhal_driver_t drivers[8] = {};
    EXPECT_EQ(xhal_instance_get_drivers(instance, 8, drivers, &count), XHAL_SUCCESS);
    EXPECT_GE(count, 1u);
    call(drivers[0]);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    fs::remove(root_ + "/drivers/0.json");
  }
}

}  // namespace
