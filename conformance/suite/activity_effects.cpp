// SPDX-License-Identifier: Apache-2.0
// Times of records, their end, and that they change nothing.
#include <algorithm>
#include <ctime>
#include <map>

#include "suite/activity_support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(
    activity, times_of_a_chain, .clauses = {"XHAL-ACTIVITY-3"},
    .observes =
        "begin and end of forty copies, fills and kernels in one stream, told apart by their size or their "
        "correlation: each ends before the next begins",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  constexpr uint64_t kOperations = 40;
  Stream stream(t);
  const Buffer device = device_memory(t, 1u << 20);
  const Buffer pinned = pinned_memory(t, 1u << 20);
  const bool kernels = t.has_kernels();
  Subscription subscription(t, XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL);
  for (uint64_t i = 0; i < kOperations; ++i) {
    const Correlation correlation(t, i + 1);
    if (i % 3 == 0) {
      REQUIRE_OK(xhal_memory_copy(stream, device, pinned, 4096 * (i + 1)));
    } else if (i % 3 == 1 || !kernels) {
      REQUIRE_OK(xhal_memory_fill(stream, device, i, 4, 4096 * (i + 1)));
    } else {
      REQUIRE_OK(fold(t, stream, device, i, 512 * (i + 1)));
    }
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
  auto records = subscription.of(stream_id(t, stream));
  ASSERT_VALUE("XHAL-ACTIVITY-3", records.size(), kOperations, "records");
  std::sort(records.begin(), records.end(), [](const Activity& a, const Activity& b) {
    return a.record.external_correlation < b.record.external_correlation;
  });
  for (size_t i = 0; i < records.size(); ++i) {
    const auto& record = records[i].record;
    EXPECT_VALUE("XHAL-ACTIVITY-3", record.external_correlation, i + 1);
    EXPECT_CLAUSE("XHAL-ACTIVITY-3", record.begin_ns <= record.end_ns, "operation {}: {} to {}", i,
                  record.begin_ns, record.end_ns);
    if (i > 0)
      EXPECT_CLAUSE("XHAL-ACTIVITY-3", records[i - 1].record.end_ns <= record.begin_ns,
                    "operation {} ends at {}, the next begins at {}", i - 1, records[i - 1].record.end_ns,
                    record.begin_ns);
  }
}

uint64_t host_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

xhal_clocks_t clocks(Context& t) {
  xhal_clocks_t now{};
  now.struct_size = sizeof(now);
  REQUIRE_OK(xhal_device_get_clocks(t.device(), &now));
  return now;
}

// The best of several: whoever is interrupted between the two readings has to say so, and is not judged by it.
xhal_clocks_t good_clocks(Context& t) {
  xhal_clocks_t best = clocks(t);
  for (int i = 0; i < 10; ++i) {
    const xhal_clocks_t next = clocks(t);
    if (next.uncertainty_ns <= best.uncertainty_ns) best = next;
  }
  return best;
}

XHAL_TEST(
    activity, clocks_enclose_records, .clauses = {"XHAL-ACTIVITY-5"},
    .observes =
        "the pair's host time between two own readings of that clock; begin and end of twenty operations, "
        "converted by pairs from before and behind them, between own readings before the submission and "
        "behind the synchronise, but for the pairs' uncertainty",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  // A second: what cannot place an operation better than that tells nothing, and would let everything else here pass.
  constexpr uint64_t kUseless = 1'000'000'000;
  Stream stream(t);
  const Buffer device = device_memory(t, 1u << 20);
  Subscription subscription(t, XHAL_ACTIVITY_FILL);
  struct Bounds {
    uint64_t before;
    uint64_t behind;
  };
  std::vector<Bounds> bounds;
  const uint64_t before_pair = host_now();
  const xhal_clocks_t first = good_clocks(t);
  const uint64_t behind_pair = host_now();
  EXPECT_CLAUSE("XHAL-ACTIVITY-5", first.uncertainty_ns < kUseless, "uncertain by {} ns",
                first.uncertainty_ns);
  EXPECT_CLAUSE("XHAL-ACTIVITY-5",
                first.host_ns + first.uncertainty_ns >= before_pair &&
                    first.host_ns <= behind_pair + first.uncertainty_ns,
                "the pair's host time {} does not lie between {} and {}", first.host_ns, before_pair,
                behind_pair);
  for (uint64_t i = 0; i < 20; ++i) {
    const Correlation correlation(t, i + 1);
    const uint64_t before = host_now();
    REQUIRE_OK(xhal_memory_fill(stream, device, i, 4, device.size()));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    bounds.push_back({before, host_now()});
  }
  const xhal_clocks_t last = good_clocks(t);
  EXPECT_CLAUSE("XHAL-ACTIVITY-5", last.uncertainty_ns < kUseless, "uncertain by {} ns", last.uncertainty_ns);
  ASSERT_CLAUSE("XHAL-ACTIVITY-5", last.device_ns > first.device_ns && last.host_ns > first.host_ns,
                "a clock stands still or goes back");
  REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
  // Two pairs, so that clocks of slightly different speed are no matter.
  const auto host_time = [&](uint64_t device_ns) {
    const long double share =
        (static_cast<long double>(device_ns) - static_cast<long double>(first.device_ns)) /
        static_cast<long double>(last.device_ns - first.device_ns);
    return static_cast<long double>(first.host_ns) +
           share * static_cast<long double>(last.host_ns - first.host_ns);
  };
  const auto slack = static_cast<long double>(std::max(first.uncertainty_ns, last.uncertainty_ns) + 1);
  const auto records = subscription.of(stream_id(t, stream));
  ASSERT_VALUE("XHAL-ACTIVITY-5", records.size(), bounds.size(), "records");
  for (const Activity& one : records) {
    const size_t i = one.record.external_correlation - 1;
    ASSERT_CLAUSE("XHAL-ACTIVITY-5", i < bounds.size(), "an id that nobody gave");
    const long double begin = host_time(one.record.begin_ns);
    const long double end = host_time(one.record.end_ns);
    EXPECT_CLAUSE("XHAL-ACTIVITY-5",
                  begin + slack >= static_cast<long double>(bounds[i].before) &&
                      end <= static_cast<long double>(bounds[i].behind) + slack,
                  "operation {}: submitted at {}, begun at {:.0f}, ended at {:.0f}, seen done at {}, "
                  "uncertainty {:.0f}",
                  i, bounds[i].before, begin, end, bounds[i].behind, slack);
  }
}

