// SPDX-License-Identifier: Apache-2.0
#include "engine/asymmetric.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdlib>

namespace xhal::sim {
namespace {

bool membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }
bool register_process() { return membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED); }

}  // namespace

bool has_heavy_fence() {
  static const bool has = register_process();
  return has;
}

void heavy_fence() {
  if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) return;
  // A child of fork() may have to register anew. Without the fence a wake-up could be lost, so that going on would hang some day.
  if (!register_process() || !membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) std::abort();
}

}  // namespace xhal::sim
