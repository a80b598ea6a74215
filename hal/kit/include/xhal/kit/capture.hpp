// SPDX-License-Identifier: Apache-2.0
// A capture under way: one origin stream, and those that joined it by waiting for one of its events.
//
// A driver brings its own nodes: a vector of them whose elements have `std::vector<uint32_t> after`, the indices of the nodes that they
// depend on. Streams are known by their addresses alone. Each stream's calls come under a lock of that stream's.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "xhal/graph.h"

namespace xhal::kit {

// What any thread may know of a capture.
class CaptureState {
 public:
  CaptureState(uint64_t number, uint32_t capture_mode)
      : id(number), mode(capture_mode), thread(std::this_thread::get_id()) {}
  CaptureState(const CaptureState&) = delete;
  CaptureState& operator=(const CaptureState&) = delete;

  const uint64_t id;
  const uint32_t mode;
  const std::thread::id thread;

  // ACTIVE or INVALIDATED; NONE once it has ended, in whatever way: its streams work as before then. Lock-free.
  [[nodiscard]] uint32_t state() const { return state_.load(std::memory_order_acquire); }
  // False when it is not active.
  bool invalidate() {
    uint32_t expected = XHAL_CAPTURE_STATE_ACTIVE;
    return state_.compare_exchange_strong(expected, XHAL_CAPTURE_STATE_INVALIDATED,
                                          std::memory_order_acq_rel);
  }
  // Ends it without a graph.
  void abort() { state_.store(XHAL_CAPTURE_STATE_NONE, std::memory_order_release); }

 protected:
  ~CaptureState() = default;
  std::atomic<uint32_t> state_{XHAL_CAPTURE_STATE_ACTIVE};
};

// Nodes whose end stands for the point that a stream, or an event, has reached in a capture.
using CaptureFront = std::vector<uint32_t>;

template <class Nodes>
class Capture : public CaptureState {
 public:
  using Node = typename Nodes::value_type;

  Capture(const void* origin, uint64_t number, uint32_t capture_mode)
      : CaptureState(number, capture_mode), origin_(origin) {
    fronts_.emplace(origin, CaptureFront{});
  }

  // CAPTURE_INVALIDATED when it is.
  xhal_result_t add(const void* stream, Node node) {
    const std::lock_guard lock(mutex_);
    if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
    CaptureFront& front = fronts_.at(stream);
    node.after = front;
    nodes_.push_back(std::move(node));
    front.assign(1, static_cast<uint32_t>(nodes_.size() - 1));
    return XHAL_SUCCESS;
  }

  // All nodes of a graph, between what the stream did and what it does next.
  xhal_result_t add_all(const void* stream, const Nodes& nodes) {
    const std::lock_guard lock(mutex_);
    if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
    if (nodes.empty()) return XHAL_SUCCESS;
    CaptureFront& front = fronts_.at(stream);
    const auto first = static_cast<uint32_t>(nodes_.size());
    std::vector<bool> is_last(nodes.size(), true);
    nodes_.reserve(nodes_.size() + nodes.size());
    for (Node node : nodes) {
      for (uint32_t& before : node.after) {
        is_last[before] = false;
        before += first;
      }
      if (node.after.empty()) node.after = front;
      nodes_.push_back(std::move(node));
    }
    front.clear();
    for (size_t i = 0; i < is_last.size(); ++i) {
      if (is_last[i]) front.push_back(first + static_cast<uint32_t>(i));
    }
    return XHAL_SUCCESS;
  }

  xhal_result_t front(const void* stream, CaptureFront& out) {
    const std::lock_guard lock(mutex_);
    if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
    out = fronts_.at(stream);
    return XHAL_SUCCESS;
  }

  // The stream is behind `other`, too; it takes part from now on.
  xhal_result_t join(const void* stream, const CaptureFront& other) {
    const std::lock_guard lock(mutex_);
    if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
    CaptureFront& front = fronts_[stream];
    front.insert(front.end(), other.begin(), other.end());
    std::ranges::sort(front);
    front.erase(std::unique(front.begin(), front.end()), front.end());
    return XHAL_SUCCESS;
  }

