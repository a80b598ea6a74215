// SPDX-License-Identifier: Apache-2.0
// Log lines: to an instance's callback, or where XHAL_LOG says.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "xhal/instance.h"

namespace xhal::host {

// XHAL_LOG=error|warning|info|debug[:file]. Without the variable: warnings to stderr.
struct LogSetting {
  uint32_t level = XHAL_LOG_WARNING;
  std::string file;   // "": stderr
  std::string fault;  // "" or what is wrong with the text, in a few words; the default applies then
};
LogSetting parse_log_setting(std::string_view text);

// Where an instance's lines go. A callback gets every level and decides itself; it wins over the variable.
// Small and copied: a line that comes after its instance is gone has no dangling place to go to.
class LogSink {
 public:
  constexpr LogSink() = default;
  static LogSink to_callback(xhal_log_fn callback, void* user);
  // Opens the file for appending (a file once in the life of a process, never closed). Falls back to stderr; `fault` says why.
  static LogSink to_file(const LogSetting& setting, std::string& fault);

  bool wants(uint32_t level) const { return callback_ != nullptr || level <= level_; }
  // One line, written at once, so that lines of several threads and processes do not mix.
  void write(uint32_t level, const char* source, const char* text) const;

 private:
  xhal_log_fn callback_ = nullptr;
  void* user_ = nullptr;
  uint32_t level_ = XHAL_LOG_WARNING;
  int descriptor_ = 2;
};

}  // namespace xhal::host
