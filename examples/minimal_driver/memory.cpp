// SPDX-License-Identifier: Apache-2.0
// Allocations, copies, fills, attributes. Memory is the host's, so a device pointer is an address that the host can use, too.
#include <bit>
#include <cstdlib>
#include <cstring>

#include "minimal.hpp"
#include "xhal/kit/structs.hpp"

namespace minimal {

using namespace xhal::kit;

namespace {

// Bytes taken of the one device that all instances share.
std::atomic<uint64_t> g_used{0};

bool take(uint64_t size) {
  uint64_t used = g_used.load();
  do {
    if (size > kMemoryBytes - used) return false;
  } while (!g_used.compare_exchange_weak(used, used + size));
  return true;
}

// Whether [pointer, pointer + size) is inside one allocation, outside of all, or leaves one.
enum class Place { kOurs, kUnknown, kLeaves };
Place place_of(const Device& device, const void* pointer, uint64_t size) {
  const Allocation* found = find(device, pointer);
  if (found == nullptr) return Place::kUnknown;
  const uint64_t offset = reinterpret_cast<uintptr_t>(pointer) - reinterpret_cast<uintptr_t>(found->pointer);
  return size <= found->size - offset ? Place::kOurs : Place::kLeaves;
}

// Runs `work` as an operation of the stream: in turn, done on return.
template <class Work>
xhal_result_t run(xhal_stream_t handle, Work work) {
  Operation operation(*object_of<Stream>(handle));
  operation.wait_for_turn();
  work();
  return XHAL_SUCCESS;
}

}  // namespace

Allocation::~Allocation() {
  std::free(pointer);
  g_used -= taken;
}

const Allocation* find(const Device& device, const void* address) {
  const auto number = reinterpret_cast<uintptr_t>(address);
  auto above = device.allocations.upper_bound(number);
  if (above == device.allocations.begin()) return nullptr;
  --above;
  return number - above->first < above->second->size ? above->second.get() : nullptr;
}

xhal_result_t memory_allocate(xhal_device_t handle, const xhal_memory_desc_t* in, void** out) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  xhal_memory_desc_t desc{};
  if (const xhal_result_t result = read_struct(in, desc); result < 0) return result;
  if (out == nullptr || desc.flags != 0 || desc.size == 0) return XHAL_ERROR_INVALID_ARGUMENT;
  if (desc.alignment != 0 && !std::has_single_bit(desc.alignment)) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "an alignment is a power of two");
  }
  if (desc.kind == XHAL_MEMORY_MANAGED)
    return fail(XHAL_ERROR_UNSUPPORTED, "the minimal device has no managed memory");
  if (desc.kind != XHAL_MEMORY_DEVICE && desc.kind != XHAL_MEMORY_PINNED) return XHAL_ERROR_INVALID_ARGUMENT;
  const xhal_result_t exhausted =
      desc.kind == XHAL_MEMORY_DEVICE ? XHAL_ERROR_OUT_OF_DEVICE_MEMORY : XHAL_ERROR_OUT_OF_HOST_MEMORY;
  Device& device = *object_of<Device>(handle);
  activate(device);
  auto allocation = std::make_unique<Allocation>();
  allocation->size = desc.size;
  allocation->kind = desc.kind;
  allocation->id = services().next_id();
  if (desc.kind == XHAL_MEMORY_DEVICE) {
    if (!take(desc.size)) {
      return fail(exhausted, "%llu bytes do not fit into what is free",
                  static_cast<unsigned long long>(desc.size));
    }
    allocation->taken = desc.size;
  }
  const uint64_t alignment = desc.alignment > kAlignment ? desc.alignment : kAlignment;
  void* pointer = nullptr;
  if (posix_memalign(&pointer, alignment, desc.size) != 0)
    return fail(exhausted, "the host has no %llu bytes", static_cast<unsigned long long>(desc.size));
  allocation->pointer = pointer;
  const std::lock_guard lock(device.mutex);
  device.allocations.emplace(reinterpret_cast<uintptr_t>(pointer), std::move(allocation));
  *out = pointer;
  return XHAL_SUCCESS;
}

