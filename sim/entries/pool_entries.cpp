// SPDX-License-Identifier: Apache-2.0
// Pools: allocation and free in stream order.
#include <cinttypes>
#include <string>

#include "entries/entry.hpp"

namespace xhal::sim {
namespace {

DevicePool& pool_of(xhal_pool_t handle) { return *kit::object_of<DevicePool>(handle); }
Memory& memory_of(const DevicePool& pool) { return pool.owner->instance.memory; }

xhal_result_t told(xhal_result_t result, const std::string& why) {
  return result < 0 ? kit::fail(result, "%s", why.c_str()) : result;
}

xhal_result_t check_stream(const DevicePool& pool, const Stream& stream) {
  if (&device_of(stream) == pool.owner) return XHAL_SUCCESS;
  return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "the pool is of device %u, the stream of device %u",
                   pool.device, device_of(stream).index);
}

xhal_result_t create(xhal_device_t device, const xhal_pool_desc_t* desc, xhal_pool_t* out_pool) {
  Device& d = device_of(device);
  if (const xhal_result_t result = check_claimed(d, XHAL_FEATURE_POOL, "pool"); result < 0) return result;
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  xhal_pool_desc_t given = {};
  if (const xhal_result_t result = read_optional("desc", desc, given); result < 0) return result;
  if (out_pool == nullptr) return refuse_null("out_pool");
  if (given.flags != 0)
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "desc->flags is 0x%x, no flag is defined", given.flags);
  return guarded([&] {
    if (const xhal_result_t result = make_ready(d); result < 0) return result;
    std::string why;
    const xhal_result_t result =
        d.instance.memory.create_pool(&d, d.index, given.release_threshold, given.max_bytes, out_pool, why);
    return told(result, why);
  });
}

xhal_result_t destroy(xhal_pool_t pool) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    DevicePool& p = pool_of(pool);
    memory_of(p).destroy_pool(p);
    return XHAL_SUCCESS;
  });
}

// Memory that a captured allocation gave out: the addresses in a graph are the same at each launch, so it keeps them as long as it lives.
class GraphMemory {
 public:
  GraphMemory(Memory& memory, const void* pointer, uint64_t id)
      : memory_(memory), pointer_(pointer), id_(id) {
    memory.begin_graph_memory();
  }
  GraphMemory(const GraphMemory&) = delete;
  GraphMemory& operator=(const GraphMemory&) = delete;
  ~GraphMemory() { memory_.end_graph_memory(pointer_, id_); }

 private:
  Memory& memory_;
  const void* const pointer_;
  const uint64_t id_;
};

// Nobody knows yet which stream will launch it, so it is given nothing that a stream alone may have. [XHAL-POOL-10]
xhal_result_t capture_allocation(DevicePool& pool, Stream& stream, uint64_t size, void** out_pointer) {
  Memory& memory = memory_of(pool);
  const uint64_t id = kit::services().next_id();
  void* pointer = nullptr;
  std::string why;
  const xhal_result_t result =
      memory.allocate_from(pool, Position{}, size, id, &pointer, why, Allocation::kOfGraph);
  if (result < 0) return told(result, why);
  auto work = std::make_shared<GraphNode::Work>();
  work->keeps = std::make_shared<GraphMemory>(memory, pointer, id);
  const xhal_result_t added = stream.capture_node({GraphNode::Kind::kAllocate, std::move(work), {}, {}});
  if (added < 0) return sim::told(stream, added);
  *out_pointer = pointer;
  return added;
}

xhal_result_t capture_free(DevicePool& pool, Stream& stream, const void* pointer) {
  const Allocation found = memory_of(pool).find(pointer);
  if (reinterpret_cast<uint64_t>(pointer) != found.base || !found.has(Allocation::kOfPool)) {
    return kit::fail(XHAL_ERROR_INVALID_POINTER, "%p is not the base of a live allocation of this pool",
                     pointer);
  }
  if (!found.has(Allocation::kOfGraph)) {
    return kit::fail(XHAL_ERROR_CAPTURE_UNSUPPORTED,
                     "%p was allocated outside of captures; free it outside, or allocate it in the capture",
                     pointer);
  }
  return sim::told(stream, stream.capture_node({GraphNode::Kind::kFree, nullptr, {}, {}}));
}

xhal_result_t allocate(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out_pointer) {
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = may_submit(s); result < 0) return result;
  if (out_pointer == nullptr) return refuse_null("out_pointer");
  DevicePool& p = pool_of(pool);
  if (const xhal_result_t result = check_stream(p, s); result < 0) return result;
  if (const xhal_result_t result = check_epoch(*p.owner, p.epoch, "pool"); result < 0) return result;
  if (size == 0) return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
  return guarded([&] {
    if (s.capture() != nullptr) return capture_allocation(p, s, size, out_pointer);
    // Whoever allocates stands behind all that the stream holds by now.
    Position position;
    if (const xhal_result_t result = sim::told(s, s.mark(position)); result < 0) return result;
    std::string why;
    const xhal_result_t result =
        memory_of(p).allocate_from(p, position, size, kit::services().next_id(), out_pointer, why);
    return told(result, why);
  });
}

// Frees are taken from lost devices and failed streams, too: their work is over when its turn has come, whether it ran or not.
xhal_result_t free_memory(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  DevicePool& p = pool_of(pool);
  Stream& s = stream_of(stream);
  if (const xhal_result_t result = check_stream(p, s); result < 0) return result;
  return guarded([&] {
    if (s.capture() != nullptr) return capture_free(p, s, pointer);
    if (memory_of(p).find(pointer).has(Allocation::kOfGraph)) {
      // The graph keeps it for its next launch; who frees it outside gives up its contents alone.
      return xhal_result_t{XHAL_SUCCESS};
    }
    const Progress& progress = s.progress();
    std::string why;
    const xhal_result_t result = memory_of(p).free_to(p, {&progress, progress.submitted()}, pointer, why);
    return told(result, why);
  });
}

xhal_result_t get_info(xhal_pool_t pool, xhal_pool_info_t* out) {
  if (const xhal_result_t result = check_out("out_info", out); result < 0) return result;
  DevicePool& p = pool_of(pool);
  if (const xhal_result_t result = check_present(*p.owner); result < 0) return result;
  return guarded([&] {
    memory_of(p).settle_graph_memory();
    const Pool::Info info = p.pool.info();
    xhal_pool_info_t value = {};
    value.reserved_bytes = info.reserved;
    value.used_bytes = info.used;
    value.peak_reserved_bytes = info.peak_reserved;
    value.peak_used_bytes = info.peak_used;
    kit::write_struct(value, out);
    return XHAL_SUCCESS;
  });
}

xhal_result_t trim(xhal_pool_t pool, uint64_t keep_bytes) {
  if (const xhal_result_t result = outside_host_function(); result < 0) return result;
  return guarded([&] {
    DevicePool& p = pool_of(pool);
    memory_of(p).settle_graph_memory();
    p.pool.trim(keep_bytes);
    return XHAL_SUCCESS;
  });
}

}  // namespace

void add_pool_entries(xhal_functions_t& functions) {
  functions.pool_create = create;
  functions.pool_destroy = destroy;
  functions.pool_allocate = allocate;
  functions.pool_free = free_memory;
  functions.pool_get_info = get_info;
  functions.pool_trim = trim;
}

}  // namespace xhal::sim
