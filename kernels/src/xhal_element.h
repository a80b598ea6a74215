// SPDX-License-Identifier: Apache-2.0
// The element types of the data kernels. f16 and bf16 are 16-bit words here and are computed with as f32: no format needs
// cl_khr_fp16, and for bf16 there is no such thing. The conversions have no branch, so that loops over them vectorise.
#ifndef XHAL_ELEMENT_H_
#define XHAL_ELEMENT_H_

// M(name, type, word): integers, computed with as unsigned `word`s, which wrap.
#define XHAL_FOR_EACH_INTEGER(M) \
  M(i8, char, uint)              \
  M(i16, short, uint)            \
  M(i32, int, uint)              \
  M(i64, long, ulong)
// M(name, type)
#ifdef cl_khr_fp64
#pragma OPENCL EXTENSION cl_khr_fp64 : enable
#define XHAL_FOR_EACH_FLOAT(M) \
  M(f32, float)                \
  M(f64, double)
#else
#define XHAL_FOR_EACH_FLOAT(M) M(f32, float)
#endif
// M(name): elements that xhal_float_of_<name> and xhal_<name>_of_float convert.
#define XHAL_FOR_EACH_SHORT_FLOAT(M) \
  M(f16)                             \
  M(bf16)

static inline float xhal_float_of_bf16(ushort element) { return as_float((uint)element << 16); }

// To nearest, ties to even; a NaN stays one.
static inline ushort xhal_bf16_of_float(float value) {
  const uint bits = as_uint(value);
  const uint rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const uint quiet_nan = (bits >> 16) | 0x40;
  return (ushort)((bits & 0x7FFFFFFF) > 0x7F800000 ? quiet_nan : rounded);
}

static inline float xhal_float_of_f16(ushort element) {
  const uint magnitude = (uint)(element & 0x7FFF) << 13;
  // The exponents' biases differ by 112; infinity and NaN need it twice.
  const uint finite = magnitude + (112U << 23);
  const uint special = finite + (112U << 23);
  // A subnormal f16 is its mantissa times 2^-24: as 2^-14 * (1 + mantissa / 2^10), less 2^-14, which is exact.
  const uint subnormal = as_uint(as_float(magnitude + (113U << 23)) - as_float(113U << 23));
  const uint bits = magnitude >= (31U << 23) ? special : magnitude < (1U << 23) ? subnormal : finite;
  return as_float(bits | (uint)(element & 0x8000) << 16);
}

// To nearest, ties to even; a NaN stays one, and what rounds above the largest is infinite.
static inline ushort xhal_f16_of_float(float value) {
  const uint magnitude = as_uint(value) & 0x7FFFFFFF;
  const uint normal = (magnitude - (112U << 23) + 0xFFF + ((magnitude >> 13) & 1)) >> 13;
  // Below 2^-14: beside 0.5 the last bit of an f32 is worth 2^-24, so the addition rounds to that.
  const uint subnormal = as_uint(as_float(magnitude) + 0.5f) - as_uint(0.5f);
  const uint quiet_nan = 0x7E00 | ((magnitude >> 13) & 0x3FF);
  const uint finite = magnitude < (113U << 23) ? subnormal : normal;
  const uint large = magnitude > 0x7F800000 ? quiet_nan : 0x7C00;
  return (ushort)((magnitude >= 0x477FF000 ? large : finite) | ((as_uint(value) >> 16) & 0x8000));
}

#endif
