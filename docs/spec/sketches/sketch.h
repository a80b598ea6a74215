/* SPDX-License-Identifier: Apache-2.0 */
/* What the sketches of all four APIs share. */
#ifndef XHAL_SKETCH_H_
#define XHAL_SKETCH_H_

#include <string.h>

#include "xhal/xhal.h"

/* Leaves the sketch with the translated code when a vendor call fails. */
#define TRY(call)                                      \
  do {                                                 \
    const xhal_result_t try_result = result(call);     \
    if (try_result != XHAL_SUCCESS) return try_result; \
  } while (0)

/* The next pause of a wait with a deadline: spin, yield, sleep up to a millisecond; 0 when the deadline has passed. */
int pause_until(uint64_t deadline_ns, uint32_t round);
uint64_t deadline_of(uint64_t timeout_ns);
uint64_t time_left(uint64_t deadline_ns);

/* A host function on its way: in the pending list of its stream until it has run, whoever runs it. */
typedef struct host_call {
  xhal_host_fn function;
  void* user;
  void* gate; /* what holds the stream shut until the function has returned */
  int ran;
} host_call;

/* Hands the call to the stream's host thread, which runs it and then opens the gate. */
void hand_to_host_thread(host_call* call);
/* Runs what a failed stream left behind, each once, with the failure's code: before the call returns that reports the failure. */
void run_pending_host_calls(void* stream, xhal_result_t status);

/* Objects whose work may still run are destroyed when a later call finds it done. */
void bury(void* owner, void* object, void (*destroy)(void* object));

/* Pinned memory for a pageable source; given back when the copy is done. */
void* staging(void* stream, uint64_t size);

#endif
