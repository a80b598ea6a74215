/* SPDX-License-Identifier: Apache-2.0 */
/* Capture and graphs, stream-ordered pools. */
#include "objects.h"

/*
 * The three modes are CUDA's own. While any stream of the process captures in mode global, the driver's own allocations and event creations
 * (staging, graveyard) would break it: they run between two cuThreadExchangeStreamCaptureMode calls in mode relaxed.
 */
xhal_result_t sketch_stream_begin_capture(Stream* stream, uint32_t mode) {
  static const CUstreamCaptureMode kModes[] = {
      CU_STREAM_CAPTURE_MODE_GLOBAL, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, CU_STREAM_CAPTURE_MODE_RELAXED};
  TRY(cuStreamBeginCapture(stream->stream, kModes[mode]));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_stream_end_capture(Stream* stream, Graph* out) {
  const CUresult code = cuStreamEndCapture(stream->stream, &out->graph);
  switch (code) {
    case CUDA_ERROR_STREAM_CAPTURE_UNMATCHED:
    case CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD:
      return XHAL_ERROR_CAPTURE_MISMATCH;
    case CUDA_ERROR_STREAM_CAPTURE_UNJOINED:
      return XHAL_ERROR_CAPTURE_UNJOINED;
    case CUDA_ERROR_STREAM_CAPTURE_INVALIDATED:
      return XHAL_ERROR_CAPTURE_INVALIDATED;
    default:
      return result(code);
  }
}

/* Cheap, and allowed while capturing. */
xhal_result_t sketch_stream_get_capture_info(Stream* stream, xhal_capture_info_t* out) {
  CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
  cuuint64_t id = 0;
#if CUDA_VERSION >= 13000
  TRY(cuStreamGetCaptureInfo(stream->stream, &status, &id, NULL, NULL, NULL, NULL));
#else
  TRY(cuStreamGetCaptureInfo(stream->stream, &status, &id, NULL, NULL, NULL));
#endif
  out->state = (uint32_t)status; /* none, active, invalidated: the same numbers */
  out->id = status == CU_STREAM_CAPTURE_STATUS_NONE ? 0 : id;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_driver_exchange_capture_mode(uint32_t mode, uint32_t* out_former) {
  CUstreamCaptureMode native = (CUstreamCaptureMode)mode; /* global, thread, relaxed: the same numbers */
  TRY(cuThreadExchangeStreamCaptureMode(&native));
  *out_former = (uint32_t)native;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_get_info(const Graph* graph, xhal_graph_info_t* out) {
  size_t nodes = 0;
  size_t edges = 0;
  size_t roots = 0;
  TRY(cuGraphGetNodes(graph->graph, NULL, &nodes));
#if CUDA_VERSION >= 13000
  TRY(cuGraphGetEdges(graph->graph, NULL, NULL, NULL, &edges));
#else
  TRY(cuGraphGetEdges(graph->graph, NULL, NULL, &edges));
#endif
  TRY(cuGraphGetRootNodes(graph->graph, NULL, &roots));
  out->node_count = (uint32_t)nodes;
  out->edge_count = (uint32_t)edges;
  out->root_count = (uint32_t)roots;
  return XHAL_SUCCESS;
}

/* CUDA writes its dump to a file only: a memfd, read back into the sink. */
xhal_result_t sketch_graph_dump(const Graph* graph, const char* memfd_path) {
  TRY(cuGraphDebugDotPrint(graph->graph, memfd_path, 0));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_destroy(Graph* graph) {
  TRY(cuGraphDestroy(graph->graph));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_graph_instantiate(const Graph* graph, GraphExec* out) {
  TRY(cuGraphInstantiate(&out->exec, graph->graph, 0));
  return XHAL_SUCCESS;
}

/* Ordered behind earlier launches of the same executable too, by CUDA's rule. Not thread-safe for one executable: the driver locks it. */
xhal_result_t sketch_graph_exec_launch(GraphExec* exec, Stream* stream) {
  TRY(cuGraphLaunch(exec->exec, stream->stream));
  return XHAL_SUCCESS;
}

/* The failing node comes as a handle of the graph; its index is its place in cuGraphGetNodes. */
xhal_result_t sketch_graph_exec_update(GraphExec* exec, const Graph* graph, xhal_graph_update_info_t* out) {
  CUgraphExecUpdateResultInfo info;
  const CUresult code = cuGraphExecUpdate(exec->exec, graph->graph, &info);
  if (code != CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE) return result(code);
  CUgraphNode nodes[256];
  size_t count = 256;
  TRY(cuGraphGetNodes(graph->graph, nodes, &count));
  for (size_t i = 0; i < count; ++i) {
    if (nodes[i] == info.errorNode) out->node = (uint32_t)i;
  }
  return XHAL_ERROR_GRAPH_UPDATE_FAILED;
}

/* In flight it is freed when it is done, by CUDA's documentation. */
xhal_result_t sketch_graph_exec_destroy(GraphExec* exec) {
  TRY(cuGraphExecDestroy(exec->exec));
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_create(Device* device, const xhal_pool_desc_t* desc, Pool* out) {
  CUmemPoolProps props;
  memset(&props, 0, sizeof props);
  props.allocType = CU_MEM_ALLOCATION_TYPE_PINNED; /* CUDA's word for memory that does not move */
  props.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  props.location.id = device->device;
#if CUDA_VERSION >= 12030
  props.maxSize = desc->max_bytes;
#endif
  TRY(cuMemPoolCreate(&out->pool, &props));
  cuuint64_t threshold = desc->release_threshold;
  TRY(cuMemPoolSetAttribute(out->pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold));
  out->device = device;
  return XHAL_SUCCESS;
}

/* Returns at once while allocations live; they are then freed by xhal_memory_free. [XHAL-POOL-7] */
xhal_result_t sketch_pool_destroy(Pool* pool) {
  TRY(cuMemPoolDestroy(pool->pool));
  return XHAL_SUCCESS;
}

/* Reuse across streams follows events and completed frees only: CUDA's three reuse policies all keep the order. */
xhal_result_t sketch_pool_allocate(Pool* pool, Stream* stream, uint64_t size, void** out) {
  CUdeviceptr pointer = 0;
  TRY(cuMemAllocFromPoolAsync(&pointer, size, pool->pool, stream->stream));
  *out = (void*)(uintptr_t)pointer;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_free(Stream* stream, void* pointer) {
  TRY(cuMemFreeAsync(address(pointer), stream->stream));
  return XHAL_SUCCESS;
}

/* CUDA's used bytes are rounded up; the exact ones come from the own map. */
xhal_result_t sketch_pool_get_info(const Pool* pool, xhal_pool_info_t* out) {
  cuuint64_t value = 0;
  TRY(cuMemPoolGetAttribute(pool->pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &value));
  out->reserved_bytes = value;
  TRY(cuMemPoolGetAttribute(pool->pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH, &value));
  out->peak_reserved_bytes = value;
  return XHAL_SUCCESS;
}

xhal_result_t sketch_pool_trim(Pool* pool, uint64_t keep_bytes) {
  TRY(cuMemPoolTrimTo(pool->pool, keep_bytes));
  return XHAL_SUCCESS;
}
