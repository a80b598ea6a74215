// SPDX-License-Identifier: Apache-2.0
// Makes calls of the simulator's hot paths for a counter of instructions: path_counts KERNELS BENCH_KERNELS
//
// Each path is a function path_<name>, called once with N and once with 2N calls to make: what N calls more take is what is counted
// (count_paths.sh, which reads a dump of callgrind for each of them). Streams are held while work is submitted, so that nobody but the caller runs.
#include <valgrind/callgrind.h>

#include <cstdio>
#include <exception>
#include <memory>
#include <string>

#include "bench/runner/bench.hpp"

namespace xhal::bench {
namespace {

constexpr int kCalls = 1000;

struct World {
  explicit World(Bench& bench)
      : launch_3(bench, 3),
        launch_8(bench, 8),
        stream(bench.make_stream()),
        other(bench.make_stream()),
        event(bench.make_event()),
        timed(bench.make_event(XHAL_EVENT_TIMING)),
        done(bench.make_event()),
        device(bench.make_memory(XHAL_MEMORY_DEVICE, 4096)),
        pinned(bench.make_memory(XHAL_MEMORY_PINNED, 4096)),
        device_handle(bench.device()),
        driver_handle(bench.driver()) {
    check("xhal_event_record", xhal_event_record(done, stream, 0));
    wait_for(stream);
    xhal_graph_t captured = nullptr;
    check("xhal_stream_begin_capture", xhal_stream_begin_capture(stream, XHAL_CAPTURE_THREAD));
    launch_3.on(stream);
    check("xhal_stream_end_capture", xhal_stream_end_capture(stream, &captured));
    const Graph graph(captured);
    xhal_graph_exec_t made = nullptr;
    check("xhal_graph_instantiate", xhal_graph_instantiate(graph, 0, &made));
    exec = GraphExec(made);
    xhal_pool_t created = nullptr;
    check("xhal_pool_create", xhal_pool_create(device_handle, nullptr, &created));
    pool = Pool(created);
  }

  NothingLaunch launch_3;
  NothingLaunch launch_8;
  Stream stream;
  Stream other;
  Event event;
  Event timed;
  Event done;
  Memory device;
  Memory pinned;
  GraphExec exec{nullptr};
  Pool pool{nullptr};
  xhal_device_t device_handle;
  xhal_driver_t driver_handle;
};

void nothing(void*, xhal_result_t) {}

}  // namespace

// The loop and the call, and no more: count_paths.sh looks for these names.
#define COUNTED_PATH(name, ...)                                   \
  extern "C" [[gnu::noinline]] void path_##name(World& w, int n); \
  extern "C" void path_##name(World& w, int n) {                  \
    for (int i = 0; i < n; ++i) {                                 \
      __VA_ARGS__;                                                \
    }                                                             \
  }

namespace {

COUNTED_PATH(launch_3, w.launch_3.on(w.stream))
COUNTED_PATH(launch_8, w.launch_8.on(w.stream))
COUNTED_PATH(event_record, check("", xhal_event_record(w.event, w.stream, 0)))
COUNTED_PATH(event_record_timed, check("", xhal_event_record(w.timed, w.stream, 0)))
COUNTED_PATH(event_query, check("", xhal_event_query(w.done)))
COUNTED_PATH(wait_event_done, check("", xhal_stream_wait_event(w.other, w.done, 0)))
COUNTED_PATH(wait_event_pending, check("", xhal_stream_wait_event(w.other, w.event, 0)))
COUNTED_PATH(copy, check("", xhal_memory_copy(w.stream, w.device.get(), w.pinned.get(), 8)))
COUNTED_PATH(fill, check("", xhal_memory_fill(w.stream, w.device.get(), 0, 4, 64)))
COUNTED_PATH(host_function, check("", xhal_stream_host_function(w.stream, nothing, nullptr)))
COUNTED_PATH(graph_launch, check("", xhal_graph_exec_launch(w.exec, w.stream)))
COUNTED_PATH(stream_query_idle, check("", xhal_stream_query(w.stream)))
COUNTED_PATH(synchronize_idle, wait_for(w.stream))
COUNTED_PATH(pointer_attributes, {
  xhal_pointer_attributes_t attributes;
  attributes.struct_size = sizeof(attributes);
  check("", xhal_driver_get_pointer_attributes(w.driver_handle, w.device.get(), &attributes));
})
COUNTED_PATH(memory_allocate_free, { Memory again(w.device_handle, XHAL_MEMORY_DEVICE, 4096); })
COUNTED_PATH(pool_allocate_free, {
  void* pointer = nullptr;
  check("", xhal_pool_allocate(w.pool, w.stream, 4096, &pointer));
  check("", xhal_pool_free(w.pool, w.stream, pointer));
})
COUNTED_PATH(event_create_destroy, {
  xhal_event_t event = nullptr;
  check("", xhal_event_create(w.device_handle, nullptr, &event));
  check("", xhal_event_destroy(event));
})

struct Path {
  const char* name;
  void (*run)(World&, int);
  bool is_held;
};
#define PATH(name, is_held)     \
  Path {                        \
#name, path_##name, is_held \
  }

// What is submitted meets a stream that is held, and everything is done between two counts. The first turn of three is for what happens once.
void count(Bench& bench, World& world, const Path& path) {
  for (const int calls : {kCalls, kCalls, 2 * kCalls}) {
    std::unique_ptr<HeldStream> held;
    if (path.is_held) held = std::make_unique<HeldStream>(bench, world.stream);
    check("xhal_event_record", xhal_event_record(world.event, world.stream, 0));
    if (!path.is_held) wait_for(world.stream);
    CALLGRIND_ZERO_STATS;
    path.run(world, calls);
    CALLGRIND_DUMP_STATS_AT(path.name);
    held.reset();
    wait_for(world.stream);
    wait_for(world.other);
  }
}

void count_all(Bench& bench) {
  World world(bench);
  for (const Path& path :
       {PATH(launch_3, true), PATH(launch_8, true), PATH(event_record, true), PATH(event_record_timed, true),
        PATH(wait_event_done, true), PATH(wait_event_pending, true), PATH(copy, true), PATH(fill, true),
        PATH(host_function, true), PATH(graph_launch, true), PATH(event_query, false),
        PATH(stream_query_idle, false), PATH(synchronize_idle, false), PATH(pointer_attributes, false),
        PATH(memory_allocate_free, false), PATH(pool_allocate_free, false),
        PATH(event_create_destroy, false)})
    count(bench, world, path);
}

}  // namespace
}  // namespace xhal::bench

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: %s KERNELS BENCH_KERNELS\n", argv[0]);
    return 2;
  }
  try {
    xhal::conformance::Target target;
    target.backend = "sim";
    target.kernel_directory = argv[1];
    xhal::conformance::Session session(target);
    xhal::bench::Bench bench(session, argv[2]);
    xhal::bench::count_all(bench);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "path_counts: %s\n", error.what());
    return 1;
  }
  return 0;
}
