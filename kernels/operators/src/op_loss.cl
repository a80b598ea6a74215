// SPDX-License-Identifier: Apache-2.0
// Losses: the negative logarithm of a class' likelihood, and binary cross entropy; gradients of them and of gated linear units.
#include "op_norm.h"

static inline long op_class_of(global const uchar* target, ulong item, const xhal_op_nll* shape) {
  return shape->target == OP_U8 ? (long)target[item] : ((global const long*)target)[item];
}

// A host raises where a class is none. A device could do so only by waiting for each launch, so that it makes what it finds NaN: the loss
// cannot be mistaken for one, and nothing beyond the elements is touched.
#define OP_NLL(name, T)                                                                                      \
  static inline T op_nll_weight_##name(global const uchar* weight, long class, const xhal_op_nll* shape) {   \
    return shape->has_weight != 0 ? op_at_##name(weight, (ulong) class, shape->type) : (T)1;                 \
  }                                                                                                          \
  static inline void op_nll_of_##name(global const uchar* x, global const uchar* target,                     \
                                      global const uchar* weight, const xhal_op_nll* shape, ulong item,      \
                                      T* loss, T* counted) {                                                 \
    const long class = op_class_of(target, item, shape);                                                     \
    *loss = 0;                                                                                               \
    *counted = 0;                                                                                            \
    if (class == shape->ignored) return;                                                                     \
    *counted = 1;                                                                                            \
    *loss = (T)NAN;                                                                                          \
    if (class < 0 || class >= (long)shape->classes) return;                                                  \
    const ulong member = item / shape->map;                                                                  \
    const ulong at = (member * shape->classes + (ulong) class) * shape->map + (item - member * shape->map);  \
    *counted = op_nll_weight_##name(weight, class, shape);                                                   \
    *loss = -op_at_##name(x, at, shape->type) * *counted;                                                    \
  }                                                                                                          \
  kernel void xhal_nll_each_##name(global uchar* y, global const uchar* x, global const uchar* target,       \
                                   global const uchar* weight, xhal_op_nll shape) {                          \
    const ulong item = get_global_id(0);                                                                     \
    if (item >= shape.batch * shape.map) return;                                                             \
    T loss;                                                                                                  \
    T counted;                                                                                               \
    op_nll_of_##name(x, target, weight, &shape, item, &loss, &counted);                                      \
    op_put_##name(y, item, shape.type, loss);                                                                \
  }                                                                                                          \
  /* One group: each item adds up every so manieth loss and its weight. */                                   \
  kernel void xhal_nll_##name(global uchar* y, global uchar* total, global const uchar* x,                   \
                              global const uchar* target, global const uchar* weight, xhal_op_nll shape,     \
                              local T* losses, local T* weights) {                                           \
    const ulong count = shape.batch * shape.map;                                                             \
    XHAL_EACH_ITEM {                                                                                         \
      const size_t lane = get_local_id(0);                                                                   \
      T sum = 0;                                                                                             \
      T sum_of_weights = 0;                                                                                  \
      for (ulong item = lane; item < count; item += XHAL_OP_NLL_LANES) {                                     \
        T loss;                                                                                              \
        T counted;                                                                                           \
        op_nll_of_##name(x, target, weight, &shape, item, &loss, &counted);                                  \
        sum += loss;                                                                                         \
        sum_of_weights += counted;                                                                           \
      }                                                                                                      \
      losses[lane] = sum;                                                                                    \
      weights[lane] = sum_of_weights;                                                                        \
    }                                                                                                        \
    XHAL_GROUP_BARRIER();                                                                                    \
    for (size_t reach = XHAL_OP_NLL_LANES / 2; reach != 0; reach /= 2) {                                     \
      XHAL_FIRST_ITEMS(reach) {                                                                              \
        const size_t lane = get_local_id(0);                                                                 \
        losses[lane] += losses[lane + reach];                                                                \
        weights[lane] += weights[lane + reach];                                                              \
      }                                                                                                      \
      XHAL_GROUP_BARRIER();                                                                                  \
    }                                                                                                        \
    XHAL_FIRST_ITEMS(1) {                                                                                    \
      op_put_##name(y, 0, shape.type, shape.reduction == XHAL_OP_MEAN ? losses[0] / weights[0] : losses[0]); \
      op_put_##name(total, 0, shape.type, weights[0]);                                                       \
    }                                                                                                        \
  }                                                                                                          \
  /* Of what was filled with zeros. */                                                                       \
  kernel void xhal_nll_backward_##name(global uchar* grad_input, global const uchar* gradient,               \
                                       global const uchar* target, global const uchar* weight,               \
                                       global const uchar* total, xhal_op_nll shape) {                       \
    const ulong item = get_global_id(0);                                                                     \
    if (item >= shape.batch * shape.map) return;                                                             \
    const long class = op_class_of(target, item, &shape);                                                    \
    if (class == shape.ignored) return;                                                                      \
    const ulong member = item / shape.map;                                                                   \
    const ulong first = member * shape.classes * shape.map + (item - member * shape.map);                    \
    if (class < 0 || class >= (long)shape.classes) {                                                         \
      for (ulong c = 0; c < shape.classes; ++c)                                                              \
        op_put_##name(grad_input, first + c * shape.map, shape.type, (T)NAN);                                \
      return;                                                                                                \
    }                                                                                                        \
    T g = op_at_##name(gradient, shape.reduction == XHAL_OP_EACH ? item : 0, shape.type);                    \
    if (shape.reduction == XHAL_OP_MEAN) g /= op_at_##name(total, 0, shape.type);                            \
    op_put_##name(grad_input, first + (ulong) class * shape.map, shape.type,                                 \
                  -g * op_nll_weight_##name(weight, class, &shape));                                         \
  }

