// SPDX-License-Identifier: Apache-2.0
// Normalisation of elements of any type, computed in OP_T (float or double), named by OP_F(name). Included once for each type.

static inline __attribute__((always_inline)) OP_T OP_F(op_at)(global const uchar* base, ulong index,
                                                              uint type) {
  return OP_F(op_load)(base, (long)(index * op_bytes_of(type)), type);
}
static inline __attribute__((always_inline)) void OP_F(op_put)(global uchar* base, ulong index, uint type,
                                                               OP_T value) {
  OP_F(op_store)(base, (long)(index * op_bytes_of(type)), type, value);
}

// What is known of a slice before its elements are written.
typedef struct OP_F(op_statistics) {
  OP_T mean;
  OP_T variance;
  OP_T inverse;
} OP_F(op_statistics);

// Adds `term` of all elements `at` of a slice to total, by parts that are small.
#define OP_SUM_SLICE(total, shape, first, at, term)                                             \
  do {                                                                                          \
    OP_T op_part = 0;                                                                           \
    uint op_seen = 0;                                                                           \
    for (ulong op_i = 0; op_i < (shape)->outer; ++op_i)                                         \
      for (ulong op_j = 0; op_j < (shape)->inner; ++op_j) {                                     \
        const ulong at = (first) + op_i * (shape)->outer_stride + op_j * (shape)->inner_stride; \
        op_part += (term);                                                                      \
        if ((++op_seen & 127) == 0) {                                                           \
          total += op_part;                                                                     \
          op_part = 0;                                                                          \
        }                                                                                       \
      }                                                                                         \
    total += op_part;                                                                           \
  } while (0)

static inline __attribute__((always_inline)) void OP_F(op_moments)(global const uchar* x,
                                                                   const xhal_op_norm* shape, ulong first,
                                                                   OP_F(op_statistics) * found) {
  const OP_T count = (OP_T)(shape->outer * shape->inner);
  OP_T sum = 0;
  if (!OP_NORM_HAS(shape, ROOT)) OP_SUM_SLICE(sum, shape, first, at, OP_F(op_at)(x, at, shape->type));
  const OP_T mean = OP_NORM_HAS(shape, ROOT) || count == 0 ? (OP_T)0 : sum / count;
  OP_T squares = 0;
  OP_SUM_SLICE(squares, shape, first, at,
               (OP_F(op_at)(x, at, shape->type) - mean) * (OP_F(op_at)(x, at, shape->type) - mean));
  found->mean = mean;
  found->variance = squares / count;
}

static inline __attribute__((always_inline)) void OP_F(op_given)(global const uchar* mean,
                                                                 global const uchar* deviation,
                                                                 const xhal_op_norm* shape, ulong slice,
                                                                 OP_F(op_statistics) * found) {
  found->mean = OP_NORM_HAS(shape, ROOT) ? (OP_T)0 : OP_F(op_at)(mean, slice, shape->statistics);
  found->variance = OP_F(op_at)(deviation, slice, shape->statistics);
  found->inverse = OP_NORM_HAS(shape, INVERSE)
                       ? found->variance
                       : (OP_T)1 / sqrt(found->variance + OP_F(OP_NORM_EPSILON)(shape));
}

// Statistics of a slice as its elements are to see them; those that are asked for are written.
static inline __attribute__((always_inline)) void OP_F(op_keep)(global uchar* mean, global uchar* deviation,
                                                                global uchar* running_mean,
                                                                global uchar* running_variance,
                                                                const xhal_op_norm* shape, ulong slice,
                                                                OP_F(op_statistics) * found) {
  const uint type = shape->statistics;
  const OP_T epsilon = OP_F(OP_NORM_EPSILON)(shape);
  const int is_nothing = OP_NORM_HAS(shape, BATCH) && found->variance == 0 && epsilon == 0;
  found->inverse = is_nothing ? (OP_T)0 : (OP_T)1 / sqrt(found->variance + epsilon);
  if (!OP_NORM_HAS(shape, ROOT)) OP_F(op_put)(mean, slice, type, found->mean);
  OP_F(op_put)
  (deviation, slice, type, OP_NORM_HAS(shape, VARIANCE) ? found->variance : found->inverse);
  if (OP_NORM_HAS(shape, RUNNING)) {
    const OP_T count = (OP_T)(shape->outer * shape->inner);
    const OP_T momentum = OP_F(OP_NORM_MOMENTUM)(shape);
    const OP_T unbiased = found->variance * count / (count - 1);
    OP_F(op_put)
    (running_mean, slice, type,
     momentum * found->mean + (1 - momentum) * OP_F(op_at)(running_mean, slice, type));
    OP_F(op_put)
    (running_variance, slice, type,
     momentum * unbiased + (1 - momentum) * OP_F(op_at)(running_variance, slice, type));
  }
  if (OP_NORM_HAS(shape, BATCH) && !OP_NORM_HAS(shape, VARIANCE)) {
    found->mean = OP_F(op_at)(mean, slice, type);
    found->inverse = OP_F(op_at)(deviation, slice, type);
  }
}

