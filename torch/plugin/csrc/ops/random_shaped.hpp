// SPDX-License-Identifier: Apache-2.0
// Numbers of distributions that each element gives its own parameters.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <optional>
#include <string_view>

namespace torch_xhal {

using GivenGenerator = std::optional<at::Generator>;

at::Tensor poisson(const at::Tensor& rates, GivenGenerator generator);
at::Tensor binomial(const at::Tensor& counts, const at::Tensor& shares, GivenGenerator generator);
at::Tensor standard_gamma(const at::Tensor& shapes, GivenGenerator generator);

// What draws ask of their parameters. A graph cannot ask.
void assert_async(const at::Tensor& condition);
void assert_async_message(const at::Tensor& condition, std::string_view message);

}  // namespace torch_xhal
