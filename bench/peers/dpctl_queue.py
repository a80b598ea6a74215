# SPDX-License-Identifier: Apache-2.0
# usage: dpctl_queue.py launch|'copy BYTES'
# For each line with a number on the standard input, so many launches of a kernel with four changing arguments, or copies of device memory, each with its
# end; answers with the nanoseconds of one, by this process's clock.
import ctypes
import sys
import time

import dpctl
import dpctl.memory
import dpctl.program

SOURCE = """
kernel void empty(global ulong* a0, global const ulong* a1, ulong a2, ulong a3) {
  const size_t i = get_global_id(0);
  if (i < (a2 ^ a3)) a0[i] = a1[i];
}
"""


def launches(queue):
    kernel = dpctl.program.create_program_from_source(queue, SOURCE).get_sycl_kernel("empty")
    pages = [dpctl.memory.MemoryUSMDevice(4096, queue=queue) for _ in range(2)]
    values = [ctypes.c_ulonglong(turn) for turn in range(2)]
    arguments = [[pages[turn], pages[1 - turn], values[turn], values[turn]] for turn in range(2)]

    def run(units):
        for i in range(units):
            queue.submit(kernel, arguments[i % 2], [1], [1])
            queue.wait()

    return run


def copies(queue, size):
    source, target = (dpctl.memory.MemoryUSMDevice(size, queue=queue) for _ in range(2))

    def run(units):
        for _ in range(units):
            queue.memcpy_async(target, source, size)
            queue.wait()

    return run


words = sys.argv[1].split()
queue = dpctl.SyclQueue(dpctl.get_devices(backend="opencl")[0], property="in_order")
run = launches(queue) if words[0] == "launch" else copies(queue, int(words[1]))
run(1)
print("ready", flush=True)
for line in sys.stdin:
    units = int(line)
    begin = time.perf_counter_ns()
    run(units)
    print((time.perf_counter_ns() - begin) / units, flush=True)
