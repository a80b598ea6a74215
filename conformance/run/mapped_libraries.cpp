// SPDX-License-Identifier: Apache-2.0
#include "run/mapped_libraries.h"

#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <cstring>
#include <filesystem>
#include <map>
#include <string>

namespace xhal::conformance {

namespace {

constexpr size_t padded(size_t size) { return (size + 3) & ~size_t{3}; }

// The description of the note NT_GNU_BUILD_ID among these.
std::string build_id_in(const unsigned char* notes, size_t size) {
  for (size_t at = 0; size - at >= sizeof(ElfW(Nhdr));) {
    ElfW(Nhdr) note{};
    std::memcpy(&note, notes + at, sizeof(note));
    const size_t name = at + sizeof(note);
    const size_t description = name + padded(note.n_namesz);
    const size_t end = description + padded(note.n_descsz);
    if (end > size) break;
    if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
        std::memcmp(notes + name, ELF_NOTE_GNU, 4) == 0) {
      std::string out;
      for (size_t i = 0; i < note.n_descsz; ++i) out += fmt::format("{:02x}", notes[description + i]);
      return out;
    }
    at = end;
  }
  return {};
}

int add(dl_phdr_info* info, size_t /*size*/, void* out) {
  std::string path = info->dlpi_name;
  if (path.empty()) {
    std::error_code error;
    path = std::filesystem::read_symlink("/proc/self/exe", error).string();
  }
  // The kernel's own page has no file.
  if (path.find('/') == std::string::npos) return 0;
  std::string build_id;
  for (ElfW(Half) i = 0; i < info->dlpi_phnum && build_id.empty(); ++i) {
    const auto& header = info->dlpi_phdr[i];
    if (header.p_type != PT_NOTE) continue;
    build_id =
        build_id_in(reinterpret_cast<const unsigned char*>(info->dlpi_addr + header.p_vaddr), header.p_memsz);
  }
  static_cast<std::map<std::string, std::string>*>(out)->emplace(path, build_id);
  return 0;
}

}  // namespace

nlohmann::json mapped_libraries() {
  std::map<std::string, std::string> found;
  dl_iterate_phdr(add, &found);
  nlohmann::json out = nlohmann::json::array();
  for (const auto& [path, build_id] : found) out.push_back({{"path", path}, {"build_id", build_id}});
  return out;
}

}  // namespace xhal::conformance
