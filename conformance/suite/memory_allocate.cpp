// SPDX-License-Identifier: Apache-2.0
// Allocation and free.
#include <algorithm>
#include <limits>

#include "frame/random.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases kinds() { return grid({{"kind", {"device", "pinned"}}}); }
uint32_t kind_of(Context& t) {
  return t.text("kind") == "device" ? uint32_t{XHAL_MEMORY_DEVICE} : uint32_t{XHAL_MEMORY_PINNED};
}

// Every live allocation of a test, by address.
struct Allocation {
  uintptr_t begin;
  uint64_t size;
};

void expect_apart(Context& t, Clause clause, std::vector<Allocation> all) {
  std::sort(all.begin(), all.end(),
            [](const Allocation& a, const Allocation& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < all.size(); ++i) {
    expect_clause(t, clause, all[i - 1].begin + all[i - 1].size <= all[i].begin,
                  "live allocations do not overlap", XHAL_HERE,
                  fmt::format("[{:#x}, +{}) and [{:#x}, +{})", all[i - 1].begin, all[i - 1].size,
                              all[i].begin, all[i].size));
  }
}

XHAL_TEST_P(
    memory, exact_sizes, kinds, .clauses = {"XHAL-MEMORY-1"},
    .observes = "attributes and alignment of allocations of 1 byte to 1 MiB + 1, odd sizes among them") {
  for (const uint64_t size :
       {1u, 2u, 3u, 7u, 8u, 63u, 64u, 65u, 255u, 257u, 4095u, 4096u, 4097u, 65537u, 1048577u}) {
    const Buffer memory(t, kind_of(t), size);
    const auto attributes = attributes_of(t, memory);
    EXPECT_VALUE("XHAL-MEMORY-1", attributes.size, size);
    EXPECT_VALUE("XHAL-MEMORY-1", attributes.base, memory.get());
    EXPECT_VALUE("XHAL-MEMORY-1", reinterpret_cast<uintptr_t>(memory.get()) % t.properties().memory_alignment,
                 0u, "size {}", size);
  }
}

XHAL_TEST_P(memory, alignments, kinds, .clauses = {"XHAL-MEMORY-1"},
            .observes = "addresses of allocations aligned to 1 byte up to 1 MiB") {
  std::vector<Buffer> between;  // keep the allocator from handing out the same place each time
  for (uint64_t alignment = 1; alignment <= (1u << 20); alignment *= 2) {
    const xhal_memory_desc_t desc = memory_desc(kind_of(t), 777, alignment);
    void* pointer = nullptr;
    if (!EXPECT_RESULT("XHAL-MEMORY-1", xhal_memory_allocate(t.device(), &desc, &pointer), XHAL_SUCCESS,
                       "alignment {}", alignment))
      continue;
    EXPECT_VALUE("XHAL-MEMORY-1", reinterpret_cast<uintptr_t>(pointer) % alignment, 0u, "alignment {}",
                 alignment);
    EXPECT_VALUE("XHAL-MEMORY-1", reinterpret_cast<uintptr_t>(pointer) % t.properties().memory_alignment, 0u,
                 "alignment {}", alignment);
    between.emplace_back(t, kind_of(t), 1);
    REQUIRE_OK(xhal_memory_free(t.device(), pointer));
  }
}

XHAL_TEST_P(memory, refused_descs, kinds, .clauses = {"XHAL-MEMORY-2", "XHAL-ABI-14"},
            .observes = "size 0 and alignments that are no power of two: the code and the out-pointer") {
  void* pointer = sentinel<void>();
  xhal_memory_desc_t desc = memory_desc(kind_of(t), 0);
  EXPECT_RESULT("XHAL-MEMORY-2", xhal_memory_allocate(t.device(), &desc, &pointer),
                XHAL_ERROR_INVALID_ARGUMENT, "size 0");
  for (const uint64_t alignment : {uint64_t{3}, uint64_t{5}, uint64_t{6}, uint64_t{255}, uint64_t{4097},
                                   ~uint64_t{0}, (uint64_t{1} << 63) + 1}) {
    desc = memory_desc(kind_of(t), 64, alignment);
    EXPECT_RESULT("XHAL-MEMORY-2", xhal_memory_allocate(t.device(), &desc, &pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "alignment {}", alignment);
  }
  EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>());
}

XHAL_TEST(
    memory, does_not_fit, .clauses = {"XHAL-MEMORY-3", "XHAL-ABI-14"},
    .observes =
        "device sizes above the memory, near 2^63 and 2^64: the code, the out-pointer, the next allocation") {
  const uint64_t total = t.properties().memory_bytes;
  void* pointer = sentinel<void>();
  for (const uint64_t size : {total + 1, 2 * total, uint64_t{1} << 62, (uint64_t{1} << 63) - 1,
                              uint64_t{1} << 63, ~uint64_t{0} - 4096, ~uint64_t{0}}) {
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size);
    EXPECT_RESULT("XHAL-MEMORY-3", xhal_memory_allocate(t.device(), &desc, &pointer),
                  XHAL_ERROR_OUT_OF_DEVICE_MEMORY, "{} bytes", size);
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "{} bytes", size);
  }
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 4096);
  EXPECT_RESULT("XHAL-MEMORY-3", xhal_memory_allocate(t.device(), &desc, &pointer), XHAL_SUCCESS);
  REQUIRE_OK(xhal_memory_free(t.device(), pointer));
}

