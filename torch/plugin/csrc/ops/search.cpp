// SPDX-License-Identifier: Apache-2.0
#include "ops/search.hpp"

#include <ATen/native/BucketizationUtils.h>
#include <ATen/native/Cross.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/result_type.h>
#include <ATen/ops/sort.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/norm.hpp"
#include "ops/rows.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_TYPE(name)                                             \
  {                                                                          \
    {"index", name "_f32"}, {"index", name "_f64"}, { "index", name "_i64" } \
  }
constinit KernelByType search_in = TORCH_XHAL_BY_TYPE("xhal_search");
constinit KernelByType is_in = TORCH_XHAL_BY_TYPE("xhal_is_in");
constinit KernelByType cross_of = TORCH_XHAL_BY_TYPE("xhal_cross");

// From so many comparisons on tests are sorted first.
constexpr int64_t kManyComparisons = int64_t{1} << 17;
constexpr int64_t kFewTests = 16;

// What is static about a sorter. What it holds is not looked at: that would be a wait for the device at each call.
void check_sorter(const at::Tensor& boundaries, const at::Tensor& sorter) {
  if (!sorter.defined()) return;
  TORCH_CHECK(sorter.device() == boundaries.device(), "torch.searchsorted(): sorter and boundary tensors ",
              "should have same device type, but got sorter tensor device type ", sorter.device(),
              " and input value tensor device type ", boundaries.device());
  TORCH_CHECK(sorter.sizes() == boundaries.sizes(), "torch.searchsorted(): boundary and sorter must have ",
              "the same size, but got boundary tensor ", boundaries.sizes(), "and got sorter tensor ",
              sorter.sizes());
  TORCH_CHECK(sorter.scalar_type() == at::kLong, "torch.searchsorted(): sorter must be a tensor of long ",
              "dtype but got dtype ", sorter.scalar_type());
}

at::Tensor empty_for(const at::Tensor& like, bool is_int32) {
  return at::empty({0}, like.options().dtype(is_int32 ? at::kInt : at::kLong));
}

}  // namespace

at::Tensor& searchsorted_out(const at::Tensor& boundaries, const at::Tensor& self, bool is_int32,
                             bool is_right, Side side, const Sorter& optional_sorter, at::Tensor& out) {
  const at::Tensor sorter = norm::or_none(optional_sorter);
  at::native::searchsorted_pre_check(boundaries, self, out, is_int32, is_right, side, at::Tensor());
  check_sorter(boundaries, sorter);
  norm::check_one_device(boundaries, {self, out});
  at::native::resize_output(out, self.sizes());
  if (self.numel() == 0) return out;
  const at::ScalarType type = boundaries.scalar_type() == self.scalar_type()
                                  ? self.scalar_type()
                                  : at::native::result_type(at::native::update_result_type_state(
                                        self, at::native::update_result_type_state(boundaries, {})));
  TORCH_CHECK_NOT_IMPLEMENTED(type != at::kBool, "\"searchsorted_out_cpu\" not implemented for 'Bool'");
  const at::Tensor values = self.to(type).contiguous();
  const at::Tensor sorted = boundaries.to(type).contiguous();
  const at::Tensor order = norm::dense(sorter);
  const auto n = static_cast<uint64_t>(boundaries.size(-1));
  const auto count = static_cast<uint64_t>(self.numel());
  const uint64_t in_row = boundaries.dim() == 1 ? count : static_cast<uint64_t>(self.size(-1));
  const bool has_sorter = sorter.defined() && n != 0;
  const c10::DeviceIndex device = self.device().index();
  into(out, [&](const at::Tensor& to) {
    launch(search_in.of(type), device, items(device, count), writes(to), reads(n != 0 ? sorted : values),
           reads(values), reads(has_sorter ? order : values), count, in_row, n,
           static_cast<uint32_t>(is_right || side == "right"), static_cast<uint32_t>(has_sorter),
           code_of(type), static_cast<uint32_t>(values.element_size()), code_of(to.scalar_type()));
  });
  return out;
}

at::Tensor searchsorted(const at::Tensor& boundaries, const at::Tensor& self, bool is_int32, bool is_right,
                        Side side, const Sorter& sorter) {
  at::Tensor out = empty_for(self, is_int32);
  return searchsorted_out(boundaries, self, is_int32, is_right, side, sorter, out);
}