static inline __attribute__((always_inline)) void OP_F(op_normalise)(global uchar* y, global const uchar* x,
                                                                     global const uchar* weight,
                                                                     global const uchar* bias,
                                                                     const xhal_op_norm* shape, ulong slice,
                                                                     const OP_F(op_statistics) * found) {
  const ulong first = op_slice_at(shape, slice);
  for (ulong i = 0; i < shape->outer; ++i)
    for (ulong j = 0; j < shape->inner; ++j) {
      const ulong at = first + i * shape->outer_stride + j * shape->inner_stride;
      const ulong k = op_weight_at(shape, slice) + i * shape->weight_outer + j * shape->weight_inner;
      OP_T value = (OP_F(op_at)(x, at, shape->type) - found->mean) * found->inverse;
      if (OP_NORM_HAS(shape, WEIGHT)) value *= OP_F(op_at)(weight, k, shape->parameters);
      if (OP_NORM_HAS(shape, BIAS)) value += OP_F(op_at)(bias, k, shape->parameters);
      OP_F(op_put)(y, at, shape->type, value);
    }
}

static inline __attribute__((always_inline)) void OP_F(op_norm_slice)(
    global uchar* y, global uchar* mean, global uchar* deviation, global uchar* running_mean,
    global uchar* running_variance, global const uchar* x, global const uchar* weight,
    global const uchar* bias, const xhal_op_norm* shape, ulong slice) {
  OP_F(op_statistics) found;
  if (OP_NORM_HAS(shape, GIVEN)) {
    OP_F(op_given)(running_mean, running_variance, shape, slice, &found);
  } else {
    OP_F(op_moments)(x, shape, op_slice_at(shape, slice), &found);
    OP_F(op_keep)(mean, deviation, running_mean, running_variance, shape, slice, &found);
  }
  if (OP_NORM_HAS(shape, OUTPUT)) OP_F(op_normalise)(y, x, weight, bias, shape, slice, &found);
}

// The gradient of element x is gradient * scale + (x - mean) * slope + shift.
typedef struct OP_F(op_slopes) {
  OP_T scale;
  OP_T slope;
  OP_T shift;
} OP_F(op_slopes);

// From the sums of gradients, and of gradients times distances from the mean; both of what was weighted already.
static inline __attribute__((always_inline)) void OP_F(op_slopes_of)(const xhal_op_norm* shape,
                                                                     OP_T gradients, OP_T products,
                                                                     OP_T inverse, OP_F(op_slopes) * out) {
  const OP_T count = (OP_T)(shape->outer * shape->inner);
  out->scale = inverse;
  out->slope = OP_NORM_HAS(shape, GIVEN) ? (OP_T)0 : -inverse * inverse * inverse * products / count;
  out->shift = OP_NORM_HAS(shape, GIVEN) || OP_NORM_HAS(shape, ROOT) ? (OP_T)0 : -inverse * gradients / count;
}

// The gradients of the one weight and bias of a slice.
static inline __attribute__((always_inline)) void OP_F(op_put_parameters)(global uchar* grad_weight,
                                                                          global uchar* grad_bias,
                                                                          const xhal_op_norm* shape,
                                                                          ulong slice, OP_T gradients,
                                                                          OP_T products, OP_T inverse) {
  if (OP_NORM_HAS(shape, WEIGHT_GRADIENT)) OP_F(op_put)
  (grad_weight, slice, shape->statistics, OP_NORM_HAS(shape, SUMS) ? products : products * inverse);
  if (OP_NORM_HAS(shape, BIAS_GRADIENT)) OP_F(op_put)(grad_bias, slice, shape->statistics, gradients);
}

