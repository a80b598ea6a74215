// SPDX-License-Identifier: Apache-2.0
// Lies about captures and graphs. Each function does what the base driver does, but for one lie.
#include <utility>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

// ---- Capture ----

xhal_result_t fill_also_now(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                            uint64_t size) {
  if (is_capturing(stream))
    below(stream).memory_fill(default_stream_of(stream), destination, pattern, width, size);
  return next::memory_fill(stream, destination, pattern, width, size);
}

xhal_result_t wait_for_any_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const xhal_result_t result = next::stream_wait_event(stream, event, flags);
  return result == XHAL_ERROR_CAPTURE_UNSUPPORTED ? XHAL_SUCCESS : result;
}

xhal_result_t end_with_open_forks_invalid(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = next::stream_end_capture(stream, out);
  return result == XHAL_ERROR_CAPTURE_UNJOINED ? XHAL_ERROR_CAPTURE_INVALIDATED : result;
}

// Without what was left open: an empty graph.
xhal_result_t end_with_open_forks_dropped(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = next::stream_end_capture(stream, out);
  if (result != XHAL_ERROR_CAPTURE_UNJOINED) return result;
  const xhal_result_t begun = next::stream_begin_capture(stream, XHAL_CAPTURE_RELAXED);
  return begun == XHAL_SUCCESS ? next::stream_end_capture(stream, out) : begun;
}

xhal_result_t query_without_invalidating(xhal_stream_t stream) {
  if (is_capturing(stream)) return XHAL_ERROR_CAPTURE_UNSUPPORTED;
  return next::stream_query(stream);
}

xhal_result_t fill_in_an_invalid_capture(xhal_stream_t stream, void* destination, uint64_t pattern,
                                         uint32_t width, uint64_t size) {
  const xhal_result_t result = next::memory_fill(stream, destination, pattern, width, size);
  return result == XHAL_ERROR_CAPTURE_INVALIDATED ? XHAL_SUCCESS : result;
}

xhal_result_t begin_relaxed(xhal_stream_t stream, uint32_t mode) {
  const bool is_known = mode <= XHAL_CAPTURE_RELAXED;
  return next::stream_begin_capture(stream, is_known ? uint32_t{XHAL_CAPTURE_RELAXED} : mode);
}

xhal_result_t exchange_and_forget(xhal_driver_t driver, uint32_t mode, uint32_t* out_former) {
  const xhal_result_t result = next::driver_exchange_capture_mode(driver, mode, out_former);
  uint32_t ignored = 0;
  if (result == XHAL_SUCCESS) next::driver_exchange_capture_mode(driver, *out_former, &ignored);
  return result;
}

xhal_result_t capture_ids_are_equal(xhal_stream_t stream, xhal_capture_info_t* out) {
  const xhal_result_t result = next::stream_get_capture_info(stream, out);
  if (result == XHAL_SUCCESS && out->id != 0) out->id = 1;
  return result;
}

xhal_result_t end_without_mismatch(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = next::stream_end_capture(stream, out);
  return result == XHAL_ERROR_CAPTURE_MISMATCH ? XHAL_ERROR_CAPTURE_UNJOINED : result;
}

xhal_result_t copy_captures_pageable(xhal_stream_t stream, void* destination, const void* source,
                                     uint64_t size) {
  const xhal_result_t result = next::memory_copy(stream, destination, source, size);
  return result == XHAL_ERROR_CAPTURE_UNSUPPORTED ? XHAL_SUCCESS : result;
}

xhal_result_t capturing_streams_stay(xhal_stream_t stream) {
  return is_capturing(stream) ? XHAL_SUCCESS : next::stream_destroy(stream);
}

// ---- Graphs ----

xhal_result_t launch_twice(xhal_graph_exec_t exec, xhal_stream_t stream) {
  const xhal_result_t result = next::graph_exec_launch(exec, stream);
  return result == XHAL_SUCCESS ? next::graph_exec_launch(exec, stream) : result;
}

xhal_result_t launch_on_another_stream(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return ahead_of(stream, [&](xhal_stream_t other) { return below(stream).graph_exec_launch(exec, other); });
}

xhal_result_t launch_beside_its_stream(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return below(stream).graph_exec_launch(exec, default_stream_of(stream));
}

// The latest executables and what they were made of.
struct Made {
  static constexpr unsigned kNoted = 64;
  std::atomic<xhal_graph_exec_t> execs[kNoted] = {};
  std::atomic<xhal_graph_t> graphs[kNoted] = {};
  std::atomic<unsigned> next{0};
};

xhal_result_t instantiate_noted(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out) {
  const xhal_result_t result = next::graph_instantiate(graph, flags, out);
  if (result == XHAL_SUCCESS) {
    Made& made = own<Made>(graph);
    const unsigned place = made.next.fetch_add(1) % Made::kNoted;
    made.graphs[place].store(graph);
    made.execs[place].store(*out);
  }
  return result;
}

