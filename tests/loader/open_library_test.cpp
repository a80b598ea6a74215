// SPDX-License-Identifier: Apache-2.0
// With real libraries, some of them broken on purpose.
#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/load.hpp"
#include "support.hpp"
#include "xhal/driver.h"

namespace xhal::discovery {
namespace {

using test::fixture;
using test::read_file;
using test::TemporaryFolder;
using test::write_file;

Opened open(const std::string& library, Kind kind = Kind::kDriver) {
  Manifest manifest;
  manifest.kind = kind;
  manifest.name = "sim";
  manifest.library = library;
  manifest.manifest_path = library;
  manifest.named = true;
  const char* symbol = kind == Kind::kDriver ? XHAL_DRIVER_NEGOTIATE_SYMBOL : XHAL_LAYER_NEGOTIATE_SYMBOL;
  Opened opened = open_library(manifest, symbol, false);
  EXPECT_EQ(test::line_problem(opened.text), "");
  EXPECT_EQ(opened.result == XHAL_SUCCESS, opened.symbol != nullptr);
  EXPECT_EQ(opened.result == XHAL_SUCCESS, opened.text.empty()) << opened.text;
  if (opened.result != XHAL_SUCCESS) {
    EXPECT_EQ(opened.result, XHAL_ERROR_DRIVER_FAILED);
  }
  return opened;
}

int call(const Opened& opened) {
  if (opened.symbol == nullptr) return -1;
  return reinterpret_cast<int (*)()>(opened.symbol)();
}

bool is_loaded(const std::string& library) {
  return ::dlopen(library.c_str(), RTLD_NOW | RTLD_NOLOAD) != nullptr;
}

TEST(OpenLibrary, FindsTheEntry) {
  EXPECT_EQ(call(open(fixture("driver"))), 11);
  EXPECT_EQ(call(open(fixture("other_driver"))), 12);
  EXPECT_EQ(call(open(fixture("layer"), Kind::kLayer)), 7);
}

TEST(OpenLibrary, ALinkIsFollowed) {
  XHAL_CLAUSE("XHAL-LOADER-38");
  const TemporaryFolder root;
  write_file(root / "libx.so.0.1", read_file(fixture("driver")));
  std::filesystem::create_symlink("libx.so.0.1", root / "libx.so.0");
  std::filesystem::create_symlink("libx.so.0", root / "libx.so");
  EXPECT_EQ(call(open(root / "libx.so")), 11);
}

TEST(OpenLibrary, SiblingsAreFoundByOrigin) {
  XHAL_CLAUSE("XHAL-LOADER-40");
  const TemporaryFolder root;
  write_file(root / "a/libneeds_sibling.so", read_file(fixture("needs_sibling")));
  const Opened alone = open(root / "a/libneeds_sibling.so");
  EXPECT_EQ(alone.result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_NE(alone.text.find("libsibling.so: cannot open shared object file"), std::string::npos)
      << alone.text;
  EXPECT_TRUE(
      alone.text.ends_with("; install the missing library, or put it beside the driver with rpath $ORIGIN"))
      << alone.text;

  write_file(root / "b/libneeds_sibling.so", read_file(fixture("needs_sibling")));
  write_file(root / "b/libsibling.so", read_file(fixture("sibling")));
  std::filesystem::create_directory_symlink("b", root / "link");
  EXPECT_EQ(call(open(root / "link/libneeds_sibling.so")), 42);
}

TEST(OpenLibrary, EverySymbolMustBeResolvedAtOnce) {
  XHAL_CLAUSE("XHAL-LOADER-41");
  const Opened opened = open(fixture("unresolved"));
  EXPECT_NE(opened.text.find("undefined symbol: xhal_test_provided_elsewhere"), std::string::npos)
      << opened.text;
  EXPECT_TRUE(
      opened.text.starts_with("library '" + fixture("unresolved") + "' cannot be loaded: undefined symbol"))
      << opened.text;
  EXPECT_NE(opened.text.find("; build it against"), std::string::npos) << opened.text;
}

TEST(OpenLibrary, NoLibrarySeesAnothersSymbols) {
  XHAL_CLAUSE("XHAL-LOADER-41");
  EXPECT_EQ(call(open(fixture("provider"))), 2);
  EXPECT_EQ(::dlsym(RTLD_DEFAULT, "xhal_test_provided_elsewhere"), nullptr);
  EXPECT_EQ(open(fixture("unresolved")).result, XHAL_ERROR_DRIVER_FAILED);
}

TEST(OpenLibrary, TheEntryMustBeThere) {
  XHAL_CLAUSE("XHAL-LOADER-42");
  EXPECT_EQ(open(fixture("no_entry")).text, "library '" + fixture("no_entry") +
                                                "' is no xhal driver: it does not export "
                                                "xhal_driver_negotiate; name another library, or export it");
  EXPECT_EQ(open(fixture("layer")).text, "library '" + fixture("layer") + "' is a layer, not a driver");
  EXPECT_EQ(open(fixture("driver"), Kind::kLayer).text,
            "library '" + fixture("driver") + "' is a driver, not a layer");
}

TEST(OpenLibrary, AnInheritedEntryDoesNotCount) {
  XHAL_CLAUSE("XHAL-LOADER-42");
  // The plain question would be answered with the needed library's entry.
  void* handle = ::dlopen(fixture("inherits").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(handle, nullptr) << ::dlerror();
  ASSERT_NE(::dlsym(handle, XHAL_DRIVER_NEGOTIATE_SYMBOL), nullptr);
  EXPECT_NE(open(fixture("inherits")).text.find("is no xhal driver"), std::string::npos);
}

TEST(OpenLibrary, WhatWasLoadedStaysLoaded) {
  XHAL_CLAUSE("XHAL-LOADER-43");
  const TemporaryFolder root;
  write_file(root / "libx.so", read_file(fixture("driver")));
  write_file(root / "liby.so", read_file(fixture("no_entry")));
  ASSERT_FALSE(is_loaded(root / "libx.so"));
  EXPECT_EQ(call(open(root / "libx.so")), 11);
  open(root / "liby.so");
  EXPECT_TRUE(is_loaded(root / "libx.so"));
  EXPECT_TRUE(is_loaded(root / "liby.so")) << "a library whose code ran may have started what it cannot stop";
}

TEST(OpenLibrary, AReplacedLibraryIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-31");
  XHAL_CLAUSE("XHAL-LOADER-40");
  const TemporaryFolder root;
  write_file(root / "libx.so", read_file(fixture("driver")));
  write_file(root / "other.so", read_file(fixture("other_driver")));
  OpenedFile file = examine_library(root / "libx.so", Trust::of_process(false, true));
  ASSERT_EQ(file.outcome, Outcome::kOpened) << file.problem;
  std::filesystem::rename(root / "other.so", root / "libx.so");
  const Opened opened = load_library(std::move(file), Kind::kDriver, XHAL_DRIVER_NEGOTIATE_SYMBOL, false);
  EXPECT_EQ(opened.result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(opened.text, "library '" + (root / "libx.so") + "' was replaced while it was opened; try again");
  EXPECT_FALSE(is_loaded(root / "libx.so"));
}

TEST(OpenLibrary, AnElevatedProcessLoadsTheDescriptor) {
  XHAL_CLAUSE("XHAL-LOADER-31");
  XHAL_CLAUSE("XHAL-LOADER-40");
  const TemporaryFolder root;
  // Two libraries, so that two descriptors are in play; and one that takes the first one's place before the load.
  std::set<std::string> paths;
  for (const auto& [name, mark] : {std::pair<const char*, int>{"driver", 11}, {"other_driver", 12}}) {
    const std::string library = root / name;
    write_file(library, read_file(fixture(name)));
    OpenedFile file = examine_library(library, Trust::of_process(false, true));
    ASSERT_EQ(file.outcome, Outcome::kOpened) << file.problem;
    std::filesystem::remove(library);
    write_file(library, "something else");
    const Opened opened = load_library(std::move(file), Kind::kDriver, XHAL_DRIVER_NEGOTIATE_SYMBOL, true);
    EXPECT_EQ(opened.result, XHAL_SUCCESS) << opened.text;
    EXPECT_EQ(call(opened), mark);
    Dl_info info = {};
    ASSERT_NE(::dladdr(opened.symbol, &info), 0);
    EXPECT_TRUE(std::string(info.dli_fname).starts_with("/proc/self/fd/")) << info.dli_fname;
    EXPECT_TRUE(paths.insert(info.dli_fname).second) << "two libraries of one path are one to the linker";
  }
}

TEST(OpenLibrary, ReusedDescriptorNumbersAreNoMistake) {
  XHAL_CLAUSE("XHAL-LOADER-40");
  const TemporaryFolder root;
  const auto load = [&](const char* name) {
    write_file(root / name, read_file(fixture(name)));
    OpenedFile file = examine_library(root / name, Trust::of_process(false, true));
    const int number = file.descriptor.get();
    const Opened opened = load_library(std::move(file), Kind::kDriver, XHAL_DRIVER_NEGOTIATE_SYMBOL, true);
    // As a program does that closes all descriptors it does not know.
    ::close(number);
    return std::pair{number, call(opened)};
  };
  const auto first = load("driver");
  const auto second = load("other_driver");
  EXPECT_EQ(first.first, second.first);
  EXPECT_EQ(first.second, 11);
  EXPECT_EQ(second.second, 12);
}

// ---- Files that are no library ----

class BrokenLibrary : public ::testing::Test {
 protected:
  using Header = ElfW(Ehdr);
  using Segment = ElfW(Phdr);

  BrokenLibrary() : good_(read_file(fixture("driver"))) {
    std::memcpy(&header_, good_.data(), sizeof header_);
  }

  std::string problem_of(const std::string& bytes) {
    write_file(root_ / "libx.so", bytes);
    const Opened opened = open(root_ / "libx.so");
    EXPECT_FALSE(is_loaded(root_ / "libx.so"));
    const std::string start = "driver 'sim': library '" + (root_ / "libx.so") + "' ";
    EXPECT_TRUE(opened.text.starts_with(start)) << opened.text;
    return opened.text.substr(std::min(opened.text.size(), start.size()));
  }

  template <typename Change>
  std::string problem_with(Change change) {
    Header header = header_;
    change(header);
    std::string bytes = good_;
    std::memcpy(bytes.data(), &header, sizeof header);
    return problem_of(bytes);
  }

  Segment segment(std::size_t i) const {
    Segment segment;
    std::memcpy(&segment, good_.data() + header_.e_phoff + i * sizeof segment, sizeof segment);
    return segment;
  }

  TemporaryFolder root_;
  std::string good_;
  Header header_;
};

TEST_F(BrokenLibrary, TextAndEmptyFiles) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  EXPECT_EQ(problem_of(""), "is empty; build or install it again");
  EXPECT_EQ(problem_of("INPUT(libreal.so.0 -lm)\n# more than it quotes"),
            "is no shared library, but a text file that starts with 'INPUT(libreal.so.0 -lm)\\x0a'; name the "
            "ELF shared library of the driver");
  EXPECT_EQ(problem_of("x"),
            "is no shared library, but a text file that starts with 'x'; name the ELF shared library of the "
            "driver");
  EXPECT_EQ(problem_of(std::string(5000, '\0')),
            "is no shared library; name the ELF shared library of the driver");
}

TEST_F(BrokenLibrary, OtherMachines) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  const bool is_arm = header_.e_machine == EM_AARCH64;
  EXPECT_TRUE(problem_with([&](Header& header) { header.e_machine = is_arm ? EM_X86_64 : EM_AARCH64; })
                  .starts_with(is_arm ? "is built for x86-64, this process is aarch64"
                                      : "is built for aarch64, this process is "));
  EXPECT_TRUE(problem_with([](Header& header) {
                header.e_machine = 9999;
              }).starts_with("is built for ELF machine 9999, this process is "));
  EXPECT_NE(problem_with([](Header& header) {
              header.e_ident[EI_CLASS] = header.e_ident[EI_CLASS] == ELFCLASS64 ? ELFCLASS32 : ELFCLASS64;
            }).find("install the build for this machine"),
            std::string::npos);
  EXPECT_NE(problem_with([](Header& header) {
              header.e_ident[EI_DATA] = header.e_ident[EI_DATA] == ELFDATA2LSB ? ELFDATA2MSB : ELFDATA2LSB;
            }).find("install the build for this machine"),
            std::string::npos);
}

TEST_F(BrokenLibrary, OtherKindsOfElf) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  EXPECT_EQ(problem_with([](Header& header) { header.e_type = ET_REL; }),
            "is an object file; link it with -shared");
  EXPECT_EQ(problem_with([](Header& header) { header.e_type = ET_EXEC; }),
            "is a program, not a shared library; link it with -shared");
  EXPECT_EQ(problem_with([](Header& header) { header.e_type = ET_CORE; }),
            "is no shared library (ELF type 4)"
            "; check that it is the right file, and build or install it again");
  EXPECT_EQ(problem_with([](Header& header) { header.e_phnum = 0; }),
            "is no shared library: it has no usable program headers"
            "; check that it is the right file, and build or install it again");
  EXPECT_EQ(problem_with([](Header& header) { header.e_phnum = 0xffff; }),
            "is no shared library: it has no usable program headers"
            "; check that it is the right file, and build or install it again");
  EXPECT_EQ(problem_with([](Header& header) { header.e_phentsize = 8; }),
            "is no shared library: it has no usable program headers"
            "; check that it is the right file, and build or install it again");
  EXPECT_TRUE(problem_with([](Header& header) {
                header.e_phoff = ~decltype(header.e_phoff){0};
              }).starts_with("is cut off"));
  EXPECT_TRUE(problem_with([](Header& header) { header.e_phnum = 0xfffe; }).starts_with("is cut off"));
}

TEST_F(BrokenLibrary, CutOffAtEveryHeaderAndSegment) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  std::set<std::size_t> lengths;
  const std::size_t headers_end = header_.e_phoff + header_.e_phnum * sizeof(Segment);
  for (std::size_t length = 1; length <= headers_end; ++length) lengths.insert(length);
  std::size_t end = 0;
  for (std::size_t i = 0; i < header_.e_phnum; ++i) {
    const Segment part = segment(i);
    if (part.p_type != PT_LOAD || part.p_filesz == 0) continue;
    end = std::max<std::size_t>(end, part.p_offset + part.p_filesz);
    lengths.insert(part.p_offset);
    lengths.insert(part.p_offset + part.p_filesz - 1);
  }
  lengths.erase(0);
  ASSERT_GT(end, headers_end);
  for (const std::size_t length : lengths) {
    ASSERT_LT(length, end);
    const std::string problem = problem_of(good_.substr(0, length));
    EXPECT_NE(problem.find(length < SELFMAG ? "is no shared library" : "is cut off: its headers speak of "),
              std::string::npos)
        << length << ": " << problem;
  }
  // What only debuggers read may be missing.
  write_file(root_ / "stripped.so", good_.substr(0, end));
  EXPECT_EQ(call(open(root_ / "stripped.so")), 11);
}

TEST_F(BrokenLibrary, SegmentsThatLie) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  for (std::size_t i = 0; i < header_.e_phnum; ++i) {
    if (segment(i).p_type != PT_LOAD) continue;
    for (const uint64_t value : {uint64_t{1} << 40, ~uint64_t{0}}) {
      Segment part = segment(i);
      std::string bytes = good_;
      part.p_filesz = static_cast<decltype(part.p_filesz)>(value);
      std::memcpy(bytes.data() + header_.e_phoff + i * sizeof part, &part, sizeof part);
      EXPECT_TRUE(problem_of(bytes).starts_with("is cut off")) << i;
    }
  }
  std::string no_dynamic = good_;
  for (std::size_t i = 0; i < header_.e_phnum; ++i) {
    Segment part = segment(i);
    if (part.p_type == PT_DYNAMIC) part.p_type = PT_NULL;
    std::memcpy(no_dynamic.data() + header_.e_phoff + i * sizeof part, &part, sizeof part);
  }
  EXPECT_EQ(problem_of(no_dynamic),
            "is no shared library: it has nothing for the dynamic linker; link it with -shared");
}

