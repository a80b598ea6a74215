// SPDX-License-Identifier: Apache-2.0
// What a call costs through libxhal and directly through the driver's own table, and what starting up costs.
//   xhal-bench-call [--benchmark_filter=REGEX]   (the usual options of Google Benchmark)
// Times on shared machines are noise: read the ratio of two rows of one run, and bench/counts for what is exact.
#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "xhal/driver.h"

namespace {

void check(const char* what, xhal_result_t result) {
  if (result >= 0) return;
  std::fprintf(stderr, "xhal-bench-call: %s: %s\n", what, xhal_result_name(result));
  std::exit(1);
}

xhal_instance_t open_instance(const char* manifest, const char* drivers) {
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.driver_path_count = manifest != nullptr ? 1 : 0;
  desc.driver_paths = &manifest;
  desc.drivers = drivers;
  desc.layers = "";
  xhal_instance_t instance = nullptr;
  check("xhal_instance_create", xhal_instance_create(&desc, &instance));
  return instance;
}

xhal_device_t first_device(xhal_instance_t instance) {
  xhal_device_t device = nullptr;
  uint32_t count = 0;
  check("xhal_instance_get_devices", xhal_instance_get_devices(instance, 1, &device, &count));
  return device;
}

// Objects of a driver that does nothing, so that the way to it is all there is to measure.
struct Nothing {
  xhal_instance_t instance = open_instance(XHAL_COUNTED_MANIFEST, "");
  xhal_device_t device = first_device(instance);
  xhal_stream_t stream = nullptr;
  xhal_event_t event = nullptr;
  xhal_module_t module = nullptr;
  xhal_kernel_t kernel = nullptr;
  xhal_launch_t launch{};
  const xhal_functions_t* direct = nullptr;

  Nothing() {
    xhal_module_desc_t desc{};
    check("xhal_stream_create", xhal_stream_create(device, nullptr, &stream));
    check("xhal_event_create", xhal_event_create(device, nullptr, &event));
    check("xhal_module_load", xhal_module_load(device, &desc, &module));
    check("xhal_module_get_kernel", xhal_module_get_kernel(module, "k", &kernel));
    direct = reinterpret_cast<const xhal_handle_header_t*>(stream)->table->driver;
  }
};

Nothing& nothing() {
  static Nothing objects;
  return objects;
}

template <class Call>
void repeat(benchmark::State& state, Call call) {
  Nothing& objects = nothing();
  benchmark::DoNotOptimize(objects.direct);
  for (auto _ : state) benchmark::DoNotOptimize(call(objects));
}

void register_calls() {
  const auto add = [](const char* name, auto call) {
    benchmark::RegisterBenchmark(name, [call](benchmark::State& state) { repeat(state, call); });
  };
  add("stream_query/libxhal", [](Nothing& n) { return xhal_stream_query(n.stream); });
  add("stream_query/direct", [](Nothing& n) { return n.direct->stream_query(n.stream); });
  add("event_record/libxhal", [](Nothing& n) { return xhal_event_record(n.event, n.stream, 0); });
  add("event_record/direct", [](Nothing& n) { return n.direct->event_record(n.event, n.stream, 0); });
  add("kernel_launch/libxhal", [](Nothing& n) { return xhal_kernel_launch(n.stream, n.kernel, &n.launch); });
  add("kernel_launch/direct",
      [](Nothing& n) { return n.direct->kernel_launch(n.stream, n.kernel, &n.launch); });
}

// Search, load, negotiate, open, count, close. The library stays loaded, so the first round, which maps it, is the slow one.
void enumerate_sim(benchmark::State& state) {
  for (auto _ : state) {
    const xhal_instance_t instance = open_instance(nullptr, "sim");
    benchmark::DoNotOptimize(first_device(instance));
    check("xhal_instance_destroy", xhal_instance_destroy(instance));
  }
}

#ifdef XHAL_INFO_PROGRAM
// The whole program, the child process in which it looks at the simulator included. What it prints goes nowhere.
void start_xhal_info(benchmark::State& state) {
  char program[] = XHAL_INFO_PROGRAM;
  char option[] = "--backend";
  char name[] = "sim";
  char* const arguments[] = {program, option, name, nullptr};
  posix_spawn_file_actions_t nowhere;
  posix_spawn_file_actions_init(&nowhere);
  posix_spawn_file_actions_addopen(&nowhere, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  for (auto _ : state) {
    pid_t child = -1;
    int status = -1;
    if (posix_spawn(&child, program, &nowhere, nullptr, arguments, environ) == 0) {
      while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
      }
    }
    if (status != 0) {
      state.SkipWithError("xhal-info --backend sim failed");
      break;
    }
  }
  posix_spawn_file_actions_destroy(&nowhere);
}
#endif

}  // namespace

int main(int argc, char** argv) {
  register_calls();
  benchmark::RegisterBenchmark("enumerate/sim", enumerate_sim)->Unit(benchmark::kMicrosecond);
#ifdef XHAL_INFO_PROGRAM
  // Its time passes in other processes.
  benchmark::RegisterBenchmark("start/xhal_info", start_xhal_info)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
#endif
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
