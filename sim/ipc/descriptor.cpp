// SPDX-License-Identifier: Apache-2.0
#include "ipc/descriptor.hpp"

#include <pthread.h>
#include <unistd.h>

#include <mutex>
#include <unordered_set>

namespace xhal::sim {
namespace {

struct Open {
  std::mutex mutex;
  std::unordered_set<int> all;
};

// Never destroyed: descriptors may outlive static objects.
Open& open_ones() {
  static Open* const kOpen = [] {
    static Open* open = nullptr;
    open = new Open;
    pthread_atfork([] { open->mutex.lock(); }, [] { open->mutex.unlock(); },
                   [] {
                     for (const int fd : open->all) close(fd);
                     open->all.clear();
                     open->mutex.unlock();
                   });
    return open;
  }();
  return *kOpen;
}

}  // namespace

void Descriptor::prepare_for_fork() { open_ones(); }

Descriptor::Descriptor(int fd) {
  if (fd < 0) return;
  Open& open = open_ones();
  try {
    const std::lock_guard lock(open.mutex);
    open.all.insert(fd);
  } catch (...) {
    close(fd);
    throw;
  }
  fd_ = fd;
}

void Descriptor::reset() {
  if (fd_ < 0) return;
  Open& open = open_ones();
  const std::lock_guard lock(open.mutex);
  const int fd = std::exchange(fd_, -1);
  // A child that was forked meanwhile closed its own, and the number may be another file's.
  if (open.all.erase(fd) != 0) close(fd);
}

}  // namespace xhal::sim
