// SPDX-License-Identifier: Apache-2.0
// What the trace layer says about calls, submissions and their completion.
#include <thread>

#include "../clause.hpp"
#include "trace_file.hpp"
#include "traced.hpp"

namespace xhal::trace_test {
namespace {

class TraceTest : public testing::Test {
 protected:
  Options to(const std::string& name) { return {.trace = {{"file", folder / name}}}; }
  Folder folder;
};

// Type of the handle that a call begins with.
#define XHAL_TEST_TYPE_H(type, name) XHAL_TYPE_##type
#define XHAL_TEST_TYPE_(kind, ...) XHAL_TEST_TYPE_##kind(__VA_ARGS__)
#define XHAL_TEST_TYPE(tuple, ...) XHAL_TEST_TYPE_ tuple

// Of the calls that begin with a handle of this one's type: how many there are, and how many go somewhere else than to the driver.
struct Slots {
  int all = 0;
  int diverted = 0;
};
Slots slots_of(const void* handle) {
  const auto* header = static_cast<const xhal_handle_header_t*>(handle);
  const xhal_table_t& table = *header->table;
  Slots slots;
#define XHAL_ENTRY(feature, since, name, ...)                             \
  if (XHAL_TEST_TYPE(__VA_ARGS__, ) == header->type) {                    \
    ++slots.all;                                                          \
    slots.diverted += table.functions.name != table.driver->name ? 1 : 0; \
  }
#include "xhal/entry_points.def"
  return slots;
}

TEST_F(TraceTest, OffCostsNothing) {
  XHAL_CLAUSE("XHAL-LAYER-1");
  for (const bool on : {false, true}) {
    Options options = to("t.json");
    if (!on) options.layers = "";
    if (!on) options.trace.clear();
    const Instance instance(options);
    ASSERT_EQ(instance.result, XHAL_SUCCESS) << last_error_text();
    for (const void* handle :
         {static_cast<const void*>(instance.driver), static_cast<const void*>(instance.devices[0]),
          static_cast<const void*>(instance.stream()), static_cast<const void*>(instance.event())}) {
      const Slots slots = slots_of(handle);
      EXPECT_GT(slots.all, 4);
      EXPECT_EQ(slots.diverted, on ? slots.all : 0) << "off: straight to the driver; on: every call is seen";
    }
  }
  EXPECT_EQ(folder.files().size(), 1U);
}

TEST_F(TraceTest, CallsHaveNameTimeResultAndArguments) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS) << last_error_text();
    xhal_stream_t stream = instance.stream();
    EXPECT_EQ(fill(stream, 4096), XHAL_SUCCESS);
    instance.control->fail_next(XHAL_ERROR_OUT_OF_RANGE);
    EXPECT_EQ(xhal_memory_copy(stream, &stream, nullptr, 77), XHAL_ERROR_OUT_OF_RANGE);
    EXPECT_EQ(xhal_stream_write_value(stream, nullptr, 1, 4), XHAL_ERROR_UNSUPPORTED)
        << "a call that the driver lacks";
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  const auto fills = trace.calls("xhal_memory_fill");
  ASSERT_EQ(fills.size(), 1U);
  EXPECT_EQ(fills[0].arguments.at("result"), "XHAL_SUCCESS");
  EXPECT_EQ(fills[0].arguments.at("size"), 4096);
  EXPECT_EQ(fills[0].arguments.at("driver"), "traced");
  EXPECT_EQ(fills[0].process, getpid());
  EXPECT_EQ(fills[0].thread, gettid());
  EXPECT_GE(fills[0].end_ns, fills[0].begin_ns);
  const auto copies = trace.calls("xhal_memory_copy");
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].arguments.at("result"), "XHAL_ERROR_OUT_OF_RANGE");
  EXPECT_GE(copies[0].begin_ns, fills[0].end_ns);
  EXPECT_EQ(trace.calls("xhal_stream_write_value").at(0).arguments.at("result"), "XHAL_ERROR_UNSUPPORTED");
  EXPECT_EQ(trace.calls("xhal_stream_create").size(), 1U);
  EXPECT_EQ(trace.calls("xhal_driver_get_extension").at(0).arguments.at("name"), "traced_control");
  EXPECT_EQ(trace.process_name(getpid()), "calls of the application");
}

