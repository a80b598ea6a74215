// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <c10/core/Allocator.h>

namespace torch_xhal {

c10::Allocator* pinned_allocator();
// Of xhal's pinned or registered memory; false, without opening anything, for all other.
bool is_pinned(const void* pointer);

}  // namespace torch_xhal
