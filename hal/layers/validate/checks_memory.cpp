// SPDX-License-Identifier: Apache-2.0
// Ranges of memory that calls read and write.
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <mutex>

#include "checks.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {
namespace {

std::string range_text(const std::string& what, const void* pointer, uint64_t size) {
  return what + ", " + std::to_string(size) + " bytes at " + hex(pointer) + ",";
}

void out_of_bounds(Call& call, const std::string& range, uintptr_t begin, uint64_t size, uintptr_t base,
                   uint64_t whole, const Site* made) {
  const uint64_t before = begin < base ? base - begin : 0;
  // Not begin + size: that may be beyond the last address.
  const uint64_t room = begin < base ? whole + before : whole - (begin - base);
  std::string text = range;
  if (before > 0) text += " begins " + std::to_string(before) + " bytes before";
  if (size > room)
    text += std::string(before > 0 ? " and" : "") + " ends " + std::to_string(size - room) + " bytes behind";
  call.found(Kind::kOutOfBounds, XHAL_ERROR_OUT_OF_RANGE,
             text + " its memory of " + std::to_string(whole) + " bytes at " + hex(base), made);
}

// What the driver knows of an address; unmanaged also where it does not answer.
xhal_pointer_attributes_t attributes_of(Call& call, const void* pointer) {
  xhal_driver_t driver = nullptr;
  {
    const std::lock_guard guard(layer_lock());
    driver = call.attachment().driver;
  }
  xhal_pointer_attributes_t attributes = {};
  attributes.struct_size = sizeof(attributes);
  if (driver == nullptr ||
      call.next().driver_get_pointer_attributes(driver, pointer, &attributes) != XHAL_SUCCESS)
    attributes.kind = XHAL_MEMORY_UNMANAGED;
  return attributes;
}

// Memory that was not made through this layer: a vendor's own, a module's globals, an allocation in a graph.
void check_by_attributes(Call& call, const std::string& what, const void* pointer, uint64_t size,
                         const xhal_pointer_attributes_t& attributes) {
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  const auto base = reinterpret_cast<uintptr_t>(attributes.base);
  if (attributes.kind != XHAL_MEMORY_RESERVED && base <= begin && size > attributes.size - (begin - base))
    out_of_bounds(call, range_text(what, pointer, size), begin, size, base, attributes.size, nullptr);
}

// Whether the host has memory at the address that it may read: device memory that was freed, and that the host could not reach, it has not.
bool is_readable(uintptr_t address) {
  // The kernel reads the eight bytes before it refuses the first argument, and needs no right that a container might lack.
  constexpr unsigned kNoSuchChange = ~0U;
  constexpr size_t kSetBytes = 8;
  return ::syscall(SYS_rt_sigprocmask, kNoSuchChange, address & ~uintptr_t{7}, nullptr, kSetBytes) == 0 ||
         errno != EFAULT;
}

const char* plain_name(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kDevice:
      return "device memory";
    case MemoryKind::kPinned:
      return "pinned memory";
    case MemoryKind::kManaged:
      return "managed memory";
    case MemoryKind::kRegistered:
      return "registered memory";
    case MemoryKind::kReserved:
      return "a reserved range";
    case MemoryKind::kPool:
      return "memory of a pool";
    case MemoryKind::kImported:
      return "memory of another process";
    case MemoryKind::kExternal:
      return "external memory";
  }
  return "memory";
}

enum class Seen : uint8_t { kLive, kFreed, kForeign, kUnknown };

// `about`: the memory that was freed, or is another's.
Seen look_at(Call& call, const std::string& what, const void* pointer, uint64_t size, const Use& use,
             Place& place, Memory& about) {
  const Attachment& attachment = call.attachment();
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  const std::lock_guard guard(layer_lock());
  const Memory* memory = world().memory_at(begin);
  if (memory == nullptr) {
    const Memory* freed = world().freed_at(begin);
    // What the host can reach may belong to the application's own allocator now, and a copy takes that.
    if (freed != nullptr && (use.wants == Wants::kDriverMemory || !is_readable(begin))) {
      about = *freed;
      return Seen::kFreed;
    }
    const Memory* behind = world().memory_from(begin);
    // Registered memory may lie in the middle of what the application copies.
    if (behind == nullptr || behind->base - begin >= size || behind->kind == MemoryKind::kRegistered)
      return Seen::kUnknown;
    out_of_bounds(call, range_text(what, pointer, size), begin, size, behind->base, behind->size,
                  &behind->made);
    return Seen::kLive;
  }
  if (memory->owner != &attachment) {
    // To a copy the host memory of another driver is pageable memory as any other.
    if (use.wants == Wants::kAnyMemory && is_host_memory(memory->kind)) return Seen::kLive;
    about = *memory;
    return Seen::kForeign;
  }
  place = {true, memory->kind, memory->device, reinterpret_cast<const void*>(memory->base)};
  const auto resets = attachment.device_resets.find(memory->device);
  if (resets != attachment.device_resets.end() && resets->second != memory->resets) {
    call.found(Kind::kResetObject, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is memory that was made before its device was reset",
               &memory->made);
  }
  if (size > memory->end() - begin &&
      !(use.wants == Wants::kAnyMemory && memory->kind == MemoryKind::kRegistered)) {
    out_of_bounds(call, range_text(what, pointer, size), begin, size, memory->base, memory->size,
                  &memory->made);
  } else if (memory->kind == MemoryKind::kReserved) {
    check_mapped(call, range_text(what, pointer, size), begin, size, use);
  }
  return Seen::kLive;
}

