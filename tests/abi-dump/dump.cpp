// SPDX-License-Identifier: Apache-2.0
#include "dump.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <sstream>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "xhal/driver.h"

namespace xhal::abi {

namespace {

bool is_ours(std::string_view name) { return name.starts_with("xhal_") || name.starts_with("XHAL_"); }

std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(' ') - begin + 1);
}

// The list's own view: what the preprocessor makes of it.
void write_list(std::ostream& out) {
  out << "abi " << XHAL_ABI_MAJOR << "." << XHAL_ABI_MINOR << " revision " << XHAL_ABI_REVISION << "\n";
  out << "pointer-bytes " << sizeof(void*) << "\n";
  size_t index = 0;
#define XHAL_ENTRY(feature, since, name, ...)                                                               \
  out << "entry " << index++ << " offset " << offsetof(xhal_functions_t, name) << " " << #name << " since " \
      << (since) << " feature " << #feature << " " << #__VA_ARGS__ << "\n";
#define XHAL_HOST_ENTRY(name, ...)
#include "xhal/entry_points.def"
#define XHAL_HOST_ENTRY(name, ...) out << "host-entry " << #name << " " << #__VA_ARGS__ << "\n";
#include "xhal/entry_points.def"
#define XHAL_DUMP_HANDLE(name, tag) out << "handle " << #name << " " << (tag) << "\n";
  XHAL_HANDLE_LIST(XHAL_DUMP_HANDLE)
#undef XHAL_DUMP_HANDLE
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  out << "feature " << #lower << " " << (bit) << " since " << (since) << " needs " << #needs << "\n";
#include "xhal/features.def"
#undef XHAL_FEATURE
#define XHAL_DUMP_RESULT(name, value, text) out << "result " << #name << " " << (value) << "\n";
  XHAL_RESULT_LIST(XHAL_DUMP_RESULT)
#undef XHAL_DUMP_RESULT
}

const nlohmann::json* find_constant(const nlohmann::json& node) {
  if (node.value("kind", "") == "ConstantExpr" && node.contains("value")) return &node["value"];
  if (!node.contains("inner")) return nullptr;
  for (const auto& child : node["inner"]) {
    if (const auto* value = find_constant(child)) return value;
  }
  return nullptr;
}

void write_enum(std::ostream& out, const nlohmann::json& node) {
  long long next = 0;
  for (const auto& constant : node.value("inner", nlohmann::json::array())) {
    if (constant.value("kind", "") != "EnumConstantDecl") continue;
    const std::string name = constant.at("name").get<std::string>();
    if (const auto* value = find_constant(constant)) next = std::stoll(value->get<std::string>());
    if (is_ours(name)) out << "constant " << name << " " << next << "\n";
    ++next;
  }
}

void write_declarations(std::ostream& out, const std::string& text) {
  const auto ast = nlohmann::json::parse(text, nullptr, false);
  if (!ast.is_object() || !ast.contains("inner"))
    throw std::runtime_error("clang's AST is no JSON object with 'inner'");
  std::map<std::string, std::string> types;
  for (const auto& node : ast["inner"]) {
    const std::string kind = node.value("kind", "");
    const std::string name = node.value("name", "");
    if (kind == "EnumDecl") write_enum(out, node);
    if (!is_ours(name)) continue;
    if (kind == "TypedefDecl") types["typedef " + name] = node.at("type").at("qualType").get<std::string>();
    if (kind == "FunctionDecl") types["function " + name] = node.at("type").at("qualType").get<std::string>();
  }
  if (types.empty()) throw std::runtime_error("clang's AST holds no xhal_ declaration");
  for (const auto& [name, type] : types) out << name << " " << type << "\n";
}

// Function-like macros, include guards and helpers are no part of what a compiled program relies on.
void write_macros(std::ostream& out, const std::string& text) {
  std::istringstream in(text);
  std::map<std::string, std::string> macros;
  for (std::string line; std::getline(in, line);) {
    constexpr std::string_view kDefine = "#define ";
    if (!line.starts_with(kDefine)) continue;
    const std::string_view rest = std::string_view(line).substr(kDefine.size());
    const size_t blank = rest.find(' ');
    const std::string name(rest.substr(0, blank));
    const std::string value(blank == std::string_view::npos ? "" : trimmed(rest.substr(blank)));
    const bool counts =
        is_ours(name) && name.find('(') == std::string::npos && !value.empty() && name != "XHAL_EXPORT";
    // The first line of the dump has it.
    if (counts && !name.starts_with("XHAL_ABI_")) macros[name] = value;
  }
  for (const auto& [name, value] : macros) out << "macro " << name << " " << value << "\n";
}

std::string record_text(const std::string& name, const std::string& size, const std::string& fields) {
  return name + " " + size + "\n" + fields;
}

// A block of clang's layout dump:
//          0 | struct xhal_error
//          0 |   uint32_t struct_size
//            | [sizeof=568, align=8]
void write_layouts(std::ostream& out, const std::string& text) {
  std::istringstream in(text);
  std::map<std::string, std::string> records;
  std::string name;
  std::string body;
  size_t field = 0;
  for (std::string line; std::getline(in, line);) {
    const size_t bar = line.find(" | ");
    if (bar == std::string::npos) {
      name.clear();
      continue;
    }
    const std::string offset(trimmed(line.substr(0, bar)));
    const std::string what = line.substr(bar + 3);
    const size_t depth = what.find_first_not_of(' ');
    if (depth == 0 && !offset.empty()) {
      name = what;
      body.clear();
      field = 0;
    } else if (name.empty()) {
      continue;
    } else if (what.starts_with("[sizeof=")) {
      std::string size = what.substr(1, what.find(']') - 1);
      std::replace(size.begin(), size.end(), '=', ' ');
      size.erase(std::remove(size.begin(), size.end(), ','), size.end());
      if (name.starts_with("struct xhal_") || name.starts_with("union xhal_")) {
        records[name] = record_text(name, size, body);
      }
      name.clear();
    } else if (depth == 2) {
      if (offset.find_first_not_of("0123456789") != std::string::npos) {
        throw std::runtime_error(name + " holds a bit field; the layout of these is the compiler's choice");
      }
      std::ostringstream row;
      row << "  field " << field++ << " offset " << offset << " " << trimmed(what) << "\n";
      body += row.str();
    }
  }
  if (records.empty()) throw std::runtime_error("clang's layouts hold no struct xhal_");
  for (const auto& [ignored, record] : records) out << record;
}

}  // namespace

std::string dump(const CompilerOutputs& outputs) {
  std::ostringstream out;
  out << "# What a program or driver of this contract relies on. Written by tests/abi-dump; "
         "scripts/accept-abi.sh replaces it.\n";
  write_list(out);
  write_declarations(out, outputs.ast);
  write_macros(out, outputs.macros);
  write_layouts(out, outputs.layouts);
  return out.str();
}

}  // namespace xhal::abi
