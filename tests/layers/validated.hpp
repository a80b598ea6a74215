// SPDX-License-Identifier: Apache-2.0
// An instance under the layer `validate`, what it found, and objects that go away again.
#pragma once

#include <functional>
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
  xhal_event_t event(int device = 0) {
    xhal_event_t event = instance_.event(device);
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
  xhal_kernel_t kernel(int device = 0) {
    xhal_module_t module = instance_.module(device);
    undo_.emplace_back([module] { EXPECT_EQ(xhal_module_destroy(module), XHAL_SUCCESS); });
    return Instance::kernel(module);
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
