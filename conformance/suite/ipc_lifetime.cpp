// SPDX-License-Identifier: Apache-2.0
// How long shared memory lives: frees, closes and deaths on both sides, and what no other process may ever read.
#include <algorithm>
#include <cstring>
#include <thread>

#include "suite/ipc_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kBytes = 3 << 20;

std::vector<uint8_t> shared_data(Context& t) { return t.random_bytes(kBytes); }

// Exports, and then waits for what happens to it.
void exporter_that_dies(Context& t, Peer& peer) {
  const Buffer memory = device_memory(t, kBytes);
  t.write(memory, shared_data(t));
  peer.send(exported_memory(t, memory));
  peer.expect("never said");
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    ipc, exporter_killed_behind_held_work, gates, .clauses = {"XHAL-IPC-6"},
    .observes =
        "the exporter is killed with a copy out of its memory held in the importer: the copy ends, with the "
        "exporter's bytes; so do a second copy and the close",
    .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_that_dies);
  Imported memory(t, exporter.receive());
  Stream stream(t);
  const Buffer out = device_memory(t, kBytes);
  t.write(out, std::vector<uint8_t>(kBytes, 0));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  if (may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate.open();
  REQUIRE_OK(xhal_memory_copy(stream, out, memory, kBytes));
  exporter.kill();
  gate.open();
  EXPECT_RESULT("XHAL-IPC-6", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                "the copy that was held while the exporter died");
  EXPECT_DATA("XHAL-IPC-6", shared_data(t), t.read<uint8_t>(out, kBytes));
  EXPECT_DATA("XHAL-IPC-6", shared_data(t), t.read<uint8_t>(memory, kBytes),
              "read after the exporter's death");
  EXPECT_VALUE("XHAL-IPC-6", attributes_of(t, memory).is_imported, 1u, "after the exporter's death");
  EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), memory.release()), XHAL_SUCCESS);
}

XHAL_TEST(ipc, exporter_killed_while_read, .clauses = {"XHAL-IPC-6"},
          .observes =
              "the exporter is killed while a thread of the importer copies its memory over and over: every "
              "copy before and "
              "after has its bytes",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  constexpr int kBefore = 3;
  constexpr int kAfter = 3;
  OtherProcess exporter(t, exporter_that_dies);
  const Imported memory(t, exporter.receive());
  Stream stream(t);
  const Buffer out = pinned_memory(t, kBytes);
  const auto expected = shared_data(t);
  std::atomic<int> rounds{0};
  std::atomic<int> killed_at{-1};
  std::atomic<bool> over{false};
  std::thread reader([&] {
    int left = kAfter;
    while (left > 0) {
      if (killed_at.load() >= 0) --left;
      std::fill(out.host().begin(), out.host().end(), uint8_t{0});
      if (!EXPECT_RESULT("XHAL-IPC-6", xhal_memory_copy(stream, out, memory, kBytes), XHAL_SUCCESS) ||
          !EXPECT_RESULT("XHAL-IPC-6", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS) ||
          !EXPECT_DATA("XHAL-IPC-6", expected, std::vector<uint8_t>(out.host().begin(), out.host().end()),
                       "round {}", rounds.load()))
        break;
      rounds.fetch_add(1);
    }
    over.store(true);
  });
  const bool began = t.eventually([&] { return rounds.load() >= kBefore || over.load(); });
  exporter.kill();
  killed_at.store(rounds.load());
  reader.join();
  EXPECT_CLAUSE("XHAL-IPC-6", began && rounds.load() >= kBefore + kAfter, "{} rounds", rounds.load());
}

void exporter_that_frees(Context& t, Peer& peer) {
  Buffer memory = device_memory(t, kBytes);
  t.write(memory, shared_data(t));
  peer.send(exported_memory(t, memory));
  peer.expect("imported");
  EXPECT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS,
                "the exporter's free while it is imported");
  // What takes the free for the end gives the same place out again.
  std::vector<Buffer> others;
  for (size_t i = 0; i < 6; ++i) {
    others.push_back(device_memory(t, kBytes));
    t.write(others.back(), std::vector<uint8_t>(kBytes, static_cast<uint8_t>(0xE0 + i)));
  }
  peer.send("freed");
  peer.expect("written");
  for (size_t i = 0; i < others.size(); ++i) {
    EXPECT_DATA("XHAL-IPC-6", std::vector<uint8_t>(kBytes, static_cast<uint8_t>(0xE0 + i)),
                t.read<uint8_t>(others[i], kBytes),
                "the importer wrote into memory that came after the free");
  }
}

