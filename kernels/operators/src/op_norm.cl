// SPDX-License-Identifier: Apache-2.0
// Normalisation by layer, group, batch or root mean square, and its gradients: an item a slice, or a few neighbouring columns.
#include "op_norm.h"

// ---- Rows of f32 that lie densely ------------------------------------------------------------------------------------------------

#define OP_FLOATS(pointer, index) ((global const float*)(pointer) + (index))

// Rows that follow each other are one.
static inline xhal_op_norm op_joined(const xhal_op_norm* shape) {
  xhal_op_norm out = *shape;
  if (out.outer_stride == out.inner) {
    out.inner *= out.outer;
    out.outer = 1;
  }
  return out;
}

static inline void op_moments_of_rows(global const float* x, const xhal_op_norm* shape,
                                      op_statistics_f32* found) {
  const float count = (float)(shape->outer * shape->inner);
  const xhal_op_norm joined = op_joined(shape);
  float mean = 0;
  if (!OP_NORM_HAS(shape, ROOT)) {
    float sum = 0;
    for (ulong i = 0; i < joined.outer; ++i) {
      global const float* row = x + i * joined.outer_stride;
      OP_SUM_ROW(sum, joined.inner, k, row[k]);
    }
    mean = count > 0 ? sum / count : 0.0f;
  }
  float squares = 0;
  for (ulong i = 0; i < joined.outer; ++i) {
    global const float* row = x + i * joined.outer_stride;
    OP_SUM_ROW(squares, joined.inner, k, (row[k] - mean) * (row[k] - mean));
  }
  found->mean = mean;
  found->variance = squares / count;
}

static inline void op_normalise_row(global float* restrict y, global const float* restrict x,
                                    global const float* restrict weight, global const float* restrict bias,
                                    ulong n, float mean, float inverse, int has_weight, int has_bias) {
  for (ulong j = 0; j < n; ++j)
    y[j] = (x[j] - mean) * inverse * (has_weight ? weight[j] : 1.0f) + (has_bias ? bias[j] : 0.0f);
}

static inline void op_normalise_rows(global uchar* y, global const uchar* x, global const uchar* weight,
                                     global const uchar* bias, const xhal_op_norm* shape, ulong slice,
                                     const op_statistics_f32* found) {
  const ulong n = shape->inner;
  const int has_weight = OP_NORM_HAS(shape, WEIGHT);
  const int has_bias = OP_NORM_HAS(shape, BIAS);
  for (ulong i = 0; i < shape->outer; ++i) {
    const ulong at = op_slice_at(shape, slice) + i * shape->outer_stride;
    const ulong k = op_weight_at(shape, slice) + i * shape->weight_outer;
    global float* to = (global float*)y + at;
    global const float* from = OP_FLOATS(x, at);
    if (shape->weight_inner == 0) {
      const float scale = found->inverse * (has_weight ? *OP_FLOATS(weight, k) : 1.0f);
      const float shift = has_bias ? *OP_FLOATS(bias, k) : 0.0f;
      for (ulong j = 0; j < n; ++j) to[j] = (from[j] - found->mean) * scale + shift;
    } else if (has_weight && has_bias) {
      op_normalise_row(to, from, OP_FLOATS(weight, k), OP_FLOATS(bias, k), n, found->mean, found->inverse, 1,
                       1);
    } else if (has_weight) {
      op_normalise_row(to, from, OP_FLOATS(weight, k), from, n, found->mean, found->inverse, 1, 0);
    } else if (has_bias) {
      op_normalise_row(to, from, from, OP_FLOATS(bias, k), n, found->mean, found->inverse, 0, 1);
    } else {
      op_normalise_row(to, from, from, from, n, found->mean, found->inverse, 0, 0);
    }
  }
}

