// SPDX-License-Identifier: Apache-2.0
#include "report/report_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "report/document.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

using namespace ending;
using nlohmann::json;

namespace {

struct Material {
  const std::vector<json>& reports;
  const json& power;
  const std::string& artifact_url;

  [[nodiscard]] const json& last() const { return reports.back(); }
};

constexpr struct {
  const char* name;
  std::string (*text)(const Material&);
} kFormats[] = {
    {"json", [](const Material& from) { return json_text(from.last()); }},
    {"junit", [](const Material& from) { return junit_form(from.last()); }},
    {"markdown", [](const Material& from) { return markdown_form(from.last()); }},
    {"html", [](const Material& from) { return html_form(from.reports, from.power); }},
    {"ci", [](const Material& from) { return ci_form(from.last(), from.artifact_url); }},
};

const auto* format_named(const std::string& name) {
  return std::ranges::find(kFormats, name, [](const auto& one) { return std::string(one.name); });
}

}  // namespace

std::string report_formats() {
  std::string out;
  for (const auto& one : kFormats) out += (out.empty() ? "" : ", ") + std::string(one.name);
  return out;
}

ReportFiles::ReportFiles(const std::vector<std::string>& texts, const std::string& power,
                         std::string artifact_url)
    : artifact_url_(std::move(artifact_url)) {
  if (!power.empty()) power_ = read_power(power);
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    const std::string format = text.substr(0, equals);
    if (equals == std::string::npos || equals + 1 == text.size() ||
        format_named(format) == std::end(kFormats)) {
      stop(kExitUsage,
           fmt::format(
               "--report {}: write FORMAT=FILE, FORMAT being one of {}, FILE '-' for the standard output",
               text, report_formats()));
    }
    const std::string path = text.substr(equals + 1);
    if (path == "-" && take_stdout())
      stop(kExitUsage, "--report: only one report can go to the standard output");
    try {
      files_.push_back({format, OutputFile(path), path == "-"});
    } catch (const OutputError& error) {
      stop(kExitUsage, error.what());
    }
    // Each replaces the file as a whole: the second would leave nothing of the first.
    for (size_t i = 0; i + 1 < files_.size(); ++i) {
      if (!files_[i].file.replaces(files_.back().file)) continue;
      stop(kExitUsage,
           fmt::format("--report {}: another report goes to the same file; name one of its own", text));
    }
  }
  if (!power.empty()) expect("html", "--power");
  if (!artifact_url_.empty()) expect("ci", "--artifact-url");
}

void ReportFiles::expect(const char* format, const char* option) const {
  if (std::ranges::any_of(files_, [&](const One& one) { return one.format == format; })) return;
  stop(kExitUsage,
       fmt::format("{}: only the {} form shows it; give --report {}=FILE, too", option, format, format));
}

bool ReportFiles::take_stdout() const {
  return std::ranges::any_of(files_, [](const One& one) { return one.to_stdout; });
}

void ReportFiles::write(const std::vector<json>& reports) {
  // As whoever reads the files has it: texts of a driver may be broken UTF-8.
  std::vector<json> readable;
  for (const json& report : reports) readable.push_back(json::parse(json_text(report)));
  const Material material{readable, power_, artifact_url_};
  for (One& one : files_) {
    try {
      one.file.commit(format_named(one.format)->text(material));
    } catch (const OutputError& error) {
      stop(kExitInternal, error.what());
    }
  }
}

std::string json_text(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace xhal::conformance
