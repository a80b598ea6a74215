// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace xhal::bench {

inline void spin_pause() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace xhal::bench
