// SPDX-License-Identifier: Apache-2.0
#include "json.hpp"

#include <charconv>
#include <utility>

#include "text.hpp"

namespace xhal::discovery::json {

const char* name_of(Type type) {
  switch (type) {
    case Type::kNull:
      return "null";
    case Type::kBoolean:
      return "true or false";
    case Type::kNumber:
      return "a number";
    case Type::kString:
      return "a string";
    case Type::kArray:
      return "an array";
    case Type::kObject:
      return "an object";
  }
  return "a value";
}

const Value* Value::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

std::optional<int64_t> Value::integer() const {
  if (type != Type::kNumber) return std::nullopt;
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

bool is_digit(char c) { return c >= '0' && c <= '9'; }

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_utf8(std::string& out, uint32_t code) {
  const auto put = [&](uint32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | (code >> 6));
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | (code >> 12));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | (code >> 18));
    put(0x80 | ((code >> 12) & 0x3f));
    put(0x80 | ((code >> 6) & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

// Recursive descent; the recursion ends at limits.depth. Each read_ function returns false after it set the error.
class Reader {
 public:
  Reader(std::string_view text, const Limits& limits) : text_(text), limits_(limits) {}

  Parsed run() {
    Parsed parsed;
    Value value;
    if (read_document(value)) {
      parsed.value = std::move(value);
    } else {
      parsed.error = std::move(error_);
    }
    return parsed;
  }

 private:
  bool read_document(Value& value) {
    if (text_.size() > limits_.bytes) {
      return fail("the file has more than " + std::to_string(limits_.bytes) + " bytes");
    }
    if (text_.substr(0, kByteOrderMark.size()) == kByteOrderMark) {
      return fail("the file starts with a byte order mark; save it as plain UTF-8");
    }
    skip_blanks();
    if (at_end()) return fail("the file holds no JSON value");
    if (!read_value(value, 0)) return false;
    skip_blanks();
    if (!at_end()) return fail("expected the end of the file after the value, found " + here());
    return true;
  }

  bool read_value(Value& value, std::size_t depth) {
    value.position = position_;
    if (at_end()) return fail("expected a value, found " + here());
    switch (peek()) {
      case '{':
        return enter(value, Type::kObject, depth);
      case '[':
        return enter(value, Type::kArray, depth);
      case '"':
        value.type = Type::kString;
        return read_string(value.text);
      case 't':
        value.boolean = true;
        return read_word("true", value, Type::kBoolean);
      case 'f':
        return read_word("false", value, Type::kBoolean);
      case 'n':
        return read_word("null", value, Type::kNull);
      default:
        break;
    }
    if (peek() == '-' || is_digit(peek())) return read_number(value);
    if (peek() == '/') return fail("expected a value, found '/'; JSON has no comments");
    return fail("expected a value, found " + here());
  }

  bool enter(Value& value, Type type, std::size_t depth) {
    if (depth >= limits_.depth) {
      return fail("objects and arrays are nested deeper than " + std::to_string(limits_.depth));
    }
    value.type = type;
    advance();
    return type == Type::kObject ? read_members(value, depth) : read_items(value, depth);
  }

  bool read_members(Value& object, std::size_t depth) {
    skip_blanks();
    if (take('}')) return true;
    for (;;) {
      skip_blanks();
      if (at_end() || peek() != '"')
        return fail("expected a key in double quotes, found " + here() + after_comma(object.members.size()));
      Member member;
      member.position = position_;
      if (!read_string(member.key)) return false;
      if (object.find(member.key) != nullptr) {
        return fail_at(member.position, "the key " + quoted(member.key, 64) + " stands twice in one object");
      }
      if (object.members.size() >= limits_.elements) {
        return fail_at(member.position,
                       "an object has more than " + std::to_string(limits_.elements) + " members");
      }
      skip_blanks();
      if (!take(':'))
        return fail("expected ':' after the key " + quoted(member.key, 64) + ", found " + here());
      skip_blanks();
      if (!read_value(member.value, depth + 1)) return false;
      object.members.push_back(std::move(member));
      skip_blanks();
      if (take('}')) return true;
      if (!take(',')) return fail("expected ',' or '}' in an object, found " + here());
    }
  }

  bool read_items(Value& array, std::size_t depth) {
    skip_blanks();
    if (take(']')) return true;
    for (;;) {
      skip_blanks();
      if (array.items.size() >= limits_.elements) {
        return fail("an array has more than " + std::to_string(limits_.elements) + " items");
      }
      Value item;
      if (!at_end() && peek() == ']')
        return fail("expected a value, found ']'" + after_comma(array.items.size()));
      if (!read_value(item, depth + 1)) return false;
      array.items.push_back(std::move(item));
      skip_blanks();
      if (take(']')) return true;
      if (!take(',')) return fail("expected ',' or ']' in an array, found " + here());
    }
  }

  bool read_word(std::string_view word, Value& value, Type type) {
    const Position start = position_;
    std::size_t length = 0;
    while (length < rest().size() && rest()[length] >= 'a' && rest()[length] <= 'z') ++length;
    const std::string_view found = rest().substr(0, length);
    if (found != word) return fail_at(start, "expected a value, found the word " + quoted(found, 32));
    for (std::size_t i = 0; i < length; ++i) advance();
    value.type = type;
    return true;
  }

  bool read_number(Value& value) {
    const Position start = position_;
    const std::size_t first = offset_;
    take('-');
    if (at_end() || !is_digit(peek())) return fail("expected a digit in a number, found " + here());
    if (take('0')) {
      if (!at_end() && is_digit(peek())) return fail("a number has no leading zeros");
    } else {
      skip_digits();
    }
    if (take('.')) {
      if (at_end() || !is_digit(peek())) return fail("expected a digit after '.', found " + here());
      skip_digits();
    }
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (at_end() || !is_digit(peek())) return fail("expected a digit in an exponent, found " + here());
      skip_digits();
    }
    const std::string_view digits = text_.substr(first, offset_ - first);
    if (digits.size() > limits_.number_bytes) {
      return fail_at(start, "a number has more than " + std::to_string(limits_.number_bytes) + " characters");
    }
    value.type = Type::kNumber;
    value.text = digits;
    return true;
  }

  bool read_string(std::string& out) {
    const Position start = position_;
    advance();
    for (;;) {
      if (at_end()) return fail_at(start, "this string is not closed");
      if (take('"')) return true;
      const auto byte = static_cast<unsigned char>(peek());
      if (byte == '\\') {
        if (!read_escape(out)) return false;
      } else if (byte < 0x20) {
        return fail("a control character in a string; write it as an escape" +
                    std::string(byte == '\n' ? ", or close the string before the line ends" : ""));
      } else {
        const std::size_t length = utf8_sequence_length(rest());
        if (length == 0) return fail("bytes that are not valid UTF-8");
        out.append(rest().substr(0, length));
        advance();
      }
      if (out.size() > limits_.string_bytes) {
        return fail_at(start, "a string has more than " + std::to_string(limits_.string_bytes) + " bytes");
      }
    }
  }

  bool read_escape(std::string& out) {
    const Position start = position_;
    advance();
    if (at_end()) return fail("the file ends inside a string");
    const char kind = peek();
    switch (kind) {
      case '"':
      case '\\':
      case '/':
        out += kind;
        break;
      case 'b':
        out += '\b';
        break;
      case 'f':
        out += '\f';
        break;
      case 'n':
        out += '\n';
        break;
      case 'r':
        out += '\r';
        break;
      case 't':
        out += '\t';
        break;
      case 'u':
        return read_code_point(out, start);
      default:
        return fail_at(start,
                       "an unknown escape in a string; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u");
    }
    advance();
    return true;
  }

  // At the 'u' of an escape. Characters above U+FFFF are two escapes, a surrogate pair.
  bool read_code_point(std::string& out, const Position& start) {
    uint32_t code = 0;
    if (!read_four_digits(code)) return false;
    if (code >= 0xdc00 && code <= 0xdfff)
      return fail_at(start, "the second half of a surrogate pair stands alone");
    if (code >= 0xd800 && code <= 0xdbff) {
      uint32_t low = 0;
      const bool pair = take('\\') && !at_end() && peek() == 'u' && read_four_digits(low);
      if (!pair || low < 0xdc00 || low > 0xdfff)
        return fail_at(start, "the first half of a surrogate pair stands alone");
      code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    // Every string ends up in C, where it would end here.
    if (code == 0) return fail_at(start, "the character U+0000 is not allowed in a string");
    append_utf8(out, code);
    return true;
  }

  bool read_four_digits(uint32_t& code) {
    advance();
    for (int i = 0; i < 4; ++i) {
      const int digit = at_end() ? -1 : hex_digit(peek());
      if (digit < 0) return fail("expected four hexadecimal digits after \\u, found " + here());
      code = code * 16 + static_cast<uint32_t>(digit);
      advance();
    }
    return true;
  }

  std::string_view rest() const { return text_.substr(offset_); }
  bool at_end() const { return offset_ >= text_.size(); }
  char peek() const { return text_[offset_]; }

  // One character on; a line feed starts a line.
  void advance() {
    const std::size_t length = utf8_sequence_length(rest());
    if (peek() == '\n') {
      ++position_.line;
      position_.column = 1;
    } else {
      ++position_.column;
    }
    offset_ += length == 0 ? 1 : length;
  }

  bool take(char c) {
    if (at_end() || peek() != c) return false;
    advance();
    return true;
  }

  void skip_digits() {
    while (!at_end() && is_digit(peek())) advance();
  }

  void skip_blanks() {
    while (!at_end() && (peek() == ' ' || peek() == '\t' || peek() == '\n' || peek() == '\r')) advance();
  }

  std::string here() const {
    if (at_end()) return "the end of the file";
    const std::size_t length = utf8_sequence_length(rest());
    return quoted(rest().substr(0, length == 0 ? 1 : length));
  }

  static std::string after_comma(std::size_t already_there) {
    return already_there > 0 ? " (JSON allows no comma after the last one)" : "";
  }

  bool fail(std::string text) { return fail_at(position_, std::move(text)); }

  // The innermost reason counts: an outer function that fails because an inner one did keeps the inner one's words.
  bool fail_at(const Position& position, std::string text) {
    if (!failed_) error_ = {position, std::move(text)};
    failed_ = true;
    return false;
  }

  std::string_view text_;
  Limits limits_;
  std::size_t offset_ = 0;
  Position position_;
  Error error_;
  bool failed_ = false;
};

}  // namespace

Parsed parse(std::string_view text, const Limits& limits) { return Reader(text, limits).run(); }

}  // namespace xhal::discovery::json
