/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clFinish has to wait for all that its queue has got. rusticl of Mesa 22.3.6 returns at once where everything had been flushed before:
 * found by a random program (seed 303 of 60 operations) whose stream was synchronised behind a host function.
 *
 *   cc -std=c11 -pthread THIS_FILE -lOpenCL && ./a.out
 *
 * Exit code 0: clFinish has waited. 1: it has not, or a call failed. 2: no device.
 */
#define _DEFAULT_SOURCE
#define CL_TARGET_OPENCL_VERSION 300
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void check(int line, cl_int code) {
  if (code == CL_SUCCESS) return;
  printf("line %d: OpenCL error %d\n", line, (int)code);
  exit(1);
}
#define CHECK(call) check(__LINE__, (call))

static cl_event gate;
static atomic_int opened;

static void* opener(void* unused) {
  (void)unused;
  usleep(200000); /* a driver that waits is right however long this takes */
  atomic_store(&opened, 1);
  CHECK(clSetUserEventStatus(gate, CL_COMPLETE));
  return NULL;
}

int main(void) {
  cl_platform_id platform;
  cl_device_id device;
  cl_int code = CL_SUCCESS;
  if (clGetPlatformIDs(1, &platform, NULL) != CL_SUCCESS) return 2;
  if (clGetDeviceIDs(platform, CL_DEVICE_TYPE_ALL, 1, &device, NULL) != CL_SUCCESS) return 2;
  const cl_context context = clCreateContext(NULL, 1, &device, NULL, NULL, &code);
  CHECK(code);
  const cl_command_queue queue = clCreateCommandQueue(context, device, 0, &code);
  CHECK(code);
  gate = clCreateUserEvent(context, &code);
  CHECK(code);
  CHECK(clEnqueueBarrierWithWaitList(queue, 1, &gate, NULL));
  CHECK(clFlush(queue));
  pthread_t thread;
  pthread_create(&thread, NULL, opener, NULL);
  CHECK(clFinish(queue));
  const int waited = atomic_load(&opened);
  pthread_join(thread, NULL);
  printf(waited ? "clFinish has waited\n" : "clFinish returned before its queue's barrier was passed\n");
  return waited ? 0 : 1;
}
