// SPDX-License-Identifier: Apache-2.0
// Faults that the tests of their clause show on some devices only.
#pragma once

#include <span>
#include <string_view>

namespace xhal::conformance {

// Where this test can see nothing, as on a device whose failures end the process, no other test of the clause can see the fault either: it
// does not apply there.
struct ShownBy {
  std::string_view fault;
  std::string_view test;  // how its id begins, before any '/'
};

std::span<const ShownBy> all_shown_by();
// The test without which a fault cannot show; "" for most faults.
std::string_view shown_by(std::string_view fault);

}  // namespace xhal::conformance