XHAL_TEST(ipc, exporter_frees, .clauses = {"XHAL-IPC-6"},
          .observes =
              "the exporter frees, allocates six times as much and fills it: the importer still reads the "
              "old bytes, and what "
              "it writes then hits none of the new ones",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess exporter(t, exporter_that_frees);
  Imported memory(t, exporter.receive());
  exporter.send("imported");
  exporter.expect("freed");
  EXPECT_DATA("XHAL-IPC-6", shared_data(t), t.read<uint8_t>(memory, kBytes), "after the exporter's free");
  const auto other = t.random_bytes(kBytes, 1);
  t.write(memory, other);
  EXPECT_DATA("XHAL-IPC-6", other, t.read<uint8_t>(memory, kBytes), "written after the exporter's free");
  exporter.send("written");
  exporter.finish();
  EXPECT_DATA("XHAL-IPC-6", other, t.read<uint8_t>(memory, kBytes),
              "after the exporter's instance was destroyed");
  EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), memory.release()), XHAL_SUCCESS);
}

XHAL_TEST(ipc, own_import_outlives_the_free, .clauses = {"XHAL-IPC-6", "XHAL-IPC-5"},
          .observes =
              "in one process: export, import, free; the bytes while other memory comes and goes; the close; "
              "the attributes "
              "after it",
          .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  Buffer memory = device_memory(t, kBytes);
  t.write(memory, shared_data(t));
  Imported own(t, exported_memory(t, memory));
  ASSERT_VALUE("XHAL-IPC-5", static_cast<void*>(own), memory.get());
  EXPECT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS);
  ASSERT_VALUE("XHAL-IPC-6", attributes_of(t, own).kind, uint32_t{XHAL_MEMORY_DEVICE},
               "between the free and the last close");
  std::vector<Buffer> others;
  for (size_t i = 0; i < 4; ++i) {
    others.push_back(device_memory(t, kBytes));
    t.write(others.back(), std::vector<uint8_t>(kBytes, static_cast<uint8_t>(i)));
  }
  EXPECT_DATA("XHAL-IPC-6", shared_data(t), t.read<uint8_t>(own, kBytes),
              "between the free and the last close");
  void* gone = own.release();
  EXPECT_RESULT("XHAL-IPC-6", xhal_ipc_close_memory(t.device(), gone), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-IPC-6", attributes_of(t, gone).kind, uint32_t{XHAL_MEMORY_UNMANAGED}, "after both");
}

XHAL_TEST(ipc, nothing_is_kept_for_good, .clauses = {"XHAL-IPC-6"},
          .observes =
              "forty rounds of allocate a quarter of the free memory, export, import, free, close: none runs "
              "out of memory",
          .needs = {XHAL_FEATURE_IPC_MEMORY}) {
  const uint64_t size = part_of_free_memory(t, 4);
  for (int round = 0; round < 40; ++round) {
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size);
    void* memory = nullptr;
    ASSERT_RESULT("XHAL-IPC-6", xhal_memory_allocate(t.device(), &desc, &memory), XHAL_SUCCESS,
                  "round {}: earlier rounds gave nothing back", round);
    const Message bytes = exported_memory(t, memory);
    void* own = nullptr;
    REQUIRE_OK(xhal_ipc_import_memory(t.device(), bytes.data(), bytes.size(), &own));
    // Either order ends it.
    if (round % 2 == 0) REQUIRE_OK(xhal_ipc_close_memory(t.device(), own));
    REQUIRE_OK(xhal_memory_free(t.device(), memory));
    if (round % 2 != 0) REQUIRE_OK(xhal_ipc_close_memory(t.device(), own));
  }
}

void importer_that_dies(Context& t, Peer& peer) {
  const Imported memory(t, peer.receive());
  EXPECT_DATA("XHAL-IPC-6", shared_data(t), t.read<uint8_t>(memory, kBytes));
  Stream stream(t);
  Gate gate(t, stream);
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x77, 1, kBytes));
  peer.send("held");
  peer.expect("never said");
}