XHAL_TEST(memory, pinned_does_not_fit, .clauses = {"XHAL-MEMORY-3"},
          .observes = "pinned sizes near 2^62, 2^63 and 2^64: the code, the next allocation") {
  void* pointer = sentinel<void>();
  for (const uint64_t size : {uint64_t{1} << 62, uint64_t{1} << 63, ~uint64_t{0} - 4096, ~uint64_t{0}}) {
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_PINNED, size);
    EXPECT_RESULT("XHAL-MEMORY-3", xhal_memory_allocate(t.device(), &desc, &pointer),
                  XHAL_ERROR_OUT_OF_HOST_MEMORY, "{} bytes", size);
  }
  EXPECT_VALUE("XHAL-MEMORY-3", pointer, sentinel<void>());
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_PINNED, 4096);
  EXPECT_RESULT("XHAL-MEMORY-3", xhal_memory_allocate(t.device(), &desc, &pointer), XHAL_SUCCESS);
  REQUIRE_OK(xhal_memory_free(t.device(), pointer));
}

XHAL_TEST_P(memory, live_allocations_never_overlap, kinds, .clauses = {"XHAL-MEMORY-4"},
            .observes =
                "200 allocations and frees of random sizes in mixed order: addresses, and each one's own "
                "pattern read back") {
  SplitMix random(t.seed());
  struct Live {
    Buffer memory;
    uint8_t pattern;
  };
  std::vector<Live> live;
  Stream stream(t);
  for (int i = 0; i < 200; ++i) {
    if (!live.empty() && random.below(3) == 0) {
      const auto victim = static_cast<std::ptrdiff_t>(random.below(live.size()));
      const Live& one = live[static_cast<size_t>(victim)];
      const std::vector<uint8_t> expected(one.memory.size(), one.pattern);
      EXPECT_DATA("XHAL-MEMORY-4", expected, t.read<uint8_t>(one.memory, one.memory.size()));
      std::vector<Live> rest;
      for (size_t k = 0; k < live.size(); ++k) {
        if (k != static_cast<size_t>(victim)) rest.push_back({std::move(live[k].memory), live[k].pattern});
      }
      live = std::move(rest);
      continue;
    }
    const uint64_t size = 1 + random.below(random.below(4) == 0 ? 200'000 : 3'000);
    live.push_back({Buffer(t, kind_of(t), size), static_cast<uint8_t>(i)});
    REQUIRE_OK(xhal_memory_fill(stream, live.back().memory, live.back().pattern, 1, size));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
  std::vector<Allocation> all;
  for (const Live& one : live)
    all.push_back({reinterpret_cast<uintptr_t>(one.memory.get()), one.memory.size()});
  expect_apart(t, "XHAL-MEMORY-4", all);
  for (const Live& one : live) {
    EXPECT_DATA("XHAL-MEMORY-4", std::vector<uint8_t>(one.memory.size(), one.pattern),
                t.read<uint8_t>(one.memory, one.memory.size()));
  }
}

XHAL_TEST_P(memory, refused_frees, kinds, .clauses = {"XHAL-MEMORY-5"},
            .observes =
                "free of null, interior, unknown and freed pointers: the codes; the memory and its contents "
                "afterwards") {
  const auto data = t.random_bytes(4096);
  Buffer memory(t, kind_of(t), 4096);
  t.write(memory, data);
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), nullptr), XHAL_SUCCESS);
  for (const uint64_t offset : {1u, 8u, 256u, 4095u}) {
    EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), memory.at(offset)),
                  XHAL_ERROR_INVALID_POINTER, "interior, offset {}", offset);
  }
  int local = 0;
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), &local), XHAL_ERROR_INVALID_POINTER,
                "an address on the stack");
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), t.host_bytes(64).data()),
                XHAL_ERROR_INVALID_POINTER, "ordinary host memory");
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), reinterpret_cast<void*>(uintptr_t{16})),
                XHAL_ERROR_INVALID_POINTER, "address 16");
  EXPECT_DATA("XHAL-MEMORY-5", data, t.read<uint8_t>(memory, data.size()),
              "a refused free changed the memory");
  void* pointer = memory.release();
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), pointer), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), pointer), XHAL_ERROR_INVALID_POINTER,
                "freed twice");
}

