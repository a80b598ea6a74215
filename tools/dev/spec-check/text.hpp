// SPDX-License-Identifier: Apache-2.0
// Reading text files and pieces of lines; findings that point at them.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::spec {

struct Finding {
  std::string file;  // below the root
  size_t line = 0;   // from 1
  std::string text;

  [[nodiscard]] std::string message() const;
};
using Findings = std::vector<Finding>;

struct TextFile {
  std::string name;  // below the root, with slashes
  std::vector<std::string> lines;

  [[nodiscard]] std::string joined() const;
};

// Nothing when the file cannot be read.
std::optional<TextFile> read_text(const std::filesystem::path& root, const std::string& name);
// Files below root/folder whose names end in one of the suffixes, sorted, as paths below the root.
std::vector<std::string> list_files(const std::filesystem::path& root, const std::string& folder,
                                    const std::vector<std::string_view>& suffixes);

std::string_view trimmed(std::string_view text);
std::vector<std::string> split(std::string_view text, char separator);
bool is_word(char c);  // of a C identifier
// The C identifiers of a text, in order, repeats included.
std::vector<std::string> identifiers(std::string_view text);
// A whole decimal number below 10,000 without leading zeros.
std::optional<unsigned> small_number(std::string_view text);

struct ClauseMention {
  std::string page;  // "EVENT"
  unsigned first = 0;
  unsigned last = 0;  // of "XHAL-EVENT-3..5"; else first
};
std::vector<ClauseMention> clause_mentions(std::string_view text);

}  // namespace xhal::spec
