// SPDX-License-Identifier: Apache-2.0
// A driver's or layer's library, opened and negotiated once in the life of the process.
#pragma once

#include <string>

#include "discovery/discovery.hpp"
#include "registry.hpp"
#include "xhal/driver.h"

namespace xhal::host {

// Never destroyed: the library keeps pointers into it, and late calls may still read it.
struct Library {
  discovery::Kind kind = discovery::Kind::kDriver;
  std::string path;
  LoadingLock loading;  // guards what follows until `ready`; afterwards nothing changes

  bool ready = false;
  std::string manifest_path;
  std::string name;  // as negotiated
  std::string version;
  uint32_t abi_revision = 0;
  xhal_negotiation_t negotiation{};

  // A driver's.
  xhal_functions_t functions{};  // complete
  xhal_result_t (*open)(const xhal_driver_open_t*, xhal_driver_t*) = nullptr;
  xhal_result_t (*close)(xhal_driver_t) = nullptr;

  // A layer's.
  uint32_t slot = 0;  // the same for every table of the process: a layer's functions know it without asking
  xhal_result_t (*attach)(const xhal_layer_attach_t*, void**) = nullptr;
  void (*detach)(void*) = nullptr;
};

// What went wrong with one driver or layer: a code that instance_create may return, and one line that says what was tried.
struct Problem {
  xhal_result_t result = XHAL_SUCCESS;
  std::string text;
  bool any() const { return result < 0; }
};

// Opens, negotiates and checks the manifest's library, or finds it done. On success `out` is ready.
Problem load_library(const discovery::Manifest& manifest, bool elevated, const Library*& out);

// The table of services that is given to every driver and layer.
const xhal_host_services_t* host_services();

// "driver 'sim'" for texts.
std::string describe(discovery::Kind kind, const std::string& name);

// A result that a driver's or layer's own function gave back, as a result of instance_create and a text with its report.
Problem problem_of_call(const std::string& who, const char* function, xhal_result_t result);

}  // namespace xhal::host
