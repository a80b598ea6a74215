// SPDX-License-Identifier: Apache-2.0
// Memory that two processes share: what each sees, how the bytes travel, what may be exported, what an import is. Every test of two
// processes is alone in its process, because the other one is forked before anything is active.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kCells = 1000;
constexpr uint64_t kRounds = 6;

// Carries the bytes as the test's parameter says, and back to where nobody would lay a struct.
void send_by(Context& t, Line& line, const Message& bytes) {
  if (t.text("transport") == "line") return line.send(bytes);
  const int file = memfd_create("handle", MFD_CLOEXEC);
  const auto size = static_cast<ssize_t>(bytes.size());
  if (file < 0 || write(file, bytes.data(), bytes.size()) != size)
    Context::inconclusive("no file for the bytes");
  // By name, so that what arrives is the file's bytes and nothing that a descriptor might carry along.
  line.send(fmt::format("/proc/{}/fd/{}", getpid(), file));
  line.expect("read");
  close(file);
}

Message receive_by(Context& t, Line& line) {
  Message got = line.receive();
  if (t.text("transport") == "line") return got;
  const int file = open(std::string(got.begin(), got.end()).c_str(), O_RDONLY | O_CLOEXEC);
  Message bytes(Line::kLongest);
  const ssize_t length = file < 0 ? -1 : read(file, bytes.data(), bytes.size());
  if (length < 0) Context::inconclusive("the file with the bytes cannot be read");
  bytes.resize(static_cast<size_t>(length));
  close(file);
  line.send("read");
  return bytes;
}

// One side of the exchange: its steps of the history are the odd or the even ones, and it looks at each of the other's.
void exchange(Context& t, Line& line, void* cells, bool first) {
  Stream stream(t);
  auto expected = t.random_u64(kCells);
  for (uint64_t round = 0; round < kRounds; ++round) {
    const bool mine = (round % 2 == 0) == first;
    if (!mine) line.expect("written");
    if (mine) fold_cells(t, stream, cells, 100 + round, kCells);
    expected = oracle::fold_u64(expected, 100 + round, kCells);
    EXPECT_DATA("XHAL-IPC-1", expected, t.read<uint64_t>(cells, kCells), "after step {} of the {}", round,
                mine == first ? "exporter or importer itself" : "other process");
    if (mine) line.send("written");
  }
}

void exporter_of_cells(Context& t, Peer& peer) {
  const Buffer memory = device_memory(t, kCells * sizeof(uint64_t));
  t.write(memory, t.random_u64(kCells));
  send_by(t, peer, exported_memory(t, memory));
  peer.expect("imported");
  exchange(t, peer, memory, true);
  peer.expect("closed");
}

Cases transports() { return grid({{"transport", {"line", "file"}}}); }

XHAL_TEST_P(
    ipc, both_directions, transports, .clauses = {"XHAL-IPC-1", "XHAL-IPC-2"},
    .observes =
        "six steps of a history of the same cells, by the exporter and the importer in turn; the bytes came "
        "through a socket or a file and lie at an odd address",
    .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_of_cells);
  const Message bytes = receive_by(t, exporter);
  ASSERT_VALUE("XHAL-IPC-2", bytes.size(), t.properties().ipc_handle_bytes);
  const AtTheEdge odd(t, bytes);
  void* pointer = nullptr;
  ASSERT_RESULT("XHAL-IPC-2", xhal_ipc_import_memory(t.device(), odd.get(), bytes.size(), &pointer),
                XHAL_SUCCESS, "from read-only memory at the end of a page");
  ASSERT_CLAUSE("XHAL-IPC-1", pointer != nullptr, "a success without an address");
  exporter.send("imported");
  exchange(t, exporter, pointer, false);
  EXPECT_RESULT("XHAL-IPC-1", xhal_ipc_close_memory(t.device(), pointer), XHAL_SUCCESS);
  exporter.send("closed");
  exporter.finish();
}

// ---- What may be exported -------------------------------------------------------------------------------

