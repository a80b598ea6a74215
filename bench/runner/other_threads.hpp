// SPDX-License-Identifier: Apache-2.0
// What the system says of the threads of this process: so that a measurement begins when they sleep, however long that takes.
#pragma once

#include <sys/types.h>

namespace xhal::bench {

[[nodiscard]] pid_t this_thread();

// Whether the system has found the thread asleep several times in a row; not so for ten seconds at most.
[[nodiscard]] bool falls_asleep(pid_t thread);
// Returns when that is so of every thread but the calling one. Throws NotHere after ten seconds.
void wait_until_others_sleep();

}  // namespace xhal::bench
