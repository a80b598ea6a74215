// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using test::bare_environment;
using test::candidate_at;
using test::explicit_request;
using test::find_checked;
using test::selected_names;
using test::TemporaryFolder;
using test::write_file;
using test::write_manifest;
using Lines = std::vector<std::string>;

// Drivers a, b and c in two folders.
class Selection : public ::testing::Test {
 protected:
  Selection() {
    write_manifest(root_ / "1/b.json", "b");
    write_manifest(root_ / "1/c.json", "c");
    write_manifest(root_ / "2/a.json", "a");
  }

  Environment environment(const std::optional<std::string>& drivers = std::nullopt) const {
    std::map<std::string, std::string> variables = {{"XHAL_DRIVER_PATH", (root_ / "1") + ":" + (root_ / "2")},
                                                    {"XHAL_LAYER_PATH", root_ / "layers"}};
    if (drivers) variables["XHAL_DRIVERS"] = *drivers;
    return bare_environment(variables);
  }

  Found find_with(const std::string& variable) const { return find_checked({}, environment(variable)); }

  TemporaryFolder root_;
};

TEST_F(Selection, WithoutOneEverythingIsTakenInSearchOrder) {
  XHAL_CLAUSE("XHAL-LOADER-25");
  EXPECT_EQ(selected_names(find_checked({}, environment())), (Lines{"b", "c", "a"}));
}

TEST_F(Selection, TheVariableSelectsAndOrders) {
  XHAL_CLAUSE("XHAL-LOADER-26");
  EXPECT_EQ(selected_names(find_with("a,b")), (Lines{"a", "b"}));
  EXPECT_EQ(selected_names(find_with(" c ,,\tb, c,")), (Lines{"c", "b"}));
  const Found found = find_with("a");
  EXPECT_EQ(candidate_at(found, "/b.json").decision, static_cast<uint32_t>(XHAL_CANDIDATE_NOT_ASKED));
  EXPECT_EQ(candidate_at(found, "/b.json").reason, "not named by XHAL_DRIVERS");
  EXPECT_EQ(candidate_at(found, "/a.json").decision, static_cast<uint32_t>(XHAL_CANDIDATE_SELECTED));
  EXPECT_TRUE(selected_names(find_with("")).empty());
}

TEST_F(Selection, TheListOfTheRequestWinsOverTheVariable) {
  XHAL_CLAUSE("XHAL-LOADER-26");
  Request request;
  request.selection = {"c", "a"};
  EXPECT_EQ(selected_names(find_checked(request, environment("b"))), (Lines{"c", "a"}));
  request.selection.emplace();
  const Found nothing = find_checked(request, environment("b"));
  EXPECT_TRUE(nothing.selected.empty());
  EXPECT_EQ(nothing.result, XHAL_SUCCESS);
  EXPECT_EQ(candidate_at(nothing, "/b.json").reason, "not named by the list of drivers");
}

TEST_F(Selection, AMinusLeavesOut) {
  XHAL_CLAUSE("XHAL-LOADER-27");
  EXPECT_EQ(selected_names(find_with("-b")), (Lines{"c", "a"}));
  EXPECT_EQ(selected_names(find_with("-b,-a")), (Lines{"c"}));
  EXPECT_EQ(selected_names(find_with("a,b,-a")), (Lines{"b"}));
  EXPECT_EQ(candidate_at(find_with("-b"), "/b.json").reason, "left out by XHAL_DRIVERS");
  const Found slip = find_with("-nobody");
  EXPECT_EQ(selected_names(slip), (Lines{"b", "c", "a"}));
  EXPECT_EQ(slip.result, XHAL_SUCCESS);
  EXPECT_EQ(slip.candidates.back().origin, "selection");
  EXPECT_EQ(slip.candidates.back().place, "-nobody");
  EXPECT_EQ(slip.candidates.back().decision, static_cast<uint32_t>(XHAL_CANDIDATE_ABSENT));
}

