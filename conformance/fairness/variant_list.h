// SPDX-License-Identifier: Apache-2.0
// The legal but odd drivers, as data, and which of them go together.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "frame/clause.h"

namespace xhal::conformance {

struct Variant {
  std::string name;
  std::string layer;                // what the layer `variants` is asked for; empty: nothing
  std::string simulator;            // options of XHAL_SIM; empty: over any driver
  uint32_t needs;                   // nothing is odd about a device without this feature
  std::vector<uint32_t> takes;      // features that it does not claim any more
  std::vector<std::string> counts;  // which numbers of xhal/ext/oddness.h must not be zero
  std::string what;                 // one line: what is odd
  std::vector<Clause> clauses;      // by which it is legal
  std::string why;                  // in words
};

// In the order of the table: each a name of its own.
const std::vector<Variant>& all_variants();

// Several at once.
struct Mix {
  std::vector<const Variant*> variants;

  [[nodiscard]] std::string name() const;  // "eager+slow"
  [[nodiscard]] std::string layer() const;
  [[nodiscard]] std::string simulator() const;
  [[nodiscard]] std::vector<std::string> counts() const;
};

// Why the two make no sense together; "" when they do.
std::string why_apart(const Variant& one, const Variant& other);
// Every two of them.
struct Pair {
  Mix mix;
  std::string why_not;  // "" when they go together
};
std::vector<Pair> pairs_of(const std::vector<const Variant*>& variants);
// Of these, mixes of at most so many that hold every two that go together at least once. With 2 the pairs themselves.
std::vector<Mix> covering_mixes(const std::vector<const Variant*>& variants, size_t together);

}  // namespace xhal::conformance
