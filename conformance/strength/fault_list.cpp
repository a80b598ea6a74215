// SPDX-License-Identifier: Apache-2.0
#include "strength/fault_list.h"

#include "xhal/base.h"

namespace xhal::conformance {

namespace {

// By the name that a row has, so that a row with an unknown one does not compile.
#define XHAL_FEATURE(upper, lower, ...) \
  [[maybe_unused]] constexpr uint32_t kFeature_##lower = XHAL_FEATURE_##upper;
#include "xhal/features.def"
#undef XHAL_FEATURE

constexpr FaultInfo kFaults[] = {
#define FAULT(family, feature, name, clause, wild, about, ...) \
  {#name, #family, kFeature_##feature, clause, wild, about},
#include "faults/table/all.def"
#undef FAULT
};

}  // namespace

std::span<const FaultInfo> all_faults() { return kFaults; }

}  // namespace xhal::conformance
