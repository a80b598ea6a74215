// SPDX-License-Identifier: Apache-2.0
// Cooperative and cluster launches: groups that wait for one another.
#include <algorithm>
#include <deque>
#include <limits>

#include "suite/failing.h"
#include "suite/launch_support.h"

namespace xhal::conformance {
namespace {

constexpr uint32_t kCooperative = XHAL_LAUNCH_COOPERATIVE;
constexpr uint32_t kCluster = XHAL_LAUNCH_CLUSTER;

uint32_t most_cooperative(Context& t) {
  const uint32_t items = small_group(t);
  return occupancy_of(t, "xhal_meet_u64", items, meeting_local_bytes(items)).max_cooperative_groups;
}

uint32_t most_in_cluster(Context& t) {
  const uint32_t items = small_group(t);
  return occupancy_of(t, "xhal_meet_u64", items, meeting_local_bytes(items)).max_cluster_groups;
}

// Leaves the test where the device's limit is below what it looks at.
void require_room(uint32_t wanted, uint32_t most) {
  if (wanted > most)
    Context::not_observable(fmt::format("{} groups, of which {} may wait for one another", wanted, most));
}

// ---- Cooperative launches

Cases crowds() { return grid({{"groups", {"one", "two", "box", "most"}}}); }

oracle::Counts crowd(Context& t) {
  const uint32_t most = most_cooperative(t);
  if (t.text("groups") == "most") return {most, 1, 1};
  const oracle::Counts groups = t.text("groups") == "one"   ? oracle::Counts{1, 1, 1}
                                : t.text("groups") == "two" ? oracle::Counts{1, 2, 1}
                                                            : oracle::Counts{2, 3, 2};
  require_room(size_of(groups), most);
  return groups;
}

XHAL_TEST_P(
    kernel, cooperative_barriers, crowds, .clauses = {"XHAL-KERNEL-22", "XHAL-KERNEL-23"},
    .observes =
        "eight barriers across all groups, each group reading what another one wrote before it, by as "
        "many groups as there may be",
    .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH}, .not_bit_exact = "its sizes follow the device's limits") {
  const oracle::Counts groups = crowd(t);
  Stream stream(t);
  Meeting meeting(t, {.groups = groups}, kCooperative);
  meeting.clear_arrivals(stream);
  ASSERT_RESULT("XHAL-KERNEL-23", meeting.launch(stream), XHAL_SUCCESS, "{} groups", size_of(groups));
  meeting.expect_met("XHAL-KERNEL-22", stream, t.text("groups"));
}

XHAL_TEST(
    kernel, cooperative_side_by_side, .clauses = {"XHAL-KERNEL-22"},
    .observes =
        "two streams with three cooperative launches each, at the same time, and plain launches between "
        "them: all end, with the right data",
    .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH}, .not_bit_exact = "its sizes follow the device's limits") {
  const uint32_t count = std::min(most_cooperative(t), 16u);
  require_room(2, count);
  std::vector<Stream> streams;
  std::deque<Meeting> meetings;
  for (int i = 0; i < 2; ++i) streams.emplace_back(t);
  for (int i = 0; i < 6; ++i)
    meetings.emplace_back(t, Meeting::Shape{.groups = {count, 1, 1}, .rounds = 6}, kCooperative);
  const Buffer cells = device_memory(t, 64);
  for (size_t i = 0; i < meetings.size(); ++i) {
    meetings[i].submit(streams[i % 2]);
    REQUIRE_OK(fold(t, streams[i % 2], cells.at(i % 2 * 8), i, 1));
  }
  for (size_t i = 0; i < meetings.size(); ++i) {
    if (meetings[i].expect_met("XHAL-KERNEL-22", streams[i % 2], fmt::format("launch {}", i))) continue;
    for (Meeting& meeting : meetings) meeting.give_up();
    return;
  }
}

