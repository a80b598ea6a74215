// SPDX-License-Identifier: Apache-2.0
// soak: random work of several threads over shared streams and devices, compared with what it must come to. See README.md.
#include <algorithm>
#include <atomic>
#include <barrier>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "flatness.hpp"
#include "thread_soak.hpp"

namespace {

using namespace xhal::soak;  // NOLINT(google-build-using-namespace): the program itself
using Clock = std::chrono::steady_clock;

struct Settings {
  uint64_t seconds = 10;
  uint64_t operations = 0;  // of all threads together; 0: as many as there is time for
  uint64_t seed = 0;
  uint64_t threads = 4;
  uint64_t streams = 4;  // of each device
  uint64_t devices = 2;
  uint64_t leak = 0;  // bytes that thread 0 loses with each step
  std::string backend = "sim";
};

int usage() {
  std::fputs(
      "usage: soak [--backend NAME] [--seconds N] [--operations N] [--seed N] [--threads N] [--streams N] "
      "[--devices N] [--leak BYTES]\n"
      "--operations: of all threads together, instead of --seconds\n"
      "--leak: bytes to lose with each step of one thread, to see that it is noticed\n"
      "exit codes: 0 every cell is right and memory is flat; 1 it is not, or a call failed; 2 wrong usage\n",
      stderr);
  return 2;
}

bool read(int argc, char** argv, Settings& out) {
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc) return false;
    if (option == "--backend") {
      out.backend = argv[i + 1];
      continue;
    }
    uint64_t* const target = option == "--seconds"      ? &out.seconds
                             : option == "--operations" ? &out.operations
                             : option == "--seed"       ? &out.seed
                             : option == "--threads"    ? &out.threads
                             : option == "--streams"    ? &out.streams
                             : option == "--devices"    ? &out.devices
                             : option == "--leak"       ? &out.leak
                                                        : nullptr;
    if (target == nullptr) return false;
    const char* const end = argv[i + 1] + std::strlen(argv[i + 1]);
    const auto [read_to, error] = std::from_chars(argv[i + 1], end, *target);
    if (error != std::errc{} || read_to != end) return false;
  }
  const auto within = [](uint64_t value, uint64_t least, uint64_t most) {
    return value >= least && value <= most;
  };
  return within(out.leak, 0, 65536) && within(out.threads, 1, 256) && within(out.streams, 1, 4096) &&
         within(out.devices, 1, 64) && within(out.seconds, 1, 1'000'000);
}

bool claims(xhal_device_t device, uint32_t feature) {
  uint32_t claimed = 0;
  SOAK_OK(xhal_device_has_feature(device, feature, &claimed));
  return claimed != 0;
}

SharedDevice open(xhal_device_t device, xhal_driver_t driver, uint64_t streams) {
  SharedDevice shared;
  shared.device = device;
  shared.driver = driver;
  xhal_module_desc_t module{};
  module.struct_size = sizeof(module);
  module.format = "builtin";
  module.image = "xhal";
  module.image_size = 4;
  SOAK_OK(xhal_module_load(device, &module, &shared.module));
  SOAK_OK(xhal_module_get_kernel(shared.module, "xhal_fold_u64", &shared.fold));
  SOAK_OK(xhal_module_get_kernel(shared.module, "xhal_fold2_u64", &shared.fold2));
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  SOAK_OK(xhal_device_get_properties(device, &properties));
  if (properties.fault_scope == XHAL_FAULT_SCOPE_STREAM)
    SOAK_OK(xhal_module_get_kernel(shared.module, "xhal_trap_u32", &shared.trap));
  shared.streams.resize(streams);
  for (xhal_stream_t& stream : shared.streams) SOAK_OK(xhal_stream_create(device, nullptr, &stream));
  if (claims(device, XHAL_FEATURE_POOL)) SOAK_OK(xhal_pool_create(device, nullptr, &shared.pool));
  shared.has_graph = claims(device, XHAL_FEATURE_GRAPH);
  shared.has_value_wait = claims(device, XHAL_FEATURE_VALUE_WAIT);
  shared.has_managed = claims(device, XHAL_FEATURE_MANAGED);
  shared.has_register = claims(device, XHAL_FEATURE_REGISTER);
  shared.has_activity = claims(device, XHAL_FEATURE_ACTIVITY);
  shared.has_timing = claims(device, XHAL_FEATURE_EVENT_TIMING);
  shared.has_regions = claims(device, XHAL_FEATURE_COPY_REGION);
  if (claims(device, XHAL_FEATURE_VMM)) {
    xhal_vmm_granularity_t granularity{};
    granularity.struct_size = sizeof(granularity);
    SOAK_OK(xhal_vmm_get_granularity(device, &granularity));
    shared.page = granularity.minimum;
  }
  return shared;
}

uint64_t free_bytes(xhal_device_t device) {
  xhal_memory_info_t info{};
  info.struct_size = sizeof(info);
  SOAK_OK(xhal_device_get_memory_info(device, &info));
  return info.free_bytes;
}

