// SPDX-License-Identifier: Apache-2.0
// What is over in the exporting process: freed memory that another process still has, memory of before a reset, destroyed events. And
// who may end or open it: the device that it is of, and no other one.
#include <algorithm>

#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kBytes = 3 << 20;

// ---- Frees with importers -------------------------------------------------------------------------------

// Imports what it is sent, keeps it until it is told, and looks at it once more before it lets go.
void importer_in_turn(Context& t, Peer& peer) {
  t.prepare(0);
  peer.send("ready");
  for (;;) {
    const Message bytes = peer.receive();
    const std::string_view word(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    if (word == "done") return;
    Imported memory(t, bytes);
    peer.send("imported");
    const auto expected = peer.receive_value<uint64_t>();
    EXPECT_VALUE("XHAL-IPC-6", t.read<uint64_t>(memory, 1).front(), expected, "behind the exporter's free");
    EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), memory.release()), XHAL_SUCCESS);
    peer.send("closed");
  }
}

XHAL_TEST(
    ipc, freed_before_the_last_close, .clauses = {"XHAL-IPC-6"},
    .observes =
        "sixteen rounds of allocate a quarter of the free memory, export, import by another process, "
        "free, and only then the close: the importer has its bytes until then, and no round runs out of "
        "memory",
    .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  constexpr uint64_t kRounds = 16;
  OtherProcess importer(t, importer_in_turn);
  importer.expect("ready");
  t.prepare(0);
  const uint64_t size = part_of_free_memory(t, 4);
  for (uint64_t round = 0; round < kRounds; ++round) {
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size);
    void* memory = nullptr;
    xhal_result_t result = XHAL_SUCCESS;
    // That another process has closed may be known a moment later.
    const bool is_known = t.eventually([&] {
      result = TRACED(xhal_memory_allocate(t.device(), &desc, &memory));
      return result != XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
    });
    ASSERT_CLAUSE("XHAL-IPC-6", is_known && result == XHAL_SUCCESS,
                  "round {}: {}; earlier rounds gave nothing back", round, result_name(result));
    t.write(memory, std::vector<uint64_t>{1000 + round});
    importer.send(exported_memory(t, memory));
    importer.expect("imported");
    ASSERT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory), XHAL_SUCCESS, "round {}", round);
    importer.send_value(1000 + round);
    importer.expect("closed");
  }
  importer.send("done");
  importer.finish();
}

void importer_that_dies(Context& t, Peer& peer) {
  t.prepare(0);
  peer.send("ready");
  const Imported memory(t, peer.receive());
  peer.send("imported");
  peer.expect("never said");
}

XHAL_TEST(
    ipc, importers_die_behind_the_free, .clauses = {"XHAL-IPC-6"},
    .observes =
        "two quarters of the free memory, each imported by a process, are freed, and then the processes "
        "are killed: all but a quarter of the memory can be had at once",
    .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess first(t, importer_that_dies);
  OtherProcess second(t, importer_that_dies);
  for (OtherProcess* importer : {&first, &second}) importer->expect("ready");
  t.prepare(0);
  const uint64_t before = free_bytes(t);
  const uint64_t size = part_of_free_memory(t, 4);
  for (OtherProcess* importer : {&first, &second}) {
    Buffer memory = device_memory(t, size);
    importer->send(exported_memory(t, memory));
    importer->expect("imported");
    ASSERT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS);
  }
  for (OtherProcess* importer : {&first, &second}) importer->kill();
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size);
  const uint64_t wanted = before / size - 1;
  std::vector<void*> pieces;
  // That another process is gone may be known a moment later.
  static_cast<void>(t.eventually([&] {
    void* memory = nullptr;
    if (TRACED(xhal_memory_allocate(t.device(), &desc, &memory)) == XHAL_SUCCESS) pieces.push_back(memory);
    return pieces.size() == wanted;
  }));
  EXPECT_VALUE("XHAL-IPC-6", pieces.size(), wanted, "pieces of {} bytes, of {} that were free", size, before);
  for (void* memory : pieces) REQUIRE_OK(xhal_memory_free(t.device(), memory));
}

