// SPDX-License-Identifier: Apache-2.0
// Device times: when the layer asks for them, what it shows of them, and what the application sees of that.
#include "trace_file.hpp"
#include "traced.hpp"

namespace xhal::trace_test {
namespace {

class TraceDeviceTest : public testing::Test {
 protected:
  Options with(const char* device, const char* subscribers = "several") {
    return {.trace = {{"file", folder / "t.json"}, {"device", device}},
            .driver = {{"subscribers", subscribers}}};
  }
  Trace trace() const { return Trace(folder / "t.json"); }
  Folder folder;
};

xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t kernel, uint64_t correlation = 0) {
  xhal_launch_t launch = {};
  launch.struct_size = sizeof(launch);
  launch.correlation_id = correlation;
  return xhal_kernel_launch(stream, kernel, &launch);
}

std::vector<nlohmann::json> arrows(const Trace& trace) {
  std::vector<nlohmann::json> found;
  for (const auto& event : trace.events()) {
    if (event.at("ph") == "f" && event.value("cat", "") == "device") found.push_back(event);
  }
  return found;
}

// What the application's own subscription is told.
struct Told {
  std::vector<uint64_t> correlations;
  static void add(void* user, const xhal_activity_record_t* records, uint32_t count, uint32_t /*stride*/) {
    for (uint32_t i = 0; i < count; ++i)
      static_cast<Told*>(user)->correlations.push_back(records[i].external_correlation);
  }
};
xhal_activity_desc_t desc_for(Told& told) {
  xhal_activity_desc_t desc = {};
  desc.struct_size = sizeof(desc);
  desc.kinds = XHAL_ACTIVITY_FILL;
  desc.callback = Told::add;
  desc.user = &told;
  return desc;
}

TEST_F(TraceDeviceTest, OperationsAreShownWhenTheyRan) {
  {
    Instance t(with("times"));
    ASSERT_EQ(t.result, XHAL_SUCCESS) << last_error_text();
    EXPECT_EQ(t.control->subscriptions(), 0U) << "no device was used yet";
    const xhal_stream_t stream = t.stream();
    const xhal_stream_t other = t.stream(1);
    EXPECT_EQ(launch(stream, t.kernel("my_kernel")), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream, 96), XHAL_SUCCESS);
    EXPECT_EQ(fill(other), XHAL_SUCCESS);
    EXPECT_EQ(t.control->last_correlation(), 0U) << "the application's submissions are left alone";
    EXPECT_EQ(t.control->subscriptions(), 2U) << "one a device";
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
  }
  const Trace shown = trace();
  shown.expect_showable();
  const auto slices = shown.slices("device");
  ASSERT_EQ(slices.size(), 3U) << "they come with the wait, and the driver gives none at its end";
  EXPECT_EQ(slices[0].name, "my_kernel");
  EXPECT_EQ(slices[1].name, "fill");
  EXPECT_EQ(slices[1].arguments.at("bytes"), 96);
  EXPECT_EQ(slices[0].thread, slices[1].thread) << "a track for each stream";
  EXPECT_NE(slices[1].process, slices[2].process) << "grouped by device";
  EXPECT_NE(shown.process_name(slices[0].process).find("device time"), std::string::npos);
  // The device's clock is a second behind; the trace has the host's.
  EXPECT_GE(slices[0].begin_ns, shown.calls("xhal_kernel_launch").at(0).begin_ns);
  EXPECT_LE(slices[1].end_ns, shown.calls("xhal_stream_synchronize").at(0).begin_ns);
  EXPECT_TRUE(arrows(shown).empty());
}

