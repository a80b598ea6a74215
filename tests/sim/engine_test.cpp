// SPDX-License-Identifier: Apache-2.0
// Streams, their queue and their scheduler, without a device.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <numeric>
#include <thread>
#include <vector>

#include "engine/move_bytes.hpp"
#include "engine_harness.hpp"

namespace xhal::sim {
namespace {

TEST(OpQueue, KeepsOrderAcrossItsSegments) {
  OpQueue queue;
  uint64_t pushed = 0;
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < round * 7 % 90; ++i) {
      Op& op = queue.next_slot();
      op.number = ++pushed;
      // Of every size that there is.
      op.make<LaunchOp>();
      op.use(pushed % (sizeof(LaunchOp) + 1));
      queue.commit(op);
    }
    for (int i = 0; i < round * 5 % 70 && queue.taken() != pushed; ++i) {
      ASSERT_EQ(queue.front().number, queue.taken() + 1);
      queue.pop();
    }
  }
  for (; queue.taken() != pushed; queue.pop()) ASSERT_EQ(queue.front().number, queue.taken() + 1);
}

TEST(OpQueue, ASlotThatIsNotCommittedIsGivenOutAgain) {
  OpQueue queue;
  for (int i = 0; i < 32; ++i) {
    Op& op = queue.next_slot();
    op.make(WaitOp{});
    queue.commit(op);
  }
  Op* slot = &queue.next_slot();
  EXPECT_EQ(slot, &queue.next_slot());
}

TEST(MoveBytes, FillsExactlyItsBytesWithEveryPattern) {
  const std::atomic<bool> go_on{false};
  for (const uint32_t width : {1u, 2u, 4u, 8u}) {
    for (uint64_t size = width; size < 10'000; size = size * 3 / width * width + width) {
      std::vector<unsigned char> bytes(size + 32, 0xee);
      const uint64_t pattern = 0x1122334455667788u;
      ASSERT_TRUE(fill_bytes(reinterpret_cast<std::byte*>(bytes.data()) + 16, pattern, width, size, go_on));
      for (size_t i = 0; i < 16; ++i) ASSERT_EQ(bytes[i], 0xee);
      for (size_t i = 0; i < size; ++i)
        ASSERT_EQ(bytes[16 + i], (pattern >> (i % width * 8)) & 0xff) << width << " " << size;
      for (size_t i = 0; i < 16; ++i) ASSERT_EQ(bytes[16 + size + i], 0xee);
    }
  }
}

TEST(MoveBytes, MovesExactlyItsBytesFromAndToEveryAlignment) {
  const std::atomic<bool> go_on{false};
  alignas(8) unsigned char from[32];
  for (size_t i = 0; i < sizeof(from); ++i) from[i] = static_cast<unsigned char>(i);
  for (size_t source = 0; source < 8; ++source) {
    for (size_t destination = 8; destination < 16; ++destination) {
      for (size_t size = 0; size <= 16; ++size) {
        alignas(8) unsigned char to[32];
        std::fill(std::begin(to), std::end(to), static_cast<unsigned char>(0xee));
        ASSERT_TRUE(move_bytes(reinterpret_cast<std::byte*>(to) + destination,
                               reinterpret_cast<const std::byte*>(from) + source, size, go_on));
        for (size_t i = 0; i < sizeof(to); ++i) {
          const bool inside = i >= destination && i < destination + size;
          ASSERT_EQ(to[i], inside ? source + i - destination : 0xee)
              << source << " " << destination << " " << size;
        }
      }
    }
  }
}

// Under ThreadSanitizer it also tells that the one who looks meanwhile is no race.
TEST(MoveBytes, WhoSeesAnAlignedWordSeesWhatWasWrittenBefore) {
  const std::atomic<bool> go_on{false};
  for (const bool copied : {false, true}) {
    alignas(8) uint64_t word = 0;
    int before = 0;
    const uint64_t one = 0x0101010101010101;
    std::thread writer([&] {
      before = 7;
      auto* place = reinterpret_cast<std::byte*>(&word);
      EXPECT_TRUE(copied ? move_bytes(place, reinterpret_cast<const std::byte*>(&one), sizeof(one), go_on)
                         : fill_bytes(place, 1, 1, sizeof(word), go_on));
    });
    uint64_t seen = 0;
    while ((seen = __atomic_load_n(&word, __ATOMIC_ACQUIRE)) == 0) std::this_thread::yield();
    EXPECT_EQ(seen, one);
    EXPECT_EQ(before, 7);
    writer.join();
  }
}

