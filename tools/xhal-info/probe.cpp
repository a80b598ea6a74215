// SPDX-License-Identifier: Apache-2.0
#include "probe.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "common/terminal.hpp"
#include "process/child_process.h"
#include "run/exit_codes.h"

namespace xhal::info {
namespace {

using nlohmann::json;

// One line of the answer; a parent that has gone is no reason to fail.
void tell(const json& line) {
  const std::string text = line.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  size_t written = 0;
  while (written < text.size()) {
    const ssize_t count = write(process::kAnswerDescriptor, text.data() + written, text.size() - written);
    if (count <= 0) return;
    written += static_cast<size_t>(count);
  }
}

void tell_stage(const char* stage) { tell({{"stage", stage}}); }

template <class Handle, class Enumerate>
std::vector<Handle> enumerate(const char* entry, Enumerate call) {
  uint32_t count = 0;
  xhal_result_t result = call(0, nullptr, &count);
  std::vector<Handle> handles(result < 0 ? 0 : std::min<uint32_t>(count, 4096));
  if (!handles.empty()) result = call(static_cast<uint32_t>(handles.size()), handles.data(), &count);
  if (result < 0) throw Failure{entry, result, tools::last_error_text(result)};
  return handles;
}

json describe_all(xhal_instance_t instance, const DescribeOptions& options) {
  const auto drivers = enumerate<xhal_driver_t>("xhal_instance_get_drivers",
                                                [&](uint32_t n, xhal_driver_t* out, uint32_t* count) {
                                                  return xhal_instance_get_drivers(instance, n, out, count);
                                                });
  if (drivers.empty())
    throw Failure{"xhal_instance_create", XHAL_ERROR_DRIVER_FAILED, "the driver was left out"};
  tell_stage("enumerate");
  const auto devices = enumerate<xhal_device_t>(
      "xhal_driver_get_devices", [&](uint32_t n, xhal_device_t* out, uint32_t* count) {
        return xhal_driver_get_devices(drivers.front(), n, out, count);
      });
  tell_stage("properties");
  json result = describe_driver(drivers.front());
  result["devices"] = json::array();
  for (xhal_device_t device : devices) result["devices"].push_back(describe_device(device, devices, options));
  return result;
}

// What a driver that works warned of while it did, such as hardware that it leaves out. Its vendor's chatter is none of it.
std::string warnings_of(const std::string& name, const std::string& noise) {
  const std::string begin = "xhal: warning: " + name + ": ";
  std::string out;
  std::istringstream lines(noise);
  for (std::string text; std::getline(lines, text);) {
    if (!text.starts_with(begin)) continue;
    out += (out.empty() ? "" : "; ") + tools::printable(text.substr(begin.size()));
  }
  return out;
}

}  // namespace

int run_probe_worker(const std::string& load_path, const DescribeOptions& options) {
  // One call does all three, so nobody outside of it can tell them apart.
  tell_stage("load, open or enumeration");
  const char* path = load_path.c_str();
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.driver_paths = &path;
  desc.driver_path_count = 1;
  desc.drivers = "";
  desc.layers = "";
  xhal_instance_t instance = nullptr;
  const xhal_result_t created = xhal_instance_create(&desc, &instance);
  if (created < 0) {
    tell({{"error", tools::last_error_text(created)},
          {"code", xhal_result_name(created)},
          {"refused", created}});
    return ending::kExitMisbehaved;
  }
  int code = ending::kExitOk;
  try {
    tell({{"result", describe_all(instance, options)}});
  } catch (const Failure& failure) {
    const bool named = failure.text.starts_with(failure.entry);
    tell({{"error", named ? failure.text : fmt::format("{}: {}", failure.entry, failure.text)},
          {"code", xhal_result_name(failure.result)}});
    code = ending::kExitMisbehaved;
  }
  tell_stage("close");
  xhal_instance_destroy(instance);
  tell_stage("exit");
  return code;
}

Probed probe_driver(const tools::FoundCandidate& candidate, const DescribeOptions& options,
                    std::chrono::milliseconds deadline) {
  // A library that was named without a manifest has no name until it has answered.
  json driver = {{"name", candidate.name.empty() ? candidate.load_path() : candidate.name},
                 {"emulated", candidate.emulated},
                 {"manifest_path", candidate.manifest_path},
                 {"library_path", candidate.library_path},
                 {"devices", json::array()}};
  if (const std::string why = tools::why_no_driver(candidate); !why.empty()) {
    driver["status"] = "failed";
    driver["message"] = tools::printable(why);
    return {driver, ending::exit_code_of(ending::Entry::kNotLoaded, XHAL_ERROR_DRIVER_FAILED)};
  }
  std::vector<std::string> arguments = {process::self_path(), "--probe-worker", candidate.load_path()};
  if (options.memory) arguments.emplace_back("--memory");
  const process::ChildResult child = process::run_child(arguments, deadline);

  std::string stage = "start";
  std::string error;
  ending::Entry entry = ending::Entry::kBroke;
  xhal_result_t result = XHAL_SUCCESS;
  bool answered = false;
  std::istringstream lines(child.answer);
  for (std::string text; std::getline(lines, text);) {
    const json line = json::parse(text, nullptr, false);
    if (!line.is_object()) continue;
    stage = line.value("stage", stage);
    if (line.contains("error"))
      error = fmt::format("{} [{}]", line["error"].get<std::string>(), line.value("code", ""));
    if (line.contains("refused")) {
      entry = ending::Entry::kRefused;
      result = line.value("refused", XHAL_SUCCESS);
    }
    if (line.contains("result")) {
      driver.update(line["result"]);
      answered = true;
    }
  }
  using Ending = process::ChildResult::Ending;
  if (child.ending == Ending::kExited && child.code == 0 && answered) {
    driver["status"] = "ok";
    driver["message"] = warnings_of(driver["name"], child.noise);
    return {driver, ending::kExitOk};
  }
  if (!error.empty()) {
    const bool is_absent = entry == ending::Entry::kRefused && result == XHAL_ERROR_UNSUPPORTED;
    driver["status"] = is_absent ? "absent" : "failed";
    driver["message"] = tools::printable(error);
  } else {
    const std::string noise = tools::printable(child.noise.substr(0, 200));
    driver["status"] = child.ending == Ending::kTimedOut    ? "timed_out"
                       : child.ending == Ending::kSignalled ? "crashed"
                                                            : "failed";
    driver["message"] = fmt::format("{} in {}{}{}; {}", process::describe_ending(child, deadline), stage,
                                    noise.empty() ? "" : "; it said: ", noise,
                                    child.ending == Ending::kTimedOut
                                        ? "give it longer with --timeout, or ask whoever made it"
                                        : "it is defective, ask whoever made it");
    entry = ending::Entry::kBroke;
  }
  return {driver, ending::exit_code_of(entry, result)};
}

}  // namespace xhal::info
