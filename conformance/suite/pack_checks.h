// SPDX-License-Identifier: Apache-2.0
// One launch of each kernel of the pack against its oracle, wherever the kernels come from: an image or the device itself.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {

// A kernel of the pack and what kernels/README.md says of it.
struct PackedKernel {
  std::string name;
  uint32_t parameters;
};
const std::vector<PackedKernel>& packed_kernels();

using FindKernel = std::function<xhal_kernel_t(const std::string&)>;

// Element types that fill, copy, iota, axpy and add are made for.
Axis element_axis();
// Kernels whose items work together, and those of structures and of many turns.
Axis group_kernel_axis();

// fill, copy and iota, axpy, add of one type over n elements.
void check_elements(Context& t, Clause clause, const FindKernel& find, const std::string& type, uint64_t n);
// One kernel of group_kernel_axis() over a few sizes.
void check_group_kernel(Context& t, Clause clause, const FindKernel& find, const std::string& kernel);
// The folds and the ids.
void check_folds_and_ids(Context& t, Clause clause, const FindKernel& find);

}  // namespace xhal::conformance
