// SPDX-License-Identifier: Apache-2.0
#include "run/render.h"

#include <algorithm>

#include "report/document.h"
#include "report/report_files.h"
#include "run/command.h"
#include "run/exit_codes.h"

namespace xhal::conformance {

int render(const RenderOptions& options) {
  return ended([&] {
    std::vector<nlohmann::json> reports;
    for (const std::string& path : options.from) reports.push_back(read_report(path));
    std::ranges::stable_sort(reports, {}, [](const nlohmann::json& one) { return text_at(one, "started"); });
    ReportFiles(options.reports, options.power, options.artifact_url).write(reports);
    return static_cast<int>(ending::kExitOk);
  });
}

}  // namespace xhal::conformance
