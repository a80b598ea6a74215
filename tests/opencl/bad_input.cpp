// SPDX-License-Identifier: Apache-2.0
// What a program is told that gives OpenCL what it cannot take, on the first device of the OpenCL driver. Run by CMakeLists.txt, which
// chooses the platform: NoContext on one that makes no context, BadInput on one that works.
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "xhal/xhal.h"

namespace {

std::string last_text() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error.text;
}

bool has(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class OpenCl : public testing::Test {
 protected:
  void SetUp() override {
    const char* const drivers[] = {XHAL_TEST_DRIVER, XHAL_TEST_OTHER_DRIVER};
    xhal_instance_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.drivers = "";
    desc.layers = "";
    desc.driver_paths = drivers;
    desc.driver_path_count = 2;
    ASSERT_EQ(xhal_instance_create(&desc, &instance), XHAL_SUCCESS) << last_text();
    uint32_t count = 0;
    devices.resize(64);
    ASSERT_EQ(xhal_instance_get_devices(instance, 64, devices.data(), &count), XHAL_SUCCESS) << last_text();
    ASSERT_GT(count, 1u);
    devices.resize(count);
  }
  void TearDown() override {
    if (instance != nullptr) {
      EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    }
  }

  xhal_result_t load(const char* format, const char* target, std::string_view image, xhal_module_t& out) {
    xhal_module_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.format = format;
    desc.target = target;
    desc.image = image.data();
    desc.image_size = image.size();
    return xhal_module_load(devices.front(), &desc, &out);
  }

  // The target that the device lists for the format.
  std::string target_of(std::string_view format) {
    uint32_t count = 0;
    std::vector<xhal_image_format_t> formats(64);
    for (auto& one : formats) one.struct_size = sizeof(one);
    EXPECT_EQ(xhal_device_get_image_formats(devices.front(), 64, sizeof(formats[0]), formats.data(), &count),
              XHAL_SUCCESS);
    for (uint32_t i = 0; i < count; ++i)
      if (formats[i].format == format) return formats[i].target;
    ADD_FAILURE() << "the device lists no format " << format;
    return "";
  }

  xhal_instance_t instance = nullptr;
  std::vector<xhal_device_t> devices;
};

class NoContext : public OpenCl {};
class BadInput : public OpenCl {};

TEST_F(NoContext, IsToldByTheCallThatNeedsItAndLeavesOtherDriversAlone) {
  xhal_stream_t stream = nullptr;
  for (int i = 0; i < 2;
       ++i) {  // nothing of a failure is left behind that the next one would take for a context
    EXPECT_EQ(xhal_stream_create(devices.front(), nullptr, &stream), XHAL_ERROR_DRIVER_FAILED);
    EXPECT_TRUE(has(last_text(), "clCreateContext of 'fake platform': CL_OUT_OF_RESOURCES")) << last_text();
    uint32_t active = 1;
    EXPECT_EQ(xhal_device_is_active(devices.front(), &active), XHAL_SUCCESS);
    EXPECT_EQ(active, 0u);
  }
  ASSERT_EQ(xhal_stream_create(devices.back(), nullptr, &stream), XHAL_SUCCESS) << last_text();
  EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << last_text();
  EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
}

TEST_F(BadInput, TextThatDoesNotBuildIsAnsweredWithTheBuildLog) {
  xhal_module_t module = nullptr;
  EXPECT_EQ(load("opencl-c", nullptr, "__kernel void broken(__global int* p) { *p = no_such_name; }", module),
            XHAL_ERROR_INVALID_IMAGE);
  EXPECT_TRUE(has(last_text(), "does not build")) << last_text();
  EXPECT_TRUE(has(last_text(), "no_such_name")) << last_text();
}

TEST_F(BadInput, AFormatThatIsNotListedIsNamedWithThoseThatAre) {
  xhal_module_t module = nullptr;
  EXPECT_EQ(load("hsaco", "gfx90a", "image", module), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_TRUE(has(last_text(), "'hsaco gfx90a'")) << last_text();
  EXPECT_TRUE(has(last_text(), "opencl-c")) << last_text();
}

TEST_F(BadInput, ABinaryOfAnotherDeviceIsRefused) {
  xhal_module_t module = nullptr;
  EXPECT_EQ(load("opencl-binary", "another device", "image", module), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_TRUE(has(last_text(), "'opencl-binary another device'")) << last_text();
  // Told as this device's, it is the vendor's to refuse.
  const std::string target = target_of("opencl-binary");
  EXPECT_EQ(load("opencl-binary", target.c_str(), "image", module), XHAL_ERROR_INVALID_IMAGE);
  EXPECT_TRUE(has(last_text(), "OpenCL does not take the image")) << last_text();
}

TEST_F(BadInput, MoreLocalMemoryThanThereIsIsALimit) {
  xhal_module_t module = nullptr;
  ASSERT_EQ(
      load("opencl-c", nullptr, "__kernel void plain(__local int* p) { p[get_local_id(0)] = 1; }", module),
      XHAL_SUCCESS)
      << last_text();
  xhal_kernel_t kernel = nullptr;
  ASSERT_EQ(xhal_module_get_kernel(module, "plain", &kernel), XHAL_SUCCESS) << last_text();
  xhal_stream_t stream = nullptr;
  ASSERT_EQ(xhal_stream_create(devices.front(), nullptr, &stream), XHAL_SUCCESS) << last_text();
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  ASSERT_EQ(xhal_device_get_properties(devices.front(), &properties), XHAL_SUCCESS);
  const xhal_argument_t argument = {XHAL_ARGUMENT_LOCAL, 0, uint64_t{properties.max_local_bytes} + 1,
                                    nullptr};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  for (int i = 0; i < 3; ++i) launch.group_count[i] = launch.group_size[i] = 1;
  launch.argument_count = 1;
  launch.arguments = &argument;
  EXPECT_EQ(xhal_kernel_launch(stream, kernel, &launch), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_TRUE(has(last_text(), "kernel 'plain'")) << last_text();
  EXPECT_TRUE(has(last_text(), std::to_string(properties.max_local_bytes) + " bytes of local memory"))
      << last_text();
  EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_EQ(xhal_module_destroy(module), XHAL_SUCCESS);
}

}  // namespace
