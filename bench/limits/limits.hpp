// SPDX-License-Identifier: Apache-2.0
// What this machine can do at best, as sides of a row: measured in the same rounds as what they limit.
#pragma once

#include <cstddef>
#include <cstdint>

#include "bench/limits/raw_costs.hpp"
#include "bench/runner/clock.hpp"
#include "bench/runner/row.hpp"

namespace xhal::bench {

// A direct call that does nothing, through a pointer.
Side indirect_call_limit();
// 64-byte slots to a thread, through a ring that has been round: handed alone, or taken too. And into a row of slots that are used once, whose writer
// never looks at the reader: no queue of bounded memory can be that.
Side ring_limit(Reader reader, Until until);
Side slot_row_limit(Until until);
// There and back between two threads: both spinning; both asleep on a futex; one asleep and one spinning.
Side spin_limit();
Side futex_limit();
Side parked_limit(Back back);
// From the moment at which a running thread is told to wake a sleeping one until that one runs.
Side wake_limit();
// An uncontended mutex; a load of a word; malloc and free of a block; memory_order_acquire.
Side lock_limit();
Side load_limit();
Side malloc_limit(uint64_t size);
// memcpy between memory that the row names.
Side memcpy_limit(void* to, const void* from, uint64_t size);
// The same by another thread, handed over and back by a word.
Side memcpy_by_thread_limit(void* to, const void* from, uint64_t size);

}  // namespace xhal::bench
