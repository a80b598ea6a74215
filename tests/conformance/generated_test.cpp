// SPDX-License-Identifier: Apache-2.0
// The generated faults as a user meets them: the layer with one, and xhal-conform faults --generated on a few. All of them take minutes and
// are a lane of ci/nightly.toml.
#include <gtest/gtest.h>

#include "conform.hpp"

namespace xhal::test {
namespace {

using Words = std::vector<std::string>;

Words measured(const Words& arguments) {
  return Words{"faults", "--generated"} + driver("minimal") + arguments;
}

TEST(GeneratedFaults, AreToldFromWhatTheTestsOfTheirEntrySay) {
  const TemporaryFolder folder;
  const std::string path = folder.file("generated.json");
  const Ending ending =
      run_conform(measured({"--seed", "7", "--json", path, "--fault", "memory_copy:dropped", "--fault",
                            "event_query:stale", "--fault", "stream_get_device:other_stream", "--fault",
                            "memory_register:dropped"}),
                  mutant("minimal"));
  EXPECT_TRUE(ending.exit_code == 0 || ending.exit_code == 1) << ending.out << ending.err;
  Program validator({XHAL_JSONSCHEMA, "-i", path,
                     std::string(XHAL_CONFORM_SCHEMAS) + "/xhal-conform-generated.schema.json"},
                    {});
  EXPECT_EQ(validator.wait(), 0) << validator.out() << validator.err();
  const auto report = nlohmann::json::parse(read_text(path), nullptr, false);
  ASSERT_EQ(report.at("faults").size(), 4U);
  for (const auto& fault : report.at("faults")) {
    if (fault.at("name") == "memory_copy:dropped") {
      EXPECT_EQ(fault.at("verdict"), "killed") << fault;
      EXPECT_NE(fault.at("clause"), "");
      EXPECT_GT(fault.at("lies"), 0);
      EXPECT_GT(fault.at("calling"), 10);
    } else if (fault.at("name") == "stream_get_device:other_stream") {
      EXPECT_EQ(fault.at("verdict"), "equivalent") << fault;
      EXPECT_NE(fault.at("equivalent"), "");
    } else if (fault.at("name") == "memory_register:dropped") {
      EXPECT_EQ(fault.at("verdict"), "not applicable") << fault;
    } else {
      // A device that has done everything when a call returns is always right to say so.
      EXPECT_EQ(fault.at("verdict"), "survived") << fault;
      EXPECT_NE(fault.at("why"), "");
    }
  }
  EXPECT_EQ(report.at("total"), 2);
}

TEST(GeneratedFaults, AreListedByEntryAndHow) {
  const Ending ending =
      run_conform({"faults", "--generated", "--list", "--entry", "memory_copy", "--how", "late"});
  EXPECT_EQ(ending.exit_code, 0) << ending.err;
  EXPECT_TRUE(ending.out.starts_with("memory_copy:late\n")) << ending.out;
  const Ending first = run_conform({"faults", "--generated", "--list", "--shard", "1/2"});
  const Ending second = run_conform({"faults", "--generated", "--list", "--shard", "2/2"});
  const Ending all = run_conform({"faults", "--generated", "--list"});
  EXPECT_EQ(first.out.size() + second.out.size(), all.out.size());
}

TEST(GeneratedFaults, WrongWordsAreRefused) {
  expect_refused({"faults", "--generated", "--list", "--how", "sideways"}, 2,
                 "there is no such way to be wrong");
  expect_refused({"faults", "--generated", "--list", "--entry", "nobody"}, 3, "no fault is selected");
  expect_refused({"faults", "--list", "--entry", "memory_copy"}, 2, "--generated");
  expect_refused({"faults", "--generated", "--list", "--shard", "3/2"}, 2, "--shard");
}

TEST(GeneratedFaults, TheLayerKnowsThemByName) {
  Environment layer = mutant("minimal");
  layer["XHAL_LAYERS"] = "faults";
  layer["XHAL_FAULTS"] = "name=memory_copy:shorter";
  const std::string id = "memory.copy_small/from=device,to=device";
  const Ending ending = judge(driver("minimal") + Words{"--filter", id}, layer);
  EXPECT_EQ(outcome_of(ending.report, id), "failed") << ending.out << ending.err;
  for (const auto& [option, says] : std::vector<std::pair<std::string, std::string>>{
           {"name=memory_copy:shortr", "memory_copy:shorter"},
           {"name=memory_copy:idle", "no fault has this name"},
           {"name=none,calls=/proc/no/such/file", "cannot be read and written"}}) {
    layer["XHAL_FAULTS"] = option;
    expect_refused(driver("minimal") + Words{"--filter", id}, 2, says, layer);
  }
}

}  // namespace
}  // namespace xhal::test