TEST_F(Selection, NamedPathsComeFirstAndBesidesAnySelection) {
  XHAL_CLAUSE("XHAL-LOADER-28");
  write_manifest(root_ / "own/z.json", "z");
  Request request = explicit_request({root_ / "own/z.json", test::fixture("driver")});
  request.selection.emplace();
  const Found found = find_checked(request, environment());
  ASSERT_EQ(found.selected.size(), 2u);
  EXPECT_EQ(found.selected[0].name, "z");
  EXPECT_TRUE(found.selected[0].named);
  EXPECT_EQ(found.selected[1].name, "");
  EXPECT_EQ(found.selected[1].manifest_path, test::fixture("driver"));
  EXPECT_EQ(found.selected[1].library, test::fixture("driver"));
  EXPECT_EQ(found.selected[1].abi_minor, static_cast<uint32_t>(XHAL_ABI_MINOR));

  request.selection = {"a", "z", "c"};
  EXPECT_EQ(selected_names(find_checked(request, environment())), (Lines{"z", "", "a", "c"}));
  request.selection.reset();
  EXPECT_EQ(selected_names(find_checked(request, environment())), (Lines{"z", "", "b", "c", "a"}));
}

TEST_F(Selection, ANamedManifestShadowsAFoundOne) {
  XHAL_CLAUSE("XHAL-LOADER-18");
  write_manifest(root_ / "own/b.json", "b", {{"description", "\"mine\""}});
  const Found found = find_checked(explicit_request({root_ / "own/b.json"}), environment());
  EXPECT_EQ(selected_names(found), (Lines{"b", "c", "a"}));
  EXPECT_EQ(found.selected[0].description, "mine");
  EXPECT_EQ(candidate_at(found, "/1/b.json").decision, static_cast<uint32_t>(XHAL_CANDIDATE_SHADOWED));
}

struct Asked {
  xhal_result_t result;
  std::string text;
};

