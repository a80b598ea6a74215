// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"
#include "xhal_mix.h"

// The number of the group at (x, y, z).
static inline size_t group_at(size_t x, size_t y, size_t z) {
  return x + get_num_groups(0) * (y + get_num_groups(1) * z);
}

// The next group of this one's team: one on in x, and where that is the end also in y, and so in z.
static inline size_t next_group(uint team_x, uint team_y, uint team_z) {
  const size_t x = get_group_id(0);
  const size_t y = get_group_id(1);
  const size_t z = get_group_id(2);
  const int last_x = (x + 1) % team_x == 0;
  const int last_y = (y + 1) % team_y == 0;
  const int last_z = (z + 1) % team_z == 0;
  return group_at(last_x ? x + 1 - team_x : x + 1,
                  !last_x  ? y
                  : last_y ? y + 1 - team_y
                           : y + 1,
                  !last_x || !last_y ? z
                  : last_z           ? z + 1 - team_z
                                     : z + 1);
}

static inline size_t team_number(uint team_x, uint team_y, uint team_z) {
  const size_t teams_x = get_num_groups(0) / team_x;
  const size_t teams_y = get_num_groups(1) / team_y;
  return get_group_id(0) / team_x +
         teams_x * (get_group_id(1) / team_y + teams_y * (get_group_id(2) / team_z));
}

// What one group writes another one reads while the kernel runs, so the cells are volatile: no cache of a group's own is asked.
kernel void xhal_meet_u64(global ulong* cells, global uint* arrivals, global const uint* quit, uint team_x,
                          uint team_y, uint team_z, uint rounds, uint fails, local ulong* stage) {
  local uint leaves;
  const size_t items = xhal_group_items();
  const size_t item = xhal_local_index();
  const size_t first = xhal_group_index() * items;
  const size_t next = next_group(team_x, team_y, team_z) * items;
  const size_t half_size = items * get_num_groups(0) * get_num_groups(1) * get_num_groups(2);
  global uint* const arrived = arrivals + team_number(team_x, team_y, team_z);
  const uint members = team_x * team_y * team_z;
  if (item == 0) {
    leaves = 0;
  }
  for (uint round = 0; round < rounds; ++round) {
    volatile global ulong* const from = cells + (round % 2 == 0 ? 0 : half_size);
    volatile global ulong* const to = cells + (round % 2 == 0 ? half_size : 0);
    stage[item] = from[first + item];
    barrier(CLK_LOCAL_MEM_FENCE);
    to[first + item] = xhal_mix(xhal_mix(stage[(item + 1) % items], from[next + item]), round);
    mem_fence(CLK_GLOBAL_MEM_FENCE);
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    if (item == 0) {
      if (round == 0 && xhal_group_index() == fails) {
        XHAL_TRAP();
        leaves = 1;
      } else {
        atomic_inc(arrived);
      }
      while (leaves == 0 && XHAL_LOAD_ACQUIRE_U32(arrived) < members * (round + 1)) {
        leaves = XHAL_LOAD_ACQUIRE_U32(quit);
        if (XHAL_ABANDONED()) {
          leaves = 1;
        }
      }
    }
    barrier(CLK_LOCAL_MEM_FENCE | CLK_GLOBAL_MEM_FENCE);
    if (leaves != 0) {
      return;
    }
  }
}