TEST_F(TraceTest, CallsTellWhatTheyGave) {
  xhal_stream_t stream = nullptr;
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS) << last_error_text();
    xhal_stream_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.priority = -3;
    EXPECT_EQ(xhal_stream_create(instance.devices[0], &desc, &stream), XHAL_SUCCESS);
    uint32_t count = 0;
    EXPECT_EQ(xhal_driver_get_devices(instance.driver, 0, nullptr, &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_write_value(stream, nullptr, 1, 4), XHAL_ERROR_UNSUPPORTED);
  }
  const Trace trace(folder / "t.json");
  char address[32];
  std::snprintf(address, sizeof(address), "0x%zx", reinterpret_cast<size_t>(stream));
  const auto create = trace.calls("xhal_stream_create").at(0);
  EXPECT_EQ(create.arguments.at("out_stream"), address);
  EXPECT_EQ(create.arguments.at("priority"), -3);
  EXPECT_EQ(trace.calls("xhal_driver_get_devices").back().arguments.at("out_count"), 2);
}

TEST_F(TraceTest, CapturedWorkIsNoWorkOfItsStream) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS) << last_error_text();
    xhal_stream_t stream = instance.stream();
    xhal_event_t event = instance.event();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_begin_capture(stream, XHAL_CAPTURE_THREAD), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
    xhal_graph_t graph = nullptr;
    EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    // The event was recorded in the capture: its answer tells nothing about the fill before it.
    EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.slices("submitted").size(), 2U);
  const auto captured = trace.slices("captured");
  ASSERT_EQ(captured.size(), 2U) << "the fill and the record";
  EXPECT_EQ(captured[0].name, "memory_fill");
  const auto done = trace.phase("i", "known done");
  ASSERT_EQ(done.size(), 1U);
  EXPECT_EQ(done[0].at("args").at("operations"), 2);
  EXPECT_EQ(done[0].at("args").at("told_by"), "xhal_stream_synchronize");
}

TEST_F(TraceTest, ErrorsOfTheProgramStayItsOwn) {
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  const xhal_stream_t stream = instance.stream();
  instance.control->fail_next(XHAL_ERROR_BUSY);
  EXPECT_EQ(fill(stream), XHAL_ERROR_BUSY);
  EXPECT_EQ(last_error_text(), "as the test asked for");
  EXPECT_EQ(fill(stream), XHAL_SUCCESS);
  EXPECT_EQ(last_error_text(), "as the test asked for") << "a success changes nothing";
}

