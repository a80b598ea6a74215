// SPDX-License-Identifier: Apache-2.0
#include "build_info.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

TEST(BuildInfo, VersionIsTheProjects) { EXPECT_STREQ(xhal::build::version(), XHAL_PROJECT_VERSION); }

TEST(BuildInfo, CommitIsAFullHashOrSaysThatItIsUnknown) {
  const std::string commit = xhal::build::commit();
  if (commit == "unknown") {
    EXPECT_FALSE(xhal::build::dirty());
    return;
  }
  EXPECT_EQ(commit.size(), 40u);
  EXPECT_TRUE(std::ranges::all_of(commit, [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  })) << commit;
}
