// SPDX-License-Identifier: Apache-2.0
// Registering tests. A test is one small piece:
//
//   XHAL_TEST(event, wait_binds_generation, .clauses = {"XHAL-EVENT-3"}, .observes = "what its oracle sees") { ... }
//
// or one for each value of its parameters, which name the case (id "memory.copy/dir=h2d,bytes=17"):
//
//   static Cases copy_cases() { return grid({{"dir", {"h2d", "d2h"}}, {"bytes", {1, 17}}}); }
//   XHAL_TEST_P(memory, copy, copy_cases, .clauses = {...}, .observes = "...") { ... t.text("dir") ... t.number("bytes") ... }
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include "frame/clause.h"
#include "xhal/base.h"

namespace xhal::conformance {

class Context;

struct Parameter {
  std::string name;
  std::string value;
};

// One parameter's value in an axis: an integer or a word.
struct Value {
  std::string text;
  std::vector<uint32_t> needs;  // features that only this value needs

  Value(std::integral auto number) : text(std::to_string(number)) {}  // NOLINT(google-explicit-constructor)
  Value(const char* word) : text(word) {}                             // NOLINT(google-explicit-constructor)
  Value(std::string word, std::vector<uint32_t> features)
      : text(std::move(word)), needs(std::move(features)) {}
};

struct Axis {
  std::string name;
  std::vector<Value> values;
};

struct Case {
  std::vector<Parameter> parameters;
  std::vector<uint32_t> needs;   // beside those of the test
  std::vector<uint32_t> unless;  // beside those of the test
};
using Cases = std::vector<Case>;

// Every combination of the axes' values, the last axis fastest.
Cases grid(const std::vector<Axis>& axes);

struct TestInfo {
  std::vector<Clause> clauses{};
  const char* observes = "";         // what the oracle looks at, for the reader of a report
  std::vector<uint32_t> needs{};     // applies to devices that claim all of these features
  std::vector<uint32_t> unless{};    // applies to devices that claim none of these
  uint32_t devices = 1;              // applies to drivers with at least so many
  bool isolated = false;             // gets a fresh process of its own in which nothing was active before
  bool may_be_unobservable = false;  // its clause admits devices on which nothing can be seen
  // Why the bytes that it reads back are not the same in each run and on each device; "": they are, and have a digest.
  const char* not_bit_exact = "";
};

struct Definition {
  std::string area;
  std::string name;
  TestInfo info;
  Cases (*cases)();  // null: one case without parameters
  void (*function)(Context&);
  const char* file;
  int line;
};

struct TestCase {
  std::string id;
  const Definition* definition;
  Case parameters;

  [[nodiscard]] std::vector<uint32_t> needs() const;
  [[nodiscard]] std::vector<uint32_t> unless() const;
};

// All registered tests, expanded, sorted by id.
std::vector<TestCase> all_cases();
// What is wrong with the registered tests: a clause-less test, an id used twice, a character that a filter could not name.
std::vector<std::string> registration_errors(const std::vector<TestCase>& cases);

struct Registration {
  Registration(const char* area, const char* name, Cases (*cases)(), TestInfo info,
               void (*function)(Context&), const char* file, int line);
};

}  // namespace xhal::conformance

#define XHAL_TEST_P(area, name, cases, ...)                                                                  \
  static void xhal_test_##area##_##name(::xhal::conformance::Context& t);                                    \
  static const ::xhal::conformance::Registration xhal_registration_##area##_##name(                          \
      #area, #name, cases, ::xhal::conformance::TestInfo{__VA_ARGS__}, &xhal_test_##area##_##name, __FILE__, \
      __LINE__);                                                                                             \
  static void xhal_test_##area##_##name([[maybe_unused]] ::xhal::conformance::Context& t)

#define XHAL_TEST(area, name, ...) XHAL_TEST_P(area, name, nullptr, __VA_ARGS__)