XHAL_TEST(ipc, importer_killed, .clauses = {"XHAL-IPC-6"},
          .observes =
              "the importer is killed with a fill of the shared memory held: the exporter's memory has all "
              "old or all new bytes "
              "a byte, is writable, and is freed",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess importer(t, importer_that_dies);
  Buffer memory = device_memory(t, kBytes);
  const auto data = shared_data(t);
  t.write(memory, data);
  importer.send(exported_memory(t, memory));
  importer.expect("held");
  importer.kill();
  const auto now = t.read<uint8_t>(memory, kBytes);
  size_t strange = 0;
  for (size_t i = 0; i < kBytes; ++i) strange += now[i] != data[i] && now[i] != 0x77 ? 1 : 0;
  EXPECT_VALUE("XHAL-IPC-6", strange, 0u, "bytes that nobody wrote");
  // What the dead importer had submitted has ended or never will: nothing writes any more.
  const auto fresh = t.random_bytes(kBytes, 1);
  t.write(memory, fresh);
  EXPECT_DATA("XHAL-IPC-6", fresh, t.read<uint8_t>(memory, kBytes));
  const Message again = exported_memory(t, memory);
  {
    const Imported own(t, again);
    EXPECT_DATA("XHAL-IPC-6", fresh, t.read<uint8_t>(own, kBytes), "imported after an importer's death");
  }
  EXPECT_RESULT("XHAL-IPC-6", xhal_memory_free(t.device(), memory.release()), XHAL_SUCCESS);
}

// ---- Other processes' bytes -------------------------------------------------------------------------------

// Eight bytes that no driver writes by itself.
constexpr uint64_t kSecret = 0x5EC2E70D15EA5EB1;

size_t secrets_in(const std::vector<uint8_t>& bytes) {
  size_t found = 0;
  for (size_t i = 0; i + sizeof(kSecret) <= bytes.size(); ++i) {
    if (bytes[i] != static_cast<uint8_t>(kSecret & 0xff)) continue;
    uint64_t word = 0;
    std::memcpy(&word, &bytes[i], sizeof(word));
    found += word == kSecret ? 1 : 0;
  }
  return found;
}

