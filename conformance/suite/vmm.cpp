// SPDX-License-Identifier: Apache-2.0
// Virtual memory: sizes, ranges, hints, what is refused.
#include <algorithm>
#include <bit>

#include "suite/vmm_objects.h"

namespace xhal::conformance {
namespace {

// ---- Granularity and sizes ------------------------------------------------------------------------------

XHAL_TEST(vmm, granularity, .clauses = {"XHAL-VMM-1"},
          .observes = "the granularities of every device that has some", .needs = {XHAL_FEATURE_VMM}) {
  for (size_t i = 0; i < t.device_count(); ++i) {
    if (!t.claims(XHAL_FEATURE_VMM, i)) continue;
    xhal_vmm_granularity_t granularity{};
    granularity.struct_size = sizeof(granularity);
    ASSERT_RESULT("XHAL-VMM-1", xhal_vmm_get_granularity(t.device(i), &granularity), XHAL_SUCCESS,
                  "device {}", i);
    EXPECT_CLAUSE("XHAL-VMM-1", std::has_single_bit(granularity.minimum), "device {}: minimum {}", i,
                  granularity.minimum);
    EXPECT_CLAUSE("XHAL-VMM-1", std::has_single_bit(granularity.recommended), "device {}: recommended {}", i,
                  granularity.recommended);
    EXPECT_CLAUSE("XHAL-VMM-1",
                  granularity.minimum != 0 && granularity.recommended != 0 &&
                      granularity.recommended % granularity.minimum == 0,
                  "device {}: minimum {}, recommended {}", i, granularity.minimum, granularity.recommended);
  }
}

XHAL_TEST(
    vmm, refused_sizes, .clauses = {"XHAL-VMM-1", "XHAL-ABI-11", "XHAL-ABI-13", "XHAL-ABI-14"},
    .observes =
        "size 0, one byte more and less, half a granule, misaligned offsets and addresses, bad "
        "alignments and flags, and nowhere to write the result of a good size, in every call that takes "
        "them: codes and out-parameters",
    .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t granule = granularity_of(t).minimum;
  const uint64_t bytes = vmm_bytes(t, 2);
  std::vector<uint64_t> bad = {0, 1, granule - 1, granule + 1, bytes - 1, bytes + 1, ~uint64_t{0}};
  if (granule > 1) bad.push_back(granule / 2);
  for (const uint64_t size : bad) {
    if (granule == 1 && size != 0) continue;
    void* pointer = sentinel<void>();
    xhal_physical_t physical = sentinel<xhal_physical_s>();
    EXPECT_RESULT("XHAL-VMM-1", xhal_vmm_reserve(t.device(), size, 0, nullptr, &pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
    EXPECT_RESULT("XHAL-VMM-1", xhal_physical_create(t.device(), size, 0, &physical),
                  XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "{} bytes", size);
    EXPECT_VALUE("XHAL-ABI-14", physical, sentinel<xhal_physical_s>(), "{} bytes", size);
  }
  for (const uint64_t alignment : {uint64_t{3}, granule + 1, granule * 3, ~uint64_t{0}}) {
    if (std::has_single_bit(alignment)) continue;
    void* pointer = sentinel<void>();
    EXPECT_RESULT("XHAL-VMM-1", xhal_vmm_reserve(t.device(), bytes, alignment, nullptr, &pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "alignment {}", alignment);
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "alignment {}", alignment);
  }
  EXPECT_RESULT("XHAL-ABI-13", xhal_vmm_reserve(t.device(), bytes, 0, nullptr, nullptr),
                XHAL_ERROR_INVALID_ARGUMENT, "no out_pointer");
  EXPECT_RESULT("XHAL-ABI-13", xhal_physical_create(t.device(), bytes, 0, nullptr),
                XHAL_ERROR_INVALID_ARGUMENT, "no out_physical");
  for (const uint32_t flags : {1u, 1u << 31, ~0u}) {
    xhal_physical_t physical = sentinel<xhal_physical_s>();
    EXPECT_RESULT("XHAL-ABI-11", xhal_physical_create(t.device(), bytes, flags, &physical),
                  XHAL_ERROR_INVALID_ARGUMENT, "flags {:#x}", flags);
    EXPECT_VALUE("XHAL-ABI-14", physical, sentinel<xhal_physical_s>(), "flags {:#x}", flags);
  }
  const Range range(t, bytes);
  const Physical physical(t, bytes);
  for (const uint64_t size : {uint64_t{0}, uint64_t{1}, granule - 1, granule + 1}) {
    if (granule == 1 && size != 0) continue;
    EXPECT_RESULT("XHAL-VMM-1", xhal_vmm_map(t.device(), range, size, physical, 0),
                  XHAL_ERROR_INVALID_ARGUMENT, "{} bytes", size);
    if (size != 0)
      EXPECT_RESULT("XHAL-VMM-1", xhal_vmm_map(t.device(), range, granule, physical, size),
                    XHAL_ERROR_INVALID_ARGUMENT, "offset {}", size);
  }
  for (const uint32_t access : {uint32_t{XHAL_ACCESS_WRITE}, 4u, ~0u}) {
    const Mapping mapping(t, range, bytes, physical);
    EXPECT_RESULT("XHAL-ABI-11", xhal_vmm_set_access(t.device(), range, bytes, t.device(), access),
                  XHAL_ERROR_INVALID_ARGUMENT, "access {}", access);
  }
  EXPECT_VALUE("XHAL-VMM-1", attributes_of(t, range).kind, uint32_t{XHAL_MEMORY_RESERVED},
               "after the refusals");
}

XHAL_TEST(vmm, alignments, .clauses = {"XHAL-VMM-1"},
          .observes = "addresses of ranges asked for with alignment 0, below and above the granularity",
          .needs = {XHAL_FEATURE_VMM}) {
  const auto granularity = granularity_of(t);
  std::vector<Range> ranges;
  for (const uint64_t alignment : {uint64_t{0}, uint64_t{1}, granularity.minimum, granularity.minimum * 2,
                                   granularity.recommended, granularity.recommended * 8}) {
    ranges.emplace_back(t, granularity.recommended, alignment);
    const uint64_t expected = std::max(alignment, granularity.minimum);
    EXPECT_VALUE("XHAL-VMM-1", ranges.back().address() % expected, 0u, "asked for {}", alignment);
  }
}

// ---- Ranges ---------------------------------------------------------------------------------------------

XHAL_TEST(
    vmm, reserved_range, .clauses = {"XHAL-VMM-2"},
    .observes =
        "attributes at the base, inside and behind a range, after its release; addresses of 16 ranges and 32 "
        "allocations",
    .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t bytes = vmm_bytes(t, 3);
  struct Span {
    uintptr_t begin;
    uint64_t size;
  };
  std::vector<Span> all;
  std::vector<Range> ranges;
  std::vector<Buffer> buffers;
  for (int i = 0; i < 16; ++i) {
    buffers.push_back(i % 2 == 0 ? device_memory(t, bytes / 2 + 1) : pinned_memory(t, 5000));
    ranges.emplace_back(t, bytes);
    buffers.push_back(device_memory(t, 777));
    all.push_back({ranges.back().address(), bytes});
  }
  for (const Buffer& one : buffers) all.push_back({reinterpret_cast<uintptr_t>(one.get()), one.size()});
  std::sort(all.begin(), all.end(), [](const Span& a, const Span& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < all.size(); ++i) {
    EXPECT_CLAUSE("XHAL-VMM-2", all[i - 1].begin + all[i - 1].size <= all[i].begin,
                  "[{:#x}, +{}) and [{:#x}, +{}) overlap", all[i - 1].begin, all[i - 1].size, all[i].begin,
                  all[i].size);
  }
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, bytes / 2 + 1, bytes - 1}) {
    const auto a = attributes_of(t, ranges.front().at(offset));
    EXPECT_VALUE("XHAL-VMM-2", a.kind, uint32_t{XHAL_MEMORY_RESERVED}, "offset {}", offset);
    EXPECT_VALUE("XHAL-VMM-2", a.host_accessible, 0u, "offset {}", offset);
    EXPECT_VALUE("XHAL-VMM-2", a.device_index, t.properties().index, "offset {}", offset);
  }
  void* gone = ranges.back().release();
  REQUIRE_OK(xhal_vmm_release(t.device(), gone, bytes));
  EXPECT_VALUE("XHAL-VMM-2", attributes_of(t, gone).kind, uint32_t{XHAL_MEMORY_UNMANAGED},
               "after the release");
}

XHAL_TEST(vmm, reserving_takes_no_memory, .clauses = {"XHAL-VMM-2"},
          .observes = "free memory before, with and after ranges of twice the device's memory",
          .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t granule = granularity_of(t).recommended;
  // Of a device that others use as well a figure may move by itself: three tries, one must be calm.
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const uint64_t before = memory_info(t).free_bytes;
    const uint64_t bytes = std::max(memory_info(t).total_bytes / granule, uint64_t{1}) * granule;
    uint64_t during = 0;
    {
      const Range first(t, bytes);
      const Range second(t, bytes);
      during = memory_info(t).free_bytes;
    }
    const bool calm = before <= during + t.properties().memory_granularity;
    if (!calm && attempt < 3) continue;
    EXPECT_CLAUSE("XHAL-VMM-2", calm, "free went from {} to {} by reserving twice {}", before, during, bytes);
    return;
  }
}

XHAL_TEST(vmm, hints, .clauses = {"XHAL-VMM-9", "XHAL-VMM-2"},
          .observes =
              "hints at a free address, an allocation, a range, the stack, an odd and the highest address: "
              "ranges that "
              "overlap nothing",
          .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t bytes = vmm_bytes(t, 2);
  const Buffer memory = device_memory(t, bytes);
  const Range taken(t, bytes);
  int local = 0;
  void* was_free = nullptr;
  {
    const Range passing(t, bytes);
    was_free = passing;
  }
  for (void* hint :
       {was_free, memory.get(), memory.at(bytes / 2), static_cast<void*>(taken), taken.at(bytes / 2),
        static_cast<void*>(&local), reinterpret_cast<void*>(uintptr_t{12'345}),
        reinterpret_cast<void*>(~uintptr_t{0} & ~uintptr_t{0xFFFF})}) {
    void* pointer = nullptr;
    if (!EXPECT_RESULT("XHAL-VMM-9", xhal_vmm_reserve(t.device(), bytes, 0, hint, &pointer), XHAL_SUCCESS,
                       "hint {}", shown(hint)))
      continue;
    const auto begin = reinterpret_cast<uintptr_t>(pointer);
    for (const uintptr_t other : {reinterpret_cast<uintptr_t>(memory.get()), taken.address()}) {
      EXPECT_CLAUSE("XHAL-VMM-2", begin + bytes <= other || other + bytes <= begin,
                    "hint {}: [{:#x}, +{}) lies in memory at {:#x}", shown(hint), begin, bytes, other);
    }
    REQUIRE_OK(xhal_vmm_release(t.device(), pointer, bytes));
  }
}

// ---- Refusals -------------------------------------------------------------------------------------------

XHAL_TEST(vmm, refused_releases, .clauses = {"XHAL-VMM-6"},
          .observes =
              "release with a mapping, of a part, of more, of unknown and of released ranges, of "
              "allocations; the free of a "
              "range: codes, and the range afterwards",
          .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t piece = vmm_bytes(t);
  const Range range(t, 3 * piece);
  const Physical physical(t, piece);
  Mapping mapping(t, range.at(piece), piece, physical);
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_release(t.device(), range, 3 * piece), XHAL_ERROR_BUSY,
                "something is mapped");
  EXPECT_RESULT("XHAL-VMM-6", mapping.reset(), XHAL_SUCCESS);
  const auto refused = [&](void* pointer, uint64_t size, const char* what) {
    EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_release(t.device(), pointer, size), XHAL_ERROR_INVALID_POINTER, "{}",
                  what);
  };
  refused(range, piece, "the first part");
  refused(range.at(piece), 2 * piece, "the last part");
  refused(range, 4 * piece, "more than was reserved");
  refused(nullptr, piece, "null");
  int local = 0;
  refused(&local, piece, "an address on the stack");
  const Buffer memory = device_memory(t, piece);
  refused(memory, piece, "an allocation");
  EXPECT_RESULT("XHAL-VMM-6", xhal_memory_free(t.device(), range), XHAL_ERROR_INVALID_POINTER,
                "free of a range");
  {
    const Mapping again(t, range, piece, physical);
    EXPECT_RESULT("XHAL-VMM-6", xhal_memory_free(t.device(), range), XHAL_ERROR_INVALID_POINTER,
                  "free of a mapping");
  }
  void* gone = Range(t, piece).release();
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_release(t.device(), gone, piece), XHAL_SUCCESS);
  refused(gone, piece, "released twice");
  EXPECT_VALUE("XHAL-VMM-6", attributes_of(t, range.at(3 * piece - 1)).kind, uint32_t{XHAL_MEMORY_RESERVED},
               "the range after the refusals");
}

XHAL_TEST(vmm, refused_maps, .clauses = {"XHAL-VMM-6"},
          .observes =
              "maps over something mapped, wholly and in part, outside of a range and beyond the physical "
              "memory: codes; the "
              "mapping's bytes afterwards",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t piece = vmm_bytes(t);
  const Range range(t, 4 * piece);
  const Physical physical(t, 2 * piece);
  const Physical other(t, 2 * piece);
  const Mapping mapping(t, range.at(piece), 2 * piece, physical);
  const auto data = t.random_bytes(2 * piece);
  t.write(range.at(piece), data);
  const auto refused = [&](void* pointer, uint64_t size, xhal_result_t code, const char* what) {
    EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_map(t.device(), pointer, size, other, 0), code, "{}", what);
  };
  refused(range.at(piece), 2 * piece, XHAL_ERROR_ALREADY_DONE, "the same place");
  refused(range.at(piece), piece, XHAL_ERROR_ALREADY_DONE, "its first half");
  refused(range.at(2 * piece), piece, XHAL_ERROR_ALREADY_DONE, "its second half");
  refused(range, 2 * piece, XHAL_ERROR_ALREADY_DONE, "overlap at its begin");
  refused(range.at(2 * piece), 2 * piece, XHAL_ERROR_ALREADY_DONE, "overlap at its end");
  refused(range.at(4 * piece), piece, XHAL_ERROR_INVALID_POINTER, "behind the range");
  refused(range.at(3 * piece), 2 * piece, XHAL_ERROR_INVALID_POINTER, "over the end of the range");
  refused(nullptr, piece, XHAL_ERROR_INVALID_POINTER, "null");
  const Buffer memory = device_memory(t, piece);
  refused(memory, piece, XHAL_ERROR_INVALID_POINTER, "an allocation");
  for (const uint64_t offset : {piece, 2 * piece, uint64_t{1} << 62}) {
    const xhal_result_t result =
        TRACED(xhal_vmm_map(t.device(), range, offset == piece ? 2 * piece : piece, other, offset));
    EXPECT_CLAUSE("XHAL-VMM-6", result == XHAL_ERROR_OUT_OF_RANGE || result == XHAL_ERROR_INVALID_ARGUMENT,
                  "offset {} in physical memory of {}: {}", offset, 2 * piece, result_name(result));
  }
  EXPECT_VALUE("XHAL-VMM-6", attributes_of(t, range).kind, uint32_t{XHAL_MEMORY_RESERVED},
               "in front of the mapping");
  EXPECT_VALUE("XHAL-VMM-6", attributes_of(t, range.at(4 * piece - 1)).kind, uint32_t{XHAL_MEMORY_RESERVED},
               "behind the mapping");
  EXPECT_DATA("XHAL-VMM-6", data, t.read<uint8_t>(range.at(piece), data.size()));
}

