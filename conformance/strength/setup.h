// SPDX-License-Identifier: Apache-2.0
// What the measurements over a layer of faults begin with: the driver, its tests, the report's identity.
#pragma once

#include <nlohmann/json.hpp>

#include "run/interrupts.h"
#include "strength/faults.h"
#include "strength/strength.h"

namespace xhal::conformance {

struct Setup {
  Probe found;
  StrengthPlan plan;
  nlohmann::json identity;
};

// Stops with the user's or the driver's mistake. `name_all`: the options that chose what is measured, for the identity.
Setup set_up(const FaultOptions& options, const Interrupts& interrupts);

}  // namespace xhal::conformance
