// SPDX-License-Identifier: Apache-2.0
// Host pointers pass unchanged, in a process whose heap and static memory lie at low addresses.
#include <elf.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "clause.hpp"
#include "xhal/xhal.h"

#if defined(__PIE__) || defined(__pie__)
#error "this program is about a process that is not position-independent"
#endif

namespace xhal::test {
namespace {

// What xhal_chase_u64 follows: the next node's address, then a value.
struct Node {
  uint64_t next;
  uint64_t value;
};

constexpr size_t kNodesOfAKind = 64;
Node g_static_nodes[kNodesOfAKind];

std::string last_text() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  xhal_error_get_last(&error);
  return error.text;
}

uint64_t address(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// The line of /proc/self/maps that holds the address; "" when none does.
std::string mapping_of(const void* pointer) {
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx", &begin, &end) == 2 && begin <= address(pointer) &&
        address(pointer) < end)
      return line;
  }
  return "";
}

class Pointers : public testing::Test {
 protected:
  void SetUp() override {
    const char* driver = POINTERS_TEST_DRIVER;
    xhal_instance_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
    desc.drivers = "";
    desc.driver_paths = &driver;
    desc.driver_path_count = 1;
    ASSERT_EQ(xhal_instance_create(&desc, &instance), XHAL_SUCCESS) << last_text();
    uint32_t count = 0;
    ASSERT_GE(xhal_instance_get_devices(instance, 1, &device, &count), 0) << last_text();
    ASSERT_NE(device, nullptr);
    ASSERT_EQ(xhal_stream_create(device, nullptr, &stream), XHAL_SUCCESS) << last_text();
    load_kernel();
  }
  void TearDown() override {
    if (instance != nullptr) {
      EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    }
  }

  void load_kernel() {
    xhal_image_format_t format{};
    format.struct_size = sizeof(format);
    uint32_t count = 0;
    ASSERT_GE(xhal_device_get_image_formats(device, 1, sizeof(format), &format, &count), 0) << last_text();
    const std::string path =
        std::string(POINTERS_TEST_KERNELS "/xhal_pack.") + format.format + "." + format.target + ".so";
    std::ifstream file(path, std::ios::binary);
    ASSERT_TRUE(file) << path;
    const std::string image{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    xhal_module_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.format = format.format;
    desc.target = format.target;
    desc.image = image.data();
    desc.image_size = image.size();
    xhal_module_t module = nullptr;
    ASSERT_EQ(xhal_module_load(device, &desc, &module), XHAL_SUCCESS) << last_text();
    ASSERT_EQ(xhal_module_get_kernel(module, "xhal_chase_u64", &kernel), XHAL_SUCCESS) << last_text();
  }

  void* allocate(uint64_t size, uint32_t kind) {
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = kind;
    desc.size = size;
    void* memory = nullptr;
    EXPECT_EQ(xhal_memory_allocate(device, &desc, &memory), XHAL_SUCCESS) << last_text();
    return memory;
  }

  // The value of the node that lies `steps` behind `head`, as the device finds it.
  uint64_t chase(const void* head, uint32_t steps, const std::vector<xhal_memory_range_t>& ranges,
                 uint64_t* out) {
    const xhal_argument_t arguments[] = {
        {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_WRITE, sizeof(*out), out},
        {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, sizeof(Node), head},
        {XHAL_ARGUMENT_VALUE, 0, sizeof(steps), &steps},
    };
    xhal_launch_t launch{};
    launch.struct_size = sizeof(launch);
    for (int i = 0; i < 3; ++i) launch.group_count[i] = launch.group_size[i] = 1;
    launch.argument_count = 3;
    launch.arguments = arguments;
    launch.range_count = static_cast<uint32_t>(ranges.size());
    launch.ranges = ranges.data();
    *out = 0;
    EXPECT_EQ(xhal_kernel_launch(stream, kernel, &launch), XHAL_SUCCESS) << last_text();
    EXPECT_EQ(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER), XHAL_SUCCESS) << last_text();
    return *out;
  }

  xhal_instance_t instance = nullptr;
  xhal_device_t device = nullptr;
  xhal_stream_t stream = nullptr;
  xhal_kernel_t kernel = nullptr;
};

