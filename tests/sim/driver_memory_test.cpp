// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>
#include <thread>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

xhal_result_t try_allocate(xhal_device_t device, uint64_t size, uint32_t kind, void** out,
                           uint64_t alignment = 0) {
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = kind;
  desc.size = size;
  desc.alignment = alignment;
  return call().memory_allocate(device, &desc, out);
}

xhal_pointer_attributes_t attributes_of(const Machine& machine, const void* pointer) {
  auto attributes = sized<xhal_pointer_attributes_t>();
  EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, pointer, &attributes), XHAL_SUCCESS);
  return attributes;
}

uint64_t free_bytes(xhal_device_t device) {
  auto info = sized<xhal_memory_info_t>();
  EXPECT_EQ(call().device_get_memory_info(device, &info), XHAL_SUCCESS);
  EXPECT_LE(info.free_bytes, info.total_bytes);
  return info.free_bytes;
}

char* at(void* pointer, int64_t offset) { return static_cast<char*>(pointer) + offset; }

TEST(SimMemory, SizesAreExactAndAlignmentsKept) {
  const Machine machine;
  for (const uint32_t kind : {XHAL_MEMORY_DEVICE, XHAL_MEMORY_PINNED}) {
    for (uint64_t alignment = 1; alignment <= (1u << 20); alignment *= 4) {
      const uint64_t size = 3 * alignment + 1;
      void* pointer = allocate(machine.device(), size, kind, alignment);
      EXPECT_EQ(reinterpret_cast<uint64_t>(pointer) % std::max<uint64_t>(alignment, 4096), 0u);
      EXPECT_EQ(attributes_of(machine, pointer).size, size);
    }
  }
}

