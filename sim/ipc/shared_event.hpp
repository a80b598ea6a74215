// SPDX-License-Identifier: Apache-2.0
// An event that several processes record and wait for: its generations in a page that all of them have.
//
// A record takes the next generation and the slot that belongs to it, by one compare-and-exchange on the slot, which says who records.
// Whoever comes next helps the page's generation on, so that a process may end between any two steps. A generation is over when its
// slot says so, or holds a later one: a slot is taken again only when its former generation is over or its recorder dead.
//
// A process that records keeps a lock on its owner's byte of the page's file, by a descriptor of its own that ends with its program: one that
// calls exec() goes on living and will never finish what it recorded.
//
// The page and the bell are shared with processes that may do anything to them. What the page says is read as numbers that are checked, and
// leads at worst to waits that end too early or never. Nothing that is done with the bell can block.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "engine/progress.hpp"
#include "ipc/descriptor.hpp"
#include "ipc/handle.hpp"
#include "ipc/process.hpp"
#include "xhal/base.h"

namespace xhal::sim {

class EventWatcher;

class SharedEvent : public std::enable_shared_from_this<SharedEvent> {
 public:
  static constexpr uint64_t kSlots = 448;  // generations that may be pending at once
  static constexpr uint64_t kOwners = 62;  // processes that record it

  // `watcher` lives longer. Null with a text when the system has no room; adopt() also for what is no page of an event's.
  static std::shared_ptr<SharedEvent> make(EventWatcher& watcher, std::string& why);
  static std::shared_ptr<SharedEvent> adopt(EventWatcher& watcher, Descriptor file, Descriptor bell,
                                            std::string& why);
  SharedEvent(const SharedEvent&) = delete;
  SharedEvent& operator=(const SharedEvent&) = delete;
  ~SharedEvent();

  // What other processes are given.
  [[nodiscard]] int file() const { return file_.get(); }
  // Rings, for whoever polls for its EPOLLOUT edges, when a generation is over.
  [[nodiscard]] int bell() const { return bell_.get(); }

  // The next generation is current, pending, and this process's; `position` is where it is over. 0 when too many are pending.
  [[nodiscard]] uint64_t record(Position position);
  // The recorder's: SUCCESS, or why its work failed.
  void finish(uint64_t generation, xhal_result_t result);

  [[nodiscard]] uint64_t current() const { return page_->current.load(std::memory_order_acquire); }
  struct State {
    bool is_over = false;
    xhal_result_t result = XHAL_SUCCESS;  // once it is over
    ProcessId recorder;                   // until then
  };
  [[nodiscard]] State state(uint64_t generation) const;
  // Pending, and nobody is left who would finish it. Asks the system.
  [[nodiscard]] bool is_abandoned(uint64_t generation) const;
  // A position of this process's that is done when the current generation is over, or its recorder dead.
  [[nodiscard]] Position position();

  // How others come by it, once it was exported; the instance's lock of exports guards it.
  struct Export {
    uint64_t key = 0;  // 0: was not exported
    ShareHandle handle = {};
  };
  Export exported;

 private:
  struct Page {
    std::atomic<uint64_t> magic;
    std::atomic<uint64_t> current;
    std::atomic<uint64_t> owners[kOwners];
    std::atomic<uint64_t> slots[kSlots];
  };
  static_assert(sizeof(Page) == 4096 && std::atomic<uint64_t>::is_always_lock_free);

  SharedEvent(EventWatcher& watcher, Page* page, Descriptor file, Descriptor bell);
  static std::shared_ptr<SharedEvent> map(EventWatcher& watcher, Descriptor file, Descriptor bell,
                                          std::string& why);
  // This process's place among the owners; kOwners when there is none.
  uint64_t take_owner();
  // `is_claimed`: by a program that runs, this one or another.
  [[nodiscard]] bool is_claimed(uint64_t owner) const;
  void claim(uint64_t owner, bool keep) const;
  [[nodiscard]] bool is_alive(uint64_t owner) const;
  void cancel_all_of(uint64_t owner);

  EventWatcher& watcher_;
  Page* const page_;
  const Descriptor file_;
  const Descriptor bell_;
  const Descriptor claims_;  // the page's file, opened by this process alone; none where there is no /proc

  std::mutex mutex_;
  const ProcessId self_;
  std::atomic<uint64_t> owner_{kOwners};
  // Positions that stand for generations: of this process's last record, and of those that it watches.
  uint64_t recorded_ = 0;
  Position recorded_at_;
  struct Watched {
    uint64_t generation;
    Position position;
  };
  std::vector<Watched> watched_;
};

}  // namespace xhal::sim
