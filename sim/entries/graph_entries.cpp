// SPDX-License-Identifier: Apache-2.0
#include "entries/entry.hpp"
#include "xhal/kit/graph.hpp"

namespace xhal::sim {
namespace {

xhal_result_t check_graph_claimed(const Device& device) {
  return check_claimed(device, XHAL_FEATURE_GRAPH, "graph");
}

xhal_result_t begin_capture(xhal_stream_t stream, uint32_t mode) {
  Stream& s = stream_of(stream);
  Device& d = device_of(s);
  if (const xhal_result_t result = check_graph_claimed(d); result < 0) return result;
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (!kit::is_capture_mode(mode)) return kit::refuse_capture_mode(mode);
  return guarded([&] {
    const auto capture = std::make_shared<Capture>(&s, kit::services().next_id(), mode);
    const xhal_result_t result = s.begin_capture(capture);
    if (result == XHAL_ERROR_CAPTURE_MISMATCH) return kit::refuse_second_capture();
    if (result < 0) return told(s, result);
    d.instance.captures.add(capture);
    return result;
  });
}

xhal_result_t end_capture(xhal_stream_t stream, xhal_graph_t* out_graph) {
  Stream& s = stream_of(stream);
  Device& d = device_of(s);
  if (const xhal_result_t result = check_graph_claimed(d); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (const xhal_result_t result = check_present(d); result < 0) return result;
  if (out_graph == nullptr) return refuse_null("out_graph");
  return guarded([&] {
    if (s.is_stale()) return told(s, XHAL_ERROR_INVALID_HANDLE);
    GraphNodes nodes;
    const xhal_result_t result = s.end_capture(nodes);
    if (result == XHAL_ERROR_CAPTURE_MISMATCH || result == XHAL_ERROR_CAPTURE_UNJOINED)
      return kit::refuse_capture_end(result);
    if (result < 0) return told(s, result);
    *out_graph = d.make_graph(std::move(nodes));
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t get_capture_info(xhal_stream_t stream, xhal_capture_info_t* out) {
  const Stream& s = stream_of(stream);
  if (const xhal_result_t result = check_graph_claimed(device_of(s)); result < 0) return result;
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  xhal_capture_info_t info = {};
  if (const auto capture = s.capture(); capture != nullptr) {
    info.state = capture->state();
    info.id = info.state == XHAL_CAPTURE_STATE_NONE ? 0 : capture->id;
  }
  kit::write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t exchange_capture_mode(xhal_driver_t driver, uint32_t mode, uint32_t* out_former) {
  if (const xhal_result_t result = check_graph_claimed(*instance_of(driver).devices.front()); result < 0)
    return result;
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
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    Graph& g = graph_of(graph);
    g.device.destroy(g);
    return XHAL_SUCCESS;
  });
}

xhal_result_t instantiate(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out_exec) {
  Graph& g = graph_of(graph);
  if (flags != 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "flags is 0x%x, no flag is defined", flags);
  if (out_exec == nullptr) return refuse_null("out_exec");
  return guarded([&] {
    if (const xhal_result_t result = make_ready(g.device); result < 0) return result;
    if (const xhal_result_t result = check_epoch(g.device, g.epoch, "graph"); result < 0) return result;
    *out_exec = g.device.make_graph_exec(g);
    return xhal_result_t{XHAL_SUCCESS};
  });
}

xhal_result_t launch(xhal_graph_exec_t exec, xhal_stream_t stream) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  return guarded([&] {
    GraphExec& e = exec_of(exec);
    if (const xhal_result_t result = check_epoch(e.device, e.epoch, "executable graph"); result < 0)
      return result;
    if (&e.device != &device_of(s)) {
      return kit::fail(XHAL_ERROR_INVALID_ARGUMENT,
                       "the graph was captured on device %u, the stream is of device %u", e.device.index,
                       device_of(s).index);
    }
    return told(s, s.launch_graph(e));
  });
}

xhal_result_t update(xhal_graph_exec_t exec, xhal_graph_t graph, xhal_graph_update_info_t* out) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  if (out != nullptr) {
    if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  }
  return guarded([&]() -> xhal_result_t {
    GraphExec& e = exec_of(exec);
    const Graph& g = graph_of(graph);
    if (const xhal_result_t result = check_present(e.device); result < 0) return result;
    if (const xhal_result_t result = check_epoch(e.device, e.epoch, "executable graph"); result < 0)
      return result;
    if (const xhal_result_t result = check_epoch(g.device, g.epoch, "graph"); result < 0) return result;
    kit::ShapeDifference difference;
    const std::lock_guard lock(e.mutex);
    bool fits = &e.device == &g.device;
    if (!fits) {
      difference.text = "the graph was captured on another device";
    } else if (fits = kit::same_shape(*e.nodes, *g.nodes, difference); fits) {
      e.nodes = g.nodes;
    }
    return kit::tell_update(fits, difference, out);
  });
}

xhal_result_t destroy_exec(xhal_graph_exec_t exec) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    GraphExec& e = exec_of(exec);
    e.device.destroy(e);
    return XHAL_SUCCESS;
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

}  // namespace xhal::sim
