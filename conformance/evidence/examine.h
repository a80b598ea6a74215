// SPDX-License-Identifier: Apache-2.0
// A bundle against itself, this suite's lists and its challenge: everything but a replay.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "evidence/transcript.h"
#include "report/report.h"

namespace xhal::conformance {

struct Bundle {
  nlohmann::json report;
  std::string report_hash;
  Transcript transcript;
};

struct Examination {
  std::vector<std::string> findings;  // one line each
  std::vector<std::string> notes;     // what a reader must know and is no fault
  // The report again, made of the transcript alone; nothing where that is too broken.
  std::optional<Report> again;
};

// `challenge`: the reviewer's, "" for the one that the bundle names.
Examination examine(const Bundle& bundle, const std::string& challenge, const std::string& share_directory);

}  // namespace xhal::conformance
