// SPDX-License-Identifier: Apache-2.0
// Memory that other streams than its own have used, from its free until they are through with it.
#include <algorithm>
#include <utility>

#include "state.hpp"

namespace xhal::caching {
namespace {

bool is_capturing(xhal_stream_t stream) {
  xhal_capture_info_t info = {};
  info.struct_size = sizeof(info);
  return xhal_stream_get_capture_info(stream, &info) == XHAL_SUCCESS && info.state != XHAL_CAPTURE_STATE_NONE;
}

}  // namespace

using State = AllocatorState;

// An event is of its stream's device; those of others are rare and not kept.
xhal_event_t State::take_event(xhal_device_t of) {
  xhal_event_t event = nullptr;
  if (of != device || spare_events.empty()) {
    const RelaxedCapture relaxed(*this);
    return xhal_event_create(of, nullptr, &event) == XHAL_SUCCESS ? event : nullptr;
  }
  event = spare_events.back();
  spare_events.pop_back();
  return event;
}

void State::give_back_event(const Pending& done) {
  if (done.is_kept) {
    spare_events.push_back(done.event);
  } else {
    xhal_event_destroy(done.event);
  }
}

void State::wait_for_users(Block* block) {
  // An event that is recorded in a capture tells nothing until the graph runs, and to ask it breaks the capture.
  const bool must_defer = !filling.empty() || std::ranges::any_of(block->users, [](const User& user) {
    return is_capturing(user.stream.handle);
  });
  if (must_defer) {
    deferred.push_back(block);
    return;
  }
  for (const User& user : block->users) {
    ++block->events_pending;
    const Pending added{take_event(user.device), block, user.device == device};
    if (added.event != nullptr && xhal_event_record(added.event, user.stream.handle, 0) == XHAL_SUCCESS) {
      ++pending_count;
      pending[user.stream.id].push_back(added);
      continue;
    }
    if (added.event != nullptr) give_back_event(added);
    unknown.push_back({block, user.device});
  }
  block->users.clear();
}

// Streams pass their events in order: the first that is not done tells of all behind it.
void State::ask_events() {
  if (!filling.empty()) return;
  if (!deferred.empty()) {
    for (Block* block : std::exchange(deferred, {})) wait_for_users(block);
  }
  if (pending_count == 0) return;
  for (auto& [stream, events] : pending)
    while (!events.empty()) {
      const Pending first = events.front();
      // A failure is an end as well.
      if (xhal_event_query(first.event) == XHAL_NOT_READY) break;
      events.pop_front();
      --pending_count;
      give_back_event(first);
      if (--first.block->events_pending == 0) reuse(first.block);
    }
}

// A host function of a stream may free blocks itself, so the lock is not held meanwhile: blocks and lists are others afterwards.
void State::wait_for_all_users(std::unique_lock<std::mutex>& lock) {
  if (!filling.empty()) return;
  ask_events();
  const bool needs_device = settings.expandable || !unknown.empty();
  if (pending_count == 0 && !needs_device) return;
  ++stats.num_sync_all_streams;
  std::vector<xhal_event_t> last_events;
  for (const auto& [stream, events] : pending)
    if (!events.empty()) last_events.push_back(events.back().event);
  const std::vector<Unknown> of_unknown = std::exchange(unknown, {});
  const uint64_t frees_before = frees;
  lock.unlock();
  for (xhal_event_t event : last_events) xhal_event_synchronize(event, XHAL_WAIT_FOREVER);
  if (needs_device) xhal_device_synchronize(device, XHAL_WAIT_FOREVER);
  for (const Unknown& entry : of_unknown)
    if (entry.device != device) xhal_device_synchronize(entry.device, XHAL_WAIT_FOREVER);
  lock.lock();
  if (needs_device) settled_frees = std::max(settled_frees, frees_before);
  for (const Unknown& entry : of_unknown)
    if (--entry.block->events_pending == 0) reuse(entry.block);
  ask_events();
}

void Allocator::record_stream(Block* block, Stream stream) {
  if (block == nullptr) return;
  const std::lock_guard lock(state_->mutex);
  if (block->stream.id == stream.id) return;
  if (std::ranges::any_of(block->users, [&](const User& user) { return user.stream.id == stream.id; }))
    return;
  User user{stream, state_->device};
  // Of a stream that is gone already nothing more is known than that it was somebody's: this device's is what is left to wait for.
  xhal_stream_get_device(stream.handle, &user.device);
  block->users.push_back(user);
}

}  // namespace xhal::caching
