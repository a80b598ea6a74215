/* SPDX-License-Identifier: Apache-2.0 */
#include "vendor.h"

#include <pthread.h>
#include <stddef.h>
#include <unistd.h>

static pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t g_changed = PTHREAD_COND_INITIALIZER;
static int g_serves;    /* the thread waits for jobs */
static pid_t g_process; /* where the thread runs; 0: none was started */
static void (*g_job)(void*);
static void* g_user;

static void* serve(void* unused) {
  (void)unused;
  pthread_mutex_lock(&g_mutex);
  g_serves = 1;
  pthread_cond_broadcast(&g_changed);
  for (;;) {
    while (g_job == NULL) pthread_cond_wait(&g_changed, &g_mutex);
    g_job(g_user);
    g_job = NULL;
    pthread_cond_broadcast(&g_changed);
  }
  return NULL;
}

static int initialize(void) {
  int result = VENDOR_OK;
  if (g_process != 0 && g_process != getpid())
    return VENDOR_FORKED; /* before the lock: its holder may not be there */
  pthread_mutex_lock(&g_mutex);
  if (g_process == 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, serve, NULL) == 0) {
      pthread_detach(thread);
      g_process = getpid();
      /* A thread that is still being made holds locks of the C library, or of a sanitizer, that a fork would copy. */
      while (!g_serves) pthread_cond_wait(&g_changed, &g_mutex);
    } else {
      result = VENDOR_NO_THREAD;
    }
  }
  pthread_mutex_unlock(&g_mutex);
  return result;
}

int vendor_count_devices(int* out_count) {
  const int result = initialize();
  if (result == VENDOR_OK) *out_count = 2;
  return result;
}

int vendor_run(void (*job)(void* user), void* user) {
  const int result = initialize();
  if (result != VENDOR_OK) return result;
  pthread_mutex_lock(&g_mutex);
  while (g_job != NULL) pthread_cond_wait(&g_changed, &g_mutex);
  g_job = job;
  g_user = user;
  pthread_cond_broadcast(&g_changed);
  while (g_job != NULL) pthread_cond_wait(&g_changed, &g_mutex);
  pthread_mutex_unlock(&g_mutex);
  return VENDOR_OK;
}
