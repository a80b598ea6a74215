// SPDX-License-Identifier: Apache-2.0
#include "ir_text.h"

#include <algorithm>
#include <bit>
#include <cctype>
#include <charconv>
#include <fstream>
#include <sstream>

namespace xhal::kernelgen {
namespace {

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

Function parse_function_header(std::string_view line) {
  Function function;
  const std::size_t at = find_function_reference(line, 0, &function.name);
  if (at == std::string_view::npos) throw Refusal("cannot read this function header: " + std::string(line));
  const std::size_t open = line.find('(', at);
  const std::size_t close = matching_bracket(line, open);
  function.parameters = split_list(line.substr(open + 1, close - open - 1));
  function.is_definition = line.starts_with("define ");

  std::istringstream tail{std::string(line.substr(close + 1))};
  std::string key;
  std::string node;
  while (tail >> key) {
    if (key.starts_with("!") && tail >> node) function.metadata[key.substr(1)] = node;
  }
  return function;
}

}  // namespace

bool is_name_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || c == '.' || c == '$';
}

std::string_view leading_type(std::string_view text) {
  const bool bracketed = text.starts_with("[") || text.starts_with("<");
  return text.substr(0, bracketed ? matching_bracket(text, 0) + 1 : text.find_first_of(" ,"));
}

std::size_t matching_bracket(std::string_view text, std::size_t open) {
  int depth = 0;
  bool in_string = false;
  for (std::size_t i = open; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') in_string = !in_string;
    if (in_string) continue;
    if (c == '(' || c == '[' || c == '{' || c == '<') ++depth;
    if (c == ')' || c == ']' || c == '}' || c == '>') --depth;
    if (depth == 0) return i;
  }
  throw Refusal("unbalanced brackets: " + std::string(text));
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> elements;
  int depth = 0;
  bool in_string = false;
  std::size_t start = 0;
  for (std::size_t i = 0; i <= text.size(); ++i) {
    const char c = i < text.size() ? text[i] : ',';
    if (c == '"') in_string = !in_string;
    if (in_string && i < text.size()) continue;
    if (c == '(' || c == '[' || c == '{' || c == '<') ++depth;
    if (c == ')' || c == ']' || c == '}' || c == '>') --depth;
    if (c == ',' && depth == 0) {
      const std::string_view element = trim(text.substr(start, i - start));
      if (!element.empty()) elements.emplace_back(element);
      start = i + 1;
    }
  }
  return elements;
}

std::size_t find_function_reference(std::string_view line, std::size_t from, std::string* name) {
  bool in_string = false;
  for (std::size_t i = from; i < line.size(); ++i) {
    if (line[i] == '"') in_string = !in_string;
    if (in_string || line[i] != '@') continue;
    std::size_t end = i + 1;
    while (end < line.size() && is_name_character(line[end])) ++end;
    if (end > i + 1 && end < line.size() && line[end] == '(') {
      *name = line.substr(i + 1, end - i - 1);
      return i;
    }
  }
  return std::string_view::npos;
}

bool is_kernel(const Function& function) {
  return function.is_definition && function.metadata.contains("kernel_arg_addr_space");
}

bool is_intrinsic(std::string_view function_name) { return function_name.starts_with("llvm."); }

bool is_coroutine_marker(std::string_view function_name) {
  return function_name.starts_with(kCoroutineMarker);
}

namespace {

Layout layout_of_members(std::string_view structure, const Module& module) {
  const bool is_packed = structure.starts_with("<");
  const std::size_t skip = is_packed ? 2 : 1;
  Layout layout = {.bytes = 0, .alignment = 1};
  const auto round_up = [&](std::size_t alignment) {
    layout.bytes = (layout.bytes + alignment - 1) / alignment * alignment;
  };
  for (const std::string& type : split_list(structure.substr(skip, structure.size() - 2 * skip))) {
    const Layout member = layout_of(type, module);
    if (!is_packed) {
      round_up(member.alignment);
      layout.alignment = std::max(layout.alignment, member.alignment);
    }
    layout.bytes += member.bytes;
  }
  round_up(layout.alignment);
  return layout;
}

}  // namespace

Layout layout_of(std::string_view type, const Module& module) {
  if (type == "ptr" || type == "double") return {8, 8};
  if (type == "float") return {4, 4};
  if (type == "half") return {2, 2};
  std::size_t count = 0;
  if (type.starts_with("i")) {
    const auto [end, error] = std::from_chars(type.data() + 1, type.data() + type.size(), count);
    if (error == std::errc() && end == type.data() + type.size()) {
      const std::size_t bytes = count <= 8 ? 1 : count / 8;
      return {bytes, bytes};
    }
  }
  if (type.starts_with("{") || type.starts_with("<{")) return layout_of_members(type, module);
  if (type.starts_with("[") || type.starts_with("<")) {
    const std::size_t cross = type.find(" x ");
    const auto [end, error] = std::from_chars(type.data() + 1, type.data() + type.size(), count);
    if (error == std::errc() && cross != std::string_view::npos) {
      const Layout element = layout_of(type.substr(cross + 3, type.size() - cross - 4), module);
      if (type.front() == '[') return {count * element.bytes, element.alignment};
      // A vector of three takes the room of four.
      const std::size_t bytes = element.bytes * std::bit_ceil(count);
      return {bytes, bytes};
    }
  }
  const auto structure = module.types.find(std::string(type));
  if (structure != module.types.end()) return layout_of(structure->second, module);
  throw Refusal("the type '" + std::string(type) +
                "' has a size that is not known here: use scalars, vectors, arrays and structures of them");
}

std::string_view structure_of(std::string_view parameter) {
  static constexpr std::string_view kStart = " byval(";
  const std::size_t at = parameter.find(kStart);
  if (at == std::string_view::npos) return {};
  const std::size_t open = at + kStart.size() - 1;
  return parameter.substr(open + 1, matching_bracket(parameter, open) - open - 1);
}

Module parse_module(const std::vector<std::string>& lines) {
  Module module;
  bool in_body = false;
  for (const std::string& line : lines) {
    if (in_body) {
      if (line == "}") {
        in_body = false;
      } else {
        module.functions.back().body.push_back(line);
      }
    } else if (line.starts_with("define ") || line.starts_with("declare ")) {
      module.functions.push_back(parse_function_header(line));
      in_body = module.functions.back().is_definition;
    } else if (const std::size_t type = line.find(" = type ");
               line.starts_with("%") && type != std::string::npos) {
      module.types[line.substr(0, type)] = line.substr(type + 8);
    } else if (line.starts_with("!")) {
      const std::size_t equals = line.find(" = ");
      if (equals != std::string::npos) module.nodes[line.substr(0, equals)] = line.substr(equals + 3);
    }
  }
  return module;
}

std::vector<std::string> read_lines(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) throw Refusal("cannot be opened for reading: check that the file exists");
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream stream(path, std::ios::binary | std::ios::trunc);
  stream << text;
  stream.close();
  if (!stream) throw Refusal("cannot write '" + path + "': check that its folder exists and has room");
}

}  // namespace xhal::kernelgen
