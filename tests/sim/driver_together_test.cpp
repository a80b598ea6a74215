// SPDX-License-Identifier: Apache-2.0
// Cooperative and cluster launches of the simulator: what its threads promise, and how such a launch ends.
#include <algorithm>
#include <array>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

using Extent = std::array<uint32_t, 3>;

class GroupsTogether : public testing::Test {
 protected:
  static constexpr uint32_t kNobody = UINT32_MAX;

  explicit GroupsTogether(const char* options = "") : machine(options) {}

  struct Meeting {
    Extent groups{1, 1, 1};
    Extent cluster{0, 0, 0};
    uint32_t flags = XHAL_LAUNCH_COOPERATIVE;
    uint32_t count = 1;  // of arrivals that each group waits for
    uint32_t asks = 1;
    uint32_t fails = kNobody;
  };
  // `words`: two of pinned memory, zero.
  xhal_result_t meet(const Meeting& it, void* words, xhal_stream_t on = nullptr) {
    const std::vector<xhal_argument_t> arguments = {memory(words), value(it.count), value(it.asks),
                                                    value(it.fails), local(8)};
    xhal_launch_t launch = launch_of(arguments);
    std::ranges::copy(it.groups, launch.group_count);
    std::ranges::copy(it.cluster, launch.cluster_size);
    launch.flags = it.flags;
    return call().kernel_launch(on != nullptr ? on : stream, get_kernel(module, "meet"), &launch);
  }
  uint32_t* pinned_words() {
    auto* words = static_cast<uint32_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
    words[0] = words[1] = 0;
    return words;
  }
  static uint32_t load(const uint32_t* word) { return __atomic_load_n(word, __ATOMIC_ACQUIRE); }
  static void wait_until(const uint32_t* word, uint32_t value) {
    while (load(word) < value) std::this_thread::yield();
  }
  xhal_occupancy_t occupancy(const char* name, uint32_t items, uint64_t bytes) {
    auto out = sized<xhal_occupancy_t>();
    EXPECT_EQ(call().kernel_get_occupancy(get_kernel(module, name), items, bytes, &out), XHAL_SUCCESS);
    return out;
  }

  Machine machine;
  xhal_device_t device = machine.device();
  xhal_stream_t stream = make_stream(device);
  xhal_module_t module = load_test_image(device);
};

class GroupsTogetherOnOneUnit : public GroupsTogether {
 protected:
  GroupsTogetherOnOneUnit() : GroupsTogether("units=1") {}
};

TEST_F(GroupsTogetherOnOneUnit, ThatSpinSilentlyMeet) {
  for (const Extent& groups : {Extent{1, 1, 1}, Extent{3, 1, 1}, Extent{2, 3, 2}}) {
    const uint32_t count = groups[0] * groups[1] * groups[2];
    uint32_t* words = pinned_words();
    ASSERT_EQ(meet({.groups = groups, .count = count, .asks = 0}, words), XHAL_SUCCESS) << last_text;
    expect_synchronized(stream);
    EXPECT_EQ(words[0], count);
    EXPECT_EQ(words[1], 0u) << "groups shared local memory";
  }
}

TEST_F(GroupsTogetherOnOneUnit, OfAClusterMeetWhileOtherClustersWait) {
  uint32_t* words = pinned_words();
  // Nobody goes on before the eight of one cluster have come; then all others do.
  ASSERT_EQ(
      meet({.groups = {8, 4, 6}, .cluster = {2, 2, 2}, .flags = XHAL_LAUNCH_CLUSTER, .count = 8, .asks = 0},
           words),
      XHAL_SUCCESS)
      << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(words[0], 8u * 4 * 6);
  EXPECT_EQ(words[1], 0u);
}

TEST_F(GroupsTogetherOnOneUnit, OfSeveralClustersMeetWithBothFlags) {
  uint32_t* words = pinned_words();
  const uint32_t both = uint32_t{XHAL_LAUNCH_COOPERATIVE} | uint32_t{XHAL_LAUNCH_CLUSTER};
  ASSERT_EQ(meet({.groups = {8, 2, 1}, .cluster = {4, 1, 1}, .flags = both, .count = 16, .asks = 0}, words),
            XHAL_SUCCESS)
      << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(words[0], 16u);
}

