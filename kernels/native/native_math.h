/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenCL's mathematical functions, for builtins.c. Those that models spend their time in have a form of f32 without branches, so that loops
 * over items vectorise: within two units in the last place. The rest is the C library's.
 */
#ifndef XHAL_NATIVE_MATH_H_
#define XHAL_NATIVE_MATH_H_

#include <math.h>
#include <stdint.h>
#include <string.h>

static inline __attribute__((always_inline)) uint32_t bits_of(float value) {
  uint32_t out;
  memcpy(&out, &value, sizeof(out));
  return out;
}
static inline __attribute__((always_inline)) float float_of(uint32_t bits) {
  float out;
  memcpy(&out, &bits, sizeof(out));
  return out;
}

/* e^x = 2^k * e^r with |r| at most ln(2)/2. The sum with the large number rounds to a whole one, which its low bits then are. */
static inline __attribute__((always_inline)) float exp_of(float x) {
  const float large = 12582912.0f;
  const float inside = x > 89.0f ? 89.0f : x < -104.0f ? -104.0f : x;
  const float shifted = inside * 1.44269504088896341f + large;
  const float k = shifted - large;
  const float r = (inside - k * 0.693359375f) + k * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const float e = p * r * r + r + 1.0f;
  /* In two factors, since neither 2^128 nor subnormal powers are normal numbers. */
  const int32_t power = (int32_t)(bits_of(shifted) - bits_of(large));
  const int32_t half = power >> 1;
  return e * float_of((uint32_t)(half + 127) << 23) * float_of((uint32_t)(power - half + 127) << 23);
}

/* log(x) = k * ln(2) + log(m) with m from sqrt(1/2) to sqrt(2). */
static inline __attribute__((always_inline)) float log_of(float x) {
  const uint32_t is_small = x < 1.17549435e-38f;
  const uint32_t bits = bits_of(is_small ? x * 8388608.0f : x);
  const int32_t power = (int32_t)(bits - 0x3F3504F3U) >> 23;
  const float m = float_of(bits - ((uint32_t)power << 23)) - 1.0f;
  const float k = (float)power - (is_small ? 23.0f : 0.0f);
  const float z = m * m;
  float p = 7.0376836292e-2f;
  p = p * m - 1.1514610310e-1f;
  p = p * m + 1.1676998740e-1f;
  p = p * m - 1.2420140846e-1f;
  p = p * m + 1.4249322787e-1f;
  p = p * m - 1.6668057665e-1f;
  p = p * m + 2.0000714765e-1f;
  p = p * m - 2.4999993993e-1f;
  p = p * m + 3.3333331174e-1f;
  float out = p * m * z - k * 2.12194440e-4f - 0.5f * z;
  out = out + m + k * 0.693359375f;
  out = x == __builtin_inff() ? x : out;
  out = x == 0.0f ? -__builtin_inff() : out;
  return x < 0.0f ? __builtin_nanf("") : x != x ? x : out;
}

static inline __attribute__((always_inline)) float tanh_of(float x) {
  const float a = __builtin_fabsf(x);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float far = 1.0f - 2.0f / (exp_of(2.0f * a) + 1.0f);
  return a < 0.625f ? near : x < 0.0f ? -far : far;
}

/* Fitted by least squares at Chebyshev's points: erf(x)/x below 1, and log(erfc(x)) above, where the result is one beyond 4. */
static inline __attribute__((always_inline)) float erf_of(float x) {
  const float z = x * x;
  float p = -9.673590651e-06f;
  p = p * z + 1.126825381e-04f;
  p = p * z - 8.484396535e-04f;
  p = p * z + 5.221053411e-03f;
  p = p * z - 2.686543831e-02f;
  p = p * z + 1.128378262e-01f;
  p = p * z - 3.761263848e-01f;
  p = p * z + 1.28379167e-01f;
  const float near = p * x + x;
  const float a = __builtin_fabsf(x) > 4.0f ? 4.0f : __builtin_fabsf(x);
  float q = 6.391289055e-07f;
  q = q * a - 1.038650713e-05f;
  q = q * a + 5.191208372e-05f;
  q = q * a + 1.428550414e-04f;
  q = q * a - 3.440966763e-03f;
  q = q * a + 2.393006106e-02f;
  q = q * a - 1.070181951e-01f;
  q = q * a - 6.341885592e-01f;
  q = q * a - 1.129194392e+00f;
  q = q * a + 1.215226705e-04f;
  const float far = 1.0f - exp_of(q);
  return __builtin_fabsf(x) < 1.0f ? near : x != x ? x : x < 0.0f ? -far : far;
}

