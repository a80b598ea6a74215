// SPDX-License-Identifier: Apache-2.0
#include "device/features.hpp"

#include <algorithm>
#include <iterator>

#include "kernels/builtin_images.hpp"
#include "kernels/cpu_level.hpp"

namespace xhal::sim {
namespace {

struct Feature {
  std::string_view name;
  uint32_t number;
  uint32_t needs;
};
constexpr Feature kFeatures[] = {
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) {#lower, bit, XHAL_FEATURE_##needs},
#include "xhal/features.def"
#undef XHAL_FEATURE
};

constexpr FeatureBits kAlways =
    bit_of(XHAL_FEATURE_CORE) | bit_of(XHAL_FEATURE_EVENT_TIMING) |
    bit_of(XHAL_FEATURE_CROSS_STREAM_PROGRESS) | bit_of(XHAL_FEATURE_ERROR_CAUSE) |
    bit_of(XHAL_FEATURE_REGISTER) | bit_of(XHAL_FEATURE_COPY_REGION) | bit_of(XHAL_FEATURE_MANAGED) |
    bit_of(XHAL_FEATURE_PEER) | bit_of(XHAL_FEATURE_VMM) | bit_of(XHAL_FEATURE_POOL) |
    bit_of(XHAL_FEATURE_STREAM_PRIORITY) | bit_of(XHAL_FEATURE_GRAPH) | bit_of(XHAL_FEATURE_VALUE_WAIT) |
    bit_of(XHAL_FEATURE_NATIVE_HANDLES) | bit_of(XHAL_FEATURE_TELEMETRY) | bit_of(XHAL_FEATURE_ACTIVITY) |
    bit_of(XHAL_FEATURE_IPC_MEMORY) | bit_of(XHAL_FEATURE_IPC_EVENT) | bit_of(XHAL_FEATURE_EXTERNAL_MEMORY);
// Only where some image format runs.
constexpr FeatureBits kWithKernels =
    bit_of(XHAL_FEATURE_KERNEL) | bit_of(XHAL_FEATURE_ARGUMENT_CHECK) |
    bit_of(XHAL_FEATURE_POINTERS_IN_MEMORY) | bit_of(XHAL_FEATURE_COOPERATIVE_LAUNCH) |
    bit_of(XHAL_FEATURE_CLUSTER_LAUNCH) | (kHasBuiltinImages ? bit_of(XHAL_FEATURE_BUILTIN_KERNELS) : 0);
constexpr FeatureBits kOptional = (kAlways | kWithKernels) & ~bit_of(XHAL_FEATURE_CORE);

std::string optional_names() {
  std::string names;
  for (const Feature& feature : kFeatures) {
    if ((kOptional & bit_of(feature.number)) == 0) continue;
    if (!names.empty()) names += ", ";
    names += feature.name;
  }
  return names;
}

FeatureBits with_dependents(FeatureBits withdrawn) {
  for (FeatureBits before = 0; before != withdrawn;) {
    before = withdrawn;
    for (const Feature& feature : kFeatures) {
      if ((withdrawn & bit_of(feature.needs)) != 0) withdrawn |= bit_of(feature.number);
    }
  }
  return withdrawn;
}

}  // namespace

FeatureBits simulated_features() { return usable_targets().empty() ? kAlways : kAlways | kWithKernels; }

std::string read_withdrawn_features(std::string_view text, FeatureBits& out) {
  if (text.empty() || text.front() != '-')
    return "must be names of features to withdraw, each with a '-' before it, as in -event_timing-kernel";
  FeatureBits withdrawn = 0;
  while (!text.empty()) {
    text.remove_prefix(1);
    const std::string_view name = text.substr(0, text.find('-'));
    text.remove_prefix(name.size());
    const auto* feature = std::ranges::find(kFeatures, name, &Feature::name);
    if (feature == std::end(kFeatures))
      return "names '" + std::string(name) +
             "', which is no feature; these can be withdrawn: " + optional_names();
    if ((kOptional & bit_of(feature->number)) == 0) {
      return "names '" + std::string(name) + "', which " +
             (feature->number == XHAL_FEATURE_CORE ? "every device claims" : "the simulator never claims") +
             "; these can be withdrawn: " + optional_names();
    }
    withdrawn |= bit_of(feature->number);
  }
  out = with_dependents(withdrawn);
  return "";
}

}  // namespace xhal::sim
