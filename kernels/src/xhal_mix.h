// SPDX-License-Identifier: Apache-2.0
#ifndef XHAL_MIX_H_
#define XHAL_MIX_H_

// Not commutative: a cell tells which values were mixed into it and in which order.
static inline ulong xhal_mix(ulong cell, ulong value) {
  return (((cell << 5) | (cell >> 59)) ^ value) * 0x9E3779B97F4A7C15UL + 0x7F4A7C15UL;
}

#endif
