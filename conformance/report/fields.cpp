// SPDX-License-Identifier: Apache-2.0
#include "report/fields.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using namespace ending;
using nlohmann::json;

namespace {

bool is_of(const json& value, Kind kind) {
  switch (kind) {
    case Kind::kText:
      return value.is_string();
    case Kind::kNumber:
      return value.is_number();
    case Kind::kBool:
      return value.is_boolean();
    case Kind::kObject:
      return value.is_object();
    case Kind::kList:
      return value.is_array();
    case Kind::kTexts:
      return value.is_array() &&
             std::all_of(value.begin(), value.end(), [](const json& one) { return one.is_string(); });
  }
  return false;
}

}  // namespace

void expect(const json& object, const std::string& where, std::initializer_list<Field> fields) {
  if (!object.is_object()) throw Malformed{fmt::format("{} is no object", where)};
  for (const Field& field : fields) {
    const auto found = object.find(field.name);
    if (found == object.end()) throw Malformed{fmt::format("{} has no '{}'", where, field.name)};
    if (!is_of(*found, field.kind))
      throw Malformed{fmt::format("'{}' of {} is of the wrong kind", field.name, where)};
  }
}

json parsed(const char* what, const std::string& path) {
  std::error_code error;
  std::ifstream in(path, std::ios::binary);
  if (!fs::is_regular_file(path, error) || !in)
    stop(kExitUsage, fmt::format("{} {}: this is no file that can be read", what, path));
  const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  json out = json::parse(text, nullptr, false);
  if (out.is_discarded()) stop(kExitUsage, fmt::format("{} {}: this is no JSON", what, path));
  return out;
}

}  // namespace xhal::conformance
