// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include "frame/context.h"

namespace xhal::conformance {

// Runs one case in this process. `on_failure` hears of each failure when it happens.
TestResult execute(const TestCase& test, const RunSettings& settings, const Target& target,
                   const std::function<Session&()>& shared_session,
                   const std::function<void(const Failure&)>& on_failure);

}  // namespace xhal::conformance