XHAL_TEST(memory, free_on_another_device, .clauses = {"XHAL-MEMORY-5"},
          .observes = "free with device 1 of memory of device 0, and the contents after it", .devices = 2) {
  const auto data = t.random_bytes(1000);
  const Buffer memory = device_memory(t, 1000);
  t.write(memory, data);
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(1), memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_DATA("XHAL-MEMORY-5", data, t.read<uint8_t>(memory, data.size()));
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(memory, no_reuse_while_in_flight, gates, .clauses = {"XHAL-MEMORY-6"},
            .observes =
                "memory is freed with a fill of it still held; new allocations of its size get patterns; "
                "after the release the "
                "fill has hit none of them") {
  constexpr size_t kNew = 16;
  constexpr uint64_t kBytes = 12'288;
  const bool may_wait = t.properties().free_waits != XHAL_FREE_WAITS_NEVER;
  Stream stream(t);
  Buffer old = device_memory(t, kBytes);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_memory_fill(stream, old, 0xDD, 1, kBytes));
  if (may_wait) {
    t.note("a free may wait for the device, as declared: the gate is opened first");
    gate.open();
  }
  EXPECT_RESULT("XHAL-MEMORY-6", xhal_memory_free(t.device(), old.release()), XHAL_SUCCESS);
  if (gate.shut() && !may_wait)
    EXPECT_CLAUSE("XHAL-MEMORY-6", gate.held(),
                  "the free waited, and free_waits declares that it never does");
  std::vector<Buffer> fresh;
  const bool beside = !may_wait && gate.shut() && t.witness(gate);
  for (size_t i = 0; i < kNew; ++i) {
    fresh.push_back(device_memory(t, kBytes));
    // Where streams are independent the pattern is in place before the release, else it follows it.
    if (beside) t.write(fresh.back(), std::vector<uint8_t>(kBytes, static_cast<uint8_t>(i)));
  }
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  for (size_t i = 0; i < kNew; ++i) {
    if (!beside) t.write(fresh[i], std::vector<uint8_t>(kBytes, static_cast<uint8_t>(i)));
    EXPECT_DATA("XHAL-MEMORY-6", std::vector<uint8_t>(kBytes, static_cast<uint8_t>(i)),
                t.read<uint8_t>(fresh[i], kBytes),
                "work submitted before a free wrote into allocation {} made after it", i);
  }
}

XHAL_TEST(memory, free_right_behind_work, .clauses = {"XHAL-MEMORY-6"},
          .observes =
              "100 rounds of allocate, copy out of it, free at once, allocate again and overwrite: each copy "
              "has the bytes before the free") {
  constexpr uint64_t kBytes = 65'536;
  Stream stream(t);
  Stream other(t);
  const Buffer out = device_memory(t, kBytes);
  Delay delay(t);
  for (uint32_t round = 0; round < 100; ++round) {
    Buffer source = device_memory(t, kBytes);
    REQUIRE_OK(xhal_memory_fill(stream, source, round, 1, kBytes));
    // In some rounds the copy comes late, in others it runs beside what follows.
    if (round % 4 == 0) delay.on(stream);
    REQUIRE_OK(xhal_memory_copy(stream, out, source, kBytes));
    ASSERT_RESULT("XHAL-MEMORY-6", xhal_memory_free(t.device(), source.release()), XHAL_SUCCESS);
    const Buffer next = device_memory(t, kBytes);
    REQUIRE_OK(xhal_memory_fill(other, next, 0xFF, 1, kBytes));
    REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    ASSERT_DATA("XHAL-MEMORY-6", std::vector<uint8_t>(kBytes, static_cast<uint8_t>(round)),
                t.read<uint8_t>(out, kBytes), "round {}", round);
  }
}

XHAL_TEST(
    memory, contents_survive, .clauses = {"XHAL-MEMORY-19"},
    .observes = "a pattern after 100 other allocations, fills and frees and the work of another stream") {
  const auto data = t.random_bytes(10'007);
  const Buffer memory = device_memory(t, data.size());
  t.write(memory, data);
  Stream stream(t);
  SplitMix random(t.seed());
  for (int i = 0; i < 100; ++i) {
    Buffer other =
        i % 2 == 0 ? device_memory(t, 1 + random.below(40'000)) : pinned_memory(t, 1 + random.below(40'000));
    REQUIRE_OK(xhal_memory_fill(stream, other, 0xC3, 1, other.size()));
    if (i % 4 < 2) REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-MEMORY-19", data, t.read<uint8_t>(memory, data.size()));
}

XHAL_TEST(memory, managed_without_the_feature, .clauses = {"XHAL-MEMORY-20"},
          .observes = "the code and the out-pointer", .unless = {XHAL_FEATURE_MANAGED}) {
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_MANAGED, 4096);
  void* pointer = sentinel<void>();
  EXPECT_RESULT("XHAL-MEMORY-20", xhal_memory_allocate(t.device(), &desc, &pointer), XHAL_ERROR_UNSUPPORTED);
  EXPECT_VALUE("XHAL-MEMORY-20", pointer, sentinel<void>());
}

}  // namespace
}  // namespace xhal::conformance
