// SPDX-License-Identifier: Apache-2.0
// Permutations, and draws of categories with replacement.
#include <ATen/native/TensorFactories.h>
#include <ATen/native/UnaryOps.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/scalar_tensor.h>

#include <algorithm>

#include "ops/random.hpp"
#include "ops/types.hpp"
#include "runtime/capture.hpp"
#include "runtime/streams.hpp"

namespace torch_xhal {
namespace {

constinit Kernel permutation_short{"random", "xhal_permutation_short"};
constinit Kernel permutation_count{"random", "xhal_permutation_count"};
constinit Kernel permutation_sums{"random", "xhal_permutation_sums"};
constinit Kernel permutation_starts{"random", "xhal_permutation_starts"};
constinit Kernel permutation_offsets{"random", "xhal_permutation_offsets"};
constinit Kernel permutation_place{"random", "xhal_permutation_place"};
constinit Kernel permutation_shuffle{"random", "xhal_permutation_shuffle"};
constinit Kernel sums_f32{"random", "xhal_categories_sums_f32"};
constinit Kernel sums_f64{"random", "xhal_categories_sums_f64"};
constinit Kernel draw_f32{"random", "xhal_categories_draw_f32"};
constinit Kernel draw_f64{"random", "xhal_categories_draw_f64"};

// What one item shuffles alone.
constexpr uint64_t kShort = 4096;
constexpr uint64_t kBucket = 512;
constexpr uint64_t kMostBuckets = 1024;

void permute(const at::Tensor& out, const std::optional<at::Generator>& generator) {
  const c10::DeviceIndex device = out.device().index();
  const auto n = static_cast<uint64_t>(out.numel());
  const Draw draw(generator, device, n);
  const Memory replay = draw.replay(out.const_data_ptr());
  if (n <= kShort) {
    launch(permutation_short, device, items(device, 1), writes(out), replay, draw.numbers);
    return;
  }
  const uint64_t buckets = std::min(n / kBucket, kMostBuckets);
  const uint64_t parts = buckets;
  const at::Tensor counts = at::empty({static_cast<int64_t>(buckets * parts)}, out.options().dtype(at::kInt));
  const at::Tensor starts = at::empty({static_cast<int64_t>(buckets + 1)}, out.options());
  launch(permutation_count, device, items(device, parts), writes(counts), replay, draw.numbers, buckets,
         parts);
  launch(permutation_sums, device, items(device, buckets), writes(starts), reads(counts), buckets, parts);
  launch(permutation_starts, device, items(device, 1), updates(starts), buckets);
  launch(permutation_offsets, device, items(device, buckets), updates(counts), buckets, parts);
  launch(permutation_place, device, items(device, parts), writes(out), updates(counts), reads(starts), replay,
         draw.numbers, buckets, parts);
  launch(permutation_shuffle, device, items(device, buckets), updates(out), reads(starts), replay,
         draw.numbers, buckets);
}

void check_faults(const at::Tensor& faults) {
  const at::Tensor on_host = faults.cpu();
  const auto* rows = on_host.const_data_ptr<int32_t>();
  for (int64_t row = 0; row < on_host.numel(); ++row) {
    TORCH_CHECK((rows[row] & 1) == 0,
                "invalid multinomial distribution (encountering probability entry < 0)");
    TORCH_CHECK((rows[row] & 2) == 0,
                "invalid multinomial distribution (encountering probability entry = infinity or NaN)");
    TORCH_CHECK(rows[row] == 0, "invalid multinomial distribution (sum of probabilities <= 0)");
  }
}

void draw_categories(const at::Tensor& out, const at::Tensor& given, int64_t draws,
                     const std::optional<at::Generator>& generator) {
  const c10::DeviceIndex device = given.device().index();
  const at::Tensor weights = given.contiguous();
  const auto n = static_cast<uint64_t>(given.size(-1));
  TORCH_CHECK(n != 0, "invalid multinomial distribution (sum of probabilities <= 0)");
  const auto rows = static_cast<uint64_t>(given.numel()) / n;
  const bool is_wide = is_native_type(at::kDouble, device);
  const at::Tensor sums = at::empty(given.sizes(), given.options().dtype(is_wide ? at::kDouble : at::kFloat));
  const at::Tensor faults = at::empty({static_cast<int64_t>(rows)}, given.options().dtype(at::kInt));
  launch(is_wide ? sums_f64 : sums_f32, device, items(device, rows), writes(sums), writes(faults),
         reads(weights), rows, n, code_of(weights.scalar_type()),
         static_cast<uint32_t>(weights.element_size()));
  // A graph cannot ask.
  if (capture_id(current_stream(device)) == 0) check_faults(faults);
  const at::Tensor dense = out.is_contiguous() ? out : at::empty(out.sizes(), out.options());
  const Draw draw(generator, device, static_cast<uint64_t>(dense.numel()));
  launch(is_wide ? draw_f64 : draw_f32, device, items(device, draw.numbers.count), writes(dense), reads(sums),
         draw.replay(dense.const_data_ptr()), draw.numbers, n, static_cast<uint64_t>(draws));
  if (!dense.is_same(out)) out.copy_(dense);
}

}  // namespace

at::Tensor& randperm_out(int64_t n, std::optional<at::Generator> generator, at::Tensor& out) {
  TORCH_CHECK(n >= 0, "n must be non-negative, got", n);
  TORCH_CHECK(!generator || generator->device() == out.device(), "Expected a '", out.device(),
              "' generator device but found '", generator->device(), "'");
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"randperm\" not implemented for 'Bool'");
  // Tells of what the type cannot hold.
  at::native::check_supported_max_int_with_precision(n, at::empty({0}, out.options().device(at::kCPU)));
  out.resize_({n});
  if (n == 0) return out;
  if (out.scalar_type() == at::kLong && out.is_contiguous()) {
    permute(out, generator);
    return out;
  }
  const at::Tensor dense = at::empty({n}, out.options().dtype(at::kLong));
  permute(dense, generator);
  return out.copy_(dense);
}

}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(multinomial_with_replacement_stub,
                              [](Tensor& out, const Tensor& weights, int64_t draws,
                                 std::optional<Generator> generator) {
                                torch_xhal::draw_categories(out, weights, draws, generator);
                              })

}  // namespace at::native
