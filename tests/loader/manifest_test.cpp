// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/manifest.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using test::Fields;
using test::line_problem;
using test::manifest_text;

constexpr const char* kInstalled = "/opt/x/share/xhal/drivers.d";

ManifestReading read(const std::string& text, Kind kind = Kind::kDriver,
                     const std::string& folder = kInstalled) {
  ManifestReading reading = read_manifest(text, kind, folder);
  EXPECT_EQ(line_problem(reading.reason), "");
  return reading;
}

ManifestReading read_changed(const Fields& changes) { return read(manifest_text("sim", changes)); }

// "refused" reasons without their position, which json_test checks, and without the advice that most of them share.
std::string refusal(const Fields& changes) {
  const ManifestReading reading = read_changed(changes);
  if (reading.result == XHAL_SUCCESS) return "accepted";
  EXPECT_NE(reading.reason.find("; "), std::string::npos) << "what to do? " << reading.reason;
  const std::size_t colon = reading.reason.find(": ");
  std::string text = colon == std::string::npos ? reading.reason : reading.reason.substr(colon + 2);
  constexpr std::string_view kAdvice = "; correct the manifest";
  if (text.ends_with(kAdvice)) text.erase(text.size() - kAdvice.size());
  return text;
}

TEST(ManifestRules, AFullManifestIsRead) {
  XHAL_CLAUSE("XHAL-LOADER-12");
  const ManifestReading reading = read(R"({"xhal_manifest": 1, "kind": "driver", "name": "sim",
      "library": "../../../lib/xhal/libxhal_driver_sim.so", "abi": "0.1", "description": "simulated devices", "emulated": true})");
  ASSERT_EQ(reading.result, XHAL_SUCCESS) << reading.reason;
  EXPECT_EQ(reading.reason, "");
  EXPECT_EQ(reading.manifest->name, "sim");
  EXPECT_EQ(reading.manifest->library, "/opt/x/lib/xhal/libxhal_driver_sim.so");
  EXPECT_EQ(reading.manifest->description, "simulated devices");
  EXPECT_EQ(reading.manifest->abi_major, 0u);
  EXPECT_EQ(reading.manifest->abi_minor, 1u);
  EXPECT_TRUE(reading.manifest->emulated);
  EXPECT_EQ(reading.manifest->kind, Kind::kDriver);
}

