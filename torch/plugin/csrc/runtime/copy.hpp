// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Stream.h>

#include <cstddef>

namespace torch_xhal {

// In the stream's order; the direction is what the addresses are. Host memory that is not pinned is consumed, or filled, when it returns.
void copy_bytes(c10::Stream stream, void* destination, const void* source, size_t bytes);

}  // namespace torch_xhal
