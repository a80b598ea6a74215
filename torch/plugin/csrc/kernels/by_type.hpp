// SPDX-License-Identifier: Apache-2.0
// One kernel for each type that is computed in.
#pragma once

#include "kernels/pack.hpp"
#include "ops/types.hpp"

namespace torch_xhal {

struct KernelByType {
  Kernel f32, f64, i64;

  Kernel& of(at::ScalarType type) {
    switch (compute_of(type)) {
      case Compute::kF64:
        return f64;
      case Compute::kI64:
        return i64;
      default:
        return f32;
    }
  }
};

}  // namespace torch_xhal
