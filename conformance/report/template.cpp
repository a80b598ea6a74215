// SPDX-License-Identifier: Apache-2.0
#include "report/template.h"

#include <stdexcept>
#include <vector>

#include "report/report.h"
#include "report/sha256.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

std::string base64_of_hex(const std::string& hex) {
  constexpr std::string_view kDigits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2)
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  std::string out;
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t word = 0;
    for (size_t k = 0; k < 3; ++k)
      word = word << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    for (size_t k = 0; k < 4; ++k) out += i + k > bytes.size() ? '=' : kDigits[word >> (18 - 6 * k) & 63];
  }
  return out;
}

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// Control characters and broken UTF-8 made harmless; lines stay lines.
std::string clean(std::string_view text) {
  std::string out;
  for (;;) {
    const size_t end = text.find('\n');
    out += one_line(text.substr(0, end));
    if (end == std::string_view::npos) return out;
    out += '\n';
    text.remove_prefix(end + 1);
  }
}

bool shown(const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_array() || value.is_object()) return !value.empty();
  if (value.is_string()) return !value.get_ref<const std::string&>().empty();
  return !value.is_null();
}

class Renderer {
 public:
  explicit Renderer(std::string_view text) : text_(text) {}

  std::string render(const json& data) {
    scopes_ = {&data};
    std::string out;
    section(out, "", true);
    return out;
  }

 private:
  [[noreturn]] static void fail(const std::string& what) { throw std::logic_error("template: " + what); }

  // From the inside to the outside.
  const json& value(const std::string& name) const {
    if (name == ".") return *scopes_.back();
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
      const json* at = *scope;
      size_t begin = 0;
      while (at != nullptr && begin <= name.size()) {
        const size_t end = std::min(name.find('.', begin), name.size());
        const auto found = at->is_object() ? at->find(name.substr(begin, end - begin)) : at->end();
        at = at->is_object() && found != at->end() ? &*found : nullptr;
        begin = end + 1;
      }
      if (at != nullptr) return *at;
    }
    fail("there is no " + name);
  }

  // Up to the end of the section with this name; `write` is false for what is left out.
  void section(std::string& out, const std::string& name, bool write) {
    for (;;) {
      const size_t open = text_.find("{{", at_);
      if (write) out += text_.substr(at_, open - at_);
      if (open == std::string_view::npos) {
        if (!name.empty()) fail(name + " is not closed");
        return;
      }
      const size_t close = text_.find("}}", open);
      if (close == std::string_view::npos) fail("a tag is not closed");
      std::string tag(text_.substr(open + 2, close - open - 2));
      at_ = close + 2;
      const char kind = tag.empty() ? ' ' : tag.front();
      if (kind == '#' || kind == '^' || kind == '/') tag.erase(0, 1);
      if (kind == '/') {
        if (tag != name) fail(name + " is closed by " + tag);
        return;
      }
      if (kind == '#') {
        repeat(out, tag, write);
      } else if (kind == '^') {
        section(out, tag, write && !shown(value(tag)));
      } else if (write) {
        const json& what = value(tag);
        out += escaped(clean(what.is_string() ? what.get<std::string>() : what.dump()));
      }
    }
  }

  void repeat(std::string& out, const std::string& name, bool write) {
    if (!write || !shown(value(name))) return section(out, name, false);
    const json& what = value(name);
    if (!what.is_array()) {
      scopes_.push_back(&what);
      section(out, name, true);
      scopes_.pop_back();
      return;
    }
    const size_t begin = at_;
    for (const json& one : what) {
      at_ = begin;
      scopes_.push_back(&one);
      section(out, name, true);
      scopes_.pop_back();
    }
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<const json*> scopes_;
};

}  // namespace

std::string rendered(std::string_view text, const json& data) { return Renderer(text).render(data); }

std::string script_hash(std::string_view page) {
  const size_t begin = page.find("<script>") + std::string_view("<script>").size();
  return "sha256-" + base64_of_hex(sha256(page.substr(begin, page.find("</script>", begin) - begin)));
}

}  // namespace xhal::conformance
