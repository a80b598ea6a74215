// SPDX-License-Identifier: Apache-2.0
#include "xhal/kit/launch.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "../clause.hpp"

namespace xhal::kit {
namespace {

constexpr GroupLimits kLimits = {{100, 50, 50}, {64, 64, 8}, 128};

xhal_launch_t launch_of(std::array<uint32_t, 3> count, std::array<uint32_t, 3> size) {
  xhal_launch_t launch = {};
  for (size_t i = 0; i < 3; ++i) {
    launch.group_count[i] = count[i];
    launch.group_size[i] = size[i];
  }
  return launch;
}

TEST(Launch, GroupsAreWithinTheLimitsOfEachDimension) {
  XHAL_CLAUSE("XHAL-KERNEL-5");
  EXPECT_EQ(check_groups("k", launch_of({100, 50, 50}, {64, 2, 1}), kLimits), XHAL_SUCCESS);
  for (size_t i = 0; i < 3; ++i) {
    std::array<uint32_t, 3> zero = {1, 1, 1};
    zero[i] = 0;
    EXPECT_EQ(check_groups("k", launch_of(zero, {1, 1, 1}), kLimits), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(check_groups("k", launch_of({1, 1, 1}, zero), kLimits), XHAL_ERROR_INVALID_ARGUMENT);
    std::array<uint32_t, 3> more = {1, 1, 1};
    more[i] = kLimits.count[i] + 1;
    EXPECT_EQ(check_groups("k", launch_of(more, {1, 1, 1}), kLimits), XHAL_ERROR_LIMIT_EXCEEDED);
    more[i] = kLimits.size[i] + 1;
    EXPECT_EQ(check_groups("k", launch_of({1, 1, 1}, more), kLimits), XHAL_ERROR_LIMIT_EXCEEDED);
  }
  EXPECT_EQ(check_groups("k", launch_of({1, 1, 1}, {64, 3, 1}), kLimits), XHAL_ERROR_LIMIT_EXCEEDED)
      << "each size is legal, 192 items are not";
}

TEST(Launch, ItemsOfHugeGroupsDoNotWrap) {
  constexpr uint32_t kAll = UINT32_MAX;
  constexpr GroupLimits kNone = {{kAll, kAll, kAll}, {1u << 21, 1u << 21, 1u << 21}, 1024};
  EXPECT_EQ(check_groups("k", launch_of({1, 1, 1}, {1u << 21, 1u << 21, 1u << 21}), kNone),
            XHAL_ERROR_LIMIT_EXCEEDED);
}

TEST(Launch, ArgumentsAreAsManyAsTheParameters) {
  XHAL_CLAUSE("XHAL-KERNEL-6");
  const xhal_argument_t one = {};
  xhal_launch_t launch = {};
  EXPECT_EQ(check_argument_count("k", launch, 0), XHAL_SUCCESS) << "none, and null";
  EXPECT_EQ(check_argument_count("k", launch, 1), XHAL_ERROR_INVALID_ARGUMENT);
  launch.argument_count = 1;
  EXPECT_EQ(check_argument_count("k", launch, 1), XHAL_ERROR_INVALID_ARGUMENT) << "null";
  launch.arguments = &one;
  EXPECT_EQ(check_argument_count("k", launch, 1), XHAL_SUCCESS);
  EXPECT_EQ(check_argument_count("k", launch, 2), XHAL_ERROR_INVALID_ARGUMENT);
}

struct ArgumentCase {
  xhal_argument_t given;
  ParameterKind parameter;
  xhal_result_t result;
};

TEST(Launch, AnArgumentIsOfItsParametersKind) {
  XHAL_CLAUSE("XHAL-KERNEL-6");
  static const int word = 0;
  const xhal_argument_t value = {XHAL_ARGUMENT_VALUE, 0, 4, &word};
  const xhal_argument_t memory = {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, 4, &word};
  const xhal_argument_t local = {XHAL_ARGUMENT_LOCAL, 0, 4, nullptr};
  constexpr auto kWrong = XHAL_ERROR_INVALID_ARGUMENT;
  const ArgumentCase cases[] = {
      {value, ParameterKind::kValue, XHAL_SUCCESS},
      {value, ParameterKind::kUnknown, XHAL_SUCCESS},
      {value, ParameterKind::kMemory, kWrong},
      {value, ParameterKind::kLocal, kWrong},
      {memory, ParameterKind::kMemory, XHAL_SUCCESS},
      {memory, ParameterKind::kUnknown, XHAL_SUCCESS},
      {memory, ParameterKind::kValue, kWrong},
      {local, ParameterKind::kLocal, XHAL_SUCCESS},
      {local, ParameterKind::kUnknown, XHAL_SUCCESS},
      {local, ParameterKind::kMemory, kWrong},
      {{XHAL_ARGUMENT_VALUE, XHAL_ACCESS_READ, 4, &word}, ParameterKind::kValue, kWrong},
      {{XHAL_ARGUMENT_VALUE, 0, 4, nullptr}, ParameterKind::kValue, kWrong},
      {{XHAL_ARGUMENT_MEMORY, 0, 4, &word}, ParameterKind::kMemory, kWrong},
      {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE + 1, 4, &word}, ParameterKind::kMemory, kWrong},
      {{XHAL_ARGUMENT_LOCAL, XHAL_ACCESS_READ, 4, nullptr}, ParameterKind::kLocal, kWrong},
      {{XHAL_ARGUMENT_LOCAL, 0, 4, &word}, ParameterKind::kLocal, kWrong},
      {{17, 0, 4, &word}, ParameterKind::kUnknown, kWrong},
  };
  for (const ArgumentCase& one : cases) {
    EXPECT_EQ(check_argument("k", 3, one.given, one.parameter), one.result)
        << "case " << &one - cases << ", kind " << one.given.kind;
  }
}

TEST(Launch, LocalMemoryIsTheSumOfAllThatAsksForIt) {
  std::vector<xhal_argument_t> arguments = {{XHAL_ARGUMENT_LOCAL, 0, 300, nullptr},
                                            {XHAL_ARGUMENT_VALUE, 0, 5000, nullptr},
                                            {XHAL_ARGUMENT_LOCAL, 0, 200, nullptr}};
  xhal_launch_t launch = {};
  launch.arguments = arguments.data();
  launch.argument_count = 3;
  launch.dynamic_local_bytes = 400;
  EXPECT_EQ(check_local_bytes("k", launch, 124, 1024), XHAL_SUCCESS);
  EXPECT_EQ(check_local_bytes("k", launch, 125, 1024), XHAL_ERROR_LIMIT_EXCEEDED);
  arguments[0].size = UINT64_MAX;
  arguments[2].size = UINT64_MAX;
  EXPECT_EQ(check_local_bytes("k", launch, 0, 1024), XHAL_ERROR_LIMIT_EXCEEDED) << "the sum wraps";
}

struct WideRange {
  xhal_memory_range_t range;
  uint64_t later;
};

TEST(Launch, RangesAreReadWithTheirStride) {
  const WideRange wide[2] = {{{reinterpret_cast<void*>(16), 1, XHAL_ACCESS_READ, 0}, 7},
                             {{reinterpret_cast<void*>(32), 2, XHAL_ACCESS_WRITE, 0}, 7}};
  xhal_launch_t launch = {};
  launch.range_count = 2;
  std::vector<uint64_t> sizes;
  const auto keep = [&](uint32_t index, const xhal_memory_range_t& range) {
    EXPECT_EQ(index, sizes.size());
    sizes.push_back(range.size);
    return xhal_result_t{XHAL_SUCCESS};
  };
  EXPECT_EQ(check_ranges(launch, keep), XHAL_ERROR_INVALID_ARGUMENT) << "null";
  launch.ranges = &wide[0].range;
  launch.range_stride = sizeof(xhal_memory_range_t) - 8;
  EXPECT_EQ(check_ranges(launch, keep), XHAL_ERROR_INVALID_ARGUMENT) << "less than a range";
  EXPECT_TRUE(sizes.empty());
  launch.range_stride = sizeof(WideRange);
  EXPECT_EQ(check_ranges(launch, keep), XHAL_SUCCESS);
  EXPECT_EQ(sizes, (std::vector<uint64_t>{1, 2}));
}

TEST(Launch, TheFirstBadRangeIsRefused) {
  xhal_memory_range_t ranges[3] = {{nullptr, 1, XHAL_ACCESS_READ, 0},
                                   {nullptr, 2, XHAL_ACCESS_READ, 0},
                                   {nullptr, 3, XHAL_ACCESS_READ, 0}};
  xhal_launch_t launch = {};
  launch.ranges = ranges;
  launch.range_count = 3;
  uint32_t seen = 0;
  const auto refuse_second = [&](uint32_t index, const xhal_memory_range_t&) {
    ++seen;
    return xhal_result_t{index == 1 ? XHAL_ERROR_INVALID_POINTER : XHAL_SUCCESS};
  };
  EXPECT_EQ(check_ranges(launch, refuse_second), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(seen, 2u);
  const auto take = [](uint32_t, const xhal_memory_range_t&) { return xhal_result_t{XHAL_SUCCESS}; };
  ranges[2].access = 0;
  EXPECT_EQ(check_ranges(launch, take), XHAL_ERROR_INVALID_ARGUMENT);
  ranges[2] = {nullptr, 3, XHAL_ACCESS_READ, 1};
  EXPECT_EQ(check_ranges(launch, take), XHAL_ERROR_UNKNOWN_FIELD);
}

}  // namespace
}  // namespace xhal::kit
