// SPDX-License-Identifier: Apache-2.0
#include "bench/host_loops/host_loops.hpp"

namespace xhal::bench {

extern const HostLoops kHostLoopsAny;
#ifdef XHAL_HOST_LOOPS_BY_LEVEL
extern const HostLoops kHostLoopsV3;
extern const HostLoops kHostLoopsV4;

const HostLoops& host_loops() {
  const bool is_v3 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
                     __builtin_cpu_supports("bmi2") != 0;
  const bool is_v4 = is_v3 && __builtin_cpu_supports("avx512f") != 0 &&
                     __builtin_cpu_supports("avx512bw") != 0 && __builtin_cpu_supports("avx512cd") != 0 &&
                     __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0;
  if (is_v4) return kHostLoopsV4;
  return is_v3 ? kHostLoopsV3 : kHostLoopsAny;
}
#else
const HostLoops& host_loops() { return kHostLoopsAny; }
#endif

}  // namespace xhal::bench