XHAL_TEST(
    ipc, refused_exports, .clauses = {"XHAL-IPC-3", "XHAL-ABI-14"},
    .observes =
        "interior, freed, pinned and unknown pointers and null: the code and the bytes that were not written",
    .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  const size_t size = t.properties().ipc_handle_bytes;
  const Message before(size + 64, 0xA5);
  Message bytes = before;
  const auto refused = [&](const void* pointer, const char* what) {
    EXPECT_RESULT("XHAL-IPC-3", xhal_ipc_export_memory(t.device(), pointer, bytes.size(), bytes.data()),
                  XHAL_ERROR_INVALID_POINTER, "{}", what);
    EXPECT_DATA("XHAL-ABI-14", before, bytes, "{}", what);
  };
  Buffer memory = device_memory(t, 4096);
  const Buffer pinned = pinned_memory(t, 4096);
  int local = 0;
  refused(memory.at(1), "interior, offset 1");
  refused(memory.at(256), "interior, offset 256");
  refused(memory.at(4095), "the last byte");
  refused(&local, "an address on the stack");
  refused(t.host_bytes(64).data(), "ordinary host memory");
  refused(nullptr, "null");
  refused(reinterpret_cast<void*>(uintptr_t{16}), "address 16");
  refused(pinned, "pinned memory");
  void* gone = memory.release();
  REQUIRE_OK(xhal_memory_free(t.device(), gone));
  refused(gone, "freed memory");
}

XHAL_TEST(
    ipc, capacity, .clauses = {"XHAL-IPC-2", "XHAL-IPC-3", "XHAL-ABI-14"},
    .observes = "every capacity below the size of a handle, the size itself and more: code and bytes written",
    .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  const Buffer memory = device_memory(t, 4096);
  const size_t size = t.properties().ipc_handle_bytes;
  ASSERT_CLAUSE("XHAL-IPC-2", size > 0, "handles of no bytes");
  const Message before(size + 64, 0xA5);
  for (size_t capacity = 0; capacity < size; ++capacity) {
    Message bytes = before;
    EXPECT_RESULT("XHAL-IPC-3", xhal_ipc_export_memory(t.device(), memory, capacity, bytes.data()),
                  XHAL_ERROR_LIMIT_EXCEEDED, "capacity {}", capacity);
    EXPECT_DATA("XHAL-ABI-14", before, bytes, "capacity {}", capacity);
  }
  for (const uint64_t capacity : {uint64_t{size}, uint64_t{size} + 1, ~uint64_t{0}}) {
    Message bytes = before;
    EXPECT_RESULT("XHAL-IPC-2", xhal_ipc_export_memory(t.device(), memory, capacity, bytes.data()),
                  XHAL_SUCCESS, "capacity {}", capacity);
    EXPECT_DATA("XHAL-IPC-2", std::vector<uint8_t>(64, 0xA5),
                std::vector<uint8_t>(bytes.begin() + static_cast<std::ptrdiff_t>(size), bytes.end()),
                "bytes behind the handle, capacity {}", capacity);
  }
}

XHAL_TEST(ipc, export_on_another_device, .clauses = {"XHAL-IPC-3"},
          .observes = "an export by device 1 of device 0's memory", .needs = {XHAL_FEATURE_IPC_MEMORY},
          .devices = 2) {
  const Buffer memory = device_memory(t, 4096);
  Message bytes(std::max(t.properties(0).ipc_handle_bytes, t.properties(1).ipc_handle_bytes));
  const xhal_result_t expected =
      t.claims(XHAL_FEATURE_IPC_MEMORY, 1) ? XHAL_ERROR_INVALID_POINTER : XHAL_ERROR_UNSUPPORTED;
  EXPECT_RESULT("XHAL-IPC-3", xhal_ipc_export_memory(t.device(1), memory, bytes.size(), bytes.data()),
                expected);
}

// ---- What an import is ----------------------------------------------------------------------------------

constexpr size_t kOddSize = 10'007;

