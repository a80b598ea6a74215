/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the mutant driver share: faults for every entry (mutant.c), lies of single entries of core and kernel (mutants.c) and of
 * optional features (mutants_optional.c).
 */
#ifndef XHAL_TEST_MUTANT_H_
#define XHAL_TEST_MUTANT_H_

#include "xhal/driver.h"

/* The driver under the mutant: complete, but for the calls that it leaves out. */
extern xhal_functions_t g_base;
extern const xhal_host_services_t* g_services;

typedef struct mutant {
  const char* name;
  xhal_functions_t slots; /* the null ones stay as they are */
} mutant_t;

/* Null when nobody has this name. */
const mutant_t* find_mutant(const char* name);
const mutant_t* find_optional_mutant(const char* name);
/* The same of optional features' calls (feature_mutants.c). */
const mutant_t* find_feature_mutant(const char* name);

#endif