// Has an import of its own beside the other process's; its free and its close are over while that one still has the memory.
void exporter_with_an_import_of_its_own(Context& t, Peer& peer) {
  Buffer memory = device_memory(t, kBytes);
  t.write(memory, t.random_bytes(kBytes));
  const Message bytes = exported_memory(t, memory);
  Imported own(t, bytes);
  peer.send(bytes);
  peer.expect("imported");
  EXPECT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS,
                "the exporter's free while it is imported twice");
  EXPECT_DATA("XHAL-IPC-6", t.random_bytes(kBytes), t.read<uint8_t>(own, kBytes),
              "the exporter's own import");
  EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), own.release()), XHAL_SUCCESS);
  // What takes this close for the last one gives the same place out again.
  std::vector<Buffer> others;
  for (size_t i = 0; i < 6; ++i) {
    others.push_back(device_memory(t, kBytes));
    t.write(others.back(), std::vector<uint8_t>(kBytes, static_cast<uint8_t>(0xE0 + i)));
  }
  peer.send("closed");
  peer.expect("written");
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_DATA("XHAL-IPC-6", std::vector<uint8_t>(kBytes, static_cast<uint8_t>(0xE0 + i)),
                t.read<uint8_t>(others[i], kBytes), "memory that came after the free and the own close");
  }
}

XHAL_TEST(
    ipc, own_close_is_not_the_last, .clauses = {"XHAL-IPC-6"},
    .observes =
        "the exporter frees, closes an import of its own, allocates six times as much and fills it: "
        "the other importer still reads the old bytes, and what it writes then hits none of the new ones",
    .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_with_an_import_of_its_own);
  Imported memory(t, exporter.receive());
  exporter.send("imported");
  exporter.expect("closed");
  EXPECT_DATA("XHAL-IPC-6", t.random_bytes(kBytes), t.read<uint8_t>(memory, kBytes),
              "after the exporter's free and its own close");
  const auto other = t.random_bytes(kBytes, 1);
  t.write(memory, other);
  EXPECT_DATA("XHAL-IPC-6", other, t.read<uint8_t>(memory, kBytes));
  exporter.send("written");
  exporter.finish();
  EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), memory.release()), XHAL_SUCCESS);
}

// ---- Other devices --------------------------------------------------------------------------------------

void exporter_of_device_0(Context& t, Peer& peer) {
  const Buffer memory = device_memory(t, kBytes);
  t.write(memory, t.random_bytes(kBytes));
  peer.send(exported_memory(t, memory));
  peer.expect("looked");
}

Cases exporters() { return grid({{"exporter", {"this", "another"}}}); }

XHAL_TEST_P(ipc, import_by_another_device, exporters, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
            .observes =
                "bytes of device 0's memory, of this process or of another one, given to device 1: the code "
                "and the pointer; the same bytes given to device 0 afterwards",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .devices = 2, .isolated = true) {
  std::unique_ptr<OtherProcess> other;
  std::unique_ptr<Buffer> own;
  Message bytes;
  if (t.text("exporter") == "another") {
    other = std::make_unique<OtherProcess>(t, exporter_of_device_0);
    bytes = other->receive();
  } else {
    own = std::make_unique<Buffer>(device_memory(t, kBytes));
    t.write(*own, t.random_bytes(kBytes));
    bytes = exported_memory(t, *own);
  }
  void* pointer = sentinel<void>();
  const xhal_result_t result =
      TRACED(xhal_ipc_import_memory(t.device(1), bytes.data(), bytes.size(), &pointer));
  const xhal_result_t expected =
      t.claims(XHAL_FEATURE_IPC_MEMORY, 1) ? XHAL_ERROR_INVALID_ARGUMENT : XHAL_ERROR_UNSUPPORTED;
  EXPECT_VALUE("XHAL-IPC-4", result_name(result), result_name(expected), "device 0's memory at device 1");
  if (result == XHAL_SUCCESS) {
    TRACED(xhal_ipc_close_memory(t.device(1), pointer));
  } else {
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>());
  }
  {
    const Imported memory(t, bytes);
    EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes), t.read<uint8_t>(memory, kBytes), "at device 0");
  }
  if (other == nullptr) return;
  other->send("looked");
  other->finish();
}

XHAL_TEST(ipc, ends_by_another_device, .clauses = {"XHAL-IPC-5", "XHAL-MEMORY-5"},
          .observes =
              "exported memory of device 0, imported in its own process: its free and its close by device 1; "
              "the bytes, then the free and the close by device 0",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .devices = 2) {
  const auto data = t.random_bytes(kBytes);
  Buffer memory = device_memory(t, kBytes);
  t.write(memory, data);
  const Message bytes = exported_memory(t, memory);
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(1), memory), XHAL_ERROR_INVALID_POINTER,
                "exported memory freed by another device");
  EXPECT_VALUE("XHAL-MEMORY-5", attributes_of(t, memory).kind, uint32_t{XHAL_MEMORY_DEVICE},
               "after the refused free");
  Imported own(t, bytes);
  if (t.claims(XHAL_FEATURE_IPC_MEMORY, 1)) {
    EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(1), own), XHAL_ERROR_INVALID_POINTER,
                  "closed by a device that did not import it");
  }
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(1), memory), XHAL_ERROR_INVALID_POINTER,
                "exported and imported memory freed by another device");
  EXPECT_DATA("XHAL-MEMORY-5", data, t.read<uint8_t>(memory, kBytes), "after the refusals");
  EXPECT_RESULT("XHAL-MEMORY-5", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-IPC-5", data, t.read<uint8_t>(own, kBytes), "with one import left");
  EXPECT_RESULT("XHAL-IPC-5", xhal_ipc_close_memory(t.device(), own.release()), XHAL_SUCCESS);
}

