// SPDX-License-Identifier: Apache-2.0
// The simulator's driver without libxhal: loaded and negotiated with directly, its functions called through the table it filled.
// What libxhal checks before a call reaches a driver (null, stale and foreign handles) is not checked here.
#pragma once

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "xhal/driver.h"

namespace xhal::sim_test {

inline thread_local std::string last_text;
inline std::atomic<int> activations{0};
inline std::atomic<uint64_t> ids{1};

inline const xhal_host_services_t& host_services() {
  static const xhal_table_t kDead = [] {
    xhal_table_t table = {};
    table.state = XHAL_TABLE_DEAD;
    return table;
  }();
  static const xhal_host_services_t kServices = {
      sizeof(xhal_host_services_t),
      XHAL_ABI_REVISION,
      &kDead,
      [](const xhal_error_report_t* report) { last_text = report->text; },
      [](void*, uint32_t, const char*, const char*) {},
      [](void*) { activations.fetch_add(1); },
      [] { return ids.fetch_add(1); },
  };
  return kServices;
}

// The loaded driver; once in a process, as libxhal does.
inline const xhal_driver_interface_t& driver() {
  static xhal_functions_t functions = {};
  static const xhal_driver_interface_t kDriver = [] {
    void* library = dlopen(XHAL_TEST_SIM_DRIVER, RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) {
      std::fprintf(stderr, "%s\n", dlerror());
      std::abort();
    }
    const auto negotiate =
        reinterpret_cast<xhal_driver_negotiate_fn>(dlsym(library, XHAL_DRIVER_NEGOTIATE_SYMBOL));
    const xhal_negotiation_t host = {sizeof(host),      XHAL_ABI_MAJOR,   XHAL_ABI_MINOR,
                                     XHAL_ABI_REVISION, &host_services(), XHAL_TEST_SIM_DRIVER,
                                     "/manifest.json"};
    xhal_driver_interface_t interface = {};
    interface.struct_size = sizeof(interface);
    interface.functions_capacity = sizeof(functions);
    interface.functions = &functions;
    if (negotiate(&host, &interface) != XHAL_SUCCESS) std::abort();
    return interface;
  }();
  return kDriver;
}

inline const xhal_functions_t& call() { return *driver().functions; }

template <class T>
T sized() {
  T value = {};
  value.struct_size = sizeof(T);
  return value;
}

// One opened driver: an instance's share of the simulator.
class Machine {
 public:
  // "devices=4,memory=1m"
  explicit Machine(const std::string& options = "") {
    EXPECT_EQ(open(options, handle), XHAL_SUCCESS) << last_text;
  }
  ~Machine() { close(); }
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  static xhal_result_t open(const std::string& options, xhal_driver_t& out) {
    std::vector<std::pair<std::string, std::string>> texts;
    std::istringstream stream(options);
    for (std::string item; std::getline(stream, item, ',');) {
      const size_t equals = item.find('=');
      texts.emplace_back(item.substr(0, equals), item.substr(equals + 1));
    }
    std::vector<xhal_key_value_t> pairs;
    for (const auto& [key, text] : texts) pairs.push_back({key.c_str(), text.c_str()});
    const xhal_driver_open_t params = {sizeof(params), static_cast<uint32_t>(pairs.size()), pairs.data(),
                                       nullptr};
    return driver().open(&params, &out);
  }
  void close() {
    if (handle == nullptr) return;
    EXPECT_EQ(driver().close(std::exchange(handle, nullptr)), XHAL_SUCCESS);
  }
  [[nodiscard]] xhal_device_t device(uint32_t index = 0) const {
    std::vector<xhal_device_t> devices(64);
    uint32_t count = 0;
    EXPECT_EQ(call().driver_get_devices(handle, 64, devices.data(), &count), XHAL_SUCCESS);
    return index < count ? devices[index] : nullptr;
  }

