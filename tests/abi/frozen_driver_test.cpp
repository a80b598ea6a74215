// SPDX-License-Identifier: Apache-2.0
// This host with drivers that were built from frozen headers.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <string>

#include "../clause.hpp"
#include "xhal/driver.h"
#include "xhal/xhal.h"

namespace xhal {
namespace {

xhal_error_t last_error() {
  xhal_error_t error = {};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error;
}

class WithDriver {
 public:
  explicit WithDriver(const char* path) {
    xhal_instance_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.driver_path_count = 1;
    desc.driver_paths = &path;
    desc.drivers = "";
    desc.layers = "";
    result = xhal_instance_create(&desc, &instance);
    if (result < 0) return;
    uint32_t count = 0;
    EXPECT_EQ(xhal_instance_get_drivers(instance, 1, &driver, &count), XHAL_SUCCESS);
    EXPECT_EQ(xhal_instance_get_devices(instance, 1, &device, &count), XHAL_SUCCESS);
    EXPECT_EQ(count, 1U);
  }
  WithDriver(const WithDriver&) = delete;
  WithDriver& operator=(const WithDriver&) = delete;
  ~WithDriver() {
    if (instance == nullptr) return;
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  }
  xhal_result_t result = XHAL_SUCCESS;
  xhal_instance_t instance = nullptr;
  xhal_driver_t driver = nullptr;
  xhal_device_t device = nullptr;
};

// Keeps the tests below from passing for the wrong reason.
TEST(FrozenDriver, HasAShorterTableThanThisHost) {
  void* library = dlopen(XHAL_TEST_FROZEN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto negotiate =
      reinterpret_cast<xhal_driver_negotiate_fn>(dlsym(library, XHAL_DRIVER_NEGOTIATE_SYMBOL));
  ASSERT_NE(negotiate, nullptr);
  xhal_host_services_t services = {};
  services.struct_size = sizeof(services);
  xhal_negotiation_t host = {};
  host.struct_size = sizeof(host);
  host.abi_major = XHAL_ABI_MAJOR;
  host.abi_minor = XHAL_ABI_MINOR;
  host.services = &services;
  xhal_functions_t functions = {};
  xhal_driver_interface_t interface = {};
  interface.struct_size = sizeof(interface);
  interface.functions_capacity = sizeof(functions);
  interface.functions = &functions;
  ASSERT_EQ(negotiate(&host, &interface), XHAL_SUCCESS);
  EXPECT_EQ(functions.struct_size, uint32_t{XHAL_TEST_FROZEN_TABLE_BYTES});
  EXPECT_LT(functions.struct_size, sizeof(functions));
  EXPECT_EQ(functions.device_read_metrics, nullptr);
  dlclose(library);
}

TEST(FrozenDriver, Works) {
  XHAL_CLAUSE("XHAL-ABI-18");
  for (const char* path : {XHAL_TEST_FROZEN_MANIFEST, XHAL_TEST_FROZEN_LIBRARY}) {
    const WithDriver with(path);
    ASSERT_EQ(with.result, XHAL_SUCCESS) << last_error().text;
    xhal_device_properties_t properties = {};
    properties.struct_size = sizeof(properties);
    ASSERT_EQ(xhal_device_get_properties(with.device, &properties), XHAL_SUCCESS);
    EXPECT_STREQ(properties.name, "malloc");
    xhal_stream_t stream = nullptr;
    ASSERT_EQ(xhal_device_get_default_stream(with.device, &stream), XHAL_SUCCESS);
    xhal_device_t device = nullptr;
    ASSERT_EQ(xhal_stream_get_device(stream, &device), XHAL_SUCCESS);
    EXPECT_EQ(device, with.device);

    xhal_memory_desc_t desc = {};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = 1000;
    void* memory = nullptr;
    ASSERT_EQ(xhal_memory_allocate(with.device, &desc, &memory), XHAL_SUCCESS);
    std::array<unsigned char, 1000> sent, received = {};
    for (size_t i = 0; i < sent.size(); ++i) sent[i] = static_cast<unsigned char>(i * 11 + 5);
    EXPECT_EQ(xhal_memory_copy(stream, memory, sent.data(), sent.size()), XHAL_SUCCESS);
    EXPECT_EQ(xhal_memory_copy(stream, received.data(), memory, received.size()), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    EXPECT_EQ(sent, received);
    EXPECT_EQ(xhal_memory_free(with.device, memory), XHAL_SUCCESS);
    desc.size = 0;
    EXPECT_EQ(xhal_memory_allocate(with.device, &desc, &memory), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_STREQ(last_error().text, "no size, or an argument is null");
    EXPECT_STREQ(last_error().driver, "frozen");
    EXPECT_STREQ(last_error().entry, "xhal_memory_allocate");
  }
}

TEST(FrozenDriver, CallsThatItDoesNotKnowAreUnsupported) {
  XHAL_CLAUSE("XHAL-ABI-18");
  const WithDriver with(XHAL_TEST_FROZEN_MANIFEST);
  ASSERT_EQ(with.result, XHAL_SUCCESS) << last_error().text;
  xhal_stream_t stream = nullptr;
  ASSERT_EQ(xhal_device_get_default_stream(with.device, &stream), XHAL_SUCCESS);
  // Behind the end of its table, by each handle that it has.
  xhal_metric_t metric = {};
  EXPECT_EQ(xhal_device_read_metrics(with.device, 1, sizeof(metric), &metric), XHAL_ERROR_UNSUPPORTED);
  EXPECT_STREQ(last_error().entry, "xhal_device_read_metrics");
  EXPECT_STRNE(last_error().text, "");
  xhal_clocks_t clocks = {};
  clocks.struct_size = sizeof(clocks);
  EXPECT_EQ(xhal_device_get_clocks(with.device, &clocks), XHAL_ERROR_UNSUPPORTED);
  xhal_subscription_t subscription = nullptr;
  xhal_activity_desc_t desc = {};
  EXPECT_EQ(xhal_activity_subscribe(with.device, &desc, &subscription), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(subscription, nullptr);
  uint64_t former = 7;
  EXPECT_EQ(xhal_driver_exchange_correlation(with.driver, 1, &former), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(former, 7U);
  xhal_semaphore_t semaphore = nullptr;
  xhal_external_semaphore_desc_t external = {};
  EXPECT_EQ(xhal_semaphore_import(with.device, &external, &semaphore), XHAL_ERROR_UNSUPPORTED);
  // In the middle of it: a slot left null.
  EXPECT_EQ(xhal_memory_fill(stream, nullptr, 0, 4, 0), XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(xhal_device_reset(with.device), XHAL_ERROR_UNSUPPORTED);
  // And what it has still works.
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST(FrozenDriver, HandlesOfItAreDeadAfterItsInstance) {
  xhal_device_t device = nullptr;
  {
    const WithDriver with(XHAL_TEST_FROZEN_MANIFEST);
    ASSERT_EQ(with.result, XHAL_SUCCESS);
    device = with.device;
  }
  EXPECT_EQ(xhal_device_synchronize(device, 0), XHAL_ERROR_INVALID_HANDLE);
  xhal_clocks_t clocks = {};
  EXPECT_EQ(xhal_device_get_clocks(device, &clocks), XHAL_ERROR_INVALID_HANDLE)
      << "also calls that it never knew";
}

TEST(FrozenDriver, OfAnotherMinorIsRefusedByName) {
  XHAL_CLAUSE("XHAL-ABI-17");
  struct Case {
    const char* path;
    const char* name;
    const char* version;
  };
  // A manifest that says so, one that lies, and the library itself.
  for (const Case& c : {Case{XHAL_TEST_NEXT_MANIFEST, "frozen_next", XHAL_TEST_NEXT_VERSION},
                        Case{XHAL_TEST_NEXT_LYING_MANIFEST, "frozen_next", XHAL_TEST_NEXT_VERSION},
                        Case{XHAL_TEST_NEXT_LIBRARY, "frozen_next", XHAL_TEST_NEXT_VERSION}}) {
    const WithDriver with(c.path);
    EXPECT_EQ(with.result, XHAL_ERROR_VERSION_MISMATCH) << c.path;
    const std::string text = last_error().text;
    EXPECT_NE(text.find(c.name), std::string::npos) << text;
    EXPECT_NE(text.find(c.version), std::string::npos) << text;
    EXPECT_NE(text.find(std::to_string(XHAL_ABI_MAJOR) + "." + std::to_string(XHAL_ABI_MINOR)),
              std::string::npos)
        << text;
  }
}

}  // namespace
}  // namespace xhal
