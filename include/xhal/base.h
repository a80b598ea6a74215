/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/base.h - versions, results, handles, the rules every call keeps.
 *
 * Rules (docs/spec/abi.md has them as clauses):
 *  - Every call returns xhal_result_t. 0 is success, negative values are errors that changed nothing, positive values are
 *    states of normal life (not ready, time passed, array too small).
 *  - Out-parameters come last, are named out_*, and keep their values when the call returns an error.
 *  - Every struct that crosses the boundary starts with struct_size = sizeof(the struct). Zero is every field's default, save abi_minor's. Without it
 *    are elements of arrays whose stride is told (options, memory ranges) and the two frozen structs xhal_argument_t and xhal_key_value_t.
 *  - Calls name their device, or a handle that has one. There is no current device, and a driver leaves the thread's vendor state as found.
 *  - Any call may be made from any thread, unless its comment says otherwise.
 *  - A call of a feature that the device does not claim returns XHAL_ERROR_UNSUPPORTED. Undefined flag bits are refused.
 */
#ifndef XHAL_BASE_H_
#define XHAL_BASE_H_

#include <stddef.h>
#include <stdint.h>

/*
 * 0.x: the list of calls may still change. Host and drivers of an equal 0.MINOR work together in both directions, because tables and
 * structs only grow at their tails within it; REVISION counts these growths. An unequal 0.MINOR is refused by name.
 */
#define XHAL_ABI_MAJOR 0
#define XHAL_ABI_MINOR 1
#define XHAL_ABI_REVISION 2

#if defined(__GNUC__)
#define XHAL_EXPORT __attribute__((visibility("default")))
#else
#define XHAL_EXPORT
#endif

#ifdef __cplusplus
#define XHAL_BEGIN_DECLS extern "C" {
#define XHAL_END_DECLS }
#else
#define XHAL_BEGIN_DECLS
#define XHAL_END_DECLS
#endif

XHAL_BEGIN_DECLS

/* ---- Results ---------------------------------------------------------------------------------------------------------------- */

typedef int32_t xhal_result_t;

/* name, value, text. The enum, the names and the texts are all made from this list. */
#define XHAL_RESULT_LIST(X)                                                                                \
  X(XHAL_SUCCESS, 0, "success")                                                                            \
  X(XHAL_NOT_READY, 1, "work is still pending")                                                            \
  X(XHAL_TIMEOUT, 2, "the deadline passed; the work goes on")                                              \
  X(XHAL_INCOMPLETE, 3, "the array was too small for everything there is")                                 \
  X(XHAL_ERROR_UNKNOWN, -1, "unknown error of the driver")                                                 \
  X(XHAL_ERROR_INVALID_ARGUMENT, -2, "an argument is not valid")                                           \
  X(XHAL_ERROR_INVALID_HANDLE, -3, "a handle is null, destroyed or of another type")                       \
  X(XHAL_ERROR_FOREIGN_HANDLE, -4, "handles of different instances or drivers in one call")                \
  X(XHAL_ERROR_UNKNOWN_FIELD, -5, "a struct carries fields that this version does not know")               \
  X(XHAL_ERROR_UNSUPPORTED, -6, "the device does not claim this feature")                                  \
  X(XHAL_ERROR_NOT_FOUND, -7, "no such name")                                                              \
  X(XHAL_ERROR_ALREADY_DONE, -8, "the state asked for is already there")                                   \
  X(XHAL_ERROR_LIMIT_EXCEEDED, -9, "above a limit of the device or kernel")                                \
  X(XHAL_ERROR_OUT_OF_HOST_MEMORY, -10, "out of host memory")                                              \
  X(XHAL_ERROR_OUT_OF_DEVICE_MEMORY, -11, "out of device memory")                                          \
  X(XHAL_ERROR_INVALID_POINTER, -12, "a pointer is not what this call needs")                              \
  X(XHAL_ERROR_OUT_OF_RANGE, -13, "a range leaves its allocation")                                         \
  X(XHAL_ERROR_NOT_RECORDED, -14, "the event was never recorded")                                          \
  X(XHAL_ERROR_INVALID_IMAGE, -15, "the bytes are not an image of the named format")                       \
  X(XHAL_ERROR_UNSUPPORTED_IMAGE, -16, "the device does not load images of this format or target")         \
  X(XHAL_ERROR_CALL_FORBIDDEN, -17, "this call may not be made inside a host function")                    \
  X(XHAL_ERROR_BUSY, -18, "the object is in use in a way that forbids this call")                          \
  X(XHAL_ERROR_CANCELLED, -19, "the work was dropped before it ran")                                       \
  X(XHAL_ERROR_FORKED, -20, "the instance was active before fork; create a new one in the child")          \
  X(XHAL_ERROR_PERMISSION, -21, "the operating system or the driver forbids it")                           \
  X(XHAL_ERROR_IO, -22, "reading or writing a file or descriptor failed")                                  \
  X(XHAL_ERROR_INTERNAL, -23, "a defect of the driver or of libxhal; please report it")                    \
  X(XHAL_ERROR_DRIVER_NOT_FOUND, -30, "no driver of this name or path was found")                          \
  X(XHAL_ERROR_DRIVER_FAILED, -31, "the driver could not be loaded or started")                            \
  X(XHAL_ERROR_VERSION_MISMATCH, -32, "the driver or layer was built for another 0.minor of the contract") \
  X(XHAL_ERROR_BAD_MANIFEST, -33, "the manifest cannot be used")                                           \
  X(XHAL_ERROR_CAPTURE_UNSUPPORTED, -40, "this call is not allowed while a stream captures")               \
  X(XHAL_ERROR_CAPTURE_INVALIDATED, -41, "the capture became invalid by an earlier call")                  \
  X(XHAL_ERROR_CAPTURE_UNJOINED, -42, "the capture has forks that were not joined")                        \
  X(XHAL_ERROR_CAPTURE_MISMATCH, -43, "the stream is not in the capture state that this call needs")       \
  X(XHAL_ERROR_GRAPH_UPDATE_FAILED, -44, "the graph differs too much to update the executable")            \
  X(XHAL_ERROR_LAUNCH_FAILED, -50, "a kernel failed while it ran")                                         \
  X(XHAL_ERROR_ILLEGAL_ADDRESS, -51, "an operation touched memory that is not its own")                    \
  X(XHAL_ERROR_LAUNCH_TIMEOUT, -52, "the device stopped a kernel that ran too long")                       \
  X(XHAL_ERROR_MEMORY_CORRUPT, -53, "the device reported an uncorrectable memory error")                   \
  X(XHAL_ERROR_DEVICE_LOST, -54, "the device is lost")

