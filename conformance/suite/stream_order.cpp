// SPDX-License-Identifier: Apache-2.0
// Order inside a stream, and the lack of it between streams.
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases holds() { return grid({hold_axis()}); }
Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(
    stream, order_of_copies, holds, .clauses = {"XHAL-STREAM-1", "XHAL-MEMORY-18"},
    .observes =
        "64 rounds of fill a word and copy it to a place of its own; each place holds its round's value") {
  constexpr size_t kRounds = 64;
  const auto values = t.random_u64(kRounds);
  Stream stream(t);
  const Buffer word = device_memory(t, sizeof(uint64_t));
  const Buffer places = device_memory(t, kRounds * sizeof(uint64_t));
  const auto gate = gate_if_asked(t, stream);
  // Copies that may wait for their stream, as declared, must not meet a shut gate.
  if (gate != nullptr && may_block(t, XHAL_COPY_DEVICE_TO_DEVICE)) gate->open();
  for (size_t i = 0; i < kRounds; ++i) {
    REQUIRE_OK(xhal_memory_fill(stream, word, values[i], sizeof(uint64_t), sizeof(uint64_t)));
    REQUIRE_OK(xhal_memory_copy(stream, places.at(i * sizeof(uint64_t)), word, sizeof(uint64_t)));
  }
  if (gate != nullptr) gate->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-STREAM-1", values, t.read<uint64_t>(places, kRounds));
  EXPECT_VALUE("XHAL-MEMORY-18", t.read<uint64_t>(word, 1).front(), values.back());
}

XHAL_TEST_P(stream, order_of_kernels, holds, .clauses = {"XHAL-STREAM-1", "XHAL-KERNEL-16"},
            .observes = "200 folds into 257 cells; each cell's value tells the order",
            .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr size_t kCells = 257;
  constexpr size_t kFolds = 200;
  const auto before = t.random_u64(kCells, 1);
  const auto ops = t.random_u64(kFolds, 2);
  Stream stream(t);
  const Buffer cells = device_memory(t, kCells * sizeof(uint64_t));
  t.write(cells, before);
  const auto gate = gate_if_asked(t, stream);
  for (const uint64_t op : ops) REQUIRE_OK(fold(t, stream, cells, op, kCells));
  if (gate != nullptr) gate->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> expected;
  for (const uint64_t cell : before) expected.push_back(oracle::FoldHistory(cell, ops).value());
  const auto got = t.read<uint64_t>(cells, kCells);
  EXPECT_DATA("XHAL-STREAM-1", expected, got);
  EXPECT_VALUE("XHAL-KERNEL-16", got.back(), expected.back());
}

// A host function that folds into pinned memory, as the kernels around it do.
struct HostFold {
  uint64_t* cell = nullptr;
  uint64_t op = 0;
};
void host_fold(void* user, xhal_result_t) {
  auto* fold = static_cast<HostFold*>(user);
  *fold->cell = oracle::mix(*fold->cell, fold->op);
}

XHAL_TEST_P(stream, order_across_kinds, holds,
            .clauses = {"XHAL-STREAM-1", "XHAL-HOSTFN-1", "XHAL-MEMORY-18"},
            .observes =
                "a cell that host functions fold, copied away by copies in between: each copy holds the "
                "history so far") {
  constexpr size_t kRounds = 24;
  const auto ops = t.random_u64(kRounds);
  Stream stream(t);
  const Buffer cell = pinned_memory(t, sizeof(uint64_t));
  const Buffer copies = device_memory(t, kRounds * sizeof(uint64_t));
  *cell.as<uint64_t>() = 0;
  const auto gate = gate_if_asked(t, stream);
  if (gate != nullptr && may_block(t, XHAL_COPY_PINNED_TO_DEVICE)) gate->open();
  auto& folds = t.kept<std::vector<HostFold>>();
  folds.resize(kRounds);
  for (size_t i = 0; i < kRounds; ++i) {
    folds[i] = {cell.as<uint64_t>(), ops[i]};
    REQUIRE_OK(xhal_stream_host_function(stream, host_fold, &folds[i]));
    REQUIRE_OK(xhal_memory_copy(stream, copies.at(i * sizeof(uint64_t)), cell, sizeof(uint64_t)));
  }
  if (gate != nullptr) gate->open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> expected;
  oracle::FoldHistory history(0);
  for (const uint64_t op : ops) expected.push_back(history.fold(op).value());
  const auto got = t.read<uint64_t>(copies, kRounds);
  EXPECT_DATA("XHAL-STREAM-1", expected, got);
  EXPECT_VALUE("XHAL-MEMORY-18", got.back(), expected.back());
  EXPECT_VALUE("XHAL-HOSTFN-1", *cell.as<uint64_t>(), expected.back(), "the cell after the last function");
}

XHAL_TEST_P(stream, later_work_is_held, gates, .clauses = {"XHAL-STREAM-1", "XHAL-STREAM-5"},
            .observes = "a fill behind a gate: not there while the gate is shut, there after it") {
  Stream stream(t);
  Marker behind(t);
  Gate gate(t, stream, gate_kind(t.text("hold")));
  behind.fill_on(t, stream);
  if (t.witness(gate)) EXPECT_CLAUSE("XHAL-STREAM-1", behind.untouched(), "{}", behind.shown());
  if (gate.shut()) EXPECT_CLAUSE("XHAL-STREAM-1", gate.held(), "submitting a fill waited for the stream");
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-STREAM-5", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-STREAM-1", behind.filled(), "{}", behind.shown());
}

