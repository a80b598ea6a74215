// SPDX-License-Identifier: Apache-2.0
// Which signals are one wish to stop, which insist, and which are not ours; by a clock that stands still unless it is told.
#include "run/interrupts.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <string>

namespace xhal::conformance {
namespace {

std::atomic<int64_t> test_time{0};
int64_t test_clock() { return test_time; }

bool is_readable(int fd) {
  pollfd wanted = {fd, POLLIN, 0};
  return poll(&wanted, 1, 0) == 1;
}

bool is_ignored(int number) {
  struct sigaction action {};
  sigaction(number, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

// Signals as a program finds them that was started from a terminal, wherever the tests run.
class InterruptSignals : public testing::TestWithParam<int> {
 protected:
  InterruptSignals() {
    test_time = 0;
    for (size_t i = 0; i < kSignals.size(); ++i) {
      struct sigaction action {};
      action.sa_handler = SIG_DFL;
      sigaction(kSignals[i], &action, &former_[i]);
    }
  }
  ~InterruptSignals() override {
    for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &former_[i], nullptr);
  }

 private:
  static constexpr std::array kSignals = {SIGINT, SIGTERM, SIGHUP};
  std::array<struct sigaction, 3> former_{};
};

TEST_P(InterruptSignals, ManyInARowAreOneWish) {
  const Interrupts interrupts(test_clock);
  EXPECT_FALSE(is_readable(interrupts.fd()));
  raise(GetParam());
  EXPECT_TRUE(is_readable(interrupts.fd()));
  test_time = Interrupts::kOneWish;
  for (const int number : {SIGINT, SIGTERM, SIGHUP, GetParam()}) raise(number);
  char bytes[8];
  EXPECT_EQ(read(interrupts.fd(), bytes, sizeof(bytes)), 1);
}

TEST_P(InterruptSignals, WhoInsistsGetsOut) {
  testing::GTEST_FLAG(death_test_style) = "threadsafe";
  EXPECT_EXIT(
      {
        const Interrupts interrupts(test_clock);
        raise(SIGINT);
        test_time = Interrupts::kOneWish + 1;
        raise(GetParam());
      },
      testing::KilledBySignal(GetParam()), "");
}

TEST_P(InterruptSignals, ThatAreIgnoredStayIgnored) {
  std::signal(GetParam(), SIG_IGN);
  {
    const Interrupts interrupts(test_clock);
    EXPECT_TRUE(is_ignored(GetParam()));
    raise(GetParam());
    EXPECT_FALSE(is_readable(interrupts.fd()));
    // The others are caught all the same.
    const int other = GetParam() == SIGINT ? SIGTERM : SIGINT;
    raise(other);
    EXPECT_TRUE(is_readable(interrupts.fd()));
  }
  EXPECT_TRUE(is_ignored(GetParam()));
}

TEST_P(InterruptSignals, AreAsTheyWereAfterwards) {
  { const Interrupts interrupts(test_clock); }
  struct sigaction action {};
  sigaction(GetParam(), nullptr, &action);
  EXPECT_EQ(action.sa_handler, SIG_DFL);
}

TEST_P(InterruptSignals, RestartCallsThatTheyMeet) {
  const Interrupts interrupts(test_clock);
  struct sigaction action {};
  sigaction(GetParam(), nullptr, &action);
  EXPECT_NE(action.sa_flags & SA_RESTART, 0);
}

TEST(MonotonicNow, MovesForward) {
  const int64_t first = monotonic_now();
  EXPECT_GT(first, 0);
  EXPECT_GE(monotonic_now(), first);
}

INSTANTIATE_TEST_SUITE_P(Every, InterruptSignals, testing::Values(SIGINT, SIGTERM, SIGHUP),
                         [](const auto& one) { return std::string("SIG") + sigabbrev_np(one.param); });

}  // namespace
}  // namespace xhal::conformance