  xhal_driver_t handle = nullptr;
};

inline void* allocate(xhal_device_t device, uint64_t size, uint32_t kind = XHAL_MEMORY_DEVICE,
                      uint64_t alignment = 0) {
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = kind;
  desc.size = size;
  desc.alignment = alignment;
  void* pointer = nullptr;
  EXPECT_EQ(call().memory_allocate(device, &desc, &pointer), XHAL_SUCCESS) << last_text;
  return pointer;
}

inline xhal_stream_t make_stream(xhal_device_t device) {
  xhal_stream_t stream = nullptr;
  EXPECT_EQ(call().stream_create(device, nullptr, &stream), XHAL_SUCCESS) << last_text;
  return stream;
}

inline xhal_event_t make_event(xhal_device_t device, uint32_t flags = 0) {
  auto desc = sized<xhal_event_desc_t>();
  desc.flags = flags;
  xhal_event_t event = nullptr;
  EXPECT_EQ(call().event_create(device, &desc, &event), XHAL_SUCCESS) << last_text;
  return event;
}

inline std::vector<char> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline xhal_result_t load(xhal_device_t device, const std::vector<char>& bytes, const char* target,
                          xhal_module_t& out) {
  auto desc = sized<xhal_module_desc_t>();
  desc.format = "native";
  desc.target = target;
  desc.image = bytes.data();
  desc.image_size = bytes.size();
  return call().module_load(device, &desc, &out);
}

inline xhal_module_t load_test_image(xhal_device_t device) {
  xhal_module_t module = nullptr;
  EXPECT_EQ(load(device, read_file(XHAL_TEST_IMAGE), "x86-64-v2", module), XHAL_SUCCESS) << last_text;
  return module;
}

inline xhal_kernel_t get_kernel(xhal_module_t module, const char* name) {
  xhal_kernel_t kernel = nullptr;
  EXPECT_EQ(call().module_get_kernel(module, name, &kernel), XHAL_SUCCESS) << last_text;
  return kernel;
}

template <class T>
xhal_argument_t value(const T& data) {
  return {XHAL_ARGUMENT_VALUE, 0, sizeof(T), &data};
}
inline xhal_argument_t memory(const void* pointer, uint32_t access = XHAL_ACCESS_READ_WRITE,
                              uint64_t size = 0) {
  return {XHAL_ARGUMENT_MEMORY, access, size, pointer};
}
inline xhal_argument_t local(uint64_t size) { return {XHAL_ARGUMENT_LOCAL, 0, size, nullptr}; }

inline xhal_launch_t launch_of(const std::vector<xhal_argument_t>& arguments, uint32_t groups = 1,
                               uint32_t items = 1) {
  auto launch = sized<xhal_launch_t>();
  launch.group_count[0] = groups;
  launch.group_count[1] = launch.group_count[2] = 1;
  launch.group_size[0] = items;
  launch.group_size[1] = launch.group_size[2] = 1;
  launch.argument_count = static_cast<uint32_t>(arguments.size());
  launch.arguments = arguments.data();
  return launch;
}

inline xhal_result_t run(xhal_stream_t stream, xhal_kernel_t kernel,
                         const std::vector<xhal_argument_t>& arguments, uint32_t groups = 1,
                         uint32_t items = 1, uint64_t correlation = 0) {
  xhal_launch_t launch = launch_of(arguments, groups, items);
  launch.correlation_id = correlation;
  return call().kernel_launch(stream, kernel, &launch);
}

// Holds a stream shut with a host function until opened; always opened in the end.
class Gate {
 public:
  explicit Gate(xhal_stream_t stream) {
    EXPECT_EQ(call().stream_host_function(stream, &Gate::wait, this), XHAL_SUCCESS) << last_text;
  }
  ~Gate() { open(); }
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;
  void open() {
    opened_.store(true);
    opened_.notify_all();
    left_.wait(false);
  }
  void wait_until_entered() { entered_.wait(false); }

 private:
  static void wait(void* user, xhal_result_t) {
    auto& gate = *static_cast<Gate*>(user);
    gate.entered_.store(true);
    gate.entered_.notify_all();
    gate.opened_.wait(false);
    gate.left_.store(true);
    gate.left_.notify_all();
  }
  std::atomic<bool> entered_{false};
  std::atomic<bool> opened_{false};
  std::atomic<bool> left_{false};
};

inline void expect_synchronized(xhal_stream_t stream) {
  EXPECT_EQ(call().stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << last_text;
}

template <class T>
std::vector<T> read_back(xhal_stream_t stream, const void* source, size_t count) {
  std::vector<T> values(count);
  EXPECT_EQ(call().memory_copy(stream, values.data(), source, count * sizeof(T)), XHAL_SUCCESS) << last_text;
  expect_synchronized(stream);
  return values;
}

}  // namespace xhal::sim_test
