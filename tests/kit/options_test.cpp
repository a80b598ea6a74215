// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "../clause.hpp"
#include "fake_host.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

using kit_test::last_report;

class Options : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(kit_test::negotiate_as_fake(), XHAL_SUCCESS); }

  xhal_result_t apply(std::vector<xhal_key_value_t> options) {
    const OptionRule rules[] = {
        {"devices", "number of devices, 1 to 64",
         [this](std::string_view value) {
           applied += "devices=" + std::string(value) + ";";
           return std::string(value == "0" ? "at least 1" : "");
         }},
        {"memory", "bytes of each device",
         [this](std::string_view value) {
           applied += "memory=" + std::string(value) + ";";
           return std::string();
         }},
    };
    return apply_options("fake", options, rules);
  }

  std::string applied;
};

TEST_F(Options, AreAppliedInOrder) {
  EXPECT_EQ(apply({{"memory", "1g"}, {"devices", "2"}, {"memory", ""}}), XHAL_SUCCESS);
  EXPECT_EQ(applied, "memory=1g;devices=2;memory=;");
  EXPECT_EQ(apply({}), XHAL_SUCCESS);
}

TEST_F(Options, UnknownKeyIsRefusedByName) {
  XHAL_CLAUSE("XHAL-INSTANCE-9");
  EXPECT_EQ(apply({{"no_such_option", "1"}}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(last_report.text, "driver 'fake' has no option 'no_such_option'; it knows devices, memory");
  EXPECT_EQ(apply({{nullptr, "1"}}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(apply({{"device", "1"}}), XHAL_ERROR_INVALID_ARGUMENT) << "no abbreviations";
  const xhal_key_value_t option = {"x", "1"};
  EXPECT_EQ(apply_options("bare", {&option, 1}, {}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(last_report.text, "driver 'bare' has no option 'x'; it has no options");
}

TEST_F(Options, ALayerIsCalledOne) {
  const xhal_key_value_t unknown = {"fiel", "x"};
  EXPECT_EQ(apply_layer_options("trace", {&unknown, 1}, {}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(last_report.text, "layer 'trace' has no option 'fiel'; it has no options");
  const OptionRule rule = {"file", "where to", [](std::string_view /*value*/) { return std::string("no"); }};
  const xhal_key_value_t illegal = {"file", "x"};
  EXPECT_EQ(apply_layer_options("trace", {&illegal, 1}, {&rule, 1}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(last_report.text, "layer 'trace', option file=x: no (file: where to)");
}

TEST_F(Options, IllegalValueIsRefusedWithTheReason) {
  EXPECT_EQ(apply({{"devices", "0"}, {"memory", "1g"}}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(last_report.text,
            "driver 'fake', option devices=0: at least 1 (devices: number of devices, 1 to 64)");
  EXPECT_EQ(applied, "devices=0;") << "nothing behind a refused option is applied";
}

TEST_F(Options, NullValueReadsAsEmpty) {
  EXPECT_EQ(apply({{"memory", nullptr}}), XHAL_SUCCESS);
  EXPECT_EQ(applied, "memory=;");
}

TEST_F(Options, LongValuesAreCutInTheText) {
  const std::string value(5000, 'v');
  const OptionRule rule = {"key", "help", [](std::string_view /*value*/) { return std::string("no"); }};
  const xhal_key_value_t option = {"key", value.c_str()};
  EXPECT_EQ(apply_options("fake", {&option, 1}, {&rule, 1}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_LT(last_report.text.size(), 120U);
}

TEST(ParseBytes, Numbers) {
  const auto parsed = [](std::string_view text) {
    uint64_t bytes = 12345;
    EXPECT_TRUE(parse_bytes(text, bytes)) << text;
    return bytes;
  };
  EXPECT_EQ(parsed("0"), 0U);
  EXPECT_EQ(parsed("4096"), 4096U);
  EXPECT_EQ(parsed("64k"), 65536U);
  EXPECT_EQ(parsed("64K"), 65536U);
  EXPECT_EQ(parsed("3m"), 3U << 20);
  EXPECT_EQ(parsed("1g"), uint64_t{1} << 30);
  EXPECT_EQ(parsed("2T"), uint64_t{2} << 40);
  EXPECT_EQ(parsed("18446744073709551615"), UINT64_MAX);
  EXPECT_EQ(parsed("16777215t"), uint64_t{16777215} << 40);
}

TEST(ParseBytes, WhatIsNoNumberIsRefusedAndChangesNothing) {
  for (const char* text : {"", " ", "k", "-1", "+1", " 1", "1 ", "1kb", "1kk", "1.5g", "0x10", "1e3",
                           "18446744073709551616", "16777216t", "18014398509481984k", "1p", "g1"}) {
    uint64_t bytes = 12345;
    EXPECT_FALSE(parse_bytes(text, bytes)) << "'" << text << "'";
    EXPECT_EQ(bytes, 12345U);
  }
  uint64_t bytes = 0;
  EXPECT_FALSE(parse_bytes(std::string_view("1\0", 2), bytes));
}

}  // namespace
}  // namespace xhal::kit
