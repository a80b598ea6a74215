// SPDX-License-Identifier: Apache-2.0
#include "report/document.h"
#include "report/report.h"
#include "report/report_files.h"

namespace xhal::conformance {

using nlohmann::json;

namespace {

// The relay takes 2 MB; whoever wants all has the artifact.
constexpr size_t kMostNames = 100;

// A tick is for a device that was judged and found to keep the contract, as the exit code 0 of a whole run is.
bool succeeded(const json& report) {
  for (const json& waiver : report["waivers"]) {
    if (!text_at(waiver, "problem").empty()) return false;
  }
  const std::string verdict = text_at(report, "verdict");
  return !report["incomplete"].get<bool>() &&
         (verdict == name_of(Verdict::kConformant) || (verdict == name_of(Verdict::kConformantWithWaivers) &&
                                                       report["options"].value("allow_waivers", false)));
}

}  // namespace

std::string ci_form(const json& report, const std::string& artifact_url) {
  json failed = json::array();
  size_t bad = 0;
  for (const json& test : report["tests"]) {
    if (!is_bad_outcome(text_at(test, "outcome"))) continue;
    if (bad++ < kMostNames) failed.push_back(test["id"]);
  }
  const json& driver = report["driver"];
  const json& device = report["device"];
  const json& suite = report["suite"];
  const json out = {{"schema", kCiSchema},
                    {"status", "completed"},
                    {"conclusion", succeeded(report) ? "success" : "failure"},
                    {"test-results",
                     {{"passed", report["totals"]["passed"]},
                      {"failed", bad},
                      {"skipped", report["totals"]["skipped"]},
                      {"waived", report["totals"]["waived"]}}},
                    {"failed-tests", failed},
                    {"verdict", report["verdict"]},
                    {"level", report["level"]},
                    {"environment",
                     {{"driver", driver["name"]},
                      {"driver-version", driver["version"]},
                      {"driver-sha256", driver["sha256"]},
                      {"emulated", driver["emulated"]},
                      {"native-driver-version", text_at(driver, "native_driver_version")},
                      {"native-runtime-version", text_at(driver, "native_runtime_version")},
                      {"device", device["name"]},
                      {"device-architecture", device["architecture"]},
                      {"device-count", report["device_count"]},
                      {"abi", report["abi"]},
                      {"suite-version", suite["version"]},
                      {"suite-commit", suite["commit"]},
                      {"seed", report["seed"]},
                      {"kernel", report["environment"]["kernel"]},
                      {"machine", report["environment"]["machine"]},
                      {"cpu", report["environment"]["cpu"]}}},
                    {"artifact-url", artifact_url}};
  return json_text(out);
}

}  // namespace xhal::conformance
