// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <set>

#include "fixture.hpp"

namespace xhal::test {
namespace {

TEST(Names, EveryResultHasANameAndAText) {
  XHAL_CLAUSE("XHAL-ERROR-4");
  std::set<std::string> names;
#define ROW(name, value, text)                  \
  EXPECT_STREQ(xhal_result_name(value), #name); \
  EXPECT_STREQ(xhal_result_text(value), text);  \
  EXPECT_EQ(std::strchr(text, '\n'), nullptr);  \
  EXPECT_TRUE(names.insert(#name).second) << #name;
  XHAL_RESULT_LIST(ROW)
#undef ROW
}

TEST(Names, AResultOutsideOfTheListHasTheUnknownName) {
  XHAL_CLAUSE("XHAL-ERROR-4");
  for (const xhal_result_t value : {4, -29, -1000, INT32_MAX, INT32_MIN}) {
    EXPECT_STREQ(xhal_result_name(value), "XHAL_UNKNOWN_RESULT") << value;
    ASSERT_NE(xhal_result_text(value), nullptr) << value;
    EXPECT_NE(xhal_result_text(value)[0], '\0') << value;
  }
}

TEST(Names, FeaturesGoBothWays) {
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  EXPECT_STREQ(xhal_feature_name(bit), #lower);                      \
  EXPECT_EQ(xhal_feature_from_name(#lower), bit);
#include "xhal/features.def"
#undef XHAL_FEATURE
  EXPECT_EQ(xhal_feature_name(255), nullptr);
  EXPECT_EQ(xhal_feature_name(UINT32_MAX), nullptr);
  EXPECT_EQ(xhal_feature_from_name("no_such_feature"), -1);
  EXPECT_EQ(xhal_feature_from_name(""), -1);
  EXPECT_EQ(xhal_feature_from_name(nullptr), -1);
}

TEST(Names, TheVersionIsThatOfTheHeadersAndEveryPointerMayBeNull) {
  uint32_t major = 99;
  uint32_t minor = 99;
  uint32_t revision = 99;
  EXPECT_EQ(xhal_get_version(&major, &minor, &revision), XHAL_SUCCESS);
  EXPECT_EQ(major, static_cast<uint32_t>(XHAL_ABI_MAJOR));
  EXPECT_EQ(minor, static_cast<uint32_t>(XHAL_ABI_MINOR));
  EXPECT_EQ(revision, static_cast<uint32_t>(XHAL_ABI_REVISION));
  EXPECT_EQ(xhal_get_version(nullptr, nullptr, nullptr), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::test
