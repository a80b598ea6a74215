// SPDX-License-Identifier: Apache-2.0
#include "text.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>

namespace xhal::spec {

namespace {
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
}  // namespace

std::string Finding::message() const { return file + ":" + std::to_string(line) + ": " + text; }

std::string TextFile::joined() const {
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

std::optional<TextFile> read_text(const std::filesystem::path& root, const std::string& name) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(root / name, ignored)) return std::nullopt;
  std::ifstream in(root / name, std::ios::binary);
  if (!in) return std::nullopt;
  TextFile file{name, {}};
  for (std::string line; std::getline(in, line);) file.lines.push_back(line);
  return file;
}

std::vector<std::string> list_files(const std::filesystem::path& root, const std::string& folder,
                                    const std::vector<std::string_view>& suffixes) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::recursive_directory_iterator walk(root / folder, error);
  for (; !error && walk != std::filesystem::recursive_directory_iterator(); walk.increment(error)) {
    const std::string name = walk->path().lexically_relative(root).generic_string();
    const bool wanted = std::any_of(suffixes.begin(), suffixes.end(),
                                    [&](std::string_view suffix) { return name.ends_with(suffix); });
    std::error_code ignored;
    if (wanted && walk->is_regular_file(ignored)) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(separator, begin);
    parts.emplace_back(text.substr(begin, end == std::string_view::npos ? end : end - begin));
    if (end == std::string_view::npos) return parts;
    begin = end + 1;
  }
}

bool is_word(char c) { return c == '_' || is_upper(c) || (c >= 'a' && c <= 'z') || is_digit(c); }

std::vector<std::string> identifiers(std::string_view text) {
  std::vector<std::string> found;
  for (size_t i = 0; i < text.size();) {
    size_t end = i;
    while (end < text.size() && is_word(text[end])) ++end;
    if (end > i && !is_digit(text[i])) found.emplace_back(text.substr(i, end - i));
    i = std::max(end, i + 1);
  }
  return found;
}

std::optional<unsigned> small_number(std::string_view text) {
  unsigned value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || text.size() > 4 || text.front() == '0' || error != std::errc{} ||
      end != text.data() + text.size()) {
    return std::nullopt;
  }
  return value;
}

std::vector<ClauseMention> clause_mentions(std::string_view text) {
  constexpr std::string_view kPrefix = "XHAL-";
  std::vector<ClauseMention> found;
  for (size_t at = text.find(kPrefix); at != std::string_view::npos; at = text.find(kPrefix, at + 1)) {
    if (at > 0 && (is_word(text[at - 1]) || text[at - 1] == '-')) continue;
    size_t i = at + kPrefix.size();
    const auto take = [&](auto&& accepts) {
      const size_t begin = i;
      while (i < text.size() && accepts(text[i])) ++i;
      return text.substr(begin, i - begin);
    };
    const std::string_view page = take([](char c) { return is_upper(c) || c == '_'; });
    if (page.empty() || i >= text.size() || text[i] != '-') continue;
    ++i;
    const std::string_view digits = take(is_digit);
    const auto first = small_number(digits);
    if (!first) continue;
    ClauseMention mention{std::string(page), *first, *first};
    if (text.substr(i, 2) == "..") {
      i += 2;
      if (const auto last = small_number(take(is_digit))) mention.last = *last;
    }
    found.push_back(mention);
  }
  return found;
}

}  // namespace xhal::spec
