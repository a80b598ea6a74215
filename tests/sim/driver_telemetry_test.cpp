// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "harness.hpp"
#include "xhal/ext/lose_device.h"

namespace xhal::sim_test {
namespace {

xhal_metric_t asked(uint32_t metric, uint64_t instance = 0) {
  auto value = sized<xhal_metric_t>();
  value.metric = metric;
  value.instance = instance;
  return value;
}

xhal_metric_t reading(xhal_device_t device, uint32_t metric, uint64_t instance = 0) {
  xhal_metric_t one = asked(metric, instance);
  EXPECT_EQ(call().device_read_metrics(device, 1, sizeof(one), &one), XHAL_SUCCESS) << last_text;
  return one;
}

TEST(Telemetry, ActivatesNothing) {
  const int before = activations.load();
  const Machine machine;
  for (uint32_t metric = 0; metric <= XHAL_METRIC_PCI_TX + 1; ++metric) reading(machine.device(), metric);
  EXPECT_EQ(reading(machine.device(), XHAL_METRIC_PROCESS_MEMORY).value, 0);
  uint32_t active = 7;
  EXPECT_EQ(call().device_is_active(machine.device(), &active), XHAL_SUCCESS);
  EXPECT_EQ(active, 0u);
  EXPECT_EQ(activations.load(), before);
}

TEST(Telemetry, MemoryOfTheProcessIsMeasured) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  const auto held = [&](uint32_t index = 0) {
    const xhal_metric_t one = reading(machine.device(index), XHAL_METRIC_PROCESS_MEMORY);
    EXPECT_EQ(one.status, XHAL_SUCCESS);
    EXPECT_EQ(one.simulated, 0u);
    return one.value;
  };
  void* const memory = allocate(device, 1u << 20);
  EXPECT_EQ(held(), 1 << 20);
  EXPECT_EQ(held(1), 0) << "another device's";
  const xhal_stream_t stream = make_stream(device);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_fill(stream, memory, 1, 1, 64), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_free(device, memory), XHAL_SUCCESS);
    EXPECT_EQ(held(), 1 << 20) << "held until work that may touch it is done";
  }
  expect_synchronized(stream);
  auto info = sized<xhal_memory_info_t>();
  ASSERT_EQ(call().device_get_memory_info(device, &info), XHAL_SUCCESS);
  EXPECT_EQ(held(), 0);
}

TEST(Telemetry, ProcessesAndUnitsThatAreNotThereAreNotFound) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  EXPECT_EQ(reading(device, XHAL_METRIC_PROCESS_MEMORY, static_cast<uint64_t>(getpid())).status,
            XHAL_SUCCESS);
  EXPECT_EQ(reading(device, XHAL_METRIC_PROCESS_MEMORY, 1u << 30).status, XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(reading(device, XHAL_METRIC_TEMPERATURE, 5).status, XHAL_ERROR_NOT_FOUND);
  for (const uint32_t metric :
       {XHAL_METRIC_ECC_CORRECTED, XHAL_METRIC_ECC_UNCORRECTED, XHAL_METRIC_PCI_RX, XHAL_METRIC_PCI_TX})
    EXPECT_EQ(reading(device, metric).status, XHAL_ERROR_UNSUPPORTED) << metric;
}

TEST(Telemetry, WhatIsMadeUpSaysSoAndIsTheSameEveryTime) {
  const Machine one;
  const Machine other;
  for (uint32_t metric = XHAL_METRIC_UTILIZATION; metric <= XHAL_METRIC_THROTTLE_REASONS; ++metric) {
    for (uint32_t index = 0; index < 2; ++index) {
      const xhal_metric_t first = reading(one.device(index), metric);
      const xhal_metric_t second = reading(other.device(index), metric);
      EXPECT_EQ(first.status, XHAL_SUCCESS) << metric;
      EXPECT_EQ(first.simulated, 1u) << metric;
      EXPECT_GT(first.timestamp_ns, 0u);
      EXPECT_LE(first.timestamp_ns, second.timestamp_ns);
      if (metric == XHAL_METRIC_ENERGY) {
        EXPECT_GT(first.value, 0);
        EXPECT_LE(first.value, second.value);
      } else {
        EXPECT_EQ(first.value, second.value) << metric;
      }
    }
  }
}

TEST(Telemetry, ABadElementLeavesAllUntouched) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  xhal_metric_t metrics[3] = {asked(XHAL_METRIC_POWER), asked(XHAL_METRIC_POWER), asked(XHAL_METRIC_POWER)};
  metrics[2].struct_size = 4;
  EXPECT_EQ(call().device_read_metrics(device, 3, sizeof(xhal_metric_t), metrics),
            XHAL_ERROR_INVALID_ARGUMENT);
  metrics[2].struct_size = sizeof(xhal_metric_t) + 8;  // longer than the stride
  EXPECT_EQ(call().device_read_metrics(device, 3, sizeof(xhal_metric_t), metrics),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(metrics[0].value, 0);
  EXPECT_EQ(call().device_read_metrics(device, 3, 8, metrics), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().device_read_metrics(device, 3, sizeof(xhal_metric_t), nullptr),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().device_read_metrics(device, 0, 0, metrics), XHAL_SUCCESS);
}

TEST(Telemetry, ALostDeviceTellsNothing) {
  const Machine machine;
  const void* table = nullptr;
  ASSERT_EQ(
      call().driver_get_extension(machine.handle, XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION, &table),
      XHAL_SUCCESS);
  ASSERT_EQ(static_cast<const xhal_lose_device_t*>(table)->lose(machine.device()), XHAL_SUCCESS);
  xhal_metric_t one = asked(XHAL_METRIC_POWER);
  EXPECT_EQ(call().device_read_metrics(machine.device(), 1, sizeof(one), &one), XHAL_ERROR_DEVICE_LOST);
}

}  // namespace
}  // namespace xhal::sim_test
