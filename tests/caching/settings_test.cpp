// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <random>
#include <string>

#include "xhal/caching/settings.hpp"

namespace xhal::caching_test {
namespace {

using caching::Settings;

constexpr uint64_t kMib = uint64_t{1} << 20;

void expect_equal(const Settings& left, const Settings& right) {
  EXPECT_EQ(left.max_split_bytes, right.max_split_bytes);
  EXPECT_EQ(left.max_waste_bytes, right.max_waste_bytes);
  EXPECT_EQ(left.large_segment_bytes, right.large_segment_bytes);
  EXPECT_EQ(left.collect_above, right.collect_above);
  EXPECT_EQ(left.divisions, right.divisions);
  EXPECT_EQ(left.expandable, right.expandable);
}

Settings parsed(std::string_view text) {
  Settings settings;
  const std::optional<std::string> wrong = settings.parse(text);
  EXPECT_FALSE(wrong) << text << ": " << wrong.value_or("");
  return settings;
}

TEST(Settings, DefaultsAreGood) { EXPECT_EQ(Settings{}.check(), std::nullopt); }

TEST(Settings, AnEmptyTextChangesNothing) {
  Settings settings;
  settings.max_split_bytes = 100 * kMib;
  const Settings before = settings;
  EXPECT_EQ(settings.parse(""), std::nullopt);
  expect_equal(settings, before);
}

TEST(Settings, EachWordSetsItsValueAndNoOther) {
  Settings expected;
  expected.max_split_bytes = 128 * kMib;
  expect_equal(parsed("max_split_size_mb:128"), expected);
  expected = {};
  expected.max_waste_bytes = 64 * kMib;
  expect_equal(parsed("max_non_split_rounding_mb:64"), expected);
  expected = {};
  expected.large_segment_bytes = 40 * kMib;
  expect_equal(parsed("large_segment_size_mb:40"), expected);
  expected = {};
  expected.collect_above = 0.75;
  expect_equal(parsed("garbage_collection_threshold:0.75"), expected);
  expected = {};
  expected.expandable = true;
  expect_equal(parsed("expandable_segments:True"), expected);
  expect_equal(parsed("expandable_segments:False"), {});
  expected = {};
  expected.divisions.fill(8);
  expect_equal(parsed("roundup_power2_divisions:8"), expected);
}

TEST(Settings, TheHeadersExampleIsUnderstood) {
  const Settings settings = parsed("max_split_size_mb:128,roundup_power2_divisions:[256:1,512:2,>:4]");
  EXPECT_EQ(settings.max_split_bytes, 128 * kMib);
  for (size_t i = 0; i < settings.divisions.size(); ++i) {
    const uint32_t expected = i <= 8 ? 1 : i == 9 ? 2 : 4;  // [8] begins at 256 MiB
    EXPECT_EQ(settings.divisions[i], expected) << i;
  }
}

TEST(Settings, TheFirstOfAListIsForSmallerRequestsToo) {
  const Settings settings = parsed("roundup_power2_divisions:[4:2,8:4,>:8]");
  EXPECT_EQ(settings.divisions[0], 2U);
  EXPECT_EQ(settings.divisions[1], 2U);
  EXPECT_EQ(settings.divisions[2], 2U);
  EXPECT_EQ(settings.divisions[3], 4U);
  for (size_t i = 4; i < settings.divisions.size(); ++i) EXPECT_EQ(settings.divisions[i], 8U) << i;
}

TEST(Settings, AListMayBeginAtTheBottomAndEndAtTheTop) {
  const Settings settings = parsed("roundup_power2_divisions:[1:2,2:4,>:8]");
  EXPECT_EQ(settings.divisions[0], 2U);
  EXPECT_EQ(settings.divisions[1], 4U);
  for (size_t i = 2; i < settings.divisions.size(); ++i) EXPECT_EQ(settings.divisions[i], 8U) << i;
  EXPECT_EQ(parsed("roundup_power2_divisions:[32768:4]").divisions[15], 4U);
}

TEST(Settings, SpacesBetweenWordsAreNothing) {
  Settings expected;
  expected.max_split_bytes = 128 * kMib;
  expected.expandable = true;
  expect_equal(parsed(" max_split_size_mb : 128 , expandable_segments : True "), expected);
}

TEST(Settings, WordsOfOtherAllocatorsArePassedOver) {
  Settings expected;
  expected.max_split_bytes = 64 * kMib;
  expect_equal(parsed("backend:native,pinned_use_cuda_host_register:True,pinned_num_register_threads:8,"
                      "max_split_size_mb:64"),
               expected);
}

TEST(Settings, ParsingTwiceKeepsWhatIsNotNamed) {
  Settings settings = parsed("max_split_size_mb:64");
  EXPECT_EQ(settings.parse("garbage_collection_threshold:0.5"), std::nullopt);
  EXPECT_EQ(settings.max_split_bytes, 64 * kMib);
  EXPECT_EQ(settings.collect_above, 0.5);
}

struct BadText {
  const char* text;
  const char* named;
};

void PrintTo(const BadText& bad, std::ostream* out) { *out << bad.text; }

class SettingsRefuse : public testing::TestWithParam<BadText> {};

TEST_P(SettingsRefuse, NamesTheWordAndChangesNothing) {
  Settings settings;
  settings.max_split_bytes = 77 * kMib;
  settings.collect_above = 0.25;
  const Settings before = settings;
  const std::string text = std::string("large_segment_size_mb:40,") + GetParam().text;
  const std::optional<std::string> wrong = settings.parse(text);
  ASSERT_TRUE(wrong) << text;
  EXPECT_NE(wrong->find(GetParam().named), std::string::npos) << *wrong;
  EXPECT_EQ(wrong->find('\n'), std::string::npos) << *wrong;
  expect_equal(settings, before);
}

INSTANTIATE_TEST_SUITE_P(
    Texts, SettingsRefuse,
    testing::Values(BadText{"unheard_of:1", "unheard_of"}, BadText{"max_split_size_mb", "max_split_size_mb"},
                    BadText{"max_split_size_mb:", "max_split_size_mb"},
                    BadText{"max_split_size_mb:many", "max_split_size_mb"},
                    BadText{"max_split_size_mb:12x", "max_split_size_mb"},
                    BadText{"max_split_size_mb:-1", "max_split_size_mb"},
                    BadText{"max_split_size_mb:10", "max_split_size_mb"},
                    BadText{"max_split_size_mb:99999999999999999999999", "max_split_size_mb"},
                    BadText{"max_split_size_mb:17592186044416", "max_split_size_mb"},
                    BadText{"large_segment_size_mb:17592186044436", "large_segment_size_mb"},
                    BadText{"max_non_split_rounding_mb:17592186044417", "max_non_split_rounding_mb"},
                    BadText{"large_segment_size_mb:1", "large_segment_size_mb"},
                    BadText{"large_segment_size_mb:41", "large_segment_size_mb"},
                    BadText{"max_non_split_rounding_mb:x", "max_non_split_rounding_mb"},
                    BadText{"garbage_collection_threshold:1.5", "garbage_collection_threshold"},
                    BadText{"garbage_collection_threshold:-0.5", "garbage_collection_threshold"},
                    BadText{"garbage_collection_threshold:nan", "garbage_collection_threshold"},
                    BadText{"garbage_collection_threshold:half", "garbage_collection_threshold"},
                    BadText{"expandable_segments:perhaps", "expandable_segments"},
                    BadText{"roundup_power2_divisions:3", "roundup_power2_divisions"},
                    BadText{"roundup_power2_divisions:[256:3]", "roundup_power2_divisions"},
                    BadText{"roundup_power2_divisions:[300:2]", "roundup_power2_divisions"},
                    BadText{"roundup_power2_divisions:[256:2", "roundup_power2_divisions"},
                    BadText{"roundup_power2_divisions:[256]", "roundup_power2_divisions"}));

TEST(Settings, CheckFindsWhatIsWrong) {
  const auto is_good = [](auto change) {
    Settings settings;
    change(settings);
    return !settings.check();
  };
  EXPECT_TRUE(is_good([](Settings& s) { s.max_split_bytes = 21 * kMib; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.max_split_bytes = 20 * kMib; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.max_split_bytes = 0; }));
  EXPECT_FALSE(is_good([](Settings& s) {
    s.large_segment_bytes = 64 * kMib;
    s.max_split_bytes = 40 * kMib;
  }));
  EXPECT_FALSE(is_good([](Settings& s) { s.large_segment_bytes = 1 * kMib; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.large_segment_bytes = 0; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.large_segment_bytes = 8 * kMib; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.large_segment_bytes = 21 * kMib; }));
  EXPECT_TRUE(is_good([](Settings& s) { s.large_segment_bytes = 10 * kMib; }));
  EXPECT_TRUE(is_good([](Settings& s) { s.collect_above = 0.5; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.collect_above = 1.5; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.collect_above = -0.5; }));
  EXPECT_FALSE(is_good([](Settings& s) { s.collect_above = std::numeric_limits<double>::quiet_NaN(); }));
  EXPECT_TRUE(is_good([](Settings& s) { s.divisions.fill(4); }));
  EXPECT_FALSE(is_good([](Settings& s) { s.divisions[5] = 3; }));
}

TEST(Rounding, IsToTheUnitWithoutDivisions) {
  const Settings settings;
  for (const uint64_t size : {uint64_t{1}, uint64_t{511}, uint64_t{512}})
    EXPECT_EQ(settings.rounded(size), 512U);
  EXPECT_EQ(settings.rounded(513), 1024U);
  EXPECT_EQ(settings.rounded(kMib), kMib);
  EXPECT_EQ(settings.rounded(kMib + 1), kMib + 512);
  EXPECT_EQ(settings.rounded(3 * kMib + 777), 3 * kMib + 1024);
  EXPECT_EQ(settings.rounded(uint64_t{1} << 40), uint64_t{1} << 40);
}

TEST(Rounding, DivisionsOfOneAreNone) {
  Settings settings;
  settings.divisions.fill(1);
  EXPECT_EQ(settings.rounded(3 * kMib + 1), 3 * kMib + 512);
}

TEST(Rounding, StepsBetweenPowersOfTwo) {
  Settings settings;
  settings.divisions.fill(4);  // 1024, 1280, 1536, 1792, 2048 where that keeps to the unit
  EXPECT_EQ(settings.rounded(1200 * kMib), 1280 * kMib);
  EXPECT_EQ(settings.rounded(1280 * kMib), 1280 * kMib);
  EXPECT_EQ(settings.rounded(1280 * kMib + 1), 1536 * kMib);
  EXPECT_EQ(settings.rounded(2047 * kMib), 2048 * kMib);
  EXPECT_EQ(settings.rounded(2048 * kMib), 2048 * kMib);
  EXPECT_EQ(settings.rounded(100), 512U);
  EXPECT_EQ(settings.rounded(700), 1024U);
  EXPECT_EQ(settings.rounded(4096 + 1), 4096U + 1024);
}

TEST(Rounding, EachPowerOfTwoHasItsDivisions) {
  Settings settings;
  settings.divisions[0] = 2;
  settings.divisions[3] = 4;
  settings.divisions[15] = 8;
  EXPECT_EQ(settings.rounded(kMib / 2 + 1), kMib / 2 + kMib / 4);             // smaller: the first
  EXPECT_EQ(settings.rounded(kMib + 1), kMib + kMib / 2);                     // [0]
  EXPECT_EQ(settings.rounded(2 * kMib + 1), 2 * kMib + 512);                  // [1] is 0
  EXPECT_EQ(settings.rounded(8 * kMib + 1), 10 * kMib);                       // [3]
  EXPECT_EQ(settings.rounded(16 * kMib + 1), 16 * kMib + 512);                // [4] is 0
  EXPECT_EQ(settings.rounded((uint64_t{1} << 35) + 1), (uint64_t{9} << 32));  // [15]
  EXPECT_EQ(settings.rounded((uint64_t{1} << 38) + 1), (uint64_t{9} << 35));  // larger: the last
}

TEST(Rounding, AgreesWithASlowSearch) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20000; ++i) {
    Settings settings;
    const uint32_t divisions = uint32_t{1} << random() % 7;
    settings.divisions.fill(divisions);
    const uint64_t bytes = 1 + random() % (uint64_t{1} << (1 + random() % 40));
    uint64_t expected = (bytes + 511) / 512 * 512;
    if (divisions > 1 && bytes > 512 * uint64_t{divisions}) {
      const uint64_t step = std::bit_floor(bytes) / divisions;
      expected = std::bit_floor(bytes);
      while (expected < bytes) expected += step;
    }
    ASSERT_EQ(settings.rounded(bytes), expected) << bytes << " with " << divisions;
  }
}