// Sums of what was weighted, and of its products with distances from the mean.
static inline void op_sums_of_rows(global const uchar* gradient, global const uchar* x,
                                   global const uchar* weight, const xhal_op_norm* shape, ulong slice,
                                   float mean, float* gradients, float* products) {
  for (ulong i = 0; i < shape->outer; ++i) {
    const ulong at = op_slice_at(shape, slice) + i * shape->outer_stride;
    const ulong k = op_weight_at(shape, slice) + i * shape->weight_outer;
    global const float* g = OP_FLOATS(gradient, at);
    global const float* from = OP_FLOATS(x, at);
    float row_gradients = 0;
    float row_products = 0;
    if (OP_NORM_HAS(shape, WEIGHT) && shape->weight_inner != 0) {
      global const float* w = OP_FLOATS(weight, k);
      OP_SUM_ROW_PAIR(row_gradients, row_products, shape->inner, e, g[e] * w[e],
                      g[e] * w[e] * (from[e] - mean));
    } else {
      OP_SUM_ROW_PAIR(row_gradients, row_products, shape->inner, e, g[e], g[e] * (from[e] - mean));
    }
    const int is_row_weight = OP_NORM_HAS(shape, WEIGHT) && shape->weight_outer != 0;
    const float factor = is_row_weight ? *OP_FLOATS(weight, k) : 1.0f;
    *gradients += row_gradients * factor;
    *products += row_products * factor;
  }
}

static inline void op_gradient_row(global float* restrict y, global const float* restrict gradient,
                                   global const float* restrict x, global const float* restrict weight,
                                   ulong n, float mean, const op_slopes_f32* to, int has_weight) {
  for (ulong j = 0; j < n; ++j)
    y[j] = gradient[j] * (has_weight ? weight[j] : 1.0f) * to->scale + (x[j] - mean) * to->slope + to->shift;
}

static inline void op_backward_rows(global uchar* grad_input, global uchar* grad_weight,
                                    global uchar* grad_bias, global const uchar* gradient,
                                    global const uchar* x, global const uchar* mean,
                                    global const uchar* deviation, global const uchar* weight,
                                    const xhal_op_norm* shape, ulong slice) {
  op_statistics_f32 found;
  op_given_f32(mean, deviation, shape, slice, &found);
  float gradients = 0;
  float products = 0;
  op_sums_of_rows(gradient, x, weight, shape, slice, found.mean, &gradients, &products);
  op_put_parameters_f32(grad_weight, grad_bias, shape, slice, gradients, products, found.inverse);
  if (!OP_NORM_HAS(shape, OUTPUT)) return;
  op_slopes_f32 all;
  op_slopes_of_f32(shape, gradients, products, found.inverse, &all);
  const int is_one_weight = shape->weight_outer == 0 && shape->weight_inner == 0;
  for (ulong i = 0; i < shape->outer; ++i) {
    const ulong at = op_slice_at(shape, slice) + i * shape->outer_stride;
    const ulong k = op_weight_at(shape, slice) + i * shape->weight_outer;
    global float* to = (global float*)grad_input + at;
    global const float* g = OP_FLOATS(gradient, at);
    op_slopes_f32 of_row = all;
    if (OP_NORM_HAS(shape, WEIGHT) && shape->weight_inner != 0) {
      op_gradient_row(to, g, OP_FLOATS(x, at), OP_FLOATS(weight, k), shape->inner, found.mean, &of_row, 1);
      continue;
    }
    const float factor = op_weight_of_f32(weight, shape, k);
    of_row.scale *= factor;
    if (is_one_weight) {
      of_row.slope *= factor;
      of_row.shift *= factor;
    }
    op_gradient_row(to, g, OP_FLOATS(x, at), g, shape->inner, found.mean, &of_row, 0);
  }
}

// ---- Neighbouring columns of f32: the channels of batch normalisation where they are the innermost dimension -------------------------

