// SPDX-License-Identifier: Apache-2.0
// Objects that are made, used and gone before their work is done.
#include <oracles.h>

#include "thread_soak.hpp"

namespace xhal::soak {

void ThreadSoak::short_lived_memory() {
  const uint64_t size = 8 * (1 + random(random(8) == 0 ? 8192 : 512));
  const uint64_t choice = random(8);
  const uint32_t kind = choice == 0                          ? XHAL_MEMORY_PINNED
                        : choice == 1 && shared_.has_managed ? XHAL_MEMORY_MANAGED
                                                             : XHAL_MEMORY_DEVICE;
  void* const memory = allocate(shared_.device, kind, size);
  use(memory, size, any_stream());
  SOAK_OK(xhal_memory_free(shared_.device, memory));
}

void ThreadSoak::short_lived_event() {
  xhal_event_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = shared_.has_timing && random(2) == 0 ? XHAL_EVENT_TIMING : 0;
  xhal_event_t event = nullptr;
  SOAK_OK(xhal_event_create(shared_.device, &desc, &event));
  SOAK_OK(xhal_event_record(event, any_stream(), 0));
  SOAK_OK(xhal_stream_wait_event(any_stream(), event, 0));
  SOAK_OK(xhal_event_destroy(event));
}

void ThreadSoak::short_lived_stream() {
  xhal_stream_t stream = nullptr;
  SOAK_OK(xhal_stream_create(shared_.device, nullptr, &stream));
  const size_t cell = random(kCells);
  order(cell, stream);
  launch_fold(cell, stream);
  const xhal_stream_t next = any_stream();
  SOAK_OK(xhal_event_record(cells_[cell].event, stream, 0));
  SOAK_OK(xhal_stream_wait_event(next, cells_[cell].event, 0));
  SOAK_OK(xhal_stream_destroy(stream));
  worked(cell, next);
}

xhal_graph_t ThreadSoak::capture_fold(size_t cell, uint64_t op) {
  xhal_stream_t stream = nullptr;
  SOAK_OK(xhal_stream_create(shared_.device, nullptr, &stream));
  SOAK_OK(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED));
  launch(shared_.fold, cell, op, stream);
  xhal_graph_t graph = nullptr;
  SOAK_OK(xhal_stream_end_capture(stream, &graph));
  SOAK_OK(xhal_stream_destroy(stream));
  return graph;
}

// Launched, updated while that launch may be under way, and launched again.
void ThreadSoak::short_lived_graph() {
  if (!shared_.has_graph) return;
  const size_t cell = random(kCells);
  const uint64_t ops[] = {next_op(), next_op() + 1};
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  xhal_graph_exec_t exec = nullptr;
  for (const uint64_t op : ops) {
    const xhal_graph_t graph = capture_fold(cell, op);
    if (exec == nullptr) {
      SOAK_OK(xhal_graph_instantiate(graph, 0, &exec));
    } else {
      xhal_graph_update_info_t info{};
      info.struct_size = sizeof(info);
      SOAK_OK(xhal_graph_exec_update(exec, graph, &info));
    }
    SOAK_OK(xhal_graph_destroy(graph));
    SOAK_OK(xhal_graph_exec_launch(exec, stream));
    cells_[cell].expected = oracle::mix(cells_[cell].expected, op);
  }
  worked(cell, stream);
  SOAK_OK(xhal_graph_exec_destroy(exec));
}

// One allocation is freed while the pool lives, the other when it is gone.
void ThreadSoak::short_lived_pool() {
  if (shared_.pool == nullptr) return;
  xhal_pool_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.release_threshold = random(2) * 65536;
  xhal_pool_t pool = nullptr;
  SOAK_OK(xhal_pool_create(shared_.device, &desc, &pool));
  const xhal_stream_t stream = any_stream();
  const uint64_t size = 8 * (1 + random(2048));
  void* memory[2] = {};
  for (void*& one : memory) {
    SOAK_OK(xhal_pool_allocate(pool, stream, size, &one));
    use(one, size, stream);
  }
  SOAK_OK(xhal_pool_free(pool, stream, memory[0]));
  SOAK_OK(xhal_pool_destroy(pool));
  SOAK_OK(xhal_memory_free(shared_.device, memory[1]));
}

void ThreadSoak::short_lived_module() {
  xhal_module_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.format = "builtin";
  desc.image = "xhal";
  desc.image_size = 4;
  xhal_module_t module = nullptr;
  SOAK_OK(xhal_module_load(shared_.device, &desc, &module));
  xhal_kernel_t kernel = nullptr;
  SOAK_OK(xhal_module_get_kernel(module, "xhal_fold_u64", &kernel));
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  launch(kernel, cell, next_op(), stream);
  cells_[cell].expected = oracle::mix(cells_[cell].expected, next_op());
  worked(cell, stream);
  SOAK_OK(xhal_module_destroy(module));
}

