// SPDX-License-Identifier: Apache-2.0
#include "thread_error.hpp"

#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "xhal/kit/structs.hpp"

namespace xhal::host {
namespace {

struct Record {
  xhal_result_t code;
  int64_t native_code;
  char source[sizeof(xhal_error_t::driver)];
  char text[XHAL_ERROR_TEXT_CAPACITY];  // "" when nobody reported one
};

// Two records, so that a report that is then not returned leaves the last error alone. Trivial on purpose: it needs no
// constructor at a thread's first error and no destructor before its last one.
struct ThreadError {
  Record records[2];
  Entry entry;
  uint8_t current;  // index of the last error
  bool reported;    // the other record holds a report that no call has returned yet
};

constinit thread_local ThreadError t_error{};

void set_reported(ThreadError& error, bool reported) {
  if (error.reported == reported) return;
  error.reported = reported;
  if (reported) {
    g_unreturned_reports.fetch_add(1, std::memory_order_relaxed);
  } else {
    g_unreturned_reports.fetch_sub(1, std::memory_order_relaxed);
  }
}

// Copies one line: control characters become blanks, and a text that is too long is cut between UTF-8 characters.
void copy_line(char* to, size_t capacity, const char* from) {
  size_t length = 0;
  if (from != nullptr) {
    while (length + 1 < capacity && from[length] != '\0') {
      const char c = from[length];
      to[length++] = static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
    }
    if (from[length] != '\0') {
      while (length > 0 && (static_cast<unsigned char>(from[length]) & 0xc0) == 0x80) --length;
    }
  }
  to[length] = '\0';
}

Record& spare(ThreadError& error) { return error.records[1 - error.current]; }

void describe(const Record& record, const EntryInfo& entry, xhal_error_t& out) {
  if (record.text[0] != '\0') {
    std::memcpy(out.text, record.text, sizeof(out.text));
  } else if (record.code == XHAL_ERROR_UNSUPPORTED && entry.feature != XHAL_FEATURE_CORE) {
    std::snprintf(out.text, sizeof(out.text), "%s: the device does not claim the feature '%s'", entry.name,
                  entry.feature_name);
  } else {
    std::snprintf(out.text, sizeof(out.text), "%s: %s", entry.name, xhal_result_text(record.code));
  }
}

}  // namespace

constinit std::atomic<uint64_t> g_unreturned_reports{0};

void report_error(const xhal_error_report_t* report) {
  if (report == nullptr || report->struct_size < offsetof(xhal_error_report_t, text) + sizeof(report->text))
    return;
  ThreadError& error = t_error;
  Record& record = spare(error);
  record.code = report->code;
  record.native_code = report->native_code;
  copy_line(record.source, sizeof(record.source), report->source);
  copy_line(record.text, sizeof(record.text), report->text);
  set_reported(error, true);
}

xhal_result_t fail(xhal_result_t code, const char* format, ...) {
  char text[2 * XHAL_ERROR_TEXT_CAPACITY];  // cut by copy_line, which knows UTF-8
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  const xhal_error_report_t report = {sizeof(report), code, 0, "xhal", text};
  report_error(&report);
  return code;
}

xhal_result_t record_failure(Entry entry, xhal_result_t result) {
  ThreadError& error = t_error;
  if (error.reported && spare(error).code == result) {
    error.current = static_cast<uint8_t>(1 - error.current);
  } else {
    Record& record = error.records[error.current];
    record.code = result;
    record.native_code = 0;
    record.source[0] = '\0';
    record.text[0] = '\0';
  }
  set_reported(error, false);
  error.entry = entry;
  return result;
}

xhal_result_t forget_report_of_this_thread(xhal_result_t result) {
  set_reported(t_error, false);
  return result;
}

TakenReport take_report(xhal_result_t code) {
  ThreadError& error = t_error;
  TakenReport taken;
  if (error.reported && spare(error).code == code) {
    taken.text = spare(error).text;
    taken.native_code = spare(error).native_code;
  }
  set_reported(error, false);
  return taken;
}

}  // namespace xhal::host

// Neither call records an error of its own: what a caller wants to read must survive the reading.
extern "C" {

xhal_result_t xhal_error_get_last(xhal_error_t* out_error) {
  using namespace xhal::host;
  if (const xhal_result_t checked = xhal::kit::check_out_struct(out_error); checked != XHAL_SUCCESS)
    return checked;
  const ThreadError& error = t_error;
  const Record& record = error.records[error.current];
  xhal_error_t told{};
  told.code = record.code;
  told.entry = "";
  if (record.code != XHAL_SUCCESS) {
    const EntryInfo& entry = info_of(error.entry);
    told.native_code = record.native_code;
    told.entry = entry.name;
    std::memcpy(told.driver, record.source, sizeof(told.driver));
    describe(record, entry, told);
  }
  xhal::kit::write_struct(told, out_error);
  return XHAL_SUCCESS;
}

xhal_result_t xhal_error_clear(void) {
  using namespace xhal::host;
  ThreadError& error = t_error;
  error.records[error.current] = {};
  set_reported(error, false);
  return XHAL_SUCCESS;
}
}
