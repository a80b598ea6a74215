// SPDX-License-Identifier: Apache-2.0
// Random race-free programs: the same seed, wishes and world give the same program anywhere.
#pragma once

#include <cstdint>
#include <vector>

#include "programs/model.h"

namespace xhal::programs {

// What the devices claim: nothing else is generated.
struct World {
  struct Device {
    bool kernels = false, pool = false, graph = false;
    // Which calls may wait for work: not to be made behind a gate that only a later call opens.
    bool free_waits = false;
    uint32_t copy_blocks = 0;
  };
  std::vector<Device> devices;
};

struct Wish {
  uint64_t seed = 0;
  uint32_t ops = 100;    // about: what orders them and what keeps their traces comes on top
  uint32_t threads = 2;  // at most
};

// What no later operation has looked at is looked at before it is overwritten: a kernel folds it into a sink of its stream, or a copy puts it
// into a log. So a wrong order shows in the contents at the end.
Program generate(const World& world, const Wish& wish);

}  // namespace xhal::programs
