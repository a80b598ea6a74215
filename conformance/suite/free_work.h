// SPDX-License-Identifier: Apache-2.0
// A witness beside what no gate of the frame's holds: another process, the vendor's own calls, a semaphore.
#pragma once

#include "frame/context.h"

namespace xhal::conformance {

// Work on a stream that nothing holds has come to its end: what has not happened now is held, not late, if the caller sees that it is
// held still. False, with a note, where the device claims no such independence; inconclusive where it claims it and the work did not end.
bool free_work_passes(Context& t);

}  // namespace xhal::conformance
