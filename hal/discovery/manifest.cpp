// SPDX-License-Identifier: Apache-2.0
#include "manifest.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <vector>

#include "json.hpp"
#include "path.hpp"
#include "text.hpp"

namespace xhal::discovery {

namespace {

constexpr std::size_t kLongestPath = 4095;
constexpr std::size_t kLongestName = 32;
constexpr std::size_t kLongestDescription = 256;
constexpr std::string_view kVendorPrefix = "x-";
// From <prefix>/share/xhal/drivers.d up to <prefix>.
constexpr std::size_t kStepsToPrefix = 3;

const std::vector<std::string>& known_keys() {
  static const auto* keys = new std::vector<std::string>{"xhal_manifest", "kind",        "name",    "library",
                                                         "abi",           "description", "emulated"};
  return *keys;
}

bool has_control_characters(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7f;
  });
}

std::string at(const json::Position& position) {
  return "line " + std::to_string(position.line) + ", column " + std::to_string(position.column) + ": ";
}

// "0.1"; nothing for another form.
bool parse_version(std::string_view text, uint32_t& major, uint32_t& minor) {
  const auto number = [&](uint32_t& out) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    const auto length = static_cast<std::size_t>(end - text.data());
    if (error != std::errc() || length == 0 || (length > 1 && text.front() == '0')) return false;
    text.remove_prefix(length);
    return true;
  };
  if (!number(major) || text.empty() || text.front() != '.') return false;
  text.remove_prefix(1);
  return number(minor) && text.empty();
}

std::string host_version() { return std::to_string(XHAL_ABI_MAJOR) + "." + std::to_string(XHAL_ABI_MINOR); }

class ManifestReader {
 public:
  ManifestReader(Kind wanted, const std::string& folder) : wanted_(wanted), folder_(folder) {}

  ManifestReading run(std::string_view text) {
    json::Parsed parsed = json::parse(text);
    if (!parsed.value) {
      refuse(parsed.error.position, parsed.error.text);
      return std::move(reading_);
    }
    root_ = std::move(*parsed.value);
    if (root_.type != json::Type::kObject) {
      refuse(root_.position, std::string("a manifest is an object, this is ") + json::name_of(root_.type));
      return std::move(reading_);
    }
    if (read_format() && read_kind() && read_name() && read_library() && read_description() &&
        read_emulated() && read_abi()) {
      reading_.result = XHAL_SUCCESS;
      reading_.reason = ignored_keys();
      reading_.manifest = std::move(manifest_);
    }
    return std::move(reading_);
  }

 private:
  // What to do stands behind a semicolon; where a text has nothing better to say, it is this.
  bool refuse(const json::Position& position, const std::string& text) {
    reading_.result = XHAL_ERROR_BAD_MANIFEST;
    reading_.reason = at(position) + text;
    if (text.find("; ") == std::string::npos) reading_.reason += "; correct the manifest";
    return false;
  }

  // The value of a key, when it is there and of the type; `optional` keys may be absent, then `out` is null.
  bool get(const char* key, json::Type type, bool optional, const json::Value*& out) {
    out = root_.find(key);
    if (out == nullptr) {
      if (optional) return true;
      return refuse(root_.position, "the key " + quoted(key) + " is missing" + misspelt(key));
    }
    if (out->type == type) return true;
    return refuse(out->position,
                  quoted(key) + " must be " + json::name_of(type) + ", found " + json::name_of(out->type));
  }

  // A key that is there, is unknown, and looks as if it were meant for the missing one.
  std::string misspelt(const char* missing) const {
    for (const json::Member& member : root_.members) {
      if (is_known(member.key)) continue;
      if (nearest(member.key, {missing})) return "; is " + quoted(member.key, 64) + " meant for it?";
    }
    return "";
  }

  static bool is_known(const std::string& key) {
    return std::find(known_keys().begin(), known_keys().end(), key) != known_keys().end();
  }

  bool read_format() {
    const json::Value* value = nullptr;
    if (!get("xhal_manifest", json::Type::kNumber, false, value)) return false;
    const auto format = value->integer();
    if (format == kManifestFormat) return true;
    if (format && *format > kManifestFormat) {
      return refuse(value->position, "manifest format " + value->text +
                                         " is newer than this libxhal, which reads format 1; update libxhal");
    }
    return refuse(value->position, "'xhal_manifest' must be 1, found " + printable(value->text));
  }

  bool read_kind() {
    const json::Value* value = nullptr;
    if (!get("kind", json::Type::kString, false, value)) return false;
    if (value->text != "driver" && value->text != "layer") {
      return refuse(value->position, "'kind' must be 'driver' or 'layer', found " + quoted(value->text, 64));
    }
    manifest_.kind = value->text == "driver" ? Kind::kDriver : Kind::kLayer;
    if (manifest_.kind == wanted_) return true;
    return refuse(value->position, std::string("this is a ") + name_of(manifest_.kind) + " where a " +
                                       name_of(wanted_) + " is looked for; move it to " +
                                       folder_of(manifest_.kind));
  }

  bool read_name() {
    const json::Value* value = nullptr;
    if (!get("name", json::Type::kString, false, value)) return false;
    if (const auto problem = name_problem(value->text)) {
      return refuse(value->position, "'name' " + quoted(value->text, 64) + " " + *problem);
    }
    manifest_.name = value->text;
    return true;
  }

  bool read_library() {
    const json::Value* value = nullptr;
    if (!get("library", json::Type::kString, false, value)) return false;
    ResolvedLibrary resolved = resolve_library(value->text, folder_, wanted_);
    if (!resolved.problem.empty()) {
      return refuse(value->position, "'library' " + quoted(value->text, 256) + " " + resolved.problem);
    }
    manifest_.library = std::move(resolved.path);
    return true;
  }

