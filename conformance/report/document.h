// SPDX-License-Identifier: Apache-2.0
// A JSON report as a document: what every other form is made from, also long after the run and by another build of the suite.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace xhal::conformance {

// The report in this file. Stops with what is wrong with it: no file, no JSON, no report, a field that is missing or of another kind.
nlohmann::json read_report(const std::string& path);
// What `xhal-conform faults --json` wrote: killed, total, faults[{name, family, clause, verdict, killed_by[]}]. Stops likewise.
nlohmann::json read_power(const std::string& path);

// Failed, crashed, ...: somebody has to look at it, and no waiver excuses it.
bool is_bad_outcome(const std::string& outcome);
// A member that is a text; "" when it is null, missing or something else.
std::string text_at(const nlohmann::json& object, const char* key);
// "memory" of "memory.copy/dir=h2d".
std::string area_of(const std::string& id);
// The first clause that a failure of the test names, else the first of the test's.
std::string broken_clause(const nlohmann::json& test);
// What the clause says, "" for one that this build does not know.
std::string rule_of(const std::string& clause);
// At most so many bytes, whole characters, with "..." for the rest.
std::string shortened(const std::string& text, size_t most);

// What the report of a run that answers a challenge says of itself, one line; "" for any other.
std::string evidence_line(const nlohmann::json& report);

std::string junit_form(const nlohmann::json& report);
// For a pull request: never longer than the largest comment that the usual hosts take.
inline constexpr size_t kMostMarkdown = 60'000;
std::string markdown_form(const nlohmann::json& report);
// What PyTorch's cross-repository CI takes: its callback's inputs `conclusion` and `test-results`, the environment, and where the rest is.
inline constexpr const char* kCiSchema = "xhal-conform-ci/1";
std::string ci_form(const nlohmann::json& report, const std::string& artifact_url);
// One file that needs no other: of the last report, with the others as its history. `power` is null or of read_power().
std::string html_form(const std::vector<nlohmann::json>& reports, const nlohmann::json& power);

}  // namespace xhal::conformance
