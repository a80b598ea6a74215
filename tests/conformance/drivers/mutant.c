/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that is another driver with one defect. MUTANT_BASE is the library of that other one; MUTANT says what is wrong:
 *   (nothing)                     the other driver as it is
 *   <fault>:<entry>[:<trigger>]   crash, smash, abort, exit, hang, block, gate, slow, tarry, fork, nothing or refuse at every call of the entry; with a trigger: from the first
 *                                 call of that other entry in the process on. Beside the entries of the contract: load, negotiate, open, close.
 * `block` writes a byte into the FIFO that MUTANT_FIFO names, so that a test knows that it is here, and never returns. `gate` does the same, takes
 * a byte from the FIFO that MUTANT_GATE names and goes on.
 * `smash` writes over its caller's stack and returns. `slow` takes 20 ms more for each call, `tarry` a second more for the first one.
 * `names` of module_get_kernel knows the test kernels by their names and has no others, as a driver would that brings them along.
 * `fork` leaves a child behind and goes on. `nothing` succeeds and does nothing, `refuse` answers UNSUPPORTED.
 * MUTANT_NAME, when it is set, is the driver's name in place of the other one's, and a part of the names of its devices.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "xhal/driver.h"

/* The driver under the mutant: complete, but for the calls that it leaves out. */
static xhal_functions_t g_base;

static char g_fault[16];
static char g_entry[64];
static char g_trigger[64];
static atomic_int g_armed;
static atomic_int g_tarried;
static xhal_driver_interface_t g_base_interface;

/* True when `word`, of `length` characters, was copied. */
static int take_word(char* to, size_t capacity, const char* word, size_t length) {
  if (length == 0 || length >= capacity) return 0;
  memcpy(to, word, length);
  to[length] = 0;
  return 1;
}

/* A test that misspells a fault must not pass for want of it. */
static void give_up(const char* why, const char* what) {
  fprintf(stderr, "mutant driver: %s '%s'\n", why, what);
  fflush(stderr);
  _exit(99);
}

/* <fault>:<entry>[:<trigger>] */
static void read_fault(void) {
  const char* text = getenv("MUTANT");
  if (text == NULL || text[0] == 0) return;
  const char* colon = strchr(text, ':');
  if (colon == NULL) give_up("cannot read", text);
  const char* entry = colon + 1;
  const char* second = strchr(entry, ':');
  const size_t entry_length = second == NULL ? strlen(entry) : (size_t)(second - entry);
  if (!take_word(g_fault, sizeof(g_fault), text, (size_t)(colon - text)) ||
      !take_word(g_entry, sizeof(g_entry), entry, entry_length) ||
      (second != NULL && !take_word(g_trigger, sizeof(g_trigger), second + 1, strlen(second + 1)))) {
    give_up("cannot read", text);
  }
  atomic_store(&g_armed, second == NULL);
}

static void tell_fifo(void) {
  const char* path = getenv("MUTANT_FIFO");
  if (path == NULL) give_up("blocks, but no MUTANT_FIFO for", g_entry);
  const int fd = open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write(fd, "x", 1) != 1) give_up("cannot write to", path);
  close(fd);
}

static void wait_at_gate(void) {
  const char* path = getenv("MUTANT_GATE");
  if (path == NULL) give_up("waits, but no MUTANT_GATE for", g_entry);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  char byte = 0;
  if (fd < 0 || read(fd, &byte, 1) != 1) give_up("cannot read from", path);
  close(fd);
}

/* From this frame upwards: the frames of the entry, of libxhal and of the test. */
__attribute__((noinline, no_sanitize("address"))) static void smash_the_stack(void) {
  volatile unsigned char* stack = __builtin_frame_address(0);
  for (size_t i = 0; i < 2048; ++i) stack[i] = 0xA5;
}

/* True when the entry's own work is not to be done; its answer is in *result then. */
static int misbehaves_at(const char* entry, xhal_result_t* result) {
  if (g_trigger[0] != 0 && strcmp(entry, g_trigger) == 0) atomic_store(&g_armed, 1);
  if (!atomic_load(&g_armed) || strcmp(entry, g_entry) != 0) return 0;
  if (strcmp(g_fault, "crash") == 0) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
  } else if (strcmp(g_fault, "smash") == 0) {
    smash_the_stack();
  } else if (strcmp(g_fault, "abort") == 0) {
    abort();
  } else if (strcmp(g_fault, "exit") == 0) {
    exit(0);
  } else if (strcmp(g_fault, "hang") == 0) {
    for (;;) pause();
  } else if (strcmp(g_fault, "block") == 0) {
    tell_fifo();
    for (;;) pause();
  } else if (strcmp(g_fault, "gate") == 0) {
    tell_fifo();
    wait_at_gate();
    return 0;
  } else if (strcmp(g_fault, "slow") == 0) {
    usleep(20 * 1000);
    return 0;
  } else if (strcmp(g_fault, "tarry") == 0) {
    if (!atomic_exchange(&g_tarried, 1)) sleep(1);
    return 0;
  } else if (strcmp(g_fault, "fork") == 0) {
    if (fork() == 0) {
      for (;;) pause();
    }
    return 0;
  } else if (strcmp(g_fault, "nothing") == 0) {
    *result = XHAL_SUCCESS;
  } else if (strcmp(g_fault, "refuse") == 0) {
    *result = XHAL_ERROR_UNSUPPORTED;
  } else {
    give_up("knows no fault", g_fault);
  }
  return 1;
}

