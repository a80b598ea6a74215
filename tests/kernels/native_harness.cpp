// SPDX-License-Identifier: Apache-2.0
#include "native_harness.hpp"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <thread>

namespace xhal::native_test {
namespace {

[[noreturn]] void give_up(const std::string& message) {
  std::fprintf(stderr, "%s\n", message.c_str());
  std::abort();
}

std::size_t page_bytes() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

std::byte* map_pages(std::size_t bytes, int protection) {
  void* const address = mmap(nullptr, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) give_up("mmap of " + std::to_string(bytes) + " bytes failed");
  return static_cast<std::byte*>(address);
}

}  // namespace

bool processor_runs(const std::string& target) {
  __builtin_cpu_init();
  const bool v2 =
      __builtin_cpu_supports("ssse3") && __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("popcnt");
  const bool v3 = v2 && __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
                  __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("fma");
  const bool v4 = v3 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                  __builtin_cpu_supports("avx512vl");
  return target == "x86-64-v2" ? v2 : target == "x86-64-v3" ? v3 : target == "x86-64-v4" && v4;
}

std::vector<std::string> runnable_targets() {
  std::vector<std::string> targets;
  std::copy_if(kTargets.begin(), kTargets.end(), std::back_inserter(targets), processor_runs);
  return targets;
}

const xhal_native_image& load_image(const std::string& folder, const std::string& pack,
                                    const std::string& target) {
  const std::string path = folder + "/" + pack + "_pack.native." + target + ".so";
  void* const library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) give_up("dlopen: " + std::string(dlerror()));
  void* const symbol = dlsym(library, XHAL_NATIVE_IMAGE_SYMBOL);
  if (symbol == nullptr) give_up(path + ": no symbol " XHAL_NATIVE_IMAGE_SYMBOL);
  return *static_cast<const xhal_native_image*>(symbol);
}

const xhal_native_kernel& find_kernel(const xhal_native_image& image, const std::string& name) {
  for (std::uint32_t i = 0; i < image.kernel_count; ++i) {
    if (name == image.kernels[i].name) return image.kernels[i];
  }
  give_up("image without kernel " + name);
}

DeviceWindow::DeviceWindow(std::size_t bytes) : size_(bytes) {
  // The reserved range is followed by one page of ordinary host memory: its first byte is no device address.
  std::byte* const reserved = map_pages(bytes + page_bytes(), PROT_NONE);
  if (mprotect(reserved + bytes, page_bytes(), PROT_READ | PROT_WRITE) != 0) give_up("mprotect failed");
  base_ = reinterpret_cast<std::uint64_t>(reserved);
  distance_ = reinterpret_cast<std::uint64_t>(map_pages(bytes, PROT_READ | PROT_WRITE)) - base_;
}

DeviceWindow::~DeviceWindow() {
  munmap(backing(base_), size_);
  munmap(reinterpret_cast<void*>(base_), size_ + page_bytes());
}

GuardedBytes::GuardedBytes(std::size_t bytes) {
  const std::size_t page = page_bytes();
  const std::size_t usable = (bytes + page - 1) / page * page;
  mapped_ = usable + page;
  mapping_ = map_pages(mapped_, PROT_READ | PROT_WRITE);
  if (mprotect(mapping_ + usable, page, PROT_NONE) != 0) give_up("mprotect failed");
  data_ = mapping_ + usable - bytes;
}

GuardedBytes::~GuardedBytes() { munmap(mapping_, mapped_); }

Arguments& Arguments::bytes(const void* data, std::size_t size) {
  arguments_.push_back({std::make_unique<std::byte[]>(size + 1), 0});
  std::memcpy(arguments_.back().storage.get() + 1, data, size);
  return *this;
}

Arguments& Arguments::local(std::size_t bytes) {
  arguments_.push_back({nullptr, bytes});
  return *this;
}

std::vector<const void*> Arguments::for_worker(
    std::vector<std::unique_ptr<std::byte[]>>* local_memory) const {
  static constexpr std::size_t kAlignment = 128;
  std::vector<const void*> pointers;
  for (const Argument& argument : arguments_) {
    if (argument.storage) {
      pointers.push_back(argument.storage.get() + 1);
      continue;
    }
    local_memory->push_back(std::make_unique<std::byte[]>(argument.local_bytes + kAlignment));
    void* start = local_memory->back().get();
    std::size_t room = argument.local_bytes + kAlignment;
    // Local memory has no defined contents at first: kernels must not count on zeros.
    std::memset(start, 0xA5, room);
    pointers.push_back(std::align(kAlignment, argument.local_bytes, start, room));
  }
  return pointers;
}

Worker::~Worker() {
  if (scratch_ != nullptr) scratch_free_(scratch_);
}

bool Worker::run(const Launch& launch, std::atomic<std::uint64_t>* next) {
  std::vector<std::unique_ptr<std::byte[]>> local_memory;
  const std::vector<const void*> pointers = launch.arguments->for_worker(&local_memory);
  const auto& [columns, rows, layers] = launch.groups;
  bool trapped = false;
  // Rows of up to row_groups groups, none beyond a row's end.
  const std::uint64_t step = std::max(launch.row_groups, 1U);
  const std::uint64_t calls_a_row = (columns + step - 1) / step;
  const std::uint64_t count = calls_a_row * rows * layers;
  for (std::uint64_t number = next->fetch_add(1); number < count; number = next->fetch_add(1)) {
    xhal_native_frame frame = {};
    if (launch.window != nullptr) {
      frame.window_base = launch.window->base();
      frame.window_size = launch.window->size();
      frame.backing_distance = launch.window->distance();
    }
    frame.group_id[0] = static_cast<std::uint32_t>(number % calls_a_row * step);
    frame.group_id[1] = static_cast<std::uint32_t>(number / calls_a_row % rows);
    frame.group_id[2] = static_cast<std::uint32_t>(number / calls_a_row / rows);
    frame.row_groups = std::min(static_cast<std::uint32_t>(step), columns - frame.group_id[0]);
    std::copy(launch.groups.begin(), launch.groups.end(), frame.group_count);
    std::copy(launch.group_size.begin(), launch.group_size.end(), frame.group_size);
    frame.arguments = pointers.data();
    frame.relax = launch.relax;
    frame.relax_context = launch.relax_context;
    frame.globals = launch.globals;
    frame.scratch = &scratch_;
    frame.scratch_free = &scratch_free_;
    launch.kernel->run_groups(&frame);
    trapped = trapped || frame.trapped != 0;
  }
  return trapped;
}

bool run(const Launch& launch) {
  std::atomic<std::uint64_t> next = 0;
  std::atomic<bool> trapped = false;
  const auto work = [&] {
    Worker worker;
    if (worker.run(launch, &next)) trapped = true;
  };
  std::vector<std::thread> threads;
  for (unsigned i = 1; i < launch.threads; ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  return trapped;
}

std::uint32_t groups_for(std::uint64_t items, std::uint32_t group_size) {
  return static_cast<std::uint32_t>((items + group_size - 1) / group_size);
}

}  // namespace xhal::native_test
