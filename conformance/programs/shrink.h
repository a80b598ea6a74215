// SPDX-License-Identifier: Apache-2.0
// Makes a failing program small: fewer threads, objects and operations, then smaller parameters. Every program that is tried is sound.
#pragma once

#include <functional>

#include "programs/model.h"

namespace xhal::programs {

using StillFails = std::function<bool(const Program&)>;

// `program` fails. The result fails, and none of the steps makes it smaller.
Program shrink(const Program& program, const StillFails& fails);

// The same program without the objects that nothing uses, the rest numbered anew.
Program compacted(const Program& program);

}  // namespace xhal::programs
