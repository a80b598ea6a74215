// SPDX-License-Identifier: Apache-2.0
#include "graph/capture.hpp"

#include <algorithm>
#include <utility>

#include "engine/stream.hpp"

namespace xhal::sim {
namespace {

thread_local uint32_t thread_mode = XHAL_CAPTURE_GLOBAL;

void merge(Capture::Front& front, const Capture::Front& other) {
  front.insert(front.end(), other.begin(), other.end());
  std::ranges::sort(front);
  front.erase(std::unique(front.begin(), front.end()), front.end());
}

}  // namespace

Capture::Capture(const Stream& origin, uint64_t number, uint32_t capture_mode)
    : id(number), mode(capture_mode), thread(std::this_thread::get_id()), origin_(&origin) {
  fronts_.emplace(&origin, Front{});
}

bool Capture::invalidate() {
  uint32_t expected = XHAL_CAPTURE_STATE_ACTIVE;
  return state_.compare_exchange_strong(expected, XHAL_CAPTURE_STATE_INVALIDATED, std::memory_order_acq_rel);
}

xhal_result_t Capture::add(const Stream& stream, GraphNode node) {
  const std::lock_guard lock(mutex_);
  if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
  Front& front = fronts_.at(&stream);
  node.after = front;
  nodes_.push_back(std::move(node));
  front.assign(1, static_cast<uint32_t>(nodes_.size() - 1));
  return XHAL_SUCCESS;
}

xhal_result_t Capture::add(const Stream& stream, const GraphNodes& nodes) {
  const std::lock_guard lock(mutex_);
  if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
  if (nodes.empty()) return XHAL_SUCCESS;
  Front& front = fronts_.at(&stream);
  const auto first = static_cast<uint32_t>(nodes_.size());
  std::vector<bool> is_last(nodes.size(), true);
  nodes_.reserve(nodes_.size() + nodes.size());
  for (GraphNode node : nodes) {
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

xhal_result_t Capture::front(const Stream& stream, Front& out) {
  const std::lock_guard lock(mutex_);
  if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
  out = fronts_.at(&stream);
  return XHAL_SUCCESS;
}

xhal_result_t Capture::join(const Stream& stream, const Front& front) {
  const std::lock_guard lock(mutex_);
  if (state() != XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_INVALIDATED;
  merge(fronts_[&stream], front);
  return XHAL_SUCCESS;
}

// Whether the origin's front lies behind everything that the other streams did.
bool Capture::all_joined() const {
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

xhal_result_t Capture::end(const Stream& origin, GraphNodes& out) {
  const std::lock_guard lock(mutex_);
  if (&origin != origin_ || (mode != XHAL_CAPTURE_RELAXED && thread != std::this_thread::get_id()))
    return XHAL_ERROR_CAPTURE_MISMATCH;
  const uint32_t former = state_.exchange(XHAL_CAPTURE_STATE_NONE, std::memory_order_acq_rel);
  if (former == XHAL_CAPTURE_STATE_INVALIDATED) return XHAL_ERROR_CAPTURE_INVALIDATED;
  if (former == XHAL_CAPTURE_STATE_NONE) return XHAL_ERROR_CAPTURE_MISMATCH;
  if (!all_joined()) return XHAL_ERROR_CAPTURE_UNJOINED;
  out = std::move(nodes_);
  for (uint32_t i = 0; i < out.size(); ++i) {
    if (out[i].kind == GraphNode::Kind::kWait || out[i].kind == GraphNode::Kind::kRecord)
      out.events.push_back(i);
  }
  return XHAL_SUCCESS;
}

void Captures::add(const std::shared_ptr<Capture>& capture) {
  const std::lock_guard lock(mutex_);
  captures_.push_back(capture);
  count_.store(captures_.size(), std::memory_order_release);
}

bool Captures::allow_unsafe_call() {
  if (count_.load(std::memory_order_acquire) == 0 || thread_mode == XHAL_CAPTURE_RELAXED) return true;
  const std::lock_guard lock(mutex_);
  std::erase_if(captures_, [](const std::weak_ptr<Capture>& weak) {
    const auto capture = weak.lock();
    return capture == nullptr || capture->state() == XHAL_CAPTURE_STATE_NONE;
  });
  count_.store(captures_.size(), std::memory_order_release);
  return std::ranges::none_of(captures_, [](const std::weak_ptr<Capture>& weak) {
    const auto capture = weak.lock();
    if (capture == nullptr || capture->mode == XHAL_CAPTURE_RELAXED) return false;
    const bool own = capture->thread == std::this_thread::get_id();
    return own || (capture->mode == XHAL_CAPTURE_GLOBAL && thread_mode == XHAL_CAPTURE_GLOBAL);
  });
}

uint32_t Captures::exchange_thread_mode(uint32_t mode) { return std::exchange(thread_mode, mode); }

}  // namespace xhal::sim
