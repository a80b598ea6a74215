// SPDX-License-Identifier: Apache-2.0
#include "xhal_kernel.h"

// Three bytes, aligned to one.
typedef struct {
  uchar red;
  uchar green;
  uchar blue;
} xhal_color;

// 16 bytes, aligned to 8: some interfaces pass it in two registers, of two kinds.
typedef struct {
  ulong key;
  float weight;
} xhal_pair;

// 56 bytes, aligned to 8, with padding between and behind its members: too large for registers.
typedef struct {
  uchar tag;
  short level;
  xhal_pair pairs[2];
  uint count;
  uchar bytes[5];
} xhal_record;

// 32 bytes, aligned to 16.
typedef struct {
  float4 corner;
  uint id;
} xhal_box;

kernel void xhal_structs_u64(global ulong* out, xhal_color color, xhal_pair pair, xhal_record record,
                             xhal_box box, uint last) {
  if (xhal_global_index() != 0) {
    return;
  }
  out[0] = color.red;
  out[1] = color.green;
  out[2] = color.blue;
  out[3] = pair.key;
  out[4] = as_uint(pair.weight);
  out[5] = record.tag;
  out[6] = (ulong)(long)record.level;
  for (uint k = 0; k < 2; ++k) {
    out[7 + 2 * k] = record.pairs[k].key;
    out[8 + 2 * k] = as_uint(record.pairs[k].weight);
  }
  out[11] = record.count;
  for (uint k = 0; k < 5; ++k) {
    out[12 + k] = record.bytes[k];
  }
  out[17] = as_uint(box.corner.x);
  out[18] = as_uint(box.corner.y);
  out[19] = as_uint(box.corner.z);
  out[20] = as_uint(box.corner.w);
  out[21] = box.id;
  out[22] = last;
}