static inline __attribute__((always_inline)) OP_T OP_F(op_weight_of)(global const uchar* weight,
                                                                     const xhal_op_norm* shape, ulong k) {
  return OP_NORM_HAS(shape, WEIGHT) ? OP_F(op_at)(weight, k, shape->parameters) : (OP_T)1;
}

static inline __attribute__((always_inline)) void OP_F(op_backward_slice)(
    global uchar* grad_input, global uchar* grad_weight, global uchar* grad_bias,
    global const uchar* gradient, global const uchar* x, global const uchar* mean,
    global const uchar* deviation, global const uchar* weight, const xhal_op_norm* shape, ulong slice) {
  const ulong first = op_slice_at(shape, slice);
  const ulong k = op_weight_at(shape, slice);
  const uint type = shape->type;
  // One weight for all is multiplied at the end, since the gradient of the weight itself does without.
  const int is_one_weight = shape->weight_outer == 0 && shape->weight_inner == 0;
  OP_F(op_statistics) found;
  OP_F(op_given)(mean, deviation, shape, slice, &found);
  OP_T gradients = 0;
  OP_T products = 0;
#define OP_WEIGHTED(i, j, at)        \
  (OP_F(op_at)(gradient, at, type) * \
   (is_one_weight                    \
        ? (OP_T)1                    \
        : OP_F(op_weight_of)(weight, shape, k + (i)*shape->weight_outer + (j)*shape->weight_inner)))
  OP_SUM_SLICE(gradients, shape, first, at, OP_WEIGHTED(op_i, op_j, at));
  OP_SUM_SLICE(products, shape, first, at,
               OP_WEIGHTED(op_i, op_j, at) * (OP_F(op_at)(x, at, type) - found.mean));
  OP_F(op_put_parameters)(grad_weight, grad_bias, shape, slice, gradients, products, found.inverse);
  if (!OP_NORM_HAS(shape, OUTPUT)) return;
  OP_F(op_slopes) to;
  OP_F(op_slopes_of)(shape, gradients, products, found.inverse, &to);
  const OP_T factor = is_one_weight ? OP_F(op_weight_of)(weight, shape, k) : (OP_T)1;
  for (ulong i = 0; i < shape->outer; ++i)
    for (ulong j = 0; j < shape->inner; ++j) {
      const ulong at = first + i * shape->outer_stride + j * shape->inner_stride;
      const OP_T distance = OP_F(op_at)(x, at, type) - found.mean;
      OP_F(op_put)
      (grad_input, at, type, (OP_WEIGHTED(i, j, at) * to.scale + distance * to.slope + to.shift) * factor);
    }
#undef OP_WEIGHTED
}

static inline __attribute__((always_inline)) void OP_F(op_gradient_of_weight)(
    global uchar* grad_weight, global uchar* grad_bias, global const uchar* gradient, global const uchar* x,
    global const uchar* mean, global const uchar* deviation, const xhal_op_norm_gradient* shape,
    ulong weight) {
  OP_T gradients = 0;
  OP_T products = 0;
  for (ulong r = 0; r < shape->repeats; ++r) {
    const ulong s = r * shape->statistics_stride + weight / shape->share;
    const OP_T middle = OP_NORM_HAS(shape, ROOT) ? (OP_T)0 : OP_F(op_at)(mean, s, shape->statistics);
    OP_T part_of_gradients = 0;
    OP_T part_of_products = 0;
    for (ulong j = 0; j < shape->run; ++j) {
      const ulong at = r * shape->repeat_stride + weight * shape->weight_stride + j * shape->run_stride;
      const OP_T g = OP_F(op_at)(gradient, at, shape->type);
      part_of_gradients += g;
      part_of_products += g * (OP_F(op_at)(x, at, shape->type) - middle);
    }
    gradients += part_of_gradients;
    products += part_of_products * OP_F(op_at)(deviation, s, shape->statistics);
  }
  if (OP_NORM_HAS(shape, WEIGHT)) OP_F(op_put)(grad_weight, weight, shape->parameters, products);
  if (OP_NORM_HAS(shape, BIAS)) OP_F(op_put)(grad_bias, weight, shape->parameters, gradients);
}
#undef OP_SUM_SLICE
