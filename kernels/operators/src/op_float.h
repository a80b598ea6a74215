// SPDX-License-Identifier: Apache-2.0
// The operators of floating point, for OP_T (float or double), named by OP_F(name), with constants OP_C(c). Included once for each type.

#define OP_UNARY_IS(name, value)                                       \
  static inline OP_T OP_F(op_##name)(OP_T x, OP_T p, OP_T q, OP_T r) { \
    (void)x;                                                           \
    (void)p;                                                           \
    (void)q;                                                           \
    (void)r;                                                           \
    return (OP_T)(value);                                              \
  }

static inline OP_T OP_F(op_sigmoid_of)(OP_T x) { return OP_C(1.0) / (OP_C(1.0) + exp(-x)); }
static inline OP_T OP_F(op_softplus_of)(OP_T x) { return fmax(x, OP_C(0.0)) + log1p(exp(-fabs(x))); }
// A NaN of either side stays.
static inline OP_T OP_F(op_larger)(OP_T a, OP_T b) { return a != a || a > b ? a : b; }
static inline OP_T OP_F(op_smaller)(OP_T a, OP_T b) { return a != a || a < b ? a : b; }
static inline OP_T OP_F(op_sign_of)(OP_T x) { return (OP_T)(x > 0) - (OP_T)(x < 0); }
// The standard normal distribution's integral.
static inline OP_T OP_F(op_normal_cdf)(OP_T x) {
  return OP_C(0.5) * (OP_C(1.0) + erf(x * OP_C(0.70710678118654752440)));
}
static inline OP_T OP_F(op_gelu_tanh_inner)(OP_T x) {
  return tanh(OP_C(0.79788456080286535588) * (x + OP_C(0.044715) * x * x * x));
}

// The logarithm's derivative of the gamma function: mirrored for negative numbers, raised until its asymptotic series is exact enough.
static inline OP_T OP_F(op_digamma_of)(OP_T x) {
  if (x == 0) return copysign((OP_T)INFINITY, -x);
  OP_T result = 0;
  if (x < 0) {
    if (x == trunc(x)) return (OP_T)NAN;
    // The tangent repeats itself with whole numbers: the one nearest leaves the most digits.
    const OP_T part = x - rint(x);
    result = -OP_C(3.14159265358979323846) / tan(OP_C(3.14159265358979323846) * part);
    x = OP_C(1.0) - x;
  }
  while (x < 10) {
    result -= OP_C(1.0) / x;
    x += OP_C(1.0);
  }
  const OP_T z = OP_C(1.0) / (x * x);
  const OP_T series =
      z *
      (OP_C(8.33333333333333333333E-2) -
       z * (OP_C(8.33333333333333333333E-3) -
            z * (OP_C(3.96825396825396825397E-3) -
                 z * (OP_C(4.16666666666666666667E-3) -
                      z * (OP_C(7.57575757575757575758E-3) -
                           z * (OP_C(2.10927960927960927961E-2) - z * OP_C(8.33333333333333333333E-2)))))));
  return x < OP_C(1.0e17) ? result + log(x) - OP_C(0.5) / x - series : result + log(x);
}

// A start within a thousandth (Giles' single precision polynomial), then steps of Newton's method.
static inline OP_T OP_F(op_erfinv_of)(OP_T y) {
  if (fabs(y) >= 1) return fabs(y) > 1 ? (OP_T)NAN : copysign((OP_T)INFINITY, y);
  OP_T w = -log((OP_C(1.0) - y) * (OP_C(1.0) + y));
  OP_T x;
  if (w < 5) {
    w -= OP_C(2.5);
    x = OP_C(2.81022636e-08);
    x = OP_C(3.43273939e-07) + x * w;
    x = OP_C(-3.5233877e-06) + x * w;
    x = OP_C(-4.39150654e-06) + x * w;
    x = OP_C(0.00021858087) + x * w;
    x = OP_C(-0.00125372503) + x * w;
    x = OP_C(-0.00417768164) + x * w;
    x = OP_C(0.246640727) + x * w;
    x = OP_C(1.50140941) + x * w;
  } else {
    w = sqrt(w) - OP_C(3.0);
    x = OP_C(-0.000200214257);
    x = OP_C(0.000100950558) + x * w;
    x = OP_C(0.00134934322) + x * w;
    x = OP_C(-0.00367342844) + x * w;
    x = OP_C(0.00573950773) + x * w;
    x = OP_C(-0.0076224613) + x * w;
    x = OP_C(0.00943887047) + x * w;
    x = OP_C(1.00167406) + x * w;
    x = OP_C(2.83297682) + x * w;
  }
  x *= y;
  const OP_T slope = OP_C(1.12837916709551257390);
  if (sizeof(OP_T) == 8) {
    for (int step = 0; step < 2; ++step) {
      // Near one the complement has the digits that the function itself has not.
      const OP_T miss = y > OP_C(0.5)    ? (OP_C(1.0) - y) - erfc(x)
                        : y < OP_C(-0.5) ? erfc(-x) - (OP_C(1.0) + y)
                                         : erf(x) - y;
      x -= miss / (slope * exp(-x * x));
    }
  }
  return x;
}

