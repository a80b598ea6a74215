// SPDX-License-Identifier: Apache-2.0
// Padding by what is in an image, and images of another size by their nearest values.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_nearest_exact1d_backward_meta.h>
#include <ATen/ops/_upsample_nearest_exact1d_meta.h>
#include <ATen/ops/_upsample_nearest_exact2d_backward_meta.h>
#include <ATen/ops/_upsample_nearest_exact2d_meta.h>
#include <ATen/ops/_upsample_nearest_exact3d_backward_meta.h>
#include <ATen/ops/_upsample_nearest_exact3d_meta.h>
#include <ATen/ops/reflection_pad1d_backward_meta.h>
#include <ATen/ops/reflection_pad1d_meta.h>
#include <ATen/ops/reflection_pad3d_backward_meta.h>
#include <ATen/ops/reflection_pad3d_meta.h>
#include <ATen/ops/replication_pad1d_backward_meta.h>
#include <ATen/ops/replication_pad1d_meta.h>
#include <ATen/ops/replication_pad2d_meta.h>
#include <ATen/ops/replication_pad3d_meta.h>
#include <ATen/ops/upsample_nearest1d_backward_meta.h>
#include <ATen/ops/upsample_nearest1d_meta.h>
#include <ATen/ops/upsample_nearest2d_backward_meta.h>
#include <ATen/ops/upsample_nearest2d_meta.h>
#include <ATen/ops/upsample_nearest3d_backward_meta.h>
#include <ATen/ops/upsample_nearest3d_meta.h>

#include "xhal/operators.h"

