// SPDX-License-Identifier: Apache-2.0
#include "memory/memory.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <optional>
#include <utility>

#include "device/device.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::opencl {
namespace {

constexpr uint64_t kPage = AddressTable::kPage;

uint64_t host_memory() {
  return static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

// An address without memory behind it, which is nobody else's, or the host's own memory.
void* reserve(uint32_t kind, uint64_t bytes) {
  const int access = kind == XHAL_MEMORY_PINNED ? PROT_READ | PROT_WRITE : PROT_NONE;
  void* const out = mmap(nullptr, bytes, access, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  return out == MAP_FAILED ? nullptr : out;
}

// Null when OpenCL refuses. Nobody says which alignments a driver takes beyond those of its types: the caller makes its own.
void* raw_allocate(const Device& device, uint32_t kind, uint64_t bytes) {
  const Platform& platform = *device.platform;
  cl_int code = CL_SUCCESS;
  if (device.facts.path == MemoryPath::kBuffers) return reserve(kind, bytes);
  if (device.facts.path == MemoryPath::kUsm) {
    if (kind == XHAL_MEMORY_PINNED)
      return platform.usm.host_allocate(platform.context, nullptr, bytes, 0, &code);
    if (kind == XHAL_MEMORY_MANAGED)
      return platform.usm.shared_allocate(platform.context, device.id, nullptr, bytes, 0, &code);
    return platform.usm.device_allocate(platform.context, device.id, nullptr, bytes, 0, &code);
  }
  cl_svm_mem_flags flags = CL_MEM_READ_WRITE | CL_MEM_SVM_FINE_GRAIN_BUFFER;
  if ((device.facts.svm & CL_DEVICE_SVM_ATOMICS) != 0) flags |= CL_MEM_SVM_ATOMICS;
  return device.instance->calls->clSVMAlloc(platform.context, flags, bytes, 0);
}

void raw_free(const Device& device, void* raw, uint64_t bytes) {
  const Platform& platform = *device.platform;
  if (device.facts.path == MemoryPath::kBuffers) {
    munmap(raw, bytes);
  } else if (device.facts.path == MemoryPath::kUsm) {
    platform.usm.free(platform.context, raw);
  } else {
    device.instance->calls->clSVMFree(platform.context, raw);
  }
}

}  // namespace

void Memory::clear() {
  for (const Retired& one : retired_) give_back(one.block);
  for (const auto& [base, block] : blocks_) give_back(block);
  retired_.clear();
  blocks_.clear();
}

bool Memory::take(Device& device, uint32_t kind, uint64_t bytes) {
  std::atomic<uint64_t>& used = kind == XHAL_MEMORY_PINNED ? pinned_ : device.used_bytes;
  const uint64_t limit = kind == XHAL_MEMORY_PINNED ? host_memory() : device.facts.memory_bytes;
  uint64_t before = used.load();
  do {
    if (bytes > limit || before > limit - bytes) return false;
  } while (!used.compare_exchange_weak(before, before + bytes));
  return true;
}

void Memory::give_back(const Block& block) {
  Device& device = *instance_.devices[block.range.device];
  if (block.range.buffer != nullptr) instance_.calls->clReleaseMemObject(block.range.buffer);
  if (block.raw != nullptr) raw_free(device, block.raw, block.raw_bytes);
  (block.range.kind == XHAL_MEMORY_PINNED ? pinned_ : device.used_bytes) -= block.taken;
}

xhal_result_t Memory::allocate(Device& device, uint32_t kind, uint64_t size, uint64_t alignment, void** out) {
  const xhal_result_t none =
      kind == XHAL_MEMORY_PINNED ? XHAL_ERROR_OUT_OF_HOST_MEMORY : XHAL_ERROR_OUT_OF_DEVICE_MEMORY;
  reclaim();
  alignment = std::max(alignment, kPage);
  const uint64_t largest = device.facts.max_allocation_bytes;
  if (size > largest || alignment > largest || size + kPage + alignment > largest + 2 * kPage) {
    return kit::fail(none,
                     "%" PRIu64 " bytes aligned to %" PRIu64 ": device %u makes at most %" PRIu64 " at once",
                     size, alignment, device.index, largest);
  }
  Block block;
  block.taken = (size + kPage - 1) / kPage * kPage;
  block.range = {0, size, kind, device.index, kit::services().next_id(), nullptr};
  if (!take(device, kind, block.taken)) {
    return kit::fail(none, "%" PRIu64 " bytes: %s has no more than %" PRIu64 " left", size,
                     kind == XHAL_MEMORY_PINNED ? "the host" : "the device",
                     kind == XHAL_MEMORY_PINNED ? host_memory() - std::min(host_memory(), pinned_.load())
                                                : device.facts.memory_bytes - device.used_bytes.load());
  }
  block.raw_bytes = block.taken + alignment - 1;
  block.raw = raw_allocate(device, kind, block.raw_bytes);
  if (block.raw != nullptr && device.facts.path == MemoryPath::kBuffers) {
    cl_int code = CL_SUCCESS;
    block.range.buffer = instance_.calls->clCreateBuffer(device.platform->context, CL_MEM_READ_WRITE,
                                                         block.taken, nullptr, &code);
    if (code != CL_SUCCESS) {
      raw_free(device, std::exchange(block.raw, nullptr), block.raw_bytes);
      block.range.buffer = nullptr;
    }
  }
  if (block.raw == nullptr) {
    give_back(block);
    return kit::fail(none, "OpenCL has no %" PRIu64 " bytes for device %u", size, device.index);
  }
  block.range.base = (reinterpret_cast<uint64_t>(block.raw) + alignment - 1) / alignment * alignment;
  try {
    const std::lock_guard lock(mutex_);
    blocks_.emplace(block.range.base, block);
    try {
      table_.add(block.range);
    } catch (...) {
      blocks_.erase(block.range.base);
      throw;
    }
  } catch (...) {
    give_back(block);
    throw;
  }
  *out = reinterpret_cast<void*>(block.range.base);
  return XHAL_SUCCESS;
}

xhal_result_t Memory::free(Device& device, void* pointer) {
  Retired retired;
  {
    const std::lock_guard lock(mutex_);
    const auto found = blocks_.find(reinterpret_cast<uint64_t>(pointer));
    if (found == blocks_.end())
      return kit::fail(XHAL_ERROR_INVALID_POINTER, "%p is not the base of an allocation", pointer);
    if (found->second.range.device != device.index) {
      return kit::fail(XHAL_ERROR_INVALID_POINTER, "%p is of device %u, not of device %u", pointer,
                       found->second.range.device, device.index);
    }
    retired_.reserve(retired_.size() + 1);
    retired.block = found->second;
    frees_.fetch_add(1, std::memory_order_release);
    table_.remove(retired.block.range);
    blocks_.erase(found);
  }
  // Whatever is under way on any device may use it; what is submitted from now on may not.
  for (const auto& one : instance_.devices) {
    if (!one->active) continue;
    for (const auto& queue : one->busy_queues()) {
      if (EventRef pending = queue->under_way(); pending) retired.users.push_back(std::move(pending));
    }
  }
  if (retired.users.empty()) {
    give_back(retired.block);
  } else {
    const std::lock_guard lock(mutex_);
    retired_.push_back(std::move(retired));
  }
  return XHAL_SUCCESS;
}

void Memory::reclaim() {
  std::vector<Retired> unused;
  {
    const std::lock_guard lock(mutex_);
    if (retired_.empty()) return;
    const auto in_use = [](const Retired& one) {
      return std::ranges::any_of(one.users,
                                 [](const EventRef& user) { return user.status() == XHAL_NOT_READY; });
    };
    const auto middle = std::partition(retired_.begin(), retired_.end(), in_use);
    unused.assign(std::make_move_iterator(middle), std::make_move_iterator(retired_.end()));
    retired_.erase(middle, retired_.end());
  }
  for (const Retired& one : unused) give_back(one.block);
}

xhal_result_t Memory::resolve(const char* name, const void* pointer, uint64_t size, bool pageable,
                              Range& out) const {
  out = table_.find(pointer);
  if (out.kind == 0) {
    if (pageable && pointer != nullptr) return XHAL_SUCCESS;
    return kit::fail(XHAL_ERROR_INVALID_POINTER,
                     pointer == nullptr ? "%s is null" : "%s %p is no memory of a device, nor pinned", name,
                     pointer);
  }
  if (out.holds(pointer, size)) return XHAL_SUCCESS;
  const uint64_t offset = reinterpret_cast<uint64_t>(pointer) - out.base;
  return kit::fail(XHAL_ERROR_OUT_OF_RANGE,
                   "%s %p with %" PRIu64 " bytes leaves its allocation, which ends %" PRIu64
                   " bytes behind it",
                   name, pointer, size, out.size - offset);
}

}  // namespace xhal::opencl
