// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

namespace fs = std::filesystem;

// What a line tells the preprocessor: "include", "define", ... and what stands behind that; empty for other lines.
struct Directive {
  std::string name;
  std::string rest;
};

Directive directive_of(const std::string& line) {
  static const std::regex form(R"(^\s*#\s*([a-z]+)\s*(.*?)\s*$)");
  std::smatch match;
  if (!std::regex_match(line, match, form)) return {};
  return {match[1], match[2]};
}

// The macro that a #define is of.
std::string macro_of(const std::string& rest) { return rest.substr(0, rest.find_first_of(" \t(")); }

enum class Guard { kNone, kPragma, kMacro };

// How the header sees to it that it counts once: by the first of its directives.
Guard guard_of(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    const Directive directive = directive_of(line);
    if (directive.name.empty()) continue;
    if (directive.name == "ifndef") return Guard::kMacro;
    return directive.name == "pragma" && directive.rest == "once" ? Guard::kPragma : Guard::kNone;
  }
  return Guard::kNone;
}

class TextMaker {
  // A text that was cut anywhere, even behind its first letter, is refused by the compiler, as a cut file of any other format is.
  static constexpr const char* kBegin = "typedef int xhal_whole_text;\n#if 1\n";
  static constexpr const char* kEnd = "\n#endif\n";

 public:
  TextMaker(std::span<const std::string> folders, std::span<const std::string> definitions)
      : folders_(folders), text_(kBegin) {
    for (const std::string& definition : definitions) {
      const std::size_t equals = definition.find('=');
      const std::string macro = definition.substr(0, equals);
      given_.insert(macro);
      text_ += "#define " + macro + " " +
               (equals == std::string::npos ? std::string("1") : definition.substr(equals + 1)) + "\n";
    }
  }

  void add_source(const std::string& path) {
    source_ = fs::path(path).filename().string();
    own_macros_.clear();
    text_ += "\n// ---- " + source_ + "\n";
    put(path, true, true);
    // The next source shall find nothing of this one's but what all share.
    for (const std::string& macro : own_macros_) text_ += "#undef " + macro + "\n";
  }

  [[nodiscard]] std::string text() const { return text_ + kEnd; }
  [[nodiscard]] const std::set<std::string>& files() const { return files_; }

 private:
  // `is_certain`: no condition decides whether the file counts.
  void put(const fs::path& path, bool is_source, bool is_certain) {
    std::vector<std::string> lines;
    try {
      lines = read_lines(path.string());
    } catch (const Refusal& refusal) {
      throw Refusal(path.string() + " " + refusal.what());
    }
    files_.insert(path.string());
    const Guard guard = is_source ? Guard::kNone : guard_of(lines);
    if (guard != Guard::kNone && is_certain) done_.insert(path.string());
    int depth = guard == Guard::kMacro ? -1 : 0;
    for (const std::string& line : lines) {
      const Directive directive = directive_of(line);
      if (directive.name.starts_with("if")) ++depth;
      if (directive.name == "endif") --depth;
      if (directive.name == "pragma" && directive.rest == "once") continue;
      if (directive.name == "include") {
        include(path, directive.rest, is_certain && depth <= 0);
        continue;
      }
      if (directive.name == "define") note_macro(macro_of(directive.rest), path, is_source);
      text_ += line + "\n";
    }
  }

  void include(const fs::path& includer, const std::string& what, bool is_certain) {
    const fs::path header = find(includer, what);
    if (done_.contains(header.string())) return;
    if (!own_macros_.empty()) {
      throw Refusal("defines " + *own_macros_.begin() + " before it includes " + what +
                    ": in one text the header is the same for all sources; include it first");
    }
    put(header, false, is_certain);
  }

  [[nodiscard]] fs::path find(const fs::path& includer, const std::string& what) const {
    const std::size_t end = what.find('"', 1);
    if (!what.starts_with('"') || end == std::string::npos) {
      throw Refusal("includes " + what +
                    ": a device's compiler has no headers; include only files, in quotes");
    }
    const std::string name = what.substr(1, end - 1);
    if (const fs::path beside = includer.parent_path() / name; fs::exists(beside)) {
      return beside.lexically_normal();
    }
    for (const std::string& folder : folders_) {
      if (const fs::path there = fs::path(folder) / name; fs::exists(there)) return there.lexically_normal();
    }
    throw Refusal("includes " + what + ", which is neither beside it nor in a folder of -I");
  }

  void note_macro(const std::string& macro, const fs::path& path, bool is_source) {
    if (!is_source) {
      header_macros_.emplace(macro, path.filename().string());
      return;
    }
    if (const auto header = header_macros_.find(macro); header != header_macros_.end()) {
      throw Refusal("defines " + macro + " as " + header->second +
                    " does, which may be another source's: in one text they meet; rename one");
    }
    if (!given_.contains(macro)) own_macros_.insert(macro);
  }

  std::span<const std::string> folders_;
  std::set<std::string> given_;  // by -D, for all sources
  std::string text_;
  std::string source_;
  std::set<std::string> own_macros_;                  // of the source that is being put
  std::map<std::string, std::string> header_macros_;  // and the header of each
  std::set<std::string> done_;                        // headers that need not be put again
  std::set<std::string> files_;
};

// A path in a rule of make.
std::string escaped(const std::string& path) {
  std::string text;
  for (const char c : path) {
    if (c == ' ' || c == '#') text += '\\';
    if (c == '$') text += '$';
    text += c;
  }
  return text;
}

}  // namespace

OneText one_text(const std::string& target, std::span<const std::string> arguments, std::string* subject) {
  std::vector<std::string> folders;
  std::vector<std::string> definitions;
  std::vector<std::string> sources;
  for (const std::string& argument : arguments) {
    if (argument.starts_with("-I")) {
      folders.push_back(argument.substr(2));
    } else if (argument.starts_with("-D")) {
      definitions.push_back(argument.substr(2));
    } else {
      sources.push_back(argument);
    }
  }
  TextMaker maker(folders, definitions);
  for (const std::string& source : sources) {
    *subject = fs::path(source).filename().string();
    maker.add_source(source);
  }
  OneText result = {.text = maker.text(), .rule = escaped(target) + ":"};
  for (const std::string& file : maker.files()) result.rule += " \\\n " + escaped(file);
  result.rule += "\n";
  return result;
}

std::string name_list(const std::vector<std::string>& lines) {
  std::string list;
  for (const Function& function : parse_module(lines).functions) {
    if (is_kernel(function)) list += "XHAL_NATIVE_KERNEL(" + function.name + ")\n";
  }
  // "@name = dso_local addrspace(1) global [13 x i64] ..."; what is local to a source or a group is no variable of the module.
  static const std::regex global(
      R"(^@([A-Za-z0-9_.$]+) = (?!internal|private)(.* )?addrspace\(1\) global .*)");
  for (const std::string& line : lines) {
    std::smatch match;
    if (std::regex_match(line, match, global)) list += "XHAL_NATIVE_GLOBAL(" + match[1].str() + ")\n";
  }
  if (list.find("_KERNEL(") == std::string::npos) throw Refusal("has no kernel");
  return list;
}

}  // namespace xhal::kernelgen
