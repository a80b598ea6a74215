// SPDX-License-Identifier: Apache-2.0
#include "elf_check.hpp"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "text.hpp"

namespace xhal::discovery {

namespace {

using FileHeader = ElfW(Ehdr);
using ProgramHeader = ElfW(Phdr);

// Programs of 64 Ki headers do not exist; ELF marks larger counts by this value.
constexpr std::size_t kMostProgramHeaders = 0xffff;

bool read_at(const OpenedFile& file, uint64_t offset, void* out, std::size_t size) {
  auto* bytes = static_cast<char*>(out);
  while (size > 0) {
    const ssize_t count = ::pread(file.descriptor.get(), bytes, size, static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    bytes += count;
    offset += static_cast<uint64_t>(count);
    size -= static_cast<std::size_t>(count);
  }
  return true;
}

const char* machine_name(unsigned machine) {
  switch (machine) {
    case EM_386:
      return "x86 (32 bit)";
    case EM_X86_64:
      return "x86-64";
    case EM_ARM:
      return "ARM (32 bit)";
    case EM_AARCH64:
      return "aarch64";
    case EM_RISCV:
      return "RISC-V";
    case EM_PPC64:
      return "POWER (64 bit)";
    case EM_S390:
      return "s390";
    case EM_MIPS:
      return "MIPS";
    case EM_LOONGARCH:
      return "LoongArch";
    default:
      return nullptr;
  }
}

std::string describe(const FileHeader& header) {
  const char* name = machine_name(header.e_machine);
  std::string text = name != nullptr ? name : "ELF machine " + std::to_string(header.e_machine);
  if (header.e_ident[EI_CLASS] == ELFCLASS32) text += ", 32-bit ELF";
  if (header.e_ident[EI_DATA] == ELFDATA2MSB) text += ", big-endian";
  return text;
}

// The header of the object that holds this code, as it lies in memory: what is right for it is right for its drivers.
const FileHeader* own_header() {
  static const char here = 0;
  Dl_info info = {};
  if (::dladdr(&here, &info) == 0 || info.dli_fbase == nullptr) return nullptr;
  const auto* header = static_cast<const FileHeader*>(info.dli_fbase);
  return std::memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 ? header : nullptr;
}

std::string cut_off(uint64_t needed, uint64_t there) {
  return "is cut off: its headers speak of " + std::to_string(needed) + " bytes, it has " +
         std::to_string(there) + "; build or install it again";
}

std::string not_elf(const char* start, std::size_t length) {
  const std::string_view text(start, length);
  const bool is_text = std::all_of(text.begin(), text.end(), [](char c) {
    return c == '\n' || c == '\t' || c == '\r' || (c >= ' ' && c <= '~');
  });
  return std::string("is no shared library") +
         (is_text ? ", but a text file that starts with " + quoted(text.substr(0, 24)) : "") +
         "; name the ELF shared library of the driver";
}

bool ends_behind(uint64_t offset, uint64_t size, uint64_t end) { return offset > end || size > end - offset; }

uint64_t end_of(uint64_t offset, uint64_t size) {
  return size > UINT64_MAX - offset ? UINT64_MAX : offset + size;
}

std::optional<std::string> segments_problem(const OpenedFile& file, const FileHeader& header, uint64_t size) {
  if (header.e_phentsize != sizeof(ProgramHeader) || header.e_phnum == 0 ||
      header.e_phnum >= kMostProgramHeaders) {
    return "is no shared library: it has no usable program headers";
  }
  const uint64_t table_bytes = uint64_t{header.e_phnum} * sizeof(ProgramHeader);
  if (ends_behind(header.e_phoff, table_bytes, size))
    return cut_off(end_of(header.e_phoff, table_bytes), size);
  std::vector<ProgramHeader> segments(header.e_phnum);
  if (!read_at(file, header.e_phoff, segments.data(), table_bytes)) return "cannot be read to its end";
  bool has_dynamic = false;
  bool has_load = false;
  for (const ProgramHeader& segment : segments) {
    if (segment.p_type == PT_DYNAMIC) has_dynamic = true;
    if (segment.p_type == PT_LOAD) has_load = true;
    const bool counts =
        segment.p_type == PT_LOAD || segment.p_type == PT_DYNAMIC || segment.p_type == PT_NOTE;
    if (counts && ends_behind(segment.p_offset, segment.p_filesz, size)) {
      return cut_off(end_of(segment.p_offset, segment.p_filesz), size);
    }
    if (segment.p_type == PT_LOAD && segment.p_memsz < segment.p_filesz) {
      return "is damaged: a segment is larger in the file than in memory; build or install it again";
    }
  }
  if (!has_dynamic || !has_load)
    return "is no shared library: it has nothing for the dynamic linker; link it with -shared";
  return std::nullopt;
}

}  // namespace

std::optional<std::string> elf_problem(const OpenedFile& file) {
  const auto size = static_cast<uint64_t>(file.status.st_size);
  if (size == 0) return "is empty; build or install it again";
  FileHeader header = {};
  std::array<char, sizeof header> start = {};
  const auto length = static_cast<std::size_t>(std::min<uint64_t>(size, start.size()));
  if (!read_at(file, 0, start.data(), length)) return "cannot be read: " + error_text(errno);
  if (length < SELFMAG || std::memcmp(start.data(), ELFMAG, SELFMAG) != 0)
    return not_elf(start.data(), length);
  if (length < sizeof header) return cut_off(sizeof header, size);
  std::memcpy(&header, start.data(), sizeof header);

  const FileHeader* own = own_header();
  if (own != nullptr) {
    const bool fits = header.e_ident[EI_CLASS] == own->e_ident[EI_CLASS] &&
                      header.e_ident[EI_DATA] == own->e_ident[EI_DATA] && header.e_machine == own->e_machine;
    if (!fits) {
      return "is built for " + describe(header) + ", this process is " + describe(*own) +
             "; install the build for this machine";
    }
  }
  if (header.e_type == ET_REL) return "is an object file; link it with -shared";
  if (header.e_type == ET_EXEC) return "is a program, not a shared library; link it with -shared";
  if (header.e_type != ET_DYN) return "is no shared library (ELF type " + std::to_string(header.e_type) + ")";
  return segments_problem(file, header, size);
}

}  // namespace xhal::discovery
