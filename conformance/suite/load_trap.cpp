// SPDX-License-Identifier: Apache-2.0
#include "suite/load_trap.h"

#include "frame/kernel_pack.h"
#include "suite/support.h"

namespace xhal::conformance {

void load_trap(Context& t) {
  const Buffer flag = pinned_memory(t, sizeof(uint32_t));
  store(flag.as<uint32_t>(), 0);
  Stream stream(t);
  Launch launch(t.kernel("xhal_trap_u32"));
  REQUIRE_OK(launch.reads(flag, sizeof(uint32_t)).on(stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

}  // namespace xhal::conformance
