// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <cstring>

#include "state.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::kit {

HelperError* helper_error = nullptr;

namespace {

// No allocation: an error may be about the lack of memory, or come during static destruction.
void report(xhal_result_t code, int64_t native_code, const char* format, va_list arguments) {
  char text[XHAL_ERROR_TEXT_CAPACITY];
  if (std::vsnprintf(text, sizeof(text), format, arguments) < 0) text[0] = '\0';
  for (char* c = text; *c != '\0'; ++c) {  // one line, whatever a vendor's message brings along
    if (static_cast<unsigned char>(*c) < ' ') *c = ' ';
  }
  const xhal_error_report_t error = {sizeof(error), code, native_code, negotiated_name(), text};
  services().report_error(&error);
  if (helper_error != nullptr) {
    helper_error->code = code;
    helper_error->native_code = native_code;
    std::memcpy(helper_error->text, text, sizeof(text));
  }
}

// Initial-exec: one load instead of a call into the dynamic linker, for a word that every submission looks at. Costs a few bytes
// of the static TLS block that glibc keeps for libraries opened later.
[[gnu::tls_model("initial-exec")]] constinit thread_local bool inside_host_function = false;

}  // namespace

xhal_result_t fail(xhal_result_t code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(code, 0, format, arguments);
  va_end(arguments);
  return code;
}

xhal_result_t fail_native(xhal_result_t code, int64_t native_code, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  report(code, native_code, format, arguments);
  va_end(arguments);
  return code;
}

bool in_host_function() { return inside_host_function; }

void run_host_function(xhal_host_fn fn, void* user, xhal_result_t status) {
  struct Inside {
    bool former = inside_host_function;
    Inside() { inside_host_function = true; }
    ~Inside() { inside_host_function = former; }
  };
  const Inside inside;
  fn(user, status);
}

}  // namespace xhal::kit