TEST(MoveBytes, LargeOnesStopBetweenPiecesWhenAbandoned) {
  const std::atomic<bool> abandoned{true};
  std::vector<std::byte> from(40u << 20, std::byte{1});
  std::vector<std::byte> to(from.size());
  EXPECT_FALSE(move_bytes(to.data(), from.data(), from.size(), abandoned));
  EXPECT_FALSE(fill_bytes(to.data(), 2, 8, to.size(), abandoned));
  const std::atomic<bool> go_on{false};
  EXPECT_TRUE(move_bytes(to.data(), from.data(), from.size(), go_on));
  EXPECT_EQ(from, to);
  EXPECT_TRUE(fill_bytes(to.data(), 0x0202, 2, to.size(), go_on));
  EXPECT_EQ(to.front(), std::byte{2});
  EXPECT_EQ(to.back(), std::byte{2});
}

TEST(Engine, ThreadsThatSubmitToOneStreamGetEachOperationExecutedOnce) {
  FakeHost host;
  Streams streams(host);
  Stream& stream = streams.make();
  uint64_t counter = 0;  // the lane's alone: no atomic, so that two lanes at once would show
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 2000; ++i) {
        ASSERT_EQ(call(
                      stream, [](void* user, xhal_result_t) { ++*static_cast<uint64_t*>(user); }, &counter),
                  XHAL_SUCCESS);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(counter, 8000u);
}

TEST(Engine, AnOperationThatCannotBeMadeIsNotSubmitted) {
  FakeHost host;
  Streams streams(host);
  Stream& stream = streams.make();
  EXPECT_THROW(static_cast<void>(stream.submit([](auto&) { throw std::bad_alloc(); })), std::bad_alloc);
  EXPECT_EQ(stream.progress().submitted(), 0u);
  int ran = 0;
  ASSERT_EQ(call(
                stream, [](void* user, xhal_result_t) { ++*static_cast<int*>(user); }, &ran),
            XHAL_SUCCESS);
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(ran, 1);
}

TEST(Engine, WorkDoneInTheLanesPlaceKeepsItsTurn) {
  FakeHost host;
  Streams streams(host);
  Stream& stream = streams.make();
  std::vector<int> order;
  struct Step {
    std::vector<int>* order;
    int number;
    static void run(void* user, xhal_result_t) {
      auto& step = *static_cast<Step*>(user);
      step.order->push_back(step.number);
    }
  };
  Step first = {&order, 1};
  Step third = {&order, 3};
  ASSERT_EQ(call(stream, &Step::run, &first), XHAL_SUCCESS);
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  Stream::Here here;
  while (!stream.begin_here(here)) std::this_thread::yield();  // the worker may still be on its way out
  Stream::Here second;
  EXPECT_FALSE(stream.begin_here(second)) << "two in the lane's place";
  ASSERT_EQ(call(stream, &Step::run, &third), XHAL_SUCCESS);
  EXPECT_EQ(stream.progress().status(here.number), XHAL_NOT_READY);
  EXPECT_EQ(await(stream.progress(), stream.progress().submitted(),
                  deadline_after(host.scheduler(), 1'000'000), host.scheduler()),
            XHAL_TIMEOUT);
  order.push_back(2);
  stream.end_here(here);
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(order, (std::vector<int>{1, 2, 3}));
}

TEST(Engine, AnotherThreadsWorkAndTheLanesNeverOverlap) {
  FakeHost host;
  Streams streams(host);
  Stream& stream = streams.make();
  uint64_t counter = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 1000; ++i) {
        Stream::Here here;
        if (t == 0 && stream.begin_here(here)) {
          ++counter;
          stream.end_here(here);
          continue;
        }
        ASSERT_EQ(call(
                      stream, [](void* user, xhal_result_t) { ++*static_cast<uint64_t*>(user); }, &counter),
                  XHAL_SUCCESS);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(counter, 3000u);
}

