// SPDX-License-Identifier: Apache-2.0
// The two halves of open_library, apart so that a test can stand between them. [XHAL-LOADER-31] [XHAL-LOADER-40]
#pragma once

#include <cstdint>
#include <string>

#include "discovery.hpp"
#include "files.hpp"

namespace xhal::discovery {

constexpr uint64_t kLargestLibrary = 0x7fffffff;

// Opened, trusted, and a complete shared library for this process. `problem` is a whole sentence.
OpenedFile examine_library(const std::string& path, const Trust& trust);

// Loads what was examined and finds its own entry symbol. `kind` is for the words.
Opened load_library(OpenedFile file, Kind kind, const char* symbol, bool elevated);

}  // namespace xhal::discovery
