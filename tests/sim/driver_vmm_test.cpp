// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kMiB = uint64_t{1} << 20;

class VirtualMemory : public testing::Test {
 protected:
  VirtualMemory() {
    auto granularity = sized<xhal_vmm_granularity_t>();
    EXPECT_EQ(call().vmm_get_granularity(device, &granularity), XHAL_SUCCESS);
    unit = granularity.minimum;
  }
  char* reserve(uint64_t size, uint64_t alignment = 0, void* hint = nullptr) {
    void* pointer = nullptr;
    EXPECT_EQ(call().vmm_reserve(device, size, alignment, hint, &pointer), XHAL_SUCCESS) << last_text;
    return static_cast<char*>(pointer);
  }
  xhal_physical_t create(uint64_t size, uint32_t of = 0) {
    xhal_physical_t physical = nullptr;
    EXPECT_EQ(call().physical_create(machine.device(of), size, 0, &physical), XHAL_SUCCESS) << last_text;
    return physical;
  }
  xhal_result_t map(void* pointer, uint64_t size, xhal_physical_t physical, uint64_t offset = 0) {
    return call().vmm_map(device, pointer, size, physical, offset);
  }
  xhal_result_t access(void* pointer, uint64_t size, uint32_t wanted, uint32_t accessor = 0) {
    return call().vmm_set_access(device, pointer, size, machine.device(accessor), wanted);
  }
  // Reserved, mapped and open.
  char* make(uint64_t size) {
    char* const range = reserve(size);
    EXPECT_EQ(map(range, size, create(size)), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(access(range, size, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS) << last_text;
    return range;
  }
  xhal_result_t fill(void* pointer, uint64_t size, uint8_t byte = 1) {
    return call().memory_fill(stream, pointer, byte, 1, size);
  }
  [[nodiscard]] xhal_pointer_attributes_t attributes(const void* pointer) const {
    auto a = sized<xhal_pointer_attributes_t>();
    EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, pointer, &a), XHAL_SUCCESS);
    return a;
  }
  [[nodiscard]] uint64_t free_bytes(uint32_t of = 0) const {
    auto info = sized<xhal_memory_info_t>();
    EXPECT_EQ(call().device_get_memory_info(machine.device(of), &info), XHAL_SUCCESS);
    return info.free_bytes;
  }

  const Machine machine{"memory=64m"};
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  uint64_t unit = 0;
};

TEST_F(VirtualMemory, SizesKeepToTheGranularity) {
  auto granularity = sized<xhal_vmm_granularity_t>();
  ASSERT_EQ(call().vmm_get_granularity(device, &granularity), XHAL_SUCCESS);
  EXPECT_EQ(unit & (unit - 1), 0u);
  EXPECT_EQ(granularity.recommended & (granularity.recommended - 1), 0u);
  EXPECT_EQ(granularity.recommended % unit, 0u);
  void* pointer = &pointer;
  xhal_physical_t physical = nullptr;
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, unit - 1, unit + 1, unit / 2}) {
    EXPECT_EQ(call().vmm_reserve(device, size, 0, nullptr, &pointer), XHAL_ERROR_INVALID_ARGUMENT) << size;
    EXPECT_EQ(call().physical_create(device, size, 0, &physical), XHAL_ERROR_INVALID_ARGUMENT) << size;
  }
  EXPECT_EQ(call().vmm_reserve(device, unit, 3, nullptr, &pointer), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().physical_create(device, unit, 1, &physical), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(pointer, static_cast<void*>(&pointer));
  EXPECT_EQ(physical, nullptr);
  char* const range = reserve(4 * unit);
  physical = create(2 * unit);
  EXPECT_EQ(map(range, 0, physical), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, unit + 1, physical), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, unit, physical, 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, unit, physical, 2 * unit), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, 2 * unit, physical, UINT64_MAX - unit + 1), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, 3 * unit, physical), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range, unit, physical, unit), XHAL_SUCCESS) << last_text;
}

