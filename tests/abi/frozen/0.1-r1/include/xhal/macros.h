/* SPDX-License-Identifier: Apache-2.0 */
/*
 * xhal/macros.h - the preprocessor's half of "one list": walks the parameter tuples of entry_points.def.
 *
 * A parameter is a tuple (KIND, ...):
 *   (H, type, name)                       handle, required; the first one gives the table
 *   (V, ctype, name)                      value
 *   (A, ctype, name)                      address with a meaning of its own; null is legal or answered by the call's own rule
 *   (IN, ctype, name), (INO, ctype, name) pointer to read from: required, optional
 *   (OUT, ctype, name), (OUTO, ...)       pointer to write to: required, optional
 *   (OUTH, type, name)                    gives out one handle
 *   (OUTHA, type, name, capacity, count)  gives out min(capacity, *count) handles; capacity and count are parameters beside it
 */
#ifndef XHAL_MACROS_H_
#define XHAL_MACROS_H_

#define XHAL_PP_CAT_(a, b) a##b
#define XHAL_PP_CAT(a, b) XHAL_PP_CAT_(a, b)
#define XHAL_PP_COUNT_(_1, _2, _3, _4, _5, _6, _7, _8, n, ...) n
#define XHAL_PP_COUNT(...) XHAL_PP_COUNT_(__VA_ARGS__, 8, 7, 6, 5, 4, 3, 2, 1, 0)

/* m(a), m(b), ... */
#define XHAL_PP_LIST_1(m, a) m(a)
#define XHAL_PP_LIST_2(m, a, b) m(a), m(b)
#define XHAL_PP_LIST_3(m, a, b, c) m(a), m(b), m(c)
#define XHAL_PP_LIST_4(m, a, b, c, d) m(a), m(b), m(c), m(d)
#define XHAL_PP_LIST_5(m, a, b, c, d, e) m(a), m(b), m(c), m(d), m(e)
#define XHAL_PP_LIST_6(m, a, b, c, d, e, f) m(a), m(b), m(c), m(d), m(e), m(f)
#define XHAL_PP_LIST_7(m, a, b, c, d, e, f, g) m(a), m(b), m(c), m(d), m(e), m(f), m(g)
#define XHAL_PP_LIST_8(m, a, b, c, d, e, f, g, h) m(a), m(b), m(c), m(d), m(e), m(f), m(g), m(h)
#define XHAL_PP_LIST(m, ...) XHAL_PP_CAT(XHAL_PP_LIST_, XHAL_PP_COUNT(__VA_ARGS__))(m, __VA_ARGS__)

/* m(a) m(b) ... */
#define XHAL_PP_EACH_1(m, a) m(a)
#define XHAL_PP_EACH_2(m, a, b) m(a) m(b)
#define XHAL_PP_EACH_3(m, a, b, c) m(a) m(b) m(c)
#define XHAL_PP_EACH_4(m, a, b, c, d) m(a) m(b) m(c) m(d)
#define XHAL_PP_EACH_5(m, a, b, c, d, e) m(a) m(b) m(c) m(d) m(e)
#define XHAL_PP_EACH_6(m, a, b, c, d, e, f) m(a) m(b) m(c) m(d) m(e) m(f)
#define XHAL_PP_EACH_7(m, a, b, c, d, e, f, g) m(a) m(b) m(c) m(d) m(e) m(f) m(g)
#define XHAL_PP_EACH_8(m, a, b, c, d, e, f, g, h) m(a) m(b) m(c) m(d) m(e) m(f) m(g) m(h)
#define XHAL_PP_EACH(m, ...) XHAL_PP_CAT(XHAL_PP_EACH_, XHAL_PP_COUNT(__VA_ARGS__))(m, __VA_ARGS__)

/* Declaration of a parameter: XHAL_PARAMS((H, stream, stream), (V, uint64_t, timeout_ns)). */
#define XHAL_PARAM_DECL_H(type, name) xhal_##type##_t name
#define XHAL_PARAM_DECL_V(ctype, name) ctype name
#define XHAL_PARAM_DECL_A(ctype, name) ctype name
#define XHAL_PARAM_DECL_IN(ctype, name) ctype name
#define XHAL_PARAM_DECL_INO(ctype, name) ctype name
#define XHAL_PARAM_DECL_OUT(ctype, name) ctype name
#define XHAL_PARAM_DECL_OUTO(ctype, name) ctype name
#define XHAL_PARAM_DECL_OUTH(type, name) xhal_##type##_t* name
#define XHAL_PARAM_DECL_OUTHA(type, name, capacity, count) xhal_##type##_t* name
#define XHAL_PARAM_DECL_(kind, ...) XHAL_PARAM_DECL_##kind(__VA_ARGS__)
#define XHAL_PARAM_DECL(tuple) XHAL_PARAM_DECL_ tuple
#define XHAL_PARAMS(...) XHAL_PP_LIST(XHAL_PARAM_DECL, __VA_ARGS__)

/* Name of a parameter: XHAL_ARGUMENTS(...) is what forwards a call. */
#define XHAL_PARAM_NAME_H(type, name) name
#define XHAL_PARAM_NAME_V(ctype, name) name
#define XHAL_PARAM_NAME_A(ctype, name) name
#define XHAL_PARAM_NAME_IN(ctype, name) name
#define XHAL_PARAM_NAME_INO(ctype, name) name
#define XHAL_PARAM_NAME_OUT(ctype, name) name
#define XHAL_PARAM_NAME_OUTO(ctype, name) name
#define XHAL_PARAM_NAME_OUTH(type, name) name
#define XHAL_PARAM_NAME_OUTHA(type, name, capacity, count) name
#define XHAL_PARAM_NAME_(kind, ...) XHAL_PARAM_NAME_##kind(__VA_ARGS__)
#define XHAL_PARAM_NAME(tuple) XHAL_PARAM_NAME_ tuple
#define XHAL_ARGUMENTS(...) XHAL_PP_LIST(XHAL_PARAM_NAME, __VA_ARGS__)

/* Name of the first parameter, always a handle. */
#define XHAL_FIRST_NAME_(first, ...) XHAL_PARAM_NAME(first)
#define XHAL_FIRST_NAME(...) XHAL_FIRST_NAME_(__VA_ARGS__, 0)

#endif
