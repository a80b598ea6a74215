// SPDX-License-Identifier: Apache-2.0
// Options on their way from variables and descriptions to drivers and layers.
#include "fixture.hpp"

namespace xhal::test {
namespace {

class OptionTest : public HalTest {};

TEST_F(OptionTest, TheVariableOfADriverReachesItsOpen) {
  XHAL_CLAUSE("XHAL-LOADER-50");
  setenv("XHAL_FAKE", "devices=4", 1);
  const xhal_instance_t instance = create("fake,other");
  EXPECT_EQ(devices(instance).size(), 4u + 2u);
  EXPECT_STREQ(state(instance, 0)->options, "devices=4;");
  EXPECT_STREQ(state(instance, 1)->options, "");
}

TEST_F(OptionTest, OptionsOfTheInstanceWinOverTheVariable) {
  XHAL_CLAUSE("XHAL-LOADER-50");
  setenv("XHAL_FAKE", "devices=4, activate=open", 1);
  const xhal_instance_t instance = create(Description().option("fake", "devices", "3"));
  EXPECT_EQ(devices(instance).size(), 3u);
  // Each key once, so that a driver need not know the rule.
  EXPECT_STREQ(state(instance)->options, "activate=open;devices=3;");
}

TEST_F(OptionTest, OfTwoWithOneKeyTheLaterWins) {
  const xhal_instance_t instance =
      create(Description().option("fake", "devices", "1").option("fake", "devices", "3"));
  EXPECT_STREQ(state(instance)->options, "devices=3;");
}

TEST_F(OptionTest, AStrideWalksLargerOptions) {
  struct {
    xhal_option_t option;
    uint64_t unknown;
  } options[2] = {{{"other", "devices", "1"}, 7}, {{"fake", "devices", "3"}, 7}};
  Description description("fake,other");
  description.desc.options = &options[0].option;
  description.desc.option_count = 2;
  description.desc.option_stride = sizeof(options[0]);
  EXPECT_EQ(devices(create(description)).size(), 4u);
}

TEST_F(OptionTest, AMalformedVariableIsAnErrorThatNamesIt) {
  XHAL_CLAUSE("XHAL-LOADER-50");
  setenv("XHAL_FAKE", "devices", 1);
  for (const char* drivers : {"fake", static_cast<const char*>(nullptr)}) {
    Description description(drivers);
    xhal_instance_t instance = nullptr;
    EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(last_text(), "XHAL_FAKE: 'devices' is not key=value; write XHAL_FAKE=key=value,...");
  }
}

TEST_F(OptionTest, AnOptionForNobodyIsAnError) {
  Description description;
  description.option("fakke", "devices", "1");
  xhal_instance_t instance = nullptr;
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_NE(last_text().find("'fakke'"), std::string::npos) << last_text();
  // One that is there but not selected is no mistake: the same options serve several selections.
  create(Description("fake").option("other", "devices", "1"));
}

// The name of a library that is given by its path is known once it was negotiated, and only then is an option known to be for nobody.
TEST_F(OptionTest, AnOptionForNobodyIsAnErrorBesideADriverGivenByPath) {
  const std::string library = root("good") + "/lib/xhal/driver_fake.so";
  Description description("");
  description.path(library.c_str()).option("fakke", "devices", "1");
  xhal_instance_t instance = nullptr;
  EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_NE(last_text().find("'fakke'"), std::string::npos) << last_text();
  Description good("");
  good.path(library.c_str()).option("fake", "devices", "3").option("other", "devices", "1");
  EXPECT_EQ(devices(create(good)).size(), 3u);
  // Nothing is negotiated, so nobody can tell.
  description.desc.flags = XHAL_INSTANCE_DISCOVER_ONLY;
  create(description);
}

TEST_F(OptionTest, LayersHaveOptionsToo) {
  setenv("XHAL_FIRST", "file=x.json,limit=4", 1);
  const xhal_instance_t instance = create(Description("fake", "first").option("first", "limit", "5"));
  EXPECT_STREQ(layer_state(instance, "first")->options, "file=x.json;limit=5;");
}

}  // namespace
}  // namespace xhal::test
