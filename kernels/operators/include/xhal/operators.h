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

/* ---- Random numbers ------------------------------------------------------------------------------------------------------------- */

/* What Philox4x32-10 draws from: its key is the seed, and its counter {offset / 4, block}. A block gives four words of 32 bits to elements
 * that follow each other: an element's number depends on seed, offset and its own number alone. */
typedef struct xhal_op_random {
  xhal_op_u64 seed;
  xhal_op_u64 offset; /* a multiple of 4 */
  xhal_op_u64 first;  /* block of the first item */
  xhal_op_u64 count;  /* of elements */
  xhal_op_u64 range;  /* of integers, where 0 stands for 2^64; of Bernoulli, how many of 2^32 words give 1 */
  xhal_op_i64 from;   /* the smallest integer */
  xhal_op_u32 is_replayed; /* memory holds {seed, offset}, and the offset from here is added to that one */
  xhal_op_u32 code;
} xhal_op_random;

enum xhal_op_random_code {
  XHAL_OP_RANDOM_UNIFORM,     /* from p on, below q */
  XHAL_OP_RANDOM_NORMAL,      /* p: mean, q: deviation */
  XHAL_OP_RANDOM_LOG_NORMAL,  /* the same of the logarithm */
  XHAL_OP_RANDOM_CAUCHY,      /* p: median, q: width */
  XHAL_OP_RANDOM_EXPONENTIAL, /* p: mean */
  XHAL_OP_RANDOM_GEOMETRIC,   /* p: log(1 - probability) */
  XHAL_OP_RANDOM_BERNOULLI    /* range */
};

/* ---- Steps of optimizers -------------------------------------------------------------------------------------------------------- */

enum xhal_op_optimizer_flag {
  XHAL_OP_OPTIMIZER_SCALED = 1,  /* gradients are divided by a factor in memory, and kept so */
  XHAL_OP_OPTIMIZER_CHECKED = 2, /* nothing is done where a number in memory is 1 */
  XHAL_OP_OPTIMIZER_RATE = 4,    /* the rate is in memory, rather than XHAL_OP_OPTIMIZER_LR */
  XHAL_OP_OPTIMIZER_MAXIMIZE = 8,
  XHAL_OP_OPTIMIZER_AMSGRAD = 16,
  XHAL_OP_OPTIMIZER_DECOUPLED = 32, /* the decay of weights is no part of the gradient */
  XHAL_OP_OPTIMIZER_NESTEROV = 64,
  XHAL_OP_OPTIMIZER_MOMENTUM = 128,
  XHAL_OP_OPTIMIZER_FIRST = 256 /* the momentum begins with this gradient */
};

enum xhal_op_optimizer_value {
  XHAL_OP_OPTIMIZER_LR,
  XHAL_OP_OPTIMIZER_DECAY,
  XHAL_OP_OPTIMIZER_BETA1, /* or momentum, or what the rate decays by */
  XHAL_OP_OPTIMIZER_BETA2, /* or 1 - dampening */
  XHAL_OP_OPTIMIZER_REST1, /* 1 - beta1 */
  XHAL_OP_OPTIMIZER_REST2,
  XHAL_OP_OPTIMIZER_LOG1, /* log(beta1) */
  XHAL_OP_OPTIMIZER_LOG2,
  XHAL_OP_OPTIMIZER_EPS,
  XHAL_OP_OPTIMIZER_VALUES
};

/* One parameter, all of whose tensors lie alike and without gaps. An item takes `each` elements that follow each other. */
typedef struct xhal_op_optimizer {
  xhal_op_u64 n;
  xhal_op_u64 each;
  xhal_op_u64 d[XHAL_OP_OPTIMIZER_VALUES]; /* the bits of doubles */
  xhal_op_f32 f[XHAL_OP_OPTIMIZER_VALUES];
  xhal_op_u32 flags;
  xhal_op_u32 type, bytes; /* of elements */
  xhal_op_u32 rate_type, step_type;
} xhal_op_optimizer;

/* The same operator on dense tensors of f32, so many a launch: item (i, t) takes a stretch of tensor t. */
#define XHAL_OP_LIST_TENSORS 8
enum xhal_op_list_code {
  XHAL_OP_LIST_ADD_VALUE, /* y = a + p */
  XHAL_OP_LIST_MUL_VALUE,
  XHAL_OP_LIST_DIV_VALUE,
  XHAL_OP_LIST_ADD,     /* a + p * b */
  XHAL_OP_LIST_MUL_ONE, /* a * b[0] */
  XHAL_OP_LIST_LERP,    /* from a to b by p */
  XHAL_OP_LIST_ADDCMUL, /* a + p * b * c */
  XHAL_OP_LIST_ADDCDIV,
  XHAL_OP_LIST_SQRT
};
typedef struct xhal_op_list {
  xhal_op_u64 n[XHAL_OP_LIST_TENSORS];
  xhal_op_u64 each;
  xhal_op_f32 p[XHAL_OP_LIST_TENSORS];
  xhal_op_u32 code;
  xhal_op_u32 padding;
} xhal_op_list;

