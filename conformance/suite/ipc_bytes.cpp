// SPDX-License-Identifier: Apache-2.0
// The bytes of a handle come from anywhere: altered, cut, mixed, made up, outlived. None opens anything, none crashes.
#include <algorithm>

#include "frame/random.h"
#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kBytes = 5000;

// What holds handles for another process to spoil: two allocations, so that a spoilt handle of one might open the other.
struct Wares {
  Buffer first;
  Buffer second;
  Message handle;
  Message other_handle;

  explicit Wares(Context& t) : first(device_memory(t, kBytes)), second(device_memory(t, kBytes)) {
    t.write(first, t.random_bytes(kBytes, 1));
    t.write(second, t.random_bytes(kBytes, 2));
    handle = exported_memory(t, first);
    other_handle = exported_memory(t, second);
  }
};

void exporter_of_two(Context& t, Peer& peer) {
  const Wares wares(t);
  peer.send(wares.handle);
  peer.send(wares.other_handle);
  peer.expect("done");
  EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 1), t.read<uint8_t>(wares.first, kBytes));
  EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 2), t.read<uint8_t>(wares.second, kBytes));
}

// The handles and whose they are: of this process or of another one, as the test's parameter "exporter" says.
class Handles {
 public:
  explicit Handles(Context& t) : t_(t) {
    if (t.text("exporter") == "another") {
      other_ = std::make_unique<OtherProcess>(t, exporter_of_two);
      first = other_->receive();
      second = other_->receive();
    } else {
      own_ = std::make_unique<Wares>(t);
      first = own_->handle;
      second = own_->other_handle;
    }
  }

  // The bytes as they came still work, and the memory is as it was.
  void finish() {
    Context& t = t_;
    {
      const Imported one(t, first);
      const Imported two(t, second);
      EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 1), t.read<uint8_t>(one, kBytes),
                  "the true bytes afterwards");
      EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 2), t.read<uint8_t>(two, kBytes),
                  "the true bytes afterwards");
    }
    if (other_ == nullptr) return;
    other_->send("done");
    other_->finish();
  }

  Message first;
  Message second;

 private:
  Context& t_;
  std::unique_ptr<OtherProcess> other_;
  std::unique_ptr<Wares> own_;
};

// Bytes that must open nothing; they end at the edge of a page, so that nothing behind `size` can be read by mistake.
bool expect_refused(Context& t, std::span<const uint8_t> bytes, uint64_t size, const std::string& what) {
  void* pointer = sentinel<void>();
  note_call("xhal_ipc_import_memory(device, spoilt bytes, size, &pointer)");
  const xhal_result_t result = xhal_ipc_import_memory(t.device(), bytes.data(), size, &pointer);
  const bool held =
      EXPECT_VALUE("XHAL-IPC-4", result_name(result), result_name(XHAL_ERROR_INVALID_ARGUMENT), "{}", what);
  if (result == XHAL_SUCCESS) {
    TRACED(xhal_ipc_close_memory(t.device(), pointer));
  } else {
    EXPECT_VALUE("XHAL-ABI-14", pointer, sentinel<void>(), "{}", what);
  }
  return held;
}

Cases exporters() { return grid({{"exporter", {"this", "another"}}}); }

XHAL_TEST_P(ipc, flipped_bits, exporters, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
            .observes =
                "every bit of a handle flipped in turn, and every byte inverted and set to zero: the code; "
                "the true bytes "
                "afterwards",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  Handles handles(t);
  for (size_t i = 0; i < handles.first.size(); ++i) {
    bool held = true;
    const uint8_t byte = handles.first[i];
    const auto with = [&](uint8_t value) {
      if (value == byte) return;
      Message bytes = handles.first;
      bytes[i] = value;
      held = expect_refused(t, bytes, bytes.size(),
                            fmt::format("byte {}: {:#04x} in place of {:#04x}", i, value, byte)) &&
             held;
    };
    for (unsigned bit = 0; bit < 8 && held; ++bit) with(static_cast<uint8_t>(byte ^ (1u << bit)));
    with(static_cast<uint8_t>(~byte));
    with(0);
  }
  handles.finish();
}

XHAL_TEST_P(ipc, cut_and_lengthened, exporters, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
            .observes =
                "every size below a handle's, with nothing readable behind it, and larger sizes: the code; "
                "the true bytes "
                "afterwards",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  Handles handles(t);
  for (size_t size = 0; size < handles.first.size(); ++size) {
    const auto part = std::span(handles.first).first(size);
    expect_refused(t, std::span(AtTheEdge(t, part).get(), size), size,
                   fmt::format("the first {} bytes", size));
  }
  const AtTheEdge whole(t, handles.first);
  const std::span<const uint8_t> bytes(whole.get(), handles.first.size());
  for (const uint64_t size : {uint64_t{bytes.size()} + 1, uint64_t{1} << 32, ~uint64_t{0}})
    expect_refused(t, bytes, size, fmt::format("told as {} bytes", size));
  Message twice = handles.first;
  twice.insert(twice.end(), handles.second.begin(), handles.second.end());
  expect_refused(t, twice, twice.size(), "two handles in one");
  handles.finish();
}

