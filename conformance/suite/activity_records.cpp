// SPDX-License-Identifier: Apache-2.0
// Which records come, once each, and what they say of their operation.
#include <array>
#include <iterator>
#include <map>
#include <set>

#include "suite/activity_support.h"

namespace xhal::conformance {
namespace {

std::string kind_text(uint32_t kind) {
  switch (kind) {
    case XHAL_ACTIVITY_KERNEL:
      return "kernels";
    case XHAL_ACTIVITY_COPY:
      return "copies";
    case XHAL_ACTIVITY_FILL:
      return "fills";
    case XHAL_ACTIVITY_HOST_FUNCTION:
      return "host functions";
    default:
      return fmt::format("records of kind {:#x}", kind);
  }
}

// A number of operations of each kind, on memory that lives as long as this.
class Mix {
 public:
  explicit Mix(Context& t)
      : t_(t), pinned_(pinned_memory(t, 4096)), device_(device_memory(t, 4096)), call_(t.kept<HostCall>()) {}

  void submit(xhal_stream_t stream, const std::map<uint32_t, size_t>& counts) {
    Context& t = t_;
    for (const auto& [kind, count] : counts) {
      for (size_t i = 0; i < count; ++i) {
        if (kind == XHAL_ACTIVITY_KERNEL) REQUIRE_OK(fold(t, stream, device_, i, 8));
        if (kind == XHAL_ACTIVITY_COPY) REQUIRE_OK(xhal_memory_copy(stream, device_, pinned_, 64));
        if (kind == XHAL_ACTIVITY_FILL) REQUIRE_OK(xhal_memory_fill(stream, device_, i, 4, 64));
        if (kind == XHAL_ACTIVITY_HOST_FUNCTION)
          REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call_));
      }
    }
  }

 private:
  Context& t_;
  Buffer pinned_;
  Buffer device_;
  HostCall& call_;
};

std::map<uint32_t, size_t> some_of_each(Context& t) {
  std::map<uint32_t, size_t> counts = {
      {XHAL_ACTIVITY_COPY, 7}, {XHAL_ACTIVITY_FILL, 11}, {XHAL_ACTIVITY_HOST_FUNCTION, 3}};
  if (t.has_kernels()) counts[XHAL_ACTIVITY_KERNEL] = 5;
  return counts;
}

Cases subscriptions() {
  return grid({{"kinds", {"all", Value("kernel", {XHAL_FEATURE_KERNEL}), "copy", "fill", "host_function"}}});
}

uint32_t kinds_named(const std::string& word) {
  if (word == "kernel") return XHAL_ACTIVITY_KERNEL;
  if (word == "copy") return XHAL_ACTIVITY_COPY;
  if (word == "fill") return XHAL_ACTIVITY_FILL;
  return word == "host_function" ? uint32_t{XHAL_ACTIVITY_HOST_FUNCTION} : kEveryActivity;
}