void exporter_of_odd_size(Context& t, Peer& peer) {
  const Buffer memory = device_memory(t, kOddSize);
  t.write(memory, t.random_bytes(kOddSize));
  const Message bytes = exported_memory(t, memory);
  EXPECT_VALUE("XHAL-IPC-8", attributes_of(t, memory).is_imported, 0u, "the exporter's own");
  peer.send(bytes);
  peer.expect("closed");
  EXPECT_DATA("XHAL-IPC-8", t.random_bytes(kOddSize), t.read<uint8_t>(memory, kOddSize),
              "refused calls of the importer wrote");
}

XHAL_TEST(ipc, imported_attributes, .clauses = {"XHAL-IPC-8", "XHAL-IPC-3", "XHAL-MEMORY-12"},
          .observes =
              "attributes at the base, inside and behind an import of odd size; its export, its free, and "
              "copies one byte "
              "too far",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_of_odd_size);
  Message bytes = exporter.receive();
  Imported memory(t, bytes);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{4097}, uint64_t{kOddSize - 1}}) {
    const auto a = attributes_of(t, memory.at(offset));
    EXPECT_VALUE("XHAL-IPC-8", a.kind, uint32_t{XHAL_MEMORY_DEVICE}, "offset {}", offset);
    EXPECT_VALUE("XHAL-IPC-8", a.is_imported, 1u, "offset {}", offset);
    EXPECT_VALUE("XHAL-IPC-8", a.size, kOddSize, "offset {}", offset);
    EXPECT_VALUE("XHAL-IPC-8", a.base, static_cast<void*>(memory), "offset {}", offset);
    EXPECT_VALUE("XHAL-IPC-8", a.device_index, t.properties().index, "offset {}", offset);
    EXPECT_CLAUSE("XHAL-IPC-8", a.allocation_id != 0, "offset {}: no id", offset);
  }
  EXPECT_CLAUSE("XHAL-IPC-8", attributes_of(t, memory.at(kOddSize)).base != static_cast<void*>(memory),
                "the import is told beyond its end");
  Stream stream(t);
  const auto room = t.host_bytes(kOddSize + 16, 0x5C);
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, room.data(), memory, kOddSize + 1),
                XHAL_ERROR_OUT_OF_RANGE, "read one byte too far");
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_copy(stream, memory.at(kOddSize - 15), room.data(), 16),
                XHAL_ERROR_OUT_OF_RANGE, "written one byte too far");
  EXPECT_RESULT("XHAL-MEMORY-12", xhal_memory_fill(stream, memory.at(1), 0, 1, kOddSize),
                XHAL_ERROR_OUT_OF_RANGE, "filled one byte too far");
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_RESULT("XHAL-IPC-3", xhal_ipc_export_memory(t.device(), memory, bytes.size(), bytes.data()),
                XHAL_ERROR_INVALID_POINTER, "an import exported again");
  EXPECT_DATA("XHAL-IPC-8", t.random_bytes(kOddSize), t.read<uint8_t>(memory, kOddSize));
  memory.reset();
  exporter.send("closed");
  exporter.finish();
}

// ---- Counting -------------------------------------------------------------------------------------------

// Imports, uses and closes the same bytes; true to the contract in the exporting process and in another one.
void check_counting(Context& t, const Message& bytes, void* own) {
  constexpr size_t kImports = 3;
  const auto data = t.random_bytes(kOddSize);
  std::vector<void*> pointers;
  for (size_t i = 0; i < kImports; ++i) {
    void* pointer = nullptr;
    ASSERT_RESULT("XHAL-IPC-5", xhal_ipc_import_memory(t.device(), bytes.data(), bytes.size(), &pointer),
                  XHAL_SUCCESS, "import {}", i);
    pointers.push_back(pointer);
    EXPECT_VALUE("XHAL-IPC-5", pointer, own != nullptr ? own : pointers.front(), "import {}", i);
  }
  for (size_t left = kImports; left-- > 0;) {
    ASSERT_VALUE("XHAL-IPC-5", attributes_of(t, pointers.front()).kind, uint32_t{XHAL_MEMORY_DEVICE},
                 "with {} imports left", left + 1);
    EXPECT_DATA("XHAL-IPC-5", data, t.read<uint8_t>(pointers.front(), kOddSize), "with {} imports left",
                left + 1);
    EXPECT_RESULT("XHAL-IPC-5",
                  xhal_ipc_close_memory(t.device(), static_cast<uint8_t*>(pointers.front()) + 1),
                  XHAL_ERROR_INVALID_POINTER, "close of an interior pointer");
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), pointers.front()), XHAL_SUCCESS,
                  "with {} left", left);
  }
  EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), pointers.front()), XHAL_ERROR_INVALID_POINTER,
                "one close too many");
}