static inline void op_norm_columns(global uchar* y, global uchar* mean, global uchar* deviation,
                                   global uchar* running_mean, global uchar* running_variance,
                                   global const uchar* x, global const uchar* weight,
                                   global const uchar* bias, const xhal_op_norm* shape, ulong slice) {
  const ulong stride = shape->outer_stride;
  const float count = (float)shape->outer;
  global const float* from = OP_FLOATS(x, slice);
  float middle[OP_NORM_LANES] = {0};
  float scale[OP_NORM_LANES] = {0};
  float shift[OP_NORM_LANES] = {0};
  if (!OP_NORM_HAS(shape, GIVEN)) {
    OP_SUM_COLUMNS(middle, shape->outer, i, l, from[i * stride + l]);
    for (uint l = 0; l < OP_NORM_LANES; ++l) middle[l] /= count;
    OP_SUM_COLUMNS(scale, shape->outer, i, l,
                   (from[i * stride + l] - middle[l]) * (from[i * stride + l] - middle[l]));
  }
  for (uint l = 0; l < OP_NORM_LANES; ++l) {
    op_statistics_f32 found = {middle[l], scale[l] / count, 0};
    if (OP_NORM_HAS(shape, GIVEN))
      op_given_f32(running_mean, running_variance, shape, slice + l, &found);
    else
      op_keep_f32(mean, deviation, running_mean, running_variance, shape, slice + l, &found);
    middle[l] = found.mean;
    scale[l] = found.inverse * op_weight_of_f32(weight, shape, op_weight_at(shape, slice + l));
    if (OP_NORM_HAS(shape, BIAS)) shift[l] = *OP_FLOATS(bias, op_weight_at(shape, slice + l));
  }
  if (!OP_NORM_HAS(shape, OUTPUT)) return;
  global float* to = (global float*)y + slice;
  for (ulong i = 0; i < shape->outer; ++i)
    for (uint l = 0; l < OP_NORM_LANES; ++l)
      to[i * stride + l] = (from[i * stride + l] - middle[l]) * scale[l] + shift[l];
}

static inline void op_backward_columns(global uchar* grad_input, global uchar* grad_weight,
                                       global uchar* grad_bias, global const uchar* gradient,
                                       global const uchar* x, global const uchar* mean,
                                       global const uchar* deviation, global const uchar* weight,
                                       const xhal_op_norm* shape, ulong slice) {
  const ulong stride = shape->outer_stride;
  global const float* g = OP_FLOATS(gradient, slice);
  global const float* from = OP_FLOATS(x, slice);
  float middle[OP_NORM_LANES];
  float scale[OP_NORM_LANES] = {0};
  float slope[OP_NORM_LANES] = {0};
  float shift[OP_NORM_LANES];
  op_statistics_f32 found[OP_NORM_LANES];
  for (uint l = 0; l < OP_NORM_LANES; ++l) {
    op_given_f32(mean, deviation, shape, slice + l, &found[l]);
    middle[l] = found[l].mean;
  }
  OP_SUM_COLUMNS_PAIR(scale, slope, shape->outer, i, l, g[i * stride + l],
                      g[i * stride + l] * (from[i * stride + l] - middle[l]));
  for (uint l = 0; l < OP_NORM_LANES; ++l) {
    op_slopes_f32 to;
    op_put_parameters_f32(grad_weight, grad_bias, shape, slice + l, scale[l], slope[l], found[l].inverse);
    op_slopes_of_f32(shape, scale[l], slope[l], found[l].inverse, &to);
    const float factor = op_weight_of_f32(weight, shape, op_weight_at(shape, slice + l));
    scale[l] = to.scale * factor;
    slope[l] = to.slope * factor;
    shift[l] = to.shift * factor;
  }
  if (!OP_NORM_HAS(shape, OUTPUT)) return;
  global float* to = (global float*)grad_input + slice;
  for (ulong i = 0; i < shape->outer; ++i)
    for (uint l = 0; l < OP_NORM_LANES; ++l)
      to[i * stride + l] =
          g[i * stride + l] * scale[l] + (from[i * stride + l] - middle[l]) * slope[l] + shift[l];
}

