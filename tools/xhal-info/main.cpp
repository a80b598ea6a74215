// SPDX-License-Identifier: Apache-2.0
// xhal-info: what is in the machine, and why a driver is or is not there. docs/xhal-info.md is its manual.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "build_info.h"
#include "common/options.hpp"
#include "common/search.hpp"
#include "common/standard_streams.hpp"
#include "common/terminal.hpp"
#include "describe.hpp"
#include "probe.hpp"
#include "process/child_process.h"
#include "render.hpp"
#include "run/exit_codes.h"

namespace {

using nlohmann::json;
using xhal::info::Look;
using namespace xhal::ending;
using namespace xhal::tools;

constexpr std::string_view kTool = "xhal-info";

struct Options {
  bool as_json = false;
  bool why = false;
  bool topology = false;
  bool features = false;
  std::optional<uint32_t> device;
  double timeout_seconds = 10;
  Selection selection;
  xhal::info::DescribeOptions describe;
  std::string probe_worker;
};

std::string version_text() {
  return fmt::format("xhal-info {} (ABI {}.{}.{}, commit {}{})", xhal::build::version(), XHAL_ABI_MAJOR,
                     XHAL_ABI_MINOR, XHAL_ABI_REVISION, xhal::build::commit(),
                     xhal::build::dirty() ? ", modified" : "");
}

json candidates_json(const std::vector<FoundCandidate>& candidates) {
  json result = json::array();
  for (const FoundCandidate& c : candidates) {
    result.push_back({{"decision", decision_name(c.decision)},
                      {"kind", c.is_layer ? "layer" : "driver"},
                      {"name", printable(c.name)},
                      {"origin", c.origin},
                      {"manifest_path", printable(c.manifest_path)},
                      {"library_path", printable(c.library_path)},
                      {"emulated", c.emulated},
                      {"result", xhal_result_name(c.result)},
                      {"reason", printable(c.reason)}});
  }
  return result;
}

json empty_report() {
  return {
      {"schema", "xhal-info/1"},
      {"version", xhal::build::version()},
      {"commit", xhal::build::commit()},
      {"abi", {{"major", XHAL_ABI_MAJOR}, {"minor", XHAL_ABI_MINOR}, {"revision", XHAL_ABI_REVISION}}},
      {"drivers", json::array()},
  };
}

// No driver is asked for it, so none is listed.
json features_report() {
  json report = empty_report();
  report.erase("drivers");
  report["features"] = xhal::info::describe_features();
  return report;
}

struct Report {
  json content = empty_report();
  int exit_code = kExitNothing;
};

Report make_report(const Options& options, const SearchResult& search) {
  Report report;
  bool any_device = false;
  bool any_wrong_input = false;
  bool any_misbehaved = false;
  const std::chrono::milliseconds deadline(static_cast<long long>(options.timeout_seconds * 1000));
  for (const FoundCandidate& candidate : search.selected_drivers()) {
    xhal::info::Probed probed = xhal::info::probe_driver(candidate, options.describe, deadline);
    any_device = any_device || !probed.driver["devices"].empty();
    any_wrong_input = any_wrong_input || probed.exit_code == kExitUsage;
    any_misbehaved = any_misbehaved || probed.exit_code == kExitMisbehaved;
    report.content["drivers"].push_back(std::move(probed.driver));
  }
  if (options.why) report.content["candidates"] = candidates_json(search.candidates);
  report.exit_code = any_misbehaved    ? kExitMisbehaved
                     : any_wrong_input ? kExitUsage
                     : any_device      ? kExitOk
                                       : kExitNothing;
  return report;
}

std::string as_text(const json& value) {
  return value.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

// One line on the drivers that did not answer, empty when all did.
std::string failed_drivers(const json& report) {
  std::string text;
  for (const json& driver : report["drivers"]) {
    if (driver["status"] == "ok") continue;
    text += fmt::format("{}driver {}: {}", text.empty() ? "" : "; ", driver["name"].get<std::string>(),
                        driver["message"].get<std::string>());
  }
  return text;
}

int print_one_device(const Options& options, const Report& found, const Look& look) {
  const json& report = found.content;
  const std::string failed = failed_drivers(report);
  size_t number = 0;
  for (const json& driver : report["drivers"]) {
    for (const json& device : driver["devices"]) {
      if (number++ != *options.device) continue;
      json shown = report;
      shown["drivers"] = json::array({driver});
      shown["drivers"][0]["devices"] = json::array({device});
      print_text(options.as_json ? as_text(shown) : render_device(driver, device, look));
      // Nobody sees the table, which tells of the others.
      if (!failed.empty()) print_error(kTool, failed);
      return found.exit_code;
    }
  }
  // It may be one of theirs.
  if (!failed.empty()) {
    print_error(kTool, fmt::format("there is no device {}: {}", *options.device, failed));
    return found.exit_code;
  }
  print_error(
      kTool,
      number == 0
          ? fmt::format("there is no device {}: no device was found; see xhal-info --why", *options.device)
          : fmt::format("there is no device {}: devices are 0 to {}", *options.device, number - 1));
  return number == 0 ? kExitNothing : kExitUsage;
}

int run(const Options& options) {
  const Look look{use_color(stdout) && !options.as_json, terminal_width(stdout, 160)};
  if (options.features) {
    const json report = features_report();
    print_text(options.as_json ? as_text(report) : render_features(report["features"], look));
    return kExitOk;
  }
  const SearchResult search = search_drivers(options.selection);
  if (search.result < 0) {
    print_error(kTool, search.text);
    if (options.why && options.as_json) {
      json report = empty_report();
      report["candidates"] = candidates_json(search.candidates);
      print_text(as_text(report));
    } else if (options.why) {
      print_text(render_why(search.candidates, look));
    }
    return exit_code_of(Entry::kNotLoaded, search.result);
  }
  if (options.why && !options.as_json) print_text(render_why(search.candidates, look) + "\n");
  const Report report = make_report(options, search);
  if (options.device) return print_one_device(options, report, look);
  print_text(options.as_json    ? as_text(report.content)
             : options.topology ? render_topology(report.content, look)
                                : render_overview(report.content, look));
  return report.exit_code;
}

int info(int argc, char** argv) {
  Options options;
  CLI::App app{"Shows drivers and devices, and why a driver is or is not there.", "xhal-info"};
  app.footer(
      "Exit codes: 0 fine, 1 a driver misbehaved, 2 wrong input, 3 no device, 4 a defect of this tool.");
  app.set_version_flag("--version", version_text());
  app.add_flag("--json", options.as_json, "print JSON (schema: share/xhal/schemas/xhal-info.schema.json)");
  auto* why = app.add_flag("--why", options.why, "tell every decision of the search for drivers and layers");
  auto* topology = app.add_flag("--topology", options.topology, "print the matrix of links between devices");
  auto* features = app.add_flag("--features", options.features, "print what the features mean");
  auto* memory =
      app.add_flag("--memory", options.describe.memory, "ask for free memory too; this may open the device");
  auto* device =
      app.add_option("--device", options.device, "everything about one device, counted over all drivers");
  auto* backend =
      app.add_option("--backend", options.selection.backends, "look at this driver only (repeatable)")
          ->delimiter(',')
          ->check(not_empty());
  auto* driver = app.add_option("--driver", options.selection.driver_paths,
                                "a driver's manifest or library (repeatable)")
                     ->check(not_empty());
  auto* timeout = app.add_option("--timeout", options.timeout_seconds, "seconds a driver may take to answer")
                      ->check(CLI::Range(0.01, 3600.0));
  // What would be ignored is refused.
  for (CLI::Option* option : {why, topology, memory, device, backend, driver, timeout})
    features->excludes(option);
  topology->excludes(device)->excludes(memory);
  app.add_option("--probe-worker", options.probe_worker)->group("")->check(not_empty());
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    print_error(kTool, fmt::format("{}; see xhal-info --help", error.what()));
    return kExitUsage;
  }
  try {
    if (!options.probe_worker.empty() && !xhal::process::begin_worker()) {
      print_error(kTool, "--probe-worker is how this program starts itself; see xhal-info --help");
      return kExitUsage;
    }
    if (!options.probe_worker.empty())
      return xhal::info::run_probe_worker(options.probe_worker, options.describe);
    return run(options);
  } catch (const std::exception& error) {
    print_error(kTool, fmt::format("defect: {}; please report it", error.what()));
    return kExitInternal;
  }
}

}  // namespace

int main(int argc, char** argv) {
  prepare_standard_streams();
  return finish(kTool, info(argc, argv));
}