XHAL_TEST(kernel, cooperative_limit, .clauses = {"XHAL-KERNEL-23"},
          .observes =
              "what occupancy tells for groups that fit, and for groups of too many items or bytes; one more "
              "group than that in each dimension, and many more: the code; nothing ran",
          .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH}) {
  const auto& p = t.properties();
  const auto most = [&](uint32_t items, uint64_t bytes) {
    return occupancy_of(t, "xhal_fold_u64", items, bytes).max_cooperative_groups;
  };
  EXPECT_CLAUSE("XHAL-KERNEL-23", most(1, 0) >= 1);
  EXPECT_CLAUSE("XHAL-KERNEL-23", most(small_group(t), 256) >= 1);
  EXPECT_CLAUSE("XHAL-KERNEL-23", most(1, p.max_local_bytes) >= 1, "all the local memory there is");
  EXPECT_VALUE("XHAL-KERNEL-23", most(1, uint64_t{p.max_local_bytes} + 1), 0u, "a byte more than there is");
  if (p.max_group_items < std::numeric_limits<uint32_t>::max())
    EXPECT_VALUE("XHAL-KERNEL-23", most(p.max_group_items + 1, 0), 0u, "an item more than a group may have");

  Refusal refusal(t);
  const auto refused = [&](const std::string& what, const std::function<void(xhal_launch_t&)>& change) {
    refusal.expect("XHAL-KERNEL-23", XHAL_ERROR_LIMIT_EXCEEDED, what, [&](Launch& l) {
      l.raw().flags = kCooperative;
      change(l.raw());
    });
  };
  const uint32_t limit = most(1, 0);
  for (size_t d = 0; d < 3; ++d) {
    if (limit >= p.max_group_count[d]) continue;
    refused(fmt::format("{} groups in dimension {}", limit + 1, d),
            [&](xhal_launch_t& l) { l.group_count[d] = limit + 1; });
    refused(fmt::format("{} groups in dimension {}", p.max_group_count[d], d),
            [&](xhal_launch_t& l) { l.group_count[d] = p.max_group_count[d]; });
  }
  refused("as many groups as a plain launch may have",
          [&](xhal_launch_t& l) { std::copy_n(p.max_group_count, 3, l.group_count); });
  if (const uint32_t fewer = most(1, p.max_local_bytes); fewer < p.max_group_count[0]) {
    refused("more groups with much local memory than such groups may be", [&](xhal_launch_t& l) {
      l.group_count[0] = fewer + 1;
      l.dynamic_local_bytes = p.max_local_bytes;
    });
  }
  refusal.expect_untouched("XHAL-KERNEL-23");
}

XHAL_TEST(kernel, cooperative_failure, .clauses = {"XHAL-KERNEL-24"},
          .observes =
              "a group that raises a failure in place of its arrival: the stream ends with the failure, and "
              "so the groups that waited",
          .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  const uint32_t count = std::min(most_cooperative(t), 8u);
  require_room(2, count);
  Stream stream(t);
  Meeting meeting(t, {.groups = {count, 1, 1}}, kCooperative, count - 1);
  meeting.submit(stream);
  const xhal_result_t code = meeting.end_of(stream);
  EXPECT_CLAUSE("XHAL-KERNEL-24", is_failure(code), "the synchronise says {}", result_name(code));
}

// ---- Clusters

Cases clusters() {
  return grid({{"cluster", {"1x1x1", "2x1x1", "1x2x1", "1x1x2", "2x2x1", "2x2x2", "most"}}});
}

oracle::Counts cluster(Context& t) {
  const uint32_t most = most_in_cluster(t);
  const std::string& text = t.text("cluster");
  if (text == "most") return {most, 1, 1};
  const auto size = [&](size_t at) { return static_cast<uint32_t>(text[at] - '0'); };
  const oracle::Counts extent = {size(0), size(2), size(4)};
  require_room(size_of(extent), most);
  return extent;
}

XHAL_TEST_P(
    kernel, cluster_barriers, clusters, .clauses = {"XHAL-KERNEL-25", "XHAL-KERNEL-26"},
    .observes =
        "eight barriers across each of thirty clusters in three dimensions, four across each of four in "
        "two where they are large, each group reading what another one of its cluster wrote before it",
    .needs = {XHAL_FEATURE_CLUSTER_LAUNCH}, .not_bit_exact = "its sizes follow the device's limits") {
  const oracle::Counts team = cluster(t);
  Stream stream(t);
  // A busy machine has to run every group of a cluster once for each barrier.
  const bool is_large = size_of(team) > 8;
  const oracle::Counts count = is_large ? oracle::Counts{2, 2, 1} : oracle::Counts{5, 3, 2};
  Meeting meeting(t,
                  {.groups = {count[0] * team[0], count[1] * team[1], count[2] * team[2]},
                   .team = team,
                   .rounds = is_large ? 4u : 8u},
                  kCluster);
  meeting.clear_arrivals(stream);
  ASSERT_RESULT("XHAL-KERNEL-26", meeting.launch(stream), XHAL_SUCCESS, "clusters of {} groups",
                size_of(team));
  meeting.expect_met("XHAL-KERNEL-25", stream, t.text("cluster"));
}

