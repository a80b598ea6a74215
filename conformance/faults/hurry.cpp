// SPDX-License-Identifier: Apache-2.0
// Submissions to streams that a lie has deprived of an order.
#include "fault.hpp"

namespace xhal::faults {
namespace {

xhal_result_t hurried(xhal_stream_t stream, xhal_result_t result) {
  if (result == XHAL_SUCCESS && notes(stream).of(stream) != 0 && !is_capturing(stream))
    next::stream_synchronize(stream, kLongEnoughNs);
  return result;
}

xhal_result_t copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  return hurried(stream, next::memory_copy(stream, destination, source, size));
}
xhal_result_t region(xhal_stream_t stream, const xhal_copy_region_t* one) {
  return hurried(stream, next::memory_copy_region(stream, one));
}
xhal_result_t fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width, uint64_t size) {
  return hurried(stream, next::memory_fill(stream, destination, pattern, width, size));
}
xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* one) {
  return hurried(stream, next::kernel_launch(stream, kernel, one));
}
xhal_result_t launch_graph(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return hurried(stream, next::graph_exec_launch(exec, stream));
}
xhal_result_t call_host(xhal_stream_t stream, xhal_host_fn function, void* user) {
  return hurried(stream, next::stream_host_function(stream, function, user));
}

}  // namespace

void hurry_lost_streams(xhal_functions_t& to) {
  to.memory_copy = copy;
  to.memory_copy_region = region;
  to.memory_fill = fill;
  to.kernel_launch = launch;
  to.graph_exec_launch = launch_graph;
  to.stream_host_function = call_host;
}

}  // namespace xhal::faults