XHAL_TEST_P(stream, idle_stream_is_not_linked, gates, .clauses = {"XHAL-STREAM-2"},
            .observes = "query and synchronise of an idle stream while another one is held") {
  Stream held(t);
  Stream idle(t);
  Gate gate(t, held, gate_kind(t.text("hold")));
  EXPECT_RESULT("XHAL-STREAM-2", xhal_stream_query(idle), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-STREAM-2", xhal_stream_synchronize(idle, t.patience()), XHAL_SUCCESS);
  if (gate.shut())
    EXPECT_CLAUSE("XHAL-STREAM-2", gate.held(),
                  "the synchronise of an idle stream waited for another stream");
}

Cases holders() {
  return grid(
      {{"holder", {Value("kernel", {XHAL_FEATURE_KERNEL}), Value("host_function"), Value("event_wait")}}});
}

XHAL_TEST_P(
    stream, progress_beside_a_held_stream, holders, .clauses = {"XHAL-STREAM-2", "XHAL-STREAM-3"},
    .observes = "fill, copy and synchronise on one stream, and the data, while another one stays held",
    .needs = {XHAL_FEATURE_CROSS_STREAM_PROGRESS}) {
  const std::string holder = t.text("holder");
  Stream held(t);
  Stream gated(t);
  Stream free_stream(t);
  Event event(t);
  const Buffer memory = device_memory(t, 4096);
  const Buffer copy = pinned_memory(t, 4096);
  std::fill(copy.host().begin(), copy.host().end(), uint8_t{0});
  const bool by_wait = holder == "event_wait";
  Gate gate(t, by_wait ? gated : held,
            holder == "host_function" ? Gate::Kind::kHostFunction : Gate::Kind::kAutomatic);
  if (by_wait) {
    REQUIRE_OK(xhal_event_record(event, gated, 0));
    REQUIRE_OK(xhal_stream_wait_event(held, event, 0));
  }
  Marker behind(t);
  behind.fill_on(t, held);
  if (gate.shut() && !gate.is_kernel() && t.properties().host_function_blocks != XHAL_BLOCKS_NONE) {
    t.note("a blocked host function may stop other streams, as declared: it is opened first");
    gate.open();
  }
  REQUIRE_OK(xhal_memory_fill(free_stream, memory, 0x5A, 1, 4096));
  REQUIRE_OK(xhal_memory_copy(free_stream, copy, memory, 4096));
  EXPECT_RESULT("XHAL-STREAM-3", xhal_stream_synchronize(free_stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-STREAM-3", std::vector<uint8_t>(4096, 0x5A),
              std::vector<uint8_t>(copy.host().begin(), copy.host().end()));
  if (gate.held()) {
    EXPECT_RESULT("XHAL-STREAM-2", xhal_stream_query(held), XHAL_NOT_READY);
    EXPECT_CLAUSE("XHAL-STREAM-2", behind.untouched(), "{}", behind.shown());
  } else if (gate.shut() && (gate.is_kernel() || t.properties().host_function_blocks == XHAL_BLOCKS_NONE)) {
    EXPECT_CLAUSE("XHAL-STREAM-3", gate.held(),
                  "the free stream finished only after the held one had been let go");
  }
  behind.stamp(gate);
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(held, t.patience()));
  EXPECT_CLAUSE("XHAL-STREAM-2", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(stream, many_streams_beside_each_other, .clauses = {"XHAL-STREAM-2", "XHAL-STREAM-1"},
          .observes = "16 streams with chains of their own in one submission loop; each chain's result") {
  constexpr size_t kStreams = 16;
  constexpr size_t kLinks = 16;
  std::vector<Stream> streams;
  for (size_t i = 0; i < kStreams; ++i) streams.emplace_back(t);
  const Buffer memory = device_memory(t, kStreams * (kLinks + 1) * sizeof(uint64_t));
  const auto values = t.random_u64(kStreams);
  const auto place = [&](size_t stream, size_t link) {
    return memory.at((stream * (kLinks + 1) + link) * sizeof(uint64_t));
  };
  for (size_t s = 0; s < kStreams; ++s)
    REQUIRE_OK(xhal_memory_fill(streams[s], place(s, 0), values[s], 8, 8));
  for (size_t link = 0; link < kLinks; ++link) {
    for (size_t s = 0; s < kStreams; ++s)
      REQUIRE_OK(xhal_memory_copy(streams[s], place(s, link + 1), place(s, link), 8));
  }
  std::vector<uint64_t> got;
  for (size_t s = kStreams; s-- > 0;) {
    EXPECT_RESULT("XHAL-STREAM-2", xhal_stream_synchronize(streams[s], t.patience()), XHAL_SUCCESS);
    got.insert(got.begin(), t.read<uint64_t>(place(s, kLinks), 1).front());
  }
  EXPECT_DATA("XHAL-STREAM-1", values, got);
}

}  // namespace
}  // namespace xhal::conformance
