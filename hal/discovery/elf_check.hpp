// SPDX-License-Identifier: Apache-2.0
// Is a file a complete shared library for this process? Asked before the dynamic linker sees it, which crashes on a cut-off one and
// explains little of the rest. [XHAL-LOADER-39]
#pragma once

#include <optional>
#include <string>

#include "files.hpp"

namespace xhal::discovery {

// What is wrong with it, as the end of a sentence that starts with the file's name; nothing when it may be loaded.
std::optional<std::string> elf_problem(const OpenedFile& file);

}  // namespace xhal::discovery
