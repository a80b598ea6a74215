// SPDX-License-Identifier: Apache-2.0
// Connectionist temporal classification (Graves and others, 2006): the likelihood of a member's labels over all times at which they may stand,
// by logarithms of the likelihoods of paths up to a state (alpha) and from there on (beta). A label that is none makes NaN.
#include "op_element.h"

// A state's label; every other one is a blank.
static inline long op_label(global const uchar* targets, const xhal_op_sequences* shape, ulong first,
                            ulong state) {
  if (state % 2 == 0) return shape->blank;
  const ulong at = first + state / 2 * (ulong)shape->target_stride;
  if (at >= shape->targets) return -1;
  return shape->target_type == OP_I32 ? ((global const int*)targets)[at] : ((global const long*)targets)[at];
}

#define OP_SEQUENCES(name, T)                                                                                \
  static inline T op_log_of_label_##name(global const T* logarithms, const xhal_op_sequences* shape,         \
                                         ulong step, ulong member, long label) {                             \
    if (label < 0 || label >= (long)shape->labels) return (T)NAN;                                            \
    return logarithms[(step * shape->members + member) * shape->labels + (ulong)label];                      \
  }                                                                                                          \
  static inline T op_log_of_sum_##name(T a, T b, T c) {                                                      \
    T most = a > b ? a : b;                                                                                  \
    most = c > most ? c : most;                                                                              \
    if (most == -(T)INFINITY) most = 0;                                                                      \
    return log(exp(a - most) + exp(b - most) + exp(c - most)) + most;                                        \
  }                                                                                                          \
  /* An item a member, step by step. */                                                                      \
  kernel void xhal_sequences_forward_##name(global T* alpha, global T* losses, global const T* logarithms,   \
                                            global const uchar* targets, xhal_op_sequences shape,            \
                                            xhal_op_lengths lengths) {                                       \
    const ulong item = get_global_id(0);                                                                     \
    if (item >= lengths.count) return;                                                                       \
    const ulong member = lengths.first + item;                                                               \
    const ulong first = lengths.target[item];                                                                \
    const ulong steps = lengths.steps[item];                                                                 \
    const ulong states = 2 * (ulong)lengths.labels[item] + 1;                                                \
    const T none = -(T)INFINITY;                                                                             \
    if (steps == 0) {                                                                                        \
      losses[member] = states == 1 ? (T)0 : (T)INFINITY;                                                     \
      return;                                                                                                \
    }                                                                                                        \
    global T* row = alpha + member * shape.steps * shape.states;                                             \
    for (ulong s = 0; s < states; ++s)                                                                       \
      row[s] = s > 1 ? none                                                                                  \
                     : op_log_of_label_##name(logarithms, &shape, 0, member,                                 \
                                              op_label(targets, &shape, first, s));                          \
    for (ulong t = 1; t < steps; ++t) {                                                                      \
      global const T* before = row;                                                                          \
      row += shape.states;                                                                                   \
      for (ulong s = 0; s < states; ++s) {                                                                   \
        const long label = op_label(targets, &shape, first, s);                                              \
        const int may_skip = s > 1 && op_label(targets, &shape, first, s - 2) != label;                      \
        row[s] =                                                                                             \
            op_log_of_sum_##name(before[s], s > 0 ? before[s - 1] : none, may_skip ? before[s - 2] : none) + \
            op_log_of_label_##name(logarithms, &shape, t, member, label);                                    \
      }                                                                                                      \
    }                                                                                                        \
    losses[member] = -op_log_of_sum_##name(row[states - 1], states > 1 ? row[states - 2] : none, none);      \
  }                                                                                                          \
  kernel void xhal_sequences_beta_##name(global T* beta, global const T* logarithms,                         \
                                         global const uchar* targets, xhal_op_sequences shape,               \
                                         xhal_op_lengths lengths) {                                          \
    const ulong item = get_global_id(0);                                                                     \
    if (item >= lengths.count || lengths.steps[item] == 0) return;                                           \
    const ulong member = lengths.first + item;                                                               \
    const ulong first = lengths.target[item];                                                                \
    const ulong steps = lengths.steps[item];                                                                 \
    const ulong states = 2 * (ulong)lengths.labels[item] + 1;                                                \
    const T none = -(T)INFINITY;                                                                             \
    global T* row = beta + (member * shape.steps + steps - 1) * shape.states;                                \
    for (ulong s = 0; s < states; ++s)                                                                       \
      row[s] = s + 2 < states ? none                                                                         \
                              : op_log_of_label_##name(logarithms, &shape, steps - 1, member,                \
                                                       op_label(targets, &shape, first, s));                 \
    for (ulong t = steps - 1; t > 0; --t) {                                                                  \
      global const T* behind = row;                                                                          \
      row -= shape.states;                                                                                   \
      for (ulong s = 0; s < states; ++s) {                                                                   \
        const long label = op_label(targets, &shape, first, s);                                              \
        const int may_skip = s + 2 < states && op_label(targets, &shape, first, s + 2) != label;             \
        row[s] = op_log_of_sum_##name(behind[s], s + 1 < states ? behind[s + 1] : none,                      \
                                      may_skip ? behind[s + 2] : none) +                                     \
                 op_log_of_label_##name(logarithms, &shape, t - 1, member, label);                           \
      }                                                                                                      \
    }                                                                                                        \
  }                                                                                                          \
  /* An item a step of a member: its row of labels adds up the states that stand for each. */                \
  kernel void xhal_sequences_backward_##name(global T* y, global const T* gradient, global const T* losses,  \
                                             global const T* logarithms, global const T* alpha,              \
                                             global const T* beta, global const uchar* targets,              \
                                             xhal_op_sequences shape, xhal_op_lengths lengths) {             \
    const ulong t = get_global_id(0);                                                                        \
    const ulong item = get_global_id(1);                                                                     \
    if (t >= shape.steps || item >= lengths.count) return;                                                   \
    const ulong member = lengths.first + item;                                                               \
    const T loss = losses[member];                                                                           \
    global T* to = y + (t * shape.members + member) * shape.labels;                                          \
    const int is_there = t < lengths.steps[item] && !(shape.zero_infinity != 0 && loss == (T)INFINITY);      \
    for (ulong c = 0; c < shape.labels; ++c) to[c] = is_there ? -(T)INFINITY : (T)0;                         \
    if (!is_there) return;                                                                                   \
    const ulong states = 2 * (ulong)lengths.labels[item] + 1;                                                \
    const ulong row = (member * shape.steps + t) * shape.states;                                             \
    for (ulong s = 0; s < states; ++s) {                                                                     \
      const long label = op_label(targets, &shape, lengths.target[item], s);                                 \
      if (label >= 0 && label < (long)shape.labels)                                                          \
        to[label] = op_log_of_sum_##name(to[label], alpha[row + s] + beta[row + s], -(T)INFINITY);           \
    }                                                                                                        \
    const T factor = gradient[member];                                                                       \
    for (ulong c = 0; c < shape.labels; ++c) {                                                               \
      const T logarithm = op_log_of_label_##name(logarithms, &shape, t, member, (long)c);                    \
      to[c] = (exp(logarithm) - exp(to[c] + loss - logarithm)) * factor;                                     \
    }                                                                                                        \
  }
OP_SEQUENCES(f32, float)
#ifdef cl_khr_fp64
OP_SEQUENCES(f64, double)
#endif
