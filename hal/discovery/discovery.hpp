// SPDX-License-Identifier: Apache-2.0
// Finding drivers and layers: from environment and directories to checked manifests, and from a manifest to a loaded library.
// docs/spec/loader.md has the rules; their numbers stand beside the code that keeps them.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "xhal/instance.h"

namespace xhal::discovery {

enum class Kind { kDriver, kLayer };

// What a manifest says, checked.
struct Manifest {
  Kind kind = Kind::kDriver;
  std::string name;  // [a-z][a-z0-9_]{0,31}; "" for a library without a manifest: negotiation gives it
  std::string description;
  std::string library;  // absolute, without ".."; links are not followed yet
  uint32_t abi_major = 0;
  uint32_t abi_minor = 0;
  bool emulated = false;
  std::string manifest_path;  // absolute, as found; the library's own path when there is no manifest
  bool named = false;  // the application or a path variable named it: trust in its owner [XHAL-LOADER-35]
};

// The process's surroundings, taken once for each search, so that tests can set them and an elevated process has none of them.
struct Environment {
  bool elevated = false;
  // Never asked when elevated; empty: no variable is set.
  std::function<std::optional<std::string>(const char* name)> get;
  std::string installation;  // folder that holds lib/ and share/ of this libxhal; "" when not known
  std::vector<std::string> system_roots = {"/etc/xhal", "/usr/local/share/xhal", "/usr/share/xhal"};

  // ignore_variables: XHAL_INSTANCE_IGNORE_ENVIRONMENT, nothing is read, HOME neither. [XHAL-LOADER-3]
  static Environment of_process(bool ignore_variables);
  std::optional<std::string> variable(const char* name) const;
};

// AT_SECURE, or an effective id that is not the real one. [XHAL-LOADER-1]
bool process_is_elevated();

// Names of this process's variables that start with XHAL_, for mistyped_variables; none when elevated or ignored.
std::vector<std::string> set_variables(bool ignore_variables);

// One decision, in search order. Selected, shadowed and not-asked candidates carry a manifest, refused ones where it could be read.
struct Candidate {
  uint32_t decision = XHAL_CANDIDATE_ABSENT;
  xhal_result_t result = XHAL_SUCCESS;
  std::string
      origin;  // "explicit", "XHAL_DRIVER_PATH" or "XHAL_LAYER_PATH", "user", "system", "installation", "selection"
  std::string place;  // manifest or library path, or folder looked at
  std::optional<Manifest> manifest;
  std::string reason;  // one line; "" when there is nothing to say
};

struct Request {
  Kind kind = Kind::kDriver;
  std::vector<std::string>
      explicit_paths;  // manifests (*.json) or libraries; selected whatever the selection says
  // Names in order, "-name" leaves one out. Nothing: XHAL_DRIVERS (XHAL_LAYERS) decides; when that is not set either, all drivers
  // and no layer are selected. An empty list selects explicit_paths alone.
  std::optional<std::vector<std::string>> selection;
};

struct Found {
  std::vector<Manifest> selected;     // explicit ones, then by selection or search order; names unique
  std::vector<Candidate> candidates;  // every decision
  // One line for each file or folder of the search that was refused and that the selection would have taken. [XHAL-LOADER-53]
  std::vector<std::string> warnings;
  // Set when something was asked for explicitly and cannot be had; `text` says what was tried, what was found and what to do.
  xhal_result_t result = XHAL_SUCCESS;
  std::string text;
};

Found find(const Request& request, const Environment& environment);

// Opens and loads a library as the hardening rules say. [XHAL-LOADER-31] to [XHAL-LOADER-43]
// RTLD_NOW | RTLD_LOCAL, never closed. On success `symbol` is the library's own entry symbol. The text explains a failure in one line.
struct Opened {
  xhal_result_t result = XHAL_SUCCESS;
  std::string text;
  void* symbol = nullptr;
};
Opened open_library(const Manifest& manifest, const char* symbol, bool elevated);

// Splits "a,b" into names, ignoring blanks around them; empty items are dropped.
std::vector<std::string> split_names(std::string_view list);

// The rule for names of drivers and layers; says what is wrong, or nothing. [XHAL-LOADER-9]
std::optional<std::string> name_problem(std::string_view name);

// One line for each variable of `set_variables` that nobody reads, with the nearest known one. `known_names`: drivers and layers found.
std::vector<std::string> mistyped_variables(const Environment& environment,
                                            const std::vector<std::string>& set_variables,
                                            const std::vector<std::string>& known_names);

}  // namespace xhal::discovery
