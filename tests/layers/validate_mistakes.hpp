// SPDX-License-Identifier: Apache-2.0
// A mistake, and the same program without it.
#pragma once

#include "validated.hpp"

namespace xhal::layers_test {

// `wrong` false: without the mistake.
struct Case {
  const char* kind;
  const char* name;
  std::function<void(Instance&, bool wrong)> run;
};

// Of the features beyond core.
std::vector<Case> feature_cases();

}  // namespace xhal::layers_test
