/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/operators.h - what a host and the kernels of the operator packs agree upon: codes, and structures that launches pass by value.
 *
 * The packs (share/xhal/kernels/operators/<pack>) hold kernels of tensor operators for any driver; kernels/operators/README.md says what each
 * computes. This header is read by C, C++ and OpenCL C.
 */
#ifndef XHAL_OPERATORS_H_
#define XHAL_OPERATORS_H_

#ifdef __OPENCL_C_VERSION__
typedef uint xhal_op_u32;
typedef long xhal_op_i64;
typedef ulong xhal_op_u64;
typedef ulong xhal_op_f64; /* the bits, as a device need not compute in f64 */
#else
typedef unsigned xhal_op_u32;
typedef long long xhal_op_i64;
typedef unsigned long long xhal_op_u64;
typedef double xhal_op_f64;
#endif
typedef float xhal_op_f32;

/* ---- Operands in any layout and type ---------------------------------------------------------------------------------------- */

/* What a launch over more dimensions splits on the host. */
#define XHAL_OP_DIMS 8
#define XHAL_OP_OPERANDS 4
/* An operand's type when it is a value of xhal_op_values rather than memory. */
#define XHAL_OP_IMMEDIATE 255

/* The output is operand 0. Dimension 0 is the innermost one, as of launches: item (x, y, z) has index x, y, and z in what is left. */
typedef struct xhal_op_shape {
  xhal_op_u64 sizes[XHAL_OP_DIMS];
  xhal_op_i64 strides[XHAL_OP_OPERANDS][XHAL_OP_DIMS]; /* in bytes */
  xhal_op_u32 dims;
  xhal_op_u32
      compute; /* XHAL_DTYPE_x that inputs are converted to first; the kernel's name says in what it computes */
  xhal_op_u32 types[XHAL_OP_OPERANDS]; /* XHAL_DTYPE_x or XHAL_OP_IMMEDIATE */
} xhal_op_shape;

/* The same values in each type that a kernel may compute in; d is the bits of a double, which a device need not have. */
#define XHAL_OP_VALUES 6
#define XHAL_OP_FIRST_IMMEDIATE 2 /* + the operand's number, from 1 on; before: parameters of the operator */
typedef struct xhal_op_values {
  xhal_op_i64 i[XHAL_OP_VALUES];
  xhal_op_u64 d[XHAL_OP_VALUES];
  xhal_op_f32 f[XHAL_OP_VALUES];
} xhal_op_values;

/* ---- Products of matrices ---------------------------------------------------------------------------------------------------- */

/* Row after row: c (m x n) = alpha * op(a) * op(b) + beta * c, for each member of a batch; strides in elements. As of the pack xhal_matrix. */
typedef struct xhal_op_gemm {
  xhal_op_u64 m, n, k;
  xhal_op_u64 lda, ldb, ldc;             /* from row to row */
  xhal_op_u64 batch_a, batch_b, batch_c; /* from member to member; 0 repeats one */
  xhal_op_u64 batch;
  xhal_op_u32 transposed_a, transposed_b; /* a is stored as k x m, b as n x k */
  xhal_op_f64 alpha, beta;                /* where beta is 0, c is not read */
} xhal_op_gemm;

/* ---- Reductions ------------------------------------------------------------------------------------------------------------------ */

/* An item an output: it goes through the reduced dimensions, the innermost first. Strides in bytes. */
typedef struct xhal_op_reduction {
  xhal_op_u64 kept[XHAL_OP_DIMS];
  xhal_op_i64 kept_input[XHAL_OP_DIMS];
  xhal_op_i64 kept_output[XHAL_OP_DIMS];
  xhal_op_u64 reduced[XHAL_OP_DIMS];
  xhal_op_i64 reduced_input[XHAL_OP_DIMS];
  xhal_op_u64 outputs;
  xhal_op_u64 count; /* of elements in each output */
  xhal_op_u32 kept_dims;
  xhal_op_u32 reduced_dims;
  xhal_op_u32 input_type;
  xhal_op_u32 output_type;
} xhal_op_reduction;

