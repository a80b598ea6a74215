// SPDX-License-Identifier: Apache-2.0
#include "suite/graph_support.h"

namespace xhal::conformance {

void Graph::reset() {
  if (handle_ != nullptr) TRACED(xhal_graph_destroy(release()));
}

GraphExec::GraphExec(Context& t, xhal_graph_t graph) {
  REQUIRE_OK(xhal_graph_instantiate(graph, 0, &handle_));
  require_given(t, handle_, "xhal_graph_instantiate(graph, 0, &handle_)", XHAL_HERE);
}

void GraphExec::reset() {
  if (handle_ != nullptr) TRACED(xhal_graph_exec_destroy(release()));
}

Capture::Capture(Context& t, xhal_stream_t stream, uint32_t mode) : t_(t), stream_(nullptr) {
  t.prepare(0);
  if (t.has_kernels()) {
    for (const char* name : {"xhal_fold_u64", "xhal_fold2_u64", "xhal_gate_u32"}) t.kernel(name);
  }
  REQUIRE_OK(xhal_stream_begin_capture(stream, mode));
  stream_ = stream;
}

Capture::~Capture() {
  if (stream_ == nullptr) return;
  xhal_graph_t graph = nullptr;
  if (TRACED(xhal_stream_end_capture(stream_, &graph)) == XHAL_SUCCESS && graph != nullptr)
    TRACED(xhal_graph_destroy(graph));
}

xhal_result_t Capture::end(xhal_graph_t* out_graph) {
  const xhal_result_t result = TRACED(xhal_stream_end_capture(stream_, out_graph));
  if (result != XHAL_ERROR_CAPTURE_MISMATCH) forget();
  return result;
}

Graph Capture::end() {
  Context& t = t_;
  xhal_graph_t graph = nullptr;
  REQUIRE_OK(end(&graph));
  require_given(t, graph, "xhal_stream_end_capture(stream, &graph)", XHAL_HERE);
  return Graph(graph);
}

Graph captured(Context& t, xhal_stream_t stream, const Submit& submit) {
  Capture capture(t, stream);
  submit(stream);
  return capture.end();
}

GraphExec executable(Context& t, xhal_stream_t stream, const Submit& submit) {
  return {t, captured(t, stream, submit)};
}

void run(Context& t, xhal_graph_exec_t exec, xhal_stream_t stream) {
  REQUIRE_OK(xhal_graph_exec_launch(exec, stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

xhal_capture_info_t capture_info(Context& t, xhal_stream_t stream) {
  xhal_capture_info_t info{};
  info.struct_size = sizeof(info);
  info.state = ~0u;
  REQUIRE_OK(xhal_stream_get_capture_info(stream, &info));
  return info;
}

xhal_graph_info_t graph_info(Context& t, xhal_graph_t graph) {
  xhal_graph_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_graph_get_info(graph, &info));
  return info;
}

void require_entered(Context& t, const Gate& gate, xhal_stream_t stream) {
  // Asked about as well: work may start no sooner than somebody does.
  const auto entered = [&] { return gate.entered() || (xhal_stream_query(stream), gate.entered()); };
  if (!gate.shut() || t.eventually(entered)) return;
  t.recorder().failed("", XHAL_HERE, "a gate inside a launched graph", "it did not begin");
  throw StopTest();
}

std::unique_ptr<Gate> gate_in_capture(Context& t, xhal_stream_t stream) {
  return std::make_unique<Gate>(t, stream, gate_kind(t.text("hold")), 0, Gate::Entry::kLater);
}

bool ended_whole_or_invalid(xhal_result_t result) {
  return result == XHAL_SUCCESS || result == XHAL_ERROR_CAPTURE_INVALIDATED;
}

Axis mode_axis() { return {"mode", {"global", "thread", "relaxed"}}; }

uint32_t capture_mode(const std::string& word) {
  if (word == "global") return XHAL_CAPTURE_GLOBAL;
  return word == "thread" ? XHAL_CAPTURE_THREAD : XHAL_CAPTURE_RELAXED;
}

FoldCell::FoldCell(Context& t, uint64_t initial) : t_(t), memory_(t, XHAL_MEMORY_PINNED, sizeof(uint64_t)) {
  *memory_.as<uint64_t>() = initial;
}

void FoldCell::fold_on(xhal_stream_t stream, uint64_t op) {
  Context& t = t_;
  REQUIRE_OK(fold(t, stream, memory_, op, 1));
}

}  // namespace xhal::conformance
