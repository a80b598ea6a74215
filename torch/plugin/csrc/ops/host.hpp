// SPDX-License-Identifier: Apache-2.0
// The boxed fallback: an operator on the host, on copies of its tensors, counted.
#pragma once

#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/stack.h>

namespace torch_xhal {

void run_on_host(const c10::OperatorHandle& op, torch::jit::Stack* stack);

}  // namespace torch_xhal
