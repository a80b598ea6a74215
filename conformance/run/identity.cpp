// SPDX-License-Identifier: Apache-2.0
#include "run/identity.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <thread>

#include "build_info.h"
#include "report/sha256.h"
#include "run/subject.h"

namespace xhal::conformance {

namespace {

std::string target_arguments(const Target& target, const std::string& default_kernels) {
  std::string out = target.driver_path.empty() ? "--backend " + shell_word(target.backend)
                                               : "--driver " + shell_word(target.driver_path);
  out += fmt::format(" --device {}", target.device_index);
  if (target.kernel_directory != default_kernels) out += " --kernels " + shell_word(target.kernel_directory);
  return out;
}

// "model name", or what else the architecture calls it.
std::string processor() {
  std::ifstream in("/proc/cpuinfo");
  for (std::string line; std::getline(in, line);) {
    const size_t colon = line.find(": ");
    if (colon == std::string::npos) continue;
    for (const char* name : {"model name", "Processor", "CPU part", "uarch"}) {
      if (line.starts_with(name)) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

std::string now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

const nlohmann::json& member(const nlohmann::json& json, std::string_view path) {
  const nlohmann::json* at = &json;
  while (!path.empty()) {
    const size_t dot = std::min(path.find('.'), path.size());
    at = &at->at(std::string(path.substr(0, dot)));
    path.remove_prefix(std::min(dot + 1, path.size()));
  }
  return *at;
}

// Variables that name places differ from machine to machine.
nlohmann::json variables_that_count(const nlohmann::json& report) {
  nlohmann::json out = report.at("environment").at("variables");
  for (const char* place : {"XHAL_DRIVER_PATH", "XHAL_LAYER_PATH", "XHAL_LOG"}) out.erase(place);
  return out;
}

}  // namespace

nlohmann::json environment_of(const Target& target) {
  nlohmann::json variables = nlohmann::json::object();
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (text.starts_with("XHAL_") && equals != std::string_view::npos)
      variables[std::string(text.substr(0, equals))] = text.substr(equals + 1);
  }
  for (const auto& [name, value] : target.environment) variables[name] = value;
  utsname system{};
  uname(&system);
  return {{"kernel", fmt::format("{} {} {}", system.sysname, system.release, system.version)},
          {"machine", system.machine},
          {"cpu", processor()},
          {"cpus", std::thread::hardware_concurrency()},
          {"variables", variables}};
}

Report new_report(const Options& options, const Probe& found, const RunSettings& settings) {
  Report report;
  report.started = now();
  report.environment = environment_of(options.target);
  report.suite_version = build::version();
  report.suite_commit = build::commit();
  report.suite_dirty = build::dirty();
  report.driver = found.driver;
  report.driver["sha256"] = sha256_of_file(found.driver.value("path", ""));
  if (!report.driver.contains("libraries")) report.driver["libraries"] = nlohmann::json::array();
  report.device = found.devices.front();
  report.device.erase("feature_words");
  report.device_count = found.devices.size();
  report.level = options.level;
  report.seed = settings.seed;
  report.shuffled = options.shuffle;
  report.filters = options.filters;
  report.jobs = options.jobs;
  report.timeout_s = options.test_deadline_s;
  report.entry_timeout_s = options.entry_deadline_s;
  report.kernels = options.target.kernel_directory;
  report.kernels_sha256 = sha256_of_file(options.target.kernel_directory + "/manifest.json");
  report.waivers_file = options.waivers;
  report.allow_waivers = options.allow_waivers;
  if (!options.waivers.empty()) report.waivers_sha256 = sha256_of_file(options.waivers);
  report.round_trip_ns = found.round_trip_ns;
  report.patience_ns = settings.patience_ns;
  report.test_deadline_s = options.test_deadline_s > 0 ? options.test_deadline_s : deadline_of(settings);
  report.target_arguments = target_arguments(options.target, options.share_directory + "/kernels");
  return report;
}

std::string difference(const nlohmann::json& one, const nlohmann::json& other) {
  constexpr struct {
    const char* path;
    const char* name;
  } kSame[] = {
      {"abi", "ABI"},
      {"suite.version", "suite version"},
      {"suite.commit", "suite commit"},
      {"suite.dirty", "uncommitted changes of the suite"},
      {"driver.name", "driver"},
      {"driver.sha256", "hash of the driver's file"},
      {"driver.version", "driver version"},
      {"driver.emulated", "driver that is emulated"},
      {"driver.native_driver_version", "native driver version"},
      {"driver.native_runtime_version", "native runtime version"},
      {"device.name", "device"},
      {"device.architecture", "device architecture"},
      {"device.features", "features of the device"},
      {"device.declared", "declarations of the device"},
      {"device_count", "number of devices"},
      {"level", "level"},
      {"seed", "seed"},
      {"options.shuffled", "option --shuffle"},
      {"options.filters", "option --filter"},
      {"options.jobs", "option --jobs"},
      {"options.timeout_s", "option --timeout"},
      {"options.entry_timeout_s", "option --entry-timeout"},
      {"options.kernels_sha256", "hash of the kernel pack"},
      {"options.waivers_sha256", "hash of the waivers"},
  };
  constexpr size_t kLong = 120;
  const auto text = [](const nlohmann::json& value) {
    std::string out = value.is_string() ? value.get<std::string>() : value.dump();
    if (out.size() > kLong) out = out.substr(0, kLong) + "...";
    return out.empty() ? std::string("none") : out;
  };
  const auto told = [&](const char* name, const nlohmann::json& a, const nlohmann::json& b) {
    return fmt::format("{} {} and {}", name, text(a), text(b));
  };
  for (const auto& field : kSame) {
    const nlohmann::json& a = member(one, field.path);
    const nlohmann::json& b = member(other, field.path);
    if (a != b) return told(field.name, a, b);
  }
  const auto variables = variables_that_count(one);
  const auto others = variables_that_count(other);
  if (variables != others) return told("variables", variables, others);
  return {};
}

}  // namespace xhal::conformance