TEST_F(GroupsTogetherOnOneUnit, AreAsManyAsTheLimit) {
  uint32_t* words = pinned_words();
  ASSERT_EQ(meet({.groups = {4, 4, 4}, .count = 64}, words), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(words[0], 64u);
  EXPECT_EQ(words[1], 0u);
}

// Both wait for what the other one brings, so neither may hold up the other.
TEST_F(GroupsTogetherOnOneUnit, OfTwoLaunchesMeet) {
  uint32_t* words = pinned_words();
  const xhal_stream_t other = make_stream(device);
  for (const uint32_t asks : {0u, 1u}) {
    const uint32_t count = asks != 0 ? 64 : 4;
    words[0] = 0;
    ASSERT_EQ(meet({.groups = {count, 1, 1}, .count = 2 * count, .asks = asks}, words), XHAL_SUCCESS);
    ASSERT_EQ(meet({.groups = {count, 1, 1}, .count = 2 * count, .asks = asks}, words, other), XHAL_SUCCESS);
    expect_synchronized(stream);
    expect_synchronized(other);
    EXPECT_EQ(words[0], 2 * count);
  }
}

TEST_F(GroupsTogetherOnOneUnit, LeaveOtherStreamsAlone) {
  uint32_t* words = pinned_words();
  ASSERT_EQ(meet({.groups = {4, 1, 1}, .count = 5, .asks = 0}, words), XHAL_SUCCESS);
  wait_until(words, 4);
  const xhal_stream_t other = make_stream(device);
  uint32_t* others = pinned_words();
  EXPECT_EQ(run(other, get_kernel(module, "empty"), {}), XHAL_SUCCESS);
  EXPECT_EQ(meet({.groups = {3, 1, 1}, .count = 3}, others, other), XHAL_SUCCESS);
  expect_synchronized(other);
  EXPECT_EQ(others[0], 3u);
  EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
  __atomic_fetch_add(words, 1u, __ATOMIC_ACQ_REL);  // the host comes as the fifth
  expect_synchronized(stream);
}

TEST_F(GroupsTogether, EndWhenOneOfThemFails) {
  const Meeting meetings[] = {
      {.groups = {8, 1, 1}, .count = 8, .fails = 5},
      {.groups = {8, 1, 1}, .cluster = {4, 1, 1}, .flags = XHAL_LAUNCH_CLUSTER, .count = 4, .fails = 2}};
  for (const Meeting& it : meetings) {
    const xhal_stream_t own = make_stream(device);
    uint32_t* words = pinned_words();
    ASSERT_EQ(meet(it, words, own), XHAL_SUCCESS) << "the launch itself succeeds";
    EXPECT_EQ(call().stream_synchronize(own, XHAL_WAIT_FOREVER), XHAL_ERROR_LAUNCH_FAILED);
    EXPECT_NE(last_text.find("'meet'"), std::string::npos) << last_text;
    EXPECT_NE(last_text.find("group (" + std::to_string(it.fails) + ", 0, 0)"), std::string::npos)
        << last_text;
    EXPECT_LT(load(words), it.count);
  }
  expect_synchronized(stream);
}

TEST_F(GroupsTogether, AreToldToReturnByAReset) {
  uint32_t* words = pinned_words();
  ASSERT_EQ(meet({.groups = {8, 1, 1}, .count = 9}, words), XHAL_SUCCESS);
  wait_until(words, 8);
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  EXPECT_EQ(load(words), 8u);
  stream = make_stream(device);
  module = load_test_image(device);
  uint32_t* again = pinned_words();
  ASSERT_EQ(meet({.groups = {8, 1, 1}, .count = 8}, again), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  EXPECT_EQ(again[0], 8u);
}

TEST_F(GroupsTogether, AreToldToReturnByTheInstancesEnd) {
  std::array<uint32_t, 2> words = {};
  ASSERT_EQ(meet({.groups = {8, 1, 1}, .count = 9}, words.data()), XHAL_SUCCESS);
  wait_until(words.data(), 8);
  machine.close();
  EXPECT_EQ(words[0], 8u);
}

// The image itself aborts the process when it is unloaded with scratch that it has not freed.
TEST_F(GroupsTogether, HaveScratchThatIsFreedBeforeTheirImageIsUnloaded) {
  std::array<uint64_t, 2> words = {};
  const std::vector<xhal_argument_t> arguments = {memory(words.data())};
  xhal_launch_t launch = launch_of(arguments, 6);
  launch.flags = XHAL_LAUNCH_COOPERATIVE;
  ASSERT_EQ(call().kernel_launch(stream, get_kernel(module, "scratch"), &launch), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(words[0], 1u) << "a scratch for each group's thread";
  EXPECT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  machine.close();
  EXPECT_EQ(words[1], 6u);
}

TEST_F(GroupsTogether, LimitsAreToldAndKept) {
  const xhal_occupancy_t most = occupancy("meet", 1, 8);
  EXPECT_EQ(most.max_cooperative_groups, 64u);
  EXPECT_EQ(most.max_cluster_groups, 16u);
  for (const auto& none : {occupancy("meet", 1, 64 * 1024 + 1), occupancy("trap", 65, 0)}) {
    EXPECT_EQ(none.max_cooperative_groups, 0u);
    EXPECT_EQ(none.max_cluster_groups, 0u);
  }
  const uint32_t both = uint32_t{XHAL_LAUNCH_COOPERATIVE} | uint32_t{XHAL_LAUNCH_CLUSTER};
  uint32_t* words = pinned_words();
  const auto refused = [&](const Meeting& it) {
    last_text.clear();
    const xhal_result_t result = meet(it, words);
    EXPECT_EQ(result < 0, !last_text.empty());
    return result;
  };
  EXPECT_EQ(refused({.groups = {65, 1, 1}}), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_NE(last_text.find("65 groups"), std::string::npos) << last_text;
  EXPECT_EQ(refused({.groups = {0x7fffffff, 65535, 65535}}), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_NE(last_text.find("9223090559730712575 groups"), std::string::npos) << last_text;
  EXPECT_EQ(refused({.groups = {17, 1, 1}, .cluster = {17, 1, 1}, .flags = XHAL_LAUNCH_CLUSTER}),
            XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(refused({.groups = {65536, 4, 4}, .cluster = {65536, 4, 4}, .flags = XHAL_LAUNCH_CLUSTER}),
            XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(refused({.groups = {80, 1, 1}, .cluster = {16, 1, 1}, .flags = both}), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(refused({.groups = {4, 1, 1}, .flags = XHAL_LAUNCH_CLUSTER}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refused({.groups = {4, 1, 1}, .cluster = {3, 1, 1}, .flags = XHAL_LAUNCH_CLUSTER}),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_NE(last_text.find("cluster_size[0] is 3"), std::string::npos) << last_text;
  EXPECT_EQ(refused({.groups = {0, 1, 1}}), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refused({.flags = both | 4}), XHAL_ERROR_INVALID_ARGUMENT);
  expect_synchronized(stream);
  EXPECT_EQ(words[0], 0u) << "a refused launch ran";
}

TEST(GroupsTogetherWithdrawn, AreRefusedEachByItself) {
  struct Case {
    const char* options;
    uint32_t refused, taken;
  };
  for (const Case& one : {Case{"features=-cooperative_launch", XHAL_LAUNCH_COOPERATIVE, XHAL_LAUNCH_CLUSTER},
                          Case{"features=-cluster_launch", XHAL_LAUNCH_CLUSTER, XHAL_LAUNCH_COOPERATIVE}}) {
    const Machine machine(one.options);
    const xhal_device_t device = machine.device();
    const xhal_stream_t stream = make_stream(device);
    const xhal_kernel_t kernel = get_kernel(load_test_image(device), "empty");
    const auto launch = [&](uint32_t flags) {
      xhal_launch_t it = launch_of({});
      it.flags = flags;
      std::fill_n(it.cluster_size, 3, 1u);
      return call().kernel_launch(stream, kernel, &it);
    };
    EXPECT_EQ(launch(one.refused), XHAL_ERROR_UNSUPPORTED);
    EXPECT_EQ(launch(one.refused | one.taken), XHAL_ERROR_UNSUPPORTED);
    EXPECT_EQ(launch(one.taken), XHAL_SUCCESS) << last_text;
    auto occupancy = sized<xhal_occupancy_t>();
    ASSERT_EQ(call().kernel_get_occupancy(kernel, 1, 0, &occupancy), XHAL_SUCCESS);
    EXPECT_EQ(occupancy.max_cooperative_groups == 0, one.refused == XHAL_LAUNCH_COOPERATIVE);
    EXPECT_EQ(occupancy.max_cluster_groups == 0, one.refused == XHAL_LAUNCH_CLUSTER);
    expect_synchronized(stream);
  }
}

}  // namespace
}  // namespace xhal::sim_test
