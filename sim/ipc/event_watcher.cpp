// SPDX-License-Identifier: Apache-2.0
#include "ipc/event_watcher.hpp"

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <new>
#include <string>
#include <system_error>
#include <utility>

namespace xhal::sim {
namespace {

// What epoll tells with an event: these, or a ProcessId's word, which is greater.
constexpr uint64_t kWake = 0;
constexpr uint64_t kBell = 1;
// How often recorders and pages are looked at: whether a recorder runs another program now, no descriptor tells, and where there are no
// pidfds, neither whether it runs at all. Nor does a bell ring that somebody spoilt.
constexpr int kLookMs = 200;

void add_to(int epoll, int fd, uint32_t events, uint64_t tag) {
  epoll_event event = {};
  event.events = events;
  event.data.u64 = tag;
  // One bell may be there already.
  if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0 && errno != EEXIST)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

}  // namespace

EventWatcher::~EventWatcher() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  if (!thread_.joinable()) return;
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void EventWatcher::start() {
  if (thread_.joinable()) return;
  Descriptor epoll(epoll_create1(EPOLL_CLOEXEC));
  Descriptor wake(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!epoll || !wake) throw std::system_error(errno, std::generic_category(), "epoll_create1");
  add_to(epoll.get(), wake.get(), EPOLLIN | EPOLLET, kWake);
  epoll_ = std::move(epoll);
  wake_ = std::move(wake);
  sigset_t all, former;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &former);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &former, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &former, nullptr);
}

void EventWatcher::add_recorder(ProcessId recorder) {
  if (recorders_.contains(recorder.word())) return;
  Recorder entry;
  entry.pidfd = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, recorder.pid(), 0)));
  // Asked once the descriptor is open: it is of this process, or of one that has its number now.
  entry.has_ended = !recorder.is_alive();
  if (entry.pidfd && !entry.has_ended) add_to(epoll_.get(), entry.pidfd.get(), EPOLLIN, recorder.word());
  recorders_.emplace(recorder.word(), std::move(entry));
}

Position EventWatcher::watch(std::shared_ptr<SharedEvent> event, uint64_t generation) {
  const std::lock_guard lock(mutex_);
  start();
  const SharedEvent::State state = event->state(generation);
  if (!state.is_over) add_recorder(state.recorder);
  watches_.reserve(watches_.size() + 1);
  // Edges alone, since a bell always has room; the thread looks at all once it is woken below.
  add_to(epoll_.get(), event->bell(), EPOLLOUT | EPOLLET, kBell);
  Progress* const progress = progresses_.take();
  const uint64_t number = progress->submitted() + 1;
  progress->submit(number);
  watches_.push_back({std::move(event), generation, progress, number, state.recorder});
  eventfd_write(wake_.get(), 1);
  return {progress, number};
}

// ---- The thread ----------------------------------------------------------------------------------------------------------------

void EventWatcher::run() {
  pthread_setname_np(pthread_self(), "xhal-sim-events");
  int timeout = -1;
  for (;;) {
    epoll_event events[16];
    const int count = epoll_wait(epoll_.get(), events, 16, timeout);
    std::vector<Watch> over;
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      for (int i = 0; i < count; ++i) {
        const auto ended = recorders_.find(events[i].data.u64);
        if (ended == recorders_.end()) continue;
        ended->second.has_ended = true;
        ended->second.pidfd.reset();  // which takes it out of what is waited for
      }
      for (auto& [word, recorder] : recorders_) {
        if (!recorder.pidfd && !recorder.has_ended) recorder.has_ended = !ProcessId(word).is_alive();
      }
      over = take_over_ones();
      timeout = watches_.empty() ? -1 : kLookMs;
    }
    for (const Watch& watch : over) end(watch);
  }
}

std::vector<EventWatcher::Watch> EventWatcher::take_over_ones() {
  std::vector<Watch> over;
  const auto first = std::stable_partition(watches_.begin(), watches_.end(), [&](const Watch& watch) {
    if (watch.event->state(watch.generation).is_over) return false;
    const auto recorder = recorders_.find(watch.recorder.word());
    return recorder != recorders_.end() && !recorder->second.has_ended &&
           !watch.event->is_abandoned(watch.generation);
  });
  over.assign(std::make_move_iterator(first), std::make_move_iterator(watches_.end()));
  watches_.erase(first, watches_.end());
  std::erase_if(recorders_, [&](const auto& recorder) {
    return std::ranges::none_of(watches_,
                                [&](const Watch& watch) { return watch.recorder.word() == recorder.first; });
  });
  // Bells that nobody waits for are not heard.
  for (const Watch& watch : over) {
    if (std::ranges::none_of(watches_, [&](const Watch& other) { return other.event == watch.event; }))
      epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, watch.event->bell(), nullptr);
  }
  return over;
}

void EventWatcher::end(const Watch& watch) {
  const SharedEvent::State state = watch.event->state(watch.generation);
  const xhal_result_t result = state.is_over ? state.result : XHAL_ERROR_CANCELLED;
  if (result < 0) {
    const std::string who = "process " + std::to_string(watch.recorder.pid());
    watch.progress->fail(
        watch.number,
        faults_.add({result, "xhal_event_record", 0, 0,
                     state.is_over ? "the work that another process recorded failed there"
                                   : who + ", which recorded the event, ended before its work was done"}));
  }
  watch.progress->retire(watch.number);
  progresses_.give_back(watch.progress);
}

}  // namespace xhal::sim
