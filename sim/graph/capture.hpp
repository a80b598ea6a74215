// SPDX-License-Identifier: Apache-2.0
// A capture under way: one origin stream, and those that joined it by waiting for one of its events.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "graph/graph.hpp"
#include "xhal/graph.h"

namespace xhal::sim {

class Stream;

class Capture {
 public:
  // Nodes whose end stands for the point that a stream, or an event, has reached in the capture.
  using Front = std::vector<uint32_t>;

  Capture(const Stream& origin, uint64_t number, uint32_t capture_mode);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  const uint64_t id;
  const uint32_t mode;
  const std::thread::id thread;

  // ACTIVE or INVALIDATED; NONE once it has ended, in whatever way: its streams work as before then. Lock-free.
  [[nodiscard]] uint32_t state() const { return state_.load(std::memory_order_acquire); }
  // False when it is not active.
  bool invalidate();
  // Ends it without a graph.
  void abort() { state_.store(XHAL_CAPTURE_STATE_NONE, std::memory_order_release); }

  // CAPTURE_INVALIDATED when it is. Each stream's calls come under that stream's lock.
  xhal_result_t add(const Stream& stream, GraphNode node);
  // All nodes of a graph, between what the stream did and what it does next.
  xhal_result_t add(const Stream& stream, const GraphNodes& nodes);
  xhal_result_t front(const Stream& stream, Front& out);
  // The stream is behind `front`, too; it takes part from now on.
  xhal_result_t join(const Stream& stream, const Front& front);

  // By the origin. SUCCESS with the nodes, CAPTURE_UNJOINED, CAPTURE_INVALIDATED; CAPTURE_MISMATCH for a thread that may not, which changes nothing.
  xhal_result_t end(const Stream& origin, GraphNodes& out);
  [[nodiscard]] bool is_origin(const Stream& stream) const { return &stream == origin_; }

 private:
  [[nodiscard]] bool all_joined() const;

  const Stream* const origin_;
  std::atomic<uint32_t> state_{XHAL_CAPTURE_STATE_ACTIVE};
  std::mutex mutex_;
  GraphNodes nodes_;
  std::map<const Stream*, Front> fronts_;
};

struct CaptureMark {
  std::shared_ptr<Capture> capture;
  Capture::Front front;
};

// The captures of an instance that may forbid calls to other streams and threads.
class Captures {
 public:
  void add(const std::shared_ptr<Capture>& capture);
  // Whether the calling thread may now allocate, free and synchronise. Cheap while nobody captures. [XHAL-GRAPH-7]
  [[nodiscard]] bool allow_unsafe_call();

  // Of the calling thread.
  static uint32_t exchange_thread_mode(uint32_t mode);

 private:
  std::atomic<size_t> count_{0};
  std::mutex mutex_;
  std::vector<std::weak_ptr<Capture>> captures_;
};

}  // namespace xhal::sim
