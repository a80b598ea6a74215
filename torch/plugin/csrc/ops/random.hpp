// SPDX-License-Identifier: Apache-2.0
// Kernels that draw from a generator of the device.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <tuple>

#include "kernels/launch.hpp"
#include "xhal/operators.h"

namespace torch_xhal {

// What a kernel gets to draw numbers for so many elements from the generator that is given or the device's; each item draws one block.
struct Draw {
  Draw(const std::optional<at::Generator>& generator, c10::DeviceIndex device, uint64_t count);
  // Where a replayed kernel finds seed and offset; a kernel outside of graphs is given memory that it does not look at.
  Memory replay(const void* any) const;
  // Blocks of so many elements, of which the last one may be cut short.
  uint64_t blocks(uint64_t elements) const { return (numbers.count + elements - 1) / elements; }
  xhal_op_random numbers = {};

 private:
  const void* words_ = nullptr;
};

// Which of 2^32 words stand for true.
uint64_t words_of_probability(double p);

at::Tensor& randperm_out(int64_t n, std::optional<at::Generator> generator, at::Tensor& out);
std::tuple<at::Tensor, at::Tensor> native_dropout(const at::Tensor& input, double p,
                                                  std::optional<bool> train);
at::Tensor native_dropout_backward(const at::Tensor& gradient, const at::Tensor& mask, double scale);

}  // namespace torch_xhal
