// SPDX-License-Identifier: Apache-2.0
// What the sources that xhal-mutate wrote ask at each of their alternatives.
#pragma once

#include <cstdint>

namespace xhal::mutation {

extern uint32_t current;        // 0: the program as it is written
extern unsigned char* reached;  // a byte for each alternative, set once somebody came by

inline bool chosen(uint32_t id) {
  reached[id] = 1;
  return id == current;
}

}  // namespace xhal::mutation
