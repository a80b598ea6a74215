/* SPDX-License-Identifier: Apache-2.0 */
/* Stands for a library of matrix products: tells by the elements of c how it was set up and called. */
#include <sched.h>
#include <stdatomic.h>

#ifndef TEST_PARALLEL
#define TEST_PARALLEL 1
#endif
#ifndef TEST_CONFIG
#define TEST_CONFIG "TestBLAS 1.0"
#endif

#define EXPORT __attribute__((visibility("default")))
/* What alpha asks for. */
enum { MEET = 2, LOOK_FOR_OTHERS = 3 };

enum { PATIENCE = 300000 }; /* so that a test fails where nobody comes */

static int threads = 64;
static int ends;
static atomic_int inside;

EXPORT const char* openblas_get_config(void);
EXPORT int openblas_get_parallel(void);
EXPORT void openblas_set_num_threads(int count);
EXPORT int blas_thread_shutdown_(void);
EXPORT void cblas_sgemm(int order, int op_a, int op_b, int m, int n, int k, float alpha, const float* a,
                        int lda, const float* b, int ldb, float beta, float* c, int ldc);
EXPORT void cblas_dgemm(void);

const char* openblas_get_config(void) { return TEST_CONFIG; }
int openblas_get_parallel(void) { return TEST_PARALLEL; }
void openblas_set_num_threads(int count) { threads = count; }
int blas_thread_shutdown_(void) { return ++ends; }
void cblas_dgemm(void) {}

void cblas_sgemm(int order, int op_a, int op_b, int m, int n, int k, float alpha, const float* a, int lda,
                 const float* b, int ldb, float beta, float* c, int ldc) {
  (void)order, (void)op_a, (void)op_b, (void)m, (void)n, (void)k, (void)a, (void)lda, (void)b, (void)ldb,
      (void)beta, (void)ldc;
  int others = atomic_fetch_add(&inside, 1);
  if ((int)alpha == MEET) {
    others = 0;
    for (int i = 0; i < PATIENCE && others == 0; ++i) {
      sched_yield();
      others = atomic_load(&inside) == 2;
    }
  } else if ((int)alpha == LOOK_FOR_OTHERS) {
    for (int i = 0; i < 300; ++i) {
      sched_yield();
      others += atomic_load(&inside) - 1;
    }
  }
  if ((int)alpha != MEET) atomic_fetch_sub(&inside, 1);
  c[0] = (float)threads;
  c[1] = (float)ends;
  c[2] = (float)others;
}
