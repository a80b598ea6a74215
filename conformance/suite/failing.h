// SPDX-License-Identifier: Apache-2.0
// Failures of work, made on purpose. A test that makes one is isolated.
#pragma once

#include "frame/other_process.h"

namespace xhal::conformance {

// For a test that looks at what comes after a failure in this process: where a failure ends its process, as a device may declare, the test
// is left as not observed. A process of its own finds out, so this comes before the test asks for anything of the driver.
void require_survival(Context& t);

// The other process of a test: told to, it submits the trap, and sends the results of the launch and of the stream's synchronise.
void fail_when_told(Context& t, Peer& peer);

// Launches the trap kernel once so that it raises nothing: where a first launch loads code it may wait for all that runs, and the one that
// fails comes behind what the test holds.
void load_trap(Context& t);

}  // namespace xhal::conformance
