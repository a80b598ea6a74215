// SPDX-License-Identifier: Apache-2.0
// What PyTorch's releases have, in one place. CMake passes the version that it found.
#pragma once

#ifndef TORCH_XHAL_TORCH_MINOR
#error "TORCH_XHAL_TORCH_MINOR is not set: build torch_xhal with its own CMakeLists.txt"
#endif

#define TORCH_XHAL_HAS_STREAM_CAPTURING (TORCH_XHAL_TORCH_MINOR >= 13)
#define TORCH_XHAL_HAS_GRAPHS (TORCH_XHAL_TORCH_MINOR >= 13)
#define TORCH_XHAL_HAS_PROFILER (TORCH_XHAL_TORCH_MINOR >= 13)

// Dimensions had names until 2.12, and outputs of structured operators were told them.
#if __has_include(<ATen/core/Dimname.h>)
#define TORCH_XHAL_NAMES_PARAMETER , at::DimnameList names
#define TORCH_XHAL_NAMES , names
#else
#define TORCH_XHAL_NAMES_PARAMETER
#define TORCH_XHAL_NAMES
#endif
