// SPDX-License-Identifier: Apache-2.0
// The files of --report: looked at before a run, written behind it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/output_file.h"

namespace xhal::conformance {

// "json, junit, ...": what a report can be written as.
std::string report_formats();

class ReportFiles {
 public:
  // `texts` are FORMAT=FILE. `power` is a file that `xhal-conform faults --json` wrote, or "". Stops with the user's mistake.
  ReportFiles(const std::vector<std::string>& texts, const std::string& power, std::string artifact_url);

  // Whether one of them is the standard output.
  [[nodiscard]] bool take_stdout() const;
  // JSON reports, the oldest first. All forms tell of the last; the HTML form has the others as its history.
  void write(const std::vector<nlohmann::json>& reports);

 private:
  // Stops unless one of them is of this format, which alone shows what the option gives.
  void expect(const char* format, const char* option) const;

  struct One {
    std::string format;
    OutputFile file;
    bool to_stdout;
  };

  std::vector<One> files_;
  nlohmann::json power_;
  std::string artifact_url_;
};

// A JSON text as our files hold it.
std::string json_text(const nlohmann::json& value);

}  // namespace xhal::conformance
