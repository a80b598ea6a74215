// SPDX-License-Identifier: Apache-2.0
// Readings of the device's metrics.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr uint32_t kFirst = XHAL_METRIC_UTILIZATION;
constexpr uint32_t kLast = XHAL_METRIC_PCI_TX;
constexpr uint32_t kUnknown[] = {0, kLast + 1, 9999, 0x80000001u, ~0u};
// What an untouched status and value look like.
constexpr xhal_result_t kNoStatus = 4711;
constexpr int64_t kNoValue = 0x5E47135E47;

xhal_metric_t asked(uint32_t metric, uint64_t instance = 0) {
  xhal_metric_t out{};
  out.struct_size = sizeof(out);
  out.metric = metric;
  out.instance = instance;
  out.status = kNoStatus;
  out.simulated = 99;
  out.value = kNoValue;
  return out;
}

std::vector<xhal_metric_t> all_metrics() {
  std::vector<xhal_metric_t> out;
  for (uint32_t metric = kFirst; metric <= kLast; ++metric) out.push_back(asked(metric));
  return out;
}

void read(Context& t, std::vector<xhal_metric_t>& metrics, size_t device = 0) {
  REQUIRE_OK(xhal_device_read_metrics(t.device(device), static_cast<uint32_t>(metrics.size()),
                                      sizeof(xhal_metric_t), metrics.data()));
}

bool known_status(xhal_result_t status) {
  return status == XHAL_SUCCESS || status == XHAL_ERROR_UNSUPPORTED || status == XHAL_ERROR_PERMISSION ||
         status == XHAL_ERROR_NOT_FOUND;
}

uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(now.tv_nsec);
}

XHAL_TEST(telemetry, each_answers_by_itself, .clauses = {"XHAL-TELEMETRY-1"},
          .observes =
              "all metrics with unknown ones in between, forwards, backwards, each alone and none at all: "
              "the call's code, each "
              "status, what was asked for stays",
          .needs = {XHAL_FEATURE_TELEMETRY}) {
  std::vector<xhal_metric_t> metrics = all_metrics();
  for (size_t i = 0; i < std::size(kUnknown); ++i)
    metrics.insert(metrics.begin() + static_cast<std::ptrdiff_t>(i * 3), asked(kUnknown[i]));
  for (int round = 0; round < 2; ++round) {
    auto answers = metrics;
    EXPECT_RESULT("XHAL-TELEMETRY-1",
                  xhal_device_read_metrics(t.device(), static_cast<uint32_t>(answers.size()),
                                           sizeof(xhal_metric_t), answers.data()),
                  XHAL_SUCCESS);
    for (size_t i = 0; i < answers.size(); ++i) {
      const xhal_metric_t& one = answers[i];
      EXPECT_VALUE("XHAL-TELEMETRY-1", one.metric, metrics[i].metric);
      EXPECT_CLAUSE("XHAL-TELEMETRY-1", known_status(one.status), "metric {}: status {}", one.metric,
                    result_name(one.status));
      if (one.metric < kFirst || one.metric > kLast)
        EXPECT_VALUE("XHAL-TELEMETRY-1", result_name(one.status), result_name(XHAL_ERROR_UNSUPPORTED),
                     "the unknown metric {}", one.metric);
      xhal_metric_t alone = metrics[i];
      EXPECT_RESULT("XHAL-TELEMETRY-1", xhal_device_read_metrics(t.device(), 1, sizeof(alone), &alone),
                    XHAL_SUCCESS);
      EXPECT_VALUE("XHAL-TELEMETRY-1", result_name(alone.status), result_name(one.status), "metric {} alone",
                   one.metric);
    }
    std::reverse(metrics.begin(), metrics.end());
  }
  xhal_metric_t untouched = asked(XHAL_METRIC_POWER);
  EXPECT_RESULT("XHAL-TELEMETRY-1", xhal_device_read_metrics(t.device(), 0, sizeof(untouched), &untouched),
                XHAL_SUCCESS, "no metric");
  EXPECT_VALUE("XHAL-TELEMETRY-1", untouched.status, kNoStatus, "a metric behind none");
}

