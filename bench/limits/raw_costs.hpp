// SPDX-License-Identifier: Apache-2.0
// The least that this machine's threads and memory can do for what a stream does: what the limits of limits.hpp are made of.
// All give nanoseconds for one operation. Threads are started before, and joined after, what is counted.
#pragma once

#include <cstdint>
#include <functional>

namespace xhal::bench {

// ---- Handing 64-byte slots to a thread

// What the reader does while the slots that count are handed over.
enum class Reader { kRuns, kIsHeld };
// What is counted: the handing alone, or until the reader has seen the last one.
enum class Until { kHanded, kTaken };
// Through a ring of kRingSlots slots that has been round once. The one who hands looks at the reader's position before a slot is used again.
inline constexpr int kRingSlots = 1024;
double raw_ring(int slots, Reader reader, Until until);
// Into a row of slots that is long enough for all: nobody ever looks at the reader, and no slot was ever in its cache.
double raw_slot_row(int slots, Until until);

// ---- A word between two threads

// There and back, both spinning. Fewer trips than `times` when the threads share a processor, since each takes two time slices then.
double raw_spin_round_trip(int times);
// There and back, both sleeping on a futex.
double raw_futex_round_trip(int times);
// There by a futex on which the other thread sleeps, and back to one that sleeps, or spins. Before each trip `rest` is called, when the other one
// sleeps or is about to.
enum class Back { kAsleep, kSpinning };
double raw_parked_round_trip(int times, Back back, const std::function<void()>& rest);
// There, some work of the other thread, and back, both spinning.
double raw_by_another_thread(int times, const std::function<void()>& work);
// From the moment at which a running thread is told to wake a sleeping one until that one runs.
double raw_wake(int times);

// ---- What one thread does by itself

// An uncontended mutex, locked and unlocked; an acquire load of a word that nobody changes.
double raw_lock(int times);
double raw_load(int times);
// A call through a pointer that lies in a node of 64 bytes, node after node.
double raw_calls(int nodes);
// Eight bytes copied from one line of memory to another one, line after line.
double raw_line_copies(int lines);
// A copy of 256 bytes a node, all of it into new memory at once; by the node.
double raw_copy_of_nodes(int nodes);

// ---- Work of several threads

// Calls `share(0)`, `share(1)`, ... side by side, on threads that spin until all are there; of the whole.
double raw_parallel(int threads, const std::function<void(int)>& share);
// The same with pieces that whoever is free takes one of: a thread that gets no processor holds nothing up.
double raw_parallel_pieces(int threads, int pieces, const std::function<void(int)>& piece);
// Multiplications and additions that wait for each other.
void spin_arithmetic(uint64_t steps);

}  // namespace xhal::bench
