// SPDX-License-Identifier: Apache-2.0
#include "event_text.hpp"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace xhal::trace {
namespace {

constexpr size_t kLongestString = 128;

// Bytes of the well-formed UTF-8 sequence at the front of `text`; 0 when there is none.
size_t utf8_length(std::string_view text) {
  const auto byte = [&](size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U; };
  const auto continues = [&](size_t i) { return (byte(i) & 0xC0U) == 0x80U; };
  const unsigned lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return continues(1) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const bool overlong = lead == 0xE0 && byte(1) < 0xA0;
    const bool surrogate = lead == 0xED && byte(1) > 0x9F;
    return continues(1) && continues(2) && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const bool overlong = lead == 0xF0 && byte(1) < 0x90;
    const bool above = lead == 0xF4 && byte(1) > 0x8F;
    return continues(1) && continues(2) && continues(3) && !overlong && !above ? 4 : 0;
  }
  return 0;
}

// Stands in a JSON string as it is.
bool is_plain(char c) { return c >= 0x20 && c < 0x7F && c != '"' && c != '\\'; }

}  // namespace

void EventText::piece(std::string_view text) {
  if (text.size() > kCapacity - size_) {
    overflowed_ = true;
    return;
  }
  std::memcpy(text_ + size_, text.data(), text.size());
  size_ += text.size();
}

void EventText::number(uint64_t value) {
  char digits[24];
  piece({digits, std::to_chars(digits, digits + sizeof(digits), value).ptr});
}

void EventText::signed_number(int64_t value) {
  char digits[24];
  piece({digits, std::to_chars(digits, digits + sizeof(digits), value).ptr});
}

// The format counts in microseconds; three decimals keep the nanoseconds.
void EventText::microseconds(uint64_t nanoseconds) {
  number(nanoseconds / 1000);
  const auto rest = static_cast<unsigned>(nanoseconds % 1000);
  const char decimals[4] = {'.', static_cast<char>('0' + rest / 100), static_cast<char>('0' + rest / 10 % 10),
                            static_cast<char>('0' + rest % 10)};
  piece({decimals, sizeof(decimals)});
}

void EventText::quoted(std::string_view text) {
  piece("\"");
  const bool cut = text.size() > kLongestString;
  if (cut) text = text.substr(0, kLongestString);
  while (!text.empty()) {
    const auto plain = static_cast<size_t>(std::ranges::find_if_not(text, is_plain) - text.begin());
    piece(text.substr(0, plain));  // nearly always all of it
    text.remove_prefix(plain);
    if (text.empty()) break;
    const size_t length = utf8_length(text);
    const char c = text.front();
    if (length == 0) {
      piece("\xEF\xBF\xBD");  // the replacement character
    } else if (c == '"' || c == '\\') {
      const char escaped[2] = {'\\', c};
      piece({escaped, 2});
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      constexpr char kHex[] = "0123456789abcdef";
      const char escaped[6] = {'\\', 'u', '0', '0', kHex[static_cast<unsigned char>(c) >> 4], kHex[c & 0xF]};
      piece({escaped, 6});
    } else {
      piece(text.substr(0, length));
    }
    text.remove_prefix(length == 0 ? 1 : length);
  }
  piece(cut ? "...\"" : "\"");
}

void EventText::begin(char phase, std::string_view name, Track track, uint64_t time_ns) {
  piece(",\n{\"ph\":\"");
  piece({&phase, 1});
  piece("\",\"name\":");
  quoted(name);
  piece(",\"pid\":");
  number(track.process);
  piece(",\"tid\":");
  number(track.thread);
  piece(",\"ts\":");
  microseconds(time_ns);
}

void EventText::key(std::string_view key) {
  piece(in_arguments_ ? ",\"" : ",\"args\":{\"");
  in_arguments_ = true;
  piece(key);
  piece("\":");
}

void EventText::argument(std::string_view key, std::string_view text) {
  this->key(key);
  quoted(text);
}

void EventText::argument(std::string_view key, const void* pointer) {
  this->key(key);
  char digits[24] = "\"0x";
  char* end =
      std::to_chars(digits + 3, digits + sizeof(digits), reinterpret_cast<uintptr_t>(pointer), 16).ptr;
  *end++ = '"';
  piece({digits, end});
}

void EventText::arguments_of(const EventText& other) {
  if (other.size_ == 0) return;
  overflowed_ = overflowed_ || other.overflowed_;
  // What the other holds begins with the opening of its arguments, or continues ours.
  constexpr std::string_view kOpening = ",\"args\":{";
  std::string_view text = other.text();
  if (in_arguments_ && text.starts_with(kOpening)) {
    piece(",");
    text.remove_prefix(kOpening.size());
  }
  piece(text);
  in_arguments_ = true;
}

void EventText::end() {
  piece(in_arguments_ ? "}}" : "}");
  in_arguments_ = false;
}

}  // namespace xhal::trace
