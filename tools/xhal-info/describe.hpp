// SPDX-License-Identifier: Apache-2.0
// What the library says about a driver and its devices, as JSON. Runs in the worker.
#pragma once

#include <nlohmann/json.hpp>

#include "xhal/xhal.h"

namespace xhal::info {

struct DescribeOptions {
  bool memory = false;  // may open the device
};

// Throws Failure when a call that every driver must answer fails.
struct Failure {
  std::string entry;
  xhal_result_t result;
  std::string text;
};

// Of the contract this was built with: name, what each needs, settled or experimental, what it is.
nlohmann::json describe_features();
nlohmann::json describe_driver(xhal_driver_t driver);
nlohmann::json describe_device(xhal_device_t device, const std::vector<xhal_device_t>& peers,
                               const DescribeOptions& options);

}  // namespace xhal::info