XHAL_TEST(vmm, refused_unmaps, .clauses = {"XHAL-VMM-6"},
          .observes =
              "unmap and set access of a part of a mapping, of more, of what is not mapped and over a hole: "
              "codes; the "
              "mappings' bytes afterwards; unmapped twice",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t piece = vmm_bytes(t);
  const Range range(t, 6 * piece);
  const Physical physical(t, 4 * piece);
  // Two pieces, a hole, one piece, the rest free.
  Mapping first(t, range, 2 * piece, physical);
  Mapping second(t, range.at(3 * piece), piece, physical, 2 * piece);
  const auto data = t.random_bytes(2 * piece, 1);
  const auto more = t.random_bytes(piece, 2);
  t.write(range, data);
  t.write(range.at(3 * piece), more);
  const auto refused = [&](void* pointer, uint64_t size, const char* what) {
    EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_unmap(t.device(), pointer, size), XHAL_ERROR_INVALID_POINTER, "{}",
                  what);
    EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_set_access(t.device(), pointer, size, t.device(), XHAL_ACCESS_READ),
                  XHAL_ERROR_INVALID_POINTER, "{}", what);
  };
  refused(range, piece, "the first half of a mapping");
  refused(range.at(piece), piece, "the second half of a mapping");
  refused(range, 3 * piece, "a mapping and the hole behind it");
  refused(range, 4 * piece, "two mappings and the hole between them");
  refused(range.at(2 * piece), piece, "a hole");
  refused(range.at(5 * piece), piece, "the free end");
  refused(range.at(6 * piece), piece, "behind the range");
  refused(nullptr, piece, "null");
  const Buffer memory = device_memory(t, piece);
  refused(memory, piece, "an allocation");
  EXPECT_DATA("XHAL-VMM-6", data, t.read<uint8_t>(range, data.size()), "after the refusals");
  EXPECT_DATA("XHAL-VMM-6", more, t.read<uint8_t>(range.at(3 * piece), more.size()), "after the refusals");
  t.write(range, more.data(), piece);
  EXPECT_RESULT("XHAL-VMM-6", first.reset(), XHAL_SUCCESS);
  refused(range, 2 * piece, "unmapped before");
  EXPECT_RESULT("XHAL-VMM-6", second.reset(), XHAL_SUCCESS);
}