/* ---- Normalisation and losses ----------------------------------------------------------------------------------------------------- */

/*
 * Slices of a tensor, each brought to mean 0 and variance 1. Slice s begins at s / period * far_stride + s % period * near_stride and has
 * `outer` rows of `inner` elements; the weight of element j of row i is (s % period) * weight_slice + i * weight_outer + j * weight_inner.
 * Strides are in elements. Rows of a layer, groups and channels are slices of this kind.
 */
typedef struct xhal_op_norm {
  xhal_op_u64 slices, period;
  xhal_op_u64 far_stride, near_stride;
  xhal_op_u64 outer, inner;
  xhal_op_u64 outer_stride, inner_stride;
  xhal_op_u64 weight_slice, weight_outer, weight_inner;
  xhal_op_f64 epsilon_f64, momentum_f64;
  xhal_op_f32 epsilon_f32, momentum_f32; /* the same, for a device that computes in no double */
  xhal_op_u32 type;                      /* of the elements */
  xhal_op_u32 statistics; /* the type of means, deviations and running statistics, one for each slice */
  xhal_op_u32 parameters; /* the type of weights and biases */
  xhal_op_u32 flags;      /* XHAL_OP_NORM_x */
} xhal_op_norm;

enum xhal_op_norm_flag {
  XHAL_OP_NORM_WEIGHT = 1,   /* there are weights */
  XHAL_OP_NORM_BIAS = 2,     /* and biases */
  XHAL_OP_NORM_ROOT = 4,     /* divided by the root of the mean square; nothing is subtracted */
  XHAL_OP_NORM_GIVEN = 8,    /* statistics are not those of the slice: means and variances are given */
  XHAL_OP_NORM_INVERSE = 16, /* what is given are inverse deviations rather than variances */
  XHAL_OP_NORM_BATCH =
      32, /* statistics are rounded to their type before they are used; without any deviation or epsilon it is 0 */
  XHAL_OP_NORM_RUNNING = 64,   /* running statistics move on by the momentum */
  XHAL_OP_NORM_VARIANCE = 128, /* variances are written in the place of inverse deviations */
  XHAL_OP_NORM_COLUMNS = 256,  /* slices are neighbouring columns: an item takes XHAL_OP_NORM_LANES of them */
  XHAL_OP_NORM_OUTPUT = 512,   /* elements are written, not statistics alone */
  XHAL_OP_NORM_WEIGHT_GRADIENT =
      1024, /* a slice has one weight, whose gradient is written, in the statistics' type */
  XHAL_OP_NORM_BIAS_GRADIENT = 2048, /* and its bias' */
  XHAL_OP_NORM_SUMS = 4096           /* rather than the weight's gradient the sum that it is made of */
};
#define XHAL_OP_NORM_LANES 16
#define XHAL_OP_NORM_WIDE 64 /* neighbouring weights of an item of xhal_norm_gradient_f32, of COLUMNS */

/* Gradients of weights that many slices share: weight k adds up `repeats` times `run` elements from repeat * repeat_stride + k *
 * weight_stride on, with the statistics repeat * statistics_stride + k / share. */
typedef struct xhal_op_norm_gradient {
  xhal_op_u64 weights, repeats, run, share;
  xhal_op_u64 repeat_stride, weight_stride, run_stride, statistics_stride;
  xhal_op_u32 type, statistics, parameters;
  xhal_op_u32 flags; /* of XHAL_OP_NORM_x: WEIGHT and BIAS, which gradients are written; COLUMNS; ROOT */
} xhal_op_norm_gradient;

/* The losses of batch times map elements, each with a class: x is [batch, classes, map], targets [batch, map]. */
typedef struct xhal_op_nll {
  xhal_op_u64 batch, classes, map;
  xhal_op_i64 ignored; /* a class whose elements count for nothing */
  xhal_op_u32 type;    /* of elements and weights */
  xhal_op_u32 target;  /* of classes */
  xhal_op_u32 has_weight;
  xhal_op_u32 reduction; /* XHAL_OP_EACH, _MEAN or _SUM */
} xhal_op_nll;
enum xhal_op_loss_reduction { XHAL_OP_EACH, XHAL_OP_MEAN, XHAL_OP_SUM };
#define XHAL_OP_NLL_LANES 64
/* Elements that an item of a dense kernel of pairs takes. */
#define XHAL_OP_LOSS_RUN 256

/* ---- Indexing -------------------------------------------------------------------------------------------------------------------- */

