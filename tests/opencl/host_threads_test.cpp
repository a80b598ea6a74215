// SPDX-License-Identifier: Apache-2.0
#include "work/host_threads.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <latch>
#include <memory>
#include <utility>

namespace xhal::opencl {
namespace {

class Work final : public HostWork {
 public:
  explicit Work(std::function<void()> function) : function_(std::move(function)) {}
  void run() override { function_(); }

 private:
  std::function<void()> function_;
};

void run(HostThreads& threads, std::function<void()> function) {
  threads.run(std::make_unique<Work>(std::move(function)));
}

// Each waits for all others: with fewer threads than that nobody would come back.
TEST(HostThreads, RunWhatBlocksSideBySide) {
  constexpr int kCount = 20;
  std::latch all(kCount);
  {
    HostThreads threads;
    threads.start();
    for (int i = 0; i < kCount; ++i) run(threads, [&] { all.arrive_and_wait(); });
  }
  EXPECT_TRUE(all.try_wait());
}

TEST(HostThreads, RunEverythingBeforeTheyEnd) {
  std::atomic<int> ran{0};
  {
    HostThreads threads;
    threads.start();
    for (int i = 0; i < 1000; ++i) run(threads, [&] { ++ran; });
  }
  EXPECT_EQ(ran, 1000);
}

TEST(HostThreads, AreNoneUntilTheyAreAskedFor) {
  const HostThreads threads;  // ends without a thread to wait for
}

}  // namespace
}  // namespace xhal::opencl