XHAL_TEST(telemetry, strides, .clauses = {"XHAL-ABI-10", "XHAL-TELEMETRY-1"},
          .observes =
              "metrics in elements with room behind them, which stays; a stride below the first published "
              "size: the code, and "
              "nothing is written",
          .needs = {XHAL_FEATURE_TELEMETRY}) {
  constexpr uint32_t kStride = sizeof(xhal_metric_t) + 40;
  constexpr uint32_t kFirstSize = 40;  // typed from the headers of revision 0.1.0
  const auto metrics = all_metrics();
  std::vector<uint8_t> block(metrics.size() * kStride, 0xA5);
  for (size_t i = 0; i < metrics.size(); ++i)
    std::memcpy(&block[i * kStride], &metrics[i], sizeof(xhal_metric_t));
  const auto before = block;
  for (const uint32_t stride : {0u, 4u, kFirstSize - 1}) {
    EXPECT_RESULT("XHAL-ABI-10",
                  xhal_device_read_metrics(t.device(), static_cast<uint32_t>(metrics.size()), stride,
                                           reinterpret_cast<xhal_metric_t*>(block.data())),
                  XHAL_ERROR_INVALID_ARGUMENT, "stride {}", stride);
    EXPECT_DATA("XHAL-ABI-10", before, block, "stride {}", stride);
  }
  EXPECT_RESULT("XHAL-TELEMETRY-1",
                xhal_device_read_metrics(t.device(), static_cast<uint32_t>(metrics.size()), kStride,
                                         reinterpret_cast<xhal_metric_t*>(block.data())),
                XHAL_SUCCESS);
  for (size_t i = 0; i < metrics.size(); ++i) {
    xhal_metric_t one{};
    std::memcpy(&one, &block[i * kStride], sizeof(one));
    EXPECT_CLAUSE("XHAL-TELEMETRY-1", known_status(one.status), "element {}: status {}", i,
                  result_name(one.status));
    const auto* behind = &block[i * kStride + sizeof(xhal_metric_t)];
    EXPECT_DATA("XHAL-ABI-10", std::vector<uint8_t>(40, 0xA5), std::vector<uint8_t>(behind, behind + 40),
                "element {}", i);
  }
}

XHAL_TEST(telemetry, made_up_numbers_are_told, .clauses = {"XHAL-TELEMETRY-2"},
          .observes =
              "the flag of every reading: 0 or 1; on a device that is declared emulated it is set for what "
              "needs hardware to "
              "measure",
          .needs = {XHAL_FEATURE_TELEMETRY}) {
  for (size_t i = 0; i < t.device_count(); ++i) {
    if (!t.claims(XHAL_FEATURE_TELEMETRY, i)) continue;
    const bool emulated = t.properties(i).emulated != 0;
    auto metrics = all_metrics();
    read(t, metrics, i);
    for (const xhal_metric_t& one : metrics) {
      if (one.status != XHAL_SUCCESS) continue;
      EXPECT_CLAUSE("XHAL-TELEMETRY-2", one.simulated <= 1, "device {}, metric {}: {}", i, one.metric,
                    one.simulated);
      switch (one.metric) {
        case XHAL_METRIC_TEMPERATURE:
        case XHAL_METRIC_POWER:
        case XHAL_METRIC_ENERGY:
        case XHAL_METRIC_CLOCK:
        case XHAL_METRIC_MEMORY_CLOCK:
        case XHAL_METRIC_THROTTLE_REASONS:
        case XHAL_METRIC_ECC_CORRECTED:
        case XHAL_METRIC_ECC_UNCORRECTED:
        case XHAL_METRIC_PCI_RX:
        case XHAL_METRIC_PCI_TX:
          if (emulated)
            EXPECT_VALUE("XHAL-TELEMETRY-2", one.simulated, 1u, "device {} is emulated and metric {} is {}",
                         i, one.metric, one.value);
          break;
        default:  // may be measured there too: what is busy, and whose memory it is
          break;
      }
    }
  }
}

