// SPDX-License-Identifier: Apache-2.0
// What the tests of graphs share: captures, graphs and executables that end with their scope.
#pragma once

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

class Graph {
 public:
  Graph() = default;
  explicit Graph(xhal_graph_t handle) : handle_(handle) {}
  ~Graph() { reset(); }
  Graph(Graph&& other) noexcept : handle_(other.release()) {}
  Graph& operator=(Graph&&) = delete;

  operator xhal_graph_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  // The test destroys it itself.
  xhal_graph_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_graph_t handle_ = nullptr;
};

class GraphExec {
 public:
  GraphExec(Context& t, xhal_graph_t graph);
  ~GraphExec() { reset(); }
  GraphExec(GraphExec&& other) noexcept : handle_(other.release()) {}
  GraphExec& operator=(GraphExec&&) = delete;

  operator xhal_graph_exec_t() const { return handle_; }  // NOLINT(google-explicit-constructor)
  xhal_graph_exec_t release() { return std::exchange(handle_, nullptr); }
  void reset();

 private:
  xhal_graph_exec_t handle_ = nullptr;
};

// A stream that captures, at the longest until the end of this scope: it has to stand behind what the scope frees and destroys. What gates,
// kernels and the frame's own stream need is made before the capture begins, so that nothing is allocated in it by accident.
class Capture {
 public:
  // Relaxed, for tests that speak of another rule than the modes.
  Capture(Context& t, xhal_stream_t stream, uint32_t mode = XHAL_CAPTURE_RELAXED);
  ~Capture();
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  // Ends it; leaves the test where that does not succeed.
  Graph end();
  // Ends it, and the test judges the answer. Only a mismatch leaves the capture open.
  xhal_result_t end(xhal_graph_t* out_graph);
  // It has ended by other means.
  void forget() { stream_ = nullptr; }

 private:
  Context& t_;
  xhal_stream_t stream_;
};

using Submit = std::function<void(xhal_stream_t)>;
// What `submit` gives to the stream, captured.
Graph captured(Context& t, xhal_stream_t stream, const Submit& submit);
// The same, ready to be launched; the graph is gone.
GraphExec executable(Context& t, xhal_stream_t stream, const Submit& submit);

// Launches and waits.
void run(Context& t, xhal_graph_exec_t exec, xhal_stream_t stream);

xhal_capture_info_t capture_info(Context& t, xhal_stream_t stream);
xhal_graph_info_t graph_info(Context& t, xhal_graph_t graph);

// A gate that was submitted to a capture, and a launch of it: waits until the gate has begun.
void require_entered(Context& t, const Gate& gate, xhal_stream_t stream);
// The kind of gate that the test's parameter "hold" names, inside a capture.
std::unique_ptr<Gate> gate_in_capture(Context& t, xhal_stream_t stream);

// How a capture may end in which a call was refused with CAPTURE_UNSUPPORTED that need not invalidate it: with a graph, or invalidated.
bool ended_whole_or_invalid(xhal_result_t result);

// Axis "mode".
Axis mode_axis();
uint32_t capture_mode(const std::string& word);

// The answer of a call that another thread makes.
template <class Call>
xhal_result_t elsewhere(const Call& call) {
  xhal_result_t result = XHAL_ERROR_UNKNOWN;
  std::thread([&] { result = call(); }).join();
  return result;
}

// A cell in pinned memory that folds tell their order in, and what it should hold.
class FoldCell {
 public:
  explicit FoldCell(Context& t, uint64_t initial = 0);

  void fold_on(xhal_stream_t stream, uint64_t op);
  // As the host sees it now.
  [[nodiscard]] uint64_t value() const { return __atomic_load_n(memory_.as<uint64_t>(), __ATOMIC_ACQUIRE); }
  [[nodiscard]] void* get() const { return memory_; }

 private:
  Context& t_;
  Buffer memory_;
};

inline uint64_t folded(uint64_t initial, std::initializer_list<uint64_t> ops) {
  return oracle::FoldHistory(initial, ops).value();
}

}  // namespace xhal::conformance