OP_UNARY_IS(copy, x)
OP_UNARY_IS(fill, p)
OP_UNARY_IS(abs, fabs(x))
OP_UNARY_IS(neg, -x)
OP_UNARY_IS(sign, x != x ? 0 : OP_F(op_sign_of)(x))
OP_UNARY_IS(clamp, OP_F(op_smaller)(OP_F(op_larger)(x, p), q))
OP_UNARY_IS(clamp_min, OP_F(op_larger)(x, p))
OP_UNARY_IS(clamp_max, OP_F(op_smaller)(x, p))
OP_UNARY_IS(logical_not, x == 0)
OP_UNARY_IS(bitwise_not, x)
OP_UNARY_IS(acos, acos(x))
OP_UNARY_IS(acosh, acosh(x))
OP_UNARY_IS(asin, asin(x))
OP_UNARY_IS(asinh, asinh(x))
OP_UNARY_IS(atan, atan(x))
OP_UNARY_IS(atanh, atanh(x))
OP_UNARY_IS(ceil, ceil(x))
OP_UNARY_IS(cos, cos(x))
OP_UNARY_IS(cosh, cosh(x))
OP_UNARY_IS(digamma, OP_F(op_digamma_of)(x))
// p, q, r: the factors of what is below zero, of what is above, and of the exponent.
OP_UNARY_IS(elu, x < 0 ? p * expm1(x * r) : x * q)
OP_UNARY_IS(entr, x != x ? x : x > 0 ? -x * log(x) : x == 0 ? (OP_T)0 : -(OP_T)INFINITY)
OP_UNARY_IS(erf, erf(x))
OP_UNARY_IS(erfc, erfc(x))
OP_UNARY_IS(erfinv, OP_F(op_erfinv_of)(x))
OP_UNARY_IS(exp, exp(x))
OP_UNARY_IS(exp2, exp2(x))
OP_UNARY_IS(expm1, expm1(x))
OP_UNARY_IS(floor, floor(x))
OP_UNARY_IS(frac, x - trunc(x))
OP_UNARY_IS(gelu, x* OP_F(op_normal_cdf)(x))
OP_UNARY_IS(gelu_tanh, OP_C(0.5) * x * (OP_C(1.0) + OP_F(op_gelu_tanh_inner)(x)))
OP_UNARY_IS(hardshrink, x >= -p && x <= p ? (OP_T)0 : x)
OP_UNARY_IS(hardsigmoid, OP_F(op_smaller)(OP_F(op_larger)(x + OP_C(3.0), 0), OP_C(6.0)) / OP_C(6.0))
OP_UNARY_IS(hardswish, x* OP_F(op_smaller)(OP_F(op_larger)(x + OP_C(3.0), 0), OP_C(6.0)) / OP_C(6.0))
OP_UNARY_IS(isneginf, x == -(OP_T)INFINITY)
OP_UNARY_IS(isposinf, x == (OP_T)INFINITY)
OP_UNARY_IS(leaky_relu, x > 0 ? x : x * p)
OP_UNARY_IS(lgamma, lgamma(x))
OP_UNARY_IS(log, log(x))
OP_UNARY_IS(log10, log10(x))
OP_UNARY_IS(log1p, log1p(x))
OP_UNARY_IS(log2, log2(x))
OP_UNARY_IS(log_sigmoid, fmin(x, OP_C(0.0)) - log1p(exp(-fabs(x))))
// p: what both ends are moved in by, or below zero for not at all.
static inline OP_T OP_F(op_logit)(OP_T x, OP_T p, OP_T q, OP_T r) {
  (void)q;
  (void)r;
  const OP_T inside = p < 0 ? x : x < p ? p : x > 1 - p ? 1 - p : x;
  return log(inside / (1 - inside));
}
OP_UNARY_IS(mish, x* tanh(OP_F(op_softplus_of)(x)))
OP_UNARY_IS(nan_to_num, x != x ? p : x == (OP_T)INFINITY ? q : x == -(OP_T)INFINITY ? r : x)
OP_UNARY_IS(pow_scalar, p == 2           ? x * x
                        : p == 3         ? x * x * x
                        : p == OP_C(0.5) ? sqrt(x)
                        : p == -1        ? 1 / x
                                         : pow(x, p))