#define XHAL_ENTRY(feature, since, name, ...)                    \
  static xhal_result_t faulty_##name(XHAL_PARAMS(__VA_ARGS__)) { \
    xhal_result_t result = XHAL_ERROR_INTERNAL;                  \
    if (misbehaves_at(#name, &result)) return result;            \
    return g_base.name(XHAL_ARGUMENTS(__VA_ARGS__));             \
  }
#include "xhal/entry_points.def"

static xhal_result_t get_known_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out_kernel) {
  if (name != NULL && strncmp(name, "xhal_", 5) != 0) return XHAL_ERROR_NOT_FOUND;
  return g_base.module_get_kernel(module, name, out_kernel);
}

static int is_entry(const char* word) {
  static const char* const kOthers[] = {"load", "negotiate", "open", "close"};
  for (size_t i = 0; i < sizeof(kOthers) / sizeof(kOthers[0]); ++i) {
    if (strcmp(word, kOthers[i]) == 0) return 1;
  }
#define XHAL_ENTRY(feature, since, name, ...) \
  if (strcmp(word, #name) == 0) return 1;
#include "xhal/entry_points.def"
  return 0;
}

static void install_faults(xhal_functions_t* functions) {
  if (!is_entry(g_entry)) give_up("knows no entry", g_entry);
  if (g_trigger[0] != 0 && !is_entry(g_trigger)) give_up("knows no entry", g_trigger);
  if (strcmp(g_fault, "names") == 0) {
    functions->module_get_kernel = get_known_kernel;
    return;
  }
#define XHAL_ENTRY(feature, since, name, ...)                                     \
  if (strcmp(#name, g_entry) == 0 || strcmp(#name, g_trigger) == 0) {             \
    if (functions->name == NULL) give_up("the base leaves out the entry", #name); \
    functions->name = faulty_##name;                                              \
  }
#include "xhal/entry_points.def"
}

static xhal_result_t renamed_driver_properties(xhal_driver_t driver, xhal_driver_properties_t* out) {
  const xhal_result_t result = g_base.driver_get_properties(driver, out);
  if (result == XHAL_SUCCESS) snprintf(out->name, sizeof(out->name), "%s", getenv("MUTANT_NAME"));
  return result;
}

static xhal_result_t renamed_device_properties(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = g_base.device_get_properties(device, out);
  if (result == XHAL_SUCCESS) snprintf(out->name, sizeof(out->name), "%s 9000", getenv("MUTANT_NAME"));
  return result;
}

static xhal_result_t open_driver(const xhal_driver_open_t* params, xhal_driver_t* out_driver) {
  xhal_result_t result = XHAL_ERROR_INTERNAL;
  if (misbehaves_at("open", &result)) return result;
  return g_base_interface.open(params, out_driver);
}

static xhal_result_t close_driver(xhal_driver_t driver) {
  xhal_result_t result = XHAL_ERROR_INTERNAL;
  if (misbehaves_at("close", &result)) return result;
  return g_base_interface.close(driver);
}

__attribute__((constructor)) static void loaded(void) {
  xhal_result_t ignored = XHAL_SUCCESS;
  read_fault();
  misbehaves_at("load", &ignored);
}

xhal_result_t xhal_driver_negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out) {
  xhal_result_t result = XHAL_ERROR_INTERNAL;
  if (misbehaves_at("negotiate", &result)) return result;
  const char* path = getenv("MUTANT_BASE");
  if (path == NULL) give_up("no driver to be a mutant of:", "MUTANT_BASE");
  void* library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) give_up("cannot load", dlerror());
  xhal_driver_negotiate_fn negotiate = NULL;
  *(void**)&negotiate = dlsym(library, XHAL_DRIVER_NEGOTIATE_SYMBOL);
  if (negotiate == NULL) give_up("is no driver:", path);
  result = negotiate(host, out);
  if (result != XHAL_SUCCESS) return result;
  g_base_interface = *out;
  memcpy(&g_base, out->functions, sizeof(g_base));
  out->open = open_driver;
  out->close = close_driver;
  if (g_fault[0] != 0) install_faults(out->functions);
  if (getenv("MUTANT_NAME") != NULL) {
    out->name = getenv("MUTANT_NAME");
    out->functions->driver_get_properties = renamed_driver_properties;
    out->functions->device_get_properties = renamed_device_properties;
  }
  return XHAL_SUCCESS;
}
