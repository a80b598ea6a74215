// SPDX-License-Identifier: Apache-2.0
// PyTorch's iterators as launches: one output and up to three inputs of any type and layout.
#pragma once

#include <ATen/TensorIterator.h>
#include <c10/core/Scalar.h>

#include <initializer_list>

#include "xhal/operators.h"

namespace torch_xhal {

using Parameters = std::initializer_list<at::Scalar>;

// `type` is what inputs are converted to first; the output keeps its own.
void run_unary(at::TensorIteratorBase& iterator, xhal_op_unary_code op, at::ScalarType type,
               Parameters parameters = {});
void run_binary(at::TensorIteratorBase& iterator, xhal_op_binary_code op, at::ScalarType type,
                Parameters parameters = {});
void run_ternary(at::TensorIteratorBase& iterator, xhal_op_ternary_code op, at::ScalarType type,
                 Parameters parameters = {});

// The elements of the one input as they are; both have one type, any of PyTorch's.
void run_move(at::TensorIteratorBase& iterator);

// Refuses types of the iterator that no kernel computes with.
void check_types(const at::TensorIteratorBase& iterator);

}  // namespace torch_xhal