xhal_result_t graph_takes_its_executable(xhal_graph_t graph) {
  Made& made = own<Made>(graph);
  const xhal_functions_t& driver = below(graph);
  const xhal_result_t result = next::graph_destroy(graph);
  for (unsigned i = 0; i < Made::kNoted && result == XHAL_SUCCESS; ++i) {
    // What the application has destroyed is refused.
    if (made.graphs[i].load() == graph) driver.graph_exec_destroy(made.execs[i].exchange(nullptr));
  }
  return result;
}

xhal_result_t graph_stays(xhal_graph_t graph) {
  (void)graph;
  return XHAL_SUCCESS;
}

xhal_result_t launch_a_fresh_copy(xhal_graph_exec_t exec, xhal_stream_t stream) {
  Made& made = own<Made>(exec);
  for (unsigned i = 0; i < Made::kNoted; ++i) {
    xhal_graph_exec_t fresh = nullptr;
    if (made.execs[i].load() != exec ||
        below(exec).graph_instantiate(made.graphs[i].load(), 0, &fresh) != XHAL_SUCCESS)
      continue;
    const xhal_result_t result = below(exec).graph_exec_launch(fresh, stream);
    below(exec).graph_exec_destroy(fresh);
    return result;
  }
  return next::graph_exec_launch(exec, stream);
}

using LaunchedOn = std::atomic<xhal_stream_t>;

xhal_result_t launch_remembered(xhal_graph_exec_t exec, xhal_stream_t stream) {
  own<LaunchedOn>(exec).store(stream);
  return next::graph_exec_launch(exec, stream);
}

xhal_result_t update_waits_for_launches(xhal_graph_exec_t exec, xhal_graph_t graph,
                                        xhal_graph_update_info_t* out) {
  xhal_stream_t stream = own<LaunchedOn>(exec).load();
  if (stream != nullptr) below(exec).stream_synchronize(stream, kLongEnoughNs);
  return next::graph_exec_update(exec, graph, out);
}

xhal_result_t update_by_any_shape(xhal_graph_exec_t exec, xhal_graph_t graph, xhal_graph_update_info_t* out) {
  const xhal_result_t result = next::graph_exec_update(exec, graph, out);
  return result == XHAL_ERROR_GRAPH_UPDATE_FAILED ? XHAL_SUCCESS : result;
}

xhal_result_t update_names_no_node(xhal_graph_exec_t exec, xhal_graph_t graph,
                                   xhal_graph_update_info_t* out) {
  (void)out;
  return next::graph_exec_update(exec, graph, nullptr);
}

xhal_result_t exec_destroy_waits(xhal_graph_exec_t exec) {
  xhal_stream_t stream = own<LaunchedOn>(exec).exchange(nullptr);
  if (stream != nullptr) below(exec).stream_synchronize(stream, kLongEnoughNs);
  return next::graph_exec_destroy(exec);
}

xhal_result_t record_without_external(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return flags == XHAL_EVENT_EXTERNAL && is_capturing(stream) ? XHAL_SUCCESS
                                                              : next::event_record(event, stream, flags);
}

xhal_result_t wait_without_external(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  return flags == XHAL_EVENT_EXTERNAL && is_capturing(stream) ? XHAL_SUCCESS
                                                              : next::stream_wait_event(stream, event, flags);
}

xhal_result_t count_a_node_more(xhal_graph_t graph, xhal_graph_info_t* out) {
  const xhal_result_t result = next::graph_get_info(graph, out);
  if (result == XHAL_SUCCESS) ++out->node_count;
  return result;
}

struct TwoPieces {
  xhal_text_sink_fn sink;
  void* user;
};

int32_t in_two_pieces(void* user, const char* text, uint64_t length) {
  const auto* to = static_cast<const TwoPieces*>(user);
  to->sink(to->user, text, length / 2);
  to->sink(to->user, text + length / 2, length - length / 2);
  return 0;
}

xhal_result_t dump_in_two_pieces(xhal_graph_t graph, xhal_text_sink_fn sink, void* user) {
  TwoPieces to = {sink, user};
  return sink == nullptr ? next::graph_dump(graph, sink, user) : next::graph_dump(graph, in_two_pieces, &to);
}

// ---- Updates, other threads, orders inside ----

xhal_result_t update_nothing(xhal_graph_exec_t exec, xhal_graph_t graph, xhal_graph_update_info_t* out) {
  const xhal_result_t result = next::graph_exec_update(exec, graph, out);
  if (result != XHAL_SUCCESS) return result;
  // Back to what it was made of, which this lie keeps.
  Made& made = own<Made>(exec);
  for (unsigned i = 0; i < Made::kNoted; ++i) {
    if (made.execs[i].load() == exec) below(exec).graph_exec_update(exec, made.graphs[i].load(), nullptr);
  }
  return result;
}