#define MATH_1(function, length, value_f, value_d)                                             \
  float function##_native_f(item_pointer item, float x) BUILTIN("_Z" #length #function "f");   \
  float function##_native_f(item_pointer item, float x) {                                      \
    (void)item;                                                                                \
    return value_f;                                                                            \
  }                                                                                            \
  double function##_native_d(item_pointer item, double x) BUILTIN("_Z" #length #function "d"); \
  double function##_native_d(item_pointer item, double x) {                                    \
    (void)item;                                                                                \
    return value_d;                                                                            \
  }
#define MATH_2(function, length, value_f, value_d)                                                        \
  float function##_native_f(item_pointer item, float x, float y) BUILTIN("_Z" #length #function "ff");    \
  float function##_native_f(item_pointer item, float x, float y) {                                        \
    (void)item;                                                                                           \
    return value_f;                                                                                       \
  }                                                                                                       \
  double function##_native_d(item_pointer item, double x, double y) BUILTIN("_Z" #length #function "dd"); \
  double function##_native_d(item_pointer item, double x, double y) {                                     \
    (void)item;                                                                                           \
    return value_d;                                                                                       \
  }

MATH_1(acos, 4, acosf(x), acos(x))
MATH_1(acosh, 5, acoshf(x), acosh(x))
MATH_1(asin, 4, asinf(x), asin(x))
MATH_1(asinh, 5, asinhf(x), asinh(x))
MATH_1(atan, 4, atanf(x), atan(x))
MATH_1(atanh, 5, atanhf(x), atanh(x))
MATH_1(cbrt, 4, cbrtf(x), cbrt(x))
MATH_1(ceil, 4, __builtin_ceilf(x), __builtin_ceil(x))
MATH_1(cos, 3, cosf(x), cos(x))
MATH_1(cosh, 4, coshf(x), cosh(x))
MATH_1(erf, 3, erf_of(x), erf(x))
MATH_1(erfc, 4, erfcf(x), erfc(x))
MATH_1(exp, 3, exp_of(x), exp(x))
MATH_1(exp2, 4, exp2f(x), exp2(x))
MATH_1(expm1, 5, expm1f(x), expm1(x))
MATH_1(fabs, 4, __builtin_fabsf(x), __builtin_fabs(x))
MATH_1(floor, 5, __builtin_floorf(x), __builtin_floor(x))
MATH_1(lgamma, 6, lgammaf(x), lgamma(x))
MATH_1(log, 3, log_of(x), log(x))
MATH_1(log10, 5, log10f(x), log10(x))
MATH_1(log1p, 5, log1pf(x), log1p(x))
MATH_1(log2, 4, log2f(x), log2(x))
MATH_1(rint, 4, __builtin_rintf(x), __builtin_rint(x))
MATH_1(rsqrt, 5, 1.0f / __builtin_sqrtf(x), 1.0 / __builtin_sqrt(x))
MATH_1(sin, 3, sinf(x), sin(x))
MATH_1(sinh, 4, sinhf(x), sinh(x))
MATH_1(sqrt, 4, __builtin_sqrtf(x), __builtin_sqrt(x))
MATH_1(tan, 3, tanf(x), tan(x))
MATH_1(tanh, 4, tanh_of(x), tanh(x))
MATH_1(tgamma, 6, tgammaf(x), tgamma(x))
MATH_1(trunc, 5, __builtin_truncf(x), __builtin_trunc(x))
MATH_2(atan2, 5, atan2f(x, y), atan2(x, y))
MATH_2(copysign, 8, __builtin_copysignf(x, y), __builtin_copysign(x, y))
MATH_2(fmax, 4, __builtin_fmaxf(x, y), __builtin_fmax(x, y))
MATH_2(fmin, 4, __builtin_fminf(x, y), __builtin_fmin(x, y))
MATH_2(fmod, 4, fmodf(x, y), fmod(x, y))
MATH_2(hypot, 5, hypotf(x, y), hypot(x, y))
MATH_2(nextafter, 9, nextafterf(x, y), nextafter(x, y))
MATH_2(pow, 3, powf(x, y), pow(x, y))

#endif