TEST(Engine, AWaitHoldsTheLaneUntilThePositionIsDone) {
  FakeHost host;
  Streams streams(host);
  Stream& a = streams.make();
  Stream& b = streams.make();
  Hold hold;
  ASSERT_EQ(call(a, &Hold::wait, &hold), XHAL_SUCCESS);
  Position position;
  ASSERT_EQ(a.mark(position), XHAL_SUCCESS);
  ASSERT_EQ(b.wait(position), XHAL_SUCCESS);
  std::atomic<int> ran{0};
  ASSERT_EQ(
      call(
          b, [](void* user, xhal_result_t) { static_cast<std::atomic<int>*>(user)->fetch_add(1); }, &ran),
      XHAL_SUCCESS);
  EXPECT_EQ(await(b.progress(), 2, deadline_after(host.scheduler(), 1'000'000), host.scheduler()),
            XHAL_TIMEOUT);
  EXPECT_EQ(ran.load(), 0);
  hold.release();
  ASSERT_EQ(synchronize(b, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(ran.load(), 1);
}

TEST(Engine, ChainsOfWaitsAcrossStreamsAllComplete) {
  FakeHost host;
  Streams streams(host);
  std::vector<Stream*> ring;
  for (int i = 0; i < 4; ++i) ring.push_back(&streams.make());
  uint64_t counter = 0;  // handed around by the waits alone
  for (int i = 0; i < 2000; ++i) {
    Stream& stream = *ring[static_cast<size_t>(i) % ring.size()];
    Stream& next = *ring[static_cast<size_t>(i + 1) % ring.size()];
    ASSERT_EQ(call(
                  stream, [](void* user, xhal_result_t) { ++*static_cast<uint64_t*>(user); }, &counter),
              XHAL_SUCCESS);
    Position position;
    ASSERT_EQ(stream.mark(position), XHAL_SUCCESS);
    ASSERT_EQ(next.wait(position), XHAL_SUCCESS);
  }
  for (Stream* stream : ring) ASSERT_EQ(synchronize(*stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(counter, 2000u);
}

TEST(Engine, WhatIsAbandonedIsDroppedAndHostFunctionsAreTold) {
  FakeHost host;
  Streams streams(host);
  Stream& other = streams.make();
  Stream& stream = streams.make();
  Hold hold;
  ASSERT_EQ(call(other, &Hold::wait, &hold), XHAL_SUCCESS);
  Position held;
  ASSERT_EQ(other.mark(held), XHAL_SUCCESS);
  ASSERT_EQ(stream.wait(held), XHAL_SUCCESS);  // never comes before the stream is abandoned
  std::vector<xhal_result_t> told;
  const auto note = [](void* user, xhal_result_t status) {
    static_cast<std::vector<xhal_result_t>*>(user)->push_back(status);
  };
  ASSERT_EQ(call(stream, note, &told), XHAL_SUCCESS);
  ASSERT_EQ(call(stream, note, &told), XHAL_SUCCESS);
  const Fault reason = {XHAL_ERROR_CANCELLED, "test", 0, 0, "dropped"};
  stream.abandon(&reason);
  EXPECT_EQ(synchronize(stream, host.scheduler()), XHAL_ERROR_CANCELLED);
  EXPECT_EQ(told, (std::vector<xhal_result_t>{XHAL_ERROR_CANCELLED, XHAL_ERROR_CANCELLED}));
  EXPECT_EQ(host.failures.load(), 0) << "dropped work is no failure";
  EXPECT_EQ(call(stream, note, &told), XHAL_ERROR_INVALID_HANDLE);
  const Progress& former = stream.progress();
  const uint64_t former_number = former.submitted();
  stream.revive();
  ASSERT_EQ(call(stream, note, &told), XHAL_SUCCESS);
  EXPECT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
  EXPECT_EQ(told.back(), XHAL_SUCCESS);
  EXPECT_EQ(former.status(former_number), XHAL_ERROR_CANCELLED) << "what happened stays told";
  hold.release();
}

TEST(Engine, AThreadServesTheNextStreamWhenOneLeaves) {
  FakeHost host;
  for (int i = 0; i < 200; ++i) {
    Streams streams(host);
    host.left.store(0);
    int ran = 0;
    Stream& stream = streams.make();
    ASSERT_EQ(call(
                  stream, [](void* user, xhal_result_t) { ++*static_cast<int*>(user); }, &ran),
              XHAL_SUCCESS);
    ASSERT_EQ(synchronize(stream, host.scheduler()), XHAL_SUCCESS);
    ASSERT_EQ(ran, 1);
  }
}

}  // namespace
}  // namespace xhal::sim
