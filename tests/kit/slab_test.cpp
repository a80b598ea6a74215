// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <set>
#include <thread>
#include <unordered_map>
#include <vector>

#include "../clause.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::kit {
namespace {

constexpr uint32_t kType = XHAL_TYPE_event;

// Never destroyed, as a slab must not be, and reachable for a leak checker.
HandleSlab& new_slab() {
  static auto& slabs = *new std::deque<HandleSlab*>;
  return *slabs.emplace_back(new HandleSlab(kType));
}

TEST(Slab, HandleIsSetUp) {
  HandleSlab& slab = new_slab();
  int object = 0;
  xhal_handle_header_t* header = slab.allocate(&object);
  ASSERT_NE(header, nullptr);
  EXPECT_EQ(header->table, services().dead_table) << "until libxhal stamps it";
  EXPECT_EQ(header->type, kType);
  EXPECT_EQ(header->generation, 1U);
  EXPECT_EQ(header->object, &object);
  EXPECT_EQ(header->reserved, nullptr);
  slab.free(header);
}

TEST(Slab, FreedHandleIsDeadAtOnceAndReadable) {
  HandleSlab& slab = new_slab();
  int object = 0;
  xhal_handle_header_t* header = slab.allocate(&object);
  const xhal_table_t live = {};
  header->table = &live;  // libxhal's stamp
  slab.free(header);
  EXPECT_EQ(header->table, services().dead_table);
  EXPECT_EQ(header->object, nullptr);
  EXPECT_EQ(header->type, kType) << "a stale handle still tells its type";
}

TEST(Slab, NeverReusedBefore1024FurtherFrees) {
  XHAL_CLAUSE("XHAL-ABI-4");
  HandleSlab& slab = new_slab();
  std::unordered_map<xhal_handle_header_t*, uint64_t> freed_at;
  uint64_t frees = 0;
  bool reused = false;
  for (int i = 0; i < 5000; ++i) {
    xhal_handle_header_t* header = slab.allocate(&frees);
    if (const auto former = freed_at.find(header); former != freed_at.end()) {
      ASSERT_GE(frees - former->second, HandleSlab::kMinimumQueue);
      ASSERT_GE(header->generation, 2U);
      reused = true;
    }
    slab.free(header);
    freed_at[header] = ++frees;
  }
  EXPECT_TRUE(reused) << "slots must come back, or memory grows for ever";
  EXPECT_LE(freed_at.size(), HandleSlab::kMinimumQueue + 2);
}

TEST(Slab, ReuseIsFirstInFirstOut) {
  HandleSlab& slab = new_slab();
  int object = 0;
  std::vector<xhal_handle_header_t*> headers;
  for (size_t i = 0; i < 3 * HandleSlab::kMinimumQueue; ++i) headers.push_back(slab.allocate(&object));
  EXPECT_EQ(std::set<xhal_handle_header_t*>(headers.begin(), headers.end()).size(), headers.size());
  std::ranges::reverse(headers);
  for (xhal_handle_header_t* header : headers) slab.free(header);
  for (size_t i = 0; i < 2 * HandleSlab::kMinimumQueue; ++i)
    ASSERT_EQ(slab.allocate(&object), headers[i]) << i;
  // 1,024 wait in the queue now: the next one is a new slot.
  EXPECT_EQ(std::ranges::find(headers, slab.allocate(&object)), headers.end());
}

TEST(Slab, GenerationsDifferAtEachUse) {
  HandleSlab& slab = new_slab();
  int object = 0;
  std::unordered_map<xhal_handle_header_t*, uint32_t> generations;
  for (int i = 0; i < 10000; ++i) {
    xhal_handle_header_t* header = slab.allocate(&object);
    uint32_t& former = generations[header];
    ASSERT_GT(header->generation, former);
    former = header->generation;
    slab.free(header);
  }
}

TEST(Slab, NeighboursShareNoCacheLine) {
  HandleSlab& slab = new_slab();
  int object = 0;
  std::set<uintptr_t> lines;
  for (int i = 0; i < 300; ++i)
    EXPECT_TRUE(lines.insert(reinterpret_cast<uintptr_t>(slab.allocate(&object)) / 64).second);
}

TEST(Slab, TypedHandles) {
  int object = 0;
  const auto check = [&]<class Handle>(Handle handle, uint32_t tag) {
    ASSERT_NE(handle, nullptr);
    EXPECT_EQ(reinterpret_cast<xhal_handle_header_t*>(handle)->type, tag);
    EXPECT_EQ(object_of<int>(handle), &object);
    free_handle(handle);
  };
#define XHAL_CHECK(name, tag) check(make_handle<xhal_##name##_t>(&object), tag);
  XHAL_HANDLE_LIST(XHAL_CHECK)
#undef XHAL_CHECK
  EXPECT_EQ(&slab_of(XHAL_TYPE_stream), &slab_of(XHAL_TYPE_stream));
  EXPECT_NE(&slab_of(XHAL_TYPE_stream), &slab_of(XHAL_TYPE_event));
  EXPECT_EQ(slab_of(9999).allocate(&object)->type, 0U) << "a type that nobody has is no other's";
}

TEST(Slab, ThreadsNeverShareASlotAndFreesStayApart) {
  HandleSlab& slab = new_slab();
  constexpr int kThreads = 4;
  constexpr int kRounds = 20000;
  std::atomic<uint64_t> frees = 0;
  std::vector<std::thread> threads;
  std::atomic<int> wrong = 0;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::deque<xhal_handle_header_t*> mine;
      int object = t;
      for (int i = 0; i < kRounds; ++i) {
        mine.push_back(slab.allocate(&object));
        if (mine.size() > static_cast<size_t>(3 + t)) {
          xhal_handle_header_t* oldest = mine.front();
          mine.pop_front();
          if (oldest->object != &object) wrong.fetch_add(1);  // another thread got it too
          slab.free(oldest);
          frees.fetch_add(1);
        }
      }
      for (xhal_handle_header_t* header : mine) {
        if (header->object != &object) wrong.fetch_add(1);
        slab.free(header);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  // After all that the queue is whole: nothing is given out twice, nothing was lost.
  std::set<xhal_handle_header_t*> seen;
  int object = 0;
  for (int i = 0; i < 4000; ++i) ASSERT_TRUE(seen.insert(slab.allocate(&object)).second);
}

TEST(Slab, StaleHandlesAreReadWhileOthersCreateAndDestroy) {
  // What libxhal does with whatever the application hands it: reads table and type of a slot that may be given out at this moment.
  HandleSlab& slab = new_slab();
  int object = 0;
  xhal_handle_header_t* stale = slab.allocate(&object);
  slab.free(stale);
  std::atomic<bool> stop = false;
  std::thread churn([&] {
    for (int i = 0; i < 100000; ++i) slab.free(slab.allocate(&object));
    stop = true;
  });
  while (!stop) {
    const xhal_table_t* table = std::atomic_ref(stale->table).load(std::memory_order_relaxed);
    ASSERT_EQ(table, services().dead_table);
    ASSERT_EQ(stale->type, kType);
  }
  churn.join();
}

// ---- fork --------------------------------------------------------------------------------------------------------------------

// Runs `body` in a child and gives back its exit code, or -1 when it hung or crashed.
template <class Body>
int in_child(const Body& body) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(60);  // a deadlock ends the child by a signal
    _exit(body());
  }
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

TEST(SlabFork, LockHeldByAnotherThreadIsFreeInTheChild) {
  ForkProofLock lock;
  std::atomic<bool> held = false;
  std::atomic<bool> release = false;
  std::thread holder([&] {
    lock.lock();
    held = true;
    while (!release) std::this_thread::yield();
    lock.unlock();
  });
  while (!held) std::this_thread::yield();
  EXPECT_EQ(in_child([&] {
              for (int i = 0; i < 3; ++i) {
                lock.lock();
                lock.unlock();
              }
              return 7;
            }),
            7);
  release = true;
  holder.join();
  lock.lock();  // the parent's lock was left alone
  lock.unlock();
}

TEST(SlabFork, GrandchildrenToo) {
  ForkProofLock lock;
  lock.lock();
  EXPECT_EQ(in_child([&] {
              lock.lock();  // taken over from the parent, held at the next fork
              return in_child([&] {
                lock.lock();
                lock.unlock();
                return 5;
              });
            }),
            5);
  lock.unlock();
}

TEST(SlabFork, ChildWorksWhereverAnotherThreadWas) {
  HandleSlab& slab = new_slab();
  std::atomic<bool> stop = false;
  std::atomic<int> steady = 0;
  std::vector<std::thread> churn;
  for (int t = 0; t < 2; ++t) {
    churn.emplace_back([&] {
      std::array<xhal_handle_header_t*, 700> mine = {};
      int object = 0;
      for (size_t i = 0; !stop; ++i) {
        xhal_handle_header_t*& oldest = mine[i % mine.size()];
        if (oldest != nullptr) slab.free(oldest);
        oldest = slab.allocate(&object);
        // From here on slots come from the queue: no thread is inside malloc, whose state in a child is not what is tested here.
        if (i == 10 * mine.size()) steady.fetch_add(1);
      }
    });
  }
  while (steady < 2) std::this_thread::yield();
  constexpr size_t kMany = 3000;
  static std::array<xhal_handle_header_t*, kMany> seen;
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(in_child([&] {
                int object = 0;
                for (int round = 0; round < 3; ++round) {
                  for (auto& header : seen) header = slab.allocate(&object);
                  std::ranges::sort(seen);
                  if (std::ranges::adjacent_find(seen) != seen.end()) return 2;  // given out twice
                  for (xhal_handle_header_t* header : seen) slab.free(header);
                }
                return 1;
              }),
              1)
        << i;
  }
  stop = true;
  for (std::thread& thread : churn) thread.join();
}

TEST(ForkProofLock, ExcludesAndWakes) {
  ForkProofLock lock;
  int counter = 0;  // unguarded but for the lock
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50000; ++i) {
        lock.lock();
        ++counter;
        lock.unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(counter, 200000);
}

}  // namespace
}  // namespace xhal::kit
