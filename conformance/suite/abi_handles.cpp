// SPDX-License-Identifier: Apache-2.0
// Life of handles, threads, several devices on one thread, extensions.
#include <algorithm>
#include <chrono>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(abi, destroyed_handles_stay_dead, .clauses = {"XHAL-ABI-4"},
          .observes =
              "calls on a destroyed stream and event at once and while 1,000 further ones are created and "
              "destroyed") {
  xhal_stream_t stream = Stream(t).release();
  xhal_event_t event = Event(t).release();
  EXPECT_RESULT("XHAL-ABI-4", xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ABI-4", xhal_event_destroy(event), XHAL_SUCCESS);
  Stream alive(t);
  for (int i = 0; i <= 1000; ++i) {
    ASSERT_RESULT("XHAL-ABI-4", xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE,
                  "after {} further destroys", i);
    ASSERT_RESULT("XHAL-ABI-4", xhal_event_query(event), XHAL_ERROR_INVALID_HANDLE,
                  "after {} further destroys", i);
    ASSERT_RESULT("XHAL-ABI-4", xhal_event_record(event, alive, 0), XHAL_ERROR_INVALID_HANDLE,
                  "after {} further destroys", i);
    ASSERT_RESULT("XHAL-ABI-4", xhal_stream_destroy(stream), XHAL_ERROR_INVALID_HANDLE,
                  "after {} further destroys", i);
    ASSERT_RESULT("XHAL-ABI-4", xhal_event_destroy(event), XHAL_ERROR_INVALID_HANDLE,
                  "after {} further destroys", i);
    Stream other_stream(t);
    Event other_event(t);
  }
}

XHAL_TEST(
    abi, very_old_handles_do_not_crash, .clauses = {"XHAL-ABI-4"},
    .observes =
        "an event destroyed before 5,000 further ones: an error, or another event's answer, and no crash") {
  xhal_event_t old = Event(t).release();
  REQUIRE_OK(xhal_event_destroy(old));
  for (int i = 0; i < 5000; ++i) {
    Event other(t);
    const xhal_result_t answer = TRACED(xhal_event_query(old));
    ASSERT_CLAUSE("XHAL-ABI-4", answer == XHAL_ERROR_INVALID_HANDLE || answer == XHAL_SUCCESS, "after {}: {}",
                  i, result_name(answer));
  }
}

XHAL_TEST(abi, given_handles_work_at_once, .clauses = {"XHAL-ABI-5"},
          .observes =
              "the device of a stream, the default stream, a created stream and event: each used in further "
              "calls, and given out alike twice") {
  xhal_stream_t default_stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &default_stream));
  Stream created(t);
  for (xhal_stream_t stream : {default_stream, static_cast<xhal_stream_t>(created)}) {
    xhal_device_t device = nullptr;
    EXPECT_RESULT("XHAL-ABI-5", xhal_stream_get_device(stream, &device), XHAL_SUCCESS);
    ASSERT_VALUE("XHAL-ABI-5", device, t.device());
    xhal_event_t event = nullptr;
    EXPECT_RESULT("XHAL-ABI-5", xhal_event_create(device, nullptr, &event), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-5", xhal_event_record(event, stream, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-5", xhal_stream_wait_event(created, event, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-5", xhal_stream_wait_event(stream, event, 0), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-5", xhal_event_synchronize(event, t.patience()), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ABI-5", xhal_event_destroy(event), XHAL_SUCCESS);
  }
  EXPECT_RESULT("XHAL-ABI-5", xhal_stream_synchronize(created, t.patience()), XHAL_SUCCESS);
}

XHAL_TEST(
    abi, threads_on_one_stream, .clauses = {"XHAL-ABI-15"},
    .observes = "eight threads submit 100 host functions each to one stream: all run once, one at a time") {
  constexpr size_t kThreads = 8;
  constexpr int kCalls = 100;
  struct Shared {
    std::atomic<int> calls{0};
    std::atomic<int> inside{0};
    std::atomic<int> overlaps{0};
  };
  auto& shared = t.kept<Shared>();
  Stream stream(t);
  std::atomic<int> refused{0};
  const auto function = [](void* user, xhal_result_t) {
    auto* s = static_cast<Shared*>(user);
    if (s->inside.fetch_add(1) != 0) s->overlaps.fetch_add(1);
    s->calls.fetch_add(1);
    s->inside.fetch_sub(1);
  };
  run_threads(kThreads, [&](size_t) {
    for (int i = 0; i < kCalls; ++i) {
      if (TRACED(xhal_stream_host_function(stream, function, &shared)) != XHAL_SUCCESS) ++refused;
    }
  });
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-ABI-15", refused.load(), 0, "calls that did not succeed");
  EXPECT_VALUE("XHAL-ABI-15", shared.calls.load(), static_cast<int>(kThreads) * kCalls);
  EXPECT_VALUE("XHAL-ABI-15", shared.overlaps.load(), 0, "functions of one stream at the same time");
}

XHAL_TEST(abi, threads_on_streams_of_their_own, .clauses = {"XHAL-ABI-15", "XHAL-STREAM-1"},
          .observes =
              "six threads with a stream, memory and events each: 60 rounds of fill, copy and record; every "
              "round's word") {
  constexpr size_t kThreads = 6;
  constexpr size_t kRounds = 60;
  std::vector<Stream> streams;
  std::vector<Buffer> words;
  std::vector<Buffer> histories;
  for (size_t i = 0; i < kThreads; ++i) {
    streams.emplace_back(t);
    words.push_back(device_memory(t, 8));
    histories.push_back(device_memory(t, kRounds * 8));
  }
  std::atomic<int> refused{0};
  const auto need = [&](xhal_result_t result) { refused += result == XHAL_SUCCESS ? 0 : 1; };
  run_threads(kThreads, [&](size_t i) {
    for (size_t round = 0; round < kRounds; ++round) {
      xhal_event_t event = nullptr;
      need(TRACED(xhal_event_create(t.device(), nullptr, &event)));
      need(TRACED(xhal_memory_fill(streams[i], words[i], i * 1000 + round, 8, 8)));
      need(TRACED(xhal_memory_copy(streams[i], histories[i].at(round * 8), words[i], 8)));
      need(TRACED(xhal_event_record(event, streams[i], 0)));
      if (round % 8 == 0) need(TRACED(xhal_event_synchronize(event, t.patience())));
      need(TRACED(xhal_event_destroy(event)));
    }
    need(TRACED(xhal_stream_synchronize(streams[i], t.patience())));
  });
  EXPECT_VALUE("XHAL-ABI-15", refused.load(), 0, "calls that did not succeed");
  for (size_t i = 0; i < kThreads; ++i) {
    std::vector<uint64_t> expected;
    for (size_t round = 0; round < kRounds; ++round) expected.push_back(i * 1000 + round);
    EXPECT_DATA("XHAL-STREAM-1", expected, t.read<uint64_t>(histories[i], kRounds), "thread {}", i);
  }
}

XHAL_TEST(abi, threads_create_and_destroy, .clauses = {"XHAL-ABI-15"},
          .observes =
              "six threads allocate, free, create and destroy at once, 150 rounds; results, and no two live "
              "allocations at one address") {
  constexpr size_t kThreads = 6;
  std::atomic<int> refused{0};
  std::atomic<int> damaged{0};
  run_threads(kThreads, [&](size_t i) {
    const auto need = [&](xhal_result_t result) { refused += result == XHAL_SUCCESS ? 0 : 1; };
    for (size_t round = 0; round < 150; ++round) {
      xhal_stream_t stream = nullptr;
      xhal_event_t event = nullptr;
      void* pointer = nullptr;
      const xhal_memory_desc_t desc =
          memory_desc(round % 2 == 0 ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE, 64 + 8 * round);
      need(TRACED(xhal_stream_create(t.device(), nullptr, &stream)));
      need(TRACED(xhal_event_create(t.device(), nullptr, &event)));
      need(TRACED(xhal_memory_allocate(t.device(), &desc, &pointer)));
      const uint64_t mark = i * 100'000 + round;
      uint64_t back = 0;
      need(TRACED(xhal_memory_fill(stream, pointer, mark, 8, 64)));
      need(TRACED(xhal_memory_copy(stream, &back, pointer, 8)));
      need(TRACED(xhal_stream_synchronize(stream, t.patience())));
      if (back != mark) ++damaged;
      need(TRACED(xhal_memory_free(t.device(), pointer)));
      need(TRACED(xhal_event_destroy(event)));
      need(TRACED(xhal_stream_destroy(stream)));
    }
  });
  EXPECT_VALUE("XHAL-ABI-15", refused.load(), 0, "calls that did not succeed");
  EXPECT_VALUE("XHAL-ABI-15", damaged.load(), 0, "rounds whose memory held another thread's mark");
}

XHAL_TEST(abi, one_thread_two_devices, .clauses = {"XHAL-ABI-16"},
          .observes =
              "work on two devices interleaved call by call on one thread: each device's own chain, memory "
              "and attributes",
          .devices = 2) {
  constexpr size_t kRounds = 50;
  std::vector<Stream> streams;
  std::vector<Buffer> words;
  std::vector<Buffer> histories;
  for (size_t d = 0; d < 2; ++d) {
    streams.emplace_back(t, d);
    words.push_back(device_memory(t, 8, d));
    histories.push_back(device_memory(t, kRounds * 8, d));
  }
  for (size_t round = 0; round < kRounds; ++round) {
    for (size_t d = 0; d < 2; ++d)
      REQUIRE_OK(xhal_memory_fill(streams[d], words[d], 1000 * (d + 1) + round, 8, 8));
    for (size_t d = 0; d < 2; ++d)
      REQUIRE_OK(xhal_memory_copy(streams[d], histories[d].at(round * 8), words[d], 8));
    // A call that names a device must not make it the one of the calls that follow.
    const Buffer between = device_memory(t, 64, round % 2);
    EXPECT_VALUE("XHAL-ABI-16", attributes_of(t, between).device_index, t.properties(round % 2).index);
  }
  for (size_t d = 0; d < 2; ++d) {
    REQUIRE_OK(xhal_stream_synchronize(streams[d], t.patience()));
    std::vector<uint64_t> expected;
    for (size_t round = 0; round < kRounds; ++round) expected.push_back(1000 * (d + 1) + round);
    EXPECT_DATA("XHAL-ABI-16", expected, t.read<uint64_t>(histories[d], kRounds, d), "device {}", d);
  }
}

XHAL_TEST(abi, unknown_extension, .clauses = {"XHAL-ABI-21", "XHAL-ABI-14"},
          .observes = "names that nobody has, and a known-looking one of a version that nobody has") {
  const void* table = sentinel<void>();
  for (const char* name : {"", "no.such.extension", "xhal", "xhal.no_such_table"}) {
    for (const uint32_t version : {0u, 1u, ~0u}) {
      EXPECT_RESULT("XHAL-ABI-21", xhal_driver_get_extension(t.driver(), name, version, &table),
                    XHAL_ERROR_NOT_FOUND, "'{}' {}", name, version);
    }
  }
  EXPECT_RESULT("XHAL-ABI-21", xhal_driver_get_extension(t.driver(), "xhal.lose_device", 0xFFFF'FFFF, &table),
                XHAL_ERROR_NOT_FOUND);
  EXPECT_VALUE("XHAL-ABI-14", table, static_cast<const void*>(sentinel<void>()));
}

}  // namespace
}  // namespace xhal::conformance
