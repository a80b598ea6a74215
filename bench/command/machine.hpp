// SPDX-License-Identifier: Apache-2.0
// What else the machine was doing.
#pragma once

#include <nlohmann/json.hpp>

namespace xhal::bench {

// Load average, the share of time that a hypervisor took away since the machine started, the clock source, and the round trip of a word between two
// threads, which tells where the processors are.
nlohmann::json machine_state();

}  // namespace xhal::bench