/* Index outputs count the reduced elements in their order; of equal ones the first is taken, and a NaN is beyond all. */
enum xhal_op_reduction_code {
  XHAL_OP_REDUCE_SUM,
  XHAL_OP_REDUCE_NANSUM,
  XHAL_OP_REDUCE_MEAN,
  XHAL_OP_REDUCE_PROD,
  XHAL_OP_REDUCE_MIN,
  XHAL_OP_REDUCE_MAX,
  XHAL_OP_REDUCE_ALL,
  XHAL_OP_REDUCE_ANY,
  XHAL_OP_REDUCE_ARGMIN,
  XHAL_OP_REDUCE_ARGMAX,
  XHAL_OP_REDUCE_NORM, /* p: the exponent */
  XHAL_OP_REDUCE_VAR,  /* p: what the count is less by */
  XHAL_OP_REDUCE_STD
};

/* ---- Elementwise operators ------------------------------------------------------------------------------------------------------ */

/* M(NAME, name): one input, at most three parameters. Floating point, and where it says so integers. */
#define XHAL_OP_UNARY(M)                          \
  M(COPY, copy)               /* integers, too */ \
  M(FILL, fill)               /* integers, too */ \
  M(ABS, abs)                 /* integers, too */ \
  M(NEG, neg)                 /* integers, too */ \
  M(SIGN, sign)               /* integers, too */ \
  M(CLAMP, clamp)             /* integers, too */ \
  M(CLAMP_MIN, clamp_min)     /* the same */      \
  M(CLAMP_MAX, clamp_max)     /* the same */      \
  M(LOGICAL_NOT, logical_not) /* the same */      \
  M(BITWISE_NOT, bitwise_not) /* integers */      \
  M(ACOS, acos)                                   \
  M(ACOSH, acosh)                                 \
  M(ASIN, asin)                                   \
  M(ASINH, asinh)                                 \
  M(ATAN, atan)                                   \
  M(ATANH, atanh)                                 \
  M(CEIL, ceil)                                   \
  M(COS, cos)                                     \
  M(COSH, cosh)                                   \
  M(DIGAMMA, digamma)                             \
  M(ELU, elu)                                     \
  M(ENTR, entr)                                   \
  M(ERF, erf)                                     \
  M(ERFC, erfc)                                   \
  M(ERFINV, erfinv)                               \
  M(EXP, exp)                                     \
  M(EXP2, exp2)                                   \
  M(EXPM1, expm1)                                 \
  M(FLOOR, floor)                                 \
  M(FRAC, frac)                                   \
  M(GELU, gelu)                                   \
  M(GELU_TANH, gelu_tanh)                         \
  M(HARDSHRINK, hardshrink)                       \
  M(HARDSIGMOID, hardsigmoid)                     \
  M(HARDSWISH, hardswish)                         \
  M(ISNEGINF, isneginf)                           \
  M(ISPOSINF, isposinf)                           \
  M(LEAKY_RELU, leaky_relu)                       \
  M(LGAMMA, lgamma)                               \
  M(LOG, log)                                     \
  M(LOG10, log10)                                 \
  M(LOG1P, log1p)                                 \
  M(LOG2, log2)                                   \
  M(LOG_SIGMOID, log_sigmoid)                     \
  M(LOGIT, logit)                                 \
  M(MISH, mish)                                   \
  M(NAN_TO_NUM, nan_to_num)                       \
  M(POW_SCALAR, pow_scalar) /* integers, too */   \
  M(RECIPROCAL, reciprocal)                       \
  M(ROUND, round)                                 \
  M(ROUND_DECIMALS, round_decimals)               \
  M(RSQRT, rsqrt)                                 \
  M(SIGMOID, sigmoid)                             \
  M(SIGNBIT, signbit) /* integers, too */         \
  M(SILU, silu)                                   \
  M(SIN, sin)                                     \
  M(SINC, sinc)                                   \
  M(SINH, sinh)                                   \
  M(SOFTPLUS, softplus)                           \
  M(SOFTSHRINK, softshrink)                       \
  M(SQRT, sqrt)                                   \
  M(TAN, tan)                                     \
  M(TANH, tanh)                                   \
  M(TRUNC, trunc)

