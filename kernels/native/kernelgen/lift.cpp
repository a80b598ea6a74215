// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <set>
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

void remove_all(std::string* text, std::string_view word) {
  for (std::size_t at = text->find(word); at != std::string::npos; at = text->find(word, at)) {
    text->erase(at, word.size());
  }
}

// ` "key"="value"` with any value.
void remove_attribute(std::string* text, std::string_view key) {
  const std::string start = " \"" + std::string(key) + "\"=\"";
  const std::size_t at = text->find(start);
  if (at == std::string::npos) return;
  const std::size_t end = text->find('"', at + start.size());
  text->erase(at, end + 1 - at);
}

std::string neutral_attributes(std::string line) {
  for (const std::string_view key : {"target-cpu", "target-features", "tune-cpu"})
    remove_attribute(&line, key);
  // LLVM's parser refuses a group without any attribute.
  const std::size_t open = line.find('{');
  if (line.find_first_not_of(' ', open + 1) == line.find('}', open)) line.insert(open + 1, " nounwind");
  return line;
}

std::string lift_attributes(std::string line) {
  line = neutral_attributes(std::move(line));
  for (const std::string_view word : {" noinline", " optnone", " convergent"}) remove_all(&line, word);
  if (line.find_first_not_of(' ', line.find('{') + 1) == line.find('}'))
    line.insert(line.find('{') + 1, " nounwind");
  return line;
}

// The variables that clang makes of `local` declarations are called <kernel>.<variable>.
std::string lift_global(std::string line, const std::set<std::string>& functions) {
  static constexpr std::string_view kKeyword = " global ";
  const std::size_t keyword = line.find(kKeyword);
  if (keyword == std::string::npos) return line;
  const std::string name = line.substr(1, line.find(" = ") - 1);
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || !functions.contains(name.substr(0, dot)) ||
      line.find(" internal ") == std::string::npos) {
    throw Refusal("program-scope variable '" + name +
                  "' can be written: all groups and launches would share it; pass it as an argument");
  }
  line.insert(line.find(" internal ") + std::string_view(" internal").size(), " thread_local");
  return line;
}

std::string lift_code(std::string line) {
  remove_all(&line, " spir_kernel");
  remove_all(&line, " spir_func");
  const bool is_header = line.starts_with("define ") || line.starts_with("declare ");
  std::string name;
  std::size_t from = 0;
  while ((from = find_function_reference(line, from, &name)) != std::string::npos) {
    const std::size_t open = from + 1 + name.size();
    from = open;
    if (is_intrinsic(name)) continue;
    const bool has_parameters = line[open + 1] != ')';
    const bool needs_no_name = line.starts_with("declare ");
    line.insert(open + 1,
                std::string(needs_no_name ? "ptr" : "ptr %xhal.item") + (has_parameters ? ", " : ""));
    if (is_header) break;
  }
  if (line.starts_with("define ")) {
    const std::size_t close = matching_bracket(line, line.find('(', line.find('@')));
    std::size_t attributes = line.find(" #", close);
    if (attributes == std::string::npos) attributes = close + 1;
    line.insert(attributes, " alwaysinline");
  }
  return line;
}

// clang passes values to OpenCL kernels by rules that no C function has. A wrapper in C calls this instead, which takes a
// pointer to each value.
std::string value_loader(const Function& kernel) {
  std::string parameters = "ptr %xhal.item";
  std::string loads;
  std::string values = "ptr %xhal.item";
  for (std::size_t i = 0; i < kernel.parameters.size(); ++i) {
    const std::string number = std::to_string(i);
    const std::string& text = kernel.parameters[i];
    const bool is_vector = text.starts_with('<');
    const std::string type = text.substr(0, is_vector ? matching_bracket(text, 0) + 1 : text.find(' '));
    parameters += ", ptr %argument" + number;
    if (type == "ptr") {
      values += ", ptr %argument" + number;
    } else {
      loads += "  %value" + number + " = load " + type + ", ptr %argument" + number + ", align 1\n";
      values += ", " + type + " %value" + number;
    }
  }
  return "\ndefine void @" + kernel.name + kCallSuffix + "(" + parameters + ") alwaysinline nounwind {\n" +
         loads + "  call void @" + kernel.name + "(" + values + ")\n  ret void\n}\n";
}

}  // namespace

std::string neutral(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line.starts_with("attributes #") ? neutral_attributes(line) : line;
    text += '\n';
  }
  return text;
}

std::string lift(const std::vector<std::string>& lines) {
  std::set<std::string> functions;
  std::string loaders;
  for (const Function& function : parse_module(lines).functions) {
    if (function.is_definition) functions.insert(function.name);
    if (is_kernel(function)) loaders += value_loader(function);
  }
  std::string text;
  for (const std::string& line : lines) {
    if (line.starts_with("attributes #")) {
      text += lift_attributes(line);
    } else if (line.starts_with("@")) {
      text += lift_global(line, functions);
    } else if (line.starts_with("!") || line.starts_with(";") || line.starts_with("target ") ||
               line.starts_with("source_filename") || line.starts_with("%")) {
      text += line;
    } else {
      text += lift_code(line);
    }
    text += '\n';
  }
  return text + loaders;
}

}  // namespace xhal::kernelgen