at::Tensor& searchsorted_value_out(const at::Tensor& boundaries, const at::Scalar& self, bool is_int32,
                                   bool is_right, Side side, const Sorter& sorter, at::Tensor& out) {
  const at::Tensor value = at::native::searchsorted_scalar_tensor(self, boundaries.device());
  return searchsorted_out(boundaries, value, is_int32, is_right, side, sorter, out);
}
at::Tensor searchsorted_value(const at::Tensor& boundaries, const at::Scalar& self, bool is_int32,
                              bool is_right, Side side, const Sorter& sorter) {
  at::Tensor out = empty_for(boundaries, is_int32);
  return searchsorted_value_out(boundaries, self, is_int32, is_right, side, sorter, out);
}

at::Tensor& bucketize_out(const at::Tensor& self, const at::Tensor& boundaries, bool is_int32, bool is_right,
                          at::Tensor& out) {
  TORCH_CHECK(boundaries.dim() == 1, "boundaries tensor must be 1 dimension, but got dim(", boundaries.dim(),
              ")");
  return searchsorted_out(boundaries, self, is_int32, is_right, std::nullopt, std::nullopt, out);
}
at::Tensor bucketize(const at::Tensor& self, const at::Tensor& boundaries, bool is_int32, bool is_right) {
  at::Tensor out = empty_for(self, is_int32);
  return bucketize_out(self, boundaries, is_int32, is_right, out);
}
at::Tensor bucketize_value(const at::Scalar& self, const at::Tensor& boundaries, bool is_int32,
                           bool is_right) {
  at::Tensor out = empty_for(boundaries, is_int32);
  return bucketize_out(at::native::searchsorted_scalar_tensor(self, boundaries.device()), boundaries,
                       is_int32, is_right, out);
}

void IsIn::impl(const at::Tensor& elements, const at::Tensor& tests, bool, bool invert,
                const at::Tensor& out) {
  if (elements.numel() == 0) return;
  if (tests.numel() == 0) {
    out.fill_(invert);
    return;
  }
  const at::ScalarType type = at::result_type(elements, tests);
  // A number that is wrapped as a tensor may lie on the host.
  const auto ready = [&](const at::Tensor& tensor) { return tensor.to(out.device(), type).contiguous(); };
  const at::Tensor values = ready(elements);
  at::Tensor among = ready(tests).view(-1);
  const bool is_sorted = tests.numel() > kFewTests && elements.numel() > kManyComparisons / tests.numel();
  if (is_sorted) among = std::get<0>(at::sort(among));
  const c10::DeviceIndex device = out.device().index();
  const auto count = static_cast<uint64_t>(elements.numel());
  into(out, [&](const at::Tensor& to) {
    launch(is_in.of(type), device, items(device, count), writes(to), reads(values), reads(among), count,
           static_cast<uint64_t>(among.numel()), static_cast<uint32_t>(is_sorted),
           static_cast<uint32_t>(invert), code_of(type), static_cast<uint32_t>(values.element_size()));
  });
}

namespace {

void cross(const at::Tensor& out, const at::Tensor& a, const at::Tensor& b, int64_t dim) {
  TORCH_CHECK_NOT_IMPLEMENTED(out.scalar_type() != at::kBool, "\"cross\" not implemented for 'Bool'");
  norm::check_one_device(a, {b, out});
  if (out.numel() == 0) return;
  const at::Tensor left = a.to(out.scalar_type()).contiguous();
  const at::Tensor right = b.to(out.scalar_type()).contiguous();
  const Rows rows(out, dim);
  const c10::DeviceIndex device = out.device().index();
  into(out, [&](const at::Tensor& to) {
    launch(cross_of.of(to.scalar_type()), device, items(device, rows.count()), writes(to), reads(left),
           reads(right), rows.outer, rows.inner, code_of(to.scalar_type()),
           static_cast<uint32_t>(to.element_size()));
  });
}

}  // namespace
}  // namespace torch_xhal

namespace at::native {

REGISTER_PRIVATEUSE1_DISPATCH(cross_stub, [](const Tensor& out, const Tensor& a, const Tensor& b,
                                             const int64_t dim) { torch_xhal::cross(out, a, b, dim); })

}  // namespace at::native