TEST_F(VirtualMemory, AReservedRangeIsAddressesAlone) {
  const uint64_t before = free_bytes();
  char* const range = reserve(1024 * kMiB);
  EXPECT_EQ(free_bytes(), before);
  for (const uint64_t inside : {uint64_t{0}, 1024 * kMiB - 1}) {
    const auto a = attributes(range + inside);
    EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_RESERVED));
    EXPECT_EQ(a.base, range);
    EXPECT_EQ(a.size, 1024 * kMiB);
    EXPECT_EQ(a.device_pointer, nullptr);
    EXPECT_EQ(a.host_pointer, nullptr);
  }
  EXPECT_EQ(attributes(range + 1024 * kMiB).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  char* const aligned = reserve(unit, 64 * kMiB, range);
  EXPECT_EQ(reinterpret_cast<uint64_t>(aligned) % (64 * kMiB), 0u);
  EXPECT_TRUE(aligned + unit <= range || range + 1024 * kMiB <= aligned);
  EXPECT_EQ(fill(range, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_free(device, range), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_register(device, range, 4096, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_release(device, range, unit), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_release(device, range + unit, unit), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_release(machine.device(1), range, 1024 * kMiB), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_release(device, range, 1024 * kMiB), XHAL_SUCCESS);
  EXPECT_EQ(call().vmm_release(device, range, 1024 * kMiB), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes(range).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST_F(VirtualMemory, IsUsedWithTheAccessThatWasSet) {
  char* const range = reserve(2 * unit);
  ASSERT_EQ(map(range, unit, create(unit)), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes(range).kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(attributes(range).device_pointer, nullptr);
  EXPECT_EQ(attributes(range + unit).kind, static_cast<uint32_t>(XHAL_MEMORY_RESERVED));
  void* other = allocate(device, unit);
  const xhal_kernel_t kernel = get_kernel(load_test_image(device), "fill");
  const auto launch = [&](uint32_t declared) {
    return run(stream, kernel, {memory(range, declared), value(uint32_t{3}), value(uint64_t{1})});
  };
  EXPECT_EQ(fill(range, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_copy(stream, other, range, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(launch(XHAL_ACCESS_WRITE), XHAL_ERROR_INVALID_POINTER);

  ASSERT_EQ(access(range, unit, XHAL_ACCESS_READ), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes(range + 1).device_pointer, range + 1);
  EXPECT_EQ(fill(range, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_copy(stream, range, other, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().memory_copy(stream, other, range, unit), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(launch(XHAL_ACCESS_WRITE), XHAL_ERROR_INVALID_POINTER);

  ASSERT_EQ(access(range, unit, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  EXPECT_EQ(fill(range, unit, 0x11), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(launch(XHAL_ACCESS_WRITE), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint32_t>(stream, range, 2), (std::vector<uint32_t>{3, 0x11111111}));
  const xhal_stream_t there = make_stream(machine.device(1));
  EXPECT_EQ(call().memory_fill(there, range, 0, 1, 1), XHAL_ERROR_INVALID_POINTER) << "another device's";
  ASSERT_EQ(access(range, unit, XHAL_ACCESS_READ_WRITE, 1), XHAL_SUCCESS);
  EXPECT_EQ(call().memory_fill(there, range, 0, 1, 1), XHAL_SUCCESS);
  expect_synchronized(there);

  ASSERT_EQ(access(range, unit, XHAL_ACCESS_NONE), XHAL_SUCCESS);
  EXPECT_EQ(fill(range, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(access(range, unit, XHAL_ACCESS_WRITE), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(access(range, unit, 4), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(VirtualMemory, ContentsBelongToThePhysicalMemory) {
  const xhal_physical_t physical = create(2 * unit);
  char* const one = reserve(2 * unit);
  char* const two = reserve(2 * unit);
  for (char* const range : {one, two}) {
    ASSERT_EQ(map(range, 2 * unit, physical), XHAL_SUCCESS) << last_text;
    ASSERT_EQ(access(range, 2 * unit, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  }
  ASSERT_EQ(fill(one, 2 * unit, 7), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint8_t>(stream, two + unit, 1)[0], 7) << "mapped twice";
  ASSERT_EQ(call().vmm_unmap(device, one, 2 * unit), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes(one).kind, static_cast<uint32_t>(XHAL_MEMORY_RESERVED));
  EXPECT_EQ(fill(one, 1), XHAL_ERROR_INVALID_POINTER);
  ASSERT_EQ(call().vmm_unmap(device, two, 2 * unit), XHAL_SUCCESS);
  // The second half in the first place.
  ASSERT_EQ(map(one, unit, physical, unit), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(access(one, unit, XHAL_ACCESS_READ), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint8_t>(stream, one, unit), std::vector<uint8_t>(unit, 7));
}

TEST_F(VirtualMemory, AdjacentMappingsWorkAsOne) {
  char* const range = reserve(4 * unit);
  for (uint64_t i = 0; i < 3; ++i) ASSERT_EQ(map(range + i * unit, unit, create(unit)), XHAL_SUCCESS);
  ASSERT_EQ(access(range, 3 * unit, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS) << "in one call";
  ASSERT_EQ(fill(range, 3 * unit, 5), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint8_t>(stream, range, 3 * unit), std::vector<uint8_t>(3 * unit, 5));
  const xhal_kernel_t kernel = get_kernel(load_test_image(device), "fill");
  const uint64_t words = 3 * unit / 4;
  ASSERT_EQ(
      run(stream, kernel, {memory(range, XHAL_ACCESS_WRITE, 3 * unit), value(uint32_t{9}), value(words)},
          static_cast<uint32_t>(words / 256), 256),
      XHAL_SUCCESS)
      << last_text;
  EXPECT_EQ(read_back<uint32_t>(stream, range, words), std::vector<uint32_t>(words, 9));
  EXPECT_EQ(fill(range, 3 * unit + 1), XHAL_ERROR_OUT_OF_RANGE) << "nothing is mapped there";
  EXPECT_EQ(fill(range + 3 * unit, 1), XHAL_ERROR_INVALID_POINTER);
  ASSERT_EQ(access(range + unit, unit, XHAL_ACCESS_NONE), XHAL_SUCCESS);
  EXPECT_EQ(fill(range, 3 * unit), XHAL_ERROR_INVALID_POINTER) << "the middle is shut";
  EXPECT_EQ(fill(range, unit), XHAL_SUCCESS);
}

TEST_F(VirtualMemory, WhatIsInTheWayIsTold) {
  char* const range = reserve(4 * unit);
  const xhal_physical_t physical = create(2 * unit);
  ASSERT_EQ(map(range + unit, 2 * unit, physical), XHAL_SUCCESS);
  for (const uint64_t offset : {uint64_t{0}, unit, 2 * unit})
    EXPECT_EQ(map(range + offset, 2 * unit, physical), XHAL_ERROR_ALREADY_DONE) << offset / unit;
  EXPECT_EQ(map(range + 3 * unit, 2 * unit, physical), XHAL_ERROR_INVALID_POINTER) << "beyond the range";
  EXPECT_EQ(map(allocate(device, 2 * unit), 2 * unit, physical), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_map(machine.device(1), range, unit, physical, 0), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_unmap(device, range, unit), XHAL_ERROR_INVALID_POINTER) << "nothing there";
  EXPECT_EQ(call().vmm_unmap(device, range + unit, unit), XHAL_ERROR_INVALID_POINTER) << "half of it";
  EXPECT_EQ(call().vmm_unmap(device, range + 2 * unit, unit), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_unmap(device, range + unit, 3 * unit), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_unmap(device, range + unit, 0), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().vmm_unmap(device, range + unit, unit / 2), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(map(range + unit / 2, unit, physical), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(access(range, unit, XHAL_ACCESS_READ), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(access(range + unit, unit, XHAL_ACCESS_READ), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_release(device, range, 4 * unit), XHAL_ERROR_BUSY);
  EXPECT_EQ(call().memory_free(device, range + unit), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_unmap(device, range + unit, 2 * unit), XHAL_SUCCESS);
  EXPECT_EQ(call().vmm_release(device, range, 4 * unit), XHAL_SUCCESS);
}

TEST_F(VirtualMemory, PhysicalMemoryLivesWhileItIsMapped) {
  const uint64_t before = free_bytes();
  char* const range = reserve(kMiB);
  const xhal_physical_t physical = create(kMiB);
  ASSERT_EQ(map(range, kMiB, physical), XHAL_SUCCESS);
  ASSERT_EQ(access(range, kMiB, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), before - kMiB);
  ASSERT_EQ(call().physical_destroy(physical), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), before - kMiB);
  ASSERT_EQ(fill(range, kMiB, 4), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint8_t>(stream, range + kMiB - 1, 1)[0], 4);
  ASSERT_EQ(call().vmm_unmap(device, range, kMiB), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), before);
  ASSERT_EQ(call().physical_destroy(create(kMiB)), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), before) << "never mapped";
}

TEST_F(VirtualMemory, RunningOutPoisonsNothing) {
  std::vector<xhal_physical_t> all;
  xhal_physical_t physical = nullptr;
  while (call().physical_create(device, 16 * kMiB, 0, &physical) == XHAL_SUCCESS) all.push_back(physical);
  EXPECT_EQ(all.size(), 4u);
  EXPECT_EQ(call().physical_create(device, uint64_t{1} << 62, 0, &physical), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(call().physical_create(device, unit, 0, &physical), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_EQ(call().physical_destroy(all.back()), XHAL_SUCCESS);
  EXPECT_NE(make(16 * kMiB), nullptr);
  void* pointer = nullptr;
  EXPECT_EQ(call().vmm_reserve(device, uint64_t{1} << 62, 0, nullptr, &pointer),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(call().vmm_reserve(device, unit, uint64_t{1} << 63, nullptr, &pointer),
            XHAL_ERROR_OUT_OF_HOST_MEMORY);
}

// Held work keeps what it uses, although nothing orders the unmap behind it: the process lives, and nobody else's memory is hit.
TEST_F(VirtualMemory, UnmappingUnderHeldWorkHurtsNobody) {
  char* const range = reserve(kMiB);
  const xhal_physical_t physical = create(kMiB);
  ASSERT_EQ(map(range, kMiB, physical), XHAL_SUCCESS);
  ASSERT_EQ(access(range, kMiB, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  const uint64_t before = free_bytes();
  {
    Gate gate(stream);
    ASSERT_EQ(fill(range, kMiB, 0xdd), XHAL_SUCCESS);
    ASSERT_EQ(call().vmm_unmap(device, range, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(call().physical_destroy(physical), XHAL_SUCCESS);
    ASSERT_EQ(call().vmm_release(device, range, kMiB), XHAL_SUCCESS);
    EXPECT_EQ(free_bytes(), before) << "held work keeps it";
    EXPECT_NE(reserve(kMiB), range);
  }
  expect_synchronized(stream);
  EXPECT_EQ(free_bytes(), before + kMiB);
}

TEST_F(VirtualMemory, MayBeMappedAnewBeforeLateWorkIsDone) {
  char* const range = make(kMiB);
  {
    Gate gate(stream);
    ASSERT_EQ(call().vmm_unmap(device, range, kMiB), XHAL_SUCCESS);
    ASSERT_EQ(map(range, unit, create(unit)), XHAL_SUCCESS);
    ASSERT_EQ(access(range, unit, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  }
  expect_synchronized(stream);
  static_cast<void>(free_bytes());  // what waited is given back now
  ASSERT_EQ(fill(range, unit, 6), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint8_t>(stream, range, unit), std::vector<uint8_t>(unit, 6));
}

TEST_F(VirtualMemory, AfterAResetItCanOnlyBeTakenApart) {
  const xhal_physical_t physical = create(unit);
  char* const range = reserve(2 * unit);
  ASSERT_EQ(map(range, unit, physical), XHAL_SUCCESS);
  ASSERT_EQ(access(range, unit, XHAL_ACCESS_READ_WRITE), XHAL_SUCCESS);
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  const xhal_stream_t fresh = make_stream(device);
  EXPECT_EQ(call().memory_fill(fresh, range, 0, 1, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(map(range + unit, unit, physical), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(map(range + unit, unit, create(unit)), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(access(range, unit, XHAL_ACCESS_READ), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(call().vmm_unmap(device, range, unit), XHAL_SUCCESS);
  EXPECT_EQ(call().vmm_release(device, range, 2 * unit), XHAL_SUCCESS);
  EXPECT_EQ(call().physical_destroy(physical), XHAL_SUCCESS);
}

TEST_F(VirtualMemory, PhysicalMemoryIsTakenFromPoolsThatDoNotUseIt) {
  const Machine own("memory=64m");
  const xhal_stream_t of_own = make_stream(own.device());
  auto desc = sized<xhal_pool_desc_t>();
  desc.release_threshold = UINT64_MAX;
  xhal_pool_t pool = nullptr;
  void* pointer = nullptr;
  xhal_physical_t all = nullptr;
  ASSERT_EQ(call().pool_create(own.device(), &desc, &pool), XHAL_SUCCESS);
  ASSERT_EQ(call().pool_allocate(pool, of_own, 32 * kMiB, &pointer), XHAL_SUCCESS);
  EXPECT_EQ(call().physical_create(own.device(), 64 * kMiB, 0, &all), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_NE(last_text.find("do not fit: 33554432 of 67108864"), std::string::npos) << last_text;
  ASSERT_EQ(call().pool_free(pool, of_own, pointer), XHAL_SUCCESS);
  expect_synchronized(of_own);
  EXPECT_EQ(call().physical_create(own.device(), 64 * kMiB, 0, &all), XHAL_SUCCESS) << last_text;
}

TEST_F(VirtualMemory, TheInstancesEndTakesAll) {
  for (int i = 0; i < 3; ++i) {
    const Machine own("memory=64m");
    void* pointer = nullptr;
    xhal_physical_t physical = nullptr;
    ASSERT_EQ(call().vmm_reserve(own.device(), uint64_t{64} << 30, 0, nullptr, &pointer), XHAL_SUCCESS)
        << last_text;
    ASSERT_EQ(call().physical_create(own.device(), kMiB, 0, &physical), XHAL_SUCCESS);
    ASSERT_EQ(call().vmm_map(own.device(), pointer, kMiB, physical, 0), XHAL_SUCCESS);
  }
}

}  // namespace
}  // namespace xhal::sim_test
