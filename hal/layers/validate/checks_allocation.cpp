// SPDX-License-Identifier: Apache-2.0
// Memory that begins and ends.
#include <algorithm>
#include <bit>
#include <mutex>

#include "checks.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {
namespace {

uintptr_t address_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

const char* name_of(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kDevice:
    case MemoryKind::kPinned:
    case MemoryKind::kManaged:
      return "an allocation, for xhal_memory_free";
    case MemoryKind::kRegistered:
      return "registered memory, for xhal_memory_unregister";
    case MemoryKind::kReserved:
      return "a reserved range, for xhal_vmm_release";
    case MemoryKind::kPool:
      return "memory of a pool, for xhal_pool_free";
    case MemoryKind::kImported:
      return "memory of another process, for xhal_ipc_close_memory";
    case MemoryKind::kExternal:
      return "external memory, for xhal_memory_release_external";
  }
  return "memory";
}

}  // namespace

void note_memory(Call& call, const void* device, const void* pointer, uint64_t size, MemoryKind kind,
                 const void* pool) {
  Attachment& attachment = call.attachment();
  if (pointer == nullptr) {
    call.found(Kind::kDriverDefect, XHAL_ERROR_INTERNAL, "the driver reports success and gives no address");
    return;
  }
  Memory memory;
  memory.base = address_of(pointer);
  memory.size = std::max<uint64_t>(size, 1);  // a driver that grants 0 bytes gives an address all the same
  memory.kind = kind;
  memory.owner = &attachment;
  memory.device = device;
  memory.pool = pool;
  memory.made = call.site();
  memory.owned = kind != MemoryKind::kImported;
  memory.imports = memory.owned ? 0 : 1;
  const std::lock_guard guard(layer_lock());
  const auto resets = attachment.device_resets.find(device);
  if (resets != attachment.device_resets.end()) memory.resets = resets->second;
  Memory* const known = world().memory_at(memory.base);
  if (kind == MemoryKind::kImported && known != nullptr && known->kind == kind &&
      known->base == memory.base) {
    ++known->imports;  // by another thread, since it was looked for
    return;
  }
  const Memory* other = known;
  if (other == nullptr) other = world().memory_from(memory.base);
  if (other != nullptr && other->base >= memory.end()) other = nullptr;
  if (other != nullptr && other->kind != MemoryKind::kRegistered && kind != MemoryKind::kRegistered) {
    call.found(Kind::kDriverDefect, XHAL_ERROR_INTERNAL,
               "the driver gives " + std::to_string(size) + " bytes at " + hex(pointer) +
                   ", which overlap memory that is alive",
               &other->made);
  }
  world().add_memory(memory);
  if (kind == MemoryKind::kReserved) world().forget_mappings(memory.base, memory.size);
}

uint32_t released_kinds(Entry entry) {
  switch (entry) {
    case Entry::memory_free:
      return bit_of(MemoryKind::kDevice) | bit_of(MemoryKind::kPinned) | bit_of(MemoryKind::kManaged);
    case Entry::memory_unregister:
      return bit_of(MemoryKind::kRegistered);
    case Entry::pool_free:
      return bit_of(MemoryKind::kPool);
    case Entry::vmm_release:
      return bit_of(MemoryKind::kReserved);
    case Entry::ipc_close_memory:
      return bit_of(MemoryKind::kImported);
    case Entry::memory_release_external:
      return bit_of(MemoryKind::kExternal);
    default:
      return 0;
  }
}

namespace {

// An address in no memory that is alive.
void check_release_of_nothing(Call& call, const void* pool, const void* pointer) {
  const uintptr_t address = address_of(pointer);
  if (const auto found = call.attachment().graph_memory.find(address);
      found != call.attachment().graph_memory.end() && call.entry() == Entry::pool_free) {
    if (found->second.pool != pool)
      call.found(Kind::kWrongRelease, XHAL_ERROR_INVALID_POINTER,
                 hex(pointer) + " is memory of another pool");
    return;
  }
  if (const Memory* freed = world().freed_at(address); freed != nullptr) {
    call.found(Kind::kDoubleFree, XHAL_ERROR_INVALID_POINTER,
               hex(pointer) + (address == freed->base ? " was released already"
                                                      : " lies in memory that was released already"),
               &freed->made, &freed->ended);
    return;
  }
  call.found(Kind::kUnknownFree, XHAL_ERROR_INVALID_POINTER,
             pointer != nullptr ? hex(pointer) + " is no memory that is known here"
                                : "null is no memory, and this call takes it for an address");
}

// Whether the memory is what this call releases.
bool is_released_by(const Memory& memory, Entry entry, const void* pool) {
  if (entry == Entry::ipc_close_memory) return memory.imports > 0;
  if (!memory.owned) return false;
  if (pool != nullptr && memory.pool != pool) return false;
  if ((bit_of(memory.kind) & released_kinds(entry)) != 0) return true;
  // A pool's memory outlives it, and is freed as any other then. [XHAL-POOL-7]
  const Object* its_pool = memory.pool != nullptr ? world().find(memory.pool) : nullptr;
  return memory.kind == MemoryKind::kPool && entry == Entry::memory_free &&
         (its_pool == nullptr || its_pool->state == State::kEnded);
}

std::string what_it_is(const Memory& memory, const void* pool) {
  if (!memory.owned) return "memory that imports alone keep, for xhal_ipc_close_memory";
  if (pool != nullptr && memory.kind == MemoryKind::kPool) return "memory of another pool";
  return name_of(memory.kind);
}

}  // namespace

