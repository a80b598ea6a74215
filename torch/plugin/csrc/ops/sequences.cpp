// SPDX-License-Identifier: Apache-2.0
#include "ops/sequences.hpp"

#include <ATen/TensorUtils.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/norm.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_FLOAT(name)                                      \
  {                                                                    \
    {"loss", name "_f32"}, {"loss", name "_f64"}, { nullptr, nullptr } \
  }
constinit KernelByType forward_of = TORCH_XHAL_BY_FLOAT("xhal_sequences_forward");
constinit KernelByType beta_of = TORCH_XHAL_BY_FLOAT("xhal_sequences_beta");
constinit KernelByType gradient_of = TORCH_XHAL_BY_FLOAT("xhal_sequences_backward");

constexpr at::CheckedFrom kName = "ctc_loss_allocate_outputs";

void check_type(const char* name, const at::Tensor& logarithms) {
  const at::ScalarType type = logarithms.scalar_type();
  TORCH_CHECK_NOT_IMPLEMENTED(type == at::kFloat || type == at::kDouble, '"', name,
                              "\" not implemented for '", at::toString(type), "'");
}

struct Sequences {
  Sequences(const at::Tensor& given, const at::Tensor& given_targets, at::IntArrayRef of_inputs,
            at::IntArrayRef of_targets, int64_t blank)
      : input_lengths(of_inputs), target_lengths(of_targets) {
    const at::TensorArg of_logarithms(given, "log_probs", 1);
    const at::TensorArg of_labels(given_targets, "targets", 2);
    at::checkScalarType(kName, of_labels, given_targets.scalar_type() == at::kLong ? at::kLong : at::kInt);
    at::checkDim(kName, of_logarithms, 3);
    at::checkDimRange(kName, of_labels, 1, 3);
    const int64_t members = given.size(1);
    TORCH_CHECK(0 <= blank && blank < given.size(2), "blank must be in label range");
    TORCH_CHECK(static_cast<int64_t>(of_inputs.size()) == members,
                "input_lengths must be of size batch_size");
    TORCH_CHECK(static_cast<int64_t>(of_targets.size()) == members,
                "target_lengths must be of size batch_size");
    int64_t most = 0;
    int64_t all = 0;
    for (const int64_t length : of_targets) {
      TORCH_CHECK(length >= 0, "Expected target_lengths to have value at least 0, but got value ", length,
                  " (while checking arguments for ", kName, ")");
      most = std::max(most, length);
      all += length;
    }
    is_joined = given_targets.dim() == 1;
    at::checkSize(kName, of_labels, 0, is_joined ? all : members);
    TORCH_CHECK(is_joined || given_targets.size(1) >= most, "Expected tensor to have size at least ", most,
                " at dimension 1, but got size ", is_joined ? 0 : given_targets.size(1), " for ", of_labels,
                " (while checking arguments for ", kName, ")");
    for (const int64_t length : of_inputs) {
      TORCH_CHECK(length >= 0, "Expected input_lengths to have value at least 0, but got value ", length,
                  " (while checking arguments for ", kName, ")");
      TORCH_CHECK(length <= given.size(0), "Expected input_lengths to have value at most ", given.size(0),
                  ", but got value ", length, " (while checking arguments for ", kName, ")");
    }
    norm::check_one_device(given, {given_targets});
    logarithms = given.contiguous();
    targets = given_targets.contiguous();
    shape.steps = static_cast<uint64_t>(given.size(0));
    shape.members = static_cast<uint64_t>(members);
    shape.labels = static_cast<uint64_t>(given.size(2));
    shape.states = static_cast<uint64_t>(2 * most + 1);
    shape.blank = blank;
    shape.target_stride = 1;
    shape.targets = static_cast<uint64_t>(targets.numel());
    shape.target_type = code_of(targets.scalar_type());
  }

