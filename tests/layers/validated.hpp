// SPDX-License-Identifier: Apache-2.0
// An instance under the layer `validate`, what it found, and objects that go away again.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "clay.hpp"

namespace xhal::layers_test {

// An instance under the layer, and what it found.
class Validated {
 public:
  explicit Validated(std::vector<LayerOption> options = {}, const char* layers = "validate") {
    options.push_back({"validate", "file", folder_ / "findings"});
    instance_.emplace(layers, options);
    EXPECT_EQ(instance_->result, XHAL_SUCCESS) << last_error().text;
  }
  Instance* operator->() { return &*instance_; }
  Instance& operator*() { return *instance_; }

  std::vector<nlohmann::json> findings() const {
    std::vector<nlohmann::json> out;
    std::istringstream lines(read_text(folder_ / "findings"));
    for (std::string line; std::getline(lines, line);) out.push_back(nlohmann::json::parse(line));
    return out;
  }
  std::string kinds() const {
    std::string text;
    for (const auto& finding : findings())
      text += (text.empty() ? "" : " ") + finding.at("kind").get<std::string>();
    return text;
  }

 private:
  Folder folder_;
  std::optional<Instance> instance_;
};

// Frees and destroys what is given to it, so that a case leaves nothing behind.
class Cleanup {
 public:
  explicit Cleanup(Instance& instance) : instance_(instance) {}
  Cleanup(const Cleanup&) = delete;
  Cleanup& operator=(const Cleanup&) = delete;
  ~Cleanup() {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
  }
  xhal_stream_t stream(int device = 0) {
    xhal_stream_t stream = instance_.stream(device);
    undo_.emplace_back([stream] { EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS); });
    return stream;
  }
  xhal_event_t event(int device = 0, uint32_t flags = 0) {
    xhal_event_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.flags = flags;
    xhal_event_t event = nullptr;
    EXPECT_EQ(xhal_event_create(instance_.devices[device], &desc, &event), XHAL_SUCCESS);
    undo_.emplace_back([event] { EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS); });
    return event;
  }
  char* memory(uint64_t size, int device = 0, uint32_t kind = XHAL_MEMORY_DEVICE) {
    char* memory = instance_.memory(size, device, kind);
    undo_.emplace_back([this, memory, device] {
      EXPECT_EQ(xhal_memory_free(instance_.devices[device], memory), XHAL_SUCCESS);
    });
    return memory;
  }
  xhal_kernel_t kernel(int device = 0, const char* name = "clay") {
    xhal_module_t module = instance_.module(device);
    undo_.emplace_back([module] { EXPECT_EQ(xhal_module_destroy(module), XHAL_SUCCESS); });
    return Instance::kernel(module, name);
  }
  xhal_physical_t physical(uint64_t size) {
    xhal_physical_t physical = nullptr;
    EXPECT_EQ(xhal_physical_create(instance_.devices[0], size, 0, &physical), XHAL_SUCCESS);
    undo_.emplace_back([physical] { EXPECT_EQ(xhal_physical_destroy(physical), XHAL_SUCCESS); });
    return physical;
  }
  // A reserved range of device 0; mappings in it are undone by the test.
  char* range(uint64_t size) {
    void* range = nullptr;
    EXPECT_EQ(xhal_vmm_reserve(instance_.devices[0], size, 0, nullptr, &range), XHAL_SUCCESS);
    undo_.emplace_back([this, range, size] {
      EXPECT_EQ(xhal_vmm_release(instance_.devices[0], range, size), XHAL_SUCCESS);
    });
    return static_cast<char*>(range);
  }
  // Physical memory at the beginning of the range, to which device 0 has that access.
  void map(char* range, uint64_t size, uint32_t access = XHAL_ACCESS_READ_WRITE) {
    xhal_device_t device = instance_.devices[0];
    EXPECT_EQ(xhal_vmm_map(device, range, size, physical(size), 0), XHAL_SUCCESS);
    undo_.emplace_back(
        [device, range, size] { EXPECT_EQ(xhal_vmm_unmap(device, range, size), XHAL_SUCCESS); });
    EXPECT_EQ(xhal_vmm_set_access(device, range, size, device, access), XHAL_SUCCESS);
  }
  xhal_pool_t pool(int device = 0) {
    xhal_pool_t pool = instance_.pool(device);
    undo_.emplace_back([pool] { EXPECT_EQ(xhal_pool_destroy(pool), XHAL_SUCCESS); });
    return pool;
  }

 private:
  Instance& instance_;
  std::vector<std::function<void()>> undo_;
};

// Two arguments, as clay's kernels have: memory and a value.
struct Launch {
  xhal_argument_t arguments[2] = {};
  xhal_launch_t launch = {};
  uint64_t value = 7;
  explicit Launch(void* memory, uint64_t size = 64) {
    arguments[0] = {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, size, memory};
    arguments[1] = {XHAL_ARGUMENT_VALUE, 0, sizeof(value), &value};
    launch.struct_size = sizeof(launch);
    for (uint32_t& count : launch.group_count) count = 1;
    for (uint32_t& size_of_group : launch.group_size) size_of_group = 1;
    launch.argument_count = 2;
    launch.arguments = arguments;
  }
  Launch(const Launch&) = delete;
  Launch& operator=(const Launch&) = delete;
};

}  // namespace xhal::layers_test
