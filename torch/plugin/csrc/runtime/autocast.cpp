// SPDX-License-Identifier: Apache-2.0
// Autocast by PyTorch's own lists: each operator takes the policy that it has on CUDA.
#include <ATen/autocast_mode.h>
#include <torch/library.h>

namespace torch_xhal {
namespace {

// PyTorch keeps its own to its library.
at::Tensor refuse_binary_cross_entropy(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                                       int64_t) {
  TORCH_CHECK(
      false,
      "torch.nn.functional.binary_cross_entropy and torch.nn.BCELoss are unsafe to autocast.\n"
      "Many models use a sigmoid layer right before the binary cross entropy layer.\n"
      "In this case, combine the two layers using torch.nn.functional.binary_cross_entropy_with_logits\n"
      "or torch.nn.BCEWithLogitsLoss.  binary_cross_entropy_with_logits and BCEWithLogits are\n"
      "safe to autocast.");
}

#define XHAL_LOWER_PRECISION(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, lower_precision_fp)
#define XHAL_FP32(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32)
#define XHAL_FP32_SET_OPT_DTYPE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, fp32_set_opt_dtype)
#define XHAL_PROMOTE(...) KERNEL_PRIVATEUSEONE(__VA_ARGS__, promote)

// The lists name ScalarType, Scalar and the like without their namespace.
using namespace at;  // NOLINT(google-build-using-namespace)

TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, m) { m.fallback(torch::CppFunction::makeFallthrough()); }

TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1, m) {
  AT_FORALL_LOWER_PRECISION_FP(XHAL_LOWER_PRECISION)
  AT_FORALL_FP32(XHAL_FP32)
  AT_FORALL_FP32_SET_OPT_DTYPE(XHAL_FP32_SET_OPT_DTYPE)
  AT_FORALL_DIFFERENT_REDISPATCH_SIGNATURE(KERNEL_DIFFERENT_REDISPATCH_SIGNATURE_PRIVATEUSEONE)
  AT_FORALL_PROMOTE(XHAL_PROMOTE)
  m.impl("binary_cross_entropy", TORCH_FN(refuse_binary_cross_entropy));
}

}  // namespace
}  // namespace torch_xhal
