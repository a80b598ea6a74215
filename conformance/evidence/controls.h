// SPDX-License-Identifier: Apache-2.0
// Blind controls: known defects that the challenge puts over the driver at places of the run that it chooses. Each must be noticed, so that
// tests which pass on that device can be seen to fail on it.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "evidence/challenge.h"
#include "report/report.h"
#include "run/level.h"
#include "strength/fault_list.h"

namespace xhal::conformance {

inline constexpr size_t kControls = 8;
// Tests of one fault that are run with it, at most.
inline constexpr size_t kTestsAControl = 2;

// A fault that shows on every device that claims its feature, one that does all at once included, with tests that tell.
struct ControlFault {
  std::string_view fault;
  std::vector<std::string_view> tests;
};
const std::vector<ControlFault>& control_faults();

// One test of the run, or one with a fault over the driver.
struct Step {
  const TestCase* test = nullptr;
  const FaultInfo* fault = nullptr;

  bool operator==(const Step&) const = default;
};

// The tests in their order, and between them the controls that the challenge chooses among those that apply to the device.
std::vector<Step> schedule_of(const Challenge& challenge, const std::vector<const TestCase*>& tests,
                              const Claims& claims);

// What a control's record says: whether an assertion of the fault's clause failed. A crash is none.
ControlRecord control_of(const Step& step, size_t index, const TestRecord& record);

// A run in which a control was not noticed proves nothing: no level of it is conformant.
void apply_controls(Report& report);

}  // namespace xhal::conformance
