// SPDX-License-Identifier: Apache-2.0
#include "device/quirks.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string_view>

#include "device/facts.hpp"

namespace xhal::opencl {
namespace {

DeviceFacts facts(const char* platform, const char* device) {
  DeviceFacts out = {};
  std::snprintf(out.platform_name, sizeof(out.platform_name), "%s", platform);
  std::snprintf(out.name, sizeof(out.name), "%s", device);
  return out;
}

TEST(Quirks, AreOfTheDriversThatHaveThem) {
  constexpr const char* kPocl = "Portable Computing Language";
  EXPECT_NE(quirks_of(facts(kPocl, "basic-x")) & kNoUserEvents, 0u);
  EXPECT_EQ(quirks_of(facts(kPocl, "pthread-x")) & kNoUserEvents, 0u);
  EXPECT_NE(quirks_of(facts(kPocl, "pthread-x")) & kStartsUnasked, 0u);
  EXPECT_NE(quirks_of(facts("Intel(R) OpenCL", "AMD EPYC")) & kFinishRuns, 0u);
  EXPECT_EQ(quirks_of(facts(kPocl, "pthread-x")) & kFinishRuns, 0u);
  EXPECT_EQ(quirks_of(facts("Another", "basic-x")), 0u);
}

TEST(Quirks, SayWhatTheyAreAboutAndWhereItIsTold) {
  for (const QuirkRow& row : all_quirks()) {
    EXPECT_FALSE(std::string_view(row.symptom).empty());
    EXPECT_FALSE(std::string_view(row.workaround).empty());
    EXPECT_TRUE(std::string_view(row.link).starts_with("https://")) << row.symptom;
  }
}

}  // namespace
}  // namespace xhal::opencl
