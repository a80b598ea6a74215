// SPDX-License-Identifier: Apache-2.0
// Priorities. Their clause speaks of the moment at which all units are taken, which no test can bring about on every device: a held kernel
// takes one unit here, none there. So many streams are held by one event, each with a job that keeps the device busy, and let go at once;
// then most of them wait for units, and the order in which they get done tells in which order they were started. The same is done with
// equal priorities, which shows whether the order had anything to do with waiting at all.
#include <algorithm>
#include <mutex>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

// Which stream's job was done when.
struct Finish {
  std::mutex mutex;
  std::vector<size_t> order;
};
struct Runner {
  Finish* finish = nullptr;
  size_t index = 0;
};
void finished(void* user, xhal_result_t) {
  auto* runner = static_cast<Runner*>(user);
  const std::lock_guard lock(runner->finish->mutex);
  runner->finish->order.push_back(runner->index);
}

class Race {
 public:
  // `others` streams of the least priority, and one more that is submitted to last.
  explicit Race(Context& t) : t_(t), holder_(t), start_(t) {
    const uint64_t units = t.properties().unit_count;
    others_ = std::clamp<uint64_t>(4 * units, 32, 512);
    cells_ = others_ <= 64 ? 1u << 18 : 1u << 15;
    for (size_t i = 0; i <= others_; ++i) data_.push_back(device_memory(t, cells_ * sizeof(uint64_t)));
  }

  // The share of the other streams' jobs that were done before the last stream's one.
  double share_before(int32_t priority) {
    Context& t = t_;
    auto& finish = t.kept<Finish>();
    auto& runners = t.kept<std::vector<Runner>>();
    runners.resize(others_ + 1);
    std::vector<xhal_stream_t> streams;
    // Streams are destroyed with the work in flight where the test leaves early.
    const auto destroy = [&] {
      for (const xhal_stream_t stream : streams) TRACED(xhal_stream_destroy(stream));
    };
    try {
      for (size_t i = 0; i <= others_; ++i) {
        const xhal_stream_desc_t desc{sizeof(desc), 0, i < others_ ? t.properties().priority_least : priority,
                                      0};
        xhal_stream_t stream = nullptr;
        REQUIRE_OK(xhal_stream_create(t.device(), &desc, &stream));
        streams.push_back(stream);
      }
      {
        Gate gate(t, holder_);
        REQUIRE_OK(xhal_event_record(start_, holder_, 0));
        for (size_t i = 0; i <= others_; ++i) {
          runners[i] = {&finish, i};
          REQUIRE_OK(xhal_stream_wait_event(streams[i], start_, 0));
          for (uint64_t op = 0; op < kLaunches; ++op) REQUIRE_OK(fold(t, streams[i], data_[i], op, cells_));
          REQUIRE_OK(xhal_stream_host_function(streams[i], finished, &runners[i]));
        }
      }
      for (const xhal_stream_t stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    } catch (...) {
      destroy();
      throw;
    }
    destroy();
    const std::lock_guard lock(finish.mutex);
    const auto mine = std::find(finish.order.begin(), finish.order.end(), others_);
    return static_cast<double>(mine - finish.order.begin()) / static_cast<double>(others_);
  }

  [[nodiscard]] uint64_t others() const { return others_; }

 private:
  static constexpr uint64_t kLaunches = 8;

  Context& t_;
  Stream holder_;
  Event start_;
  uint64_t others_ = 0;
  uint64_t cells_ = 0;
  std::vector<Buffer> data_;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

XHAL_TEST(
    stream, urgent_work_starts_first, .clauses = {"XHAL-STREAM-8"},
    .observes =
        "many streams of the least priority, held with a job each, and one that is submitted to last, let "
        "go at once: how many jobs are done before the last stream's one, when its priority is the "
        "greatest and when it is the least; medians of five rounds",
    .needs = {XHAL_FEATURE_STREAM_PRIORITY, XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  if (t.synchronous()) Context::not_observable("on a synchronous device no work waits");
  constexpr int kRounds = 5;
  Race race(t);
  std::vector<double> urgent;
  std::vector<double> equal;
  for (int round = 0; round < kRounds; ++round) {
    equal.push_back(race.share_before(t.properties().priority_least));
    urgent.push_back(race.share_before(t.properties().priority_greatest));
  }
  const std::string seen =
      fmt::format("{:.0f} % of {} jobs are done before an urgent one, {:.0f} % before an equal one",
                  100 * median(urgent), race.others(), 100 * median(equal));
  t.note(seen);
  // Work that comes early without any priority had nothing to wait for.
  if (median(equal) < 0.5) Context::not_observable("the device was not saturated: " + seen);
  EXPECT_CLAUSE("XHAL-STREAM-8", median(urgent) <= median(equal) / 2, "{}", seen);
}

XHAL_TEST(
    stream, priorities_keep_order, .clauses = {"XHAL-STREAM-1", "XHAL-STREAM-8"},
    .observes =
        "a cell that streams of every priority fold in turn, linked by events from the least urgent to the "
        "most urgent and back: its history; the priorities that the streams tell",
    .needs = {XHAL_FEATURE_STREAM_PRIORITY, XHAL_FEATURE_KERNEL}) {
  const int32_t least = t.properties().priority_least;
  const int32_t greatest = t.properties().priority_greatest;
  EXPECT_CLAUSE("XHAL-STREAM-8", greatest < least, "the feature is claimed, and the range is {} to {}", least,
                greatest);
  // A wide range is sampled.
  const int64_t step = std::max<int64_t>(1, (int64_t{least} - greatest) / 8);
  const Buffer cell = device_memory(t, sizeof(uint64_t));
  t.write(cell, std::vector<uint64_t>{0});
  Event link(t);
  oracle::FoldHistory history(0);
  std::vector<xhal_stream_t> streams;
  for (int64_t priority = least; priority >= greatest; priority -= step) {
    const xhal_stream_desc_t desc{sizeof(desc), 0, static_cast<int32_t>(priority), 0};
    xhal_stream_t stream = nullptr;
    REQUIRE_OK(xhal_stream_create(t.device(), &desc, &stream));
    t.at_end([stream] { TRACED(xhal_stream_destroy(stream)); });
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    REQUIRE_OK(xhal_stream_get_info(stream, &info));
    EXPECT_VALUE("XHAL-STREAM-8", info.priority, priority);
    streams.push_back(stream);
  }
  for (uint64_t round = 0; round < 10; ++round) {
    for (size_t i = 0; i < streams.size(); ++i) {
      const xhal_stream_t stream = streams[round % 2 == 0 ? i : streams.size() - 1 - i];
      REQUIRE_OK(xhal_stream_wait_event(stream, link, 0));
      REQUIRE_OK(fold(t, stream, cell, round * 100 + i, 1));
      REQUIRE_OK(xhal_event_record(link, stream, 0));
      history.fold(round * 100 + i);
    }
  }
  REQUIRE_OK(xhal_event_synchronize(link, t.patience()));
  EXPECT_VALUE("XHAL-STREAM-1", t.read<uint64_t>(cell, 1).front(), history.value());
}

}  // namespace
}  // namespace xhal::conformance