TEST_F(TraceDeviceTest, ArrowsLeadFromCallsToOperations) {
  {
    Instance t(with("arrows"));
    ASSERT_EQ(t.result, XHAL_SUCCESS);
    const xhal_stream_t stream = t.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    const uint64_t first = t.control->last_correlation();
    EXPECT_NE(first, 0U);
    EXPECT_EQ(launch(stream, t.kernel("k"), 4711), XHAL_SUCCESS);
    EXPECT_EQ(t.control->last_correlation(), 4711U) << "a launch keeps its own";
    uint64_t former = 1;
    EXPECT_EQ(xhal_driver_exchange_correlation(t.driver, 77, &former), XHAL_SUCCESS);
    EXPECT_EQ(former, 0U) << "the layer's is gone after the call";
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(t.control->last_correlation(), 77U) << "and so does a thread";
    EXPECT_EQ(xhal_driver_exchange_correlation(t.driver, 0, &former), XHAL_SUCCESS);
    EXPECT_EQ(former, 77U);
    t.control->fail_next(XHAL_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_EQ(fill(stream), XHAL_ERROR_OUT_OF_HOST_MEMORY);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
  }
  const Trace shown = trace();
  shown.expect_showable();
  ASSERT_EQ(arrows(shown).size(), 1U);
  EXPECT_EQ(arrows(shown)[0].at("id"), shown.calls("xhal_memory_fill").at(0).arguments.at("correlation"));
  const auto slices = shown.slices("device");
  ASSERT_EQ(slices.size(), 3U);
  EXPECT_EQ(slices[0].arguments.at("correlation"), arrows(shown)[0].at("id"));
  EXPECT_EQ(slices[1].arguments.at("application_correlation"), 4711);
  EXPECT_EQ(slices[2].arguments.at("application_correlation"), 77);
}

TEST_F(TraceDeviceTest, NobodyIsAskedWhereNoneAreWantedOrThereAreNone) {
  for (const char* device : {"off", "times"}) {
    Options options = with(device);
    if (std::string_view(device) == "times") options.driver.clear();
    Instance t(options);
    ASSERT_EQ(t.result, XHAL_SUCCESS);
    const xhal_stream_t stream = t.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(t.control->subscriptions(), 0U);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
    t.destroy();
    EXPECT_TRUE(t.warnings().empty());
    EXPECT_TRUE(trace().slices("device").empty());
  }
}

TEST_F(TraceDeviceTest, TheApplicationGetsTheOnlySubscription) {
  Told told;
  {
    Instance t(with("arrows", "one"));
    ASSERT_EQ(t.result, XHAL_SUCCESS);
    const xhal_stream_t stream = t.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
    EXPECT_EQ(t.control->subscriptions(), 1U);
    const xhal_activity_desc_t desc = desc_for(told);
    xhal_subscription_t subscription = nullptr;
    EXPECT_EQ(xhal_activity_subscribe(t.devices[0], &desc, &subscription), XHAL_SUCCESS) << last_error_text();
    EXPECT_EQ(t.control->subscriptions(), 1U);
    EXPECT_EQ(t.warnings().size(), 1U);
    EXPECT_EQ(fill(t.stream()), XHAL_SUCCESS);
    EXPECT_EQ(xhal_activity_flush(subscription, 0), XHAL_SUCCESS);
    EXPECT_EQ(told.correlations, std::vector<uint64_t>{0}) << "its records are as without the layer";
    EXPECT_EQ(xhal_activity_subscribe(t.devices[0], &desc, &subscription), XHAL_ERROR_BUSY)
        << "now it is its own";
    EXPECT_EQ(xhal_activity_unsubscribe(subscription), XHAL_SUCCESS);
  }
  EXPECT_EQ(trace().slices("device").size(), 1U);
}

TEST_F(TraceDeviceTest, ASubscriptionThatIsLostIsMadeAgain) {
  Instance t(with("times"));
  ASSERT_EQ(t.result, XHAL_SUCCESS);
  const xhal_stream_t stream = t.stream();
  EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  t.control->fail_flush(XHAL_ERROR_INVALID_HANDLE);  // as after a reset
  EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS) << "the wait's answer is its own";
  EXPECT_EQ(t.control->subscriptions(), 0U);
  const xhal_stream_t fresh = t.stream();
  EXPECT_EQ(fill(fresh), XHAL_SUCCESS);
  EXPECT_EQ(t.control->subscriptions(), 1U);
  EXPECT_EQ(xhal_stream_synchronize(fresh, 0), XHAL_SUCCESS);
  t.destroy();
  EXPECT_EQ(trace().slices("device").size(), 1U);
}

// The subscription is made below all layers: nobody counts it, checks it or misses its end.
TEST_F(TraceDeviceTest, OtherLayersSeeNothingOfIt) {
  for (const char* layers : {"trace,validate", "validate,trace"}) {
    Options options = with("arrows");
    options.layers = layers;
    Instance t(options);
    ASSERT_EQ(t.result, XHAL_SUCCESS);
    const xhal_stream_t stream = t.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
    EXPECT_EQ(t.control->subscriptions(), 1U);
    EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream), XHAL_ERROR_INVALID_HANDLE) << "and nobody is asked about a stream that is gone";
    t.destroy();
    for (const std::string& line : t.logged("0 validate"))
      EXPECT_EQ(line.find("subscription"), std::string::npos) << line;
    EXPECT_EQ(trace().slices("device").empty(), false);
  }
}

}  // namespace
}  // namespace xhal::trace_test
