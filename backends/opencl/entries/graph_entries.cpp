// SPDX-License-Identifier: Apache-2.0
#include "entries/entry.hpp"
#include "xhal/kit/graph.hpp"

namespace xhal::opencl {
namespace {

// With its place in the list and its handle; the list's mutex is held.
template <class Handle, class Object>
Handle place_first(std::list<Object>& list) {
  Object& made = list.front();
  made.place = list.begin();
  made.handle = kit::make_handle<Handle>(&made);
  if (made.handle == nullptr) {
    list.pop_front();
    throw std::bad_alloc();
  }
  return made.handle;
}

// What it holds may be the last of a module: it goes outside of the mutex.
template <class Object>
void destroy_in(std::list<Object>& list, Object& object) {
  kit::free_handle(object.handle);
  std::list<Object> destroyed;
  const std::lock_guard lock(object.device->mutex);
  destroyed.splice(destroyed.begin(), list, object.place);
}

xhal_result_t begin_capture(xhal_stream_t stream, uint32_t mode) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    if (!kit::is_capture_mode(mode)) return kit::refuse_capture_mode(mode);
    const auto capture = std::make_shared<Capture>(s.queue.get(), kit::services().next_id(), mode);
    if (s.queue->begin_capture(capture) < 0) return kit::refuse_second_capture();
    s.device->instance->captures.add(capture);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t end_capture(xhal_stream_t stream, xhal_graph_t* out_graph) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    Device& d = *s.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    if (out_graph == nullptr) return refuse_null("out_graph");
    auto nodes = std::make_shared<GraphNodes>();
    const xhal_result_t result = s.queue->end_capture(*nodes);
    if (result == XHAL_ERROR_CAPTURE_INVALIDATED) return kit::refuse_in_capture(result);
    if (result < 0) return kit::refuse_capture_end(result);
    const std::lock_guard lock(d.mutex);
    Graph& graph = d.graphs.emplace_front();
    graph.device = &d;
    graph.nodes = std::move(nodes);
    *out_graph = place_first<xhal_graph_t>(d.graphs);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_capture_info(xhal_stream_t stream, xhal_capture_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  return guarded([&] {
    xhal_capture_info_t info = {};
    if (const auto capture = stream_of(stream).queue->capture(); capture != nullptr) {
      info.state = capture->state();
      info.id = info.state == XHAL_CAPTURE_STATE_NONE ? 0 : capture->id;
    }
    kit::write_struct(info, out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t exchange_capture_mode(xhal_driver_t, uint32_t mode, uint32_t* out_former) {
  if (out_former == nullptr) return refuse_null("out_former");
  if (!kit::is_capture_mode(mode)) return kit::refuse_capture_mode(mode);
  *out_former = kit::Captures::exchange_thread_mode(mode);
  return XHAL_SUCCESS;
}

xhal_result_t get_info(xhal_graph_t graph, xhal_graph_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  const xhal_graph_info_t info = kit::graph_info(*graph_of(graph).nodes);
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t dump_graph(xhal_graph_t graph, xhal_text_sink_fn sink, void* user) {
  if (sink == nullptr) return refuse_null("sink");
  return guarded([&] {
    kit::send_lines(kit::graph_text(*graph_of(graph).nodes), sink, user);
    return XHAL_SUCCESS;
  });
}

xhal_result_t destroy_graph(xhal_graph_t graph) {
  return guarded([&] {
    Graph& g = graph_of(graph);
    if (const xhal_result_t result = make_ready(*g.device); result < 0) return result;
    destroy_in(g.device->graphs, g);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t instantiate(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out_exec) {
  return guarded([&] {
    const Graph& g = graph_of(graph);
    Device& d = *g.device;
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    if (flags != 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "flags is 0x%x, no flag is defined", flags);
    if (out_exec == nullptr) return refuse_null("out_exec");
    const std::lock_guard lock(d.mutex);
    GraphExec& exec = d.execs.emplace_front();
    exec.device = &d;
    exec.take(g.nodes);
    *out_exec = place_first<xhal_graph_exec_t>(d.execs);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t launch(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return guarded([&] {
    const Stream& s = stream_of(stream);
    if (const xhal_result_t result = make_ready(*s.device); result < 0) return result;
    GraphExec& e = exec_of(exec);
    if (e.device != s.device) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "the graph was captured on device %u, the stream is of device %u", e.device->index,
                       s.device->index);
    }
    return s.queue->launch_graph(e);
  });
}

xhal_result_t update(xhal_graph_exec_t exec, xhal_graph_t graph, xhal_graph_update_info_t* out) {
  if (out != nullptr) {
    if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  }
  return guarded([&] {
    GraphExec& e = exec_of(exec);
    const Graph& g = graph_of(graph);
    if (const xhal_result_t result = make_ready(*e.device); result < 0) return result;
    kit::ShapeDifference difference;
    const std::lock_guard lock(e.mutex);
    bool fits = e.device == g.device;
    if (!fits) {
      difference.text = "the graph was captured on another device";
    } else if (fits = kit::same_shape(*e.nodes, *g.nodes, difference); fits) {
      e.take(g.nodes);
    }
    return kit::tell_update(fits, difference, out);
  });
}

xhal_result_t destroy_exec(xhal_graph_exec_t exec) {
  return guarded([&] {
    GraphExec& e = exec_of(exec);
    if (const xhal_result_t result = make_ready(*e.device); result < 0) return result;
    destroy_in(e.device->execs, e);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

}  // namespace

void add_graph_entries(xhal_functions_t& functions) {
  functions.stream_begin_capture = begin_capture;
  functions.stream_end_capture = end_capture;
  functions.stream_get_capture_info = get_capture_info;
  functions.driver_exchange_capture_mode = exchange_capture_mode;
  functions.graph_get_info = get_info;
  functions.graph_dump = dump_graph;
  functions.graph_destroy = destroy_graph;
  functions.graph_instantiate = instantiate;
  functions.graph_exec_launch = launch;
  functions.graph_exec_update = update;
  functions.graph_exec_destroy = destroy_exec;
}

}  // namespace xhal::opencl