// ---- Outlived bytes -------------------------------------------------------------------------------------

XHAL_TEST(ipc, bytes_of_before_a_reset,
          .clauses = {"XHAL-IPC-4", "XHAL-IPC-5", "XHAL-ERROR-12", "XHAL-ABI-14"},
          .observes =
              "in the exporting process: bytes of memory that a reset of the device ended, before and after "
              "its free, and those of new memory",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true, .may_be_unobservable = true) {
  if (t.properties().fault_recovery != XHAL_RECOVERY_RESET)
    Context::not_observable("the device does not declare reset");
  void* memory = device_memory(t, kBytes).release();
  const Message bytes = exported_memory(t, memory);
  ASSERT_RESULT("XHAL-ERROR-12", xhal_device_reset(t.device()), XHAL_SUCCESS);
  const auto refused = [&](const char* when) {
    void* pointer = sentinel<void>();
    EXPECT_RESULT("XHAL-IPC-4", xhal_ipc_import_memory(t.device(), bytes.data(), bytes.size(), &pointer),
                  XHAL_ERROR_INVALID_ARGUMENT, "{}", when);
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "{}", when);
  };
  refused("after the reset");
  EXPECT_RESULT("XHAL-ERROR-12", xhal_memory_free(t.device(), memory), XHAL_SUCCESS);
  refused("after the free, too");
  const Buffer fresh = device_memory(t, kBytes);
  const Imported own(t, exported_memory(t, fresh));
  EXPECT_VALUE("XHAL-IPC-5", static_cast<void*>(own), fresh.get(), "new memory");
}

// Two lives of an event: destroyed before anybody had it, and after somebody had it and let go.
void exporter_of_events(Context& t, Peer& peer) {
  for (int life = 0; life < 2; ++life) {
    Event event(t, XHAL_EVENT_IPC);
    Stream stream(t);
    REQUIRE_OK(xhal_event_record(event, stream, 0));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    peer.send(exported_event(t, event));
    peer.expect("seen");
    REQUIRE_OK(xhal_event_destroy(event.release()));
    const Event next(t, XHAL_EVENT_IPC);
    static_cast<void>(exported_event(t, next));
    peer.send("destroyed");
    peer.expect("looked");
  }
}

XHAL_TEST(ipc, bytes_of_a_destroyed_event, .clauses = {"XHAL-IPC-4", "XHAL-IPC-9", "XHAL-ABI-14"},
          .observes =
              "bytes of an event that its exporter has destroyed, in the exporting process and in another "
              "one, with and without an import before: the code and the handle",
          .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  OtherProcess exporter(t, exporter_of_events);
  const auto refused = [&](const Message& bytes, const std::string& what) {
    xhal_event_t event = sentinel<xhal_event_s>();
    const xhal_result_t result =
        TRACED(xhal_ipc_import_event(t.device(), bytes.data(), bytes.size(), &event));
    EXPECT_VALUE("XHAL-IPC-4", result_name(result), result_name(XHAL_ERROR_INVALID_ARGUMENT), "{}", what);
    if (result == XHAL_SUCCESS) {
      TRACED(xhal_event_destroy(event));
    } else {
      EXPECT_VALUE("XHAL-ABI-14", event, sentinel<xhal_event_s>(), "{}", what);
    }
  };
  for (int life = 0; life < 2; ++life) {
    const Message bytes = exporter.receive();
    if (life == 1) {
      const ImportedEvent event(t, bytes);
      EXPECT_RESULT("XHAL-IPC-9", xhal_event_query(event), XHAL_SUCCESS, "while the exporter has it");
    }
    exporter.send("seen");
    exporter.expect("destroyed");
    refused(bytes, fmt::format("another process's event, life {}", life));
    exporter.send("looked");
  }
  exporter.finish();
  Event event(t, XHAL_EVENT_IPC);
  const Message bytes = exported_event(t, event);
  event.reset();
  refused(bytes, "an event of this process");
}

}  // namespace
}  // namespace xhal::conformance
