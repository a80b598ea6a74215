// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <pybind11/pybind11.h>

// Sees every operator that runs on the device, in whichever thread, autograd's too.
void bind_observer(pybind11::module& m);
