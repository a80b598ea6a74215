// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

class Kernels : public testing::Test {
 protected:
  explicit Kernels(const char* options = "") : machine(options) {}
  xhal_kernel_t kernel(const char* name) { return get_kernel(module, name); }
  xhal_result_t launch(const char* name, const std::vector<xhal_argument_t>& arguments, uint32_t groups = 1,
                       uint32_t items = 1) {
    return run(stream, kernel(name), arguments, groups, items);
  }

  Machine machine;
  xhal_device_t device = machine.device();
  xhal_stream_t stream = make_stream(device);
  xhal_module_t module = load_test_image(device);
};

// One worker runs all.
class KernelsOnOneUnit : public Kernels {
 protected:
  KernelsOnOneUnit() : Kernels("units=1") {}
};

TEST_F(Kernels, AreFoundByNameAndStayTheSameHandle) {
  EXPECT_EQ(kernel("fill"), kernel("fill"));
  EXPECT_NE(kernel("fill"), kernel("fold"));
  xhal_kernel_t none = nullptr;
  EXPECT_EQ(call().module_get_kernel(module, "no_such", &none), XHAL_ERROR_NOT_FOUND);
  EXPECT_EQ(call().module_get_kernel(module, nullptr, &none), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(none, nullptr);
  void* global = nullptr;
  uint64_t size = 0;
  EXPECT_EQ(call().module_get_global(module, "kernels", &global, &size), XHAL_ERROR_NOT_FOUND);
}

TEST_F(Kernels, TellWhatTheyAre) {
  auto info = sized<xhal_kernel_info_t>();
  ASSERT_EQ(call().kernel_get_info(kernel("locals"), &info), XHAL_SUCCESS);
  EXPECT_STREQ(info.name, "locals");
  EXPECT_EQ(info.parameter_count, 5u);
  EXPECT_EQ(info.max_group_items, 1024u);
  EXPECT_EQ(info.static_local_bytes, 512u);
  EXPECT_NE(info.preferred_group_multiple, 0u);
  auto occupancy = sized<xhal_occupancy_t>();
  ASSERT_EQ(call().kernel_get_occupancy(kernel("locals"), 64, 1000, &occupancy), XHAL_SUCCESS);
  EXPECT_GE(occupancy.groups_per_unit, 1u);
  EXPECT_GE(occupancy.suggested_group_items, 1u);
  ASSERT_EQ(call().kernel_get_occupancy(kernel("locals"), 64, 64 * 1024, &occupancy), XHAL_SUCCESS);
  EXPECT_EQ(occupancy.groups_per_unit, 0u) << "with the static bytes it does not fit";
  ASSERT_EQ(call().kernel_get_occupancy(kernel("trap"), 65, 0, &occupancy), XHAL_SUCCESS);
  EXPECT_EQ(occupancy.groups_per_unit, 0u);
  EXPECT_EQ(call().kernel_get_occupancy(kernel("trap"), 0, 0, &occupancy), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Kernels, WriteDevicePinnedAndRegisteredMemoryThroughOnePointerArgument) {
  std::vector<uint32_t> host(1000);
  ASSERT_EQ(call().memory_register(device, host.data(), 4000, 0), XHAL_SUCCESS);
  const uint32_t number = 7;
  const uint64_t n = 990;
  for (void* memory : {allocate(device, 4000), allocate(device, 4000, XHAL_MEMORY_PINNED),
                       static_cast<void*>(host.data())}) {
    ASSERT_EQ(call().memory_fill(stream, memory, 1, 4, 4000), XHAL_SUCCESS);
    ASSERT_EQ(
        launch("fill", {sim_test::memory(static_cast<char*>(memory) + 4), value(number), value(n)}, 4, 256),
        XHAL_SUCCESS)
        << last_text;
    std::vector<uint32_t> expected(1000, 1);
    std::fill_n(expected.begin() + 1, 990, 7u);
    EXPECT_EQ(read_back<uint32_t>(stream, memory, 1000), expected);
  }
}

TEST_F(Kernels, SeeTheirGroupsInThreeDimensions) {
  void* memory = allocate(device, 4 * 6 * 10 * 4);
  const uint32_t number = 3;
  const uint64_t n = 6 * 10 * 4;
  const std::vector<xhal_argument_t> arguments = {sim_test::memory(memory), value(number), value(n)};
  xhal_launch_t shape = launch_of(arguments);
  const uint32_t counts[3] = {3, 1, 2};
  const uint32_t sizes[3] = {5, 4, 2};
  std::copy_n(counts, 3, shape.group_count);
  std::copy_n(sizes, 3, shape.group_size);
  ASSERT_EQ(call().memory_fill(stream, memory, 0, 4, 4 * n), XHAL_SUCCESS);
  ASSERT_EQ(call().kernel_launch(stream, kernel("fill"), &shape), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint32_t>(stream, memory, n), std::vector<uint32_t>(n, 3));
}

TEST_F(Kernels, ArgumentsAreCopiedByTheLaunch) {
  auto* cell = static_cast<uint64_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
  *cell = 1;
  uint64_t op = 5;
  {
    Gate gate(stream);
    for (int i = 0; i < 3; ++i) {
      ASSERT_EQ(launch("fold", {memory(cell), value(op)}), XHAL_SUCCESS);
      op += 1;
    }
    op = 99;
    EXPECT_EQ(*cell, 1u);
  }
  expect_synchronized(stream);
  EXPECT_EQ(*cell, ((31u + 5) * 31 + 6) * 31 + 7);
}

TEST_F(Kernels, ValuesOfEverySizeArriveAligned) {
  struct Wide {
    unsigned char bytes[256];
  } wide;
  for (int i = 0; i < 256; ++i) wide.bytes[i] = static_cast<unsigned char>(i ^ 0x5a);
  const uint8_t one = 0x42;
  const uint16_t two = 0x1234;
  void* out = allocate(device, 300);
  ASSERT_EQ(launch("values", {memory(out), value(one), value(two), value(wide)}), XHAL_SUCCESS) << last_text;
  const auto bytes = read_back<unsigned char>(stream, out, 300);
  EXPECT_EQ(bytes[0], 0x42);
  EXPECT_EQ(bytes[1], 0x34);
  EXPECT_EQ(bytes[2], 0x12);
  EXPECT_EQ(bytes[3], 1) << "aligned";
  EXPECT_TRUE(std::equal(wide.bytes, wide.bytes + 256, bytes.begin() + 8));
}

TEST_F(Kernels, LocalBlocksAreAlignedApartAndLimited) {
  void* out = allocate(device, 4 * 10);
  const auto try_sizes = [&](uint64_t a, uint64_t b, uint32_t dynamic = 0) {
    const auto a_size = static_cast<uint32_t>(a);
    const auto b_size = static_cast<uint32_t>(b);
    const std::vector<xhal_argument_t> arguments = {memory(out), local(a), local(b), value(a_size),
                                                    value(b_size)};
    xhal_launch_t shape = launch_of(arguments, 10, 16);
    shape.dynamic_local_bytes = dynamic;
    return call().kernel_launch(stream, kernel("locals"), &shape);
  };
  constexpr uint64_t kMost = 64 * 1024 - 512;  // the kernel has 512 of its own
  for (const auto& [a, b] : {std::pair<uint64_t, uint64_t>(1, 1), {0, 7}, {1000, 3}, {kMost - 1, 1}}) {
    ASSERT_EQ(call().memory_fill(stream, out, 0, 4, 40), XHAL_SUCCESS);
    ASSERT_EQ(try_sizes(a, b), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(read_back<uint32_t>(stream, out, 10), std::vector<uint32_t>(10, 1)) << a << " " << b;
  }
  EXPECT_EQ(try_sizes(kMost, 1), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(try_sizes(UINT64_MAX, UINT64_MAX), XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(try_sizes(1, 1, UINT32_MAX), XHAL_ERROR_LIMIT_EXCEEDED);
}

TEST_F(Kernels, FollowPointersInMemoryOfEveryKind) {
  struct Node {
    const void* next;
    uint64_t word;
  };
  std::vector<Node> registered(1);
  ASSERT_EQ(call().memory_register(device, registered.data(), sizeof(Node), 0), XHAL_SUCCESS);
  auto* pinned = static_cast<Node*>(allocate(device, sizeof(Node), XHAL_MEMORY_PINNED));
  void* on_device[2] = {allocate(device, sizeof(Node)), allocate(device, sizeof(Node))};
  registered[0] = {on_device[1], 2};
  pinned[0] = {registered.data(), 1};
  const Node first = {pinned, 0};
  const Node last = {nullptr, 4711};
  ASSERT_EQ(call().memory_copy(stream, on_device[0], &first, sizeof(Node)), XHAL_SUCCESS);
  ASSERT_EQ(call().memory_copy(stream, on_device[1], &last, sizeof(Node)), XHAL_SUCCESS);
  void* out = allocate(device, 8);
  const uint32_t steps = 3;
  const std::vector<xhal_argument_t> arguments = {memory(out), memory(on_device[0], XHAL_ACCESS_READ),
                                                  value(steps)};
  xhal_launch_t shape = launch_of(arguments);
  struct Padded {
    xhal_memory_range_t range;
    uint64_t mine;
  };
  std::vector<Padded> ranges;
  for (const void* node : {static_cast<const void*>(pinned), static_cast<const void*>(registered.data()),
                           static_cast<const void*>(on_device[1])}) {
    ranges.push_back({{node, sizeof(Node), XHAL_ACCESS_READ, 0}, UINT64_MAX});
  }
  shape.ranges = &ranges[0].range;
  shape.range_count = 3;
  shape.range_stride = sizeof(Padded);
  ASSERT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint64_t>(stream, out, 1)[0], 4711u);

  ranges[1].range.access = 0;
  EXPECT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_ERROR_INVALID_ARGUMENT);
  ranges[1].range.access = 4;
  EXPECT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_ERROR_INVALID_ARGUMENT);
  ranges[1].range.access = XHAL_ACCESS_READ;
  ranges[2].range.size = 17;
  EXPECT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_ERROR_OUT_OF_RANGE);
  ranges[2].range.size = 16;
  shape.range_stride = 8;
  EXPECT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_ERROR_INVALID_ARGUMENT);
  shape.range_stride = 0;
  shape.ranges = nullptr;
  EXPECT_EQ(call().kernel_launch(stream, kernel("chase"), &shape), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Kernels, ArgumentsAreChecked) {
  void* block = allocate(device, 64);
  const uint32_t u32 = 1;
  const uint64_t u64 = 1;
  const auto good_memory = memory(block);
  const auto refused = [&](std::vector<xhal_argument_t> arguments) { return launch("fill", arguments); };
  ASSERT_EQ(refused({good_memory, value(u32), value(u64)}), XHAL_SUCCESS);
  EXPECT_EQ(refused({good_memory, value(u32)}), XHAL_ERROR_INVALID_ARGUMENT) << "too few";
  EXPECT_EQ(refused({good_memory, value(u32), value(u64), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT)
      << "too many";
  EXPECT_EQ(refused({value(u64), value(u32), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT)
      << "a value for memory";
  EXPECT_EQ(refused({good_memory, good_memory, value(u64)}), XHAL_ERROR_INVALID_ARGUMENT)
      << "memory for a value";
  EXPECT_EQ(refused({local(8), value(u32), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT) << "local for memory";
  EXPECT_EQ(refused({good_memory, value(u64), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT) << "a wide value";
  EXPECT_EQ(refused({good_memory, value(u32), value(u32)}), XHAL_ERROR_INVALID_ARGUMENT) << "a narrow value";
  EXPECT_EQ(refused({memory(block, 0), value(u32), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT) << "no access";
  EXPECT_EQ(refused({memory(block, 4), value(u32), value(u64)}), XHAL_ERROR_INVALID_ARGUMENT)
      << "unknown access";
  EXPECT_EQ(refused({good_memory, {XHAL_ARGUMENT_VALUE, 1, 4, &u32}, value(u64)}),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refused({good_memory, {XHAL_ARGUMENT_VALUE, 0, 4, nullptr}, value(u64)}),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refused({good_memory, {9, 0, 4, &u32}, value(u64)}), XHAL_ERROR_INVALID_ARGUMENT);
  expect_synchronized(stream);
}

TEST_F(Kernels, PointersThatWouldEndTheProcessAreRefused) {
  const uint32_t u32 = 1;
  const uint64_t none = 0;
  const auto try_pointer = [&](const void* pointer, uint64_t size = 0) {
    return launch("fill", {memory(pointer, XHAL_ACCESS_WRITE, size), value(u32), value(none)});
  };
  auto* mine = static_cast<char*>(allocate(device, 1000));
  EXPECT_EQ(try_pointer(mine + 999), XHAL_SUCCESS);
  EXPECT_EQ(try_pointer(mine, 1000), XHAL_SUCCESS);
  EXPECT_EQ(try_pointer(nullptr), XHAL_SUCCESS) << "a kernel may leave it alone";
  EXPECT_EQ(try_pointer(&none), XHAL_SUCCESS) << "host memory passes";
  EXPECT_EQ(try_pointer(mine, 1001), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(try_pointer(nullptr, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(try_pointer(mine + 1000, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(try_pointer(mine + (int64_t{64} << 30)), XHAL_ERROR_INVALID_POINTER) << "no device's";
  EXPECT_EQ(try_pointer(allocate(machine.device(1), 100)), XHAL_ERROR_INVALID_POINTER) << "another device's";
  const Machine other;
  EXPECT_EQ(try_pointer(allocate(other.device(), 100)), XHAL_ERROR_INVALID_POINTER) << "another instance's";
  ASSERT_EQ(call().memory_free(device, mine), XHAL_SUCCESS);
  EXPECT_EQ(try_pointer(mine, 1), XHAL_ERROR_INVALID_POINTER) << "freed";
  expect_synchronized(stream);
}

TEST_F(Kernels, ShapesAreChecked) {
  const auto shape = [&](const char* name, auto&& change) {
    xhal_launch_t launch = launch_of({});
    change(launch);
    return call().kernel_launch(stream, kernel(name), &launch);
  };
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(shape("empty", [&](auto& l) { l.group_count[i] = 0; }), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(shape("empty", [&](auto& l) { l.group_size[i] = 0; }), XHAL_ERROR_INVALID_ARGUMENT);
    EXPECT_EQ(shape("empty", [&](auto& l) { l.group_size[i] = 1025; }), XHAL_ERROR_LIMIT_EXCEEDED);
    EXPECT_EQ(shape("empty", [&](auto& l) { l.group_count[i] = UINT32_MAX; }), XHAL_ERROR_LIMIT_EXCEEDED);
    EXPECT_EQ(shape("empty", [&](auto& l) { l.group_size[i] = 1024; }), XHAL_SUCCESS) << last_text;
  }
  EXPECT_EQ(shape("empty", [&](auto& l) { l.group_size[0] = l.group_size[1] = 64; }),
            XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(shape("empty", [&](auto& l) { l.group_size[0] = l.group_size[1] = l.group_size[2] = 1024; }),
            XHAL_ERROR_LIMIT_EXCEEDED);
  EXPECT_EQ(shape("empty", [&](auto& l) { l.flags = 1u << 31; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(shape("empty", [&](auto& l) { l.struct_size = 4; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().kernel_launch(stream, kernel("empty"), nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  const uint64_t never = 99;
  EXPECT_EQ(launch("trap", {value(never)}, 1, 64), XHAL_SUCCESS);
  EXPECT_EQ(launch("trap", {value(never)}, 1, 65), XHAL_ERROR_LIMIT_EXCEEDED) << "the kernel's own limit";
  EXPECT_EQ(run(make_stream(machine.device(1)), kernel("empty"), {}), XHAL_ERROR_INVALID_ARGUMENT)
      << "another device's stream";
  expect_synchronized(stream);
}

TEST_F(Kernels, AGateHoldsItsStreamAloneAndSeesTheHost) {
  auto* words = static_cast<uint32_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
  std::atomic_ref<uint32_t> flag(words[0]);
  std::atomic_ref<uint32_t> entered(words[1]);
  flag.store(0);
  entered.store(0);
  const uint32_t open = 3;
  ASSERT_EQ(launch("gate", {memory(words, XHAL_ACCESS_READ, 4), value(open),
                            memory(words + 1, XHAL_ACCESS_WRITE, 4)}),
            XHAL_SUCCESS);
  while (entered.load() == 0) std::this_thread::yield();
  EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
  EXPECT_EQ(run(make_stream(device), kernel("empty"), {}), XHAL_SUCCESS);
  flag.store(2);
  EXPECT_EQ(call().stream_synchronize(stream, 1'000'000), XHAL_TIMEOUT);
  flag.store(3);
  expect_synchronized(stream);
}

TEST_F(Kernels, OfADestroyedModuleFinishTheirLaunches) {
  auto* cell = static_cast<uint64_t*>(allocate(device, 8, XHAL_MEMORY_PINNED));
  *cell = 0;
  const uint64_t op = 77;
  const xhal_kernel_t fold = kernel("fold");
  {
    Gate gate(stream);
    ASSERT_EQ(run(stream, fold, {memory(cell), value(op)}), XHAL_SUCCESS);
    EXPECT_EQ(call().module_destroy(module), XHAL_SUCCESS);
    EXPECT_EQ(*cell, 0u);
  }
  expect_synchronized(stream);
  EXPECT_EQ(*cell, 77u);
}

TEST_F(KernelsOnOneUnit, ScratchBelongsToOneImageAndOneWorker) {
  auto* out = static_cast<uint64_t*>(allocate(device, 16, XHAL_MEMORY_PINNED));
  out[1] = 0;
  const xhal_stream_t other = make_stream(device);
  for (uint64_t i = 1; i <= 4; ++i) {
    const xhal_stream_t on = i % 2 == 0 ? stream : other;
    ASSERT_EQ(run(on, kernel("scratch"), {memory(out)}), XHAL_SUCCESS);
    expect_synchronized(on);
    EXPECT_EQ(*out, i);
  }
  const xhal_module_t second = load_test_image(device);
  ASSERT_EQ(run(stream, get_kernel(second, "scratch"), {memory(out)}), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(*out, 1u);
  EXPECT_EQ(out[1], 1u) << "the first image's was freed when the second one had its turn";
}

// The image itself aborts the process when it is unloaded with scratch that it has not freed.
TEST_F(KernelsOnOneUnit, ScratchIsFreedBeforeItsImageIsUnloaded) {
  std::vector<uint64_t> words(2);
  ASSERT_EQ(run(stream, kernel("scratch"), {memory(words.data())}), XHAL_SUCCESS);
  expect_synchronized(stream);
  EXPECT_EQ(words[1], 0u);
  EXPECT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_EQ(words[1], 0u) << "the worker still has it";
  machine.close();
  EXPECT_EQ(words[1], 1u) << "by the end of its worker";
}

TEST_F(Kernels, ThreadsLaunchOneKernelWithTheirOwnArguments) {
  const xhal_kernel_t fold = kernel("fold");
  std::vector<std::thread> threads;
  for (uint64_t t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      const xhal_stream_t own = make_stream(device);
      void* cell = allocate(device, 8);
      EXPECT_EQ(call().memory_fill(own, cell, 0, 8, 8), XHAL_SUCCESS);
      uint64_t expected = 0;
      for (uint64_t i = 0; i < 500; ++i) {
        const uint64_t op = t * 1000 + i;
        ASSERT_EQ(run(own, fold, {memory(cell), value(op)}), XHAL_SUCCESS);
        expected = expected * 31 + op;
      }
      EXPECT_EQ(read_back<uint64_t>(own, cell, 1)[0], expected);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(SimModule, BytesThatAreNoImageAreRefusedWithAReason) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  const auto good = read_file(XHAL_TEST_IMAGE);
  xhal_module_t module = nullptr;
  const auto with_desc = [&](auto&& change) {
    auto desc = sized<xhal_module_desc_t>();
    desc.format = "native";
    desc.target = "x86-64-v2";
    desc.image = good.data();
    desc.image_size = good.size();
    change(desc);
    last_text.clear();
    const xhal_result_t result = call().module_load(device, &desc, &module);
    EXPECT_EQ(result < 0, !last_text.empty());
    return result;
  };
  EXPECT_EQ(with_desc([](auto& d) { d.format = "ptx"; }), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_EQ(with_desc([](auto& d) { d.target = "x86-64-v9"; }), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_EQ(with_desc([](auto& d) { d.target = "sm_90"; }), XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_EQ(with_desc([](auto& d) { d.format = nullptr; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(with_desc([](auto& d) { d.flags = 1; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(with_desc([](auto& d) { d.options = "-O3"; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(with_desc([](auto& d) { d.image = nullptr; }), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(with_desc([](auto& d) { d.image_size = 0; }), XHAL_ERROR_INVALID_IMAGE);
  EXPECT_EQ(with_desc([](auto& d) { d.image_size -= 100; }), XHAL_ERROR_INVALID_IMAGE);
  EXPECT_EQ(with_desc([](auto& d) { d.image_size = 64; }), XHAL_ERROR_INVALID_IMAGE);
  const std::string text = "this is no image";
  EXPECT_EQ(with_desc([&](auto& d) {
              d.image = text.data();
              d.image_size = text.size();
            }),
            XHAL_ERROR_INVALID_IMAGE);
  const auto other = read_file(XHAL_TEST_IMAGE_NO_SYMBOL);
  EXPECT_EQ(load(device, other, "x86-64-v2", module), XHAL_ERROR_INVALID_IMAGE);
  EXPECT_EQ(module, nullptr);
  EXPECT_EQ(with_desc([](auto& d) { d.target = nullptr; }), XHAL_SUCCESS) << last_text;
}

}  // namespace
}  // namespace xhal::sim_test