XHAL_TEST(
    activity, nothing_after_the_end, .clauses = {"XHAL-ACTIVITY-6"},
    .observes =
        "records of work that was done when unsubscribe was called, and that their number stays while more "
        "work runs and the device is synchronised",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  Stream stream(t);
  const Buffer device = device_memory(t, 4096);
  const uint64_t id = stream_id(t, stream);
  Subscription subscription(t, XHAL_ACTIVITY_FILL);
  for (int i = 0; i < 10; ++i) REQUIRE_OK(xhal_memory_fill(stream, device, 1, 4, 4096));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_RESULT("XHAL-ACTIVITY-6", xhal_activity_unsubscribe(subscription.release()), XHAL_SUCCESS);
  const size_t all = subscription.all().size();
  EXPECT_VALUE("XHAL-ACTIVITY-6", subscription.count(id), 10u, "delivered before it returned");
  for (int i = 0; i < 100; ++i) REQUIRE_OK(xhal_memory_fill(stream, device, 2, 4, 4096));
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  // A new subscription's flush delivers what anybody still had to deliver.
  {
    Subscription next(t, kEveryActivity);
    for (int i = 0; i < 3; ++i) REQUIRE_OK(xhal_memory_fill(stream, device, 3, 4, 4096));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    REQUIRE_OK(xhal_activity_flush(next, t.patience()));
    EXPECT_CLAUSE("XHAL-ACTIVITY-6", next.count(id, XHAL_ACTIVITY_FILL) >= 3,
                  "the next subscription has {} records", next.count(id, XHAL_ACTIVITY_FILL));
  }
  EXPECT_VALUE("XHAL-ACTIVITY-6", subscription.all().size(), all, "the callback was called after the end");
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    activity, ended_while_work_is_held, gates, .clauses = {"XHAL-ACTIVITY-6"},
    .observes = "unsubscribe while a gate holds work: it returns, and that work gives no record later",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  Stream stream(t);
  Marker behind(t);
  Subscription subscription(t, kEveryActivity);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  EXPECT_RESULT("XHAL-ACTIVITY-6", xhal_activity_unsubscribe(subscription.release()), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-ACTIVITY-6", gate.held(), "it waited for work that was not done");
  const size_t all = subscription.all().size();
  gate.open();
  EXPECT_RESULT("XHAL-ACTIVITY-6", xhal_device_synchronize(t.device(), t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-ACTIVITY-6", behind.filled(), "{}", behind.shown());
  EXPECT_VALUE("XHAL-ACTIVITY-6", subscription.all().size(), all, "the callback was called after the end");
}

XHAL_TEST_P(
    activity, order_stays, gates, .clauses = {"XHAL-ACTIVITY-7", "XHAL-EVENT-2", "XHAL-STREAM-1"},
    .observes =
        "under a subscription to everything, with a flush in between: what a gate holds has not happened, "
        "queries say so, and the copies of a word that two streams hand to each other by events hold the "
        "values of the order",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  constexpr size_t kRounds = 100;
  Stream streams[2] = {Stream(t), Stream(t)};
  Event held(t);
  Event link(t);
  Marker behind(t);
  const Buffer word = device_memory(t, sizeof(uint64_t));
  const Buffer places = device_memory(t, kRounds * sizeof(uint64_t));
  const auto values = t.random_u64(kRounds);
  Subscription subscription(t, kEveryActivity);
  {
    Gate gate(t, streams[0], gate_kind(t.text("hold")));
    behind.fill_on(t, streams[0]);
    REQUIRE_OK(xhal_event_record(held, streams[0], 0));
    if (gate.shut()) {
      EXPECT_RESULT("XHAL-EVENT-2", xhal_event_query(held), XHAL_NOT_READY);
      EXPECT_RESULT("XHAL-ACTIVITY-7", xhal_stream_query(streams[0]), XHAL_NOT_READY);
      if (t.witness(gate)) EXPECT_CLAUSE("XHAL-ACTIVITY-7", behind.untouched(), "{}", behind.shown());
    }
    behind.stamp(gate);
  }
  for (size_t i = 0; i < kRounds; ++i) {
    Stream& stream = streams[i % 2];
    REQUIRE_OK(xhal_stream_wait_event(stream, link, 0));
    REQUIRE_OK(xhal_memory_fill(stream, word, values[i], sizeof(uint64_t), sizeof(uint64_t)));
    REQUIRE_OK(xhal_memory_copy(stream, places.at(i * sizeof(uint64_t)), word, sizeof(uint64_t)));
    REQUIRE_OK(xhal_event_record(link, stream, 0));
    if (i == kRounds / 2) REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
  }
  EXPECT_RESULT("XHAL-ACTIVITY-7", xhal_event_synchronize(link, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-ACTIVITY-7", behind.filled(), "{}", behind.shown());
  EXPECT_DATA("XHAL-STREAM-1", values, t.read<uint64_t>(places, kRounds));
}

}  // namespace
}  // namespace xhal::conformance