XHAL_TEST(
    kernel, cluster_failure, .clauses = {"XHAL-KERNEL-25"},
    .observes =
        "a group of one of four clusters that raises a failure in place of its arrival: the stream ends "
        "with the failure",
    .needs = {XHAL_FEATURE_CLUSTER_LAUNCH}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  require_room(2, most_in_cluster(t));
  Stream stream(t);
  Meeting meeting(t, {.groups = {8, 1, 1}, .team = {2, 1, 1}}, kCluster, 4);
  meeting.submit(stream);
  const xhal_result_t code = meeting.end_of(stream);
  EXPECT_CLAUSE("XHAL-KERNEL-25", is_failure(code), "the synchronise says {}", result_name(code));
}

XHAL_TEST(
    kernel, cluster_sizes_are_checked, .clauses = {"XHAL-KERNEL-26"},
    .observes =
        "what occupancy tells; a zero, a size that does not divide the groups, and one above the limit, "
        "in each dimension and multiplied: codes; nothing ran",
    .needs = {XHAL_FEATURE_CLUSTER_LAUNCH}) {
  const auto& p = t.properties();
  const auto most = [&](uint32_t items, uint64_t bytes) {
    return occupancy_of(t, "xhal_fold_u64", items, bytes).max_cluster_groups;
  };
  const uint32_t limit = most(1, 0);
  EXPECT_CLAUSE("XHAL-KERNEL-26", limit >= 1);
  EXPECT_CLAUSE("XHAL-KERNEL-26", most(1, p.max_local_bytes) >= 1, "all the local memory there is");
  EXPECT_VALUE("XHAL-KERNEL-26", most(1, uint64_t{p.max_local_bytes} + 1), 0u, "a byte more than there is");

  Refusal refusal(t);
  const auto refused = [&](xhal_result_t code, const oracle::Counts& groups, const oracle::Counts& size) {
    refusal.expect("XHAL-KERNEL-26", code,
                   fmt::format("clusters of {} x {} x {} in {} x {} x {} groups", size[0], size[1], size[2],
                               groups[0], groups[1], groups[2]),
                   [&](Launch& l) {
                     l.groups(groups[0], groups[1], groups[2]);
                     l.raw().flags = kCluster;
                     std::ranges::copy(size, l.raw().cluster_size);
                   });
  };
  refused(XHAL_ERROR_INVALID_ARGUMENT, {1, 1, 1}, {0, 0, 0});
  for (size_t d = 0; d < 3; ++d) {
    oracle::Counts groups = {4, 4, 4};
    oracle::Counts size = {1, 1, 1};
    size[d] = 0;
    refused(XHAL_ERROR_INVALID_ARGUMENT, groups, size);
    size[d] = 3;
    refused(XHAL_ERROR_INVALID_ARGUMENT, groups, size);
    size[d] = 8;  // more than there are groups
    refused(XHAL_ERROR_INVALID_ARGUMENT, groups, size);
    size[d] = 0x80000000u;
    refused(XHAL_ERROR_INVALID_ARGUMENT, groups, size);
    if (limit >= p.max_group_count[d]) continue;
    groups[d] = size[d] = limit + 1;
    refused(XHAL_ERROR_LIMIT_EXCEEDED, groups, size);
  }
  // Each dimension within the limit, but not all of them multiplied.
  const oracle::Counts corner = {limit, limit, 2};
  if (limit > 1 && limit < p.max_group_count[1]) refused(XHAL_ERROR_LIMIT_EXCEEDED, corner, corner);
  refusal.expect_untouched("XHAL-KERNEL-26");
}

