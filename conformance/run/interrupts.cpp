// SPDX-License-Identifier: Apache-2.0
#include "run/interrupts.h"

#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace xhal::conformance {

namespace {

constexpr int64_t kNoWish = -1;

// What the handler needs; a handler may use lock-free atomics only.
std::atomic<int> write_end{-1};
std::atomic<int64_t> first_wish{kNoWish};
std::atomic<SignalClock> clock_in_use{nullptr};
static_assert(std::atomic<int64_t>::is_always_lock_free && std::atomic<SignalClock>::is_always_lock_free);

void on_signal(int number) {
  const int error = errno;
  const int64_t now = clock_in_use.load()();
  int64_t first = kNoWish;
  if (first_wish.compare_exchange_strong(first, now)) {
    static_cast<void>(write(write_end.load(), "x", 1));
  } else if (now - first > Interrupts::kOneWish) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
  errno = error;
}

bool is_ignored(const struct sigaction& action) {
  return (action.sa_flags & SA_SIGINFO) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

int64_t monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

Interrupts::Interrupts(SignalClock clock) {
  if (pipe2(pipe_.data(), O_CLOEXEC | O_NONBLOCK) != 0)
    throw std::system_error(errno, std::generic_category(), "cannot make a pipe for signals");
  write_end = pipe_[1];
  first_wish = kNoWish;
  clock_in_use = clock;
  struct sigaction action {};
  action.sa_handler = on_signal;
  // Who waits for the wish waits for the descriptor; nobody else's call is to fail for it.
  action.sa_flags = SA_RESTART;
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], nullptr, &former_[i]);
    if (!is_ignored(former_[i])) sigaction(kSignals[i], &action, nullptr);
  }
}

Interrupts::~Interrupts() {
  for (size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &former_[i], nullptr);
  close(pipe_[0]);
  close(pipe_[1]);
}

}  // namespace xhal::conformance