XHAL_TEST(
    vmm, destroyed_handle, .clauses = {"XHAL-ABI-4"},
    .observes =
        "a destroyed physical memory mapped and destroyed again: the code, at once and after 100 others",
    .needs = {XHAL_FEATURE_VMM}) {
  const uint64_t bytes = vmm_bytes(t);
  const Range range(t, bytes);
  xhal_physical_t gone = nullptr;
  REQUIRE_OK(xhal_physical_create(t.device(), bytes, 0, &gone));
  REQUIRE_OK(xhal_physical_destroy(gone));
  for (const int others : {0, 100}) {
    for (int i = 0; i < others; ++i) static_cast<void>(Physical(t, bytes));
    EXPECT_RESULT("XHAL-ABI-4", xhal_vmm_map(t.device(), range, bytes, gone, 0), XHAL_ERROR_INVALID_HANDLE,
                  "after {} others", others);
    EXPECT_RESULT("XHAL-ABI-4", xhal_physical_destroy(gone), XHAL_ERROR_INVALID_HANDLE, "after {} others",
                  others);
  }
}

XHAL_TEST(
    vmm, calls_of_another_device, .clauses = {"XHAL-VMM-6"},
    .observes = "map, unmap, set access and release by device 1 in a range of device 0: codes, and the bytes",
    .needs = {XHAL_FEATURE_VMM}, .devices = 2, .may_be_unobservable = true,
    .not_bit_exact = kSizedByGranules) {
  if (!t.claims(XHAL_FEATURE_VMM, 1)) Context::not_observable("the second device has no virtual memory");
  const uint64_t piece = std::max(vmm_bytes(t), granularity_of(t, 1).recommended);
  const Range range(t, 2 * piece);
  const Physical physical(t, piece);
  const Physical theirs(t, piece, 1);
  const Mapping mapping(t, range, piece, physical);
  const auto data = t.random_bytes(piece);
  t.write(range, data);
  xhal_device_t other = t.device(1);
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_map(other, range.at(piece), piece, theirs, 0),
                XHAL_ERROR_INVALID_POINTER);
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_unmap(other, range, piece), XHAL_ERROR_INVALID_POINTER);
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_set_access(other, range, piece, other, XHAL_ACCESS_READ),
                XHAL_ERROR_INVALID_POINTER);
  EXPECT_RESULT("XHAL-VMM-6", xhal_vmm_release(other, range, 2 * piece), XHAL_ERROR_INVALID_POINTER);
  EXPECT_DATA("XHAL-VMM-6", data, t.read<uint8_t>(range, data.size()));
}

}  // namespace
}  // namespace xhal::conformance