TEST_F(TraceTest, SubmissionsAreOnTheirStreamsTrack) {
  uint64_t ids[2] = {};
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t streams[2] = {instance.stream(0), instance.stream(1)};
    const xhal_kernel_t kernel = instance.kernel("axpy \"f32\"\xff");
    xhal_launch_t launch = {};
    launch.struct_size = sizeof(launch);
    launch.group_count[0] = launch.group_count[1] = launch.group_count[2] = 7;
    launch.correlation_id = 99;
    EXPECT_EQ(xhal_kernel_launch(streams[0], kernel, &launch), XHAL_SUCCESS);
    EXPECT_EQ(fill(streams[1]), XHAL_SUCCESS);
    xhal_stream_t default_stream = nullptr;
    EXPECT_EQ(xhal_device_get_default_stream(instance.devices[1], &default_stream), XHAL_SUCCESS);
    EXPECT_EQ(fill(default_stream), XHAL_SUCCESS);
    instance.control->fail_next(XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_LT(fill(streams[0]), 0) << "was not submitted";
    for (int i = 0; i < 2; ++i) {
      xhal_stream_info_t info = {};
      info.struct_size = sizeof(info);
      EXPECT_EQ(xhal_stream_get_info(streams[i], &info), XHAL_SUCCESS);
      ids[i] = info.id;
    }
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  const auto operations = trace.slices("submitted");
  ASSERT_EQ(operations.size(), 3U);
  EXPECT_EQ(operations[0].name, "axpy \"f32\"\xEF\xBF\xBD") << "bytes that are no UTF-8 are replaced";
  EXPECT_EQ(operations[0].arguments.at("application_correlation"), 99);
  EXPECT_EQ(operations[0].arguments.at("group_count"), "7 x 7 x 7");
  EXPECT_EQ(trace.thread_name(operations[0].process, operations[0].thread),
            "stream " + std::to_string(ids[0]));
  EXPECT_EQ(trace.thread_name(operations[1].process, operations[1].thread),
            "stream " + std::to_string(ids[1]));
  EXPECT_EQ(trace.thread_name(operations[2].process, operations[2].thread).substr(0, 15), "default stream ");
  EXPECT_NE(operations[0].process, operations[1].process) << "a device each";
  EXPECT_EQ(operations[1].process, operations[2].process);
  EXPECT_EQ(trace.process_name(operations[1].process), "traced device 1: submitted operations, host time");
  // The arrow from the call to its operation carries the correlation id that both show.
  const auto launch = trace.calls("xhal_kernel_launch").at(0);
  EXPECT_EQ(launch.arguments.at("correlation"), operations[0].arguments.at("correlation"));
  const auto starts = trace.phase("s", "submission");
  const auto ends = trace.phase("f", "submission");
  ASSERT_EQ(starts.size(), 3U);
  EXPECT_EQ(starts[0].at("id"), launch.arguments.at("correlation"));
  EXPECT_EQ(starts[0].at("tid"), launch.thread);
  EXPECT_EQ(ends[0].at("id"), starts[0].at("id"));
  EXPECT_EQ(ends[0].at("tid"), operations[0].thread);
}

TEST_F(TraceTest, DevicesGetTheNameThatTheProgramAskedFor) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    xhal_device_properties_t properties = {};
    properties.struct_size = sizeof(properties);
    EXPECT_EQ(xhal_device_get_properties(instance.devices[1], &properties), XHAL_SUCCESS);
    EXPECT_EQ(fill(instance.stream(1)), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  EXPECT_EQ(trace.process_name(trace.slices("submitted").at(0).process),
            "traced device 1 (a \"quoted\" device\n): submitted operations, host time");
}

// ---- Completion is said when an answer told it, and not before ---------------------------------------------------------------

struct Done {
  uint64_t through, operations;
  std::string told_by;
  bool operator==(const Done&) const = default;
};
void PrintTo(const Done& done, std::ostream* out) {
  *out << done.through << "/" << done.operations << " " << done.told_by;
}

std::vector<Done> done_of(const Trace& trace) {
  std::vector<Done> all;
  for (const Json& event : trace.phase("i", "known done")) {
    const Json& arguments = event.at("args");
    all.push_back({arguments.at("through_correlation"), arguments.at("operations"), arguments.at("told_by")});
  }
  return all;
}

uint64_t correlation_of(const Trace& trace, size_t operation) {
  return trace.slices("submitted").at(operation).arguments.at("correlation");
}

TEST_F(TraceTest, SynchroniseTellsCompletion) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t stream = instance.stream();
    for (int i = 0; i < 3; ++i) EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    instance.control->hold(true);
    EXPECT_EQ(xhal_stream_query(stream), XHAL_NOT_READY);
    EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_TIMEOUT);
    EXPECT_EQ(xhal_device_synchronize(instance.devices[0], 0), XHAL_TIMEOUT);
    instance.control->hold(false);
    EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << "tells nothing new";
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(done_of(trace), (std::vector<Done>{{correlation_of(trace, 2), 3, "xhal_stream_synchronize"},
                                               {correlation_of(trace, 3), 1, "xhal_stream_query"}}));
  const auto arrows = trace.phase("f", "completion");
  ASSERT_EQ(arrows.size(), 2U);
  EXPECT_TRUE(trace.phase("i", "completion was not seen").empty());
  // The counter ends at zero.
  const Slice operation = trace.slices("submitted").at(0);
  const auto counts =
      trace.phase("C", trace.thread_name(operation.process, operation.thread) + " not known done");
  ASSERT_EQ(counts.size(), 6U);
  EXPECT_EQ(counts[2].at("args").at("operations"), 3);
  EXPECT_EQ(counts.back().at("args").at("operations"), 0);
}