  // By the origin. SUCCESS with the nodes, CAPTURE_UNJOINED, CAPTURE_INVALIDATED; CAPTURE_MISMATCH for a thread that may not, which changes
  // nothing.
  xhal_result_t end(const void* origin, Nodes& out) {
    const std::lock_guard lock(mutex_);
    if (origin != origin_ || (mode != XHAL_CAPTURE_RELAXED && thread != std::this_thread::get_id()))
      return XHAL_ERROR_CAPTURE_MISMATCH;
    const uint32_t former = state_.exchange(XHAL_CAPTURE_STATE_NONE, std::memory_order_acq_rel);
    if (former == XHAL_CAPTURE_STATE_INVALIDATED) return XHAL_ERROR_CAPTURE_INVALIDATED;
    if (former == XHAL_CAPTURE_STATE_NONE) return XHAL_ERROR_CAPTURE_MISMATCH;
    if (!all_joined()) return XHAL_ERROR_CAPTURE_UNJOINED;
    out = std::move(nodes_);
    return XHAL_SUCCESS;
  }

 private:
  // Whether the origin's front lies behind everything that the other streams did.
  [[nodiscard]] bool all_joined() const {
    std::vector<bool> behind(nodes_.size(), false);
    for (const uint32_t node : fronts_.at(origin_)) behind[node] = true;
    for (size_t i = nodes_.size(); i-- != 0;) {
      if (!behind[i]) continue;
      for (const uint32_t before : nodes_[i].after) behind[before] = true;
    }
    return std::ranges::all_of(fronts_, [&](const auto& entry) {
      return std::ranges::all_of(entry.second, [&](uint32_t node) { return behind[node]; });
    });
  }

  const void* const origin_;
  std::mutex mutex_;
  Nodes nodes_;
  std::map<const void*, CaptureFront> fronts_;
};

// The captures of an instance that may forbid calls to other streams and threads.
class Captures {
 public:
  void add(const std::shared_ptr<CaptureState>& capture);
  // CAPTURE_UNSUPPORTED with a text where the calling thread may not allocate, free or synchronise now; `what` as in "allocating memory".
  // Cheap while nobody captures. [XHAL-GRAPH-7]
  xhal_result_t check_unsafe_call(const char* what) {
    return count_.load(std::memory_order_acquire) == 0 ? XHAL_SUCCESS : check_while_captured(what);
  }

  // Of the calling thread.
  static uint32_t exchange_thread_mode(uint32_t mode);

 private:
  xhal_result_t check_while_captured(const char* what);
  [[nodiscard]] bool allows_unsafe_call();

  std::atomic<size_t> count_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<CaptureState>> captures_;
};

// ---- What the functions behind the table say ------------------------------------------------------------------------------------

inline bool is_capture_mode(uint32_t mode) { return mode <= XHAL_CAPTURE_RELAXED; }
xhal_result_t refuse_capture_mode(uint32_t mode);
// The stream captures already.
xhal_result_t refuse_second_capture();
// Of CAPTURE_MISMATCH and CAPTURE_UNJOINED at a capture's end.
xhal_result_t refuse_capture_end(xhal_result_t result);
// Of CAPTURE_INVALIDATED and CAPTURE_UNSUPPORTED of something that was submitted.
xhal_result_t refuse_in_capture(xhal_result_t result);
// Who asks or waits for what is captured ends the capture. `what` as in "the stream is". [XHAL-GRAPH-5]
xhal_result_t refuse_captured(CaptureState& capture, const char* what);
// Of a record or a wait: EXTERNAL alone, and in a capture alone.
xhal_result_t check_event_flags(uint32_t flags, bool captures);
xhal_result_t refuse_captured_pageable();

}  // namespace xhal::kit