/* Two inputs. Of these the second one may be one value for all in dense kernels, too. */
#define XHAL_OP_ARITHMETIC(M)                 \
  M(ADD, add) /* a + p * b; integers, too */  \
  M(MUL, mul) /* integers, too */             \
  M(DIV, div)                                 \
  M(DIV_TRUNC, div_trunc) /* integers, too */ \
  M(DIV_FLOOR, div_floor) /* integers, too */ \
  M(REMAINDER, remainder) /* integers, too */ \
  M(FMOD, fmod)           /* integers, too */ \
  M(MAXIMUM, maximum)     /* integers, too */ \
  M(MINIMUM, minimum)     /* integers, too */ \
  M(FMAX, fmax)                               \
  M(FMIN, fmin)                               \
  M(POW, pow)             /* integers, too */ \
  M(HEAVISIDE, heaviside) /* integers, too */ \
  M(ATAN2, atan2)                             \
  M(COPYSIGN, copysign)                       \
  M(HYPOT, hypot)                             \
  M(LOGADDEXP, logaddexp)                     \
  M(LOGADDEXP2, logaddexp2)                   \
  M(NEXTAFTER, nextafter)                     \
  M(XLOG1PY, xlog1py)                         \
  M(XLOGY, xlogy)

/* Gradients and losses: both inputs are tensors. */
#define XHAL_OP_PAIRED(M)                       \
  M(ELU_BACKWARD, elu_backward)                 \
  M(ELU_BACKWARD_RESULT, elu_backward_result)   \
  M(GELU_BACKWARD, gelu_backward)               \
  M(GELU_TANH_BACKWARD, gelu_tanh_backward)     \
  M(GLU, glu)                                   \
  M(HARDSIGMOID_BACKWARD, hardsigmoid_backward) \
  M(HARDSWISH_BACKWARD, hardswish_backward)     \
  M(HARDTANH_BACKWARD, hardtanh_backward)       \
  M(HUBER, huber)                               \
  M(LEAKY_RELU_BACKWARD, leaky_relu_backward)   \
  M(LERP_SCALAR, lerp_scalar)                   \
  M(LOG_SIGMOID_BACKWARD, log_sigmoid_backward) \
  M(LOGIT_BACKWARD, logit_backward)             \
  M(MISH_BACKWARD, mish_backward)               \
  M(MSE, mse)                                   \
  M(PRELU, prelu)                               \
  M(SHRINK_BACKWARD, shrink_backward)           \
  M(SIGMOID_BACKWARD, sigmoid_backward)         \
  M(SILU_BACKWARD, silu_backward)               \
  M(SMOOTH_L1, smooth_l1)                       \
  M(SOFTPLUS_BACKWARD, softplus_backward)       \
  M(TANH_BACKWARD, tanh_backward)               \
  M(THRESHOLD, threshold) /* integers, too */

/* Of integers alone. */
#define XHAL_OP_BITS(M)       \
  M(BITWISE_AND, bitwise_and) \
  M(BITWISE_OR, bitwise_or)   \
  M(BITWISE_XOR, bitwise_xor) \
  M(LSHIFT, lshift)           \
  M(RSHIFT, rshift)           \
  M(GCD, gcd)                 \
  M(LCM, lcm)

#define XHAL_OP_BINARY(M) XHAL_OP_ARITHMETIC(M) XHAL_OP_PAIRED(M) XHAL_OP_BITS(M)

/* Their result is 0 or 1; integers, too. */
#define XHAL_OP_COMPARISON(M) \
  M(EQ, eq)                   \
  M(NE, ne)                   \
  M(LT, lt)                   \
  M(LE, le)                   \
  M(GT, gt)                   \
  M(GE, ge)                   \
  M(LOGICAL_AND, logical_and) \
  M(LOGICAL_OR, logical_or)   \
  M(LOGICAL_XOR, logical_xor)

/* Of which the first input may be one value for all. */
#define XHAL_OP_REVERSED(M) M(ADD, add) M(DIV, div) M(POW, pow)