TEST_F(TraceTest, DeviceSynchroniseTellsOfAllStreamsOfThatDevice) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    EXPECT_EQ(fill(instance.stream(0)), XHAL_SUCCESS);
    EXPECT_EQ(fill(instance.stream(0)), XHAL_SUCCESS);
    EXPECT_EQ(fill(instance.stream(1)), XHAL_SUCCESS);
    EXPECT_EQ(xhal_device_synchronize(instance.devices[0], XHAL_WAIT_FOREVER), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  const auto done = done_of(trace);
  ASSERT_EQ(done.size(), 2U);
  EXPECT_EQ(done[0].told_by, "xhal_device_synchronize");
  const auto unseen = trace.phase("i", "completion was not seen");
  ASSERT_EQ(unseen.size(), 1U) << "what nobody asked about is said to be unknown, not done";
  EXPECT_EQ(unseen[0].at("args").at("operations"), 1);
}

TEST_F(TraceTest, EventsTellWhatWasBeforeTheirRecord) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t stream = instance.stream();
    const xhal_event_t event = instance.event();
    EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS) << "never recorded: done, and tells nothing";
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    // A record that was refused leaves unknown what the event stands for.
    EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
    instance.control->fail_next(XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_LT(xhal_event_record(event, stream, 0), 0);
    EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(done_of(trace), (std::vector<Done>{{correlation_of(trace, 1), 2, "xhal_event_synchronize"}}));
  ASSERT_EQ(trace.slices("submitted").size(), 5U) << "records are shown on the stream, too";
  EXPECT_EQ(trace.phase("i", "completion was not seen").at(0).at("args").at("operations"), 1);
}

TEST_F(TraceTest, EventOfTheLatestRecordCounts) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t a = instance.stream();
    const xhal_stream_t b = instance.stream();
    const xhal_event_t event = instance.event();
    EXPECT_EQ(fill(a), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_record(event, a, 0), XHAL_SUCCESS);
    EXPECT_EQ(fill(b), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_record(event, b, 0), XHAL_SUCCESS);
    EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  EXPECT_EQ(done_of(trace), (std::vector<Done>{{correlation_of(trace, 2), 1, "xhal_event_query"}}));
}

TEST_F(TraceTest, DestroyedStreamsSayWhatWasNotSeen) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t stream = instance.stream();
    EXPECT_EQ(fill(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.phase("i", "destroyed; completion was not seen").size(), 1U);
  EXPECT_TRUE(trace.phase("i", "completion was not seen").empty()) << "said once";
}

TEST_F(TraceTest, ManyStreamsLeaveNothingBehind) {
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    for (int i = 0; i < 3000; ++i) {  // more than the slots that handles come from: headers are used again
      const xhal_stream_t stream = instance.stream();
      EXPECT_EQ(fill(stream), XHAL_SUCCESS);
      EXPECT_EQ(xhal_stream_synchronize(stream, 0), XHAL_SUCCESS);
      EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
    }
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(done_of(trace).size(), 3000U);
  std::set<int64_t> tracks;
  for (const Slice& slice : trace.slices("submitted")) tracks.insert(slice.thread);
  EXPECT_EQ(tracks.size(), 3000U) << "a new stream is a new track, whatever its handle is";
}

// ---- Threads -----------------------------------------------------------------------------------------------------------------

