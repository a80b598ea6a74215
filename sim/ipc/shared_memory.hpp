// SPDX-License-Identifier: Apache-2.0
// What an instance exports to other processes and has from them: the rules of handles, counts and lifetimes. Memory does the mapping.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <unordered_map>

#include "ipc/exporter.hpp"
#include "memory/memory.hpp"

namespace xhal::sim {

class SharedMemory {
 public:
  // `memory` lives longer; `exporter`, whose released() calls this one's, is made by it.
  // `answer_ms`: how long another process may take.
  SharedMemory(Memory& memory, uint32_t answer_ms);
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  // ---- On an error `why` has a text.
  xhal_result_t export_memory(uint32_t device, const void* pointer, ShareHandle& out, std::string& why);
  xhal_result_t import_memory(uint32_t device, const void* bytes, uint64_t size, uint64_t id,
                              void** out_pointer, std::string& why);
  xhal_result_t close(uint32_t device, const void* pointer, std::string& why);
  // In place of Memory::free(): the handle opens nothing from here on, and who has the memory keeps it.
  xhal_result_t free(uint32_t device, const void* pointer, std::string& why);

  // Events are handed out by the same thread.
  [[nodiscard]] Exporter& exporter() { return exporter_; }
  [[nodiscard]] uint32_t answer_ms() const { return answer_ms_; }

 private:
  struct Exported {
    ShareHandle handle;
    uint32_t device = 0;
    uint64_t id = 0;
    uint64_t own_imports = 0;
    bool was_freed = false;  // and own imports are left
  };
  struct Imported {
    ShareHandle handle;
    uint32_t device = 0;
    uint64_t count = 0;
  };
  using ExportedByBase = std::unordered_map<uint64_t, Exported>;

  // Under exports_mutex_.
  xhal_result_t import_own(uint32_t device, const ShareHandle& handle, void** out_pointer, std::string& why);
  xhal_result_t end(ExportedByBase::iterator it, std::string& why);
  void released(uint64_t id);

  Memory& memory_;
  const uint32_t answer_ms_;
  // Another process is asked under neither of the two: it may be asking this one, or never answer.
  std::mutex exports_mutex_;
  ExportedByBase exported_;
  std::atomic<size_t> exported_count_{0};
  std::unordered_map<uint64_t, uint64_t> withheld_;  // by id: bases of what was freed here and others have
  std::mutex imports_mutex_;
  std::unordered_map<uint64_t, Imported> imported_;  // by base
  // Its thread ends first.
  Exporter exporter_;
};

}  // namespace xhal::sim
