// SPDX-License-Identifier: Apache-2.0
#include "device/telemetry.hpp"
#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

// Nothing is activated and nobody is waited for.
xhal_result_t read_metrics(xhal_device_t device, uint32_t count, uint32_t stride, xhal_metric_t* metrics) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_claimed(d, XHAL_FEATURE_TELEMETRY, "telemetry"); result < 0)
    return result;
  if (const xhal_result_t result = check_present(d); result < 0) return result;
  if (metrics == nullptr) return refuse_null("metrics");
  if (count == 0) return XHAL_SUCCESS;
  if (stride < kit::kFirstSize<xhal_metric_t>) {
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "stride is %u, a metric has at least %u bytes", stride,
                     kit::kFirstSize<xhal_metric_t>);
  }
  const auto element = [&](uint32_t i) {
    return reinterpret_cast<xhal_metric_t*>(reinterpret_cast<std::byte*>(metrics) + size_t{stride} * i);
  };
  // All are looked at before the first is written.
  for (uint32_t i = 0; i < count; ++i) {
    // Before its tail is read, which may not be there.
    if (element(i)->struct_size > stride) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "metrics[%u].struct_size is %u, above the stride %u", i,
                       element(i)->struct_size, stride);
    }
    xhal_metric_t asked = {};
    if (const xhal_result_t result = read("metrics[i]", element(i), asked); result < 0) return result;
  }
  for (uint32_t i = 0; i < count; ++i) {
    xhal_metric_t metric = {};
    static_cast<void>(kit::read_struct(element(i), metric));
    read_metric(d, d.scheduler().now_ns(), metric);
    kit::write_struct(metric, element(i));
  }
  return XHAL_SUCCESS;
}

}  // namespace

void add_telemetry_entries(xhal_functions_t& functions) { functions.device_read_metrics = read_metrics; }

}  // namespace xhal::sim
