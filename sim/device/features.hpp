// SPDX-License-Identifier: Apache-2.0
// Which features the simulator has, and which of them an instance is told not to claim.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "xhal/base.h"

namespace xhal::sim {

// A set of features: bit n is feature n.
using FeatureBits = uint64_t;
constexpr FeatureBits bit_of(uint32_t feature) { return feature < 64 ? FeatureBits{1} << feature : 0; }

// What the simulator can do on this processor.
[[nodiscard]] FeatureBits simulated_features();

// Reads "-kernel-register": features to withdraw, each with a '-' before it. Those that need a withdrawn one go with it. Returns why the
// text is not legal, "" when it is.
[[nodiscard]] std::string read_withdrawn_features(std::string_view text, FeatureBits& out);

}  // namespace xhal::sim
