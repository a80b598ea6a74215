// SPDX-License-Identifier: Apache-2.0
#include "log.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <iterator>

#include "registry.hpp"

namespace xhal::host {
namespace {

constexpr const char* kLevels[] = {"error", "warning", "info", "debug"};
constexpr size_t kLineCapacity = 1024;

}  // namespace

LogSetting parse_log_setting(std::string_view text) {
  LogSetting setting;
  const size_t colon = text.find(':');
  const std::string_view level = text.substr(0, colon);
  const auto* found = std::find(std::begin(kLevels), std::end(kLevels), level);
  if (found == std::end(kLevels)) {
    setting.fault.append("'").append(level).append("' is none of error, warning, info, debug");
    return setting;
  }
  setting.level = static_cast<uint32_t>(found - std::begin(kLevels));
  if (colon != std::string_view::npos) {
    setting.file = text.substr(colon + 1);
    if (setting.file.empty()) setting.fault = "no file is named behind the colon";
  }
  return setting;
}

LogSink LogSink::to_callback(xhal_log_fn callback, void* user) {
  LogSink sink;
  sink.callback_ = callback;
  sink.user_ = user;
  return sink;
}

LogSink LogSink::to_file(const LogSetting& setting, std::string& fault) {
  LogSink sink;
  sink.level_ = setting.level;
  if (setting.file.empty()) return sink;
  const int descriptor = Registry::get().log_file(setting.file);
  if (descriptor < 0) {
    fault = "cannot open '" + setting.file + "' for appending: " + std::strerror(errno);
  } else {
    sink.descriptor_ = descriptor;
  }
  return sink;
}

void LogSink::write(uint32_t level, const char* source, const char* text) const {
  if (!wants(level)) return;
  level = std::min(level, static_cast<uint32_t>(XHAL_LOG_DEBUG));
  if (source == nullptr) source = "";
  if (text == nullptr) text = "";
  if (callback_ != nullptr) {
    callback_(user_, level, source, text);
    return;
  }
  char line[kLineCapacity];
  const int length = std::snprintf(line, sizeof(line), "xhal: %s: %s: %s", kLevels[level], source, text);
  if (length < 0) return;
  size_t size = std::min(static_cast<size_t>(length), sizeof(line) - 1);
  std::replace(line, line + size, '\n', ' ');
  line[size++] = '\n';
  // A full disk or a closed stderr is no reason to disturb the program; and the call may stand between a failure and its errno.
  const int saved_errno = errno;
  size_t done = 0;
  while (done < size) {
    const ssize_t written = ::write(descriptor_, line + done, size - done);
    if (written <= 0 && errno != EINTR) break;
    if (written > 0) done += static_cast<size_t>(written);
  }
  errno = saved_errno;
}

}  // namespace xhal::host
