// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "fake_services.hpp"

namespace xhal::sim {
namespace {

xhal_result_t read(const std::vector<xhal_key_value_t>& given, Options& out) {
  sim_test::negotiate();
  return read_options(given, out);
}

TEST(Options, DefaultsAreTwoDevicesOfOneGiB) {
  Options options;
  ASSERT_EQ(read({}, options), XHAL_SUCCESS);
  EXPECT_EQ(options.devices, 2u);
  EXPECT_EQ(options.memory_bytes, uint64_t{1} << 30);
  EXPECT_GE(options.units, 1u);
  EXPECT_GT(options.pinned_bytes, uint64_t{1} << 20);
  EXPECT_GT(options.staging_bytes, uint64_t{1} << 20);
}

TEST(Options, AreTakenOverAndLaterOnesWin) {
  Options options;
  ASSERT_EQ(read({{"devices", "3"},
                  {"memory", "64m"},
                  {"units", "7"},
                  {"devices", "64"},
                  {"pinned", "1m"},
                  {"staging", "8k"}},
                 options),
            XHAL_SUCCESS);
  EXPECT_EQ(options.devices, 64u);
  EXPECT_EQ(options.memory_bytes, uint64_t{64} << 20);
  EXPECT_EQ(options.units, 7u);
  EXPECT_EQ(options.pinned_bytes, uint64_t{1} << 20);
  EXPECT_EQ(options.staging_bytes, 8192u);
}

TEST(Options, WhatIsNotLegalIsRefusedAndChangesNothing) {
  const xhal_key_value_t bad[] = {
      {"devices", "0"},      {"devices", "65"},  {"devices", "two"},  {"devices", "-1"},
      {"devices", "2 "},     {"devices", ""},    {"memory", "1023k"}, {"memory", "65g"},
      {"memory", "1048577"}, {"memory", "lots"}, {"units", "0"},      {"units", "65537"},
      {"pinned", "0"},       {"staging", "1"},   {"no_such", "1"},    {"", "1"}};
  for (const xhal_key_value_t& option : bad) {
    Options options;
    EXPECT_EQ(read({{"devices", "5"}, option}, options), XHAL_ERROR_INVALID_ARGUMENT)
        << option.key << "=" << option.value;
    EXPECT_EQ(options.devices, 2u);
  }
}

}  // namespace
}  // namespace xhal::sim
