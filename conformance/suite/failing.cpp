// SPDX-License-Identifier: Apache-2.0
#include "suite/failing.h"

#include "frame/kernel_pack.h"
#include "suite/support.h"

namespace xhal::conformance {

void require_survival(Context& t) {
  if (t.settings().fault_scope != XHAL_FAULT_SCOPE_PROCESS) return;
  OtherProcess other(t, fail_when_told);
  other.send("fail");
  if (const auto how = other.ended_early())
    Context::not_observable(fmt::format("a failure ends its process, as declared: {}", *how));
}

void fail_when_told(Context& t, Peer& peer) {
  Stream stream(t);
  peer.expect("fail");
  peer.send_value(submit_trap(t, stream));
  peer.send_value(TRACED(xhal_stream_synchronize(stream, t.patience())));
}

void load_trap(Context& t) {
  const Buffer flag = pinned_memory(t, sizeof(uint32_t));
  store(flag.as<uint32_t>(), 0);
  Stream stream(t);
  Launch launch(t.kernel("xhal_trap_u32"));
  REQUIRE_OK(launch.reads(flag, sizeof(uint32_t)).on(stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
}

}  // namespace xhal::conformance