/* Elements of one tensor ("self") that an index names, beside values; strides in bytes. An item has a place in the first `kept` dimensions
 * and goes through the others in turn, the innermost first. In self the index moves along one dimension of `count` places. */
typedef struct xhal_op_places {
  xhal_op_u64 sizes[XHAL_OP_DIMS];
  xhal_op_i64 self[XHAL_OP_DIMS];
  xhal_op_i64 values[XHAL_OP_DIMS];
  xhal_op_i64 index[XHAL_OP_DIMS];
  xhal_op_u64 items;
  xhal_op_u64 turns; /* of each item */
  xhal_op_i64 count;
  xhal_op_i64 stride; /* from one place to the next */
  xhal_op_u32 kept;
  xhal_op_u32 dims;
  xhal_op_u32 wraps;      /* a negative index counts from behind */
  xhal_op_u32 index_type; /* i32 or i64 */
  xhal_op_u32 type;       /* of self and values */
  xhal_op_u32 bytes;
} xhal_op_places;

enum xhal_op_update_code { XHAL_OP_UPDATE_ADD, XHAL_OP_UPDATE_MUL, XHAL_OP_UPDATE_MIN, XHAL_OP_UPDATE_MAX };

/* Values 0 to 3: start, step, end, base. */
enum xhal_op_range_code { XHAL_OP_RANGE_STEPS, XHAL_OP_RANGE_LINE, XHAL_OP_RANGE_POWERS };

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
typedef struct xhal_op_resampling {
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
} xhal_op_resampling;

/* ---- Images blended from several places ----------------------------------------------------------------------------------------------- */

enum xhal_op_blend_code { XHAL_OP_BLEND_LINEAR, XHAL_OP_BLEND_CUBIC };

/* Each output is a weighted sum of the places around it: two along each dimension, or four. Depth, height, width; what an image has not is 1.
 * Planes lie behind each other. */
typedef struct xhal_op_blending {
  xhal_op_u64 input[3];
  xhal_op_u64 output[3];
  xhal_op_f64 scale[3]; /* from outputs to inputs */
  xhal_op_f32 scale_f32[3];
  xhal_op_u32 code;
  xhal_op_u64 planes;
  xhal_op_u32
      aligns_corners; /* the first and last places of both lie upon each other, rather than their edges */
  xhal_op_u32 type;   /* XHAL_DTYPE_x */
  xhal_op_u32 bytes;
} xhal_op_blending;

/* ---- Bags of embeddings ---------------------------------------------------------------------------------------------------------------- */

enum xhal_op_bag_mode { XHAL_OP_BAG_SUM, XHAL_OP_BAG_MEAN, XHAL_OP_BAG_MAX };

/* Bag b holds the rows that indices from offsets[b] on name, up to where the next one begins; the last one those of all that are left. */
typedef struct xhal_op_bag {
  xhal_op_u64 bags;
  xhal_op_u64 indices;
  xhal_op_u64 rows;
  xhal_op_u64 columns;
  xhal_op_i64 padding; /* an index that is in no bag; below 0 there is none */
  xhal_op_u32 mode;
  xhal_op_u32 has_factors; /* of each index */
  xhal_op_u32 has_counts;  /* a row's gradient is divided by how often it is named */
  xhal_op_u32 index_type;  /* i32 or i64, of offsets and bags, too */
  xhal_op_u32 type;        /* of rows, factors and results */
  xhal_op_u32 bytes;
} xhal_op_bag;

/* ---- Sequences of labels without times (connectionist temporal classification) ---------------------------------------------------------- */

/* Logarithms of probabilities are [step, member, label]; those of a member's paths [member, step, state], where states are its labels
 * with a blank around each. */
typedef struct xhal_op_sequences {
  xhal_op_u64 steps;
  xhal_op_u64 members;
  xhal_op_u64 labels;
  xhal_op_u64 states; /* 2 * the most labels of a member + 1 */
  xhal_op_i64 blank;
  xhal_op_i64 target_stride; /* from one label of a member to its next */
  xhal_op_u64 targets;       /* how many there are in all */
  xhal_op_u32 target_type;   /* i32 or i64 */
  xhal_op_u32 zero_infinity; /* gradients of impossible members are 0 */
} xhal_op_sequences;

/* What each member of a launch has, from member `first` on. */
#define XHAL_OP_SEQUENCES_AT_ONCE 32
typedef struct xhal_op_lengths {
  xhal_op_u64 first;
  xhal_op_u64 count;
  xhal_op_u64 target[XHAL_OP_SEQUENCES_AT_ONCE]; /* where its labels begin */
  xhal_op_u32 steps[XHAL_OP_SEQUENCES_AT_ONCE];
  xhal_op_u32 labels[XHAL_OP_SEQUENCES_AT_ONCE];
} xhal_op_lengths;

#endif
