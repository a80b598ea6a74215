// SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include "clause.hpp"
#include "discovery/json.hpp"
#include "support.hpp"

namespace xhal::discovery {
namespace {

using test::line_problem;

std::string error_of(const std::string& text, const json::Limits& limits = {}) {
  const json::Parsed parsed = json::parse(text, limits);
  if (parsed.value) return "accepted";
  EXPECT_EQ(line_problem(parsed.error.text), "");
  EXPECT_NE(parsed.error.text, "");
  return std::to_string(parsed.error.position.line) + ":" + std::to_string(parsed.error.position.column) +
         " " + parsed.error.text;
}

std::string string_of(const std::string& text) {
  const json::Parsed parsed = json::parse(text);
  return parsed.value ? parsed.value->text : "refused: " + parsed.error.text;
}

TEST(Json, ReadsEachType) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  const json::Parsed parsed =
      json::parse(" {\"a\": [null, true, false, -1.5e3, \"x\"],\r\n\t\"b\": {}, \"c\": []} \n");
  ASSERT_TRUE(parsed.value) << parsed.error.text;
  const json::Value& root = *parsed.value;
  ASSERT_EQ(root.type, json::Type::kObject);
  ASSERT_EQ(root.members.size(), 3u);
  const auto& items = root.find("a")->items;
  ASSERT_EQ(items.size(), 5u);
  EXPECT_EQ(items[0].type, json::Type::kNull);
  EXPECT_TRUE(items[1].boolean);
  EXPECT_FALSE(items[2].boolean);
  EXPECT_EQ(items[2].type, json::Type::kBoolean);
  EXPECT_EQ(items[3].text, "-1.5e3");
  EXPECT_EQ(items[3].integer(), std::nullopt);
  EXPECT_EQ(items[4].text, "x");
  EXPECT_EQ(root.members[1].position.line, 2u);
  EXPECT_EQ(root.members[1].position.column, 2u);
  EXPECT_EQ(root.find("b")->type, json::Type::kObject);
  EXPECT_EQ(root.find("d"), nullptr);
}

TEST(Json, ReadsWholeNumbers) {
  const auto number = [](const char* text) { return json::parse(text).value->integer(); };
  EXPECT_EQ(number("0"), 0);
  EXPECT_EQ(number("-0"), 0);
  EXPECT_EQ(number("9223372036854775807"), INT64_MAX);
  EXPECT_EQ(number("-9223372036854775808"), INT64_MIN);
  EXPECT_EQ(number("9223372036854775808"), std::nullopt);
  EXPECT_EQ(number("1.0"), std::nullopt);
}

TEST(Json, DecodesStrings) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  EXPECT_EQ(string_of(R"("\"\\\/\b\f\n\r\t")"), "\"\\/\b\f\n\r\t");
  EXPECT_EQ(string_of(R"("\u0041\u00e9\u20AC\uD83D\ude00")"), "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80");
  EXPECT_EQ(string_of("\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f\""),
            "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\x7f");
}

struct BrokenCase {
  const char* text;
  const char* error;
};

