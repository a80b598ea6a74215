// SPDX-License-Identifier: Apache-2.0
// All calls that give a stream work, taken over by one function.
#pragma once

#include "oddity.hpp"

namespace xhal::variants {

enum class Work { kCopy, kFill, kLaunch, kGraph, kHostFunction, kWait, kRecord, kOther };

// How::submit(stream, work, call): `call` hands the submission on and gives its result.
template <Id id, class How>
struct Submissions {
  static xhal_result_t copy(xhal_stream_t stream, void* to, const void* from, uint64_t size) {
    return How::submit(stream, Work::kCopy,
                       [&] { return next<id>(stream).memory_copy(stream, to, from, size); });
  }
  static xhal_result_t region(xhal_stream_t stream, const xhal_copy_region_t* one) {
    return How::submit(stream, Work::kCopy, [&] { return next<id>(stream).memory_copy_region(stream, one); });
  }
  static xhal_result_t fill(xhal_stream_t stream, void* to, uint64_t pattern, uint32_t width, uint64_t size) {
    return How::submit(stream, Work::kFill,
                       [&] { return next<id>(stream).memory_fill(stream, to, pattern, width, size); });
  }
  static xhal_result_t launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* one) {
    return How::submit(stream, Work::kLaunch,
                       [&] { return next<id>(stream).kernel_launch(stream, kernel, one); });
  }
  static xhal_result_t launch_graph(xhal_graph_exec_t exec, xhal_stream_t stream) {
    return How::submit(stream, Work::kGraph, [&] { return next<id>(exec).graph_exec_launch(exec, stream); });
  }
  static xhal_result_t call_host(xhal_stream_t stream, xhal_host_fn function, void* user) {
    return How::submit(stream, Work::kHostFunction,
                       [&] { return next<id>(stream).stream_host_function(stream, function, user); });
  }
  static xhal_result_t prefetch(xhal_stream_t stream, const void* pointer, uint64_t size, uint32_t to_host) {
    return How::submit(stream, Work::kOther,
                       [&] { return next<id>(stream).memory_prefetch(stream, pointer, size, to_host); });
  }
  static xhal_result_t write_value(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
    return How::submit(stream, Work::kOther,
                       [&] { return next<id>(stream).stream_write_value(stream, address, value, width); });
  }
  static xhal_result_t wait_value(xhal_stream_t stream, const void* address, uint64_t value,
                                  uint32_t comparison, uint32_t width) {
    return How::submit(stream, Work::kWait, [&] {
      return next<id>(stream).stream_wait_value(stream, address, value, comparison, width);
    });
  }
  static xhal_result_t wait_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
    return How::submit(stream, Work::kWait,
                       [&] { return next<id>(stream).stream_wait_event(stream, event, flags); });
  }
  static xhal_result_t record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
    return How::submit(stream, Work::kRecord,
                       [&] { return next<id>(event).event_record(event, stream, flags); });
  }
  static xhal_result_t pool_allocate(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out) {
    return How::submit(stream, Work::kOther,
                       [&] { return next<id>(pool).pool_allocate(pool, stream, size, out); });
  }
  static xhal_result_t pool_free(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
    return How::submit(stream, Work::kOther, [&] { return next<id>(pool).pool_free(pool, stream, pointer); });
  }
  static xhal_result_t signal_semaphore(xhal_stream_t stream, xhal_semaphore_t semaphore, uint64_t value) {
    return How::submit(stream, Work::kOther,
                       [&] { return next<id>(stream).stream_signal_semaphore(stream, semaphore, value); });
  }
  static xhal_result_t wait_semaphore(xhal_stream_t stream, xhal_semaphore_t semaphore, uint64_t value) {
    return How::submit(stream, Work::kWait,
                       [&] { return next<id>(stream).stream_wait_semaphore(stream, semaphore, value); });
  }

  static void install(xhal_functions_t& to) {
    to.memory_copy = copy;
    to.memory_copy_region = region;
    to.memory_fill = fill;
    to.kernel_launch = launch;
    to.graph_exec_launch = launch_graph;
    to.stream_host_function = call_host;
    to.memory_prefetch = prefetch;
    to.stream_write_value = write_value;
    to.stream_wait_value = wait_value;
    to.stream_wait_event = wait_event;
    to.event_record = record;
    to.pool_allocate = pool_allocate;
    to.pool_free = pool_free;
    to.stream_signal_semaphore = signal_semaphore;
    to.stream_wait_semaphore = wait_semaphore;
  }
};

}  // namespace xhal::variants