TEST_F(TraceTest, ThreadsLoseNothing) {
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  uint64_t reached = 0;
  {
    Instance instance(to("t.json"));
    ASSERT_EQ(instance.result, XHAL_SUCCESS);
    const xhal_stream_t shared = instance.stream();
    const xhal_event_t event = instance.event();
    const uint64_t before = instance.control->calls();
    std::vector<std::thread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&, t] {
        pthread_setname_np(pthread_self(), ("worker " + std::to_string(t)).c_str());
        const xhal_stream_t own = instance.stream();
        for (int i = 0; i < kRounds; ++i) {
          EXPECT_EQ(fill(shared), XHAL_SUCCESS);
          EXPECT_EQ(fill(own), XHAL_SUCCESS);
          EXPECT_EQ(xhal_event_record(event, shared, 0), XHAL_SUCCESS);
          EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS);
          if (i % 16 == 0) {
            EXPECT_EQ(xhal_stream_synchronize(shared, 0), XHAL_SUCCESS);
          }
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(xhal_device_synchronize(instance.devices[0], 0), XHAL_SUCCESS);
    reached = instance.control->calls() - before;
  }
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.calls("xhal_memory_fill").size(), size_t{2 * kThreads * kRounds});
  EXPECT_EQ(trace.calls("xhal_memory_fill").size() + trace.calls("xhal_event_record").size() +
                trace.calls("xhal_event_query").size() + trace.calls("xhal_stream_synchronize").size() +
                trace.calls("xhal_device_synchronize").size(),
            reached)
      << "every call that reached the driver is in the file, once";
  EXPECT_EQ(trace.slices("submitted").size(), size_t{3 * kThreads * kRounds});
  std::set<int64_t> callers;
  for (const Slice& call : trace.calls("xhal_memory_fill")) callers.insert(call.thread);
  EXPECT_EQ(callers.size(), size_t{kThreads}) << "a track for each thread";
  for (const int64_t caller : callers) EXPECT_EQ(trace.thread_name(getpid(), caller).substr(0, 7), "worker ");
  uint64_t done = 0;
  for (const Done& event : done_of(trace)) done += event.operations;
  EXPECT_EQ(done, uint64_t{2 * kThreads * kRounds})
      << "after the last synchronise all of it is known, none twice";
}

TEST_F(TraceTest, InstancesShareTheFileThatTheyName) {
  {
    Instance a(to("t.json"));
    Instance b(to("t.json"));
    ASSERT_EQ(a.result, XHAL_SUCCESS);
    ASSERT_EQ(b.result, XHAL_SUCCESS);
    EXPECT_EQ(fill(a.stream()), XHAL_SUCCESS);
    EXPECT_EQ(fill(b.stream()), XHAL_SUCCESS);
    a.destroy();
    EXPECT_EQ(Trace(folder / "t.json").slices("submitted").size(), 2U);
    EXPECT_EQ(fill(b.stream()), XHAL_SUCCESS) << "one instance's end is not the other's";
  }
  Instance c(to("t.json"));
  ASSERT_EQ(c.result, XHAL_SUCCESS);
  EXPECT_EQ(fill(c.stream()), XHAL_SUCCESS);
  c.destroy();
  const Trace trace(folder / "t.json");
  trace.expect_showable();
  EXPECT_EQ(trace.slices("submitted").size(), 4U) << "a later instance goes on in the file";
  std::set<int64_t> devices;
  for (const Slice& slice : trace.slices("submitted")) devices.insert(slice.process);
  EXPECT_EQ(devices.size(), 3U);
}

TEST_F(TraceTest, UnderAnotherLayersTableNothingIsAskedOfUnstampedHandles) {
  XHAL_CLAUSE("XHAL-LAYER-8");
  Instance instance(to("t.json"));
  ASSERT_EQ(instance.result, XHAL_SUCCESS);
  const xhal_stream_t stream = instance.stream();
  const auto* header = reinterpret_cast<const xhal_handle_header_t*>(stream);
  EXPECT_EQ(header->table->state, uint32_t{XHAL_TABLE_LIVE});
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS) << "usable at once";
}

}  // namespace
}  // namespace xhal::trace_test