xhal_result_t memory_free(xhal_device_t handle, void* pointer) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  if (pointer == nullptr) return XHAL_SUCCESS;
  Device& device = *object_of<Device>(handle);
  const std::lock_guard lock(device.mutex);
  const auto found = device.allocations.find(reinterpret_cast<uintptr_t>(pointer));
  if (found == device.allocations.end())
    return fail(XHAL_ERROR_INVALID_POINTER, "%p is not the base of a live allocation", pointer);
  // Operations of other threads that were submitted before may still touch it. [XHAL-MEMORY-6]
  if (!device.unfinished.empty()) {
    device.freed.emplace_back();
    device.freed.back() = {device.next_operation, std::move(found->second)};
  }
  device.allocations.erase(found);
  return XHAL_SUCCESS;
}

xhal_result_t memory_copy(xhal_stream_t handle, void* destination, const void* source, uint64_t size) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  if (size == 0) return XHAL_SUCCESS;
  if (destination == nullptr || source == nullptr)
    return fail(XHAL_ERROR_INVALID_POINTER, "null cannot be copied from or to");
  Device& device = *object_of<Stream>(handle)->device;
  activate(device);
  {
    const std::lock_guard lock(device.mutex);
    if (place_of(device, destination, size) == Place::kLeaves ||
        place_of(device, source, size) == Place::kLeaves) {
      return fail(XHAL_ERROR_OUT_OF_RANGE, "the range leaves its allocation");
    }
  }
  const auto to = reinterpret_cast<uintptr_t>(destination);
  const auto from = reinterpret_cast<uintptr_t>(source);
  if (to < from ? from - to < size : to - from < size)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "source and destination overlap");
  return run(handle, [&] { std::memcpy(destination, source, size); });
}

xhal_result_t memory_fill(xhal_stream_t handle, void* destination, uint64_t pattern, uint32_t width,
                          uint64_t size) {
  if (const xhal_result_t result = may_call(); result < 0) return result;
  const bool legal_width = width == 1 || width == 2 || width == 4 || width == 8;
  if (!legal_width || size % width != 0)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "a fill repeats 1, 2, 4 or 8 whole bytes");
  if (size == 0) return XHAL_SUCCESS;
  if (reinterpret_cast<uintptr_t>(destination) % width != 0)
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "the destination is not aligned");
  Device& device = *object_of<Stream>(handle)->device;
  activate(device);
  {
    const std::lock_guard lock(device.mutex);
    const Place place = place_of(device, destination, size);
    if (place == Place::kUnknown)
      return fail(XHAL_ERROR_INVALID_POINTER, "%p is not memory of the device", destination);
    if (place == Place::kLeaves) return fail(XHAL_ERROR_OUT_OF_RANGE, "the range leaves its allocation");
  }
  return run(handle, [&] {
    auto* bytes = static_cast<unsigned char*>(destination);
    for (uint64_t i = 0; i < size; i += width) std::memcpy(bytes + i, &pattern, width);
  });
}

xhal_result_t get_memory_info(xhal_device_t handle, xhal_memory_info_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  activate(*object_of<Device>(handle));
  xhal_memory_info_t info{};
  info.total_bytes = kMemoryBytes;
  info.free_bytes = kMemoryBytes - g_used.load();
  write_struct(info, out);
  return XHAL_SUCCESS;
}

xhal_result_t get_pointer_attributes(xhal_driver_t handle, const void* pointer,
                                     xhal_pointer_attributes_t* out) {
  if (const xhal_result_t result = check_out_struct(out); result < 0) return result;
  Device& device = object_of<Driver>(handle)->device;
  xhal_pointer_attributes_t attributes{};
  const std::lock_guard lock(device.mutex);
  if (const Allocation* found = find(device, pointer)) {
    attributes.kind = found->kind;
    attributes.host_accessible = 1;
    attributes.size = found->size;
    attributes.base = found->pointer;
    attributes.device_pointer = attributes.host_pointer = const_cast<void*>(pointer);
    attributes.allocation_id = found->id;
  }
  write_struct(attributes, out);
  return XHAL_SUCCESS;
}

}  // namespace minimal