#define XHAL_OP_TERNARY(M)                            \
  M(WHERE, where)     /* integers, too */             \
  M(ADDCMUL, addcmul) /* integers, too */             \
  M(ADDCDIV, addcdiv)                                 \
  M(CLAMP_TENSORS, clamp_tensors) /* integers, too */ \
  M(LERP, lerp)                                       \
  M(HUBER_BACKWARD, huber_backward)                   \
  M(MSE_BACKWARD, mse_backward)                       \
  M(PRELU_BACKWARD, prelu_backward)                   \
  M(PRELU_WEIGHT_BACKWARD, prelu_weight_backward)     \
  M(SMOOTH_L1_BACKWARD, smooth_l1_backward)

#define XHAL_OP_CODE(NAME, name) XHAL_OP_##NAME,
enum xhal_op_unary_code { XHAL_OP_UNARY(XHAL_OP_CODE) XHAL_OP_UNARY_COUNT };
enum xhal_op_binary_code {
  XHAL_OP_BINARY(XHAL_OP_CODE) XHAL_OP_COMPARISON(XHAL_OP_CODE) XHAL_OP_BINARY_COUNT
};
enum xhal_op_ternary_code { XHAL_OP_TERNARY(XHAL_OP_CODE) XHAL_OP_TERNARY_COUNT };
#undef XHAL_OP_CODE

/* ---- Running values -------------------------------------------------------------------------------------------------------------- */

enum xhal_op_running_code { XHAL_OP_RUNNING_SUM, XHAL_OP_RUNNING_PROD, XHAL_OP_RUNNING_LOGSUMEXP };

/* ---- Windows that slide over images ----------------------------------------------------------------------------------------------- */

/* Dimensions are depth, height, width; what an image has not is 1. Images are dense, [member, channel, depth, height, width]. */
typedef struct xhal_op_window {
  xhal_op_u64 input[3];
  xhal_op_u64 output[3];
  xhal_op_u64 size[3]; /* of the window */
  xhal_op_u64 stride[3];
  xhal_op_u64 dilation[3];
  xhal_op_i64 padding[3];
  xhal_op_u64 members;
  xhal_op_u64 channels;
  xhal_op_u64 member_stride,
      row_stride; /* of columns: from member to member, and from a channel and place to the next; in elements */
} xhal_op_window;

/* ---- Pooling ---------------------------------------------------------------------------------------------------------------------- */

/* Members are planes, of which each has its windows; channels and the strides of columns are not used. */
typedef struct xhal_op_pool {
  xhal_op_window window;
  xhal_op_i64 divisor;        /* of an average; 0: what its window holds */
  xhal_op_u32 counts_padding; /* among what a window holds */
  xhal_op_u32
      is_adaptive;   /* the outputs share the input out: size, stride, dilation and padding are not used */
  xhal_op_u32 type;  /* XHAL_DTYPE_x */
  xhal_op_u32 bytes; /* of an element */
} xhal_op_pool;

/* ---- Images by other images' places --------------------------------------------------------------------------------------------------- */

enum xhal_op_place_code {
  XHAL_OP_PLACE_REFLECTED,
  XHAL_OP_PLACE_REPLICATED,
  XHAL_OP_PLACE_NEAREST,      /* scale times an output's index, rounded down */
  XHAL_OP_PLACE_NEAREST_EXACT /* of an output's middle */
};

/* Each output has the value of one place of the input. Depth, height, width; what an image has not is 1. Planes lie behind each other. */
typedef struct xhal_op_places {
  xhal_op_u64 input[3];
  xhal_op_u64 output[3];
  xhal_op_i64
      before[3]; /* outputs before the input's first place, where there is padding; below 0 it is cut */
  xhal_op_f64 scale[3]; /* from outputs to inputs, where the nearest is taken */
  xhal_op_f32 scale_f32[3];
  xhal_op_u32 code;
  xhal_op_u64 planes;
  xhal_op_u32 type; /* XHAL_DTYPE_x */
  xhal_op_u32 bytes;
} xhal_op_places;

#endif