// A list that nobody ever frees.
void* lose(uint64_t bytes, void* former) {
  void** const block = static_cast<void**>(std::calloc(1, std::max<uint64_t>(bytes, sizeof(void*))));
  if (block == nullptr) throw Trouble{"no memory is left to lose"};
  *block = former;
  return block;
}

struct Totals {
  bool failed = false;
  uint64_t operations = 0;
  Flatness flatness;
};

// All threads work, come to rest together, and one takes a sample; as often as there are samples.
Totals work(const Settings& settings, const std::vector<SharedDevice>& shared) {
  const auto begin = Clock::now();
  const std::chrono::duration<double> all(static_cast<double>(settings.seconds));
  const uint64_t each = (settings.operations + settings.threads - 1) / settings.threads;
  Totals totals;
  std::atomic<uint64_t> operations{0};
  std::atomic<bool> failed{false};
  std::mutex told;
  std::barrier rest(static_cast<std::ptrdiff_t>(settings.threads));
  void* lost = nullptr;
  const auto live = [&](uint64_t t, uint64_t& step) {
    ThreadSoak work(shared[t % shared.size()], settings.seed * 1000003 + t);
    for (size_t round = 1; round <= Flatness::kSamples; ++round) {
      const auto end = begin + all * round / Flatness::kSamples;
      const uint64_t target =
          each / Flatness::kSamples * round + each % Flatness::kSamples * round / Flatness::kSamples;
      const auto goes_on = [&] {
        return settings.operations != 0 ? work.operations() < target : step % 64 != 0 || Clock::now() < end;
      };
      // One step at least, so that no round is empty.
      do {
        work.step();
        ++step;
        if (t == 0 && settings.leak != 0) lost = lose(settings.leak, lost);
      } while (goes_on() && !failed.load(std::memory_order_relaxed));
      rest.arrive_and_wait();
      if (t == 0) {
        for (const SharedDevice& one : shared) synchronize(one);
        totals.flatness.sample();
      }
      rest.arrive_and_wait();
      if (failed.load(std::memory_order_relaxed)) return;
    }
    work.verify();
    operations += work.operations();
  };
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < settings.threads; ++t) {
    threads.emplace_back([&, t] {
      uint64_t step = 0;
      try {
        live(t, step);
      } catch (const Trouble& trouble) {
        failed = true;
        const std::lock_guard lock(told);
        std::fprintf(stderr, "soak: seed %llu, thread %llu, step %llu: %s\n",
                     static_cast<unsigned long long>(settings.seed), static_cast<unsigned long long>(t),
                     static_cast<unsigned long long>(step), trouble.text.c_str());
      }
      rest.arrive_and_drop();
    });
  }
  for (std::thread& thread : threads) thread.join();
  totals.failed = failed;
  totals.operations = operations;
  return totals;
}

int run(const Settings& settings) {
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = settings.backend.c_str();
  xhal_instance_t instance = nullptr;
  SOAK_OK(xhal_instance_create(&desc, &instance));
  std::vector<xhal_device_t> devices(settings.devices);
  uint32_t count = 0;
  xhal_driver_t driver = nullptr;
  if (const xhal_result_t result = xhal_instance_get_drivers(instance, 1, &driver, &count);
      result != XHAL_INCOMPLETE)
    check("drivers", result);
  if (const xhal_result_t result =
          xhal_instance_get_devices(instance, static_cast<uint32_t>(devices.size()), devices.data(), &count);
      result != XHAL_INCOMPLETE)
    check("devices", result);
  if (count == 0) throw Trouble{"no device; see xhal-info --why"};
  devices.resize(std::min<size_t>(devices.size(), count));

  std::vector<SharedDevice> shared;
  std::vector<uint64_t> free_before;
  for (xhal_device_t device : devices) {
    shared.push_back(open(device, driver, settings.streams));
    free_before.push_back(free_bytes(device));
  }
  const auto begin = Clock::now();
  const Totals totals = work(settings, shared);
  if (totals.failed) return 1;
  const std::chrono::duration<double> time = Clock::now() - begin;
  for (size_t i = 0; i < shared.size(); ++i) {
    if (shared[i].pool != nullptr) SOAK_OK(xhal_pool_destroy(shared[i].pool));
    synchronize(shared[i]);
    if (free_bytes(shared[i].device) != free_before[i]) throw Trouble{"device memory is missing in the end"};
  }
  SOAK_OK(xhal_instance_destroy(instance));
  std::printf("%llu operations in %.1f s, %.0f a second, seed %llu\n",
              static_cast<unsigned long long>(totals.operations), time.count(),
              static_cast<double>(totals.operations) / time.count(),
              static_cast<unsigned long long>(settings.seed));
  if (!totals.flatness.report()) return 1;
  std::puts("every cell is right");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  settings.seed = std::random_device{}();
  if (!read(argc, argv, settings)) return usage();
  try {
    return run(settings);
  } catch (const Trouble& trouble) {
    std::fprintf(stderr, "soak: %s\n", trouble.text.c_str());
    return 1;
  }
}