// Somebody who does not go through this layer has got addresses that were freed here, a vendor's own allocator for one. A pool's memory the
// driver may know until the free is reached.
bool is_given_out_again(const Memory& freed, const xhal_pointer_attributes_t& now) {
  if (now.kind == XHAL_MEMORY_UNMANAGED) return false;
  return freed.kind != MemoryKind::kPool || reinterpret_cast<uintptr_t>(now.base) != freed.base ||
         now.size != freed.size;
}

void check_word(Call& call, const void* address, uint32_t width) {
  if (width != 4 && width != 8) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "a word of " + std::to_string(width) + " bytes is none");
    return;
  }
  if (reinterpret_cast<uintptr_t>(address) % width != 0) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               hex(address) + " is no multiple of " + std::to_string(width));
  }
  check_memory_of(call, "the word", address, width, ~bit_of(MemoryKind::kManaged));
}

}  // namespace

Place check_range(Call& call, const std::string& what, const void* pointer, uint64_t size, const Use& use) {
  if (size == 0) return {};
  if (pointer == nullptr) {
    call.found(Kind::kNullAddress, XHAL_ERROR_INVALID_POINTER,
               what + " is null, and its size is " + std::to_string(size));
    return {};
  }
  Place place;
  Memory about;
  const Seen seen = look_at(call, what, pointer, size, use, place, about);
  if (seen == Seen::kLive) return place;
  const xhal_pointer_attributes_t now = attributes_of(call, pointer);
  if (seen == Seen::kFreed && !is_given_out_again(about, now)) {
    call.found(Kind::kUseAfterFree, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " lies in memory that was released", &about.made,
               &about.ended);
    return {};
  }
  // Instances that work in one context of the vendor's may use each other's memory. [XHAL-INTEROP-7]
  if (seen == Seen::kForeign && now.kind == XHAL_MEMORY_UNMANAGED) {
    call.found(Kind::kForeignMemory, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is memory of another driver or instance", &about.made);
    return {};
  }
  if (seen == Seen::kFreed) {
    const std::lock_guard guard(layer_lock());
    world().forget_freed(about.base, about.end());
  }
  if (now.kind != XHAL_MEMORY_UNMANAGED) {
    check_by_attributes(call, what, pointer, size, now);
  } else if (use.wants == Wants::kDriverMemory) {
    call.found(Kind::kUnknownMemory, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is no memory that the driver knows");
  }
  return {};
}

Place check_memory_of(Call& call, const std::string& what, const void* pointer, uint64_t size,
                      uint32_t kinds) {
  const Place place = check_range(call, what, pointer, size, {});
  if (place.known && (bit_of(place.kind) & kinds) == 0) {
    call.found(Kind::kWrongMemory, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is " + plain_name(place.kind) +
                   ", which this call does not take");
  }
  return place;
}

// ---- Single entries ------------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::memory_fill> /*entry*/, xhal_stream_t stream, void* destination,
            uint64_t /*pattern*/, uint32_t pattern_size, uint64_t size) {
  const auto bad = [&](std::string text) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::move(text));
  };
  if (pattern_size != 1 && pattern_size != 2 && pattern_size != 4 && pattern_size != 8) {
    bad("a pattern of " + std::to_string(pattern_size) + " bytes is none");
  } else if (size % pattern_size != 0) {
    bad("size " + std::to_string(size) + " is no multiple of the pattern's " + std::to_string(pattern_size));
  } else if (size > 0 && reinterpret_cast<uintptr_t>(destination) % pattern_size != 0) {
    bad("the destination " + hex(destination) + " is no multiple of the pattern's " +
        std::to_string(pattern_size));
  }
  check_range(call, "the destination", destination, size,
              {Wants::kDriverMemory, device_of(stream), XHAL_ACCESS_WRITE});
}

void before(Call& call, Is<Entry::memory_prefetch> /*entry*/, xhal_stream_t /*stream*/, const void* pointer,
            uint64_t size, uint32_t to_host) {
  if (to_host > 1) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "to_host is " + std::to_string(to_host) + ", and is 0 or 1");
  }
  check_memory_of(call, "the range", pointer, size, bit_of(MemoryKind::kManaged));
}

void before(Call& call, Is<Entry::memory_advise> /*entry*/, xhal_device_t /*device*/, const void* pointer,
            uint64_t size, uint32_t advice) {
  if (advice < XHAL_ADVICE_READ_MOSTLY || advice > XHAL_ADVICE_UNSET_ACCESSED_BY)
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "advice " + std::to_string(advice) + " is not defined");
  check_memory_of(call, "the range", pointer, size, bit_of(MemoryKind::kManaged));
}

void before(Call& call, Is<Entry::stream_wait_value> /*entry*/, xhal_stream_t /*stream*/, const void* address,
            uint64_t /*value*/, uint32_t comparison, uint32_t width) {
  if (comparison > XHAL_COMPARE_NOR_NOT_ZERO) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "comparison " + std::to_string(comparison) + " is not defined");
  }
  check_word(call, address, width);
}

void before(Call& call, Is<Entry::stream_write_value> /*entry*/, xhal_stream_t /*stream*/, void* address,
            uint64_t /*value*/, uint32_t width) {
  check_word(call, address, width);
}

}  // namespace xhal::validate
