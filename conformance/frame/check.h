// SPDX-License-Identifier: Apache-2.0
// Assertions. Each names the clause that it checks, so that a failure names a rule of the contract and not only a test. They expect
// the Context as `t` in scope. EXPECT_* go on after a failure and tell whether it held, ASSERT_* leave the test.
//
//   EXPECT_CLAUSE("XHAL-EVENT-3", condition)                      a condition; further arguments: a fmt string and its values
//   EXPECT_RESULT("XHAL-ABI-1", call, XHAL_ERROR_INVALID_HANDLE)  a call's result
//   EXPECT_VALUE("XHAL-MEMORY-1", got, expected)                  two values, both printed; further arguments as above
//   EXPECT_DATA("XHAL-MEMORY-7", expected, got)                   two arrays; the first difference is printed
//   REQUIRE_OK(call)                                              a call that the test needs and does not judge: names no clause
//   TRACED(call)                                                  a call whose result is looked at otherwise: kept for a crash's report
#pragma once

#include <fmt/format.h>

#include <concepts>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "element_oracles.h"
#include "frame/context.h"
#include "frame/trail.h"

namespace xhal::conformance {

inline std::string detail() { return {}; }
template <class... Args>
std::string detail(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}

template <class T>
std::string shown(const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::is_enum_v<T>) {
    return fmt::format("{}", static_cast<std::underlying_type_t<T>>(value));
  } else if constexpr (std::is_pointer_v<T> && !std::is_convertible_v<T, const char*>) {
    return fmt::format("{:#x}", reinterpret_cast<uintptr_t>(value));
  } else {
    return fmt::format("{}", value);
  }
}

// Signed against unsigned compares by value, as a reader of the test expects.
template <class A, class B>
bool same_value(const A& a, const B& b) {
  if constexpr (std::integral<A> && std::integral<B> && !std::is_same_v<A, bool> &&
                !std::is_same_v<B, bool>) {
    return std::cmp_equal(a, b);
  } else {
    return a == b;
  }
}

template <class A, class B>
bool expect_value(Context& t, Clause clause, const A& got, const B& expected, const char* expression,
                  Where where, std::string text) {
  if (t.recorder().asserted(clause, same_value(got, expected))) return true;
  std::string message = fmt::format("expected {}, got {}", shown(expected), shown(got));
  if (!text.empty()) message += "; " + text;
  t.recorder().failed(clause.id(), where, expression, std::move(message));
  return false;
}

template <class A, class B>
bool expect_data(Context& t, Clause clause, const A& expected, const B& got, const char* expression,
                 Where where, std::string text) {
  const auto difference = oracle::first_difference(std::span(expected), std::span(got));
  t.recorder().saw(std::as_bytes(std::span(got)));
  if (t.recorder().asserted(clause, !difference.has_value())) return true;
  std::string message = oracle::to_string(*difference);
  if (!text.empty()) message += "; " + text;
  t.recorder().failed(clause.id(), where, expression, std::move(message));
  return false;
}

bool expect_clause(Context& t, Clause clause, bool holds, const char* expression, Where where,
                   std::string text);
bool expect_result(Context& t, Clause clause, xhal_result_t got, xhal_result_t expected,
                   const char* expression, Where where, const std::string& text);
void require_ok(Context& t, xhal_result_t got, const char* expression, Where where);
// What a successful call gave out: a driver that succeeds without it fails the test and does not crash it.
void require_given(Context& t, const void* pointer, const char* expression, Where where);

}  // namespace xhal::conformance

#define XHAL_HERE \
  ::xhal::conformance::Where { __FILE__, __LINE__ }

#define TRACED(call) (::xhal::conformance::note_call(#call), (call))

#define EXPECT_CLAUSE(clause, condition, ...)                                                              \
  ::xhal::conformance::expect_clause(t, ::xhal::conformance::Clause(clause), static_cast<bool>(condition), \
                                     #condition, XHAL_HERE, ::xhal::conformance::detail(__VA_ARGS__))
#define EXPECT_RESULT(clause, call, expected, ...)                                                       \
  (::xhal::conformance::note_call(#call),                                                                \
   ::xhal::conformance::expect_result(t, ::xhal::conformance::Clause(clause), (call), (expected), #call, \
                                      XHAL_HERE, ::xhal::conformance::detail(__VA_ARGS__)))
#define EXPECT_VALUE(clause, got, expected, ...)                                                     \
  ::xhal::conformance::expect_value(t, ::xhal::conformance::Clause(clause), (got), (expected), #got, \
                                    XHAL_HERE, ::xhal::conformance::detail(__VA_ARGS__))
#define EXPECT_DATA(clause, expected, got, ...)                                                     \
  ::xhal::conformance::expect_data(t, ::xhal::conformance::Clause(clause), (expected), (got), #got, \
                                   XHAL_HERE, ::xhal::conformance::detail(__VA_ARGS__))

#define XHAL_STOP_UNLESS(held)                          \
  do {                                                  \
    if (!(held)) throw ::xhal::conformance::StopTest(); \
  } while (false)
#define ASSERT_CLAUSE(...) XHAL_STOP_UNLESS(EXPECT_CLAUSE(__VA_ARGS__))
#define ASSERT_RESULT(...) XHAL_STOP_UNLESS(EXPECT_RESULT(__VA_ARGS__))
#define ASSERT_VALUE(...) XHAL_STOP_UNLESS(EXPECT_VALUE(__VA_ARGS__))
#define ASSERT_DATA(...) XHAL_STOP_UNLESS(EXPECT_DATA(__VA_ARGS__))

#define REQUIRE_OK(call) \
  (::xhal::conformance::note_call(#call), ::xhal::conformance::require_ok(t, (call), #call, XHAL_HERE))
// REQUIRE_OK of a call that gives memory out: `pointer` is what it was given.
#define REQUIRE_MEMORY(call, pointer) \
  (REQUIRE_OK(call), ::xhal::conformance::require_given(t, (pointer), #call, XHAL_HERE))
