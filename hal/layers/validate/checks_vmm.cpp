// SPDX-License-Identifier: Apache-2.0
// Reserved addresses, physical memory, mappings and access.
#include <bit>
#include <mutex>

#include "checks.hpp"

namespace xhal::validate {
namespace {

uintptr_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

std::string range_text(const void* pointer, uint64_t size) {
  return std::to_string(size) + " bytes at " + hex(pointer);
}

// [XHAL-VMM-1]
bool check_granular(Call& call, const void* device, const char* what, uint64_t value, bool may_be_zero) {
  const uint64_t granularity = granularity_of(call, device);
  if ((value != 0 || may_be_zero) && (granularity == 0 || value % granularity == 0)) return true;
  call.found(
      Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
      std::string(what) + " is " + std::to_string(value) +
          (value == 0 ? std::string() : ", no multiple of the granularity " + std::to_string(granularity)));
  return false;
}

// The reserved range of the device that holds all of it, or null with a finding. With the lock held.
const Memory* range_around(Call& call, const void* device, const void* pointer, uint64_t size) {
  const Memory* range = world().memory_at(address_of(pointer));
  if (range == nullptr || range->kind != MemoryKind::kReserved || range->owner != &call.attachment()) {
    call.found(Kind::kNotMapped, XHAL_ERROR_INVALID_POINTER,
               range_text(pointer, size) + " lie in no range that was reserved");
    return nullptr;
  }
  if (range->device != device) {
    call.found(Kind::kWrongDevice, XHAL_ERROR_INVALID_POINTER,
               range_text(pointer, size) + " were reserved by " +
                   device_name(call.attachment(), range->device) + ", not by " +
                   device_name(call.attachment(), device),
               &range->made);
    return nullptr;
  }
  if (size > range->end() - address_of(pointer)) {
    call.found(Kind::kOutOfBounds, XHAL_ERROR_INVALID_POINTER,
               range_text(pointer, size) + " leave their range of " +
                   range_text(reinterpret_cast<const void*>(range->base), range->size),
               &range->made);
    return nullptr;
  }
  return range;
}

// Mappings of which each is meant as a whole. With the lock held.
void check_whole_mappings(Call& call, const void* device, const void* pointer, uint64_t size) {
  if (range_around(call, device, pointer, size) == nullptr) return;
  const uintptr_t end = address_of(pointer) + size;
  auto& mappings = world().mappings();
  uintptr_t at = address_of(pointer);
  for (auto mapping = mappings.find(at); at < end; ++mapping) {
    if (mapping == mappings.end() || mapping->first != at || mapping->second.size > end - at) {
      const auto near = world().first_mapping(at, end - at);
      call.found(Kind::kNotMapped, XHAL_ERROR_INVALID_POINTER,
                 range_text(pointer, size) + " are not what was mapped there, as a whole",
                 near != mappings.end() ? &near->second.made : nullptr);
      return;
    }
    at += mapping->second.size;
  }
}

}  // namespace

bool may_be_released(Call& call, const Memory& range, uint64_t size) {
  if (size != range.size) {
    call.found(Kind::kWrongRelease, XHAL_ERROR_INVALID_POINTER,
               "a part of " + std::to_string(size) + " bytes of a reserved range of " +
                   std::to_string(range.size) + " is none of its own",
               &range.made);
    return false;
  }
  const auto left = world().first_mapping(range.base, range.size);
  if (left == world().mappings().end()) return true;
  call.found(Kind::kWrongRelease, XHAL_ERROR_BUSY,
             "something is mapped in the reserved range, at " + hex(left->first), &left->second.made);
  return false;
}

void check_mapped(Call& call, const std::string& range, uintptr_t begin, uint64_t size, const Use& use) {
  const uintptr_t end = begin + size;
  auto mapping = world().first_mapping(begin, 1);
  for (uintptr_t at = begin; at < end; ++mapping) {
    if (mapping == world().mappings().end() || mapping->first > at) {
      call.found(Kind::kNotMapped, XHAL_ERROR_INVALID_POINTER,
                 range + " is reserved, and nothing is mapped at " + hex(at));
      return;
    }
    const uint32_t access = mapping->second.access_of(use.device);
    if (use.device != nullptr && (use.access & ~access) != 0) {
      call.found(Kind::kNotMapped, XHAL_ERROR_INVALID_POINTER,
                 range + " is mapped, and " + device_name(call.attachment(), use.device) + " may not " +
                     ((use.access & ~access & XHAL_ACCESS_WRITE) != 0 ? "write" : "read") + " it",
                 &mapping->second.made);
      return;
    }
    at = mapping->first + mapping->second.size;
  }
}

// ---- Single entries ------------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::vmm_reserve> /*entry*/, xhal_device_t device, uint64_t size,
            uint64_t alignment, void* /*hint*/, void** /*out_pointer*/) {
  check_granular(call, device, "size", size, false);
  if (alignment != 0 && !std::has_single_bit(alignment)) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "alignment " + std::to_string(alignment) + " is no power of two");
  }
}

