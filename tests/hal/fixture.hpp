// SPDX-License-Identifier: Apache-2.0
// Instances on the fake drivers, in a process without XHAL_ variables of anybody else.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "clause.hpp"
#include "drivers/fake_driver.h"
#include "layers/fake_layer.h"
#include "xhal/xhal.h"

namespace xhal::test {

inline std::string root(const std::string& name) { return std::string(HAL_TEST_ROOTS) + "/" + name; }
inline std::string drivers_of(const std::string& name) { return root(name) + "/share/xhal/drivers.d"; }
inline std::string layers_of(const std::string& name) { return root(name) + "/share/xhal/layers.d"; }

inline xhal_error_t last_error() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  EXPECT_EQ(xhal_error_get_last(&error), XHAL_SUCCESS);
  return error;
}

inline std::string last_text() { return last_error().text; }

struct LogLine {
  uint32_t level;
  std::string source;
  std::string text;
};

struct Candidate {
  uint32_t decision;
  xhal_result_t result;
  bool is_layer;
  std::string origin, place, library, name, reason;
};

// A description that tests fill in, with what its callbacks were told.
class Description {
 public:
  explicit Description(const char* drivers = "fake", const char* layers = nullptr) {
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.drivers = drivers;
    desc.layers = layers;
    desc.log = [](void* user, uint32_t level, const char* source, const char* text) {
      static_cast<Description*>(user)->lines.push_back({level, source, text});
    };
    desc.log_user = this;
    desc.on_candidate = [](void* user, const xhal_candidate_t* told) {
      static_cast<Description*>(user)->candidates.push_back(
          {told->decision, told->result, told->is_layer != 0, told->origin, told->manifest_path,
           told->library_path, told->name, told->reason});
    };
    desc.candidate_user = this;
  }
  Description(const Description&) = delete;
  Description& operator=(const Description&) = delete;

  Description& option(const char* owner, const char* key, const char* value) {
    options_.push_back({owner, key, value});
    desc.options = options_.data();
    desc.option_count = static_cast<uint32_t>(options_.size());
    return *this;
  }
  Description& path(const char* path) {
    paths_.push_back(path);
    desc.driver_paths = paths_.data();
    desc.driver_path_count = static_cast<uint32_t>(paths_.size());
    return *this;
  }
  const Candidate* candidate(const std::string& name) const {
    for (const Candidate& each : candidates) {
      if (each.name == name) return &each;
    }
    return nullptr;
  }

  xhal_instance_desc_t desc{};
  std::vector<LogLine> lines;
  std::vector<Candidate> candidates;

 private:
  std::vector<xhal_option_t> options_;
  std::vector<const char*> paths_;
};

class HalTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::vector<std::string> names;
    for (char** variable = environ; *variable != nullptr; ++variable) {
      const std::string text = *variable;
      if (text.rfind("XHAL_", 0) == 0) names.push_back(text.substr(0, text.find('=')));
    }
    for (const std::string& name : names) unsetenv(name.c_str());
    setenv("XDG_DATA_HOME", "/nonexistent", 1);
    setenv("XHAL_DRIVER_PATH", drivers_of("good").c_str(), 1);
    setenv("XHAL_LAYER_PATH", layers_of("good").c_str(), 1);
    // The build tree is an installation with drivers of its own.
    setenv("XHAL_DRIVERS", "-sim,-opencl", 1);
  }

  void TearDown() override {
    for (const xhal_instance_t instance : instances_) {
      if (instance != nullptr) xhal_instance_destroy(instance);
    }
  }

  // Destroyed at the end of the test, when it was not before.
  xhal_instance_t create(const Description& description) {
    xhal_instance_t instance = nullptr;
    EXPECT_EQ(xhal_instance_create(&description.desc, &instance), XHAL_SUCCESS) << last_text();
    instances_.push_back(instance);
    return instance;
  }
  xhal_instance_t create(const char* drivers = "fake", const char* layers = nullptr) {
    return create(Description(drivers, layers));
  }

  // Runs `body` in a child that is ended when it hangs; its failures are printed there and are this test's.
  static void in_child(const std::function<void()>& body) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(30);
      body();
      _exit(HasFailure() ? 1 : 0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "the child ended with status " << status;
  }
  static std::vector<xhal_device_t> devices(xhal_instance_t instance) {
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_devices(instance, 0, nullptr, &count), XHAL_SUCCESS) << last_text();
    std::vector<xhal_device_t> all(count);
    if (count != 0) {
      EXPECT_EQ(xhal_instance_get_devices(instance, count, all.data(), &count), XHAL_SUCCESS);
    }
    return all;
  }
  static xhal_device_t device(xhal_instance_t instance, size_t index = 0) {
    const auto all = devices(instance);
    return index < all.size() ? all[index] : nullptr;
  }
  static std::vector<xhal_driver_t> drivers(xhal_instance_t instance) {
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(instance, 0, nullptr, &count), XHAL_SUCCESS) << last_text();
    std::vector<xhal_driver_t> all(count);
    if (count != 0) {
      EXPECT_EQ(xhal_instance_get_drivers(instance, count, all.data(), &count), XHAL_SUCCESS);
    }
    return all;
  }
  static fake_state_t* state(xhal_instance_t instance, size_t driver = 0) {
    const void* table = nullptr;
    EXPECT_EQ(xhal_driver_get_extension(drivers(instance).at(driver), "fake.state", 1, &table), XHAL_SUCCESS);
    return const_cast<fake_state_t*>(static_cast<const fake_state_t*>(table));
  }
  static fake_layer_state_t* layer_state(xhal_instance_t instance, const std::string& name,
                                         size_t driver = 0) {
    const void* table = nullptr;
    const std::string extension = "layer." + name;
    EXPECT_EQ(xhal_driver_get_extension(drivers(instance).at(driver), extension.c_str(), 1, &table),
              XHAL_SUCCESS);
    return const_cast<fake_layer_state_t*>(static_cast<const fake_layer_state_t*>(table));
  }
  static xhal_stream_t stream(xhal_device_t device) {
    xhal_stream_t made = nullptr;
    EXPECT_EQ(xhal_stream_create(device, nullptr, &made), XHAL_SUCCESS) << last_text();
    return made;
  }
  static xhal_event_t event(xhal_device_t device) {
    xhal_event_t made = nullptr;
    EXPECT_EQ(xhal_event_create(device, nullptr, &made), XHAL_SUCCESS) << last_text();
    return made;
  }

 private:
  std::vector<xhal_instance_t> instances_;
};

}  // namespace xhal::test