TEST_F(Selection, ANamedPathThatCannotBeHadIsAnError) {
  XHAL_CLAUSE("XHAL-LOADER-29");
  write_file(root_ / "own/broken.json", "{\"xhal_manifest\": 1,");
  write_manifest(root_ / "own/old.json", "old", {{"abi", "\"0.0\""}});
  write_manifest(root_ / "own/hollow.json", "hollow", {{"library", "\"gone.so\""}});
  write_manifest(root_ / "own/layer.json", "layer", {}, Kind::kLayer);
  write_file(root_ / "own/text.so", "not a library\n");
  const auto ask = [&](const std::string& path) {
    const Found found = find_checked(explicit_request({path}), environment());
    EXPECT_EQ(selected_names(found), (Lines{"b", "c", "a"})) << path;
    return Asked{found.result, found.text};
  };
  EXPECT_EQ(ask(root_ / "own/gone.json").result, XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_EQ(ask(root_ / "own/gone.so").result, XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_EQ(ask(root_ / "own/gone.so").text, "driver '" + (root_ / "own/gone.so") + "': '" +
                                                 (root_ / "own/gone.so") +
                                                 "' does not exist; check the path");
  EXPECT_EQ(ask(root_ / "own/broken.json").result, XHAL_ERROR_BAD_MANIFEST);
  EXPECT_TRUE(
      ask(root_ / "own/broken.json")
          .text.ends_with("line 1, column 21: expected a key in double quotes, found the end of the file "
                          "(JSON allows no comma after the last one); correct the manifest"));
  EXPECT_EQ(ask(root_ / "own/old.json").result, XHAL_ERROR_VERSION_MISMATCH);
  EXPECT_EQ(ask(root_ / "own/hollow.json").result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(ask(root_ / "own/layer.json").result, XHAL_ERROR_BAD_MANIFEST);
  EXPECT_EQ(ask(root_ / "own/text.so").result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(ask(root_ / "own").result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(ask("").result, XHAL_ERROR_INVALID_ARGUMENT);

  Request layer = explicit_request({root_ / "own/gone.json"});
  layer.kind = Kind::kLayer;
  EXPECT_EQ(find_checked(layer, environment()).result, XHAL_ERROR_NOT_FOUND);
}

TEST_F(Selection, TwoNamedPathsOfOneNameAreAnError) {
  XHAL_CLAUSE("XHAL-LOADER-29");
  write_manifest(root_ / "own/b.json", "b");
  const Found found =
      find_checked(explicit_request({root_ / "1/b.json", root_ / "own/b.json"}), environment());
  EXPECT_EQ(found.result, XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(found.text.find("two drivers named 'b' were asked for; leave one out"), std::string::npos)
      << found.text;
  const Found same =
      find_checked(explicit_request({root_ / "1/b.json", root_ / "1/../1/b.json"}), environment());
  EXPECT_EQ(same.result, XHAL_SUCCESS) << same.text;
  EXPECT_EQ(selected_names(same), (Lines{"b", "c", "a"}));
}

TEST_F(Selection, AMissingNameIsAnErrorThatListsWhatIsThere) {
  XHAL_CLAUSE("XHAL-LOADER-30");
  XHAL_CLAUSE("XHAL-INSTANCE-3");
  write_manifest(root_ / "2/simulator.json", "simulator");
  const Found found = find_with("a,simulatr");
  EXPECT_EQ(found.result, XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_EQ(found.text,
            "driver 'simulatr', which XHAL_DRIVERS asks for, was not found (did you mean 'simulator'?); "
            "found: 'b', 'c', 'a', 'simulator'; see why with xhal-info --why");
  EXPECT_EQ(selected_names(found), Lines{"a"});
  const Found none = find_checked({}, bare_environment({{"XHAL_DRIVERS", "sim"}}));
  EXPECT_EQ(none.text,
            "driver 'sim', which XHAL_DRIVERS asks for, was not found; found: nothing; see why with "
            "xhal-info --why");
}

TEST_F(Selection, ARefusedManifestOfTheNameGivesCodeAndReason) {
  XHAL_CLAUSE("XHAL-LOADER-30");
  write_manifest(root_ / "2/old.json", "older", {{"abi", "\"0.0\""}});
  write_file(root_ / "2/broken.json", "[");
  write_manifest(root_ / "2/x.json", "hollow", {{"library", "\"gone.so\""}});
  EXPECT_EQ(find_with("older").result, XHAL_ERROR_VERSION_MISMATCH);
  EXPECT_EQ(find_with("broken").result, XHAL_ERROR_BAD_MANIFEST);
  EXPECT_EQ(find_with("broken").text, "driver 'broken', which XHAL_DRIVERS asks for, was refused: '" +
                                          (root_ / "2/broken.json") +
                                          "': line 1, column 2: expected a value, found the end of the file"
                                          "; correct the manifest");
  EXPECT_EQ(find_with("hollow").result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(find_with("old").result, XHAL_ERROR_DRIVER_NOT_FOUND);
}

TEST_F(Selection, NoLayerIsOnUnlessAskedFor) {
  XHAL_CLAUSE("XHAL-LAYER-1");
  write_manifest(root_ / "layers/one.json", "one", {}, Kind::kLayer);
  write_manifest(root_ / "layers/two.json", "two", {}, Kind::kLayer);
  Request request;
  request.kind = Kind::kLayer;
  const Found none = find_checked(request, environment());
  EXPECT_TRUE(none.selected.empty());
  EXPECT_EQ(candidate_at(none, "/one.json").decision, static_cast<uint32_t>(XHAL_CANDIDATE_NOT_ASKED));
  const Environment asked =
      bare_environment({{"XHAL_LAYER_PATH", root_ / "layers"}, {"XHAL_LAYERS", "two,one,two"}});
  EXPECT_EQ(selected_names(find_checked(request, asked)), (Lines{"two", "one"}));
  request.selection.emplace();
  EXPECT_TRUE(find_checked(request, asked).selected.empty());
  request.selection = {"-one"};
  EXPECT_TRUE(find_checked(request, asked).selected.empty());
}

TEST_F(Selection, AMissingLayerIsAnError) {
  XHAL_CLAUSE("XHAL-LAYER-4");
  write_manifest(root_ / "layers/trace.json", "trace", {}, Kind::kLayer);
  Request request;
  request.kind = Kind::kLayer;
  request.selection = {"trcae"};
  const Found found = find_checked(request, environment());
  EXPECT_EQ(found.result, XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(found.text,
            "layer 'trcae', which the list of layers asks for, was not found (did you mean 'trace'?); found: "
            "'trace'; "
            "see why with xhal-info --why");
}

TEST(SplitNames, DropsBlanksAndEmptyItems) {
  XHAL_CLAUSE("XHAL-LOADER-26");
  EXPECT_EQ(split_names(""), Lines{});
  EXPECT_EQ(split_names(" , ,"), Lines{});
  EXPECT_EQ(split_names("a"), Lines{"a"});
  EXPECT_EQ(split_names(" a ,\tb c , -d\n"), (Lines{"a", "b c", "-d"}));
}

}  // namespace
}  // namespace xhal::discovery