  bool read_description() {
    const json::Value* value = nullptr;
    if (!get("description", json::Type::kString, true, value)) return false;
    if (value == nullptr) return true;
    if (value->text.size() > kLongestDescription) {
      return refuse(value->position,
                    "'description' has more than " + std::to_string(kLongestDescription) + " bytes");
    }
    // printable() knows more characters that spoil a line than JSON has names for.
    if (printable(value->text) != value->text) {
      return refuse(value->position, "'description' holds control characters; it is one line of text");
    }
    manifest_.description = value->text;
    return true;
  }

  bool read_emulated() {
    const json::Value* value = nullptr;
    if (!get("emulated", json::Type::kBoolean, true, value)) return false;
    if (value != nullptr) manifest_.emulated = value->boolean;
    return true;
  }

  // Last, so that a manifest for another version is told whole.
  bool read_abi() {
    const json::Value* value = nullptr;
    if (!get("abi", json::Type::kString, false, value)) return false;
    if (!parse_version(value->text, manifest_.abi_major, manifest_.abi_minor)) {
      return refuse(value->position, "'abi' must be a version like \"" + host_version() + "\", found " +
                                         quoted(value->text, 64));
    }
    if (manifest_.abi_major == XHAL_ABI_MAJOR && manifest_.abi_minor == XHAL_ABI_MINOR) return true;
    reading_.result = XHAL_ERROR_VERSION_MISMATCH;
    reading_.reason = std::string(name_of(wanted_)) + " " + quoted(manifest_.name) + " is built for ABI " +
                      value->text + ", this libxhal has " + host_version() + "; install the " +
                      name_of(wanted_) + " that belongs to it";
    reading_.manifest = std::move(manifest_);
    return false;
  }

  // [XHAL-LOADER-11]
  std::string ignored_keys() const {
    std::string text;
    for (const json::Member& member : root_.members) {
      if (is_known(member.key) || member.key.starts_with(kVendorPrefix)) continue;
      if (text.size() > 512) return text + "; and more";
      text += (text.empty() ? "" : "; ") + at(member.position) + "unknown key " + quoted(member.key, 64) +
              " is ignored" + did_you_mean(member.key, known_keys());
    }
    return text;
  }

  Kind wanted_;
  std::string folder_;
  json::Value root_;
  Manifest manifest_;
  ManifestReading reading_;
};

}  // namespace

const char* name_of(Kind kind) { return kind == Kind::kDriver ? "driver" : "layer"; }

const char* folder_of(Kind kind) { return kind == Kind::kDriver ? "drivers.d" : "layers.d"; }

std::optional<std::string> name_problem(std::string_view name) {
  const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };
  const auto is_allowed = [&](char c) { return is_lower(c) || (c >= '0' && c <= '9') || c == '_'; };
  if (name.empty() || name.size() > kLongestName || !is_lower(name.front()) ||
      !std::all_of(name.begin(), name.end(), is_allowed)) {
    return "must be a lower-case letter and at most 31 more lower-case letters, digits or underscores";
  }
  static constexpr std::array<std::string_view, 5> kReserved = {"driver_path", "drivers", "layer_path",
                                                                "layers", "log"};
  if (std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end()) {
    return "is reserved: libxhal itself reads the variable that would hold its options; choose another name";
  }
  return std::nullopt;
}

ResolvedLibrary resolve_library(std::string_view library, const std::string& folder, Kind kind) {
  const auto refuse = [](std::string problem) { return ResolvedLibrary{"", std::move(problem)}; };
  if (library.empty()) return refuse("is empty; name the shared library");
  if (has_control_characters(library)) return refuse("holds control characters");
  if (library.back() == '/') return refuse("ends in '/'; name the shared library, not a folder");

  const bool absolute = library.front() == '/';
  const std::vector<std::string> steps = split_path(library);
  std::vector<std::string> path = absolute ? std::vector<std::string>{} : split_path(folder);
  std::size_t ups = 0;
  while (ups < steps.size() && steps[ups] == "..") ++ups;
  if (std::find(steps.begin() + static_cast<std::ptrdiff_t>(ups), steps.end(), "..") != steps.end()) {
    return refuse("has '..' behind a folder's name; write the path without it");
  }
  if (ups > 0) {
    if (absolute) return refuse("has '..' in an absolute path; write the path without it");
    const std::string installed = std::string("share/xhal/") + folder_of(kind);
    const bool in_installation = path.size() >= kStepsToPrefix && path[path.size() - 3] == "share" &&
                                 path[path.size() - 2] == "xhal" && path.back() == folder_of(kind);
    if (!in_installation) {
      return refuse("starts with '..', which only a manifest in <prefix>/" + installed +
                    " may; give the absolute path");
    }
    if (ups > kStepsToPrefix)
      return refuse("leaves the installation above " + installed + "; give the absolute path");
    path.resize(path.size() - ups);
  }
  path.insert(path.end(), steps.begin() + static_cast<std::ptrdiff_t>(ups), steps.end());
  if (steps.size() == ups) return refuse("names a folder; name the shared library");
  std::string joined = join_path(path);
  if (joined.size() > kLongestPath)
    return refuse("is longer than " + std::to_string(kLongestPath) + " bytes with its folder");
  return {std::move(joined), ""};
}

ManifestReading read_manifest(std::string_view text, Kind wanted, const std::string& folder) {
  return ManifestReader(wanted, folder).run(text);
}

}  // namespace xhal::discovery