namespace torch_xhal {

using Scale = std::optional<double>;

void pad(xhal_op_place_code code, const char* name, const at::Tensor& self, at::IntArrayRef padding,
         const at::Tensor& out);
void pad_backward(xhal_op_place_code code, const char* name, const at::Tensor& gradient,
                  at::IntArrayRef padding, const at::Tensor& out);
void nearest(xhal_op_place_code code, const at::Tensor& self, std::initializer_list<Scale> scales,
             const at::Tensor& out);
void nearest_backward(xhal_op_place_code code, const char* name, const at::Tensor& gradient,
                      std::initializer_list<Scale> scales, const at::Tensor& out);

// Shapes are PyTorch's.
#define TORCH_XHAL_PAD(Name, name, code)                                                \
  struct Name : at::meta::structured_##name {                                           \
    void impl(const at::Tensor& self, at::IntArrayRef padding, const at::Tensor& out) { \
      pad(code, #name, self, padding, out);                                             \
    }                                                                                   \
  };
#define TORCH_XHAL_PAD_BACKWARD(Name, name, code)                                     \
  struct Name : at::meta::structured_##name {                                         \
    void impl(const at::Tensor& gradient, const at::Tensor&, at::IntArrayRef padding, \
              const at::Tensor& out) {                                                \
      pad_backward(code, #name, gradient, padding, out);                              \
    }                                                                                 \
  };
TORCH_XHAL_PAD(ReflectionPad1d, reflection_pad1d, XHAL_OP_PLACE_REFLECTED)
TORCH_XHAL_PAD(ReflectionPad3d, reflection_pad3d, XHAL_OP_PLACE_REFLECTED)
TORCH_XHAL_PAD(ReplicationPad1d, replication_pad1d, XHAL_OP_PLACE_REPLICATED)
TORCH_XHAL_PAD(ReplicationPad2d, replication_pad2d, XHAL_OP_PLACE_REPLICATED)
TORCH_XHAL_PAD(ReplicationPad3d, replication_pad3d, XHAL_OP_PLACE_REPLICATED)
TORCH_XHAL_PAD_BACKWARD(ReflectionPad1dBackward, reflection_pad1d_backward, XHAL_OP_PLACE_REFLECTED)
TORCH_XHAL_PAD_BACKWARD(ReflectionPad3dBackward, reflection_pad3d_backward, XHAL_OP_PLACE_REFLECTED)
TORCH_XHAL_PAD_BACKWARD(ReplicationPad1dBackward, replication_pad1d_backward, XHAL_OP_PLACE_REPLICATED)
#undef TORCH_XHAL_PAD
#undef TORCH_XHAL_PAD_BACKWARD

#define TORCH_XHAL_NEAREST(Suffix, name, code)                                                            \
  struct Suffix##1d                                                                                       \
      : at::meta::structured_##name##1d {void impl(const at::Tensor& self, at::IntArrayRef, Scale x,      \
                                                   const at::Tensor& out){nearest(code, self, {x}, out);  \
  }                                                                                                       \
  }                                                                                                       \
  ;                                                                                                       \
  struct Suffix##2d : at::meta::structured_##name##2d {                                                   \
                          void impl(const at::Tensor& self, at::IntArrayRef, Scale y, Scale x,            \
                                    const at::Tensor& out){nearest(code, self, {y, x}, out);              \
  }                                                                                                       \
  }                                                                                                       \
  ;                                                                                                       \
  struct Suffix##3d : at::meta::structured_##name##3d {                                                   \
                          void impl(const at::Tensor& self, at::IntArrayRef, Scale z, Scale y, Scale x,   \
                                    const at::Tensor& out){nearest(code, self, {z, y, x}, out);           \
  }                                                                                                       \
  }                                                                                                       \
  ;                                                                                                       \
  struct Suffix##1dBackward                                                                               \
      : at::meta::structured_##name##1d_backward {void impl(                                              \
            const at::Tensor& gradient, at::IntArrayRef, at::IntArrayRef, Scale x,                        \
            const at::Tensor& out){nearest_backward(code, #name "1d_backward", gradient, {x}, out);       \
  }                                                                                                       \
  }                                                                                                       \
  ;                                                                                                       \
  struct Suffix##2dBackward                                                                               \
      : at::meta::structured_##name##2d_backward {void impl(                                              \
            const at::Tensor& gradient, at::IntArrayRef, at::IntArrayRef, Scale y, Scale x,               \
            const at::Tensor& out){nearest_backward(code, #name "2d_backward", gradient, {y, x}, out);    \
  }                                                                                                       \
  }                                                                                                       \
  ;                                                                                                       \
  struct Suffix##3dBackward                                                                               \
      : at::meta::structured_##name##3d_backward {void impl(                                              \
            const at::Tensor& gradient, at::IntArrayRef, at::IntArrayRef, Scale z, Scale y, Scale x,      \
            const at::Tensor& out){nearest_backward(code, #name "3d_backward", gradient, {z, y, x}, out); \
  }                                                                                                       \
  }                                                                                                       \
  ;
TORCH_XHAL_NEAREST(Nearest, upsample_nearest, XHAL_OP_PLACE_NEAREST)
TORCH_XHAL_NEAREST(NearestExact, _upsample_nearest_exact, XHAL_OP_PLACE_NEAREST_EXACT)
#undef TORCH_XHAL_NEAREST

at::Tensor& reflection_pad2d_out(const at::Tensor& self, at::IntArrayRef padding, at::Tensor& out);
at::Tensor reflection_pad2d(const at::Tensor& self, at::IntArrayRef padding);
at::Tensor& reflection_pad2d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                          at::IntArrayRef padding, at::Tensor& out);
at::Tensor reflection_pad2d_backward(const at::Tensor& gradient, const at::Tensor& self,
                                     at::IntArrayRef padding);
at::Tensor& replication_pad2d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                           at::IntArrayRef padding, at::Tensor& out);
at::Tensor replication_pad2d_backward(const at::Tensor& gradient, const at::Tensor& self,
                                      at::IntArrayRef padding);
at::Tensor& replication_pad3d_backward_out(const at::Tensor& gradient, const at::Tensor& self,
                                           at::IntArrayRef padding, at::Tensor& out);
at::Tensor replication_pad3d_backward(const at::Tensor& gradient, const at::Tensor& self,
                                      at::IntArrayRef padding);

}  // namespace torch_xhal
