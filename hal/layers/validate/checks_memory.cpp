// SPDX-License-Identifier: Apache-2.0
// Ranges of memory that calls read and write.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
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

// What the driver knows of memory that was not made through this layer: a vendor's own, a module's globals.
Place ask_driver(Call& call, const std::string& what, const void* pointer, uint64_t size, Wants wants) {
  xhal_driver_t driver = nullptr;
  {
    const std::lock_guard guard(layer_lock());
    driver = call.attachment().driver;
  }
  xhal_pointer_attributes_t attributes = {};
  attributes.struct_size = sizeof(attributes);
  if (driver == nullptr ||
      call.next().driver_get_pointer_attributes(driver, pointer, &attributes) != XHAL_SUCCESS)
    return {};
  if (attributes.kind == XHAL_MEMORY_UNMANAGED) {
    if (wants == Wants::kDriverMemory) {
      call.found(Kind::kUnknownMemory, XHAL_ERROR_INVALID_POINTER,
                 range_text(what, pointer, size) + " is no memory that the driver knows");
    }
    return {};
  }
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  const auto base = reinterpret_cast<uintptr_t>(attributes.base);
  if (attributes.kind != XHAL_MEMORY_RESERVED && base <= begin && size > attributes.size - (begin - base))
    out_of_bounds(call, range_text(what, pointer, size), begin, size, base, attributes.size, nullptr);
  return {};
}

// Whether the process has anything at the address.
bool is_mapped(uintptr_t address) {
  const auto page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  unsigned char resident = 0;
  return ::mincore(reinterpret_cast<void*>(address - address % page), 1, &resident) == 0 || errno != ENOMEM;
}

// False where the range is no live memory that is known here.
bool check_known(Call& call, const std::string& what, const void* pointer, uint64_t size, Wants wants,
                 Place& place) {
  const Attachment& attachment = call.attachment();
  const auto begin = reinterpret_cast<uintptr_t>(pointer);
  const std::lock_guard guard(layer_lock());
  const Memory* memory = world().memory_at(begin);
  if (memory == nullptr) {
    const Memory* freed = world().freed_at(begin);
    // Freed host memory may belong to the application's own allocator now, and a copy takes that.
    if (freed != nullptr &&
        (wants == Wants::kDriverMemory || !is_host_memory(freed->kind) || !is_mapped(begin))) {
      call.found(Kind::kUseAfterFree, XHAL_ERROR_INVALID_POINTER,
                 range_text(what, pointer, size) + " lies in memory that was released", &freed->made,
                 &freed->ended);
      return true;
    }
    const Memory* behind = world().memory_from(begin);
    // Registered memory may lie in the middle of what the application copies.
    if (behind == nullptr || behind->base - begin >= size || behind->kind == MemoryKind::kRegistered)
      return false;
    out_of_bounds(call, range_text(what, pointer, size), begin, size, behind->base, behind->size,
                  &behind->made);
    return true;
  }
  place = {true, memory->kind, memory->device};
  if (memory->owner != &attachment) {
    // To a copy the host memory of another driver is pageable memory as any other.
    if (wants == Wants::kAnyMemory && is_host_memory(memory->kind)) return true;
    call.found(Kind::kForeignMemory, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is memory of another driver or instance", &memory->made);
    return true;
  }
  const auto resets = attachment.device_resets.find(memory->device);
  if (resets != attachment.device_resets.end() && resets->second != memory->resets) {
    call.found(Kind::kResetObject, XHAL_ERROR_INVALID_POINTER,
               range_text(what, pointer, size) + " is memory that was made before its device was reset",
               &memory->made);
  }
  if (size > memory->end() - begin &&
      !(wants == Wants::kAnyMemory && memory->kind == MemoryKind::kRegistered))
    out_of_bounds(call, range_text(what, pointer, size), begin, size, memory->base, memory->size,
                  &memory->made);
  return true;
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
  check_range(call, "the word", address, width, Wants::kDriverMemory);
}

// Bytes from the first to behind the last that a region touches; 0 for none. False when that is more than there are addresses.
bool region_size(const uint64_t (&extent)[3], uint64_t pitch, uint64_t slice_pitch, uint64_t& size) {
  size = 0;
  if (extent[0] == 0 || extent[1] == 0 || extent[2] == 0) return true;
  uint64_t rows = 0;
  uint64_t slices = 0;
  return !__builtin_mul_overflow(extent[1] - 1, pitch, &rows) &&
         !__builtin_mul_overflow(extent[2] - 1, slice_pitch, &slices) &&
         !__builtin_add_overflow(rows, slices, &size) && !__builtin_add_overflow(size, extent[0], &size);
}

void check_region_side(Call& call, const char* what, const void* pointer, const uint64_t (&extent)[3],
                       uint64_t pitch, uint64_t slice_pitch) {
  const auto bad = [&](const char* text) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::string(what) + text);
  };
  uint64_t slice_rows = 0;
  if (extent[1] > 1 && pitch < extent[0]) return bad(": its pitch is below a row's bytes");
  if (extent[2] > 1 && (__builtin_mul_overflow(pitch, extent[1], &slice_rows) || slice_pitch < slice_rows))
    return bad(": its slice pitch is below a slice's rows");
  uint64_t size = 0;
  if (!region_size(extent, pitch, extent[2] > 1 ? slice_pitch : 0, size))
    return bad(": its region is larger than memory can be");
  check_range(call, what, pointer, size, Wants::kAnyMemory);
}

}  // namespace

