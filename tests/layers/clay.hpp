// SPDX-License-Identifier: Apache-2.0
// An instance on the driver `clay` under the layers that a test wants, with what they log.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "clay_driver/control.hpp"
#include "xhal/driver.h"
#include "xhal/xhal.h"

namespace xhal::layers_test {

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "xhal-layers-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

inline std::string read_text(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct LayerOption {
  const char* layer;
  std::string key;
  std::string value;
};

class Instance {
 public:
  Instance(const char* layers, const std::vector<LayerOption>& options) {
    static const char* const manifest = XHAL_TEST_CLAY_MANIFEST;
    std::vector<xhal_option_t> list;
    for (const LayerOption& option : options)
      list.push_back({option.layer, option.key.c_str(), option.value.c_str()});
    xhal_instance_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.driver_path_count = 1;
    desc.driver_paths = &manifest;
    desc.drivers = "";
    desc.layers = layers;
    desc.options = list.data();
    desc.option_count = static_cast<uint32_t>(list.size());
    desc.log = [](void* user, uint32_t level, const char* source, const char* text) {
      auto* self = static_cast<Instance*>(user);
      const std::lock_guard guard(self->lock_);
      self->lines_.push_back(std::to_string(level) + " " + source + ": " + text);
    };
    desc.log_user = this;
    result = xhal_instance_create(&desc, &handle);
    if (result != XHAL_SUCCESS) return;
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(handle, 1, &driver, &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_instance_get_devices(handle, 2, devices, &count), XHAL_SUCCESS);
    EXPECT_EQ(count, 2U);
    const void* table = nullptr;
    // In a sweep the first attempt fails.
    if (xhal_driver_get_extension(driver, "clay_control", 1, &table) != XHAL_SUCCESS) {
      EXPECT_EQ(xhal_driver_get_extension(driver, "clay_control", 1, &table), XHAL_SUCCESS);
    }
    control = static_cast<const clay::Control*>(table);
  }
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;
  ~Instance() { destroy(); }
  void destroy() {
    if (handle != nullptr) {
      EXPECT_EQ(xhal_instance_destroy(handle), XHAL_SUCCESS);
    }
    handle = nullptr;
  }

  // What was logged with this at its beginning: "0 validate:" are its errors.
  std::vector<std::string> logged(const std::string& beginning) {
    const std::lock_guard guard(lock_);
    std::vector<std::string> out;
    std::copy_if(lines_.begin(), lines_.end(), std::back_inserter(out),
                 [&](const std::string& line) { return line.starts_with(beginning); });
    return out;
  }

  xhal_stream_t stream(int device = 0) const {
    xhal_stream_t out = nullptr;
    EXPECT_EQ(xhal_stream_create(devices[device], nullptr, &out), XHAL_SUCCESS);
    return out;
  }
  xhal_event_t event(int device = 0) const {
    xhal_event_t out = nullptr;
    EXPECT_EQ(xhal_event_create(devices[device], nullptr, &out), XHAL_SUCCESS);
    return out;
  }
  static xhal_memory_desc_t memory_desc(uint64_t size, uint32_t kind = XHAL_MEMORY_DEVICE) {
    xhal_memory_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kind = kind;
    desc.size = size;
    return desc;
  }
  char* memory(uint64_t size, int device = 0, uint32_t kind = XHAL_MEMORY_DEVICE) const {
    const xhal_memory_desc_t desc = memory_desc(size, kind);
    void* out = nullptr;
    EXPECT_EQ(xhal_memory_allocate(devices[device], &desc, &out), XHAL_SUCCESS);
    return static_cast<char*>(out);
  }
  xhal_module_t module(int device = 0) const {
    xhal_module_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.format = "clay";
    desc.image = "clay";
    xhal_module_t out = nullptr;
    EXPECT_EQ(xhal_module_load(devices[device], &desc, &out), XHAL_SUCCESS);
    return out;
  }
  static xhal_kernel_t kernel(xhal_module_t module) {
    xhal_kernel_t out = nullptr;
    EXPECT_EQ(xhal_module_get_kernel(module, "clay", &out), XHAL_SUCCESS);
    return out;
  }
  xhal_pool_t pool(int device = 0) const {
    xhal_pool_t out = nullptr;
    EXPECT_EQ(xhal_pool_create(devices[device], nullptr, &out), XHAL_SUCCESS);
    return out;
  }

  xhal_result_t result = XHAL_SUCCESS;
  xhal_instance_t handle = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_device_t devices[2] = {};
  const clay::Control* control = nullptr;

 private:
  std::mutex lock_;
  std::vector<std::string> lines_;
};

inline xhal_error_t last_error() {
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error;
}

// Runs `body` in a child, which ends as body says; gives back the wait status.
template <class Body>
int in_child(const Body& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    body();
    std::exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

}  // namespace xhal::layers_test
