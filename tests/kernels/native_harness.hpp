// SPDX-License-Identifier: Apache-2.0
#pragma once

// The least driver that can run native images: no device, no streams, no host library. It plays the part that
// sim/native_image.h gives the driver, so that the images are judged apart from any of our drivers.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sim/native_image.h"

namespace xhal::native_test {

using Extent = std::array<std::uint32_t, 3>;

inline constexpr std::array<const char*, 3> kTargets = {"x86-64-v2", "x86-64-v3", "x86-64-v4"};
bool processor_runs(const std::string& target);
std::vector<std::string> runnable_targets();

// The image of `pack` for `target` in `folder`; the process ends with a message if it cannot be loaded. Never unloaded.
const xhal_native_image& load_image(const std::string& folder, const std::string& pack,
                                    const std::string& target);
const xhal_native_kernel& find_kernel(const xhal_native_image& image, const std::string& name);

// Device addresses: a reserved range that nothing backs, and its bytes at a distance, as a driver has them.
class DeviceWindow {
 public:
  explicit DeviceWindow(std::size_t bytes);
  ~DeviceWindow();
  DeviceWindow(const DeviceWindow&) = delete;
  DeviceWindow& operator=(const DeviceWindow&) = delete;

  [[nodiscard]] std::uint64_t base() const { return base_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::uint64_t distance() const { return distance_; }
  [[nodiscard]] std::byte* backing(std::uint64_t device_address) const {
    return reinterpret_cast<std::byte*>(device_address + distance_);
  }

 private:
  std::uint64_t base_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t distance_ = 0;
};

// Bytes that end at a page that nobody may touch: a kernel that reads or writes behind its end is stopped.
class GuardedBytes {
 public:
  explicit GuardedBytes(std::size_t bytes);
  ~GuardedBytes();
  GuardedBytes(const GuardedBytes&) = delete;
  GuardedBytes& operator=(const GuardedBytes&) = delete;
  [[nodiscard]] std::byte* data() const { return data_; }

 private:
  std::byte* mapping_ = nullptr;
  std::size_t mapped_ = 0;
  std::byte* data_ = nullptr;
};

template <typename T>
class GuardedArray {
 public:
  explicit GuardedArray(std::size_t count) : bytes_(count * sizeof(T)), count_(count) {}
  [[nodiscard]] T* data() const { return reinterpret_cast<T*>(bytes_.data()); }
  [[nodiscard]] std::span<T> span() const { return {data(), count_}; }

 private:
  GuardedBytes bytes_;
  std::size_t count_;
};

// Arguments in the kernel's order. Values are kept at odd addresses: nothing promises their alignment.
class Arguments {
 public:
  template <typename T>
  Arguments& value(const T& value) {
    return bytes(&value, sizeof value);
  }
  Arguments& pointer(const void* host) { return value(reinterpret_cast<std::uint64_t>(host)); }
  Arguments& device(std::uint64_t address) { return value(address); }
  Arguments& local(std::size_t bytes);

  // What a frame's `arguments` points to: local memory is the worker's own.
  [[nodiscard]] std::vector<const void*> for_worker(
      std::vector<std::unique_ptr<std::byte[]>>* local_memory) const;

 private:
  Arguments& bytes(const void* data, std::size_t size);

  struct Argument {
    std::unique_ptr<std::byte[]> storage;  // null for local memory
    std::size_t local_bytes = 0;
  };
  std::deque<Argument> arguments_;
};

struct Launch {
  const xhal_native_kernel* kernel = nullptr;
  const Arguments* arguments = nullptr;
  Extent groups = {1, 1, 1};
  Extent group_size = {1, 1, 1};
  const DeviceWindow* window = nullptr;
  unsigned threads = 1;
  std::uint32_t row_groups = 3;  // at most so many groups a call
  std::uint32_t (*relax)(void*) = nullptr;
  void* relax_context = nullptr;
  const std::uint64_t* globals = nullptr;  // the address of each global variable of the image
};

// One thread's share of a launch, with scratch that is kept between launches.
class Worker {
 public:
  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  // Runs every group whose number `next` hands out. True if a group trapped.
  bool run(const Launch& launch, std::atomic<std::uint64_t>* next);

 private:
  void* scratch_ = nullptr;
  void (*scratch_free_)(void*) = nullptr;
};

// True if the launch trapped.
bool run(const Launch& launch);

std::uint32_t groups_for(std::uint64_t items, std::uint32_t group_size);

}  // namespace xhal::native_test