TEST(ManifestRules, OptionalKeysHaveDefaults) {
  XHAL_CLAUSE("XHAL-LOADER-12");
  const ManifestReading reading = read_changed({});
  ASSERT_EQ(reading.result, XHAL_SUCCESS) << reading.reason;
  EXPECT_EQ(reading.manifest->description, "");
  EXPECT_FALSE(reading.manifest->emulated);
  EXPECT_EQ(refusal({{"emulated", "1"}}), "'emulated' must be true or false, found a number");
  EXPECT_EQ(refusal({{"description", "[]"}}), "'description' must be a string, found an array");
  EXPECT_EQ(refusal({{"description", "\"" + std::string(256, 'x') + "\""}}), "accepted");
  EXPECT_EQ(refusal({{"description", "\"" + std::string(257, 'x') + "\""}}),
            "'description' has more than 256 bytes");
  EXPECT_EQ(refusal({{"description", R"("a\nb")"}}),
            "'description' holds control characters; it is one line of text");
  EXPECT_EQ(refusal({{"description", R"("\u001b[31mred")"}}),
            "'description' holds control characters; it is one line of text");
  EXPECT_EQ(refusal({{"description", R"("\u202edesrever")"}}),
            "'description' holds control characters; it is one line of text");
}

TEST(ManifestRules, AManifestIsAnObject) {
  XHAL_CLAUSE("XHAL-LOADER-6");
  for (const char* text : {"[]", "1", "\"driver\"", "null", "true"}) {
    const ManifestReading reading = read(text);
    EXPECT_EQ(reading.result, XHAL_ERROR_BAD_MANIFEST);
    EXPECT_NE(reading.reason.find("a manifest is an object"), std::string::npos) << reading.reason;
  }
}

TEST(ManifestRules, RequiredKeysMustBeThereAndOfTheirType) {
  XHAL_CLAUSE("XHAL-LOADER-6");
  const std::vector<std::pair<std::string, std::string>> values = {
      {"null", "null"},      {"true or false", "true"}, {"a number", "1"},
      {"a string", "\"x\""}, {"an array", "[]"},        {"an object", "{}"}};
  for (const std::string key : {"xhal_manifest", "kind", "name", "library", "abi"}) {
    EXPECT_EQ(refusal({{key, ""}}), "the key '" + key + "' is missing");
    const std::string type = key == "xhal_manifest" ? "a number" : "a string";
    for (const auto& [name, value] : values) {
      if (name == type) continue;
      EXPECT_EQ(refusal({{key, value}}), "'" + key + "' must be " + type + ", found " + name);
    }
  }
  EXPECT_EQ(refusal({{"library", ""}, {"libary", "\"x.so\""}}),
            "the key 'library' is missing; is 'libary' meant for it?");
  const ManifestReading reading = read("{\"xhal_manifest\": 1,\n  \"kind\": 5}");
  EXPECT_EQ(reading.reason,
            "line 2, column 11: 'kind' must be a string, found a number; correct the manifest");
  EXPECT_EQ(reading.result, XHAL_ERROR_BAD_MANIFEST);
}

TEST(ManifestRules, TheFormatIsOne) {
  XHAL_CLAUSE("XHAL-LOADER-7");
  EXPECT_EQ(refusal({{"xhal_manifest", "2"}}),
            "manifest format 2 is newer than this libxhal, which reads format 1; update libxhal");
  EXPECT_EQ(refusal({{"xhal_manifest", "0"}}), "'xhal_manifest' must be 1, found 0");
  EXPECT_EQ(refusal({{"xhal_manifest", "-1"}}), "'xhal_manifest' must be 1, found -1");
  EXPECT_EQ(refusal({{"xhal_manifest", "1.5"}}), "'xhal_manifest' must be 1, found 1.5");
  EXPECT_EQ(refusal({{"xhal_manifest", "99999999999999999999"}}),
            "'xhal_manifest' must be 1, found 99999999999999999999");
}

TEST(ManifestRules, TheKindIsWhatIsLookedFor) {
  XHAL_CLAUSE("XHAL-LOADER-8");
  EXPECT_EQ(refusal({{"kind", "\"layer\""}}),
            "this is a layer where a driver is looked for; move it to layers.d");
  EXPECT_EQ(refusal({{"kind", "\"Driver\""}}), "'kind' must be 'driver' or 'layer', found 'Driver'");
  const std::string layer = manifest_text("trace", {}, Kind::kLayer);
  EXPECT_EQ(read(layer, Kind::kLayer).result, XHAL_SUCCESS);
  const ManifestReading driver = read(manifest_text("sim"), Kind::kLayer);
  EXPECT_EQ(driver.result, XHAL_ERROR_BAD_MANIFEST);
  EXPECT_NE(driver.reason.find("this is a driver where a layer is looked for; move it to drivers.d"),
            std::string::npos)
      << driver.reason;
}

TEST(ManifestRules, NamesKeepTheirRule) {
  XHAL_CLAUSE("XHAL-LOADER-9");
  for (const std::string& name :
       {std::string("a"), std::string("sim"), std::string("hip_7"), std::string(32, 'z')}) {
    EXPECT_EQ(name_problem(name), std::nullopt) << name;
    EXPECT_EQ(refusal({{"name", "\"" + name + "\""}}), "accepted");
  }
  for (const std::string& name : {std::string(), std::string(33, 'z'), std::string("7up"), std::string("_a"),
                                  std::string("Sim"), std::string("si-m"), std::string("s m"),
                                  std::string("a."), std::string("-a"), std::string("\xc3\xa9")}) {
    EXPECT_NE(name_problem(name), std::nullopt) << name;
    EXPECT_NE(refusal({{"name", "\"" + name + "\""}}).find("must be a lower-case letter"), std::string::npos)
        << name;
  }
  for (const char* name : {"driver_path", "drivers", "layer_path", "layers", "log"}) {
    EXPECT_NE(refusal({{"name", "\"" + std::string(name) + "\""}}).find("is reserved"), std::string::npos)
        << name;
  }
}

TEST(ManifestRules, TheVersionMustBeOurs) {
  XHAL_CLAUSE("XHAL-LOADER-10");
  XHAL_CLAUSE("XHAL-ABI-17");
  for (const char* version : {"0.0", "0.2", "1.1", "4294967295.4294967295"}) {
    const ManifestReading reading = read_changed({{"abi", "\"" + std::string(version) + "\""}});
    EXPECT_EQ(reading.result, XHAL_ERROR_VERSION_MISMATCH) << version;
    EXPECT_EQ(reading.reason, "driver 'sim' is built for ABI " + std::string(version) +
                                  ", this libxhal has 0.1; install the driver that belongs to it");
    ASSERT_TRUE(reading.manifest);
    EXPECT_EQ(reading.manifest->name, "sim");
  }
  for (const char* version : {"", "0", "0.", ".1", "0.1.0", "0.01", "00.1", "v0.1", "0.1 ", " 0.1", "-0.1",
                              "0.-1", "4294967296.1", "a.b"}) {
    EXPECT_EQ(refusal({{"abi", "\"" + std::string(version) + "\""}}),
              "'abi' must be a version like \"0.1\", found '" + std::string(version) + "'");
  }
}

TEST(ManifestRules, UnknownKeysAreIgnoredAndTold) {
  XHAL_CLAUSE("XHAL-LOADER-11");
  const ManifestReading told = read(
      "{\"xhal_manifest\":1,\"kind\":\"driver\",\"name\":\"a\",\"library\":\"a.so\",\"abi\":\"0.1\",\n"
      "\"emulted\":true,\"since\":[1]}");
  EXPECT_EQ(told.result, XHAL_SUCCESS);
  EXPECT_FALSE(told.manifest->emulated);
  EXPECT_EQ(told.reason,
            "line 2, column 1: unknown key 'emulted' is ignored (did you mean 'emulated'?); "
            "line 2, column 16: unknown key 'since' is ignored");
  const ManifestReading vendor =
      read_changed({{"x-vendor", "{\"anything\": [1, {\"goes\": null}]}"}, {"x-", "0"}});
  EXPECT_EQ(vendor.result, XHAL_SUCCESS);
  EXPECT_EQ(vendor.reason, "");
  Fields many;
  for (int i = 0; i < 200; ++i) many["unknown_" + std::to_string(i)] = "1";
  const ManifestReading flood = read_changed(many);
  EXPECT_EQ(flood.result, XHAL_SUCCESS);
  EXPECT_LT(flood.reason.size(), 1024u);
}

struct PathCase {
  const char* library;
  const char* folder;
  const char* path;  // or the start of the problem after '!'
};

TEST(ManifestRules, LibraryPathsAreResolvedAgainstTheManifest) {
  XHAL_CLAUSE("XHAL-LOADER-13");
  XHAL_CLAUSE("XHAL-LOADER-14");
  static const PathCase kCases[] = {
      {"/usr/lib/x.so", "/a/b", "/usr/lib/x.so"},
      {"/usr//lib/./x.so", "/a/b", "/usr/lib/x.so"},
      {"x.so", "/a/b", "/a/b/x.so"},
      {"./x.so", "/a/b", "/a/b/x.so"},
      {"sub/x.so", "/a/b", "/a/b/sub/x.so"},
      {"x.so", "/", "/x.so"},
      {"..x/...so", "/a", "/a/..x/...so"},
      {"../x.so", kInstalled, "/opt/x/share/xhal/x.so"},
      {"../../../lib/xhal/x.so", kInstalled, "/opt/x/lib/xhal/x.so"},
      {"./.././.././../x.so", kInstalled, "/opt/x/x.so"},
      {"../../../lib/x.so", "/share/xhal/drivers.d", "/lib/x.so"},
      {"../../../../x.so", kInstalled, "!leaves the installation"},
      {"../../../../../../../../x.so", kInstalled, "!leaves the installation"},
      {"../x.so", "/a/b", "!starts with '..', which only"},
      {"../x.so", "/etc/xhal/drivers.d", "!starts with '..', which only"},
      {"../x.so", "/opt/x/share/xhal/layers.d", "!starts with '..', which only"},
      {"../x.so", "/opt/x/share/xhal/drivers.d/more", "!starts with '..', which only"},
      {"../../../x.so", "/xhal/drivers.d", "!starts with '..', which only"},
      {"a/../x.so", kInstalled, "!has '..' behind a folder's name"},
      {"../lib/../x.so", kInstalled, "!has '..' behind a folder's name"},
      {"x.so/..", kInstalled, "!has '..' behind a folder's name"},
      {"/usr/../x.so", kInstalled, "!has '..' behind a folder's name"},
      {"/../x.so", kInstalled, "!has '..' in an absolute path"},
      {"", kInstalled, "!is empty"},
      {".", kInstalled, "!names a folder"},
      {"..", kInstalled, "!names a folder"},
      {"/.", kInstalled, "!names a folder"},
      {"lib/", kInstalled, "!ends in '/'"},
      {"a\nb.so", kInstalled, "!holds control characters"},
  };
  for (const PathCase& c : kCases) {
    const ResolvedLibrary resolved = resolve_library(c.library, c.folder, Kind::kDriver);
    if (c.path[0] == '!') {
      EXPECT_EQ(resolved.path, "") << c.library;
      EXPECT_TRUE(resolved.problem.starts_with(c.path + 1)) << c.library << ": " << resolved.problem;
    } else {
      EXPECT_EQ(resolved.path, c.path) << resolved.problem;
      EXPECT_EQ(resolved.problem, "") << c.library;
    }
  }
  const ResolvedLibrary layer =
      resolve_library("../../../lib/x.so", "/opt/x/share/xhal/layers.d", Kind::kLayer);
  EXPECT_EQ(layer.path, "/opt/x/lib/x.so");
  EXPECT_NE(resolve_library(std::string(4095, 'x'), "/a", Kind::kDriver).problem, "");
  EXPECT_EQ(refusal({{"library", "\"a/../b.so\""}}),
            "'library' 'a/../b.so' has '..' behind a folder's name; write the path without it");
}

}  // namespace
}  // namespace xhal::discovery