Release begin_release(Call& call, const Releasing& what) {
  const Entry entry = call.entry();
  // Freeing null does nothing; the counterparts of other calls want what those gave. [XHAL-MEMORY-5]
  if (what.pointer == nullptr && entry == Entry::memory_free) return {};
  const Attachment& attachment = call.attachment();
  const uintptr_t address = address_of(what.pointer);
  const Site here = call.site();
  const std::lock_guard guard(layer_lock());
  Memory* memory = world().memory_at(address);
  if (memory == nullptr) {
    check_release_of_nothing(call, what.pool, what.pointer);
    return {};
  }
  // An import in the exporting process has the exporter's address, whichever instance imports. [XHAL-IPC-5]
  const bool is_ours = memory->owner == &attachment;
  if (!is_ours && entry != Entry::ipc_close_memory) {
    call.found(Kind::kForeignMemory, XHAL_ERROR_INVALID_POINTER,
               hex(what.pointer) + " belongs to another driver or instance", &memory->made);
    return {};
  }
  if (address != memory->base) {
    call.found(Kind::kInteriorFree, XHAL_ERROR_INVALID_POINTER,
               hex(what.pointer) + " lies " + std::to_string(address - memory->base) +
                   " bytes inside memory of " + std::to_string(memory->size) + " bytes that begins at " +
                   hex(memory->base),
               &memory->made);
    return {};
  }
  if (!is_released_by(*memory, entry, what.pool)) {
    call.found(Kind::kWrongRelease, XHAL_ERROR_INVALID_POINTER,
               hex(what.pointer) + " is " + what_it_is(*memory, what.pool), &memory->made);
    return {};
  }
  if (is_ours && what.device != memory->device && memory->device != nullptr && what.device != nullptr) {
    call.found(Kind::kWrongDevice, XHAL_ERROR_INVALID_POINTER,
               hex(what.pointer) + " is memory of " + device_name(attachment, memory->device) + ", not of " +
                   device_name(attachment, what.device),
               &memory->made);
    return {};
  }
  if (entry == Entry::vmm_release && !may_be_released(call, *memory, what.size)) return {};
  Release release{true, *memory};
  if (entry == Entry::ipc_close_memory) {
    --memory->imports;
  } else {
    memory->owned = false;
  }
  // Imports of a process's own memory keep it beyond its free. [XHAL-IPC-6]
  if (memory->owned || memory->imports > 0) return release;
  if (is_captured(attachment, what.stream)) {
    // It goes with the launches of a graph, if it goes.
    world().drop_memory(memory->base);
  } else {
    // Before the call: its driver may give the addresses out again before this thread comes back.
    world().end_memory(memory->base, here);
  }
  return release;
}

void end_release(const Release& release, bool succeeded) {
  if (!release.taken) return;
  const std::lock_guard guard(layer_lock());
  if (succeeded) {
    if (release.memory.kind == MemoryKind::kReserved)
      world().forget_mappings(release.memory.base, release.memory.size);
    return;
  }
  if (Memory* memory = world().memory_at(release.memory.base); memory != nullptr) {
    memory->owned = release.memory.owned;
    memory->imports = release.memory.imports;
  } else {
    world().restore_memory(release.memory);
  }
}

// ---- Single entries ------------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::memory_allocate> /*entry*/, xhal_device_t /*device*/,
            const xhal_memory_desc_t* desc, void** /*out_pointer*/) {
  xhal_memory_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS) return;
  const auto bad = [&](std::string text) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::move(text));
  };
  if (read.size == 0) bad("size is 0");
  if (read.alignment != 0 && !std::has_single_bit(read.alignment))
    bad("alignment " + std::to_string(read.alignment) + " is no power of two");
  if (read.kind != XHAL_MEMORY_DEVICE && read.kind != XHAL_MEMORY_PINNED && read.kind != XHAL_MEMORY_MANAGED)
    bad("memory of kind " + std::to_string(read.kind) + " cannot be allocated");
}

