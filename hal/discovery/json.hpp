// SPDX-License-Identifier: Apache-2.0
// A small, strict JSON reader for files that a stranger may have written: RFC 8259 and nothing more, every dimension bounded.
// [XHAL-LOADER-4] [XHAL-LOADER-5]
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::discovery::json {

struct Limits {
  std::size_t bytes = 65536;
  std::size_t depth = 16;           // of objects and arrays in each other
  std::size_t elements = 256;       // members of an object, items of an array
  std::size_t string_bytes = 4096;  // decoded
  std::size_t number_bytes = 32;
};

// 1-based; columns count characters, not bytes.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

enum class Type { kNull, kBoolean, kNumber, kString, kArray, kObject };
const char* name_of(Type type);  // "a string", for messages

struct Member;

struct Value {
  Type type = Type::kNull;
  Position position;
  bool boolean = false;
  std::string text;  // of a string: decoded; of a number: as written
  std::vector<Value> items;
  std::vector<Member> members;  // in the file's order, keys unique

  const Value* find(std::string_view key) const;
  // Nothing unless it is a number without fraction and exponent that fits.
  std::optional<int64_t> integer() const;
};

struct Member {
  std::string key;
  Position position;
  Value value;
};

struct Error {
  Position position;
  std::string text;
};

struct Parsed {
  std::optional<Value> value;  // either this
  Error error;                 // or this
};

Parsed parse(std::string_view text, const Limits& limits = {});

}  // namespace xhal::discovery::json
