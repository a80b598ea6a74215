// SPDX-License-Identifier: Apache-2.0
// The kernels' loops as one writes them for a thread of the host: the limits of rows in which kernels compute. Compiled once for each level of the
// processor, and the best one that runs here is taken.
#pragma once

#include <cstdint>

namespace xhal::bench {

// A chain is a number that is multiplied and added to over and over; so many stand side by side in each item of the kernels that compute.
inline constexpr uint32_t kChainsF32 = 96;
inline constexpr uint32_t kChainsF64 = 48;
// Multiplications and additions of an element of `mixed`.
inline constexpr uint32_t kMixedSteps = 16;

struct HostLoops {
  void (*triad)(float* a, const float* b, const float* c, float scalar, uint64_t n);
  double (*dot)(const float* a, const float* b, uint64_t n);
  void (*mixed)(float* out, const float* in, float a, float b, uint64_t n);
  // The sum of the chains of each of n items, after so many turns.
  void (*fma_f32)(float* out, float a, float b, uint32_t turns, uint64_t n);
  void (*fma_f64)(double* out, double a, double b, uint32_t turns, uint64_t n);
};

// For the processor that this runs on.
const HostLoops& host_loops();

}  // namespace xhal::bench
