// SPDX-License-Identifier: Apache-2.0
// The operators of integers and bool, computed in 64 bits; what only floating point has gives its first input.
#ifndef XHAL_OP_INTEGER_H_
#define XHAL_OP_INTEGER_H_

static inline long op_power_i64(long base, long exponent) {
  if (exponent < 0) return base == 1 ? 1 : base == -1 ? ((exponent & 1) != 0 ? -1 : 1) : 0;
  ulong result = 1;
  ulong factor = (ulong)base;
  for (; exponent != 0; exponent >>= 1) {
    if ((exponent & 1) != 0) result *= factor;
    factor *= factor;
  }
  return (long)result;
}
// Division by zero, and the one quotient that has no place, give what a device gives: no trap.
static inline long op_quotient_i64(long a, long b) {
  return b == 0 ? 0 : b == -1 ? (long)(0 - (ulong)a) : a / b;
}
static inline long op_rest_i64(long a, long b) { return b == 0 || b == -1 ? 0 : a - a / b * b; }
static inline long op_floored_i64(long a, long b) {
  const long rest = op_rest_i64(a, b);
  return op_quotient_i64(a, b) - (rest != 0 && (rest < 0) != (b < 0));
}
static inline long op_modulo_i64(long a, long b) {
  const long rest = op_rest_i64(a, b);
  return rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest;
}
static inline long op_gcd_i64(long a, long b) {
  ulong x = a < 0 ? 0 - (ulong)a : (ulong)a;
  ulong y = b < 0 ? 0 - (ulong)b : (ulong)b;
  while (y != 0) {
    const ulong rest = x - x / y * y;
    x = y;
    y = rest;
  }
  return (long)x;
}
static inline long op_lcm_i64(long a, long b) {
  const long divisor = op_gcd_i64(a, b);
  if (divisor == 0) return 0;
  const ulong multiple = (ulong)(a / divisor) * (ulong)b;
  return (long)multiple < 0 ? (long)(0 - multiple) : (long)multiple;
}
// A shift by the width or more shifts all bits out.
static inline long op_left_i64(long a, long b, uint bits) {
  return b < 0 || b >= (long)bits ? 0 : (long)((ulong)a << b);
}
static inline long op_right_i64(long a, long b, uint bits) {
  return a >> (b < 0 || b >= (long)bits ? 63 : b);
}

static inline long op_unary_i64(uint op, long x, long p, long q, uint compute) {
  switch (op) {
    case XHAL_OP_FILL:
      return p;
    case XHAL_OP_ABS:
      return x < 0 ? (long)(0 - (ulong)x) : x;
    case XHAL_OP_NEG:
      return (long)(0 - (ulong)x);
    case XHAL_OP_SIGN:
      return (x > 0) - (x < 0);
    case XHAL_OP_CLAMP: {
      const long raised = x < p ? p : x;
      return raised > q ? q : raised;
    }
    case XHAL_OP_CLAMP_MIN:
      return x < p ? p : x;
    case XHAL_OP_CLAMP_MAX:
      return x > p ? p : x;
    case XHAL_OP_LOGICAL_NOT:
      return x == 0;
    case XHAL_OP_BITWISE_NOT:
      return compute == OP_BOOL ? x == 0 : ~x;
    case XHAL_OP_POW_SCALAR:
      return op_power_i64(x, p);
    case XHAL_OP_SIGNBIT:
      return x < 0;
    case XHAL_OP_ISNEGINF:
    case XHAL_OP_ISPOSINF:
      return 0;
    default:
      return x;
  }
}

static inline long op_binary_i64(uint op, long a, long b, long p, long q, uint bits) {
  switch (op) {
    case XHAL_OP_ADD:
      return (long)((ulong)a + (ulong)p * (ulong)b);
    case XHAL_OP_MUL:
      return (long)((ulong)a * (ulong)b);
    case XHAL_OP_DIV_TRUNC:
      return op_quotient_i64(a, b);
    case XHAL_OP_DIV_FLOOR:
      return op_floored_i64(a, b);
    case XHAL_OP_REMAINDER:
      return op_modulo_i64(a, b);
    case XHAL_OP_FMOD:
      return op_rest_i64(a, b);
    case XHAL_OP_MAXIMUM:
    case XHAL_OP_FMAX:
      return a > b ? a : b;
    case XHAL_OP_MINIMUM:
    case XHAL_OP_FMIN:
      return a < b ? a : b;
    case XHAL_OP_POW:
      return op_power_i64(a, b);
    case XHAL_OP_BITWISE_AND:
      return a & b;
    case XHAL_OP_BITWISE_OR:
      return a | b;
    case XHAL_OP_BITWISE_XOR:
      return a ^ b;
    case XHAL_OP_LSHIFT:
      return op_left_i64(a, b, bits);
    case XHAL_OP_RSHIFT:
      return op_right_i64(a, b, bits);
    case XHAL_OP_GCD:
      return op_gcd_i64(a, b);
    case XHAL_OP_LCM:
      return op_lcm_i64(a, b);
    case XHAL_OP_HEAVISIDE:
      return a == 0 ? b : a > 0;
    case XHAL_OP_THRESHOLD:
      return a <= p ? q : b;
    case XHAL_OP_MSE:
      return (long)(((ulong)a - (ulong)b) * ((ulong)a - (ulong)b));
    case XHAL_OP_EQ:
      return a == b;
    case XHAL_OP_NE:
      return a != b;
    case XHAL_OP_LT:
      return a < b;
    case XHAL_OP_LE:
      return a <= b;
    case XHAL_OP_GT:
      return a > b;
    case XHAL_OP_GE:
      return a >= b;
    case XHAL_OP_LOGICAL_AND:
      return a != 0 && b != 0;
    case XHAL_OP_LOGICAL_OR:
      return a != 0 || b != 0;
    case XHAL_OP_LOGICAL_XOR:
      return (a != 0) != (b != 0);
    default:
      return a;
  }
}

static inline long op_ternary_i64(uint op, long a, long b, long c, long p) {
  switch (op) {
    case XHAL_OP_WHERE:
      return a != 0 ? b : c;
    case XHAL_OP_ADDCMUL:
      return (long)((ulong)a + (ulong)p * (ulong)b * (ulong)c);
    case XHAL_OP_CLAMP_TENSORS: {
      const long raised = a < b ? b : a;
      return raised > c ? c : raised;
    }
    default:
      return a;
  }
}

#endif