XHAL_TEST_P(ipc, mixed_and_made_up, exporters, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
            .observes =
                "the front of one handle with the rest of another, at every place; bytes of one value; 256 "
                "of random bytes; "
                "the true bytes afterwards",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  Handles handles(t);
  const size_t size = handles.first.size();
  for (size_t cut = 1; cut < size; ++cut) {
    Message bytes = handles.first;
    std::copy(handles.second.begin() + static_cast<std::ptrdiff_t>(cut), handles.second.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(cut));
    if (bytes != handles.first && bytes != handles.second)
      expect_refused(t, bytes, size, fmt::format("{} bytes of one handle, the rest of another", cut));
  }
  for (const int value : {0x00, 0xFF, 0x01, 0x7F})
    expect_refused(t, Message(size, static_cast<uint8_t>(value)), size,
                   fmt::format("all bytes {:#04x}", value));
  for (uint64_t i = 0; i < 256; ++i) expect_refused(t, t.random_bytes(size, 1000 + i), size, "random bytes");
  handles.finish();
}

// ---- Replayed bytes -------------------------------------------------------------------------------------

constexpr int kLives = 4;

// The same size again and again: each life is exported, freed, and followed by one that may lie in its place.
void exporter_of_many_lives(Context& t, Peer& peer) {
  for (int life = 0; life < kLives; ++life) {
    Buffer memory = device_memory(t, kBytes);
    t.write(memory, t.random_bytes(kBytes, 1));
    peer.send(exported_memory(t, memory));
    peer.expect("closed");
    memory.reset();
    std::vector<Buffer> later;
    for (uint64_t i = 0; i < 8; ++i) {
      later.push_back(device_memory(t, kBytes));
      t.write(later.back(), t.random_bytes(kBytes, 10 + i));
      static_cast<void>(exported_memory(t, later.back()));
    }
    peer.send("freed");
    peer.expect("looked");
    for (uint64_t i = 0; i < later.size(); ++i)
      EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 10 + i), t.read<uint8_t>(later[i], kBytes));
  }
}

XHAL_TEST(ipc, bytes_of_freed_memory, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
          .observes =
              "bytes that worked, replayed after the exporter's free and eight new exports of the same size, "
              "four times over; "
              "with and without an import before",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_of_many_lives);
  std::vector<Message> outlived;
  for (int life = 0; life < kLives; ++life) {
    const Message bytes = exporter.receive();
    if (life % 2 == 0) {
      const Imported memory(t, bytes);
      EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 1), t.read<uint8_t>(memory, kBytes), "life {}", life);
    }
    exporter.send("closed");
    exporter.expect("freed");
    outlived.push_back(bytes);
    for (size_t i = 0; i < outlived.size(); ++i)
      expect_refused(t, outlived[i], outlived[i].size(), fmt::format("bytes of life {} in life {}", i, life));
    exporter.send("looked");
  }
  exporter.finish();
}

XHAL_TEST(ipc, own_bytes_of_freed_memory, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
          .observes = "in the exporting process: bytes of freed memory, with new memory of its size around",
          .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  Buffer memory = device_memory(t, kBytes);
  const Message bytes = exported_memory(t, memory);
  memory.reset();
  expect_refused(t, bytes, bytes.size(), "after the free");
  std::vector<Buffer> later;
  for (int i = 0; i < 8; ++i) {
    later.push_back(device_memory(t, kBytes));
    EXPECT_CLAUSE("XHAL-IPC-4", exported_memory(t, later.back()) != bytes,
                  "another allocation has the same bytes");
    expect_refused(t, bytes, bytes.size(), fmt::format("with {} new allocations", i + 1));
  }
}

void exporter_that_leaves(Context& t, Peer& peer) {
  const Wares wares(t);
  peer.send(wares.handle);
  peer.receive();
}

Cases leavings() { return grid({{"exporter", {"killed", "ended"}}}); }

XHAL_TEST_P(ipc, bytes_of_a_process_that_is_gone, leavings, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
            .observes =
                "the exporter is killed, or destroys its instance and ends, before anybody imported: the "
                "code, at once and "
                "with another exporter in its place",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess next(t, exporter_of_two);
  OtherProcess exporter(t, exporter_that_leaves);
  const Message bytes = exporter.receive();
  if (t.text("exporter") == "killed") {
    exporter.kill();
  } else {
    exporter.send("leave");
    exporter.finish();
  }
  expect_refused(t, bytes, bytes.size(), "the exporter is gone");
  const Message other = next.receive();
  static_cast<void>(next.receive());
  expect_refused(t, bytes, bytes.size(), "beside another exporter");
  const Imported memory(t, other);
  EXPECT_DATA("XHAL-IPC-4", t.random_bytes(kBytes, 1), t.read<uint8_t>(memory, kBytes),
              "the other exporter's");
  next.send("done");
  next.finish();
}

// ---- Bytes of another kind ------------------------------------------------------------------------------

XHAL_TEST(ipc, memory_is_no_event, .clauses = {"XHAL-IPC-4", "XHAL-ABI-14"},
          .observes =
              "an event's bytes imported as memory, and memory's bytes as an event, in the exporting process",
          .needs = {XHAL_FEATURE_IPC_MEMORY, XHAL_FEATURE_IPC_EVENT}) {
  const Buffer memory = device_memory(t, kBytes);
  const Event event(t, XHAL_EVENT_IPC);
  const Message of_memory = exported_memory(t, memory);
  const Message of_event = exported_event(t, event);
  expect_refused(t, of_event, of_event.size(), "an event's bytes");
  xhal_event_t no_event = sentinel<xhal_event_s>();
  EXPECT_RESULT("XHAL-IPC-4",
                xhal_ipc_import_event(t.device(), of_memory.data(), of_memory.size(), &no_event),
                XHAL_ERROR_INVALID_ARGUMENT, "memory's bytes");
  EXPECT_VALUE("XHAL-ABI-14", no_event, sentinel<xhal_event_s>());
}

}  // namespace
}  // namespace xhal::conformance
