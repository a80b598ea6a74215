// SPDX-License-Identifier: Apache-2.0
// Prints the names that libxhal must export: the list's, and the calls of base.h that are in no list.
#include <cstdio>
#include <initializer_list>

#include "xhal/base.h"

int main() {
#define XHAL_ENTRY(feature, since, name, ...) std::puts("xhal_" #name);
#define XHAL_HOST_ENTRY(name, ...) std::puts("xhal_" #name);
#include "xhal/entry_points.def"
  for (const char* name : {"xhal_error_clear", "xhal_result_name", "xhal_result_text", "xhal_feature_name",
                           "xhal_feature_from_name"}) {
    std::puts(name);
  }
  return 0;
}
