// SPDX-License-Identifier: Apache-2.0
// What the system says of the threads of this process: so that a measurement begins when they sleep, however long that takes.
#pragma once

#include <sys/types.h>

namespace xhal::bench {

[[nodiscard]] pid_t this_thread();

// Returns when the system has found the thread asleep, or every thread but the calling one, several times in a row. Ends the process with a
// line when that is not so for ten seconds.
void wait_until_asleep(pid_t thread);
void wait_until_others_sleep();

}  // namespace xhal::bench
