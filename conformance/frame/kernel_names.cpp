// SPDX-License-Identifier: Apache-2.0
#include "frame/kernel_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

#include "frame/random.h"
#include "report/sha256.h"

namespace xhal::conformance {

namespace {

constexpr std::string_view kTextFormat = "opencl-c";

bool continues_a_name(unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '$'; }

// Of a text: the device's compiler puts the derived names there, also where a macro makes a name of parts.
void define_names(std::span<const std::string> names, std::string_view key,
                  std::vector<unsigned char>& bytes) {
  // As texts of the recipe, this one does not compile when it was cut anywhere.
  std::string lines = "typedef int xhal_renamed_text;\n#if 1\n";
  for (const std::string& name : names)
    lines += fmt::format("#define {} {}\n", name, kernel_name_of(key, name));
  bytes.insert(bytes.begin(), lines.begin(), lines.end());
  constexpr std::string_view kEnd = "\n#endif\n";
  bytes.insert(bytes.end(), kEnd.begin(), kEnd.end());
}

}  // namespace

std::string kernel_name_of(std::string_view key, std::string_view name) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  constexpr std::string_view kOthers = "abcdefghijklmnopqrstuvwxyz0123456789_";
  const std::string hash = sha256(fmt::format("xhal-conform kernel/1\n{}\n{}", key, name));
  SplitMix random(std::stoull(hash.substr(0, 16), nullptr, 16));
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const std::string_view from = i == 0 ? kLetters : kOthers;
    out += from[random.below(from.size())];
  }
  return out;
}

std::string why_names_are_kept(std::string_view format) {
  // native: a table of strings that nothing is hashed by: the loader of such images compares texts. spirv: names are literals, padded to whole
  // words, so others of the same length move nothing. opencl-c: the text has macros.
  if (format == "native" || format == "spirv" || format == kTextFormat) return {};
  if (format == "builtin") return "built-in kernels are asked for by the pack's names";
  return fmt::format("no way is known to rename the kernels of an image of format {}", format);
}

void rename_kernels(std::span<const std::string> names, std::string_view key, std::string_view format,
                    std::vector<unsigned char>& bytes) {
  std::set<std::string> derived;
  for (const std::string& name : names) {
    const std::string other = kernel_name_of(key, name);
    if (!derived.insert(other).second)
      throw std::runtime_error(fmt::format("two kernels would be called {}", other));
  }
  if (format == kTextFormat) return define_names(names, key, bytes);
  auto* const text = reinterpret_cast<char*>(bytes.data());
  // Longer names first: one may begin with another.
  std::vector<std::string> ordered(names.begin(), names.end());
  std::ranges::sort(ordered, std::ranges::greater(), &std::string::size);
  for (const std::string& name : ordered) {
    const std::string_view image(text, bytes.size());
    const std::string other = kernel_name_of(key, name);
    bool whole = false;
    for (size_t at = image.find(name); at != std::string_view::npos;
         at = image.find(name, at + name.size())) {
      // A longer name that begins with a kernel's is one of its symbols and tells it as well.
      if (at > 0 && continues_a_name(bytes[at - 1])) continue;
      const size_t end = at + name.size();
      whole = whole || (end < bytes.size() && bytes[end] == 0);
      std::ranges::copy(other, text + at);
    }
    if (!whole) throw std::runtime_error(fmt::format("the image does not hold the name {}", name));
  }
}

}  // namespace xhal::conformance
