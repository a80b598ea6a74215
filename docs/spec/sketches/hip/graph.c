/* SPDX-License-Identifier: Apache-2.0 */
/* Capture and graphs: all marked beta in HIP 5.2. */
#include "objects.h"

xhal_result_t sketch_stream_begin_capture(Stream* stream, uint32_t mode) {
  static const hipStreamCaptureMode kModes[] = {hipStreamCaptureModeGlobal, hipStreamCaptureModeThreadLocal,
                                                hipStreamCaptureModeRelaxed};
  ON_DEVICE(stream->device, hipStreamBeginCapture(stream->stream, kModes[mode]));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_end_capture(Stream* stream, Graph* out) {
  const Thread thread = enter(stream->device);
  const hipError_t code = leave(stream->device, thread, hipStreamEndCapture(stream->stream, &out->graph));
  switch (code) {
    case hipErrorStreamCaptureUnmatched:
    case hipErrorStreamCaptureWrongThread:
      return XHAL_ERROR_CAPTURE_MISMATCH;
    case hipErrorStreamCaptureUnjoined:
      return XHAL_ERROR_CAPTURE_UNJOINED;
    case hipErrorStreamCaptureInvalidated:
      return XHAL_ERROR_CAPTURE_INVALIDATED;
    default:
      return result(code);
  }
}

xhal_result_t sketch_stream_get_capture_info(Stream* stream, xhal_capture_info_t* out) {
  hipStreamCaptureStatus status = hipStreamCaptureStatusNone;
  unsigned long long id = 0;
  ON_DEVICE(stream->device, hipStreamGetCaptureInfo(stream->stream, &status, &id));
  out->state = (uint32_t)status;
  out->id = status == hipStreamCaptureStatusNone ? 0 : id;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_driver_exchange_capture_mode(uint32_t mode, uint32_t* out_former) {
  hipStreamCaptureMode native = (hipStreamCaptureMode)mode;
  TRY(hipThreadExchangeStreamCaptureMode(&native));
  *out_former = (uint32_t)native;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_get_info(const Graph* graph, xhal_graph_info_t* out) {
  size_t nodes = 0;
  size_t edges = 0;
  size_t roots = 0;
  TRY(hipGraphGetNodes(graph->graph, NULL, &nodes));
  TRY(hipGraphGetEdges(graph->graph, NULL, NULL, &edges));
  TRY(hipGraphGetRootNodes(graph->graph, NULL, &roots));
  out->node_count = (uint32_t)nodes;
  out->edge_count = (uint32_t)edges;
  out->root_count = (uint32_t)roots;
  return XHAL_SUCCESS;
}

/* The text is the driver's: HIP 5.2 has no dump. */
xhal_result_t sketch_graph_dump(const Graph* graph, hipGraphNode_t* nodes, hipGraphNodeType* types,
                                size_t* node_count, hipGraphNode_t* from, hipGraphNode_t* to,
                                size_t* edge_count) {
  TRY(hipGraphGetNodes(graph->graph, nodes, node_count));
  for (size_t i = 0; i < *node_count; ++i) TRY(hipGraphNodeGetType(nodes[i], &types[i]));
  TRY(hipGraphGetEdges(graph->graph, from, to, edge_count));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_destroy(Graph* graph) {
  TRY(hipGraphDestroy(graph->graph));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_instantiate(const Graph* graph, GraphExec* out) {
  TRY(hipGraphInstantiate(&out->exec, graph->graph, NULL, NULL, 0));
  return XHAL_SUCCESS;
}

/* That launches of one executable never overlap is not documented: an event of the last launch is waited for first. [XHAL-GRAPH-12] */
xhal_result_t sketch_graph_exec_launch(GraphExec* exec, Stream* stream, hipEvent_t last_launch) {
  ON_DEVICE(stream->device, hipStreamWaitEvent(stream->stream, last_launch, 0));
  ON_DEVICE(stream->device, hipGraphLaunch(exec->exec, stream->stream));
  ON_DEVICE(stream->device, hipEventRecord(last_launch, stream->stream));
  return XHAL_SUCCESS;
}

/*
 * Whether launches in flight keep their parameters is not documented: while one is, the driver instantiates the new graph instead and lets
 * the old executable go when it is done. [XHAL-GRAPH-13]
 */
xhal_result_t sketch_graph_exec_update(GraphExec* exec, const Graph* graph, hipGraphNode_t* out_node) {
  hipGraphExecUpdateResult verdict = hipGraphExecUpdateSuccess;
  const hipError_t code = hipGraphExecUpdate(exec->exec, graph->graph, out_node, &verdict);
  return code == hipErrorGraphExecUpdateFailure ? XHAL_ERROR_GRAPH_UPDATE_FAILED : result(code);
}

static void destroy_exec(void* exec) { (void)hipGraphExecDestroy((hipGraphExec_t)exec); }
xhal_result_t sketch_graph_exec_destroy(Device* device, GraphExec* exec) {
  bury(device, exec->exec, destroy_exec); /* hipGraphExecDestroy, behind the last launch */
  return XHAL_SUCCESS;
}
