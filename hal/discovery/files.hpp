// SPDX-License-Identifier: Apache-2.0
// Opening files that others may have placed: step by step from "/", each step checked on what was opened. [XHAL-LOADER-31]
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "trust.hpp"

namespace xhal::discovery {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor();

  int get() const { return number_; }
  bool is_open() const { return number_ >= 0; }
  int release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

enum class Outcome {
  kOpened,
  kAbsent,   // nothing is there
  kRefused,  // something is, but cannot be used
};

struct OpenedFile {
  Outcome outcome = Outcome::kRefused;
  std::string problem;  // one line, unless opened
  Descriptor descriptor;
  struct stat status = {};
  std::string path;  // the real one: absolute, no links, no "."
};

// A regular file of at most `max_bytes`, opened for reading without ever blocking.
OpenedFile open_file(const std::string& path, uint64_t max_bytes, const Trust& trust);

// A folder, opened for reading its entries.
OpenedFile open_folder(const std::string& path, const Trust& trust);

struct Bytes {
  bool complete = false;
  std::string text;
  std::string problem;
};
// All bytes of an opened file, at most max_bytes, however it grows meanwhile.
Bytes read_all(const OpenedFile& file, std::size_t max_bytes);

struct Listing {
  std::vector<std::string> names;  // sorted by bytes
  std::string problem;             // what was left out, and why
  bool readable = false;
};
// Names that end in `suffix` and do not start with a dot. [XHAL-LOADER-16] [XHAL-LOADER-24]
Listing list_folder(const OpenedFile& folder, const std::string& suffix, std::size_t max_names,
                    std::size_t max_entries);

// Whether the path still leads to the file that was opened.
bool is_still_at(const OpenedFile& file, const std::string& path);

// strerror without its threads' trouble.
std::string error_text(int error_number);

}  // namespace xhal::discovery