OP_UNARY_IS(reciprocal, 1 / x)
OP_UNARY_IS(round, rint(x))
// p: ten to the power of the decimals, q: whether they are below zero.
OP_UNARY_IS(round_decimals, q != 0 ? rint(x / p) * p : rint(x * p) / p)
OP_UNARY_IS(rsqrt, 1 / sqrt(x))
OP_UNARY_IS(sigmoid, OP_F(op_sigmoid_of)(x))
OP_UNARY_IS(signbit, copysign(OP_C(1.0), x) < 0)
OP_UNARY_IS(silu, x / (1 + exp(-x)))
OP_UNARY_IS(sin, sin(x))
OP_UNARY_IS(sinc,
            x == 0 ? OP_C(1.0) : sin(OP_C(3.14159265358979323846) * x) / (OP_C(3.14159265358979323846) * x))
OP_UNARY_IS(sinh, sinh(x))
// p: beta, q: from where on it is a straight line.
OP_UNARY_IS(softplus, x* p > q ? x : log1p(exp(x * p)) / p)
OP_UNARY_IS(softshrink, x != x ? x : x > p ? x - p : x < -p ? x + p : x * 0)
OP_UNARY_IS(sqrt, sqrt(x))
OP_UNARY_IS(tan, tan(x))
OP_UNARY_IS(tanh, tanh(x))
OP_UNARY_IS(trunc, trunc(x))

#define OP_BINARY_IS(name, value)                                              \
  static inline OP_T OP_F(op_##name)(OP_T a, OP_T b, OP_T p, OP_T q, OP_T r) { \
    (void)a;                                                                   \
    (void)b;                                                                   \
    (void)p;                                                                   \
    (void)q;                                                                   \
    (void)r;                                                                   \
    return (OP_T)(value);                                                      \
  }

// Of Python's sign: the divisor's.
static inline OP_T OP_F(op_modulo)(OP_T a, OP_T b) {
  const OP_T rest = fmod(a, b);
  return rest != 0 && (b < 0) != (rest < 0) ? rest + b : rest;
}
static inline OP_T OP_F(op_floor_quotient)(OP_T a, OP_T b) {
  if (b == 0) return a / b;
  const OP_T rest = fmod(a, b);
  OP_T quotient = (a - rest) / b;
  if (rest != 0 && (b < 0) != (rest < 0)) quotient -= OP_C(1.0);
  if (quotient == 0) return copysign((OP_T)0, a / b);
  const OP_T floored = floor(quotient);
  return quotient - floored > OP_C(0.5) ? floored + OP_C(1.0) : floored;
}
// Infinities that are equal have no difference.
static inline OP_T OP_F(op_log_sum)(OP_T a, OP_T b) {
  if (a == b && fabs(a) == (OP_T)INFINITY) return a;
  const OP_T most = OP_F(op_larger)(a, b);
  return most + log1p(exp(-fabs(a - b)));
}
static inline OP_T OP_F(op_log2_sum)(OP_T a, OP_T b) {
  if (a == b && fabs(a) == (OP_T)INFINITY) return a;
  const OP_T most = OP_F(op_larger)(a, b);
  return most + log1p(exp2(-fabs(a - b))) * OP_C(1.44269504088896340736);
}