TEST_F(Pointers, TheProgramIsNotPositionIndependent) {
  std::ifstream program("/proc/self/exe", std::ios::binary);
  Elf64_Ehdr header{};
  ASSERT_TRUE(program.read(reinterpret_cast<char*>(&header), sizeof(header)));
  EXPECT_EQ(header.e_type, ET_EXEC);
  EXPECT_LT(address(g_static_nodes), uint64_t{1} << 31) << mapping_of(g_static_nodes);
  const auto small = std::make_unique<Node>();
  EXPECT_NE(mapping_of(small.get()).find("[heap]"), std::string::npos) << mapping_of(small.get());
  EXPECT_LT(address(small.get()), uint64_t{1} << 32) << "the heap lies behind the program";
}

TEST_F(Pointers, AKernelFollowsAChainThroughHeapStaticAndDeviceMemory) {
  XHAL_CLAUSE("XHAL-REGISTER-1");
  XHAL_CLAUSE("XHAL-KERNEL-14");
  constexpr size_t kNodes = 3 * kNodesOfAKind;
  const auto heap_nodes = std::make_unique<Node[]>(kNodesOfAKind);
  auto* device_nodes = static_cast<Node*>(allocate(sizeof(Node) * kNodesOfAKind, XHAL_MEMORY_DEVICE));
  auto* out = static_cast<uint64_t*>(allocate(sizeof(uint64_t), XHAL_MEMORY_PINNED));
  ASSERT_NE(device_nodes, nullptr);
  ASSERT_NE(out, nullptr);
  ASSERT_NE(mapping_of(heap_nodes.get()).find("[heap]"), std::string::npos) << mapping_of(heap_nodes.get());

  std::vector<xhal_memory_range_t> ranges = {
      {device_nodes, sizeof(Node) * kNodesOfAKind, XHAL_ACCESS_READ, 0}};
  for (Node* nodes : {heap_nodes.get(), g_static_nodes}) {
    ASSERT_EQ(xhal_memory_register(device, nodes, sizeof(Node) * kNodesOfAKind, 0), XHAL_SUCCESS)
        << last_text();
    xhal_pointer_attributes_t attributes{};
    attributes.struct_size = sizeof(attributes);
    ASSERT_EQ(xhal_instance_get_pointer_attributes(instance, nodes + 1, &attributes, nullptr), XHAL_SUCCESS);
    EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_REGISTERED));
    EXPECT_EQ(attributes.base, nodes);
    EXPECT_EQ(attributes.device_pointer, nodes + 1);
    EXPECT_EQ(attributes.host_pointer, nodes + 1);
    ranges.push_back({nodes, sizeof(Node) * kNodesOfAKind, XHAL_ACCESS_READ, 0});
  }

  std::vector<Node*> chain;
  for (size_t i = 0; i < kNodesOfAKind; ++i)
    chain.insert(chain.end(), {&heap_nodes[i], &g_static_nodes[i], &device_nodes[i]});
  std::mt19937_64 random(20);
  std::shuffle(chain.begin(), chain.end(), random);
  std::vector<uint64_t> values(kNodes);
  std::vector<Node> on_device(kNodesOfAKind);
  for (size_t i = 0; i < kNodes; ++i) {
    values[i] = random();
    const Node node = {address(chain[(i + 1) % kNodes]), values[i]};
    const bool is_device = chain[i] >= device_nodes && chain[i] < device_nodes + kNodesOfAKind;
    (is_device ? on_device[static_cast<size_t>(chain[i] - device_nodes)] : *chain[i]) = node;
  }
  ASSERT_EQ(xhal_memory_copy(stream, device_nodes, on_device.data(), sizeof(Node) * kNodesOfAKind),
            XHAL_SUCCESS)
      << last_text();

  uint64_t sum = 0;
  for (uint32_t steps = 0; steps < kNodes; ++steps) {
    const uint64_t found = chase(chain.front(), steps, ranges, out);
    ASSERT_EQ(found, values[steps]) << steps << " steps";
    sum += found;
  }
  EXPECT_EQ(sum, std::accumulate(values.begin(), values.end(), uint64_t{0}));
  for (Node* nodes : {heap_nodes.get(), g_static_nodes})
    EXPECT_EQ(xhal_memory_unregister(device, nodes), XHAL_SUCCESS) << last_text();
}

}  // namespace
}  // namespace xhal::test
