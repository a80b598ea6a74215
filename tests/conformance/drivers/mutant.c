/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A driver that is another driver with one defect. MUTANT_BASE is the library of that other one; MUTANT says what is wrong:
 *   (nothing)                     the other driver as it is
 *   <name>                        a lie of one entry, from mutants.def or mutants_optional.def
 *   <fault>:<entry>[:<trigger>]   crash, abort, exit, hang, block, gate, fork, nothing or refuse at every call of the entry; with a trigger: from the first
 *                                 call of that other entry in the process on. Beside the entries of the contract: load, negotiate, open, close.
 * `block` writes a byte into the FIFO that MUTANT_FIFO names, so that a test knows that it is here, and never returns. `gate` does the same, takes
 * a byte from the FIFO that MUTANT_GATE names and goes on.
 * `fork` leaves a child behind and goes on. `nothing` succeeds and does nothing, `refuse` answers UNSUPPORTED.
 */
#include "mutant.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

xhal_functions_t g_base;
const xhal_host_services_t* g_services;

static char g_fault[16];
static char g_entry[64];
static char g_trigger[64];
static atomic_int g_armed;
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

/* <fault>:<entry>[:<trigger>]; a name has no colon. */
static void read_fault(void) {
  const char* text = getenv("MUTANT");
  const char* colon = text == NULL ? NULL : strchr(text, ':');
  if (colon == NULL) return;
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

/* True when the entry's own work is not to be done; its answer is in *result then. */
static int misbehaves_at(const char* entry, xhal_result_t* result) {
  if (g_trigger[0] != 0 && strcmp(entry, g_trigger) == 0) atomic_store(&g_armed, 1);
  if (!atomic_load(&g_armed) || strcmp(entry, g_entry) != 0) return 0;
  if (strcmp(g_fault, "crash") == 0) {
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
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
#define XHAL_ENTRY(feature, since, name, ...)                                     \
  if (strcmp(#name, g_entry) == 0 || strcmp(#name, g_trigger) == 0) {             \
    if (functions->name == NULL) give_up("the base leaves out the entry", #name); \
    functions->name = faulty_##name;                                              \
  }
#include "xhal/entry_points.def"
}

static void install_mutant(xhal_functions_t* functions, const char* name) {
  const mutant_t* mutant = find_mutant(name);
  if (mutant == NULL) mutant = find_optional_mutant(name);
  if (mutant == NULL) give_up("knows no mutant", name);
#define XHAL_ENTRY(feature, since, name, ...) \
  if (mutant->slots.name != NULL) functions->name = mutant->slots.name;
#include "xhal/entry_points.def"
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
  g_services = host->services;
  g_base_interface = *out;
  memcpy(&g_base, out->functions, sizeof(g_base));
  out->open = open_driver;
  out->close = close_driver;
  const char* mutant = getenv("MUTANT");
  if (g_fault[0] != 0) {
    install_faults(out->functions);
  } else if (mutant != NULL && mutant[0] != 0) {
    install_mutant(out->functions, mutant);
  }
  return XHAL_SUCCESS;
}