TEST(Json, SaysWhereAndWhatIsBroken) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  static const BrokenCase kCases[] = {
      {"", "1:1 the file holds no JSON value"},
      {" \n ", "2:2 the file holds no JSON value"},
      {"\xef\xbb\xbf{}", "1:1 the file starts with a byte order mark; save it as plain UTF-8"},
      {"{} {}", "1:4 expected the end of the file after the value, found '{'"},
      {"{\"a\":1,}",
       "1:8 expected a key in double quotes, found '}' (JSON allows no comma after the last one)"},
      {"[1,]", "1:4 expected a value, found ']' (JSON allows no comma after the last one)"},
      {"[1 2]", "1:4 expected ',' or ']' in an array, found '2'"},
      {"{\"a\" 1}", "1:6 expected ':' after the key 'a', found '1'"},
      {"{\"a\":1 \"b\":2}", "1:8 expected ',' or '}' in an object, found '\"'"},
      {"{a:1}", "1:2 expected a key in double quotes, found 'a'"},
      {"{'a':1}", "1:2 expected a key in double quotes, found '''"},
      {"[", "1:2 expected a value, found the end of the file"},
      {"{", "1:2 expected a key in double quotes, found the end of the file"},
      {"{\"a\":", "1:6 expected a value, found the end of the file"},
      {"// no\n1", "1:1 expected a value, found '/'; JSON has no comments"},
      {"True", "1:1 expected a value, found 'T'"},
      {"trueish", "1:1 expected a value, found the word 'trueish'"},
      {"nul", "1:1 expected a value, found the word 'nul'"},
      {"NaN", "1:1 expected a value, found 'N'"},
      {"01", "1:2 a number has no leading zeros"},
      {"-", "1:2 expected a digit in a number, found the end of the file"},
      {"1.", "1:3 expected a digit after '.', found the end of the file"},
      {".5", "1:1 expected a value, found '.'"},
      {"+1", "1:1 expected a value, found '+'"},
      {"1e+", "1:4 expected a digit in an exponent, found the end of the file"},
      {"0x10", "1:2 expected the end of the file after the value, found 'x'"},
      {"\"abc", "1:1 this string is not closed"},
      {"\"a\nb\"",
       "1:3 a control character in a string; write it as an escape, or close the string before the line "
       "ends"},
      {"\"a\tb\"", "1:3 a control character in a string; write it as an escape"},
      {"\"\\x41\"", "1:2 an unknown escape in a string; known are \\\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u"},
      {"\"\\u12g4\"", "1:6 expected four hexadecimal digits after \\u, found 'g'"},
      {"\"\\ud800\"", "1:2 the first half of a surrogate pair stands alone"},
      {"\"\\ud800\\u0041\"", "1:2 the first half of a surrogate pair stands alone"},
      {"\"\\ud800x\"", "1:2 the first half of a surrogate pair stands alone"},
      {"\"\\udc00\"", "1:2 the second half of a surrogate pair stands alone"},
      {"\"\\u0000\"", "1:2 the character U+0000 is not allowed in a string"},
      {"\"\xff\"", "1:2 bytes that are not valid UTF-8"},
      {"\"\xc0\xaf\"", "1:2 bytes that are not valid UTF-8"},
      {"\"\xed\xa0\x80\"", "1:2 bytes that are not valid UTF-8"},
      {"\"\xf4\x90\x80\x80\"", "1:2 bytes that are not valid UTF-8"},
      {"\"\xe2\x82\"", "1:2 bytes that are not valid UTF-8"},
      {"\xff", "1:1 expected a value, found '\\xff'"},
      {"[\"\xc3\xa9\", x]", "1:7 expected a value, found 'x'"},
      {"{\n  \"a\": tru\n}", "2:8 expected a value, found the word 'tru'"},
  };
  for (const BrokenCase& broken : kCases) EXPECT_EQ(error_of(broken.text), broken.error) << broken.text;
  EXPECT_EQ(error_of(std::string("\0", 1)), "1:1 expected a value, found '\\x00'");
}

TEST(Json, RefusesDuplicateKeysAtAnyDepth) {
  XHAL_CLAUSE("XHAL-LOADER-5");
  EXPECT_EQ(error_of("{\"a\":1,\n \"a\":2}"), "2:2 the key 'a' stands twice in one object");
  EXPECT_EQ(error_of(R"({"a":1,"\u0061":2})"), "1:8 the key 'a' stands twice in one object");
  EXPECT_EQ(error_of(R"([{"x-v":{"b":[{"c":1,"c":1}]}}])"), "1:22 the key 'c' stands twice in one object");
  EXPECT_EQ(error_of(R"({"a":{"a":1},"b":{"a":1}})"), "accepted");
}

std::string nested(std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); }

TEST(Json, KeepsEachLimitExactly) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  EXPECT_EQ(error_of(nested(16)), "accepted");
  EXPECT_EQ(error_of(nested(17)), "1:17 objects and arrays are nested deeper than 16");
  EXPECT_EQ(error_of(std::string(100000, '[')), "1:1 the file has more than 65536 bytes");
  EXPECT_EQ(error_of(std::string(60000, '[')), "1:17 objects and arrays are nested deeper than 16");

  EXPECT_EQ(error_of("\"" + std::string(4096, 'x') + "\""), "accepted");
  EXPECT_EQ(error_of("\"" + std::string(4097, 'x') + "\""), "1:1 a string has more than 4096 bytes");

  EXPECT_EQ(error_of(std::string(32, '7')), "accepted");
  EXPECT_EQ(error_of(std::string(33, '7')), "1:1 a number has more than 32 characters");

  EXPECT_EQ(error_of("1" + std::string(65535, ' ')), "accepted");
  EXPECT_EQ(error_of("1" + std::string(65536, ' ')), "1:1 the file has more than 65536 bytes");

  std::string items = "0";
  std::string members = "\"k0\":0";
  for (int i = 1; i < 256; ++i) {
    items += ",0";
    members += ",\"k" + std::to_string(i) + "\":0";
  }
  EXPECT_EQ(error_of("[" + items + "]"), "accepted");
  EXPECT_EQ(error_of("[" + items + ",0]"), "1:514 an array has more than 256 items");
  EXPECT_EQ(error_of("{" + members + "}"), "accepted");
  EXPECT_NE(error_of("{" + members + ",\"k\":0}").find("an object has more than 256 members"),
            std::string::npos);
}

TEST(Json, AnyPrefixOfAFileIsRefused) {
  XHAL_CLAUSE("XHAL-LOADER-4");
  const std::string whole = test::manifest_text("sim", {{"x-more", R"({"a":[1,"\u00e9"]})"}});
  const std::size_t end = whole.find_last_of('}');
  for (std::size_t length = 0; length <= end; ++length) {
    EXPECT_NE(error_of(whole.substr(0, length)), "accepted") << length;
  }
  EXPECT_EQ(error_of(whole.substr(0, end + 1)), "accepted");
}

}  // namespace
}  // namespace xhal::discovery
