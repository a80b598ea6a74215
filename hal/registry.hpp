// SPDX-License-Identifier: Apache-2.0
// What libxhal keeps for the life of the process: live instances, negotiated libraries, open log files. And how it survives a fork.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "discovery/discovery.hpp"
#include "tables.hpp"

namespace xhal::host {

struct Library;
struct InstanceSlot;
using HostFunctionCheck = uint32_t (*)();

// Held by the thread that opens and negotiates a library; others that want the same library wait. Not one of the locks that are held
// over a fork, because drivers' code runs under it, which may itself wait for a fork's handlers, or fork.
class LoadingLock {
 public:
  // False when the calling thread holds it already: a driver that creates an instance while it is being negotiated.
  [[nodiscard]] bool lock();
  void unlock();
  // In a forked child: the thread that held it is not there, unless it is the one that forked.
  void reset_in_child();

 private:
  std::atomic<uint32_t> held_{0};
  std::atomic<const void*> owner_{nullptr};
};

// The one process-wide object, made at first use and leaked, so that it is there during static destruction. Its mutex is held for a few
// list operations only, never while code of a driver, a layer or the application runs, and by no call of the dispatch table.
class Registry {
 public:
  static Registry& get();

  // Null when memory is exhausted.
  TableBlock* take_block();
  InstanceSlot* take_slot();

  // The instance's handle and tables turn live, and are looked after when the process forks.
  void add(InstanceSlot* slot);
  // What its drivers offer to ask; none when it is not live. Called without the lock.
  std::vector<HostFunctionCheck> host_function_checks(InstanceSlot* slot);
  // The caller is the one that destroys it. False when it is not live, or somebody else does already.
  [[nodiscard]] bool begin_end(InstanceSlot* slot);
  // It goes on living, and nobody has noticed.
  void cancel_end(InstanceSlot* slot);
  // The instance's handle and tables refuse from now on.
  void retire(InstanceSlot* slot);
  void give_back(InstanceSlot* slot);
  void give_back(TableBlock* block);

  // The library's entry, made when it is new; its contents are guarded by its own lock. Never null (throws std::bad_alloc).
  Library* library(discovery::Kind kind, const std::string& path);

  // The next layer's place in layer_state, for the life of the process; XHAL_MAX_LAYERS when all are taken.
  uint32_t take_layer_slot();

  // Descriptor of a file opened for appending, -1 with errno.
  int log_file(const std::string& path);

  // True for the first caller in the process.
  [[nodiscard]] bool claim_variable_check();

 private:
  Registry();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  struct LogFile {
    std::string path;
    int descriptor;
  };

  std::mutex mutex_;
  std::vector<InstanceSlot*> live_;
  std::vector<Library*> libraries_;
  std::vector<LogFile> log_files_;
  uint32_t layer_slots_ = 0;
  bool variables_checked_ = false;
};

}  // namespace xhal::host
