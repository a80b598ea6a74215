// SPDX-License-Identifier: Apache-2.0
#include "ipc/shared_memory.hpp"

#include <cinttypes>

#include "memory/text.hpp"

namespace xhal::sim {

SharedMemory::SharedMemory(Memory& memory, uint32_t answer_ms)
    : memory_(memory), answer_ms_(answer_ms), exporter_(answer_ms, [this](uint64_t id) { released(id); }) {}

xhal_result_t SharedMemory::export_memory(uint32_t device, const void* pointer, ShareHandle& out,
                                          std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  const std::lock_guard lock(exports_mutex_);
  const auto known = exported_.find(base);
  if (known != exported_.end() && known->second.was_freed) {
    why = text("%p was freed", pointer);
    return XHAL_ERROR_INVALID_POINTER;
  }
  Memory::Share share;
  if (const xhal_result_t result = memory_.share(device, pointer, share, why); result < 0) return result;
  if (known != exported_.end()) {
    out = known->second.handle;
    return XHAL_SUCCESS;
  }
  Exported& entry = exported_[base];
  const xhal_result_t result =
      exporter_.offer(share.id, ShareKind::kMemory, device,
                      {{0, share.offset, share.bytes, share.size}, {share.file, -1}}, entry.handle, why);
  if (result < 0) {
    memory_.end_share(base, share.id);
    exported_.erase(base);
    return result;
  }
  entry.device = device;
  entry.id = share.id;
  exported_count_.store(exported_.size(), std::memory_order_release);
  out = entry.handle;
  return XHAL_SUCCESS;
}

xhal_result_t SharedMemory::import_own(uint32_t device, const ShareHandle& handle, void** out_pointer,
                                       std::string& why) {
  uint64_t id = 0;
  const std::lock_guard lock(exports_mutex_);
  if (!exporter_.find(handle, id)) {
    why = "this instance knows no such handle: altered bytes, or what it exported is gone";
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  for (auto& [base, entry] : exported_) {
    if (entry.id != id) continue;
    if (entry.device != device || memory_.find(reinterpret_cast<void*>(base)).epoch != memory_.epoch(device))
      break;
    ++entry.own_imports;
    *out_pointer = reinterpret_cast<void*>(base);
    return XHAL_SUCCESS;
  }
  why = text("the handle is not one of memory that device %u has", device);
  return XHAL_ERROR_INVALID_ARGUMENT;
}

xhal_result_t SharedMemory::import_memory(uint32_t device, const void* bytes, uint64_t size, uint64_t id,
                                          void** out_pointer, std::string& why) {
  ShareHandle handle;
  if (const xhal_result_t result = read_handle(bytes, size, ShareKind::kMemory, handle, why); result < 0)
    return result;
  if (handle.device != device) {
    why =
        text("the handle is one of device %u's memory, and is imported by device %u", handle.device, device);
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  if (exporter_.is_own(handle)) return import_own(device, handle, out_pointer, why);
  // Asked each time: what is imported here may be freed there, and its bytes outlived. No lock is held: this takes as long as
  // the other process likes. Of threads that ask for one handle at once the first maps, and the others' connections end with this call.
  Fetched fetched;
  if (const xhal_result_t result = fetch(handle, answer_ms_, fetched, why); result < 0) return result;
  const std::lock_guard lock(imports_mutex_);
  for (auto& [base, entry] : imported_) {
    if (!same_handle(entry.handle, handle)) continue;
    // What was imported before a reset can only be closed.
    if (memory_.find(reinterpret_cast<void*>(base)).epoch != memory_.epoch(device)) continue;
    ++entry.count;
    *out_pointer = reinterpret_cast<void*>(base);
    return XHAL_SUCCESS;
  }
  const ShareReply& reply = fetched.reply;
  void* pointer = nullptr;
  imported_.reserve(imported_.size() + 1);
  const xhal_result_t result =
      memory_.import_shared(device, {fetched.files[0].get(), reply.offset, reply.bytes, reply.size, 0, 0}, id,
                            std::move(fetched.connection), &pointer, why);
  if (result < 0) return result;
  try {
    imported_.emplace(reinterpret_cast<uint64_t>(pointer), Imported{handle, device, 1});
  } catch (...) {
    static_cast<void>(memory_.close_shared(device, pointer, why));
    throw;
  }
  *out_pointer = pointer;
  return XHAL_SUCCESS;
}

xhal_result_t SharedMemory::close(uint32_t device, const void* pointer, std::string& why) {
  const auto base = reinterpret_cast<uint64_t>(pointer);
  {
    const std::lock_guard lock(exports_mutex_);
    const auto it = exported_.find(base);
    if (it != exported_.end() && it->second.device == device && it->second.own_imports != 0) {
      if (--it->second.own_imports != 0 || !it->second.was_freed) return XHAL_SUCCESS;
      return end(it, why);
    }
  }
  const std::lock_guard lock(imports_mutex_);
  const auto it = imported_.find(base);
  if (it == imported_.end() || it->second.device != device) {
    why = text("%p is not the base of memory that device %u imported and has not closed", pointer, device);
    return XHAL_ERROR_INVALID_POINTER;
  }
  if (--it->second.count != 0) return XHAL_SUCCESS;
  imported_.erase(it);
  return memory_.close_shared(device, pointer, why);
}

xhal_result_t SharedMemory::free(uint32_t device, const void* pointer, std::string& why) {
  if (exported_count_.load(std::memory_order_acquire) == 0) [[likely]]
    return memory_.free(device, pointer, why);
  const std::lock_guard lock(exports_mutex_);
  const auto it = exported_.find(reinterpret_cast<uint64_t>(pointer));
  if (it == exported_.end() || it->second.device != device) return memory_.free(device, pointer, why);
  if (it->second.was_freed) {
    why = text("%p was freed; what keeps it are imports in this process, which xhal_ipc_close_memory ends",
               pointer);
    return XHAL_ERROR_INVALID_POINTER;
  }
  if (it->second.own_imports == 0) return end(it, why);
  it->second.was_freed = true;
  // Its end asks once more, for those who have it then.
  if (exporter_.withdraw(it->second.id) != 0) withheld_.emplace(it->second.id, it->first);
  return XHAL_SUCCESS;
}

// The owner's free and the last of its own imports.
xhal_result_t SharedMemory::end(ExportedByBase::iterator it, std::string& why) {
  const uint64_t base = it->first;
  const Exported entry = it->second;
  const xhal_result_t result = memory_.free(entry.device, reinterpret_cast<void*>(base), why);
  if (result < 0) return result;
  exported_.erase(it);
  exported_count_.store(exported_.size(), std::memory_order_release);
  if (!entry.was_freed && exporter_.withdraw(entry.id) != 0) {
    withheld_.emplace(entry.id, base);
  } else if (!withheld_.contains(entry.id)) {
    memory_.end_share(base, entry.id);
  }
  return result;
}

void SharedMemory::released(uint64_t id) {
  const std::lock_guard lock(exports_mutex_);
  const auto it = withheld_.find(id);
  if (it == withheld_.end()) return;
  const uint64_t base = it->second;
  withheld_.erase(it);
  memory_.end_share(base, id);
}

}  // namespace xhal::sim
