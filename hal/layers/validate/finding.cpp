// SPDX-License-Identifier: Apache-2.0
#include "finding.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>

#include "../common/files.hpp"
#include "xhal/kit/driver.hpp"

namespace xhal::validate {
namespace {

std::atomic<uint32_t> g_exit_code{0};

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    const auto byte = static_cast<unsigned char>(c);
    // Names of programs may hold any byte; JSON may not.
    if (byte < 0x20 || byte >= 0x7f) {
      char escaped[8];
      std::snprintf(escaped, sizeof(escaped), "\\u%04x", byte);
      out += escaped;
    } else {
      out += c;
    }
  }
  out += '"';
}

void append_site(std::string& out, std::string_view key, const Site& site) {
  append_quoted(out, key);
  out += ":{\"entry\":";
  append_quoted(out, "xhal_" + std::string(layers::info_of(site.entry).name));
  out += ",\"call\":" + std::to_string(site.call) + ",\"thread\":" + std::to_string(site.thread) +
         ",\"time_ns\":" + std::to_string(site.time_ns) + ",\"frames\":[";
  const char* separator = "";
  for (const std::string& frame : describe_frames(site)) {
    out += separator;
    append_quoted(out, frame);
    separator = ",";
  }
  out += "]}";
}

std::string line_of(const Finding& finding) {
  const KindInfo& info = info_of(finding.kind);
  std::string line = std::string(info.code) + ": " + finding.text + " (at " + describe(finding.at) + ")";
  if (finding.has_made) line += "; it began at " + describe(finding.made);
  if (finding.has_ended) line += "; it ended at " + describe(finding.ended);
  return line + "; " + std::string(info.fix);
}

}  // namespace

uint32_t exit_code_of_findings() { return g_exit_code.load(std::memory_order_relaxed); }

void Reporter::log(uint32_t level, const std::string& text) const {
  kit::services().log(host_context_, level, "validate", text.c_str());
}

// One write a line, so that the lines of several processes may go to one file.
void Reporter::append_to_file(const Finding& finding, const std::string& line) {
  const KindInfo& info = info_of(finding.kind);
  std::string json = "{\"kind\":";
  append_quoted(json, info.code);
  json += info.severity == Severity::kError ? R"(,"severity":"error")" : R"(,"severity":"warning")";
  json += ",\"driver\":";
  append_quoted(json, driver_name_);
  json += ",\"process\":" + std::to_string(::getpid()) + ",\"text\":";
  append_quoted(json, finding.text);
  json += ",\"fix\":";
  append_quoted(json, info.fix);
  json += ',';
  append_site(json, "at", finding.at);
  if (finding.has_made) {
    json += ',';
    append_site(json, "began", finding.made);
  }
  if (finding.has_ended) {
    json += ',';
    append_site(json, "ended", finding.ended);
  }
  json += ",\"line\":";
  append_quoted(json, line);
  json += "}\n";
  const std::string path = layers::path_of_process(settings_.file);
  const int fd =
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  const bool written = fd >= 0 && ::write(fd, json.data(), json.size()) == static_cast<ssize_t>(json.size());
  if (fd >= 0) ::close(fd);
  if (!written && !file_failed_.exchange(true)) {
    log(XHAL_LOG_WARNING, "findings are not in '" + path +
                              "', which cannot be written; name another file with XHAL_VALIDATE=file=PATH");
  }
}

bool Reporter::tell(const Finding& finding) {
  const KindInfo& info = info_of(finding.kind);
  const bool is_error = info.severity == Severity::kError;
  const uint64_t number =
      counts_[static_cast<size_t>(finding.kind)].fetch_add(1, std::memory_order_relaxed) + 1;
  if (number <= settings_.limit) {
    const std::string line = line_of(finding);
    log(is_error ? XHAL_LOG_ERROR : XHAL_LOG_WARNING, line);
    if (!settings_.file.empty()) append_to_file(finding, line);
  } else if (number == settings_.limit + 1) {
    log(XHAL_LOG_WARNING, "more than " + std::to_string(settings_.limit) + " findings '" +
                              std::string(info.code) +
                              "': further ones are counted and not told (XHAL_VALIDATE=limit=N)");
  }
  if (!is_error) return false;
  if (settings_.exit_code != 0) g_exit_code.store(settings_.exit_code, std::memory_order_relaxed);
  if (settings_.action == Action::kAbort) std::abort();
  return settings_.action == Action::kError;
}

void Reporter::sum_up() {
  uint64_t errors = 0;
  uint64_t warnings = 0;
  std::string list;
  for (size_t i = 0; i < kKindCount; ++i) {
    const uint64_t count = counts_[i].load(std::memory_order_relaxed);
    if (count == 0) continue;
    (kKinds[i].severity == Severity::kError ? errors : warnings) += count;
    list += (list.empty() ? "" : ", ") + std::to_string(count) + " " + std::string(kKinds[i].code);
  }
  if (errors + warnings == 0) {
    log(XHAL_LOG_INFO, "nothing was found in driver '" + driver_name_ + "'");
    return;
  }
  log(errors != 0 ? XHAL_LOG_ERROR : XHAL_LOG_WARNING, "found in driver '" + driver_name_ +
                                                           "': " + std::to_string(errors) + " errors, " +
                                                           std::to_string(warnings) + " warnings: " + list);
}

}  // namespace xhal::validate
