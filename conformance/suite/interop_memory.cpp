// SPDX-License-Identifier: Apache-2.0
// Memory that comes by descriptor.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "suite/interop_objects.h"

namespace xhal::conformance {
namespace {

Cases objects() { return grid({object_axis()}); }

// ---- What it shows --------------------------------------------------------------------------------------

XHAL_TEST_P(external, bytes_are_shared, objects, .clauses = {"XHAL-INTEROP-9"},
            .observes =
                "what the owner wrote is read through the import, what a copy, a fill and a kernel write "
                "there is seen by the "
                "owner; attributes",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  auto expected = t.random_bytes(kObjectBytes);
  object->put(t, expected);
  const External memory(t, object->desc());
  EXPECT_DATA("XHAL-INTEROP-9", expected, t.read<uint8_t>(memory, kObjectBytes), "the owner's bytes");
  const auto a = attributes_of(t, memory.at(5));
  EXPECT_VALUE("XHAL-INTEROP-9", a.is_imported, 1u);
  EXPECT_VALUE("XHAL-INTEROP-9", a.device_pointer, memory.at(5));
  Stream stream(t);
  const auto patch = t.random_bytes(10'001, 1);
  t.write(memory.at(777), patch);
  std::copy(patch.begin(), patch.end(), expected.begin() + 777);
  REQUIRE_OK(xhal_memory_fill(stream, memory.at(kObjectBytes - 100), 0x3C, 1, 100));
  std::fill(expected.end() - 100, expected.end(), uint8_t{0x3C});
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-INTEROP-9", expected, object->get(t), "seen by the owner");
  if (!t.has_kernels()) return;
  constexpr uint64_t kCells = kObjectBytes / sizeof(uint64_t);
  const auto before = t.read<uint64_t>(memory, kCells);
  REQUIRE_OK(fold(t, stream, memory, 77, kCells));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto after = oracle::fold_u64(before, 77, kCells);
  EXPECT_DATA("XHAL-INTEROP-9", after, t.read<uint64_t>(memory, kCells), "a kernel's");
  const auto seen = object->get(t);
  std::vector<uint64_t> words(kCells);
  std::memcpy(words.data(), seen.data(), kObjectBytes);
  EXPECT_DATA("XHAL-INTEROP-9", after, words, "a kernel's, seen by the owner");
}

XHAL_TEST_P(external, offsets, objects, .clauses = {"XHAL-INTEROP-9"},
            .observes = "an import from the middle of the object: its first and its last bytes",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  const auto data = t.random_bytes(kObjectBytes);
  object->put(t, data);
  auto desc = object->desc();
  desc.offset += kObjectOffset;
  const External memory(t, desc);
  const std::vector<uint8_t> rest(data.begin() + kObjectOffset, data.end());
  EXPECT_DATA("XHAL-INTEROP-9", rest, t.read<uint8_t>(memory, rest.size()));
}

XHAL_TEST_P(external, descriptor_stays_the_callers, objects, .clauses = {"XHAL-INTEROP-9"},
            .observes =
                "the descriptor is open after an import and its release; closed right after another import, "
                "and its number "
                "taken by another file: the bytes are there",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  const auto data = t.random_bytes(kObjectBytes);
  object->put(t, data);
  ASSERT_CLAUSE("XHAL-INTEROP-9", object->fd->is_open(), "closed by an import or its release");
  const External memory(t, object->desc());
  EXPECT_CLAUSE("XHAL-INTEROP-9", object->fd->is_open(), "closed by an import");
  EXPECT_CLAUSE("XHAL-INTEROP-9", object->fd->reset(), "it was not the caller's to close");
  const Descriptor other(memfd_create("another", MFD_CLOEXEC));
  EXPECT_DATA("XHAL-INTEROP-9", data, t.read<uint8_t>(memory, kObjectBytes), "after the caller's close");
  const auto later = t.random_bytes(kObjectBytes, 1);
  object->put(t, later);
  EXPECT_DATA("XHAL-INTEROP-9", later, t.read<uint8_t>(memory, kObjectBytes),
              "written after the caller's close");
}

XHAL_TEST_P(external, releases, objects, .clauses = {"XHAL-INTEROP-9"},
            .observes =
                "two imports of one object, each with its release; releases of interior, released, ordinary "
                "and unknown "
                "pointers and a free in its place: codes",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  const auto data = t.random_bytes(kObjectBytes);
  object->put(t, data);
  External first(t, object->desc());
  const External second(t, object->desc());
  const Buffer memory = device_memory(t, 4096);
  int local = 0;
  for (void* pointer : {first.at(1), memory.get(), static_cast<void*>(&local), static_cast<void*>(nullptr)}) {
    EXPECT_RESULT("XHAL-INTEROP-9", xhal_memory_release_external(t.device(), pointer),
                  XHAL_ERROR_INVALID_POINTER, "{}", shown(pointer));
  }
  EXPECT_RESULT("XHAL-INTEROP-9", xhal_memory_free(t.device(), first), XHAL_ERROR_INVALID_POINTER,
                "an import is released, not freed");
  void* gone = first.release();
  EXPECT_RESULT("XHAL-INTEROP-9", xhal_memory_release_external(t.device(), gone), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-INTEROP-9", data, t.read<uint8_t>(second, kObjectBytes), "the other import");
  if (gone == static_cast<void*>(second)) return;
  EXPECT_RESULT("XHAL-INTEROP-9", xhal_memory_release_external(t.device(), gone), XHAL_ERROR_INVALID_POINTER,
                "released twice");
  EXPECT_VALUE("XHAL-INTEROP-9", attributes_of(t, gone).kind, uint32_t{XHAL_MEMORY_UNMANAGED},
               "after the release");
}

// ---- What is refused ------------------------------------------------------------------------------------

void expect_refused(Context& t, const xhal_external_memory_desc_t& desc, const std::string& what) {
  void* pointer = sentinel<void>();
  const xhal_result_t result = TRACED(xhal_memory_import_external(t.device(), &desc, &pointer));
  EXPECT_CLAUSE("XHAL-INTEROP-10", result == XHAL_ERROR_INVALID_ARGUMENT || result == XHAL_ERROR_IO, "{}: {}",
                what, result_name(result));
  EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "{}", what);
  if (result == XHAL_SUCCESS) TRACED(xhal_memory_release_external(t.device(), pointer));
}

XHAL_TEST(external, bad_descriptors, .clauses = {"XHAL-INTEROP-10", "XHAL-ABI-14"},
          .observes =
              "no descriptor, a closed one, a pipe, a folder, /dev/null and an empty file, as each type; "
              "unknown types: codes, "
              "and whether they are still open",
          .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}) {
  int ends[2] = {-1, -1};
  if (pipe2(ends, O_CLOEXEC) != 0) Context::inconclusive("no pipe can be had");
  const Descriptor in(ends[0]);
  const Descriptor out(ends[1]);
  const Descriptor folder(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
  const Descriptor empty(memfd_create("empty", MFD_CLOEXEC));
  const Descriptor good(memfd_create("good", MFD_CLOEXEC));
  if (ftruncate(good.get(), kObjectBytes) != 0) Context::inconclusive("a memfd cannot grow");
  const int closed = [] {
    const Descriptor passing(memfd_create("passing", MFD_CLOEXEC));
    return passing.get();
  }();
  xhal_external_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.size = kObjectBytes;
  struct Bad {
    const char* name;
    int fd;
  };
  for (const uint32_t type : {uint32_t{XHAL_EXTERNAL_DMA_BUF}, uint32_t{XHAL_EXTERNAL_OPAQUE_FD}}) {
    desc.type = type;
    for (const Bad& bad :
         {Bad{"none", -1}, Bad{"the lowest number", INT32_MIN}, Bad{"a large number", 1 << 30},
          Bad{"a closed one", closed}, Bad{"a pipe", in.get()}, Bad{"a folder", folder.get()},
          Bad{"/dev/null", null.get()}, Bad{"an empty file", empty.get()}}) {
      desc.fd = bad.fd;
      expect_refused(t, desc, fmt::format("{}, type {}", bad.name, type));
    }
  }
  desc.fd = good.get();
  for (const uint32_t type : {0u, 3u, 0x80000001u, ~0u}) {
    desc.type = type;
    expect_refused(t, desc, fmt::format("type {}", type));
  }
  for (const Descriptor* one : {&in, &out, &folder, &null, &empty, &good})
    EXPECT_CLAUSE("XHAL-INTEROP-10", one->is_open(), "a refused descriptor was closed");
}

XHAL_TEST_P(external, bad_ranges, objects, .clauses = {"XHAL-INTEROP-10", "XHAL-ABI-14", "XHAL-ABI-11"},
            .observes =
                "sizes of 0, beyond the object and near 2^64, offsets at its end, beyond it and near 2^64, "
                "flags: codes; the "
                "object afterwards",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = importable_object(t);
  const auto data = t.random_bytes(kObjectBytes);
  object->put(t, data);
  const auto good = object->desc();
  // What is exported may lie in a larger object, so sizes are well beyond it.
  const uint64_t beyond = uint64_t{1} << 40;
  for (const uint64_t size : {uint64_t{0}, beyond, uint64_t{1} << 63, ~uint64_t{0}}) {
    auto desc = good;
    desc.size = size;
    expect_refused(t, desc, fmt::format("size {}", size));
  }
  for (const uint64_t offset :
       {good.size, good.size + 1, beyond, uint64_t{1} << 63, ~uint64_t{0} - 4095, ~uint64_t{0}}) {
    auto desc = good;
    desc.offset = offset;
    expect_refused(t, desc, fmt::format("offset {}", offset));
  }
  for (const uint32_t flags : {1u, 1u << 31, ~0u}) {
    auto desc = good;
    desc.flags = flags;
    void* pointer = sentinel<void>();
    EXPECT_RESULT("XHAL-ABI-11", xhal_memory_import_external(t.device(), &desc, &pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "flags {:#x}", flags);
  }
  const External memory(t, good);
  EXPECT_DATA("XHAL-INTEROP-10", data, t.read<uint8_t>(memory, kObjectBytes), "after the refusals");
}

}  // namespace
}  // namespace xhal::conformance
