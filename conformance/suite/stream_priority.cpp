// SPDX-License-Identifier: Apache-2.0
// Priorities. Their clause speaks of the moment at which all units are taken, which a held kernel does not bring about: on many devices it takes
// no more than one of them, or none. So many streams are held by one event, with far more work behind it than the device can begin at once by
// its own figures, and let go together: then most of it waits for units, and the order in which the jobs get done tells the order in which
// they were started. A few streams, evenly spread among the others in the order of submission, are the urgent ones. Without priorities half
// of the others are done before them on average, whether a device takes the first, the last or any stream first.
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

xhal_stream_t stream_of_priority(Context& t, int64_t priority) {
  const xhal_stream_desc_t desc{sizeof(desc), 0, static_cast<int32_t>(priority), 0};
  xhal_stream_t stream = nullptr;
  REQUIRE_OK(xhal_stream_create(t.device(), &desc, &stream));
  // Destroyed when the device is done, however the test ends.
  t.at_end([stream] { TRACED(xhal_stream_destroy(stream)); });
  return stream;
}

class Race {
 public:
  explicit Race(Context& t) : t_(t), holder_(t), start_(t) {
    others_ = std::clamp<uint64_t>(4 * uint64_t{t.properties().unit_count}, 32, 512);
    cells_ = others_ <= 64 ? 1u << 18 : 1u << 15;
    // At most half of what is free: less work on a small device, which load() tells.
    const xhal_memory_info_t memory = memory_info(t);
    while (cells_ > 1024 && count() * cells_ * sizeof(uint64_t) > memory.free_bytes / 2) cells_ /= 2;
    for (size_t i = 0; i < count(); ++i) data_.push_back(device_memory(t, cells_ * sizeof(uint64_t)));
  }

  // How often the device's units are taken by what is let go at once.
  double load() {
    Context& t = t_;
    xhal_occupancy_t occupancy{};
    occupancy.struct_size = sizeof(occupancy);
    REQUIRE_OK(xhal_kernel_get_occupancy(t.kernel("xhal_fold_u64"), small_group(t), 0, &occupancy));
    const double groups = static_cast<double>(count()) * static_cast<double>(cells_) / small_group(t);
    return groups /
           (static_cast<double>(t.properties().unit_count) * std::max(1u, occupancy.groups_per_unit));
  }

  // The share of the other streams' jobs that were done before one of the few: their mean.
  double share_before(int32_t priority_of_the_few) {
    Context& t = t_;
    auto& finish = t.kept<Finish>();
    auto& runners = t.kept<std::vector<Runner>>();
    std::vector<xhal_stream_t> streams;
    for (size_t i = 0; i < count(); ++i) {
      runners.push_back({&finish, i});
      streams.push_back(
          stream_of_priority(t, is_one_of_the_few(i) ? priority_of_the_few : t.properties().priority_least));
    }
    {
      Gate gate(t, holder_);
      REQUIRE_OK(xhal_event_record(start_, holder_, 0));
      for (size_t i = 0; i < count(); ++i) {
        REQUIRE_OK(xhal_stream_wait_event(streams[i], start_, 0));
        for (uint64_t op = 0; op < kLaunches; ++op) REQUIRE_OK(fold(t, streams[i], data_[i], op, cells_));
        REQUIRE_OK(xhal_stream_host_function(streams[i], finished, &runners[i]));
      }
    }
    for (const xhal_stream_t stream : streams) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    const std::lock_guard lock(finish.mutex);
    uint64_t done = 0;
    uint64_t sum = 0;
    for (const size_t index : finish.order) {
      if (is_one_of_the_few(index)) {
        sum += done;
      } else {
        ++done;
      }
    }
    return static_cast<double>(sum) / static_cast<double>(kFew * others_);
  }

  [[nodiscard]] uint64_t others() const { return others_; }

 private:
  static constexpr uint64_t kLaunches = 8;
  static constexpr uint64_t kFew = 5;

  [[nodiscard]] uint64_t count() const { return others_ + kFew; }
  // The first, the last and three between them.
  [[nodiscard]] bool is_one_of_the_few(size_t i) const {
    for (uint64_t k = 0; k < kFew; ++k) {
      if (i == k * (count() - 1) / (kFew - 1)) return true;
    }
    return false;
  }

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
        "many streams of the least priority, held with a job each, and five among them, let go together: "
        "how many of the many are done before the five, when these have the greatest priority and when "
        "they have the least; medians of five rounds",
    .needs = {XHAL_FEATURE_STREAM_PRIORITY, XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  if (t.synchronous()) Context::not_observable("on a synchronous device no work waits");
  constexpr int kRounds = 5;
  Race race(t);
  if (const double load = race.load(); load < 4)
    Context::not_observable(
        fmt::format("by the device's figures the work takes its units {:.1f} times only", load));
  std::vector<double> urgent;
  std::vector<double> equal;
  for (int round = 0; round < kRounds; ++round) {
    equal.push_back(race.share_before(t.properties().priority_least));
    urgent.push_back(race.share_before(t.properties().priority_greatest));
  }
  const std::string seen =
      fmt::format("of {} jobs {:.0f} % are done before an urgent one, {:.0f} % before an equal one",
                  race.others(), 100 * median(urgent), 100 * median(equal));
  t.note(seen);
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
    const xhal_stream_t stream = stream_of_priority(t, priority);
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
