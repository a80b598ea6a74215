// SPDX-License-Identifier: Apache-2.0
#include "options.hpp"

#include <gtest/gtest.h>

#include <string>
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
                  {"staging", "8k"},
                  {"ipc_answer_ms", "50"},
                  {"matrix_library", "none"},
                  {"matrix_library", "/lib/blas.so"}},
                 options),
            XHAL_SUCCESS);
  EXPECT_EQ(options.devices, 64u);
  EXPECT_EQ(options.memory_bytes, uint64_t{64} << 20);
  EXPECT_EQ(options.units, 7u);
  EXPECT_EQ(options.pinned_bytes, uint64_t{1} << 20);
  EXPECT_EQ(options.staging_bytes, 8192u);
  EXPECT_EQ(options.ipc_answer_ms, 50u);
  EXPECT_EQ(options.matrix_library, "/lib/blas.so");
}

TEST(Options, OddWaysAreJoinedAndBringTheirClaims) {
  Options options;
  ASSERT_EQ(read({{"odd", "lazy+reuse"}, {"slow", "1000"}, {"level", "2"}}, options), XHAL_SUCCESS);
  EXPECT_TRUE(options.odd.has(Oddity::kLazy) && options.odd.has(Oddity::kReuse));
  EXPECT_FALSE(options.odd.has(Oddity::kOneWorker));
  EXPECT_EQ(options.odd.slow, 1000u);
  EXPECT_EQ(options.level, 2u);
  ASSERT_EQ(read({{"odd", "one_worker"}, {"units", "8"}}, options), XHAL_SUCCESS);
  EXPECT_EQ(options.units, 1u);
  EXPECT_EQ(options.withdrawn, bit_of(XHAL_FEATURE_CROSS_STREAM_PROGRESS));
  for (const char* text : {"", "lasy", "lazy+", "+lazy", "slow", "scarce"})
    EXPECT_EQ(read({{"odd", text}}, options), XHAL_ERROR_INVALID_ARGUMENT) << text;
}

TEST(Options, WithdrawnFeaturesTakeAlongWhatNeedsThem) {
  const struct {
    const char* text;
    FeatureBits withdrawn;
  } cases[] = {
      {"-event_timing", bit_of(XHAL_FEATURE_EVENT_TIMING)},
      {"-register-register", bit_of(XHAL_FEATURE_REGISTER)},
      {"-argument_check-error_cause", bit_of(XHAL_FEATURE_ARGUMENT_CHECK) | bit_of(XHAL_FEATURE_ERROR_CAUSE)},
  };
  for (const auto& c : cases) {
    Options options;
    ASSERT_EQ(read({{"features", "-pointers_in_memory"}, {"features", c.text}}, options), XHAL_SUCCESS)
        << c.text;
    EXPECT_EQ(options.withdrawn, c.withdrawn) << c.text;
  }
  Options options;
  ASSERT_EQ(read({{"features", "-kernel"}}, options), XHAL_SUCCESS);
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text)                                   \
  EXPECT_EQ((options.withdrawn & bit_of(bit)) != 0,                                                    \
            XHAL_FEATURE_##name == XHAL_FEATURE_KERNEL || XHAL_FEATURE_##needs == XHAL_FEATURE_KERNEL) \
      << #lower;
#include "xhal/features.def"
#undef XHAL_FEATURE
}

TEST(Options, ARefusedFeatureIsNamedWithThoseThatCanBeWithdrawn) {
  for (const std::string name : {"tea", "external_semaphore", "core"}) {
    FeatureBits withdrawn = 77;
    const std::string why = read_withdrawn_features("-register-" + name, withdrawn);
    EXPECT_NE(why.find("'" + name + "'"), std::string::npos) << why;
    EXPECT_NE(why.find("cross_stream_progress"), std::string::npos) << why;
    EXPECT_EQ(withdrawn, 77u);
  }
}

TEST(Options, WhatIsNotLegalIsRefusedAndChangesNothing) {
  const xhal_key_value_t bad[] = {{"devices", "0"},         {"devices", "65"},
                                  {"devices", "two"},       {"devices", "-1"},
                                  {"devices", "2 "},        {"devices", ""},
                                  {"memory", "1023k"},      {"memory", "65g"},
                                  {"memory", "1048577"},    {"memory", "lots"},
                                  {"units", "0"},           {"units", "65537"},
                                  {"pinned", "0"},          {"staging", "1"},
                                  {"ipc_answer_ms", "0"},   {"ipc_answer_ms", "3600001"},
                                  {"no_such", "1"},         {"", "1"},
                                  {"matrix_library", ""},   {"matrix_library", "libblas.so"},
                                  {"features", ""},         {"features", "-"},
                                  {"features", "kernel"},   {"features", "-kernel-"},
                                  {"features", "-core"},    {"features", "-external_semaphore"},
                                  {"features", "-no_such"}, {"features", "-kernel,-register"},
                                  {"features", "+kernel"},  {"features", "-KERNEL"}};
  for (const xhal_key_value_t& option : bad) {
    Options options;
    EXPECT_EQ(read({{"devices", "5"}, option}, options), XHAL_ERROR_INVALID_ARGUMENT)
        << option.key << "=" << option.value;
    EXPECT_EQ(options.devices, 2u);
  }
}

}  // namespace
}  // namespace xhal::sim
