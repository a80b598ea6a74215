// SPDX-License-Identifier: Apache-2.0
#include "kernels/elf_check.hpp"

#include <elf.h>

#include <cstdint>
#include <cstring>
#include <optional>
#include <vector>

namespace xhal::sim {
namespace {

class ElfFile {
 public:
  explicit ElfFile(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool check(std::string_view symbol) {
    return check_header() && check_segments() && check_sections() && check_dynamic() && check_symbols(symbol);
  }
  [[nodiscard]] const std::string& why() const { return why_; }

 private:
  bool refuse(std::string why) {
    why_ = std::move(why);
    return false;
  }
  [[nodiscard]] bool in_file(uint64_t offset, uint64_t size) const {
    return offset <= bytes_.size() && size <= bytes_.size() - offset;
  }
  // No struct is read in place: nothing says that the caller's bytes are aligned.
  template <class T>
  [[nodiscard]] T read(uint64_t offset) const {
    T value;
    std::memcpy(&value, bytes_.data() + offset, sizeof(value));
    return value;
  }

  bool check_header();
  bool check_segments();
  bool check_segment(const Elf64_Phdr& segment);
  bool check_sections();
  bool check_dynamic();
  bool check_symbols(std::string_view symbol);
  // File offset of `size` bytes that are loaded from the file at `address`.
  [[nodiscard]] std::optional<uint64_t> loaded(uint64_t address, uint64_t size) const;
  // Whether `size` bytes at `address` are part of the memory image, from the file or zeroed.
  [[nodiscard]] bool in_memory(uint64_t address, uint64_t size) const;

  std::span<const std::byte> bytes_;
  std::string why_;
  Elf64_Ehdr header_ = {};
  std::vector<Elf64_Phdr> loads_;
  Elf64_Phdr dynamic_ = {};
  std::vector<Elf64_Dyn> entries_;

  [[nodiscard]] std::optional<uint64_t> entry(int64_t tag) const {
    for (const Elf64_Dyn& entry : entries_) {
      if (entry.d_tag == tag) return entry.d_un.d_val;
    }
    return std::nullopt;
  }
};

bool ElfFile::check_header() {
  if (bytes_.size() < SELFMAG || std::memcmp(bytes_.data(), ELFMAG, SELFMAG) != 0)
    return refuse("it does not start as an ELF file");
  if (bytes_.size() < sizeof(header_)) return refuse("it ends within the ELF header");
  header_ = read<Elf64_Ehdr>(0);
  if (header_.e_ident[EI_CLASS] != ELFCLASS64) return refuse("it is no 64-bit ELF file");
  if (header_.e_ident[EI_DATA] != ELFDATA2LSB) return refuse("it is no little-endian ELF file");
  if (header_.e_ident[EI_VERSION] != EV_CURRENT || header_.e_version != EV_CURRENT)
    return refuse("its ELF version is unknown");
  if (header_.e_ident[EI_OSABI] != ELFOSABI_SYSV && header_.e_ident[EI_OSABI] != ELFOSABI_GNU) {
    return refuse("it is for another operating system");
  }
  if (header_.e_machine != EM_X86_64)
    return refuse("it is for machine " + std::to_string(header_.e_machine) + ", not x86-64");
  if (header_.e_type != ET_DYN) return refuse("it is no shared object");
  if (header_.e_ehsize < sizeof(Elf64_Ehdr)) return refuse("its ELF header is damaged");
  return true;
}

bool ElfFile::check_segments() {
  if (header_.e_phentsize != sizeof(Elf64_Phdr) || header_.e_phnum == 0 || header_.e_phnum == PN_XNUM) {
    return refuse("its table of segments is damaged");
  }
  if (!in_file(header_.e_phoff, uint64_t{header_.e_phnum} * sizeof(Elf64_Phdr)))
    return refuse("it ends before its table of segments");
  for (uint32_t i = 0; i < header_.e_phnum; ++i) {
    if (!check_segment(read<Elf64_Phdr>(header_.e_phoff + i * sizeof(Elf64_Phdr)))) return false;
  }
  if (loads_.empty() || dynamic_.p_type != PT_DYNAMIC)
    return refuse("it has nothing to load or no dynamic section");
  return true;
}

bool ElfFile::check_segment(const Elf64_Phdr& segment) {
  constexpr uint64_t kPage = 4096;
  constexpr uint64_t kLargest = uint64_t{1} << 40;
  if (segment.p_type == PT_INTERP) return refuse("it is a program, not a shared object");
  if (segment.p_type == PT_DYNAMIC) dynamic_ = segment;
  if (segment.p_type != PT_LOAD && segment.p_type != PT_DYNAMIC && segment.p_type != PT_TLS) return true;
  if (!in_file(segment.p_offset, segment.p_filesz)) return refuse("it ends within a segment");
  if (segment.p_filesz > segment.p_memsz || segment.p_memsz > kLargest || segment.p_vaddr > kLargest) {
    return refuse("a segment's sizes are damaged");
  }
  if (segment.p_type != PT_LOAD) return true;
  const uint64_t alignment = segment.p_align == 0 ? 1 : segment.p_align;
  if ((alignment & (alignment - 1)) != 0 || alignment < kPage ||
      (segment.p_vaddr - segment.p_offset) % alignment != 0) {
    return refuse("a segment's alignment is damaged");
  }
  if (!loads_.empty() && segment.p_vaddr < loads_.back().p_vaddr + loads_.back().p_memsz)
    return refuse("its segments overlap");
  loads_.push_back(segment);
  return true;
}

// The loader does not read sections, but they stand last in the file: a file cut short anywhere misses some.
bool ElfFile::check_sections() {
  if (header_.e_shoff == 0) return true;
  if (header_.e_shentsize != sizeof(Elf64_Shdr)) return refuse("its table of sections is damaged");
  if (!in_file(header_.e_shoff, uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr)))
    return refuse("it ends before its table of sections");
  return true;
}

std::optional<uint64_t> ElfFile::loaded(uint64_t address, uint64_t size) const {
  for (const Elf64_Phdr& load : loads_) {
    if (address < load.p_vaddr || address - load.p_vaddr > load.p_filesz) continue;
    const uint64_t offset = address - load.p_vaddr;
    if (size <= load.p_filesz - offset) return load.p_offset + offset;
  }
  return std::nullopt;
}

bool ElfFile::in_memory(uint64_t address, uint64_t size) const {
  for (const Elf64_Phdr& load : loads_) {
    if (address < load.p_vaddr || address - load.p_vaddr > load.p_memsz) continue;
    if (size <= load.p_memsz - (address - load.p_vaddr)) return true;
  }
  return false;
}

bool ElfFile::check_dynamic() {
  const std::optional<uint64_t> table = loaded(dynamic_.p_vaddr, dynamic_.p_filesz);
  if (!table.has_value() || *table != dynamic_.p_offset) return refuse("its dynamic section is not loaded");
  bool ended = false;
  for (uint64_t i = 0; !ended && (i + 1) * sizeof(Elf64_Dyn) <= dynamic_.p_filesz; ++i) {
    entries_.push_back(read<Elf64_Dyn>(*table + i * sizeof(Elf64_Dyn)));
    ended = entries_.back().d_tag == DT_NULL;
  }
  if (!ended) return refuse("its dynamic section has no end");
  if (entry(DT_TEXTREL).has_value())
    return refuse("its code must be changed to be loaded; build it position-independent");

  struct Table {
    int64_t address, size;
    const char* name;
  };
  constexpr Table kTables[] = {{DT_STRTAB, DT_STRSZ, "strings"},
                               {DT_RELA, DT_RELASZ, "relocations"},
                               {DT_JMPREL, DT_PLTRELSZ, "jump relocations"},
                               {DT_INIT_ARRAY, DT_INIT_ARRAYSZ, "constructors"},
                               {DT_FINI_ARRAY, DT_FINI_ARRAYSZ, "destructors"}};
  for (const Table& t : kTables) {
    const auto address = entry(t.address);
    const auto size = entry(t.size);
    if (!address.has_value() && size.value_or(0) == 0) continue;
    if (!address.has_value() || !size.has_value() || !loaded(*address, *size).has_value()) {
      return refuse(std::string("its table of ") + t.name + " is damaged");
    }
  }
  for (const int64_t tag :
       {DT_SYMTAB, DT_HASH, DT_GNU_HASH, DT_VERSYM, DT_VERNEED, DT_VERDEF, DT_INIT, DT_FINI}) {
    const auto address = entry(tag);
    if (address.has_value() && !in_memory(*address, 1)) return refuse("its dynamic section points out of it");
  }
  if (!entry(DT_STRTAB).has_value() || !entry(DT_SYMTAB).has_value() ||
      (!entry(DT_HASH).has_value() && !entry(DT_GNU_HASH).has_value())) {
    return refuse("it has no dynamic symbols");
  }
  return true;
}

// The loader runs constructors before anyone can ask what was loaded: a library that is no image must not come so far.
bool ElfFile::check_symbols(std::string_view symbol) {
  const std::optional<uint64_t> offset = loaded(*entry(DT_STRTAB), *entry(DT_STRSZ));
  const std::string_view strings(reinterpret_cast<const char*>(bytes_.data() + *offset), *entry(DT_STRSZ));
  if (strings.empty() || strings.back() != '\0') return refuse("its table of strings is damaged");
  // Only the end is looked for: a linker lets a name share the tail of a longer one.
  const std::string wanted = std::string(symbol) + std::string(1, '\0');
  if (strings.find(wanted) == std::string_view::npos) {
    return refuse("it is a shared object but no kernel image: it has no symbol " + std::string(symbol));
  }
  return true;
}

}  // namespace

bool check_elf(std::span<const std::byte> bytes, std::string_view symbol, std::string& why) {
  ElfFile file(bytes);
  if (file.check(symbol)) return true;
  why = file.why();
  return false;
}

}  // namespace xhal::sim