TEST_F(BrokenLibrary, HeadersOfAnyBytesAreJudgedWithoutACrash) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  const std::size_t headers_end = header_.e_phoff + header_.e_phnum * sizeof(Segment);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < headers_end; ++i) {
    for (const char value : {'\xff', '\x7f', '\0'}) {
      std::string bytes = good_;
      bytes[i] = value;
      write_file(root_ / "libx.so", bytes);
      const OpenedFile file = examine_library(root_ / "libx.so", Trust::of_process(false, true));
      EXPECT_EQ(test::line_problem(file.problem), "");
      EXPECT_EQ(file.outcome == Outcome::kOpened, file.problem.empty());
      if (file.outcome != Outcome::kOpened) ++refused;
    }
  }
  EXPECT_GT(refused, headers_end / 4);
}

TEST_F(BrokenLibrary, AboveTheSizeLimit) {
  XHAL_CLAUSE("XHAL-LOADER-39");
  write_file(root_ / "libx.so", good_);
  if (::truncate((root_ / "libx.so").c_str(), 0x7fffffff) != 0)
    GTEST_SKIP() << "no sparse files of 2 GiB here";
  EXPECT_EQ(call(open(root_ / "libx.so")), 11);
  write_file(root_ / "liby.so", good_);
  ASSERT_EQ(::truncate((root_ / "liby.so").c_str(), 0x80000000), 0);
  EXPECT_EQ(open(root_ / "liby.so").text, "driver 'sim': '" + (root_ / "liby.so") +
                                              "' has 2147483648 bytes, more than the 2147483647 allowed"
                                              "; check that it is the right file");
}

TEST_F(BrokenLibrary, OthersAreUnaffected) {
  XHAL_CLAUSE("XHAL-INSTANCE-4");
  write_file(root_ / "a.so", good_.substr(0, 100));
  test::write_manifest(root_ / "a.json", "a", {{"library", "\"a.so\""}});
  test::write_manifest(root_ / "b.json", "b");
  const Found found = test::find_checked({}, test::bare_environment({{"XHAL_DRIVER_PATH", root_.path()}}));
  EXPECT_EQ(test::selected_names(found), std::vector<std::string>{"b"});
  EXPECT_EQ(found.candidates[0].result, XHAL_ERROR_DRIVER_FAILED);
  EXPECT_EQ(found.result, XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::discovery