  // So many members of a launch.
  template <class Run>
  void each(const Run& run) const {
    int64_t begin = 0;
    xhal_op_lengths lengths = {};
    for (size_t member = 0; member < input_lengths.size(); ++member) {
      lengths.target[lengths.count] =
          static_cast<uint64_t>(is_joined ? begin : static_cast<int64_t>(member) * targets.size(1));
      lengths.steps[lengths.count] = static_cast<uint32_t>(input_lengths[member]);
      lengths.labels[lengths.count] = static_cast<uint32_t>(target_lengths[member]);
      begin += target_lengths[member];
      if (++lengths.count < XHAL_OP_SEQUENCES_AT_ONCE && member + 1 < input_lengths.size()) continue;
      run(lengths);
      lengths.first += lengths.count;
      lengths.count = 0;
    }
  }
  // Members without labels have no memory.
  Memory labels() const { return reads(targets.numel() != 0 ? targets : logarithms); }
  c10::DeviceIndex device() const { return logarithms.device().index(); }

  at::IntArrayRef input_lengths, target_lengths;
  at::Tensor logarithms, targets;
  xhal_op_sequences shape = {};
  bool is_joined = false;  // targets lie behind each other, without room between them
};

}  // namespace

std::tuple<at::Tensor, at::Tensor> ctc_loss(const at::Tensor& logarithms, const at::Tensor& targets,
                                            at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                                            int64_t blank, bool) {
  TORCH_CHECK(logarithms.numel() > 0, "log_probs tensor must not be empty");
  check_type("ctc_loss_cpu", logarithms);
  const Sequences of(logarithms, targets, input_lengths, target_lengths, blank);
  const auto count = [](uint64_t size) { return static_cast<int64_t>(size); };
  at::Tensor alpha = at::empty({count(of.shape.members), count(of.shape.steps), count(of.shape.states)},
                               logarithms.options());
  at::Tensor losses = at::empty({count(of.shape.members)}, logarithms.options());
  of.each([&](const xhal_op_lengths& lengths) {
    launch(forward_of.of(logarithms.scalar_type()), of.device(), items(of.device(), lengths.count),
           updates(alpha), updates(losses), reads(of.logarithms), of.labels(), of.shape, lengths);
  });
  return {std::move(losses), std::move(alpha)};
}

at::Tensor ctc_loss_backward(const at::Tensor& gradient, const at::Tensor& logarithms,
                             const at::Tensor& targets, at::IntArrayRef input_lengths,
                             at::IntArrayRef target_lengths, const at::Tensor& losses,
                             const at::Tensor& alpha, int64_t blank, bool zero_infinity) {
  check_type("ctc_loss_backward_cpu", logarithms);
  Sequences of(logarithms, targets, input_lengths, target_lengths, blank);
  norm::check_one_device(logarithms, {gradient, losses, alpha});
  norm::check_type(logarithms.scalar_type(), {gradient, losses, alpha});
  const auto size = [&](int64_t d) { return alpha.dim() == 3 ? static_cast<uint64_t>(alpha.size(d)) : 0; };
  TORCH_CHECK(losses.numel() == logarithms.size(1) && size(0) == of.shape.members &&
                  size(1) == of.shape.steps && size(2) == of.shape.states,
              "neg_log_likelihood and log_alpha are not of these sequences: got ", losses.sizes(), " and ",
              alpha.sizes());
  of.shape.zero_infinity = zero_infinity ? 1 : 0;
  const at::Tensor out = at::empty_like(of.logarithms);
  if (out.numel() == 0) return out;
  const at::Tensor of_losses = gradient.expand({logarithms.size(1)}).contiguous();
  const at::Tensor dense_losses = losses.contiguous();
  const at::Tensor dense_alpha = alpha.contiguous();
  const at::Tensor beta = at::empty_like(dense_alpha);
  of.each([&](const xhal_op_lengths& lengths) {
    launch(beta_of.of(logarithms.scalar_type()), of.device(), items(of.device(), lengths.count),
           updates(beta), reads(of.logarithms), of.labels(), of.shape, lengths);
    launch(gradient_of.of(logarithms.scalar_type()), of.device(),
           items(of.device(), of.shape.steps, lengths.count), updates(out), reads(of_losses),
           reads(dense_losses), reads(of.logarithms), reads(dense_alpha), reads(beta), of.labels(), of.shape,
           lengths);
  });
  return out;
}

}  // namespace torch_xhal
