// SPDX-License-Identifier: Apache-2.0
// Feeds any bytes to the JSON reader and to the manifest reader and checks what must hold whatever they were.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "discovery/json.hpp"
#include "discovery/manifest.hpp"
#include "discovery/path.hpp"
#include "discovery/text.hpp"

namespace xhal::discovery {
namespace {

void require(bool condition, const char* rule) {
  if (condition) return;
  std::fprintf(stderr, "broken rule: %s\n", rule);
  std::abort();
}

void write(const json::Value& value, std::string& out);

void write_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", byte);
      out += escape;
    } else {
      out += c;
    }
  }
  out += '"';
}

void write(const json::Value& value, std::string& out) {
  switch (value.type) {
    case json::Type::kNull:
      out += "null";
      break;
    case json::Type::kBoolean:
      out += value.boolean ? "true" : "false";
      break;
    case json::Type::kNumber:
      out += value.text;
      break;
    case json::Type::kString:
      write_string(value.text, out);
      break;
    case json::Type::kArray:
      out += '[';
      for (const json::Value& item : value.items) {
        if (&item != &value.items.front()) out += ',';
        write(item, out);
      }
      out += ']';
      break;
    case json::Type::kObject:
      out += '{';
      for (const json::Member& member : value.members) {
        if (&member != &value.members.front()) out += ',';
        write_string(member.key, out);
        out += ':';
        write(member.value, out);
      }
      out += '}';
      break;
  }
}

bool same(const json::Value& a, const json::Value& b) {
  return a.type == b.type && a.boolean == b.boolean && a.text == b.text &&
         std::equal(a.items.begin(), a.items.end(), b.items.begin(), b.items.end(), same) &&
         std::equal(a.members.begin(), a.members.end(), b.members.begin(), b.members.end(),
                    [](const json::Member& x, const json::Member& y) {
                      return x.key == y.key && same(x.value, y.value);
                    });
}

void require_within(const json::Value& value, const json::Limits& limits, std::size_t depth) {
  require(value.items.size() <= limits.elements && value.members.size() <= limits.elements,
          "no more elements than allowed");
  require(value.text.size() <= limits.string_bytes, "no longer strings than allowed");
  require(depth <= limits.depth, "no deeper than allowed");
  for (const json::Value& item : value.items) require_within(item, limits, depth + 1);
  for (const json::Member& member : value.members) require_within(member.value, limits, depth + 1);
}

void check_json(std::string_view text) {
  const json::Limits limits;
  const json::Parsed parsed = json::parse(text, limits);
  if (!parsed.value) {
    const auto lines = 1 + static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
    require(parsed.error.position.line >= 1 && parsed.error.position.line <= lines,
            "an error lies in the file");
    require(!parsed.error.text.empty() && printable(parsed.error.text) == parsed.error.text,
            "an error is one printable line");
    return;
  }
  require_within(*parsed.value, limits, 0);
  std::string again;
  write(*parsed.value, again);
  json::Limits wide = limits;
  wide.bytes = again.size();
  const json::Parsed reread = json::parse(again, wide);
  require(reread.value && same(*parsed.value, *reread.value), "what was read can be written and read again");
}

void check_manifest(std::string_view text, Kind kind, const std::string& folder) {
  const ManifestReading reading = read_manifest(text, kind, folder);
  require(printable(reading.reason, 65536) == reading.reason, "a reason is one printable line");
  if (reading.result != XHAL_SUCCESS) {
    require(!reading.reason.empty(), "a refusal has a reason");
    require(reading.result == XHAL_ERROR_BAD_MANIFEST || reading.result == XHAL_ERROR_VERSION_MISMATCH,
            "a refusal has its code");
    return;
  }
  require(reading.manifest.has_value(), "a success has a manifest");
  const Manifest& manifest = *reading.manifest;
  require(manifest.kind == kind, "the kind is what was looked for");
  require(!name_problem(manifest.name), "the name keeps its rule");
  require(manifest.abi_major == XHAL_ABI_MAJOR && manifest.abi_minor == XHAL_ABI_MINOR,
          "the version is ours");
  require(is_absolute(manifest.library) && manifest.library == join_path(split_path(manifest.library)),
          "the library's path is plain");
  const auto names = split_path(manifest.library);
  require(std::find(names.begin(), names.end(), "..") == names.end(), "the library's path has no '..'");
  require(printable(manifest.description) == manifest.description, "the description is one line");
}

}  // namespace
}  // namespace xhal::discovery

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace xhal::discovery;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_json(text);
  check_manifest(text, Kind::kDriver, "/opt/x/share/xhal/drivers.d");
  check_manifest(text, Kind::kLayer, "/");
  return 0;
}
