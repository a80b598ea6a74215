// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

constexpr std::string_view kKernelLine = "XHAL_NATIVE_KERNEL(";
constexpr std::string_view kGlobalLine = "XHAL_NATIVE_GLOBAL(";

// What the line names: it starts with one of the two above.
std::string name_in(const std::string& list_line) {
  const std::size_t open = list_line.find('(');
  const std::size_t end = list_line.find_first_of(",)", open);
  if ((!list_line.starts_with(kKernelLine) && !list_line.starts_with(kGlobalLine)) ||
      end == std::string::npos) {
    throw Refusal("is no kernel list: cannot read the line '" + list_line + "'");
  }
  return list_line.substr(open + 1, end - open - 1);
}

std::string quoted(std::string_view text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    json += c;
  }
  return json + '"';
}

}  // namespace

std::string join_lists(std::span<const std::string> files) {
  std::string text;
  std::set<std::string> names;
  for (const std::string& file : files) {
    for (const std::string& line : read_lines(file)) {
      const std::string name = name_in(line);
      if (!names.insert(name).second) {
        throw Refusal(std::string("two sources define the ") +
                      (line.starts_with(kGlobalLine) ? "global variable '" : "kernel '") + name +
                      "': rename one");
      }
      text += line + '\n';
    }
  }
  return text;
}

std::string manifest(std::span<const std::string> arguments) {
  std::string images;
  for (std::size_t i = 1; i + 3 < arguments.size(); i += 4) {
    std::string kernels;
    std::string globals;
    for (const std::string& line : read_lines(arguments[i + 3])) {
      std::string& names = line.starts_with(kGlobalLine) ? globals : kernels;
      names += (names.empty() ? "" : ", ") + quoted(name_in(line));
    }
    images += images.empty() ? "\n" : ",\n";
    images += "    {\n      \"file\": " + quoted(arguments[i]) +
              ",\n      \"format\": " + quoted(arguments[i + 1]) +
              ",\n      \"target\": " + quoted(arguments[i + 2]) + ",\n      \"kernels\": [" + kernels +
              "],\n      \"globals\": [" + globals + "]\n    }";
  }
  return "{\n  \"schema\": 1,\n  \"pack\": " + quoted(arguments[0]) + ",\n  \"images\": [" + images +
         (images.empty() ? "]\n}\n" : "\n  ]\n}\n");
}

}  // namespace xhal::kernelgen
