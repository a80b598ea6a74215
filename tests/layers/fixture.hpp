// SPDX-License-Identifier: Apache-2.0
// An instance on the driver `traced` under the layer `trace`, with a folder of its own for files.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "traced_driver/control.hpp"
#include "xhal/driver.h"
#include "xhal/xhal.h"

namespace xhal::trace_test {

inline constexpr const char* kManifest = XHAL_TEST_TRACED_MANIFEST;

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "xhal-trace-test-XXXXXX").string();
    path_ = mkdtemp(name.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

 private:
  std::string path_;
};

struct Options {
  std::vector<std::pair<std::string, std::string>> trace = {};  // of the layer
  const char* layers = "trace";
  bool ignore_environment = true;
};

class Instance {
 public:
  // `logged` gets a line for each message of the layer.
  explicit Instance(const Options& options, std::vector<std::string>* logged = nullptr) {
    std::vector<xhal_option_t> list;
    for (const auto& [key, value] : options.trace) list.push_back({"trace", key.c_str(), value.c_str()});
    xhal_instance_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    if (options.ignore_environment) desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.driver_path_count = 1;
    desc.driver_paths = &kManifest;
    desc.drivers = "";
    desc.layers = options.layers;
    desc.options = list.data();
    desc.option_count = static_cast<uint32_t>(list.size());
    desc.log = [](void* user, uint32_t level, const char* source, const char* text) {
      if (user != nullptr && level <= XHAL_LOG_WARNING && std::string(source) == "trace") {
        static_cast<std::vector<std::string>*>(user)->push_back(text);
      }
    };
    desc.log_user = logged;
    result = xhal_instance_create(&desc, &handle);
    if (result != XHAL_SUCCESS) return;
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(handle, 1, &driver, &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_instance_get_devices(handle, 2, devices, &count), XHAL_SUCCESS);
    EXPECT_EQ(count, 2U);
    const void* table = nullptr;
    EXPECT_EQ(xhal_driver_get_extension(driver, "traced_control", 1, &table), XHAL_SUCCESS);
    control = static_cast<const traced::Control*>(table);
    control->hold(false);
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
  xhal_stream_t stream(int device = 0) const {
    xhal_stream_t stream = nullptr;
    EXPECT_EQ(xhal_stream_create(devices[device], nullptr, &stream), XHAL_SUCCESS);
    return stream;
  }
  xhal_event_t event(int device = 0) const {
    xhal_event_t event = nullptr;
    EXPECT_EQ(xhal_event_create(devices[device], nullptr, &event), XHAL_SUCCESS);
    return event;
  }
  xhal_kernel_t kernel(const char* name) const {
    xhal_module_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    xhal_module_t module = nullptr;
    EXPECT_EQ(xhal_module_load(devices[0], &desc, &module), XHAL_SUCCESS);
    xhal_kernel_t kernel = nullptr;
    EXPECT_EQ(xhal_module_get_kernel(module, name, &kernel), XHAL_SUCCESS);
    return kernel;
  }

  xhal_result_t result = XHAL_SUCCESS;
  xhal_instance_t handle = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_device_t devices[2] = {};
  const traced::Control* control = nullptr;
};

inline xhal_result_t fill(xhal_stream_t stream, uint64_t size = 64) {
  return xhal_memory_fill(stream, nullptr, 0, 4, size);
}

inline std::string last_error_text() {
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error.text;
}

// Runs `body` in a child, which ends as body says; gives back the wait status.
template <class Body>
int in_child(const Body& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);
    body();
    _exit(0);
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

}  // namespace xhal::trace_test
