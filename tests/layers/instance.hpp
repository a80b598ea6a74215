// SPDX-License-Identifier: Apache-2.0
// An instance of one driver of these tests under the layers that a test wants, what was logged in it, and a folder for files.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

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

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct LayerOption {
  const char* layer;
  std::string key;
  std::string value;
};

struct Setting {
  const char* manifest;  // of the driver
  const char* layers;    // null: what the environment says
  std::vector<LayerOption> options;
  bool ignore_environment = true;
};

class LayeredInstance {
 public:
  LayeredInstance(const LayeredInstance&) = delete;
  LayeredInstance& operator=(const LayeredInstance&) = delete;
  void destroy() {
    if (handle != nullptr) {
      EXPECT_EQ(xhal_instance_destroy(handle), XHAL_SUCCESS);
    }
    handle = nullptr;
  }

  // What was logged with this at its beginning: "0 validate: " are the errors of the layer, "1 trace: " warnings.
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

  xhal_result_t result = XHAL_SUCCESS;
  xhal_instance_t handle = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_device_t devices[2] = {};

 protected:
  explicit LayeredInstance(const Setting& setting) {
    std::vector<xhal_option_t> list;
    for (const LayerOption& option : setting.options)
      list.push_back({option.layer, option.key.c_str(), option.value.c_str()});
    xhal_instance_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    if (setting.ignore_environment) desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.driver_path_count = 1;
    desc.driver_paths = &setting.manifest;
    desc.drivers = "";
    desc.layers = setting.layers;
    desc.options = list.data();
    desc.option_count = static_cast<uint32_t>(list.size());
    desc.log = [](void* user, uint32_t level, const char* source, const char* text) {
      auto* self = static_cast<LayeredInstance*>(user);
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
  }
  ~LayeredInstance() { destroy(); }

  // By which a test tells the driver what to do. Asked twice: in a sweep of the layer `fault` the first attempt fails.
  template <class Control>
  const Control* extension(const char* name) const {
    const void* table = nullptr;
    if (result != XHAL_SUCCESS) return nullptr;
    if (xhal_driver_get_extension(driver, name, 1, &table) != XHAL_SUCCESS) {
      EXPECT_EQ(xhal_driver_get_extension(driver, name, 1, &table), XHAL_SUCCESS);
    }
    return static_cast<const Control*>(table);
  }

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
inline std::string last_error_text() { return last_error().text; }

// Runs `body` in a child, which ends at once behind it, as by a crash, unless the body ends it otherwise; gives back the wait status.
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

}  // namespace xhal::layers_test