OP_BINARY_IS(add, a + p * b)
OP_BINARY_IS(mul, a* b)
OP_BINARY_IS(div, a / b)
OP_BINARY_IS(div_trunc, trunc(a / b))
OP_BINARY_IS(div_floor, OP_F(op_floor_quotient)(a, b))
OP_BINARY_IS(remainder, OP_F(op_modulo)(a, b))
OP_BINARY_IS(fmod, fmod(a, b))
OP_BINARY_IS(maximum, OP_F(op_larger)(a, b))
OP_BINARY_IS(minimum, OP_F(op_smaller)(a, b))
OP_BINARY_IS(fmax, fmax(a, b))
OP_BINARY_IS(fmin, fmin(a, b))
OP_BINARY_IS(pow, pow(a, b))
OP_BINARY_IS(heaviside, a == 0 ? b : (OP_T)(a > 0))
OP_BINARY_IS(atan2, atan2(a, b))
OP_BINARY_IS(copysign, copysign(a, b))
// The first input is the gradient; the parameters are elu's. The second one here is its input, there its result.
OP_BINARY_IS(elu_backward, b <= 0 ? a * r * p * exp(b * r) : a * q)
OP_BINARY_IS(elu_backward_result, b <= 0 ? a * r * (b + p) : a * q)
OP_BINARY_IS(glu, a* OP_F(op_sigmoid_of)(b))
OP_BINARY_IS(gelu_backward,
             a*(OP_F(op_normal_cdf)(b) + b * exp(OP_C(-0.5) * b * b) * OP_C(0.39894228040143267794)))
static inline OP_T OP_F(op_gelu_tanh_backward)(OP_T a, OP_T b, OP_T p, OP_T q, OP_T r) {
  (void)p;
  (void)q;
  (void)r;
  const OP_T inner = OP_F(op_gelu_tanh_inner)(b);
  const OP_T slope = OP_C(0.79788456080286535588) * (1 + 3 * OP_C(0.044715) * b * b);
  return a * (OP_C(0.5) * (1 + inner) + OP_C(0.5) * b * (1 - inner * inner) * slope);
}
OP_BINARY_IS(hardsigmoid_backward, b > -3 && b < 3 ? a / OP_C(6.0) : 0)
OP_BINARY_IS(hardswish_backward, b <= -3 ? 0 : b < 3 ? a * (b / OP_C(3.0) + OP_C(0.5)) : a)
OP_BINARY_IS(hardtanh_backward, b <= p || b >= q ? 0 : a)
static inline OP_T OP_F(op_huber)(OP_T a, OP_T b, OP_T p, OP_T q, OP_T r) {
  (void)q;
  (void)r;
  const OP_T distance = fabs(a - b);
  return distance < p ? OP_C(0.5) * distance * distance : p * (distance - OP_C(0.5) * p);
}
OP_BINARY_IS(hypot, hypot(a, b))
// The second input is the gradient.
OP_BINARY_IS(leaky_relu_backward, a > 0 ? b : b * p)
OP_BINARY_IS(lerp_scalar, fabs(p) < OP_C(0.5) ? a + p * (b - a) : b - (b - a) * (1 - p))
// The first input is log_sigmoid's.
OP_BINARY_IS(log_sigmoid_backward,
             b*((a < 0 ? 1 : 0) - (a < 0 ? 1 : -1) * (exp(-fabs(a)) / (1 + exp(-fabs(a))))))
OP_BINARY_IS(logaddexp, OP_F(op_log_sum)(a, b))
OP_BINARY_IS(logaddexp2, OP_F(op_log2_sum)(a, b))
OP_BINARY_IS(logit_backward, p < 0                ? (b < 0 || b > 1 ? (OP_T)NAN : a / (b * (1 - b)))
                             : b < p || b > 1 - p ? 0
                                                  : a / (b * (1 - b)))
