/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stand-in for a vendor's runtime, with the two habits that matter before a fork: merely counting devices starts a thread, and in a forked
 * child of a process where it has started one nothing of it works any more (CUDA: error 3, initialisation error).
 */
#ifndef TESTS_HAL_VENDOR_H_
#define TESTS_HAL_VENDOR_H_

#ifdef __cplusplus
extern "C" {
#endif

enum { VENDOR_OK = 0, VENDOR_NO_THREAD = 2, VENDOR_FORKED = 3 };

/* Each starts the thread when it is not there yet. */
int vendor_count_devices(int* out_count);
/* Runs job(user) on the library's thread and waits for its end. */
int vendor_run(void (*job)(void* user), void* user);

#ifdef __cplusplus
}
#endif

#endif
