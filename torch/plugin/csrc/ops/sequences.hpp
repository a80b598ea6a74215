// SPDX-License-Identifier: Apache-2.0
// Connectionist temporal classification.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>

namespace torch_xhal {

std::tuple<at::Tensor, at::Tensor> ctc_loss(const at::Tensor& logarithms, const at::Tensor& targets,
                                            at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                                            int64_t blank, bool zero_infinity);
at::Tensor ctc_loss_backward(const at::Tensor& gradient, const at::Tensor& logarithms,
                             const at::Tensor& targets, at::IntArrayRef input_lengths,
                             at::IntArrayRef target_lengths, const at::Tensor& losses,
                             const at::Tensor& alpha, int64_t blank, bool zero_infinity);

}  // namespace torch_xhal
