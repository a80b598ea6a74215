// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

namespace torch_xhal {

// What torch_xhal/memory.py asks: figures, snapshots, recording.
void bind_memory(pybind11::module& m);

}  // namespace torch_xhal
