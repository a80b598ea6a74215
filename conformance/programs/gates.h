// SPDX-License-Identifier: Apache-2.0
// Which waits a program cannot do without, and programs that show whether a driver keeps one of them.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "programs/generate.h"

namespace xhal::programs {

struct NecessaryWait {
  uint32_t wait;      // the operation
  uint32_t producer;  // what is no longer ordered before
  uint32_t consumer;  // without the wait
};

// The waits without which two accesses race, of which one writes and both are seen in contents. In program order.
std::vector<NecessaryWait> necessary_waits(const Program& program);

// The program with the producer's stream held shut just before the producer, until the consumer was submitted and whoever may run then has had
// its time. Nothing where a call in between waits for the producer, so that the gate would have to open before.
// The wait is operation `wait` + 1 in it.
std::optional<Program> gated(const World& world, const Program& program, const NecessaryWait& wait);

// The program with the stream of operation `op` held shut just before it, for as long as no call waits for it. Nothing for an operation of
// the host.
std::optional<Program> held(const World& world, const Program& program, uint32_t op);

}  // namespace xhal::programs