// How many captures are open.
using Captures = std::atomic<int>;
xhal_result_t begin_counted(xhal_stream_t stream, uint32_t mode) {
  const xhal_result_t result = next::stream_begin_capture(stream, mode);
  if (result == XHAL_SUCCESS) own<Captures>(stream).fetch_add(1);
  return result;
}
xhal_result_t end_counted(xhal_stream_t stream, xhal_graph_t* out) {
  const bool was_open = is_capturing(stream);
  const xhal_result_t result = next::stream_end_capture(stream, out);
  if (was_open && !is_capturing(stream)) own<Captures>(stream).fetch_sub(1);
  return result;
}
xhal_result_t query_beside_a_capture(xhal_stream_t stream) {
  return own<Captures>(stream).load() > 0 && !is_capturing(stream)
             ? xhal_result_t{XHAL_ERROR_CAPTURE_UNSUPPORTED}
             : next::stream_query(stream);
}
xhal_result_t query_event_beside_a_capture(xhal_event_t event) {
  const xhal_result_t result = next::event_query(event);
  return own<Captures>(event).load() > 0 ? xhal_result_t{XHAL_ERROR_CAPTURE_UNSUPPORTED} : result;
}

// Fills that were captured on a forked stream have lost their edge: a launch also does them first, wherever the rest of the graph is.
struct Fill {
  void* destination;
  uint64_t pattern;
  uint32_t width;
  uint64_t size;
};
struct Forks {
  std::mutex lock;
  std::unordered_map<uint64_t, std::vector<Fill>> of_captures;   // by id
  std::unordered_map<const void*, std::vector<Fill>> of_graphs;  // and executables
};
uint64_t capture_id(xhal_stream_t stream) {
  auto info = sized<xhal_capture_info_t>();
  return below(stream).stream_get_capture_info(stream, &info) == XHAL_SUCCESS ? info.id : 0;
}
xhal_result_t begin_noted(xhal_stream_t stream, uint32_t mode) {
  const xhal_result_t result = next::stream_begin_capture(stream, mode);
  if (result == XHAL_SUCCESS) notes(stream).put(stream);
  return result;
}
xhal_result_t fill_of_a_fork(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                             uint64_t size) {
  const xhal_result_t result = next::memory_fill(stream, destination, pattern, width, size);
  if (result == XHAL_SUCCESS && is_capturing(stream) && notes(stream).of(stream) == 0) {
    Forks& forks = own<Forks>(stream);
    const std::lock_guard guard(forks.lock);
    forks.of_captures[capture_id(stream)].push_back({destination, pattern, width, size});
  }
  return result;
}
xhal_result_t end_with_forks(xhal_stream_t stream, xhal_graph_t* out) {
  const uint64_t id = capture_id(stream);
  const xhal_result_t result = next::stream_end_capture(stream, out);
  if (!is_capturing(stream)) notes(stream).take(stream);
  if (result == XHAL_SUCCESS) {
    Forks& forks = own<Forks>(stream);
    const std::lock_guard guard(forks.lock);
    forks.of_graphs[*out] = std::move(forks.of_captures[id]);
    forks.of_captures.erase(id);
  }
  return result;
}
xhal_result_t instantiate_with_forks(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out) {
  const xhal_result_t result = next::graph_instantiate(graph, flags, out);
  if (result == XHAL_SUCCESS) {
    Forks& forks = own<Forks>(graph);
    const std::lock_guard guard(forks.lock);
    forks.of_graphs[*out] = std::vector<Fill>(forks.of_graphs[graph]);
  }
  return result;
}
xhal_result_t launch_forks_first(xhal_graph_exec_t exec, xhal_stream_t stream) {
  std::vector<Fill> fills;
  {
    Forks& forks = own<Forks>(exec);
    const std::lock_guard guard(forks.lock);
    fills = forks.of_graphs[exec];
  }
  for (const Fill& fill : fills) {
    ahead_of(stream, [&](xhal_stream_t other) {
      return below(stream).memory_fill(other, fill.destination, fill.pattern, fill.width, fill.size);
    });
  }
  return next::graph_exec_launch(exec, stream);
}

xhal_result_t info_without_edges(xhal_graph_t graph, xhal_graph_info_t* out) {
  const xhal_result_t result = next::graph_get_info(graph, out);
  if (result == XHAL_SUCCESS && out->edge_count > 0) --out->edge_count;
  return result;
}

xhal_result_t begin_again(xhal_stream_t stream, uint32_t mode) {
  return ignoring(next::stream_begin_capture(stream, mode), XHAL_ERROR_CAPTURE_MISMATCH);
}

xhal_result_t launch_nothing_again(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return notes(exec).count(exec) == 0 ? next::graph_exec_launch(exec, stream) : xhal_result_t{XHAL_SUCCESS};
}
xhal_result_t instantiate_anew(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out) {
  const xhal_result_t result = next::graph_instantiate(graph, flags, out);
  if (result == XHAL_SUCCESS) notes(graph).take(*out);
  return result;
}

xhal_result_t graph_destroy_waits(xhal_graph_t graph) {
  xhal_stream_t stream = own<LaunchedOn>(graph).load();
  if (stream != nullptr) below(graph).stream_synchronize(stream, kLongEnoughNs);
  return next::graph_destroy(graph);
}

}  // namespace

const std::span<const Lie> kGraphLies = [] {
  static const Lie kLies[] = {
#include "table/graph.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