TEST(Rounding, TellsWhenThereIsNoSuchSize) {
  Settings settings;
  EXPECT_EQ(settings.rounded(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(settings.rounded(UINT64_MAX - 510), UINT64_MAX);
  EXPECT_EQ(settings.rounded(UINT64_MAX - 511), UINT64_MAX - 511);
  settings.divisions.fill(2);
  EXPECT_EQ(settings.rounded((uint64_t{3} << 62) + 1), UINT64_MAX);
  EXPECT_EQ(settings.rounded((uint64_t{1} << 63) + 1), uint64_t{3} << 62);
}

TEST(Segments, HaveTheirSizes) {
  Settings settings;
  EXPECT_EQ(settings.segment_for(512), 2 * kMib);
  EXPECT_EQ(settings.segment_for(kMib), 2 * kMib);
  EXPECT_EQ(settings.segment_for(kMib + 512), 20 * kMib);
  EXPECT_EQ(settings.segment_for(10 * kMib - 512), 20 * kMib);
  EXPECT_EQ(settings.segment_for(10 * kMib), 10 * kMib);
  EXPECT_EQ(settings.segment_for(10 * kMib + 512), 12 * kMib);
  EXPECT_EQ(settings.segment_for(31 * kMib), 32 * kMib);
  settings.large_segment_bytes = 40 * kMib;
  EXPECT_EQ(settings.segment_for(kMib), 2 * kMib);
  EXPECT_EQ(settings.segment_for(kMib + 512), 40 * kMib);
  EXPECT_EQ(settings.segment_for(10 * kMib), 10 * kMib);
}

}  // namespace
}  // namespace xhal::caching_test
