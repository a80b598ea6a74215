// SPDX-License-Identifier: Apache-2.0
// A platform that ends its process while it is loaded, as Intel's does without the libraries that it needs.
#include <stdlib.h>

__attribute__((constructor)) static void crash(void) { abort(); }