static inline OP_T OP_F(op_mish_backward)(OP_T a, OP_T b, OP_T p, OP_T q, OP_T r) {
  (void)p;
  (void)q;
  (void)r;
  const OP_T inner = tanh(OP_F(op_softplus_of)(b));
  return a * (inner + b * OP_F(op_sigmoid_of)(b) * (1 - inner * inner));
}
OP_BINARY_IS(mse, (a - b) * (a - b))
OP_BINARY_IS(nextafter, nextafter(a, b))
OP_BINARY_IS(prelu, a > 0 ? a : a * b)
OP_BINARY_IS(shrink_backward, b >= -p && b <= p ? 0 : a)
OP_BINARY_IS(sigmoid_backward, a * (1 - b) * b)
OP_BINARY_IS(silu_backward, a* OP_F(op_sigmoid_of)(b) * (1 + b * (1 - OP_F(op_sigmoid_of)(b))))
static inline OP_T OP_F(op_smooth_l1)(OP_T a, OP_T b, OP_T p, OP_T q, OP_T r) {
  (void)q;
  (void)r;
  const OP_T distance = fabs(a - b);
  return distance < p ? OP_C(0.5) * distance * distance / p : distance - OP_C(0.5) * p;
}
OP_BINARY_IS(softplus_backward, b* p > q ? a : a * OP_F(op_sigmoid_of)(b * p))
OP_BINARY_IS(tanh_backward, a * (1 - b * b))
OP_BINARY_IS(threshold, a <= p ? q : b)
OP_BINARY_IS(xlog1py, b != b ? b : a == 0 ? 0 : a * log1p(b))
OP_BINARY_IS(xlogy, b != b ? b : a == 0 ? 0 : a * log(b))
OP_BINARY_IS(bitwise_and, 0)
OP_BINARY_IS(bitwise_or, 0)
OP_BINARY_IS(bitwise_xor, 0)
OP_BINARY_IS(lshift, a* exp2(b))
OP_BINARY_IS(rshift, a / exp2(b))
OP_BINARY_IS(gcd, 0)
OP_BINARY_IS(lcm, 0)
OP_BINARY_IS(eq, a == b)
OP_BINARY_IS(ne, a != b)
OP_BINARY_IS(lt, a < b)
OP_BINARY_IS(le, a <= b)
OP_BINARY_IS(gt, a > b)
OP_BINARY_IS(ge, a >= b)
OP_BINARY_IS(logical_and, a != 0 && b != 0)
OP_BINARY_IS(logical_or, a != 0 || b != 0)
OP_BINARY_IS(logical_xor, (a != 0) != (b != 0))

#define OP_TERNARY_IS(name, value)                                             \
  static inline OP_T OP_F(op_##name)(OP_T a, OP_T b, OP_T c, OP_T p, OP_T q) { \
    (void)a;                                                                   \
    (void)b;                                                                   \
    (void)c;                                                                   \
    (void)q;                                                                   \
    (void)p;                                                                   \
    return (OP_T)(value);                                                      \
  }
OP_TERNARY_IS(where, a != 0 ? b : c)
OP_TERNARY_IS(addcmul, a + p * b * c)
OP_TERNARY_IS(addcdiv, a + p * b / c)
OP_TERNARY_IS(clamp_tensors, b != b ? b : c != c ? c : OP_F(op_smaller)(OP_F(op_larger)(a, b), c))
OP_TERNARY_IS(lerp, fabs(c) < OP_C(0.5) ? a + c * (b - a) : b - (b - a) * (1 - c))
// The first input is the input, the second the target, the third the gradient.
// p: the factor of the mean; q: where the straight line begins.
OP_TERNARY_IS(huber_backward, p*(a - b < -q ? -q * c : a - b > q ? q * c : (a - b) * c))
OP_TERNARY_IS(mse_backward, p*(a - b) * c)
OP_TERNARY_IS(smooth_l1_backward, a - b <= -q ? -p * c : a - b >= q ? p * c : p * (a - b) * c / q)
// The first input is prelu's, the second its weight, the third the gradient.
OP_TERNARY_IS(prelu_backward, a > 0 ? c : b * c)
OP_TERNARY_IS(prelu_weight_backward, a > 0 ? 0 : a * c)

#undef OP_UNARY_IS
#undef OP_BINARY_IS
#undef OP_TERNARY_IS
