// SPDX-License-Identifier: Apache-2.0
#include "device/telemetry.hpp"

#include <unistd.h>

#include <optional>

#include "device/device.hpp"
#include "device/instance.hpp"

namespace xhal::sim {
namespace {

// Made up: a device that is half busy, warm, and draws a constant power, each a little more than the one before it.
constexpr int64_t kUtilization = 500;
constexpr int64_t kMemoryUtilization = 250;
constexpr int64_t kTemperature = 45'000;
constexpr int64_t kTemperatureStep = 250;
constexpr int64_t kPower = 75'000;
constexpr int64_t kPowerStep = 500;
constexpr int64_t kClock = 1'500'000;
constexpr int64_t kMemoryClock = 2'000'000;

std::optional<int64_t> made_up(const Device& device, uint32_t metric, uint64_t now_ns) {
  const int64_t power = kPower + kPowerStep * device.index;
  switch (metric) {
    case XHAL_METRIC_UTILIZATION:
      return kUtilization;
    case XHAL_METRIC_MEMORY_UTILIZATION:
      return kMemoryUtilization;
    case XHAL_METRIC_TEMPERATURE:
      return kTemperature + kTemperatureStep * device.index;
    case XHAL_METRIC_POWER:
      return power;
    case XHAL_METRIC_ENERGY:
      // Milliwatts times seconds since boot, where the clock begins.
      return static_cast<int64_t>(now_ns / 1'000'000u) * power / 1000;
    case XHAL_METRIC_CLOCK:
      return kClock;
    case XHAL_METRIC_MEMORY_CLOCK:
      return kMemoryClock;
    case XHAL_METRIC_THROTTLE_REASONS:
      return 0;
    default:
      return std::nullopt;
  }
}

}  // namespace

void read_metric(Device& device, uint64_t now_ns, xhal_metric_t& metric) {
  const auto answer = [&](xhal_result_t status, int64_t value, bool simulated) {
    metric.status = status;
    metric.value = value;
    metric.simulated = simulated ? 1 : 0;
    metric.timestamp_ns = now_ns;
  };
  if (metric.metric == XHAL_METRIC_PROCESS_MEMORY) {
    // Devices belong to an instance of this process: nobody else has memory of them.
    if (metric.instance != 0 && metric.instance != static_cast<uint64_t>(getpid()))
      return answer(XHAL_ERROR_NOT_FOUND, 0, false);
    return answer(XHAL_SUCCESS, static_cast<int64_t>(device.instance.memory.held(device.index)), false);
  }
  const std::optional<int64_t> value = made_up(device, metric.metric, now_ns);
  if (!value.has_value()) return answer(XHAL_ERROR_UNSUPPORTED, 0, false);
  if (metric.instance != 0) return answer(XHAL_ERROR_NOT_FOUND, 0, false);
  answer(XHAL_SUCCESS, *value, true);
}

}  // namespace xhal::sim