TEST(SimMemory, IllegalRequestsAreRefusedByTheirCode) {
  const Machine machine;
  void* pointer = &pointer;
  const xhal_device_t device = machine.device();
  EXPECT_EQ(try_allocate(device, 0, XHAL_MEMORY_DEVICE, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(try_allocate(device, 8, XHAL_MEMORY_DEVICE, &pointer, 3), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(try_allocate(device, 8, 0, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(try_allocate(device, 8, XHAL_MEMORY_REGISTERED, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(try_allocate(device, 8, 99, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(try_allocate(Machine("features=-managed").device(), 8, XHAL_MEMORY_MANAGED, &pointer),
            XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(call().memory_allocate(device, nullptr, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  auto desc = sized<xhal_memory_desc_t>();
  desc.kind = XHAL_MEMORY_DEVICE;
  desc.size = 8;
  EXPECT_EQ(call().memory_allocate(device, &desc, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  desc.flags = 1u << 31;
  EXPECT_EQ(call().memory_allocate(device, &desc, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  desc.flags = 0;
  desc.reserved = 1;
  EXPECT_EQ(call().memory_allocate(device, &desc, &pointer), XHAL_ERROR_UNKNOWN_FIELD);
  EXPECT_EQ(pointer, static_cast<void*>(&pointer));
}

TEST(SimMemory, RunningOutPoisonsNothing) {
  const Machine machine("memory=4m");
  const xhal_device_t device = machine.device();
  void* pointer = nullptr;
  EXPECT_EQ(try_allocate(device, (4u << 20) + 1, XHAL_MEMORY_DEVICE, &pointer),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(device, UINT64_MAX - 3, XHAL_MEMORY_DEVICE, &pointer),
            XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(try_allocate(device, UINT64_MAX - 3, XHAL_MEMORY_PINNED, &pointer),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
  std::vector<void*> all;
  while (try_allocate(device, 1u << 20, XHAL_MEMORY_DEVICE, &pointer) == XHAL_SUCCESS) all.push_back(pointer);
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(free_bytes(device), 0u);
  EXPECT_EQ(free_bytes(machine.device(1)), 4u << 20);
  EXPECT_EQ(call().memory_free(device, all.back()), XHAL_SUCCESS);
  EXPECT_EQ(try_allocate(device, 1u << 20, XHAL_MEMORY_DEVICE, &pointer), XHAL_SUCCESS);
}

TEST(SimMemory, FreeTakesBasesOfItsDeviceAlone) {
  const Machine machine;
  const Machine other;
  const xhal_device_t device = machine.device();
  void* pointer = allocate(device, 1000);
  EXPECT_EQ(call().memory_free(device, nullptr), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_free(device, at(pointer, 8)), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_free(machine.device(1), pointer), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_free(other.device(), pointer), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_free(device, &pointer), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes_of(machine, pointer).size, 1000u);
  EXPECT_EQ(call().memory_free(device, pointer), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_free(device, pointer), XHAL_ERROR_INVALID_POINTER);
}

TEST(SimMemory, AttributesOfEveryKindOfAddress) {
  const Machine machine;
  const Machine other;
  void* device = allocate(machine.device(1), 1000);
  void* pinned = allocate(machine.device(), 1000, XHAL_MEMORY_PINNED);
  auto a = attributes_of(machine, at(device, 999));
  EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(a.device_index, 1u);
  EXPECT_EQ(a.base, device);
  EXPECT_EQ(a.device_pointer, at(device, 999));
  EXPECT_EQ(a.host_pointer, nullptr);
  EXPECT_EQ(a.host_accessible, 0u);
  a = attributes_of(machine, at(pinned, 5));
  EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_PINNED));
  EXPECT_EQ(a.host_pointer, at(pinned, 5));
  EXPECT_EQ(a.host_accessible, 1u);
  EXPECT_NE(a.allocation_id, attributes_of(machine, device).allocation_id);
  for (const void* unknown :
       {static_cast<const void*>(&machine), static_cast<const void*>(at(device, 1000)),
        static_cast<const void*>(at(pinned, 1000)), static_cast<const void*>(nullptr)}) {
    a = attributes_of(machine, unknown);
    EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
    EXPECT_EQ(a.base, nullptr);
    EXPECT_EQ(a.size, 0u);
    EXPECT_EQ(a.device_pointer, nullptr);
    EXPECT_EQ(a.allocation_id, 0u);
  }
  EXPECT_EQ(attributes_of(other, device).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED))
      << "another instance's";
}

TEST(SimMemory, InstancesNeverShareAnAddress) {
  const Machine one;
  const Machine two;
  std::vector<std::pair<uint64_t, uint64_t>> ranges;
  for (int i = 0; i < 100; ++i) {
    for (const Machine* machine : {&one, &two}) {
      const auto base =
          reinterpret_cast<uint64_t>(allocate(machine->device(static_cast<uint32_t>(i % 2)), 10'000));
      ranges.emplace_back(base, base + 10'000);
    }
  }
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i) EXPECT_GE(ranges[i].first, ranges[i - 1].second);
}

TEST(SimMemory, TheHostFaultsOnADevicePointer) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        const Machine machine;
        *static_cast<volatile char*>(allocate(machine.device(), 100)) = 1;
      },
      "");
}

// Memory freed while work that may touch it is held: the work still reaches it, and no new allocation does.
TEST(SimMemory, FreedMemoryIsNotReusedBeforeTheWorkIsDone) {
  const Machine machine("memory=4m");
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  const xhal_stream_t other = make_stream(device);
  void* doomed = allocate(device, 1u << 20);
  Gate gate(stream);
  ASSERT_EQ(call().memory_fill(stream, doomed, 0xdd, 1, 1u << 20), XHAL_SUCCESS);
  ASSERT_EQ(call().memory_free(device, doomed), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(device), 3u << 20) << "held work keeps it";
  std::vector<void*> fresh;
  for (int i = 0; i < 3; ++i) {
    fresh.push_back(allocate(device, 1u << 20));
    EXPECT_NE(fresh.back(), doomed);
    ASSERT_EQ(call().memory_fill(other, fresh.back(), 0x11, 1, 1u << 20), XHAL_SUCCESS);
  }
  void* pointer = nullptr;
  EXPECT_EQ(try_allocate(device, 1u << 20, XHAL_MEMORY_DEVICE, &pointer), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  expect_synchronized(other);
  gate.open();
  expect_synchronized(stream);
  EXPECT_EQ(free_bytes(device), 1u << 20);
  for (void* memory : fresh) {
    const auto bytes = read_back<unsigned char>(other, memory, 1u << 20);
    EXPECT_EQ(std::count(bytes.begin(), bytes.end(), 0x11), 1 << 20);
  }
}

TEST(SimMemory, FreedPinnedMemoryIsStillReadByHeldWork) {
  const Machine machine;
  const xhal_stream_t stream = make_stream(machine.device());
  auto* pinned = static_cast<unsigned char*>(allocate(machine.device(), 4096, XHAL_MEMORY_PINNED));
  void* device = allocate(machine.device(), 4096);
  std::fill_n(pinned, 4096, static_cast<unsigned char>(5));
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_copy(stream, device, pinned, 4096), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_free(machine.device(), pinned), XHAL_SUCCESS);
    EXPECT_EQ(attributes_of(machine, pinned).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  }
  EXPECT_EQ(read_back<unsigned char>(stream, device, 4096), std::vector<unsigned char>(4096, 5));
}

TEST(SimRegister, MakesHostMemoryLikePinned) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  std::vector<unsigned char> host(10'000, 1);
  unsigned char* range = host.data() + 17;
  EXPECT_EQ(call().memory_register(device, range, 5000, 0), XHAL_SUCCESS) << last_text;
  const auto a = attributes_of(machine, range + 4999);
  EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_REGISTERED));
  EXPECT_EQ(a.base, range);
  EXPECT_EQ(a.size, 5000u);
  EXPECT_EQ(a.device_pointer, range + 4999);

  void* memory = allocate(device, 5000);
  {
    Gate gate(stream);
    ASSERT_EQ(call().memory_copy(stream, memory, range, 5000), XHAL_SUCCESS);
    ASSERT_EQ(call().memory_copy(stream, range, memory, 8), XHAL_SUCCESS);
    std::fill_n(range, 5000, static_cast<unsigned char>(2));  // read in stream order: these arrive
    EXPECT_EQ(call().memory_unregister(device, range), XHAL_SUCCESS) << "held work keeps using it";
    EXPECT_EQ(attributes_of(machine, range).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  }
  EXPECT_EQ(read_back<unsigned char>(stream, memory, 5000), std::vector<unsigned char>(5000, 2));
  EXPECT_EQ(host[16], 1);
  EXPECT_EQ(host[17 + 5000], 1);
}

TEST(SimRegister, RefusesWhatIsKnownOrNothing) {
  const Machine machine;
  const xhal_device_t device = machine.device();
  std::vector<char> host(1000);
  ASSERT_EQ(call().memory_register(device, host.data(), 500, 0), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_register(machine.device(1), host.data() + 499, 10, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_register(device, allocate(device, 10), 10, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_register(device, host.data() + 500, 0, 0), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_register(device, nullptr, 10, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_register(device, host.data() + 500, 10, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().memory_unregister(device, host.data() + 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_unregister(device, nullptr), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_unregister(machine.device(1), host.data()), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_unregister(device, host.data()), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_unregister(device, host.data()), XHAL_ERROR_INVALID_POINTER);
}

TEST(SimMemory, ThreadsAllocateAndFreeAtOnce) {
  const Machine machine;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      const xhal_stream_t stream = make_stream(machine.device(t % 2));
      for (uint64_t i = 0; i < 100; ++i) {
        void* memory = allocate(machine.device(t % 2), 1000 + i);
        EXPECT_EQ(call().memory_fill(stream, memory, t * 1000 + i, 1, 1000 + i), XHAL_SUCCESS);
        const auto bytes = read_back<unsigned char>(stream, memory, 1000 + i);
        EXPECT_EQ(bytes, std::vector<unsigned char>(1000 + i, static_cast<unsigned char>(t * 1000 + i)));
        EXPECT_EQ(call().memory_free(machine.device(t % 2), memory), XHAL_SUCCESS);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(free_bytes(machine.device()), uint64_t{1} << 30);
}

}  // namespace
}  // namespace xhal::sim_test
