// SPDX-License-Identifier: Apache-2.0
// The calling thread's last error (XHAL-ERROR-2, XHAL-ERROR-3).
//
// An error has two halves. Whoever finds it may report a text (report_error, before the call returns); the call path sees the
// negative result and joins it with the entry's name (record_failure). A driver that reports nothing still gives the right code and
// entry. Nothing is allocated or formatted by an error without a report: its text is made when somebody reads it.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "entries.hpp"
#include "xhal/driver.h"

namespace xhal::host {

// The service that drivers and layers call, and libxhal itself with source "xhal".
void report_error(const xhal_error_report_t* report);

// Reports a formatted text as "xhal" and gives back `code`.
[[gnu::format(printf, 2, 3)]] xhal_result_t fail(xhal_result_t code, const char* format, ...);

// Makes `result` (negative) the thread's last error. Gives back `result`, so that it can end a call path.
[[gnu::cold, gnu::noinline]] xhal_result_t record_failure(Entry entry, xhal_result_t result);

// Threads that hold a report which no call has returned. Almost always 0, so that a call which succeeds need not ask for its thread's own
// state: where a library was opened late, that is a call of the dynamic linker. A thread that ends with such a report stays counted,
// which costs the others that question and nothing else.
[[gnu::visibility("hidden")]] extern std::atomic<uint64_t> g_unreturned_reports;

// Gives back `result`, so that it can end a call path.
[[gnu::noinline]] xhal_result_t forget_report_of_this_thread(xhal_result_t result);

// A call succeeded with `result`: what its driver reported on the way to that is nobody's error.
[[gnu::always_inline]] inline xhal_result_t forget_report(xhal_result_t result) {
  if (__builtin_expect(g_unreturned_reports.load(std::memory_order_relaxed) != 0, 0))
    return forget_report_of_this_thread(result);
  return result;
}

// What was reported for `code` since the last recorded error, taken away: "" when nothing was.
struct TakenReport {
  std::string text;
  int64_t native_code = 0;
};
TakenReport take_report(xhal_result_t code);

}  // namespace xhal::host