void ThreadSoak::short_lived_mapping() {
  if (shared_.page == 0) return;
  const uint64_t size = shared_.page * (1 + random(2));
  void* memory = nullptr;
  SOAK_OK(xhal_vmm_reserve(shared_.device, size, 0, nullptr, &memory));
  xhal_physical_t physical = nullptr;
  SOAK_OK(xhal_physical_create(shared_.device, size, 0, &physical));
  SOAK_OK(xhal_vmm_map(shared_.device, memory, size, physical, 0));
  SOAK_OK(xhal_physical_destroy(physical));
  SOAK_OK(xhal_vmm_set_access(shared_.device, memory, size, shared_.device, XHAL_ACCESS_READ_WRITE));
  const xhal_stream_t stream = any_stream();
  use(memory, 4096, stream);
  SOAK_OK(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));  // unmapping is ordered by the caller
  SOAK_OK(xhal_vmm_unmap(shared_.device, memory, size));
  SOAK_OK(xhal_vmm_release(shared_.device, memory, size));
}

void ThreadSoak::short_lived_registration() {
  if (!shared_.has_register) return;
  SOAK_OK(xhal_memory_register(shared_.device, host_page_, kHostPage, 0));
  const xhal_stream_t stream = any_stream();
  use(host_page_, kHostPage, stream);
  SOAK_OK(xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER));
  SOAK_OK(xhal_memory_unregister(shared_.device, host_page_));
}

void ThreadSoak::short_lived_subscription() {
  if (!shared_.has_activity) return;
  xhal_activity_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kinds = XHAL_ACTIVITY_KERNEL | XHAL_ACTIVITY_GRAPH | XHAL_ACTIVITY_WAIT;
  desc.callback = [](void* user, const xhal_activity_record_t*, uint32_t count, uint32_t) {
    static_cast<std::atomic<uint64_t>*>(user)->fetch_add(count, std::memory_order_relaxed);
  };
  desc.user = &records_;
  xhal_subscription_t subscription = nullptr;
  const xhal_result_t result = xhal_activity_subscribe(shared_.device, &desc, &subscription);
  if (result == XHAL_ERROR_BUSY) return;  // one subscriber at a time, and another thread is it
  check("xhal_activity_subscribe", result);
  const uint64_t former = records_.load();
  const size_t cell = random(kCells);
  const xhal_stream_t stream = any_stream();
  order(cell, stream);
  launch_fold(cell, stream);
  worked(cell, stream);
  SOAK_OK(xhal_event_synchronize(cells_[cell].event, XHAL_WAIT_FOREVER));
  SOAK_OK(xhal_activity_unsubscribe(subscription));
  if (records_.load() == former) throw Trouble{"a kernel that ran has no record"};
}

// A stream whose work fails, and which goes before or after that is known. What was done before the failure is done.
void ThreadSoak::short_lived_failure() {
  if (shared_.trap == nullptr) return;
  void* const flag = allocate(shared_.device, XHAL_MEMORY_PINNED, sizeof(uint32_t));
  *static_cast<uint32_t*>(flag) = 1;
  xhal_stream_t stream = nullptr;
  SOAK_OK(xhal_stream_create(shared_.device, nullptr, &stream));
  const size_t cell = random(kCells);
  order(cell, stream);
  launch_fold(cell, stream);
  const xhal_stream_t next = any_stream();
  SOAK_OK(xhal_event_record(cells_[cell].event, stream, 0));
  SOAK_OK(xhal_stream_wait_event(next, cells_[cell].event, 0));
  worked(cell, next);
  const xhal_argument_t argument = {XHAL_ARGUMENT_MEMORY, XHAL_ACCESS_READ, sizeof(uint32_t), flag};
  xhal_launch_t launch{};
  launch.struct_size = sizeof(launch);
  for (int d = 0; d < 3; ++d) launch.group_count[d] = launch.group_size[d] = 1;
  launch.argument_count = 1;
  launch.arguments = &argument;
  SOAK_OK(xhal_kernel_launch(stream, shared_.trap, &launch));
  if (random(2) == 0) {
    check("xhal_stream_synchronize", xhal_stream_synchronize(stream, XHAL_WAIT_FOREVER),
          XHAL_ERROR_LAUNCH_FAILED);
  }
  SOAK_OK(xhal_stream_destroy(stream));
  SOAK_OK(xhal_memory_free(shared_.device, flag));
}

}  // namespace xhal::soak