// The gradients of `lanes` neighbouring weights that all have the same statistics: those of a layer. Few columns at a time would read
// little of each row, and many rows for it.
static inline __attribute__((always_inline)) void op_gradient_of_columns(
    global uchar* grad_weight, global uchar* grad_bias, global const uchar* gradient, global const uchar* x,
    global const uchar* mean, global const uchar* deviation, const xhal_op_norm_gradient* shape, ulong weight,
    uint lanes) {
  const int has_mean = !OP_NORM_HAS(shape, ROOT);
  float of_weight[XHAL_OP_NORM_WIDE] = {0};
  float of_bias[XHAL_OP_NORM_WIDE] = {0};
  for (ulong first = 0; first < shape->repeats; first += 256) {
    const ulong end = shape->repeats - first < 256 ? shape->repeats : first + 256;
    float products[XHAL_OP_NORM_WIDE] = {0};
    float gradients[XHAL_OP_NORM_WIDE] = {0};
    for (ulong i = first; i < end; ++i) {
      global const float* g = OP_FLOATS(gradient, i * shape->repeat_stride + weight);
      global const float* from = OP_FLOATS(x, i * shape->repeat_stride + weight);
      const float middle = has_mean ? *OP_FLOATS(mean, i) : 0.0f;
      const float inverse = *OP_FLOATS(deviation, i);
      for (uint l = 0; l < lanes; ++l) {
        products[l] += g[l] * (from[l] - middle) * inverse;
        gradients[l] += g[l];
      }
    }
    for (uint l = 0; l < lanes; ++l) {
      of_weight[l] += products[l];
      of_bias[l] += gradients[l];
    }
  }
  if (OP_NORM_HAS(shape, WEIGHT))
    for (uint l = 0; l < lanes; ++l) ((global float*)grad_weight)[weight + l] = of_weight[l];
  if (OP_NORM_HAS(shape, BIAS))
    for (uint l = 0; l < lanes; ++l) ((global float*)grad_bias)[weight + l] = of_bias[l];
}

// The gradients of a weight whose elements are runs that lie densely: those of a group's channel.
static inline void op_gradient_of_runs(global uchar* grad_weight, global uchar* grad_bias,
                                       global const uchar* gradient, global const uchar* x,
                                       global const uchar* mean, global const uchar* deviation,
                                       const xhal_op_norm_gradient* shape, ulong weight) {
  float of_weight = 0;
  float of_bias = 0;
  for (ulong r = 0; r < shape->repeats; ++r) {
    const ulong at = r * shape->repeat_stride + weight * shape->weight_stride;
    const ulong s = r * shape->statistics_stride + weight / shape->share;
    global const float* g = OP_FLOATS(gradient, at);
    global const float* from = OP_FLOATS(x, at);
    const float middle = *OP_FLOATS(mean, s);
    float products = 0;
    OP_SUM_ROW_PAIR(products, of_bias, shape->run, k, g[k] * (from[k] - middle), g[k]);
    of_weight += products * *OP_FLOATS(deviation, s);
  }
  if (OP_NORM_HAS(shape, WEIGHT)) ((global float*)grad_weight)[weight] = of_weight;
  if (OP_NORM_HAS(shape, BIAS)) ((global float*)grad_bias)[weight] = of_bias;
}

// ---- Kernels ---------------------------------------------------------------------------------------------------------------------

#define OP_NORM_ARGUMENTS y, mean, deviation, running_mean, running_variance, x, weight, bias, &shape
#define OP_BACKWARD_ARGUMENTS grad_input, grad_weight, grad_bias, gradient, x, mean, deviation, weight, &shape
#define OP_GRADIENT_ARGUMENTS grad_weight, grad_bias, gradient, x, mean, deviation, &shape

kernel void xhal_norm_f32(global uchar* y, global uchar* mean, global uchar* deviation,
                          global uchar* running_mean, global uchar* running_variance, global const uchar* x,
                          global const uchar* weight, global const uchar* bias, xhal_op_norm shape) {
  if (OP_NORM_HAS(&shape, COLUMNS)) {
    ulong slice = get_global_id(0) * OP_NORM_LANES;
    if (slice + OP_NORM_LANES <= shape.slices) {
      op_norm_columns(OP_NORM_ARGUMENTS, slice);
      return;
    }
    for (; slice < shape.slices; ++slice) op_norm_slice_f32(OP_NORM_ARGUMENTS, slice);
    return;
  }
  const ulong slice = get_global_id(0);
  if (slice >= shape.slices) return;
  if (shape.type != OP_F32 || shape.inner_stride != 1) {
    OP_WITH_TYPE(op_norm_slice_f32, shape, OP_NORM_ARGUMENTS, slice);
    return;
  }
  op_statistics_f32 found;
  if (OP_NORM_HAS(&shape, GIVEN)) {
    op_given_f32(running_mean, running_variance, &shape, slice, &found);
  } else {
    op_moments_of_rows(OP_FLOATS(x, op_slice_at(&shape, slice)), &shape, &found);
    op_keep_f32(mean, deviation, running_mean, running_variance, &shape, slice, &found);
  }
  if (OP_NORM_HAS(&shape, OUTPUT)) op_normalise_rows(y, x, weight, bias, &shape, slice, &found);
}