void after(Call& call, Is<Entry::memory_allocate> /*entry*/, xhal_result_t result, xhal_device_t device,
           const xhal_memory_desc_t* desc, void** out_pointer) {
  xhal_memory_desc_t read = {};
  if (result < 0 || out_pointer == nullptr || desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS)
    return;
  note_memory(call, device, *out_pointer, read.size,
              read.kind == XHAL_MEMORY_PINNED    ? MemoryKind::kPinned
              : read.kind == XHAL_MEMORY_MANAGED ? MemoryKind::kManaged
                                                 : MemoryKind::kDevice);
}

void before(Call& call, Is<Entry::memory_register> /*entry*/, xhal_device_t /*device*/, void* pointer,
            uint64_t size, uint32_t /*flags*/) {
  if (pointer == nullptr || size == 0) {
    call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
               std::to_string(size) + " bytes at " + hex(pointer) + " cannot be registered");
    return;
  }
  const std::lock_guard guard(layer_lock());
  const Memory* other = world().memory_at(address_of(pointer));
  if (other == nullptr) other = world().memory_from(address_of(pointer));
  if (other == nullptr || other->base >= address_of(pointer) + size || other->owner != &call.attachment())
    return;
  call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_POINTER,
             std::to_string(size) + " bytes at " + hex(pointer) + " overlap memory that is known already",
             &other->made);
}

void after(Call& call, Is<Entry::memory_register> /*entry*/, xhal_result_t result, xhal_device_t device,
           void* pointer, uint64_t size, uint32_t /*flags*/) {
  if (result >= 0) note_memory(call, device, pointer, size, MemoryKind::kRegistered);
}

void before(Call& call, Is<Entry::pool_allocate> /*entry*/, xhal_pool_t pool, xhal_stream_t stream,
            uint64_t size, void** /*out_pointer*/) {
  check_same_device(call, pool, "pool", stream, "stream");
  if (size == 0) call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, "size is 0");
}

void after(Call& call, Is<Entry::pool_allocate> /*entry*/, xhal_result_t result, xhal_pool_t pool,
           xhal_stream_t stream, uint64_t size, void** out_pointer) {
  if (result < 0 || out_pointer == nullptr) return;
  {
    Attachment& attachment = call.attachment();
    const std::lock_guard guard(layer_lock());
    if (is_captured(attachment, stream)) {
      const uintptr_t base = address_of(*out_pointer);
      attachment.graph_memory[base] = {size, pool};
      world().forget_freed(base, base + size);
      return;
    }
    attachment.graph_memory.erase(address_of(*out_pointer));
  }
  note_memory(call, device_of(pool), *out_pointer, size, MemoryKind::kPool, pool);
}

void before(Call& call, Is<Entry::pool_free> /*entry*/, xhal_pool_t pool, xhal_stream_t stream,
            void* /*pointer*/) {
  check_same_device(call, pool, "pool", stream, "stream");
}

void after(Call& call, Is<Entry::ipc_import_memory> /*entry*/, xhal_result_t result, xhal_device_t device,
           const void* /*bytes*/, uint64_t /*size*/, void** out_pointer) {
  if (result < 0 || out_pointer == nullptr || *out_pointer == nullptr) return;
  {
    // A second import gives the same address and counts; the exporter's own gives its allocation. [XHAL-IPC-5]
    const std::lock_guard guard(layer_lock());
    if (Memory* known = world().memory_at(address_of(*out_pointer)); known != nullptr) {
      ++known->imports;
      return;
    }
  }
  // Its size is the exporter's; the driver knows it.
  xhal_pointer_attributes_t attributes = {};
  attributes.struct_size = sizeof(attributes);
  xhal_driver_t driver = nullptr;
  {
    const std::lock_guard guard(layer_lock());
    driver = call.attachment().driver;
  }
  if (driver == nullptr ||
      call.next().driver_get_pointer_attributes(driver, *out_pointer, &attributes) != XHAL_SUCCESS ||
      attributes.size == 0)
    return;
  note_memory(call, device, *out_pointer, attributes.size, MemoryKind::kImported);
}

void after(Call& call, Is<Entry::memory_import_external> /*entry*/, xhal_result_t result,
           xhal_device_t device, const xhal_external_memory_desc_t* desc, void** out_pointer) {
  xhal_external_memory_desc_t read = {};
  if (result < 0 || out_pointer == nullptr || desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS)
    return;
  note_memory(call, device, *out_pointer, read.size, MemoryKind::kExternal);
}

}  // namespace xhal::validate
