// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

namespace torch_xhal {

void bind_kernels(pybind11::module& m);

}  // namespace torch_xhal
