// SPDX-License-Identifier: Apache-2.0
// Nothing of the standard library is used here: what the linker keeps of an inline function might be the code for another processor.
#include "bench/host_loops/host_loops.hpp"

namespace xhal::bench {
namespace {

void triad(float* __restrict a, const float* __restrict b, const float* __restrict c, float scalar,
           uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) a[i] = b[i] + scalar * c[i];
}

// Sums side by side: one alone would wait for itself.
double dot(const float* a, const float* b, uint64_t n) {
  constexpr uint64_t kSums = 64;
  float sums[kSums] = {};
  const uint64_t whole = n / kSums * kSums;
  for (uint64_t i = 0; i < whole; i += kSums) {
    for (uint64_t k = 0; k < kSums; ++k) sums[k] += a[i + k] * b[i + k];
  }
  double sum = 0;
  for (const float one : sums) sum += one;
  for (uint64_t i = whole; i < n; ++i) sum += a[i] * b[i];
  return sum;
}

void mixed(float* __restrict out, const float* __restrict in, float a, float b, uint64_t n) {
  for (uint64_t i = 0; i < n; ++i) {
    float value = in[i];
    for (uint32_t step = 0; step < kMixedSteps; ++step) value = value * a + b;
    out[i] = value;
  }
}

// Vectors of 64 bytes, which a compiler makes what it has: arrays of numbers would be kept in memory between the turns.
template <class T>
struct WideOf {
  using Type [[gnu::vector_size(64)]] = T;
};

template <class T>
void chains(T* out, T a, T b, uint32_t turns, uint64_t n) {
  using Wide = typename WideOf<T>::Type;
  for (uint64_t i = 0; i < n; ++i) {
    const Wide start = Wide{} + static_cast<T>(i % 8);
    Wide x0 = start, x1 = start + T{1}, x2 = start + T{2}, x3 = start + T{3}, x4 = start + T{4},
         x5 = start + T{5};
    for (uint32_t turn = 0; turn < turns; ++turn) {
      x0 = x0 * a + b;
      x1 = x1 * a + b;
      x2 = x2 * a + b;
      x3 = x3 * a + b;
      x4 = x4 * a + b;
      x5 = x5 * a + b;
    }
    const Wide all = ((x0 + x1) + (x2 + x3)) + (x4 + x5);
    T sum = 0;
    for (uint64_t k = 0; k < sizeof(Wide) / sizeof(T); ++k) sum += all[k];
    out[i] = sum;
  }
}

}  // namespace

extern const HostLoops XHAL_HOST_LOOPS;
const HostLoops XHAL_HOST_LOOPS = {triad, dot, mixed, chains<float>, chains<double>};

}  // namespace xhal::bench
