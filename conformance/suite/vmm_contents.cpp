// SPDX-License-Identifier: Apache-2.0
// Virtual memory: access, contents, seams, how long physical memory lives.
#include <algorithm>

#include "suite/vmm_objects.h"

namespace xhal::conformance {
namespace {

// ---- Access ---------------------------------------------------------------------------------------------

// Copies and fills that an access forbids are refused, and leave the pageable side alone.
void expect_closed(Context& t, xhal_stream_t stream, void* pointer, bool readable, const char* when) {
  const auto block = t.host_bytes(64, 0x5C);
  if (!readable) {
    EXPECT_RESULT("XHAL-VMM-3", xhal_memory_copy(stream, block.data(), pointer, 64),
                  XHAL_ERROR_INVALID_POINTER, "copied from, {}", when);
  }
  EXPECT_RESULT("XHAL-VMM-3", xhal_memory_copy(stream, pointer, block.data(), 64), XHAL_ERROR_INVALID_POINTER,
                "copied to, {}", when);
  EXPECT_RESULT("XHAL-VMM-3", xhal_memory_fill(stream, pointer, 0, 4, 64), XHAL_ERROR_INVALID_POINTER,
                "filled, {}", when);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-VMM-3", std::vector<uint8_t>(64, 0x5C), std::vector<uint8_t>(block.begin(), block.end()),
              "{}", when);
}

XHAL_TEST(vmm, access, .clauses = {"XHAL-VMM-3"},
          .observes =
              "copies and fills while reserved, mapped without access, read-write, read-only, without access "
              "again, "
              "unmapped and released: done or refused, and the bytes",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t bytes = vmm_bytes(t);
  const auto data = t.random_bytes(bytes);
  Stream stream(t);
  Range range(t, bytes);
  void* const pointer = range;
  const Physical physical(t, bytes);
  const auto set = [&](uint32_t access) {
    ASSERT_RESULT("XHAL-VMM-3", xhal_vmm_set_access(t.device(), pointer, bytes, t.device(), access),
                  XHAL_SUCCESS, "access {}", access);
  };
  expect_closed(t, stream, pointer, false, "reserved only");
  Mapping mapping(t, pointer, bytes, physical, 0, XHAL_ACCESS_NONE);
  expect_closed(t, stream, pointer, false, "mapped, no access set yet");
  set(XHAL_ACCESS_READ_WRITE);
  EXPECT_VALUE("XHAL-VMM-3", attributes_of(t, pointer).kind, uint32_t{XHAL_MEMORY_DEVICE},
               "mapped, with access");
  t.write(pointer, data);
  EXPECT_DATA("XHAL-VMM-3", data, t.read<uint8_t>(pointer, bytes), "read and written");
  set(XHAL_ACCESS_READ);
  expect_closed(t, stream, pointer, true, "with access to read");
  EXPECT_DATA("XHAL-VMM-3", data, t.read<uint8_t>(pointer, bytes), "read with access to read");
  set(XHAL_ACCESS_NONE);
  expect_closed(t, stream, pointer, false, "access taken away");
  set(XHAL_ACCESS_READ_WRITE);
  EXPECT_DATA("XHAL-VMM-3", data, t.read<uint8_t>(pointer, bytes), "access given again");
  REQUIRE_OK(mapping.reset());
  expect_closed(t, stream, pointer, false, "unmapped");
  REQUIRE_OK(xhal_vmm_release(t.device(), range.release(), bytes));
  EXPECT_VALUE("XHAL-VMM-3", attributes_of(t, pointer).kind, uint32_t{XHAL_MEMORY_UNMANAGED}, "released");
}

XHAL_TEST(vmm, access_of_kernels, .clauses = {"XHAL-VMM-3"},
          .observes =
              "a fold of cells in mapped memory; a copying kernel that reads from memory with access to read",
          .needs = {XHAL_FEATURE_VMM, XHAL_FEATURE_KERNEL}, .not_bit_exact = kSizedByGranules) {
  const uint64_t bytes = vmm_bytes(t);
  const uint64_t cells = bytes / sizeof(uint64_t);
  const auto before = t.random_u64(cells);
  Stream stream(t);
  const Range range(t, bytes);
  const Physical physical(t, bytes);
  const Mapping mapping(t, range, bytes, physical);
  t.write(range, before);
  REQUIRE_OK(fold(t, stream, range, 9, cells));
  EXPECT_RESULT("XHAL-VMM-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  const auto expected = oracle::fold_u64(before, 9, cells);
  EXPECT_DATA("XHAL-VMM-3", expected, t.read<uint64_t>(range, cells), "folded");
  REQUIRE_OK(xhal_vmm_set_access(t.device(), range, bytes, t.device(), XHAL_ACCESS_READ));
  const Buffer out = device_memory(t, bytes);
  Launch launch(t.kernel("xhal_copy_u32"));
  launch.cover(bytes / 4, small_group(t)).writes(out, bytes).reads(range, bytes).value(bytes / 4);
  REQUIRE_OK(launch.on(stream));
  EXPECT_RESULT("XHAL-VMM-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-VMM-3", expected, t.read<uint64_t>(out, cells), "read by a kernel");
}

XHAL_TEST(vmm, access_of_another_device, .clauses = {"XHAL-VMM-3"},
          .observes =
              "access for device 1 to device 0's mapping: refused as UNSUPPORTED, or given, and then device "
              "1 copies and "
              "folds there; device 0 goes on either way",
          .needs = {XHAL_FEATURE_VMM}, .devices = 2, .not_bit_exact = kSizedByGranules) {
  const uint64_t bytes = vmm_bytes(t);
  const uint64_t cells = bytes / sizeof(uint64_t);
  auto expected = t.random_u64(cells);
  const Range range(t, bytes);
  const Physical physical(t, bytes);
  const Mapping mapping(t, range, bytes, physical);
  t.write(range, expected);
  const xhal_result_t result =
      TRACED(xhal_vmm_set_access(t.device(), range, bytes, t.device(1), XHAL_ACCESS_READ_WRITE));
  EXPECT_CLAUSE("XHAL-VMM-3", result == XHAL_SUCCESS || result == XHAL_ERROR_UNSUPPORTED, "it says {}",
                result_name(result));
  if (result == XHAL_SUCCESS) {
    EXPECT_DATA("XHAL-VMM-3", expected, t.read<uint64_t>(range, cells, 1), "copied by device 1");
    if (t.has_kernels(1)) {
      Stream stream(t, 1);
      REQUIRE_OK(fold(t, stream, range, 4, cells, 1));
      EXPECT_RESULT("XHAL-VMM-3", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
      expected = oracle::fold_u64(expected, 4, cells);
    }
  }
  EXPECT_DATA("XHAL-VMM-3", expected, t.read<uint64_t>(range, cells), "device 0 afterwards");
}

// ---- Contents -------------------------------------------------------------------------------------------

XHAL_TEST(vmm, contents_move_with_the_memory, .clauses = {"XHAL-VMM-4"},
          .observes =
              "bytes written through one mapping and read through the next, at other addresses and offsets, "
              "five times; "
              "other physical memory mapped at the old address in between",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t piece = vmm_bytes(t);
  const Physical physical(t, 2 * piece);
  const Physical other(t, 2 * piece);
  const Range first(t, 2 * piece);
  const Range second(t, 3 * piece);
  auto data = t.random_bytes(2 * piece);
  {
    const Mapping mapping(t, first, 2 * piece, physical);
    t.write(first, data);
  }
  for (uint64_t round = 1; round <= 5; ++round) {
    {
      const Mapping decoy(t, first, 2 * piece, other);
      t.write(first, std::vector<uint8_t>(2 * piece, static_cast<uint8_t>(round)));
    }
    void* place = round % 2 == 0 ? first.at(0) : second.at(piece);
    const Mapping mapping(t, place, 2 * piece, physical);
    EXPECT_DATA("XHAL-VMM-4", data, t.read<uint8_t>(place, data.size()), "round {}", round);
    data = t.random_bytes(2 * piece, round);
    t.write(place, data);
  }
  const Mapping half(t, second, piece, physical, piece);
  const std::vector<uint8_t> upper(data.begin() + static_cast<std::ptrdiff_t>(piece), data.end());
  EXPECT_DATA("XHAL-VMM-4", upper, t.read<uint8_t>(second, piece), "the second half alone");
}

XHAL_TEST(vmm, two_mappings_at_once, .clauses = {"XHAL-VMM-4"},
          .observes =
              "the same physical memory at two addresses: what one stream writes through one is read through "
              "the other "
              "behind it, by copies, fills and kernels; one is unmapped, the other stays",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t bytes = vmm_bytes(t);
  const uint64_t cells = bytes / sizeof(uint64_t);
  const Physical physical(t, bytes);
  const Range range(t, 3 * bytes);
  Mapping low(t, range, bytes, physical);
  const Mapping high(t, range.at(2 * bytes), bytes, physical);
  Stream stream(t);
  const auto data = t.random_u64(cells);
  t.write(range, data);
  EXPECT_DATA("XHAL-VMM-4", data, t.read<uint64_t>(range.at(2 * bytes), cells), "written below, read above");
  auto expected = data;
  for (uint64_t op = 1; op <= 4; ++op) {
    void* place = op % 2 == 0 ? range.at(0) : range.at(2 * bytes);
    void* mirror = op % 2 == 0 ? range.at(2 * bytes) : range.at(0);
    if (t.has_kernels()) {
      REQUIRE_OK(fold(t, stream, place, op, cells));
      REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      expected = oracle::fold_u64(expected, op, cells);
    } else {
      REQUIRE_OK(xhal_memory_fill(stream, place, op, 8, bytes));
      REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
      std::fill(expected.begin(), expected.end(), op);
    }
    EXPECT_DATA("XHAL-VMM-4", expected, t.read<uint64_t>(mirror, cells), "step {}", op);
  }
  REQUIRE_OK(low.reset());
  EXPECT_DATA("XHAL-VMM-4", expected, t.read<uint64_t>(range.at(2 * bytes), cells), "one mapping is gone");
  EXPECT_VALUE("XHAL-VMM-4", attributes_of(t, range).kind, uint32_t{XHAL_MEMORY_RESERVED}, "where it was");
}

// ---- Seams ----------------------------------------------------------------------------------------------

XHAL_TEST(vmm, across_seams, .clauses = {"XHAL-VMM-5"},
          .observes =
              "four pieces of three physical memories side by side, in another order than theirs, access set "
              "in one call: "
              "copies, fills, a copy within the range and a fold across the seams, with guards",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  const uint64_t piece = vmm_bytes(t);
  const uint64_t bytes = 4 * piece;
  Stream stream(t);
  const Range range(t, bytes);
  const Physical a(t, piece);
  const Physical b(t, 2 * piece);
  const Physical c(t, piece);
  // In the range: second half of b, a, c, first half of b.
  const Mapping first(t, range, piece, b, piece, XHAL_ACCESS_NONE);
  const Mapping second(t, range.at(piece), piece, a, 0, XHAL_ACCESS_NONE);
  const Mapping third(t, range.at(2 * piece), piece, c, 0, XHAL_ACCESS_NONE);
  const Mapping fourth(t, range.at(3 * piece), piece, b, 0, XHAL_ACCESS_NONE);
  ASSERT_RESULT("XHAL-VMM-5",
                xhal_vmm_set_access(t.device(), range, bytes, t.device(), XHAL_ACCESS_READ_WRITE),
                XHAL_SUCCESS, "access to four mappings at once");
  auto expected = t.random_bytes(bytes);
  t.write(range, expected);
  EXPECT_DATA("XHAL-VMM-5", expected, t.read<uint8_t>(range, bytes), "one copy over all");
  for (uint64_t seam = 1; seam < 4; ++seam) {
    const uint64_t begin = seam * piece - 104 * seam;
    REQUIRE_OK(xhal_memory_fill(stream, range.at(begin), seam, 1, 208 * seam));
    std::fill_n(expected.begin() + static_cast<std::ptrdiff_t>(begin), 208 * seam,
                static_cast<uint8_t>(seam));
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-VMM-5", expected, t.read<uint8_t>(range, bytes), "fills over each seam");
  // From across the first seam to across the third.
  const uint64_t length = piece / 2 + 3;
  const uint64_t from = piece - piece / 4 - 1;
  const uint64_t to = 3 * piece - piece / 4 + 1;
  REQUIRE_OK(xhal_memory_copy(stream, range.at(to), range.at(from), length));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::copy_n(expected.begin() + static_cast<std::ptrdiff_t>(from), length,
              expected.begin() + static_cast<std::ptrdiff_t>(to));
  EXPECT_DATA("XHAL-VMM-5", expected, t.read<uint8_t>(range, bytes), "a copy from one seam to another");
  if (!t.has_kernels()) return;
  const uint64_t cells = bytes / sizeof(uint64_t);
  const auto before = t.read<uint64_t>(range, cells);
  REQUIRE_OK(fold(t, stream, range, 21, cells));
  EXPECT_RESULT("XHAL-VMM-5", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-VMM-5", oracle::fold_u64(before, 21, cells), t.read<uint64_t>(range, cells),
              "a kernel over all seams");
}

XHAL_TEST(vmm, a_range_grows, .clauses = {"XHAL-VMM-5", "XHAL-VMM-3"},
          .observes =
              "a range that is filled piece by piece, as an allocator does that grows its segments: old "
              "bytes stay, an "
              "operation that reaches into what is not mapped yet is refused",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  constexpr uint64_t kPieces = 6;
  const uint64_t piece = vmm_bytes(t);
  Stream stream(t);
  const Range range(t, kPieces * piece);
  std::vector<Physical> memories;
  std::vector<Mapping> mappings;
  std::vector<uint8_t> expected;
  for (uint64_t i = 0; i < kPieces; ++i) {
    memories.emplace_back(t, piece);
    mappings.emplace_back(t, range.at(i * piece), piece, memories.back());
    const auto data = t.random_bytes(piece, i);
    t.write(range.at(i * piece), data);
    expected.insert(expected.end(), data.begin(), data.end());
    EXPECT_DATA("XHAL-VMM-5", expected, t.read<uint8_t>(range, expected.size()), "{} pieces", i + 1);
    if (i + 1 == kPieces) break;
    const xhal_result_t result = TRACED(xhal_memory_fill(stream, range.at(i * piece), 0, 1, piece + 1));
    EXPECT_CLAUSE("XHAL-VMM-3", result == XHAL_ERROR_INVALID_POINTER || result == XHAL_ERROR_OUT_OF_RANGE,
                  "one byte into the next piece: {}", result_name(result));
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-VMM-5", expected, t.read<uint8_t>(range, expected.size()), "after the refusals");
}

// ---- How long it lives ----------------------------------------------------------------------------------

XHAL_TEST(vmm, destroyed_while_mapped, .clauses = {"XHAL-VMM-7"},
          .observes =
              "physical memory of an eighth destroyed while mapped: its bytes, written and read on; free "
              "memory while it is "
              "mapped and after the unmap",
          .needs = {XHAL_FEATURE_VMM}, .not_bit_exact = kSizedByGranules) {
  constexpr uint64_t kLooked = 4 << 20;
  const uint64_t granule = granularity_of(t).recommended;
  const uint64_t slack = std::max(t.properties().memory_granularity, granule);
  // Of a device that others use as well a figure may move by itself: three tries, one must be calm.
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const uint64_t before = free_bytes(t);
    const uint64_t bytes = std::max(before / 8 / granule, uint64_t{2}) * granule;
    const uint64_t looked = std::min(bytes, kLooked);
    const auto data = t.random_bytes(looked, 1);
    const auto later = t.random_bytes(looked, 2);
    uint64_t mapped = 0;
    uint64_t destroyed = 0;
    {
      const Range range(t, bytes);
      Physical physical(t, bytes);
      const Mapping mapping(t, range, bytes, physical);
      t.write(range, data);
      mapped = free_bytes(t);
      physical.reset();
      destroyed = free_bytes(t);
      EXPECT_DATA("XHAL-VMM-7", data, t.read<uint8_t>(range, looked), "after the destroy");
      // New physical memory must not be this one.
      const Physical other(t, granule);
      const Range elsewhere(t, granule);
      const Mapping beside(t, elsewhere, granule, other);
      t.write(elsewhere, std::vector<uint8_t>(granule, 0xEE));
      t.write(range, later);
      EXPECT_DATA("XHAL-VMM-7", later, t.read<uint8_t>(range, looked), "written after the destroy");
      EXPECT_DATA("XHAL-VMM-7", std::vector<uint8_t>(granule, 0xEE), t.read<uint8_t>(elsewhere, granule),
                  "new physical memory");
    }
    const uint64_t after = free_bytes(t);
    const bool taken = mapped + bytes <= before + slack;
    const bool kept = destroyed <= mapped + slack;
    const bool back = after + slack >= before;
    if (!(taken && kept && back) && attempt < 3) continue;
    EXPECT_CLAUSE("XHAL-VMM-7", taken, "free went from {} to {} by mapping {}", before, mapped, bytes);
    EXPECT_CLAUSE("XHAL-VMM-7", kept, "free went from {} to {} by a destroy while mapped", mapped, destroyed);
    EXPECT_CLAUSE("XHAL-VMM-7", back, "free was {} and is {} after the unmap", before, after);
    return;
  }
}

void wait_for_all_work(Context& t) {
  for (size_t device = 0; device < t.device_count(); ++device)
    REQUIRE_OK(xhal_device_synchronize(t.device(device), t.patience()));
}

XHAL_TEST(vmm, last_mapping_ends_it, .clauses = {"XHAL-VMM-7"},
          .observes =
              "sixty rounds of a quarter of the free memory created, mapped twice, destroyed, unmapped: none "
              "runs out; the "
              "second mapping keeps the bytes",
          .needs = {XHAL_FEATURE_VMM}) {
  constexpr uint64_t kLooked = 4096;
  const uint64_t granule = granularity_of(t).recommended;
  const uint64_t bytes = std::max(free_bytes(t) / 4 / granule, uint64_t{1}) * granule;
  const Range range(t, 2 * bytes);
  for (uint64_t round = 0; round < 60; ++round) {
    xhal_physical_t physical = nullptr;
    // What was unmapped may wait for work that is under way, whosever it is.
    if (TRACED(xhal_physical_create(t.device(), bytes, 0, &physical)) == XHAL_ERROR_OUT_OF_DEVICE_MEMORY) {
      wait_for_all_work(t);
      ASSERT_RESULT("XHAL-VMM-7", xhal_physical_create(t.device(), bytes, 0, &physical), XHAL_SUCCESS,
                    "round {}: earlier rounds gave nothing back", round);
    }
    ASSERT_CLAUSE("XHAL-VMM-7", physical != nullptr, "round {}: no memory", round);
    ASSERT_RESULT("XHAL-VMM-7", xhal_vmm_map(t.device(), range, bytes, physical, 0), XHAL_SUCCESS, "round {}",
                  round);
    ASSERT_RESULT("XHAL-VMM-7", xhal_vmm_map(t.device(), range.at(bytes), bytes, physical, 0), XHAL_SUCCESS,
                  "round {}", round);
    REQUIRE_OK(xhal_vmm_set_access(t.device(), range, 2 * bytes, t.device(), XHAL_ACCESS_READ_WRITE));
    EXPECT_RESULT("XHAL-VMM-7", xhal_physical_destroy(physical), XHAL_SUCCESS, "round {}", round);
    const auto data = t.random_bytes(kLooked, round);
    t.write(range, data);
    REQUIRE_OK(xhal_vmm_unmap(t.device(), range, bytes));
    EXPECT_DATA("XHAL-VMM-7", data, t.read<uint8_t>(range.at(bytes), kLooked), "round {}", round);
    REQUIRE_OK(xhal_vmm_unmap(t.device(), range.at(bytes), bytes));
  }
}

XHAL_TEST(vmm, out_of_physical_memory, .clauses = {"XHAL-VMM-8", "XHAL-ABI-14"},
          .observes =
              "eighths of the memory until refused, sizes above the device and near 2^63: codes; the device "
              "fills and copies, and creates again once one is destroyed",
          .needs = {XHAL_FEATURE_VMM}) {
  constexpr size_t kMost = 64;
  const uint64_t granule = granularity_of(t).recommended;
  static_cast<void>(t.has_kernels());  // what the frame loads needs memory, too
  const uint64_t bytes = std::max(free_bytes(t) / 8 / granule, uint64_t{1}) * granule;
  Stream stream(t);
  Marker marker(t);
  std::vector<xhal_physical_t> all;
  xhal_result_t result = XHAL_SUCCESS;
  xhal_physical_t physical = sentinel<xhal_physical_s>();
  while (all.size() < kMost &&
         (result = TRACED(xhal_physical_create(t.device(), bytes, 0, &physical))) == XHAL_SUCCESS)
    all.push_back(std::exchange(physical, sentinel<xhal_physical_s>()));
  EXPECT_VALUE("XHAL-VMM-8", result_name(result), result_name(XHAL_ERROR_OUT_OF_DEVICE_MEMORY),
               "after {} times an eighth", all.size());
  for (const uint64_t size :
       {(t.properties().memory_bytes / granule + 1) * granule, uint64_t{1} << 62,
        (uint64_t{1} << 63) - granule, uint64_t{1} << 63, ~uint64_t{0} / granule * granule}) {
    EXPECT_RESULT("XHAL-VMM-8", xhal_physical_create(t.device(), size, 0, &physical),
                  XHAL_ERROR_OUT_OF_DEVICE_MEMORY, "{} bytes", size);
  }
  EXPECT_VALUE("XHAL-ABI-14", physical, sentinel<xhal_physical_s>());
  marker.fill_on(t, stream);
  EXPECT_RESULT("XHAL-VMM-8", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS, "poisoned");
  EXPECT_CLAUSE("XHAL-VMM-8", marker.filled(), "{}", marker.shown());
  if (!all.empty()) {
    // Behind work that is under way, an earlier test's perhaps, memory is not used again at once.
    wait_for_all_work(t);
    REQUIRE_OK(xhal_physical_destroy(all.back()));
    all.pop_back();
    const Range range(t, bytes);
    const Physical again(t, bytes);
    const Mapping mapping(t, range, bytes, again);
    const auto data = t.random_bytes(std::min<uint64_t>(bytes, 1 << 20));
    t.write(range, data);
    EXPECT_DATA("XHAL-VMM-8", data, t.read<uint8_t>(range, data.size()), "created again");
  }
  for (xhal_physical_t one : all) REQUIRE_OK(xhal_physical_destroy(one));
}

}  // namespace
}  // namespace xhal::conformance