XHAL_TEST_P(activity, every_operation_once, subscriptions, .clauses = {"XHAL-ACTIVITY-1", "XHAL-ACTIVITY-2"},
            .observes =
                "the number of records of each kind for kernels, copies, fills and host functions on two "
                "streams, after a flush, after a second one, and after more work and a third; none of a kind "
                "that was not asked for",
            .needs = {XHAL_FEATURE_ACTIVITY}) {
  const uint32_t kinds = kinds_named(t.text("kinds"));
  const auto counts = some_of_each(t);
  // Nothing orders the streams: each has memory of its own.
  Mix mixes[] = {Mix(t), Mix(t)};
  Stream streams[] = {Stream(t), Stream(t)};
  Subscription subscription(t, kinds);
  const auto expect = [&](size_t rounds, const char* when) {
    for (Stream& stream : streams) {
      const uint64_t id = stream_id(t, stream);
      for (const auto& [kind, count] : counts) {
        const size_t expected = (kinds & kind) != 0 ? rounds * count : 0;
        EXPECT_VALUE("XHAL-ACTIVITY-1", subscription.count(id, kind), expected, "{} {}", kind_text(kind),
                     when);
      }
    }
    for (const Activity& one : subscription.all()) {
      if (!EXPECT_CLAUSE("XHAL-ACTIVITY-1", (one.record.kind & ~kinds) == 0, "a record of kind {:#x} {}",
                         one.record.kind, when))
        break;
    }
    EXPECT_VALUE("XHAL-ACTIVITY-2", subscription.malformed(), 0u, "records too small or without a name");
  };
  for (size_t round = 1; round <= 2; ++round) {
    for (size_t i = 0; i < std::size(streams); ++i) mixes[i].submit(streams[i], counts);
    for (Stream& stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(subscription, t.patience()), XHAL_SUCCESS);
    expect(round, "after a flush");
    EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(subscription, t.patience()), XHAL_SUCCESS);
    expect(round, "after a second flush");
  }
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    activity, flush_of_what_is_done, gates, .clauses = {"XHAL-ACTIVITY-1"},
    .observes =
        "a flush while one stream is held and another is done: it returns, has the records of the done "
        "one and none of what is held; all of them after the release",
    .needs = {XHAL_FEATURE_ACTIVITY, XHAL_FEATURE_CROSS_STREAM_PROGRESS}, .may_be_unobservable = true) {
  const Gate::Kind kind = independent_gate_kind(t);
  Stream held(t);
  Stream done(t);
  const Buffer memory = device_memory(t, 4096);
  const uint64_t held_id = stream_id(t, held);
  const uint64_t done_id = stream_id(t, done);
  Subscription subscription(t, XHAL_ACTIVITY_FILL);
  Gate gate(t, held, kind);
  for (int i = 0; i < 4; ++i) REQUIRE_OK(xhal_memory_fill(held, memory, 1, 1, 64));
  for (int i = 0; i < 6; ++i) REQUIRE_OK(xhal_memory_fill(done, memory.at(2048), 2, 1, 64));
  REQUIRE_OK(xhal_stream_synchronize(done, t.patience()));
  EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(subscription, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ACTIVITY-1", subscription.count(done_id), 6u, "what is done");
  if (gate.shut()) {
    EXPECT_CLAUSE("XHAL-ACTIVITY-1", gate.held(), "the flush waited for work that is not done");
    EXPECT_VALUE("XHAL-ACTIVITY-1", subscription.count(held_id), 0u, "what is held");
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(held, t.patience()));
  EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(subscription, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ACTIVITY-1", subscription.count(held_id), 4u, "after the release");
  EXPECT_VALUE("XHAL-ACTIVITY-1", subscription.count(done_id), 6u, "after the release");
}

XHAL_TEST(
    activity, what_a_record_says, .clauses = {"XHAL-ACTIVITY-2"},
    .observes =
        "stream, device, kind, direction, bytes and kernel's name of copies in four directions, fills and "
        "a kernel, each told apart by its size",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  struct Expected {
    uint32_t kind;
    uint32_t detail;
  };
  Stream streams[] = {Stream(t), Stream(t)};
  const Buffer device = device_memory(t, 1u << 16);
  const Buffer pinned = pinned_memory(t, 1u << 16);
  const void* const from[] = {pinned.get(), device.get(), device.at(1u << 15), pinned.at(1u << 15)};
  void* const to[] = {device.get(), pinned.get(), device.get(), pinned.get()};
  const uint32_t details[] = {XHAL_COPY_PINNED_TO_DEVICE, XHAL_COPY_DEVICE_TO_PINNED,
                              XHAL_COPY_DEVICE_TO_DEVICE, XHAL_COPY_HOST_TO_HOST};
  Subscription subscription(t, kEveryActivity);
  std::map<std::pair<uint64_t, uint64_t>, Expected> expected;  // by stream id and bytes
  uint64_t bytes = 1000;
  for (Stream& stream : streams) {
    const uint64_t id = stream_id(t, stream);
    for (size_t i = 0; i < std::size(details); ++i) {
      REQUIRE_OK(xhal_memory_copy(stream, to[i], from[i], bytes += 4));
      expected[{id, bytes}] = {XHAL_ACTIVITY_COPY, details[i]};
    }
    for (void* memory : {device.get(), pinned.get()}) {
      REQUIRE_OK(xhal_memory_fill(stream, memory, 1, 4, bytes += 4));
      expected[{id, bytes}] = {XHAL_ACTIVITY_FILL, 0};
    }
    if (t.has_kernels()) REQUIRE_OK(fold(t, stream, device, 3, 8));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
  REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
  for (Stream& stream : streams) {
    const uint64_t id = stream_id(t, stream);
    for (const Activity& one : subscription.of(id, XHAL_ACTIVITY_COPY | XHAL_ACTIVITY_FILL)) {
      const auto found = expected.find({id, one.record.bytes});
      if (!EXPECT_CLAUSE("XHAL-ACTIVITY-2", found != expected.end(), "a record of {} bytes that nobody moved",
                         one.record.bytes))
        continue;
      EXPECT_VALUE("XHAL-ACTIVITY-2", one.record.kind, found->second.kind, "{} bytes", one.record.bytes);
      EXPECT_VALUE("XHAL-ACTIVITY-2", one.record.detail, found->second.detail, "{} bytes", one.record.bytes);
      EXPECT_VALUE("XHAL-ACTIVITY-2", one.record.device_index, t.properties().index);
      EXPECT_VALUE("XHAL-ACTIVITY-2", one.name, "", "only kernels have a name");
      expected.erase(found);
    }
    if (!t.has_kernels()) continue;
    const auto kernels = subscription.of(id, XHAL_ACTIVITY_KERNEL);
    if (!EXPECT_VALUE("XHAL-ACTIVITY-2", kernels.size(), 1u, "kernels")) continue;
    EXPECT_VALUE("XHAL-ACTIVITY-2", kernels.front().name, t.kernel_name("xhal_fold_u64"));
    EXPECT_VALUE("XHAL-ACTIVITY-2", kernels.front().record.detail, 0u);
    EXPECT_VALUE("XHAL-ACTIVITY-2", kernels.front().record.device_index, t.properties().index);
  }
  EXPECT_VALUE("XHAL-ACTIVITY-2", expected.size(), 0u, "operations without a record");
}

XHAL_TEST(
    activity, correlations, .clauses = {"XHAL-ACTIVITY-4"},
    .observes =
        "own correlation ids of all submissions of two threads, never 0 and never twice; the external ones: "
        "each thread's while it has one, the launch's or 0 when it has none; the former ids that an exchange "
        "gives back",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  Stream streams[] = {Stream(t), Stream(t), Stream(t)};
  const Buffer memory = device_memory(t, 3 * 4096);
  const bool kernels = t.has_kernels();
  const xhal_kernel_t kernel = kernels ? t.kernel("xhal_fold_u64") : nullptr;
  const xhal_driver_t driver = t.driver();
  Subscription subscription(t, XHAL_ACTIVITY_FILL | XHAL_ACTIVITY_KERNEL);
  // A fill, and a launch with an id of its own.
  const auto submit = [&](size_t i) {
    TRACED(xhal_memory_fill(streams[i], memory.at(i * 4096), 1, 4, 64));
    if (!kernels) return;
    Launch launch(kernel);
    launch.updates(memory.at(i * 4096), 64).value(uint64_t{1}).value(uint64_t{8}).correlation(900 + i);
    TRACED(launch.on(streams[i]));
  };
  std::array<std::vector<uint64_t>, 2> formers;
  run_threads(2, [&](size_t i) {
    const auto exchange = [&](uint64_t id) {
      uint64_t former = 777;
      TRACED(xhal_driver_exchange_correlation(driver, id, &former));
      formers[i].push_back(former);
    };
    exchange(100 + i);
    for (int round = 0; round < 5; ++round) submit(i);
    exchange(200 + i);
    submit(i);
    exchange(0);
  });
  submit(2);
  for (Stream& stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  REQUIRE_OK(xhal_activity_flush(subscription, t.patience()));
  std::set<uint64_t> own;
  size_t records = 0;
  for (size_t i = 0; i < 3; ++i) {
    std::map<uint64_t, size_t> externals;
    for (const Activity& one : subscription.of(stream_id(t, streams[i]))) {
      ++records;
      EXPECT_CLAUSE("XHAL-ACTIVITY-4", one.record.correlation_id != 0, "a submission without an id");
      own.insert(one.record.correlation_id);
      ++externals[one.record.external_correlation];
    }
    const size_t each = kernels ? 2 : 1;
    std::map<uint64_t, size_t> expected = {{100 + i, 5 * each}, {200 + i, each}};
    if (i == 2) expected = {{0, 1}};
    if (i == 2 && kernels) expected[902] = 1;
    EXPECT_CLAUSE("XHAL-ACTIVITY-4", externals == expected, "stream {}: {} different external ids", i,
                  externals.size());
    if (i < 2)
      EXPECT_CLAUSE("XHAL-ACTIVITY-4", (formers[i] == std::vector<uint64_t>{0, 100 + i, 200 + i}),
                    "thread {}: the former ids", i);
  }
  EXPECT_VALUE("XHAL-ACTIVITY-4", own.size(), records, "submissions with ids of their own");
}

XHAL_TEST(activity, refusals, .clauses = {"XHAL-ACTIVITY-8", "XHAL-ABI-14", "XHAL-ABI-4"},
          .observes =
              "subscriptions of unknown kinds and without a callback: the codes, no handle; a good one after "
              "them, and its handle once it has ended",
          .needs = {XHAL_FEATURE_ACTIVITY}) {
  const xhal_activity_fn ignore = [](void*, const xhal_activity_record_t*, uint32_t, uint32_t) {};
  xhal_subscription_t none = sentinel<xhal_subscription_s>();
  xhal_activity_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.callback = ignore;
  for (const uint32_t kinds : {1u << 7, 1u << 31, kEveryActivity | 1u << 8, ~0u}) {
    desc.kinds = kinds;
    EXPECT_RESULT("XHAL-ACTIVITY-8", xhal_activity_subscribe(t.device(), &desc, &none),
                  XHAL_ERROR_INVALID_ARGUMENT, "kinds {:#x}", kinds);
  }
  desc.kinds = kEveryActivity;
  desc.callback = nullptr;
  EXPECT_RESULT("XHAL-ACTIVITY-8", xhal_activity_subscribe(t.device(), &desc, &none),
                XHAL_ERROR_INVALID_ARGUMENT, "no callback");
  EXPECT_VALUE("XHAL-ABI-14", none, sentinel<xhal_subscription_s>());
  const xhal_subscription_t ended = Subscription(t, kEveryActivity).release();
  EXPECT_RESULT("XHAL-ACTIVITY-8", xhal_activity_unsubscribe(ended), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ABI-4", xhal_activity_flush(ended, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_RESULT("XHAL-ABI-4", xhal_activity_unsubscribe(ended), XHAL_ERROR_INVALID_HANDLE);
}

}  // namespace
}  // namespace xhal::conformance
