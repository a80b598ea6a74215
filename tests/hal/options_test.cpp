// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <gtest/gtest.h>

#include "log.hpp"

namespace xhal::host {
namespace {

std::string show(const ParsedOptions& parsed) {
  if (!parsed.fault.empty()) return "fault: " + parsed.fault;
  std::string text;
  for (const KeyValue& option : parsed.options) text += "[" + option.key + "|" + option.value + "]";
  return text;
}

TEST(Options, AreSplitAtCommasAndTheFirstEqualsSign) {
  EXPECT_EQ(show(parse_options("devices=4,memory=1g")), "[devices|4][memory|1g]");
  EXPECT_EQ(show(parse_options(" devices = 4 ,\tmemory= 1 g ")), "[devices|4][memory|1 g]");
  EXPECT_EQ(show(parse_options("path=/a=b")), "[path|/a=b]");
  EXPECT_EQ(show(parse_options("empty=")), "[empty|]");
  EXPECT_EQ(show(parse_options("")), "");
  EXPECT_EQ(show(parse_options(" , ,")), "");
  EXPECT_EQ(show(parse_options("a=1,,b=2,")), "[a|1][b|2]");
}

TEST(Options, AnItemThatIsNoPairIsNamed) {
  EXPECT_EQ(show(parse_options("devices")), "fault: 'devices' is not key=value");
  EXPECT_EQ(show(parse_options("a=1, =2")), "fault: '=2' is not key=value");
}

TEST(Options, TheLastOfOneKeyStays) {
  OptionList list;
  EXPECT_TRUE(list.empty());
  list.add({"a", "1"});
  list.add({"b", "2"});
  list.add({"a", "3"});
  ASSERT_EQ(list.size(), 2u);
  EXPECT_STREQ(list.data()[0].key, "b");
  EXPECT_STREQ(list.data()[1].key, "a");
  EXPECT_STREQ(list.data()[1].value, "3");
}

TEST(Options, TheVariableIsTheNameInCapitals) {
  EXPECT_EQ(variable_of("sim"), "XHAL_SIM");
  EXPECT_EQ(variable_of("level_zero2"), "XHAL_LEVEL_ZERO2");
}

TEST(LogSetting, HasALevelAndPerhapsAFile) {
  EXPECT_EQ(parse_log_setting("error").level, static_cast<uint32_t>(XHAL_LOG_ERROR));
  EXPECT_EQ(parse_log_setting("debug").file, "");
  EXPECT_EQ(parse_log_setting("info:/tmp/a:b").level, static_cast<uint32_t>(XHAL_LOG_INFO));
  EXPECT_EQ(parse_log_setting("info:/tmp/a:b").file, "/tmp/a:b");
  for (const char* bad : {"", "loud", "INFO", "info:", ":file"})
    EXPECT_NE(parse_log_setting(bad).fault, "") << bad;
  EXPECT_EQ(parse_log_setting("loud").level, static_cast<uint32_t>(XHAL_LOG_WARNING));
}

}  // namespace
}  // namespace xhal::host