kernel void xhal_norm_backward_f32(global uchar* grad_input, global uchar* grad_weight,
                                   global uchar* grad_bias, global const uchar* gradient,
                                   global const uchar* x, global const uchar* mean,
                                   global const uchar* deviation, global const uchar* weight,
                                   xhal_op_norm shape) {
  if (OP_NORM_HAS(&shape, COLUMNS)) {
    ulong slice = get_global_id(0) * OP_NORM_LANES;
    if (slice + OP_NORM_LANES <= shape.slices) {
      op_backward_columns(OP_BACKWARD_ARGUMENTS, slice);
      return;
    }
    for (; slice < shape.slices; ++slice) op_backward_slice_f32(OP_BACKWARD_ARGUMENTS, slice);
    return;
  }
  const ulong slice = get_global_id(0);
  if (slice >= shape.slices) return;
  if (shape.type != OP_F32 || shape.inner_stride != 1)
    OP_WITH_TYPE(op_backward_slice_f32, shape, OP_BACKWARD_ARGUMENTS, slice);
  else
    op_backward_rows(OP_BACKWARD_ARGUMENTS, slice);
}

kernel void xhal_norm_gradient_f32(global uchar* grad_weight, global uchar* grad_bias,
                                   global const uchar* gradient, global const uchar* x,
                                   global const uchar* mean, global const uchar* deviation,
                                   xhal_op_norm_gradient shape) {
  if (OP_NORM_HAS(&shape, COLUMNS)) {
    ulong weight = get_global_id(0) * XHAL_OP_NORM_WIDE;
    if (weight + XHAL_OP_NORM_WIDE <= shape.weights) {
      op_gradient_of_columns(OP_GRADIENT_ARGUMENTS, weight, XHAL_OP_NORM_WIDE);
      return;
    }
    for (; weight + OP_NORM_LANES <= shape.weights; weight += OP_NORM_LANES)
      op_gradient_of_columns(OP_GRADIENT_ARGUMENTS, weight, OP_NORM_LANES);
    for (; weight < shape.weights; ++weight) op_gradient_of_weight_f32(OP_GRADIENT_ARGUMENTS, weight);
    return;
  }
  const ulong weight = get_global_id(0);
  if (weight >= shape.weights) return;
  if (shape.type != OP_F32 || shape.run_stride != 1)
    OP_WITH_TYPE(op_gradient_of_weight_f32, shape, OP_GRADIENT_ARGUMENTS, weight);
  else
    op_gradient_of_runs(OP_GRADIENT_ARGUMENTS, weight);
}

#ifdef cl_khr_fp64
kernel void xhal_norm_f64(global uchar* y, global uchar* mean, global uchar* deviation,
                          global uchar* running_mean, global uchar* running_variance, global const uchar* x,
                          global const uchar* weight, global const uchar* bias, xhal_op_norm shape) {
  const ulong slice = get_global_id(0);
  if (slice < shape.slices) op_norm_slice_f64(OP_NORM_ARGUMENTS, slice);
}
kernel void xhal_norm_backward_f64(global uchar* grad_input, global uchar* grad_weight,
                                   global uchar* grad_bias, global const uchar* gradient,
                                   global const uchar* x, global const uchar* mean,
                                   global const uchar* deviation, global const uchar* weight,
                                   xhal_op_norm shape) {
  const ulong slice = get_global_id(0);
  if (slice < shape.slices) op_backward_slice_f64(OP_BACKWARD_ARGUMENTS, slice);
}
kernel void xhal_norm_gradient_f64(global uchar* grad_weight, global uchar* grad_bias,
                                   global const uchar* gradient, global const uchar* x,
                                   global const uchar* mean, global const uchar* deviation,
                                   xhal_op_norm_gradient shape) {
  const ulong weight = get_global_id(0);
  if (weight < shape.weights) op_gradient_of_weight_f64(OP_GRADIENT_ARGUMENTS, weight);
}
#endif
