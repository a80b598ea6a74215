// SPDX-License-Identifier: Apache-2.0
#include "frame/check.h"

namespace xhal::conformance {

namespace {

// The text of the calling thread's last error, when it belongs to this result.
std::string error_text(xhal_result_t result) {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  if (result >= 0 || xhal_error_get_last(&error) != XHAL_SUCCESS || error.code != result) return {};
  return error.text;
}

void with_text(std::string& message, const std::string& text) {
  if (!text.empty()) message += "; " + text;
}

}  // namespace

bool expect_clause(Context& t, Clause clause, bool holds, const char* expression, Where where,
                   std::string text) {
  if (t.recorder().asserted(clause, holds)) return true;
  t.recorder().failed(clause.id(), where, expression, std::move(text));
  return false;
}

bool expect_result(Context& t, Clause clause, xhal_result_t got, xhal_result_t expected,
                   const char* expression, Where where, const std::string& text) {
  if (t.recorder().asserted(clause, got == expected)) return true;
  std::string message = fmt::format("expected {}, got {}", result_name(expected), result_name(got));
  with_text(message, text);
  with_text(message, error_text(got));
  if (got == XHAL_ERROR_UNSUPPORTED && expected >= 0) {
    t.recorder().refused(clause.id(), where, expression, std::move(message));
  } else {
    t.recorder().failed(clause.id(), where, expression, std::move(message));
  }
  return false;
}

void require_ok(Context& t, xhal_result_t got, const char* expression, Where where) {
  if (got == XHAL_SUCCESS) return;
  std::string message = fmt::format("needed {}, got {}", result_name(XHAL_SUCCESS), result_name(got));
  with_text(message, error_text(got));
  if (got == XHAL_ERROR_UNSUPPORTED) {
    t.recorder().refused("", where, expression, std::move(message));
  } else {
    t.recorder().failed("", where, expression, std::move(message));
  }
  throw StopTest();
}

void require_given(Context& t, const void* pointer, const char* expression, Where where) {
  if (pointer != nullptr) return;
  t.recorder().failed("", where, expression, "succeeded and gave a null pointer");
  throw StopTest();
}

}  // namespace xhal::conformance