XHAL_TEST(
    ipc, own_handle_counts, .clauses = {"XHAL-IPC-5"},
    .observes =
        "three imports and four closes in the exporting process; the address, and the memory after each",
    .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  const Buffer memory = device_memory(t, kOddSize);
  t.write(memory, t.random_bytes(kOddSize));
  const Message bytes = exported_memory(t, memory);
  check_counting(t, bytes, memory);
  EXPECT_DATA("XHAL-IPC-5", t.random_bytes(kOddSize), t.read<uint8_t>(memory, kOddSize),
              "the exporter's memory after the last close");
  int local = 0;
  for (void* pointer : {static_cast<void*>(nullptr), static_cast<void*>(&local), memory.get()}) {
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), pointer), XHAL_ERROR_INVALID_POINTER,
                  "close of what was never imported");
  }
}

XHAL_TEST(ipc, imports_count, .clauses = {"XHAL-IPC-5", "XHAL-IPC-8"},
          .observes =
              "three imports and four closes in another process: one address, the bytes after each close but "
              "the last, the "
              "codes after it; a free in a close's place",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_of_odd_size);
  const Message bytes = exporter.receive();
  check_counting(t, bytes, nullptr);
  Imported memory(t, bytes);
  EXPECT_RESULT("XHAL-IPC-5", xhal_memory_free(t.device(), memory), XHAL_ERROR_INVALID_POINTER,
                "an import is closed, not freed");
  EXPECT_DATA("XHAL-IPC-5", t.random_bytes(kOddSize), t.read<uint8_t>(memory, kOddSize),
              "after the refused free");
  void* gone = memory.release();
  REQUIRE_OK(xhal_ipc_close_memory(t.device(), gone));
  EXPECT_VALUE("XHAL-IPC-5", attributes_of(t, gone).is_imported, 0u, "told as imported after the last close");
  const xhal_pointer_attributes_t now = attributes_of(t, gone);
  if (now.kind == XHAL_MEMORY_UNMANAGED) {
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), gone), XHAL_ERROR_INVALID_POINTER,
                  "closed twice");
  }
  exporter.send("closed");
  exporter.finish();
}

XHAL_TEST(ipc, imports_from_several_threads, .clauses = {"XHAL-IPC-5", "XHAL-IPC-8"},
          .observes = "eight threads import the same bytes at once: one address, eight closes, no ninth",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  constexpr size_t kThreads = 8;
  OtherProcess exporter(t, exporter_of_odd_size);
  const Message bytes = exporter.receive();
  t.prepare(0);
  std::vector<void*> pointers(kThreads, nullptr);
  run_threads(kThreads, [&](size_t i) {
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_import_memory(t.device(), bytes.data(), bytes.size(), &pointers[i]),
                  XHAL_SUCCESS, "thread {}", i);
  });
  for (void* pointer : pointers)
    ASSERT_VALUE("XHAL-IPC-5", pointer, pointers.front(), "threads got several addresses");
  EXPECT_DATA("XHAL-IPC-5", t.random_bytes(kOddSize), t.read<uint8_t>(pointers.front(), kOddSize));
  run_threads(kThreads, [&](size_t i) {
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), pointers[i]), XHAL_SUCCESS, "thread {}", i);
  });
  EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), pointers.front()), XHAL_ERROR_INVALID_POINTER,
                "one close too many");
  exporter.send("closed");
  exporter.finish();
}

}  // namespace
}  // namespace xhal::conformance
