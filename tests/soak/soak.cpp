// SPDX-License-Identifier: Apache-2.0
// soak: random work of several threads over shared streams and devices, compared with what it must come to. See README.md.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <mutex>
#include <random>
#include <string>
#include <string_view>
#include <thread>

#include "thread_soak.hpp"

namespace {

using namespace xhal::soak;  // NOLINT(google-build-using-namespace): the program itself
using Clock = std::chrono::steady_clock;

struct Settings {
  uint64_t seconds = 10;
  uint64_t operations = 0;  // of each thread; 0: as many as there is time for
  uint64_t seed = 0;
  uint64_t threads = 4;
  uint64_t streams = 4;  // of each device
  uint64_t devices = 2;
  std::string backend = "sim";
};

int usage() {
  std::fputs(
      "usage: soak [--backend NAME] [--seconds N] [--operations N] [--seed N] [--threads N] [--streams N] "
      "[--devices N]\n"
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
                                                        : nullptr;
    if (target == nullptr) return false;
    const char* const end = argv[i + 1] + std::strlen(argv[i + 1]);
    const auto [read_to, error] = std::from_chars(argv[i + 1], end, *target);
    if (error != std::errc{} || read_to != end) return false;
  }
  const auto within = [](uint64_t value, uint64_t least, uint64_t most) {
    return value >= least && value <= most;
  };
  return within(out.threads, 1, 256) && within(out.streams, 1, 4096) && within(out.devices, 1, 64) &&
         within(out.seconds, 1, 1'000'000);
}

uint64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  uint64_t pages = 0;
  statm >> pages >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
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
  shared.streams.resize(streams);
  for (xhal_stream_t& stream : shared.streams) SOAK_OK(xhal_stream_create(device, nullptr, &stream));
  if (claims(device, XHAL_FEATURE_POOL)) SOAK_OK(xhal_pool_create(device, nullptr, &shared.pool));
  shared.has_graph = claims(device, XHAL_FEATURE_GRAPH);
  shared.has_value_wait = claims(device, XHAL_FEATURE_VALUE_WAIT);
  return shared;
}

uint64_t free_bytes(xhal_device_t device) {
  xhal_memory_info_t info{};
  info.struct_size = sizeof(info);
  SOAK_OK(xhal_device_get_memory_info(device, &info));
  return info.free_bytes;
}

// Samples of the process's memory while the threads run: the first once all is warm.
struct Flatness {
  static constexpr uint64_t kSlack = uint64_t{64} << 20;  // what allocators and sanitizers keep
  uint64_t warm = 0;
  uint64_t last = 0;
  [[nodiscard]] bool is_flat() const { return last <= warm + kSlack; }
};

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
  const auto end = Clock::now() + std::chrono::seconds(settings.seconds);
  const auto warm = Clock::now() + std::chrono::milliseconds(settings.seconds * 250);
  std::atomic<uint64_t> operations{0};
  std::atomic<bool> failed{false};
  std::mutex told;
  std::vector<std::thread> threads;
  Flatness flatness;
  for (uint64_t t = 0; t < settings.threads; ++t) {
    threads.emplace_back([&, t] {
      uint64_t step = 0;
      try {
        ThreadSoak work(shared[t % shared.size()], settings.seed * 1000003 + t);
        const auto goes_on = [&] {
          return settings.operations != 0 ? work.operations() < settings.operations
                                          : step % 64 != 0 || Clock::now() < end;
        };
        for (; goes_on() && !failed.load(std::memory_order_relaxed); ++step) {
          work.step();
          if (t == 0 && step % 1024 == 0 && Clock::now() < warm) flatness.warm = resident_bytes();
        }
        work.verify();
        operations += work.operations();
      } catch (const Trouble& trouble) {
        failed = true;
        const std::lock_guard lock(told);
        std::fprintf(stderr, "soak: seed %llu, thread %llu, step %llu: %s\n",
                     static_cast<unsigned long long>(settings.seed), static_cast<unsigned long long>(t),
                     static_cast<unsigned long long>(step), trouble.text.c_str());
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  if (failed) return 1;
  flatness.last = resident_bytes();
  for (size_t i = 0; i < shared.size(); ++i) {
    if (shared[i].pool != nullptr) SOAK_OK(xhal_pool_destroy(shared[i].pool));
    SOAK_OK(xhal_device_synchronize(shared[i].device, XHAL_WAIT_FOREVER));
    if (free_bytes(shared[i].device) != free_before[i]) throw Trouble{"device memory is missing in the end"};
  }
  SOAK_OK(xhal_instance_destroy(instance));
  std::printf(
      "%llu operations, seed %llu, %llu MiB resident after a quarter of the time and %llu MiB at the end\n",
      static_cast<unsigned long long>(operations.load()), static_cast<unsigned long long>(settings.seed),
      static_cast<unsigned long long>(flatness.warm >> 20),
      static_cast<unsigned long long>(flatness.last >> 20));
  if (!flatness.is_flat()) {
    std::fprintf(stderr, "soak: memory is not flat\n");
    return 1;
  }
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