XHAL_TEST(telemetry, units_and_ranges, .clauses = {"XHAL-TELEMETRY-3"},
          .observes =
              "two readings of all metrics with work in between: every value in its range, no counter falls",
          .needs = {XHAL_FEATURE_TELEMETRY}) {
  auto first = all_metrics();
  read(t, first);
  Stream stream(t);
  const Buffer memory = device_memory(t, 8 << 20);
  // Awaited one by one: patience is for a piece of work, not for as much as one likes.
  for (uint32_t i = 0; i < 20; ++i) {
    REQUIRE_OK(xhal_memory_fill(stream, memory, i, 1, memory.size()));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
  auto second = all_metrics();
  read(t, second);
  for (const auto& metrics : {first, second}) {
    for (const xhal_metric_t& one : metrics) {
      if (one.status != XHAL_SUCCESS) continue;
      // Temperature in thousandths of a degree Celsius, down to absolute zero; a share in thousandths; three reasons.
      const int64_t lowest = one.metric == XHAL_METRIC_TEMPERATURE ? -273'150 : 0;
      int64_t highest = INT64_MAX;
      if (one.metric == XHAL_METRIC_UTILIZATION || one.metric == XHAL_METRIC_MEMORY_UTILIZATION)
        highest = 1000;
      if (one.metric == XHAL_METRIC_THROTTLE_REASONS) highest = 7;
      // What no device reaches, so that a wrong unit shows: a thousand degrees, a megawatt, a terahertz.
      if (one.metric == XHAL_METRIC_TEMPERATURE) highest = 1'000'000;
      if (one.metric == XHAL_METRIC_POWER || one.metric == XHAL_METRIC_CLOCK ||
          one.metric == XHAL_METRIC_MEMORY_CLOCK)
        highest = 1'000'000'000;
      EXPECT_CLAUSE("XHAL-TELEMETRY-3", one.value >= lowest && one.value <= highest, "metric {}: {}",
                    one.metric, one.value);
    }
  }
  for (size_t i = 0; i < first.size(); ++i) {
    const bool counter = first[i].metric == XHAL_METRIC_ENERGY ||
                         first[i].metric == XHAL_METRIC_ECC_CORRECTED ||
                         first[i].metric == XHAL_METRIC_ECC_UNCORRECTED;
    if (!counter || first[i].status != XHAL_SUCCESS || second[i].status != XHAL_SUCCESS) continue;
    EXPECT_CLAUSE("XHAL-TELEMETRY-3", second[i].value >= first[i].value, "metric {} fell from {} to {}",
                  first[i].metric, first[i].value, second[i].value);
  }
}

XHAL_TEST(telemetry, process_memory, .clauses = {"XHAL-TELEMETRY-4", "XHAL-TELEMETRY-1"},
          .observes =
              "memory of this process before, during and after an allocation of a sixteenth, asked as 0 and "
              "by its number; a "
              "process that does not exist",
          .needs = {XHAL_FEATURE_TELEMETRY}, .may_be_unobservable = true) {
  const auto held = [&](uint64_t process) {
    std::vector<xhal_metric_t> one{asked(XHAL_METRIC_PROCESS_MEMORY, process)};
    read(t, one);
    return one.front();
  };
  t.prepare(0);
  const xhal_metric_t before = held(0);
  if (before.status != XHAL_SUCCESS)
    Context::not_observable(
        fmt::format("the device does not tell the memory of a process: {}", result_name(before.status)));
  const uint64_t size = part_of_free_memory(t, 16);
  xhal_metric_t during{};
  {
    const Buffer memory = device_memory(t, size);
    Stream stream(t);
    REQUIRE_OK(xhal_memory_fill(stream, memory, 0, 1, std::min<uint64_t>(size, 1u << 20)));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    during = held(0);
    const xhal_metric_t by_number = held(static_cast<uint64_t>(getpid()));
    // A process in a namespace of its own does not know the number that the device's host has for it.
    if (by_number.status == XHAL_SUCCESS)
      EXPECT_VALUE("XHAL-TELEMETRY-4", by_number.value, during.value, "by its number");
  }
  const auto slack = static_cast<int64_t>(t.properties().memory_granularity);
  EXPECT_CLAUSE("XHAL-TELEMETRY-4", during.value + slack >= before.value + static_cast<int64_t>(size),
                "{} before and {} with {} more", before.value, during.value, size);
  const xhal_metric_t nobody = held(uint64_t{1} << 40);
  EXPECT_CLAUSE("XHAL-TELEMETRY-1", nobody.status != XHAL_SUCCESS && known_status(nobody.status),
                "a process that cannot exist: {}", result_name(nobody.status));
}

XHAL_TEST(telemetry, opens_nothing, .clauses = {"XHAL-TELEMETRY-5"},
          .observes =
              "whether the devices are active before and after a reading of each, in a process that did "
              "nothing else",
          .needs = {XHAL_FEATURE_TELEMETRY}, .isolated = true) {
  for (size_t i = 0; i < t.device_count(); ++i) {
    if (!t.claims(XHAL_FEATURE_TELEMETRY, i)) continue;
    auto metrics = all_metrics();
    read(t, metrics, i);
  }
  for (size_t i = 0; i < t.device_count(); ++i) {
    uint32_t active = 77;
    REQUIRE_OK(xhal_device_is_active(t.device(i), &active));
    EXPECT_VALUE("XHAL-TELEMETRY-5", active, 0u, "device {} after a reading", i);
  }
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    telemetry, waits_for_nothing, gates, .clauses = {"XHAL-TELEMETRY-5"},
    .observes = "a hundred readings beside a held stream, from two threads: all return before the release",
    .needs = {XHAL_FEATURE_TELEMETRY}) {
  Stream stream(t);
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  run_threads(2, [&](size_t) {
    for (int round = 0; round < 50; ++round) {
      auto metrics = all_metrics();
      EXPECT_RESULT("XHAL-TELEMETRY-5",
                    xhal_device_read_metrics(t.device(), static_cast<uint32_t>(metrics.size()),
                                             sizeof(xhal_metric_t), metrics.data()),
                    XHAL_SUCCESS);
    }
  });
  if (gate.shut()) EXPECT_CLAUSE("XHAL-TELEMETRY-5", gate.held(), "a reading waited for the held stream");
  behind.stamp(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-TELEMETRY-5", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(telemetry, timestamps, .clauses = {"XHAL-TELEMETRY-6"},
          .observes =
              "timestamps of ten readings against the host's monotonic clock around each: none from the "
              "future, none falls",
          .needs = {XHAL_FEATURE_TELEMETRY}) {
  std::vector<uint64_t> latest(kLast + 1, 0);
  for (int round = 0; round < 10; ++round) {
    auto metrics = all_metrics();
    read(t, metrics);
    const uint64_t end = monotonic_ns();
    for (const xhal_metric_t& one : metrics) {
      if (one.status != XHAL_SUCCESS) continue;
      EXPECT_CLAUSE("XHAL-TELEMETRY-6", one.timestamp_ns != 0 && one.timestamp_ns <= end,
                    "metric {}: taken at {}, the call ended at {}", one.metric, one.timestamp_ns, end);
      EXPECT_CLAUSE("XHAL-TELEMETRY-6", one.timestamp_ns >= latest[one.metric],
                    "metric {}: taken at {}, an earlier reading at {}", one.metric, one.timestamp_ns,
                    latest[one.metric]);
      latest[one.metric] = one.timestamp_ns;
    }
  }
}

}  // namespace
}  // namespace xhal::conformance
