// SPDX-License-Identifier: Apache-2.0
#include "common/elf_export.hpp"

#include <elf.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>

namespace xhal::tools {
namespace {

// The object of type T at `offset`, if the file holds it whole.
template <class T>
std::optional<T> read_at(std::string_view bytes, uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

std::string_view string_at(std::string_view bytes, const Elf64_Shdr& table, uint64_t index) {
  if (index >= table.sh_size || table.sh_offset > bytes.size() ||
      table.sh_size > bytes.size() - table.sh_offset)
    return {};
  const std::string_view text = bytes.substr(table.sh_offset + index, table.sh_size - index);
  return text.substr(0, text.find('\0'));
}

std::optional<Elf64_Shdr> section(std::string_view bytes, const Elf64_Ehdr& header, uint64_t index) {
  if (header.e_shentsize != sizeof(Elf64_Shdr) || index >= header.e_shnum) return std::nullopt;
  return read_at<Elf64_Shdr>(bytes, header.e_shoff + index * sizeof(Elf64_Shdr));
}

}  // namespace

Export exports_symbol(const std::string& library_path, std::string_view symbol) {
  std::ifstream file(library_path, std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const auto header = read_at<Elf64_Ehdr>(bytes, 0);
  if (!header || std::memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 ||
      header->e_ident[EI_CLASS] != ELFCLASS64) {
    return Export::kNotReadable;
  }
  for (uint64_t i = 0; i < header->e_shnum; ++i) {
    const auto symbols = section(bytes, *header, i);
    if (!symbols) return Export::kNotReadable;
    if (symbols->sh_type != SHT_DYNSYM) continue;
    const auto names = section(bytes, *header, symbols->sh_link);
    if (!names) return Export::kNotReadable;
    for (uint64_t offset = 0; offset + sizeof(Elf64_Sym) <= symbols->sh_size; offset += sizeof(Elf64_Sym)) {
      const auto entry = read_at<Elf64_Sym>(bytes, symbols->sh_offset + offset);
      if (!entry) return Export::kNotReadable;
      const bool exported = entry->st_shndx != SHN_UNDEF && ELF64_ST_BIND(entry->st_info) != STB_LOCAL;
      if (exported && string_at(bytes, *names, entry->st_name) == symbol) return Export::kYes;
    }
    return Export::kNo;
  }
  return Export::kNotReadable;  // stripped of its sections: let the dynamic linker judge
}

}  // namespace xhal::tools