// Elements that lie densely, a run of them an item. Of what is no likelihood the loss is NaN, where a host raises. Each step is rounded to
// the elements' type, as on a host.
#define OP_PAIRS(name, T, C)                                                                                 \
  static inline T op_step_##name(T value, uint type) {                                                       \
    (void)type;                                                                                              \
    return op_rounded_##name(value, OP_F32, type);                                                           \
  }                                                                                                          \
  static inline T op_cross_entropy_##name(T x, T target, uint type) {                                        \
    const T yes = fmax(op_step_##name(log(x), type), -(T)100);                                               \
    const T no = fmax(op_step_##name(log1p(-x), type), -(T)100);                                             \
    const T of_no = op_step_##name(op_step_##name(target - 1, type) * no, type);                             \
    return x >= 0 && x <= 1 ? of_no - op_step_##name(target * yes, type) : (T)NAN;                           \
  }                                                                                                          \
  static inline T op_cross_entropy_backward_##name(T x, T target, T gradient, uint type) {                   \
    const T product = op_step_##name(op_step_##name(1 - x, type) * x, type);                                 \
    const T least = op_step_##name((T)C, type);                                                              \
    const T distance = op_step_##name(gradient * op_step_##name(x - target, type), type);                    \
    return distance / fmax(product, least);                                                                  \
  }                                                                                                          \
  kernel void xhal_cross_entropy_##name(global uchar* y, global const uchar* x, global const uchar* target,  \
                                        uint type, ulong n) {                                                \
    const ulong first = get_global_id(0) * XHAL_OP_LOSS_RUN;                                                 \
    const ulong end = first + XHAL_OP_LOSS_RUN < n ? first + XHAL_OP_LOSS_RUN : n;                           \
    for (ulong i = first; i < end; ++i)                                                                      \
      op_put_##name(y, i, type,                                                                              \
                    op_cross_entropy_##name(op_at_##name(x, i, type), op_at_##name(target, i, type), type)); \
  }                                                                                                          \
  kernel void xhal_cross_entropy_backward_##name(global uchar* y, global const uchar* x,                     \
                                                 global const uchar* target, global const uchar* gradient,   \
                                                 uint type, ulong n) {                                       \
    const ulong first = get_global_id(0) * XHAL_OP_LOSS_RUN;                                                 \
    const ulong end = first + XHAL_OP_LOSS_RUN < n ? first + XHAL_OP_LOSS_RUN : n;                           \
    for (ulong i = first; i < end; ++i)                                                                      \
      op_put_##name(                                                                                         \
          y, i, type,                                                                                        \
          op_cross_entropy_backward_##name(op_at_##name(x, i, type), op_at_##name(target, i, type),          \
                                           op_at_##name(gradient, i, type), type));                          \
  }                                                                                                          \
  /* Of a run of n elements within each of `outer` pairs of halves. */                                       \
  kernel void xhal_glu_backward_##name(global uchar* y, global const uchar* x, global const uchar* gradient, \
                                       uint type, ulong outer, ulong n) {                                    \
    const ulong first = get_global_id(0) * XHAL_OP_LOSS_RUN;                                                 \
    const ulong end = first + XHAL_OP_LOSS_RUN < n ? first + XHAL_OP_LOSS_RUN : n;                           \
    const ulong pair = get_global_id(1);                                                                     \
    if (pair >= outer) return;                                                                               \
    for (ulong i = first; i < end; ++i) {                                                                    \
      const ulong at = pair * 2 * n + i;                                                                     \
      const T g = op_at_##name(gradient, pair * n + i, type);                                                \
      const T gate = op_step_##name(1 / (1 + exp(-op_at_##name(x, at + n, type))), type);                    \
      const T value = op_at_##name(x, at, type);                                                             \
      op_put_##name(y, at, type, gate* g);                                                                   \
      op_put_##name(y, at + n, type, (1 - gate) * gate * g * value);                                         \
    }                                                                                                        \
  }

OP_NLL(f32, float)
OP_PAIRS(f32, float, 1e-12f)
#ifdef cl_khr_fp64
OP_NLL(f64, double)
OP_PAIRS(f64, double, 1e-12)
#endif
