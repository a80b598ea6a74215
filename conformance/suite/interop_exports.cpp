// SPDX-License-Identifier: Apache-2.0
// Memory that goes by descriptor.
#include <fcntl.h>

#include <algorithm>

#include "suite/interop_objects.h"

namespace xhal::conformance {
namespace {

// Numbers of descriptors that are taken, of the first thousands.
size_t open_descriptors() {
  size_t count = 0;
  for (int fd = 0; fd < 4096; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
  return count;
}

XHAL_TEST(external, refused_exports, .clauses = {"XHAL-INTEROP-11", "XHAL-ABI-14"},
          .observes = "null, unknown, ordinary and freed pointers, unknown types: codes and out-parameters",
          .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}) {
  Buffer memory = device_memory(t, kObjectBytes);
  int local = 0;
  const auto refused = [&](const void* pointer, uint32_t type, xhal_result_t code, const char* what) {
    int32_t fd = 12'345;
    uint64_t offset = 67'890;
    const xhal_result_t result = TRACED(xhal_memory_export_external(t.device(), pointer, type, &fd, &offset));
    // A type that the device does not export may be what is wrong first.
    EXPECT_CLAUSE("XHAL-INTEROP-11", result == code || refused_type(result), "{}, type {}: {}", what, type,
                  result_name(result));
    EXPECT_CLAUSE("XHAL-ABI-14", fd == 12'345 && offset == 67'890, "{}, type {}: {}, {}", what, type, fd,
                  offset);
  };
  for (const uint32_t type : {0u, 3u, ~0u})
    refused(memory, type, XHAL_ERROR_INVALID_ARGUMENT, "an unknown type");
  void* gone = device_memory(t, kObjectBytes).release();
  REQUIRE_OK(xhal_memory_free(t.device(), gone));
  for (const uint32_t type : {uint32_t{XHAL_EXTERNAL_DMA_BUF}, uint32_t{XHAL_EXTERNAL_OPAQUE_FD}}) {
    refused(nullptr, type, XHAL_ERROR_INVALID_POINTER, "null");
    refused(&local, type, XHAL_ERROR_INVALID_POINTER, "an address on the stack");
    refused(gone, type, XHAL_ERROR_INVALID_POINTER, "freed memory");
  }
}

XHAL_TEST(
    external, something_is_exported, .clauses = {"XHAL-INTEROP-11"},
    .observes =
        "exports of one allocation as every type: at least one succeeds, and what it gives can be imported",
    .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}) {
  bool any = false;
  for (const uint32_t type : {uint32_t{XHAL_EXTERNAL_DMA_BUF}, uint32_t{XHAL_EXTERNAL_OPAQUE_FD}}) {
    const auto object = exported_object(t, type);
    if (object == nullptr) continue;
    const auto desc = object->desc();
    void* pointer = nullptr;
    if (TRACED(xhal_memory_import_external(t.device(), &desc, &pointer)) != XHAL_SUCCESS) continue;
    any = true;
    REQUIRE_OK(xhal_memory_release_external(t.device(), pointer));
  }
  EXPECT_CLAUSE("XHAL-INTEROP-11", any,
                "the feature is claimed, and no type can be exported and imported again");
}

Cases types() { return grid({{"type", {"dma_buf", "opaque_fd"}}}); }

XHAL_TEST_P(external, exported_descriptors, types, .clauses = {"XHAL-INTEROP-11"},
            .observes =
                "two exports of one allocation: two descriptors, which the caller closes; the memory after "
                "both closes, "
                "exported again",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const uint32_t type = type_of(t.text("type"));
  auto object = exported_object(t, type);
  if (object == nullptr) Context::not_observable("the device does not export memory so");
  const auto data = t.random_bytes(kObjectBytes);
  t.write(*object->memory, data);
  for (int round = 0; round < 20; ++round) {
    int32_t fd = -1;
    uint64_t offset = 0;
    ASSERT_RESULT("XHAL-INTEROP-11",
                  xhal_memory_export_external(t.device(), *object->memory, type, &fd, &offset), XHAL_SUCCESS,
                  "round {}", round);
    Descriptor mine(fd);
    EXPECT_CLAUSE("XHAL-INTEROP-11", mine.is_open() && fd != object->fd->get(), "round {}: descriptor {}",
                  round, fd);
    EXPECT_VALUE("XHAL-INTEROP-11", offset, object->offset, "round {}", round);
    EXPECT_CLAUSE("XHAL-INTEROP-11", mine.reset(), "round {}: not the caller's to close", round);
  }
  EXPECT_CLAUSE("XHAL-INTEROP-11", object->fd->is_open(), "the first descriptor was closed with a later one");
  EXPECT_CLAUSE("XHAL-INTEROP-11", object->fd->reset(), "the first descriptor");
  EXPECT_DATA("XHAL-INTEROP-11", data, t.read<uint8_t>(*object->memory, kObjectBytes), "after all closes");
}

XHAL_TEST_P(external, memory_outlives_its_free, types, .clauses = {"XHAL-INTEROP-11"},
            .observes =
                "export, free, four new allocations of its size with other bytes: an import of the "
                "descriptor shows the old "
                "ones, and outlives the descriptor as well",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  const auto object = exported_object(t, type_of(t.text("type")));
  if (object == nullptr) Context::not_observable("the device does not export memory so");
  const auto data = t.random_bytes(kObjectBytes);
  t.write(*object->memory, data);
  REQUIRE_OK(xhal_memory_free(t.device(), object->memory->release()));
  std::vector<Buffer> others;
  for (uint8_t i = 0; i < 4; ++i) {
    others.push_back(device_memory(t, kObjectBytes));
    t.write(others.back(), std::vector<uint8_t>(kObjectBytes, i));
  }
  const auto desc = object->desc();
  void* pointer = nullptr;
  const xhal_result_t result = TRACED(xhal_memory_import_external(t.device(), &desc, &pointer));
  if (refused_type(result)) Context::not_observable("the device does not import what it exports so");
  REQUIRE_OK(result);
  EXPECT_DATA("XHAL-INTEROP-11", data, t.read<uint8_t>(pointer, kObjectBytes), "after the free");
  EXPECT_CLAUSE("XHAL-INTEROP-11", object->fd->reset(), "the descriptor");
  EXPECT_DATA("XHAL-INTEROP-11", data, t.read<uint8_t>(pointer, kObjectBytes),
              "after the free and the close");
  const auto later = t.random_bytes(kObjectBytes, 1);
  t.write(pointer, later);
  for (uint8_t i = 0; i < 4; ++i)
    EXPECT_DATA("XHAL-INTEROP-11", std::vector<uint8_t>(kObjectBytes, i),
                t.read<uint8_t>(others[i], kObjectBytes), "memory that came after the free");
  EXPECT_RESULT("XHAL-INTEROP-11", xhal_memory_release_external(t.device(), pointer), XHAL_SUCCESS);
}

XHAL_TEST_P(
    external, exported_beside_held_work, types, .clauses = {"XHAL-INTEROP-11", "XHAL-ERROR-1"},
    .observes =
        "an export while a stream is held and four others are idle, which may be refused as busy: the "
        "bytes of what is imported of it, and work that all five streams take afterwards",
    .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .isolated = true, .may_be_unobservable = true) {
  const uint32_t type = type_of(t.text("type"));
  const auto data = t.random_bytes(kObjectBytes);
  const Buffer memory = device_memory(t, kObjectBytes);
  t.write(memory, data);
  std::vector<Stream> streams;
  std::vector<Marker> markers;
  for (int i = 0; i < 5; ++i) {
    streams.emplace_back(t);
    markers.emplace_back(t);
  }
  Gate gate(t, streams[2]);
  int32_t fd = -1;
  uint64_t offset = 0;
  const xhal_result_t result = TRACED(xhal_memory_export_external(t.device(), memory, type, &fd, &offset));
  if (refused_type(result)) Context::not_observable("the device does not export memory so");
  // Some systems let nobody move memory into a file of its own under work that may write there.
  EXPECT_CLAUSE("XHAL-INTEROP-11", result == XHAL_SUCCESS || result == XHAL_ERROR_BUSY, "{}",
                result_name(result));
  // Whatever it said, no stream is the worse for it.
  for (size_t i = 0; i < streams.size(); ++i) markers[i].fill_on(t, streams[i]);
  gate.open();
  for (size_t i = 0; i < streams.size(); ++i) {
    EXPECT_RESULT("XHAL-ERROR-1", xhal_stream_synchronize(streams[i], t.patience()), XHAL_SUCCESS,
                  "stream {}", i);
    EXPECT_CLAUSE("XHAL-ERROR-1", markers[i].filled(), "stream {}: {}", i, markers[i].shown());
  }
  EXPECT_DATA("XHAL-INTEROP-11", data, t.read<uint8_t>(memory, kObjectBytes), "in the exporter's memory");
  if (result != XHAL_SUCCESS) {
    t.note("refused while work is under way");
    return;
  }
  const Descriptor mine(fd);
  xhal_external_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.type = type;
  desc.fd = mine.get();
  desc.size = offset + kObjectBytes;
  desc.offset = offset;
  void* pointer = nullptr;
  const xhal_result_t imported = TRACED(xhal_memory_import_external(t.device(), &desc, &pointer));
  if (refused_type(imported)) return;
  REQUIRE_OK(imported);
  EXPECT_DATA("XHAL-INTEROP-11", data, t.read<uint8_t>(pointer, kObjectBytes), "through the descriptor");
  EXPECT_RESULT("XHAL-INTEROP-11", xhal_memory_release_external(t.device(), pointer), XHAL_SUCCESS);
}

// ---- What stays ------------------------------------------------------------------------------------------

XHAL_TEST_P(external, nothing_is_kept_for_good, types, .clauses = {"XHAL-INTEROP-9", "XHAL-INTEROP-11"},
            .observes =
                "a quarter of the free memory, exported once: six hundred times two imports of it and their "
                "releases; then two hundred exports of which each is closed: results, and the number of open "
                "descriptors",
            .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .isolated = true, .may_be_unobservable = true) {
  const uint32_t type = type_of(t.text("type"));
  const uint64_t size = part_of_free_memory(t, 4);
  const Buffer memory = device_memory(t, size);
  int32_t fd = -1;
  uint64_t offset = 0;
  const xhal_result_t exported = TRACED(xhal_memory_export_external(t.device(), memory, type, &fd, &offset));
  if (refused_type(exported)) Context::not_observable("the device does not export memory so");
  REQUIRE_OK(exported);
  const Descriptor whole(fd);
  xhal_external_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.type = type;
  desc.fd = whole.get();
  desc.size = offset + size;
  desc.offset = offset;
  bool is_taken = true;
  for (int round = 0; round < 600 && is_taken; ++round) {
    void* pointers[2] = {};
    for (void*& pointer : pointers) {
      const xhal_result_t result = TRACED(xhal_memory_import_external(t.device(), &desc, &pointer));
      is_taken = round != 0 || !refused_type(result);
      if (!is_taken) break;
      ASSERT_RESULT("XHAL-INTEROP-9", result, XHAL_SUCCESS, "import {}: releases gave nothing back", round);
    }
    for (void* pointer : pointers) {
      if (pointer != nullptr) REQUIRE_OK(xhal_memory_release_external(t.device(), pointer));
    }
  }

  constexpr size_t kExports = 200;
  const size_t before = open_descriptors();
  for (size_t round = 0; round < kExports; ++round) {
    ASSERT_RESULT("XHAL-INTEROP-11", xhal_memory_export_external(t.device(), memory, type, &fd, &offset),
                  XHAL_SUCCESS, "export {}", round);
    EXPECT_CLAUSE("XHAL-INTEROP-11", Descriptor(fd).reset(), "export {}", round);
  }
  // A driver may keep some for itself, but not one for each of the caller's.
  const size_t after = open_descriptors();
  EXPECT_CLAUSE("XHAL-INTEROP-11", after < before + kExports / 2,
                "{} descriptors were open before {} exports that the caller closed, and {} are after them",
                before, kExports, after);
}

}  // namespace
}  // namespace xhal::conformance
