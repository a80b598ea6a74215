// SPDX-License-Identifier: Apache-2.0
// Every operator as a function of f32, and of f64 where the device has it, by its code.
#ifndef XHAL_OP_FUNCTIONS_H_
#define XHAL_OP_FUNCTIONS_H_

#include "op_element.h"

#define OP_T float
#define OP_F(name) name##_f32
#define OP_C(constant) constant##f
#include "op_float.h"
#undef OP_T
#undef OP_F
#undef OP_C

#ifdef cl_khr_fp64
#define OP_T double
#define OP_F(name) name##_f64
#define OP_C(constant) constant
#include "op_float.h"
#undef OP_T
#undef OP_F
#undef OP_C
#endif

#endif
