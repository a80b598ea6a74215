// SPDX-License-Identifier: Apache-2.0
// Count, fork, the child runs a kernel: over a driver whose vendor's runtime starts a thread when it counts devices.
#include <array>
#include <filesystem>
#include <iterator>

#include "fixture.hpp"

namespace xhal::test {
namespace {

size_t threads_of_this_process() {
  namespace fs = std::filesystem;
  return static_cast<size_t>(
      std::distance(fs::directory_iterator("/proc/self/task"), fs::directory_iterator()));
}

class HelperForkTest : public HalTest {
 protected:
  void SetUp() override {
    HalTest::SetUp();
    setenv("XHAL_DRIVER_PATH", drivers_of("counting").c_str(), 1);
  }
  xhal_instance_t create_counting(const char* how) {
    return create(Description("counting").option("counting", "count", how));
  }
  static xhal_result_t allocate(xhal_device_t device, void** out = nullptr) {
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_PINNED;
    desc.size = 16;
    void* memory = nullptr;
    return xhal_memory_allocate(device, &desc, out != nullptr ? out : &memory);
  }
  // 5, 5, 5, 5 times 7, by a fill, a kernel and a host function that sees the result.
  static void fill_multiply_and_look(xhal_device_t device) {
    void* memory = nullptr;
    ASSERT_EQ(allocate(device, &memory), XHAL_SUCCESS) << last_text();
    xhal_stream_t stream = nullptr;
    ASSERT_EQ(xhal_device_get_default_stream(device, &stream), XHAL_SUCCESS);
    ASSERT_EQ(xhal_memory_fill(stream, memory, 5, 4, 16), XHAL_SUCCESS) << last_text();

    xhal_module_desc_t module_desc{};
    module_desc.struct_size = sizeof(module_desc);
    module_desc.format = "builtin";
    xhal_module_t module = nullptr;
    xhal_kernel_t kernel = nullptr;
    ASSERT_EQ(xhal_module_load(device, &module_desc, &module), XHAL_SUCCESS) << last_text();
    ASSERT_EQ(xhal_module_get_kernel(module, "multiply_u32", &kernel), XHAL_SUCCESS) << last_text();
    const uint32_t factor = 7;
    const xhal_argument_t arguments[] = {{XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ_WRITE, 16, memory},
                                         {XHAL_ARGUMENT_VALUE, 0, sizeof(factor), &factor}};
    xhal_launch_t launch{};
    launch.struct_size = sizeof(launch);
    launch.group_count[0] = 2;
    launch.group_size[0] = 2;
    launch.group_count[1] = launch.group_count[2] = launch.group_size[1] = launch.group_size[2] = 1;
    launch.argument_count = 2;
    launch.arguments = arguments;
    ASSERT_EQ(xhal_kernel_launch(stream, kernel, &launch), XHAL_SUCCESS) << last_text();

    struct Seen {
      const uint32_t* memory;
      std::array<uint32_t, 4> numbers;
    } seen = {static_cast<const uint32_t*>(memory), {}};
    const auto look = [](void* user, xhal_result_t) {
      auto* found = static_cast<Seen*>(user);
      std::copy_n(found->memory, 4, found->numbers.begin());
    };
    ASSERT_EQ(xhal_stream_host_function(stream, look, &seen), XHAL_SUCCESS) << last_text();
    ASSERT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    EXPECT_EQ(seen.numbers, (std::array<uint32_t, 4>{35, 35, 35, 35}));
    EXPECT_EQ(xhal_memory_free(device, memory), XHAL_SUCCESS);
  }
};

// Each test is a process of its own, so that none inherits another's runtime.

TEST_F(HelperForkTest, CountedInAHelperTheChildRunsAKernel) {
  XHAL_CLAUSE("XHAL-INSTANCE-2");
  XHAL_CLAUSE("XHAL-ABI-24");
  in_child([&] {
    const size_t threads = threads_of_this_process();
    const xhal_instance_t instance = create_counting("helper");
    const std::vector<xhal_device_t> devices = this->devices(instance);
    ASSERT_EQ(devices.size(), 2u);
    uint32_t active = 1;
    EXPECT_EQ(xhal_device_is_active(devices[1], &active), XHAL_SUCCESS);
    EXPECT_EQ(active, 0u);
    EXPECT_EQ(threads_of_this_process(), threads) << "counting left a thread in this process";
    in_child([&] {
      const size_t threads_of_child = threads_of_this_process();
      fill_multiply_and_look(devices[1]);
      EXPECT_GT(threads_of_this_process(), threads_of_child) << "the runtime lives in this process now";
      EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    });
    EXPECT_EQ(threads_of_this_process(), threads);
    fill_multiply_and_look(devices[0]);
    // From here on the runtime lives in the parent, too: neither the same instance nor a later one is a child's to use.
    const xhal_instance_t later = create_counting("helper");
    const xhal_device_t of_later = device(later);
    in_child([&] {
      EXPECT_EQ(allocate(devices[0]), XHAL_ERROR_FORKED);
      EXPECT_EQ(allocate(of_later), XHAL_ERROR_FORKED);
    });
  });
}

TEST_F(HelperForkTest, CountedInTheProcessTheChildIsRefused) {
  XHAL_CLAUSE("XHAL-ABI-23");
  in_child([&] {
    const size_t threads = threads_of_this_process();
    const xhal_instance_t instance = create_counting("direct");
    const xhal_device_t device = this->device(instance);
    xhal_stream_t stream = nullptr;
    ASSERT_EQ(xhal_device_get_default_stream(device, &stream), XHAL_SUCCESS);
    EXPECT_GT(threads_of_this_process(), threads) << "this is what the helper is for";
    in_child([&] {
      EXPECT_EQ(allocate(device), XHAL_ERROR_FORKED);
      EXPECT_NE(last_text().find("create a new instance"), std::string::npos) << last_text();
      EXPECT_EQ(xhal_memory_fill(stream, nullptr, 0, 4, 4), XHAL_ERROR_FORKED);
      EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_ERROR_FORKED);
      // A new instance does not help over this runtime, which the child has inherited as it was: the reason to count in a helper.
      Description description("counting");
      description.option("counting", "count", "direct");
      xhal_instance_t fresh = nullptr;
      EXPECT_EQ(xhal_instance_create(&description.desc, &fresh), XHAL_ERROR_DRIVER_FAILED);
      EXPECT_NE(last_text().find("the vendor's runtime returned 3"), std::string::npos) << last_text();
    });
    fill_multiply_and_look(device);
  });
}

// What the two rules protect from: without them the child's first call meets the runtime's own refusal.
TEST_F(HelperForkTest, CountedWithoutAWordTheRuntimeItselfRefusesTheChild) {
  in_child([&] {
    const xhal_instance_t instance = create_counting("untold");
    const xhal_device_t device = this->device(instance);
    in_child([&] {
      EXPECT_EQ(allocate(device), XHAL_ERROR_DRIVER_FAILED);
      EXPECT_EQ(last_error().native_code, 3);
    });
  });
}

}  // namespace
}  // namespace xhal::test