void fill_with_secrets(Context& t, const Buffer& memory) {
  Stream stream(t);
  REQUIRE_OK(xhal_memory_fill(stream, memory, kSecret, 8, memory.size() / 8 * 8));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

constexpr uint64_t kBlock = 1 << 20;
constexpr size_t kBlocks = 32;
constexpr size_t kSmall = 200;
constexpr size_t kSmallSize = 1000;

// As many as take a quarter of the free memory, wherever the device lets them begin; `most` where it has room.
size_t blocks_that_fit(Context& t, uint64_t size, size_t most) {
  const uint64_t each = std::max(size, t.properties().memory_alignment);
  return std::min<uint64_t>(free_bytes(t) / 4 / each, most);
}

// Leaves secrets in memory that it frees, in memory that it does not free, and in small neighbours.
void keeper_of_secrets(Context& t, Peer& peer) {
  std::vector<Buffer> freed;
  std::vector<Buffer> kept;
  const size_t blocks = blocks_that_fit(t, kBlock, kBlocks);
  for (size_t i = 0; i < blocks; ++i) {
    auto& list = i % 2 == 0 ? freed : kept;
    list.push_back(device_memory(t, kBlock));
    fill_with_secrets(t, list.back());
  }
  freed.clear();
  std::vector<Buffer> small;
  const size_t small_blocks = blocks_that_fit(t, kSmallSize, kSmall);
  for (size_t i = 0; i < small_blocks; ++i) {
    small.push_back(device_memory(t, kSmallSize));
    fill_with_secrets(t, small.back());
  }
  peer.send("written");
  peer.expect("never said");
}

XHAL_TEST(ipc, fresh_memory_after_another_process, .clauses = {"XHAL-IPC-7"},
          .observes =
              "a process writes a pattern into 32 MiB and 200 small allocations, fewer on a small device, "
              "frees a part and is killed: "
              "fresh memory of "
              "this one, pinned and of the device, holds it nowhere",
          .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess keeper(t, keeper_of_secrets);
  keeper.expect("written");
  const auto look = [&](const char* when) {
    std::vector<Buffer> fresh;
    size_t found = 0;
    const size_t blocks = blocks_that_fit(t, kBlock, kBlocks);
    for (size_t i = 0; i < blocks; ++i) {
      fresh.push_back(i % 4 == 3 ? pinned_memory(t, kBlock) : device_memory(t, kBlock));
      found += secrets_in(t.read<uint8_t>(fresh.back(), kBlock));
    }
    const size_t small_blocks = blocks_that_fit(t, kSmallSize, kSmall);
    for (size_t i = 0; i < small_blocks; ++i) {
      fresh.push_back(device_memory(t, kSmallSize));
      found += secrets_in(t.read<uint8_t>(fresh.back(), kSmallSize));
    }
    EXPECT_VALUE("XHAL-IPC-7", found, 0u, "words of another process in fresh memory, {}", when);
  };
  look("while it lives");
  keeper.kill();
  look("after its death");
}

// Looks at an import and, by a kernel, behind its end, farther each time; tells how many secrets it saw. Its crash shows nothing.
void importer_that_pries(Context& t, Peer& peer) {
  const Imported memory(t, peer.receive());
  const auto size = peer.receive_value<uint64_t>();
  peer.send_value(uint64_t{secrets_in(t.read<uint8_t>(memory, size))});
  if (!t.has_kernels()) return;
  for (const uint64_t farther : {uint64_t{64}, uint64_t{1024}, uint64_t{16'384}, uint64_t{1} << 20}) {
    const uint64_t bytes = (size + farther) / 4 * 4;
    Stream stream(t);
    const Buffer out = pinned_memory(t, bytes);
    std::fill(out.host().begin(), out.host().end(), uint8_t{0});
    Launch launch(t.kernel("xhal_copy_u32"));
    // The argument is the import as a whole and in order; what the kernel does beyond it no launch can see.
    launch.cover(bytes / 4, small_group(t)).writes(out, bytes).reads(memory).value(bytes / 4);
    if (TRACED(launch.on(stream)) != XHAL_SUCCESS) return;
    if (TRACED(xhal_stream_synchronize(stream, t.patience())) != XHAL_SUCCESS) return;
    peer.send_value(uint64_t{secrets_in({out.host().begin(), out.host().end()})});
  }
}

Cases sizes() { return grid({{"bytes", {1, 1000, 65'537}}}); }

XHAL_TEST_P(ipc, nothing_behind_an_import, sizes, .clauses = {"XHAL-IPC-7"},
            .observes =
                "one allocation among 200 of its size, fewer on a small device, is exported, all others hold "
                "a pattern: the importer "
                "finds the pattern "
                "neither in the import nor, where a kernel of it reads on, behind its end",
            .needs = {XHAL_FEATURE_IPC_MEMORY}, .isolated = true) {
  OtherProcess importer(t, importer_that_pries);
  const uint64_t size = t.number("bytes");
  std::vector<Buffer> around;
  std::vector<Buffer> shared;
  const size_t count = blocks_that_fit(t, size, kSmall);
  for (size_t i = 0; i < count; ++i) {
    auto& list = i == count / 2 ? shared : around;
    list.push_back(device_memory(t, size));
    Stream stream(t);
    // Bytes of the pattern where a whole word does not fit are not looked for.
    REQUIRE_OK(xhal_memory_fill(stream, list.back(), i == count / 2 ? 0 : kSecret, 1, size));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    if (i != count / 2 && size >= 8) fill_with_secrets(t, list.back());
  }
  importer.send(exported_memory(t, shared.front()));
  importer.send_value(size);
  ASSERT_VALUE("XHAL-IPC-7", importer.receive_value<uint64_t>(), 0u,
               "words of other allocations inside the import");
  // It may crash of what it does next, or be refused: then it has read nothing.
  while (const auto message = importer.next()) {
    uint64_t found = 0;
    if (message->size() == sizeof(found)) std::memcpy(&found, message->data(), sizeof(found));
    EXPECT_VALUE("XHAL-IPC-7", found, 0u, "words of other allocations behind the end of the import");
  }
}

}  // namespace
}  // namespace xhal::conformance