#define XHAL_RESULT_ENUMERATOR_(name, value, text) name = (value),
enum { XHAL_RESULT_LIST(XHAL_RESULT_ENUMERATOR_) XHAL_RESULT_END_ = -1000 };
#undef XHAL_RESULT_ENUMERATOR_

/* ---- Handles ---------------------------------------------------------------------------------------------------------------- */

/* name, type tag. Opaque; the first word of what a handle points to is the dispatch table of its instance (driver.h). */
#define XHAL_HANDLE_LIST(X) \
  X(instance, 1)            \
  X(driver, 2)              \
  X(device, 3)              \
  X(stream, 4)              \
  X(event, 5)               \
  X(module, 6)              \
  X(kernel, 7)              \
  X(graph, 8)               \
  X(graph_exec, 9)          \
  X(pool, 10)               \
  X(physical, 11)           \
  X(semaphore, 12)          \
  X(subscription, 13)

#define XHAL_HANDLE_TYPEDEF_(name, tag) typedef struct xhal_##name##_s* xhal_##name##_t;
XHAL_HANDLE_LIST(XHAL_HANDLE_TYPEDEF_)
#undef XHAL_HANDLE_TYPEDEF_

/* ---- Times ------------------------------------------------------------------------------------------------------------------ */

/* Every blocking wait takes the longest time it may block, in nanoseconds. 0 polls. [XHAL-DEVICE-7] */
#define XHAL_WAIT_FOREVER UINT64_MAX

/* ---- Access of memory by an operation ---------------------------------------------------------------------------------------- */

enum { XHAL_ACCESS_NONE = 0, XHAL_ACCESS_READ = 1, XHAL_ACCESS_WRITE = 2, XHAL_ACCESS_READ_WRITE = 3 };

/* ---- Features ---------------------------------------------------------------------------------------------------------------- */

/* Bit numbers, from features.def: XHAL_FEATURE_CORE = 0, ... A device's mask has XHAL_FEATURE_WORDS words of 64 bits. */
#define XHAL_FEATURE_WORDS 4
enum {
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) XHAL_FEATURE_##name = (bit),
#include "xhal/features.def"
#undef XHAL_FEATURE
  XHAL_FEATURE_END_ = 256
};

/* ---- Calls of libxhal itself --------------------------------------------------------------------------------------------------- */

/* Version of the loaded libxhal. Each pointer may be null. */
XHAL_EXPORT xhal_result_t xhal_get_version(uint32_t* out_major, uint32_t* out_minor, uint32_t* out_revision);

/* "XHAL_NOT_READY", or "XHAL_UNKNOWN_RESULT". Never null, lives for ever, allowed in host functions. [XHAL-ERROR-4] */
XHAL_EXPORT const char* xhal_result_name(xhal_result_t result);
XHAL_EXPORT const char* xhal_result_text(xhal_result_t result);

/* "stream_priority", or null for an unknown bit. xhal_feature_from_name returns -1 for an unknown name. */
XHAL_EXPORT const char* xhal_feature_name(uint32_t feature);
XHAL_EXPORT int32_t xhal_feature_from_name(const char* name);

#define XHAL_ERROR_TEXT_CAPACITY 512

typedef struct xhal_error {
  uint32_t struct_size;
  xhal_result_t code;
  int64_t native_code; /* the vendor's own code; 0 when there is none */
  const char* entry; /* the call that failed, "xhal_stream_query"; static text; "" when there was no error */
  char driver[32];   /* who reported it: a driver's or layer's name, or "xhal"; "" when nobody did */
  char text[XHAL_ERROR_TEXT_CAPACITY]; /* one line: what was tried, what went wrong, what to do */
} xhal_error_t;

/*
 * The calling thread's last error. Success and positive states leave it alone; reading does not clear it. With no error, code is
 * XHAL_SUCCESS. Allowed in host functions. [XHAL-ERROR-2] [XHAL-ERROR-3]
 */
XHAL_EXPORT xhal_result_t xhal_error_get_last(xhal_error_t* out_error);
XHAL_EXPORT xhal_result_t xhal_error_clear(void);

XHAL_END_DECLS

#endif
