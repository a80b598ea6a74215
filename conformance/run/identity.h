// SPDX-License-Identifier: Apache-2.0
// Who was judged by whom, where and how: what makes two reports comparable.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "report/report.h"
#include "run/run.h"
#include "run/runner.h"

namespace xhal::conformance {

// A report without tests.
Report new_report(const Options& options, const Probe& found, const RunSettings& settings);

// Kernel, machine, processor, and the variables by which libxhal and drivers are told what to do.
nlohmann::json environment_of(const Target& target);

// Of two JSON reports: what they must have in common to be parts of one run, "seed 1 and seed 2"; "" when they agree. Not the machine and not
// the piece of hardware: shards run where there is room.
std::string difference(const nlohmann::json& one, const nlohmann::json& other);

}  // namespace xhal::conformance
