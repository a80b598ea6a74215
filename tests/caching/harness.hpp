// SPDX-License-Identifier: Apache-2.0
// The simulator, opened through libxhal, and an allocator on its device.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "xhal/caching/allocator.hpp"

namespace xhal::caching_test {

using caching::Allocator;
using caching::Block;
using caching::BlockInfo;
using caching::OutOfMemory;
using caching::PoolId;
using caching::PoolKind;
using caching::SegmentInfo;
using caching::Settings;
using caching::Snapshot;
using caching::Stats;
using caching::Stream;

inline constexpr uint64_t kKib = 1024;
inline constexpr uint64_t kMib = 1024 * kKib;
inline constexpr uint64_t kGib = 1024 * kMib;

inline std::string last_text() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error.text;
}

inline uint64_t number_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }
inline uint64_t begin_of(const Block* block) { return number_of(caching::address_of(block)); }
inline uint64_t end_of(const Block* block) { return begin_of(block) + caching::size_of(block); }

// Holds a stream until opened: a host function that waits for the test.
class Gate {
 public:
  explicit Gate(xhal_stream_t stream) {
    EXPECT_EQ(xhal_stream_host_function(stream, &Gate::wait, this), XHAL_SUCCESS) << last_text();
  }
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void open() {
    opened_.store(true);
    opened_.notify_all();
    left_.wait(false);
  }

 private:
  static void wait(void* user, xhal_result_t) {
    auto& gate = *static_cast<Gate*>(user);
    gate.opened_.wait(false);
    gate.left_.store(true);
    gate.left_.notify_all();
  }
  std::atomic<bool> opened_{false};
  std::atomic<bool> left_{false};
};

// An instance with the simulator alone; `device` is its first.
class Machine {
 public:
  explicit Machine(const std::string& memory = "1g", const char* features = nullptr,
                   const char* devices = "1") {
    const char* path = CACHING_TEST_DRIVER;
    std::vector<xhal_option_t> options = {{"sim", "devices", devices}, {"sim", "memory", memory.c_str()}};
    if (features != nullptr) options.push_back({"sim", "features", features});
    xhal_instance_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.drivers = "";
    desc.driver_paths = &path;
    desc.driver_path_count = 1;
    desc.options = options.data();
    desc.option_count = static_cast<uint32_t>(options.size());
    EXPECT_EQ(xhal_instance_create(&desc, &instance), XHAL_SUCCESS) << last_text();
    uint32_t count = 0;
    EXPECT_GE(xhal_instance_get_drivers(instance, 1, &driver, &count), 0) << last_text();
    EXPECT_GE(xhal_driver_get_devices(driver, 1, &device, &count), 0) << last_text();
  }
  ~Machine() { EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS) << last_text(); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  [[nodiscard]] Stream make_stream() const {
    Stream stream;
    EXPECT_EQ(xhal_stream_create(device, nullptr, &stream.handle), XHAL_SUCCESS) << last_text();
    stream.id = id_of(stream.handle);
    return stream;
  }
  [[nodiscard]] static uint64_t id_of(xhal_stream_t handle) {
    xhal_stream_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(xhal_stream_get_info(handle, &info), XHAL_SUCCESS) << last_text();
    return info.id;
  }
  [[nodiscard]] uint64_t free_bytes() const {
    xhal_memory_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(xhal_device_get_memory_info(device, &info), XHAL_SUCCESS) << last_text();
    return info.free_bytes;
  }
  [[nodiscard]] uint64_t total_bytes() const {
    xhal_memory_info_t info{};
    info.struct_size = sizeof(info);
    EXPECT_EQ(xhal_device_get_memory_info(device, &info), XHAL_SUCCESS) << last_text();
    return info.total_bytes;
  }
  [[nodiscard]] xhal_pointer_attributes_t attributes_of(uint64_t address) const {
    xhal_pointer_attributes_t attributes{};
    attributes.struct_size = sizeof(attributes);
    EXPECT_EQ(xhal_driver_get_pointer_attributes(driver, reinterpret_cast<const void*>(address), &attributes),
              XHAL_SUCCESS)
        << last_text();
    return attributes;
  }
  [[nodiscard]] std::unique_ptr<Allocator> make_allocator(const Settings& settings = {}) const {
    std::unique_ptr<Allocator> allocator;
    EXPECT_EQ(Allocator::create(driver, device, settings, &allocator), XHAL_SUCCESS) << last_text();
    return allocator;
  }

  xhal_instance_t instance = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_device_t device = nullptr;
};

inline Settings with_max_split(uint64_t bytes) {
  Settings settings;
  settings.max_split_bytes = bytes;
  return settings;
}

inline void synchronize(Stream stream) {
  EXPECT_EQ(xhal_stream_synchronize(stream.handle, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << last_text();
}

// A machine, an allocator and a stream: what most tests start from.
class CachingTest : public testing::Test {
 protected:
  explicit CachingTest(const Settings& settings = {})
      : allocator(machine.make_allocator(settings)), stream(machine.make_stream()) {}

  Block* allocate(uint64_t bytes, Stream of) {
    Block* block = nullptr;
    EXPECT_EQ(allocator->allocate(bytes, of, &block), XHAL_SUCCESS) << last_text();
    EXPECT_NE(block, nullptr);
    return block;
  }
  Block* allocate(uint64_t bytes) { return allocate(bytes, stream); }
  // Address of a block that is freed at once.
  uint64_t touch(uint64_t bytes, Stream of) {
    Block* block = allocate(bytes, of);
    const uint64_t address = begin_of(block);
    allocator->free(block);
    return address;
  }
  // What recorded streams have passed is completed by calls of allocate().
  void complete_frees() { touch(512, stream); }

  Machine machine;
  std::unique_ptr<Allocator> allocator;
  Stream stream;
};

inline const caching::Stat& aggregate(const caching::StatArray& stats) {
  return stats.of(PoolKind::kAggregate);
}

inline const SegmentInfo* segment_at(const Snapshot& snapshot, uint64_t address) {
  const auto found = std::find_if(snapshot.segments.begin(), snapshot.segments.end(), [&](const auto& each) {
    return each.address <= address && address < each.address + each.total_size;
  });
  return found == snapshot.segments.end() ? nullptr : &*found;
}

}  // namespace xhal::caching_test