Place check_range(Call& call, const std::string& what, const void* pointer, uint64_t size, Wants wants) {
  if (size == 0) return {};
  if (pointer == nullptr) {
    call.found(Kind::kNullAddress, XHAL_ERROR_INVALID_POINTER,
               what + " is null, and its size is " + std::to_string(size));
    return {};
  }
  Place place;
  return check_known(call, what, pointer, size, wants, place) ? place
                                                              : ask_driver(call, what, pointer, size, wants);
}

// ---- Single entries ------------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::memory_copy> /*entry*/, xhal_stream_t /*stream*/, void* destination,
            const void* source, uint64_t size) {
  check_range(call, "the destination", destination, size, Wants::kAnyMemory);
  check_range(call, "the source", source, size, Wants::kAnyMemory);
  if (size == 0 || destination == nullptr || source == nullptr) return;
  const auto to = reinterpret_cast<uintptr_t>(destination);
  const auto from = reinterpret_cast<uintptr_t>(source);
  if ((to > from ? to - from : from - to) < size) {
    call.found(Kind::kOverlappingCopy, XHAL_ERROR_INVALID_ARGUMENT,
               std::to_string(size) + " bytes from " + hex(source) + " to " + hex(destination) + " overlap");
  }
}

void before(Call& call, Is<Entry::memory_copy_region> /*entry*/, xhal_stream_t /*stream*/,
            const xhal_copy_region_t* region) {
  xhal_copy_region_t read = {};
  if (region == nullptr || kit::read_struct(region, read) != XHAL_SUCCESS) return;
  if (read.extent[0] == 0 || read.extent[1] == 0 || read.extent[2] == 0) return;
  check_region_side(call, "the destination", read.destination, read.extent, read.destination_pitch,
                    read.destination_slice_pitch);
  check_region_side(call, "the source", read.source, read.extent, read.source_pitch, read.source_slice_pitch);
}

void before(Call& call, Is<Entry::memory_fill> /*entry*/, xhal_stream_t /*stream*/, void* destination,
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
  check_range(call, "the destination", destination, size, Wants::kDriverMemory);
}

void before(Call& call, Is<Entry::memory_prefetch> /*entry*/, xhal_stream_t /*stream*/, const void* pointer,
            uint64_t size, uint32_t /*to_host*/) {
  check_range(call, "the range", pointer, size, Wants::kDriverMemory);
}

void before(Call& call, Is<Entry::memory_advise> /*entry*/, xhal_device_t /*device*/, const void* pointer,
            uint64_t size, uint32_t advice) {
  if (advice < XHAL_ADVICE_READ_MOSTLY || advice > XHAL_ADVICE_UNSET_ACCESSED_BY)
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               "advice " + std::to_string(advice) + " is not defined");
  check_range(call, "the range", pointer, size, Wants::kDriverMemory);
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

void before(Call& call, Is<Entry::ipc_export_memory> /*entry*/, xhal_device_t /*device*/, const void* pointer,
            uint64_t /*capacity*/, void* /*out_bytes*/) {
  check_range(call, "the memory", pointer, 1, Wants::kDriverMemory);
}

}  // namespace xhal::validate
