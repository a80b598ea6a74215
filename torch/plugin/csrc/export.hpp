// SPDX-License-Identifier: Apache-2.0
// The library hides what is not said to be seen; the Python module sees these.
#pragma once

#define TORCH_XHAL_SEEN [[gnu::visibility("default")]]
