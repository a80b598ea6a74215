// SPDX-License-Identifier: Apache-2.0
#include "commands.h"
#include "common/options.hpp"
#include "report/report_files.h"

namespace xhal::conform {

void add_report_options(CLI::App& app, std::vector<std::string>& reports, std::string& power,
                        std::string& artifact_url) {
  app.add_option("--report", reports,
                 "FORMAT=FILE with FORMAT one of " + conformance::report_formats() +
                     "; FILE - is the standard output (repeatable)")
      ->check(tools::not_empty())
      ->allow_extra_args(false);
  app.add_option("--power", power, "JSON of 'faults' on this device, for the html form")
      ->check(tools::not_empty());
  app.add_option("--artifact-url", artifact_url, "where the reports will be found, for the ci form")
      ->check(tools::not_empty());
}

}  // namespace xhal::conform
