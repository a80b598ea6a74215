// SPDX-License-Identifier: Apache-2.0
#include "registry.hpp"

#include <fcntl.h>
#include <pthread.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "instance.hpp"
#include "library.hpp"
#include "stable_pool.hpp"

namespace xhal::host {
namespace {

constinit StablePool<InstanceSlot> g_slots;

// An address that tells the calling thread from others, the same in a forked child.
const void* this_thread() {
  static constinit thread_local char t_here = 0;
  return &t_here;
}

bool is_active(const Instance& instance) {
  return std::any_of(instance.drivers.begin(), instance.drivers.end(), [](const auto& driver) {
    return driver->block->context.activated.load(std::memory_order_acquire);
  });
}

void set_instance_table(InstanceSlot& slot, uint32_t state) {
  set_refusing(slot.table.table, state == XHAL_TABLE_FORKED ? Refusal::kForked : Refusal::kDead);
  __atomic_store_n(&slot.table.table.state, state, __ATOMIC_RELAXED);
}

}  // namespace

bool LoadingLock::lock() {
  if (owner_.load(std::memory_order_relaxed) == this_thread()) return false;
  while (held_.exchange(1, std::memory_order_acquire) != 0) held_.wait(1, std::memory_order_relaxed);
  owner_.store(this_thread(), std::memory_order_relaxed);
  return true;
}

void LoadingLock::unlock() {
  owner_.store(nullptr, std::memory_order_relaxed);
  held_.store(0, std::memory_order_release);
  held_.notify_one();
}

void LoadingLock::reset_in_child() {
  if (owner_.load(std::memory_order_relaxed) == this_thread()) return;
  owner_.store(nullptr, std::memory_order_relaxed);
  held_.store(0, std::memory_order_relaxed);
}

Registry& Registry::get() {
  static Registry* const registry = new Registry;
  return *registry;
}

Registry::Registry() { pthread_atfork(&before_fork, &after_fork_in_parent, &after_fork_in_child); }

void Registry::before_fork() { get().mutex_.lock(); }

void Registry::after_fork_in_parent() { get().mutex_.unlock(); }

void Registry::after_fork_in_child() {
  Registry& registry = get();
  for (InstanceSlot* slot : registry.live_) {
    const bool forked = is_active(*slot->instance());
    // The thread that was about to end an instance is not there to go on: what is left of it is nobody's.
    if (!forked && !slot->is_ending) continue;
    for (const auto& driver : slot->instance()->drivers)
      set_refusing(*driver->block, forked ? Refusal::kForked : Refusal::kDead);
    set_instance_table(*slot, forked ? XHAL_TABLE_FORKED : XHAL_TABLE_DEAD);
  }
  for (Library* library : registry.libraries_) library->loading.reset_in_child();
  registry.mutex_.unlock();
}

TableBlock* Registry::take_block() {
  const std::lock_guard lock(mutex_);
  return take_table_block();
}

InstanceSlot* Registry::take_slot() {
  const std::lock_guard lock(mutex_);
  return g_slots.take();
}

void Registry::add(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  live_.push_back(slot);
  for (const auto& driver : slot->instance()->drivers) set_live(*driver->block, driver->outermost);
  set_instance_table(*slot, XHAL_TABLE_LIVE);
  stamp(&slot->header, &slot->table.table);
}

std::vector<HostFunctionCheck> Registry::host_function_checks(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  std::vector<HostFunctionCheck> checks;
  if (std::find(live_.begin(), live_.end(), slot) == live_.end()) return checks;
  for (const auto& driver : slot->instance()->drivers) {
    if (driver->is_inside_host_function != nullptr) checks.push_back(driver->is_inside_host_function);
  }
  return checks;
}

bool Registry::begin_end(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  if (slot->is_ending || std::find(live_.begin(), live_.end(), slot) == live_.end()) return false;
  slot->is_ending = true;
  return true;
}

void Registry::cancel_end(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  slot->is_ending = false;
}

void Registry::retire(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  slot->is_ending = false;
  std::erase(live_, slot);
  for (const auto& driver : slot->instance()->drivers) set_refusing(*driver->block, Refusal::kDead);
  set_instance_table(*slot, XHAL_TABLE_DEAD);
}

void Registry::give_back(InstanceSlot* slot) {
  const std::lock_guard lock(mutex_);
  stamp(&slot->header, dead_table());
  slot->header.object = nullptr;
  g_slots.give_back(slot);
}

void Registry::give_back(TableBlock* block) {
  const std::lock_guard lock(mutex_);
  give_back_table_block(block);
}

Library* Registry::library(discovery::Kind kind, const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (Library* library : libraries_) {
    if (library->kind == kind && library->path == path) return library;
  }
  auto made = std::make_unique<Library>();
  made->kind = kind;
  made->path = path;
  libraries_.push_back(made.get());
  return made.release();
}

uint32_t Registry::take_layer_slot() {
  const std::lock_guard lock(mutex_);
  return layer_slots_ < XHAL_MAX_LAYERS ? layer_slots_++ : XHAL_MAX_LAYERS;
}

int Registry::log_file(const std::string& path) {
  const std::lock_guard lock(mutex_);
  for (const LogFile& file : log_files_) {
    if (file.path == path) return file.descriptor;
  }
  // Non-blocking, so that a FIFO without a reader is an error and not a hang.
  const int descriptor =
      open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0644);
  if (descriptor >= 0) log_files_.push_back({path, descriptor});
  return descriptor;
}

bool Registry::claim_variable_check() {
  const std::lock_guard lock(mutex_);
  return !std::exchange(variables_checked_, true);
}

}  // namespace xhal::host