void after(Call& call, Is<Entry::vmm_reserve> /*entry*/, xhal_result_t result, xhal_device_t device,
           uint64_t size, uint64_t /*alignment*/, void* /*hint*/, void** out_pointer) {
  if (result >= 0 && out_pointer != nullptr)
    note_memory(call, device, *out_pointer, size, MemoryKind::kReserved);
}

void before(Call& call, Is<Entry::physical_create> /*entry*/, xhal_device_t device, uint64_t size,
            uint32_t /*flags*/, xhal_physical_t* /*out_physical*/) {
  check_granular(call, device, "size", size, false);
}

void after(Call& /*call*/, Is<Entry::physical_create> /*entry*/, xhal_result_t result,
           xhal_device_t /*device*/, uint64_t size, uint32_t /*flags*/, xhal_physical_t* out_physical) {
  if (result < 0 || out_physical == nullptr) return;
  const std::lock_guard guard(layer_lock());
  if (Object* physical = world().find(*out_physical); physical != nullptr) physical->size = size;
}

void before(Call& call, Is<Entry::vmm_map> /*entry*/, xhal_device_t device, void* pointer, uint64_t size,
            xhal_physical_t physical, uint64_t offset) {
  if (!check_granular(call, device, "size", size, false) ||
      !check_granular(call, device, "offset", offset, true))
    return;
  const std::lock_guard guard(layer_lock());
  const Object* memory = world().find(physical);
  if (memory != nullptr && memory->size != 0 && (offset > memory->size || size > memory->size - offset)) {
    call.found(Kind::kOutOfBounds, XHAL_ERROR_OUT_OF_RANGE,
               std::to_string(size) + " bytes from " + std::to_string(offset) +
                   " on leave the physical memory of " + std::to_string(memory->size) + " bytes",
               &memory->made);
    return;
  }
  if (range_around(call, device, pointer, size) == nullptr) return;
  const auto there = world().first_mapping(address_of(pointer), size);
  if (there == world().mappings().end()) return;
  call.found(Kind::kBadArgument, XHAL_ERROR_ALREADY_DONE,
             "something is mapped in " + range_text(pointer, size) + " already", &there->second.made);
}

void after(Call& call, Is<Entry::vmm_map> /*entry*/, xhal_result_t result, xhal_device_t /*device*/,
           void* pointer, uint64_t size, xhal_physical_t /*physical*/, uint64_t /*offset*/) {
  if (result < 0) return;
  const Site here = call.site();
  const std::lock_guard guard(layer_lock());
  world().forget_mappings(address_of(pointer), size);
  world().mappings()[address_of(pointer)] = {size, {}, here};
}

void before(Call& call, Is<Entry::vmm_unmap> /*entry*/, xhal_device_t device, void* pointer, uint64_t size) {
  if (!check_granular(call, device, "size", size, false)) return;
  const std::lock_guard guard(layer_lock());
  check_whole_mappings(call, device, pointer, size);
}

void after(Call& /*call*/, Is<Entry::vmm_unmap> /*entry*/, xhal_result_t result, xhal_device_t /*device*/,
           void* pointer, uint64_t size) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  world().forget_mappings(address_of(pointer), size);
}

void before(Call& call, Is<Entry::vmm_set_access> /*entry*/, xhal_device_t device, void* pointer,
            uint64_t size, xhal_device_t /*accessor*/, uint32_t access) {
  if (access != XHAL_ACCESS_NONE && access != XHAL_ACCESS_READ && access != XHAL_ACCESS_READ_WRITE) {
    call.found(
        Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
        "access is " + std::to_string(access) + ", which is none of XHAL_ACCESS_NONE, _READ and _READ_WRITE");
    return;
  }
  if (!check_granular(call, device, "size", size, false)) return;
  const std::lock_guard guard(layer_lock());
  check_whole_mappings(call, device, pointer, size);
}

void after(Call& /*call*/, Is<Entry::vmm_set_access> /*entry*/, xhal_result_t result,
           xhal_device_t /*device*/, void* pointer, uint64_t size, xhal_device_t accessor, uint32_t access) {
  if (result < 0) return;
  const uintptr_t end = address_of(pointer) + size;
  const std::lock_guard guard(layer_lock());
  auto& mappings = world().mappings();
  for (auto at = world().first_mapping(address_of(pointer), size); at != mappings.end() && at->first < end;
       ++at) {
    std::erase_if(at->second.access, [&](const auto& one) { return one.first == accessor; });
    if (access != XHAL_ACCESS_NONE) at->second.access.emplace_back(accessor, access);
  }
}

}  // namespace xhal::validate