XHAL_TEST(kernel, cluster_size_without_its_flag, .clauses = {"XHAL-KERNEL-27"},
          .observes = "launches without the flag, whose cluster sizes make no sense, run as any other",
          .needs = {XHAL_FEATURE_KERNEL}) {
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{3});
  oracle::FoldHistory history(3);
  for (const uint32_t size : {0u, 1u, 3u, 0xFFFFFFFFu}) {
    Launch launch(t.kernel("xhal_fold_u64"));
    launch.groups(4).updates(cell, 8).value(uint64_t{size}).value(uint64_t{1});
    std::fill_n(launch.raw().cluster_size, 3, size);
    EXPECT_RESULT("XHAL-KERNEL-27", launch.on(stream), XHAL_SUCCESS, "cluster_size {}", size);
    history.fold(size);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-KERNEL-27", t.read<uint64_t>(cell, 1).front(), history.value());
}

// ---- Both

Cases numbers_of_clusters() { return grid({{"clusters", {1, 2, 3}}}); }

XHAL_TEST_P(
    kernel, cooperative_clusters, numbers_of_clusters, .clauses = {"XHAL-KERNEL-28"},
    .observes =
        "barriers across all groups of one to three clusters; several clusters run, or are refused for "
        "want of room",
    .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH, XHAL_FEATURE_CLUSTER_LAUNCH},
    .not_bit_exact = "its sizes follow the device's limits") {
  const auto count = static_cast<uint32_t>(t.number("clusters"));
  require_room(2, most_in_cluster(t));
  require_room(2 * count, most_cooperative(t));
  Stream stream(t);
  // One team of all groups: its shape is not the clusters'.
  Meeting meeting(t, {.groups = {2 * count, 1, 1}}, kCooperative);
  meeting.desc().raw().flags = kCooperative | kCluster;
  const oracle::Counts size = {2, 1, 1};
  std::ranges::copy(size, meeting.desc().raw().cluster_size);
  meeting.clear_arrivals(stream);
  const xhal_result_t result = meeting.launch(stream);
  if (result == XHAL_ERROR_LIMIT_EXCEEDED && count > 1)
    Context::not_observable("there is no room for so many clusters");
  ASSERT_RESULT("XHAL-KERNEL-28", result, XHAL_SUCCESS);
  meeting.expect_met("XHAL-KERNEL-28", stream, "both flags");
}

XHAL_TEST(kernel, cooperative_clusters_are_checked, .clauses = {"XHAL-KERNEL-28"},
          .observes =
              "with both flags: more groups than cooperate, sizes that do not divide, a cluster that is too "
              "large: codes; nothing ran",
          .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH, XHAL_FEATURE_CLUSTER_LAUNCH}) {
  const auto& p = t.properties();
  const xhal_occupancy_t most = occupancy_of(t, "xhal_fold_u64", 1, 0);
  Refusal refusal(t);
  const auto refused = [&](xhal_result_t code, uint32_t groups, uint32_t size) {
    if (groups > p.max_group_count[0]) return;
    refusal.expect("XHAL-KERNEL-28", code, fmt::format("{} groups in clusters of {}", groups, size),
                   [&](Launch& l) {
                     l.groups(groups);
                     l.raw().flags = kCooperative | kCluster;
                     l.raw().cluster_size[0] = size;
                     l.raw().cluster_size[1] = l.raw().cluster_size[2] = 1;
                   });
  };
  refused(XHAL_ERROR_LIMIT_EXCEEDED, most.max_cooperative_groups + 1, 1);
  refused(XHAL_ERROR_LIMIT_EXCEEDED, most.max_cluster_groups + 1, most.max_cluster_groups + 1);
  refused(XHAL_ERROR_INVALID_ARGUMENT, 1, 2);
  refused(XHAL_ERROR_INVALID_ARGUMENT, 1, 0);
  refusal.expect_untouched("XHAL-KERNEL-28");
}

// ---- Flags

XHAL_TEST(
    kernel, undefined_launch_flags, .clauses = {"XHAL-ABI-11"},
    .observes = "each flag bit that is not defined, alone and beside the defined ones: the code; nothing ran",
    .needs = {XHAL_FEATURE_COOPERATIVE_LAUNCH}) {
  Refusal refusal(t);
  for (uint32_t bit = 2; bit < 32; ++bit) {
    for (const uint32_t others : {0u, kCooperative}) {
      refusal.expect("XHAL-ABI-11", XHAL_ERROR_INVALID_ARGUMENT,
                     fmt::format("flags {:#x}", 1u << bit | others),
                     [&](Launch& l) { l.raw().flags = 1u << bit | others; });
    }
  }
  refusal.expect_untouched("XHAL-ABI-11");
}

}  // namespace
}  // namespace xhal::conformance
