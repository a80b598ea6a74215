// SPDX-License-Identifier: Apache-2.0
#include "ops/order.hpp"

#include <ATen/native/ReduceAllOps.h>
#include <ATen/native/ReduceOps.h>
#include <ATen/native/ReduceOpsUtils.h>
#include <ATen/native/Sorting.h>
#include <ATen/native/SortingUtils.h>
#include <ATen/native/TensorCompare.h>
#include <ATen/ops/amax.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/rows.hpp"
#include "ops/types.hpp"

namespace torch_xhal {
namespace {

#define TORCH_XHAL_BY_TYPE(name)                                             \
  {                                                                          \
    {"order", name "_f32"}, {"order", name "_f64"}, { "order", name "_i64" } \
  }
constinit KernelByType running = TORCH_XHAL_BY_TYPE("xhal_running");
constinit KernelByType running_extremes = TORCH_XHAL_BY_TYPE("xhal_running_extreme");
constinit KernelByType extremes = TORCH_XHAL_BY_TYPE("xhal_extreme");
constinit KernelByType sort_runs = TORCH_XHAL_BY_TYPE("xhal_sort_runs");
constinit KernelByType sort_merges = TORCH_XHAL_BY_TYPE("xhal_sort_merge");
constinit KernelByType medians = TORCH_XHAL_BY_TYPE("xhal_median");
constinit KernelByType modes = TORCH_XHAL_BY_TYPE("xhal_mode");

// Below it insertion is quicker than a launch for each doubling.
constexpr uint64_t kRun = 32;

uint32_t bytes_of(const at::TensorBase& tensor) { return static_cast<uint32_t>(tensor.element_size()); }

struct Sorted {
  at::Tensor values;   // dense
  at::Tensor indices;  // into the dimension
};

// Stable, whether that is asked for or not.
Sorted sorted(const at::Tensor& self, int64_t dim, bool descending) {
  Sorted out{
      self.clone(at::MemoryFormat::Contiguous),
      at::empty(self.sizes(), self.options().dtype(at::kLong).memory_format(at::MemoryFormat::Contiguous))};
  if (self.numel() == 0) return out;
  const Rows rows(self, dim);
  const c10::DeviceIndex device = self.device().index();
  const uint32_t type = code_of(self.scalar_type());
  const uint32_t bytes = bytes_of(self);
  const uint64_t runs = (rows.n + kRun - 1) / kRun;
  launch(sort_runs.of(self.scalar_type()), device, items(device, rows.count() * runs), uint32_t{descending},
         updates(out.values), writes(out.indices), rows.count(), rows.n, rows.inner, type, bytes, kRun);
  Sorted other;
  for (uint64_t width = kRun; width < rows.n; width *= 2) {
    if (!other.values.defined()) other = {at::empty_like(out.values), at::empty_like(out.indices)};
    launch(sort_merges.of(self.scalar_type()), device, items(device, rows.count() * rows.n),
           uint32_t{descending}, writes(other.values), writes(other.indices), reads(out.values),
           reads(out.indices), rows.count(), rows.n, rows.inner, type, bytes, width);
    std::swap(out, other);
  }
  return out;
}

// Each row's one value, and where it was. The outputs have the dimension still, of size 1, or lack it already.
template <class Run>
void choose(const at::Tensor& self, const at::Tensor& values, const at::Tensor& indices, const Run& run) {
  if (self.numel() == 0) return;
  into(values, [&](const at::Tensor& dense_values) {
    into(indices, [&](const at::Tensor& dense_indices) { run(dense_values, dense_indices); });
  });
}

void extreme(bool is_min, const at::Tensor& values, const at::Tensor& indices, const at::Tensor& self,
             int64_t dim) {
  const at::Tensor input = self.contiguous();
  const Rows rows(input, dim);
  const c10::DeviceIndex device = self.device().index();
  choose(self, values, indices, [&](const at::Tensor& to, const at::Tensor& at) {
    launch(extremes.of(self.scalar_type()), device, items(device, rows.count()), uint32_t{is_min}, writes(to),
           writes(at), reads(input), rows.count(), rows.n, rows.inner, code_of(self.scalar_type()),
           bytes_of(self));
  });
}

void median_of_rows(bool ignores_nan, const at::Tensor& values, const at::Tensor& indices,
                    const at::Tensor& self, int64_t dim) {
  const Sorted row = sorted(self, dim, false);
  const Rows rows(self, dim);
  const c10::DeviceIndex device = self.device().index();
  choose(self, values, indices, [&](const at::Tensor& to, const at::Tensor& at) {
    launch(medians.of(self.scalar_type()), device, items(device, rows.count()), uint32_t{ignores_nan},
           writes(to), writes(at), reads(row.values), reads(row.indices), rows.count(), rows.n, rows.inner,
           code_of(self.scalar_type()), bytes_of(self));
  });
}

void remove_dimension(const at::Tensor& self, int64_t dim, bool keepdim, at::Tensor& values,
                      at::Tensor& indices) {
  if (keepdim || self.dim() == 0) return;
  values.squeeze_(dim);
  indices.squeeze_(dim);
}

std::tuple<at::Tensor&, at::Tensor&> median_along(bool ignores_nan, const at::Tensor& self, int64_t dim,
                                                  bool keepdim, at::Tensor& values, at::Tensor& indices) {
  dim = at::maybe_wrap_dim(dim, self.dim());
  at::native::zero_numel_check_dims(self, dim, "median()");
  at::native::_reduction_with_indices_allocate_or_resize_output(values, indices, self, dim, keepdim);
  median_of_rows(ignores_nan, values, indices, self, dim);
  remove_dimension(self, dim, keepdim, values, indices);
  return std::forward_as_tuple(values, indices);
}

at::Tensor median_of_all(bool ignores_nan, const at::Tensor& self) {
  at::Tensor value = at::empty({}, self.options());
  if (self.numel() == 0) return value.fill_(std::numeric_limits<float>::quiet_NaN());
  at::Tensor index = at::empty({}, self.options().dtype(at::kLong));
  median_of_rows(ignores_nan, value, index, self.reshape({-1}), 0);
  return value;
}

}  // namespace

void run_running(xhal_op_running_code op, const at::Tensor& result, const at::Tensor& self, int64_t dim) {
  if (self.numel() == 0) return;
  const at::Tensor input = self.contiguous();
  const Rows rows(input, dim);
  const c10::DeviceIndex device = self.device().index();
  into(result, [&](const at::Tensor& to) {
    launch(running.of(to.scalar_type()), device, items(device, rows.count()), static_cast<uint32_t>(op),
           writes(to), reads(input), rows.count(), rows.n, rows.inner, code_of(input.scalar_type()),
           bytes_of(input), code_of(to.scalar_type()), bytes_of(to));
  });
}

void run_extreme(bool is_min, const at::Tensor& values, const at::Tensor& indices, const at::Tensor& self,
                 int64_t dim) {
  extreme(is_min, values, indices, self, dim);
}

void run_running_extreme(bool is_min, const at::Tensor& self, const at::Tensor& values,
                         const at::Tensor& indices, int64_t dim) {
  const at::Tensor input = self.contiguous();
  const Rows rows(input, dim);
  const c10::DeviceIndex device = self.device().index();
  choose(self, values, indices, [&](const at::Tensor& to, const at::Tensor& at) {
    launch(running_extremes.of(self.scalar_type()), device, items(device, rows.count()), uint32_t{is_min},
           writes(to), writes(at), reads(input), rows.count(), rows.n, rows.inner,
           code_of(self.scalar_type()), bytes_of(self));
  });
}

void run_sort(const at::TensorBase& self, const at::TensorBase& values, const at::TensorBase& indices,
              int64_t dim, bool descending) {
  const Sorted out = sorted(at::Tensor(self), dim, descending);
  at::Tensor(values).copy_(out.values);
  at::Tensor(indices).copy_(out.indices);
}

void TopK::impl(const at::Tensor& self, int64_t k, int64_t dim, bool largest, bool, const at::Tensor& values,
                const at::Tensor& indices) {
  if (self.dim() == 0) {
    values.copy_(self);
    indices.zero_();
    return;
  }
  const Sorted out = sorted(self, dim, largest);
  values.copy_(out.values.narrow(dim, 0, k));
  indices.copy_(out.indices.narrow(dim, 0, k));
}

std::tuple<at::Tensor&, at::Tensor&> kthvalue_out(const at::Tensor& self, int64_t k, int64_t dim,
                                                  bool keepdim, at::Tensor& values, at::Tensor& indices) {
  dim = at::maybe_wrap_dim(dim, self.dim(), true);
  const int64_t length = self.dim() > 0 ? self.size(dim) : 1;
  TORCH_CHECK(k >= 1 && k <= length, "kthvalue(): selected number k out of range for dimension ", dim);
  at::native::_reduction_with_indices_allocate_or_resize_output(values, indices, self, dim, keepdim);
  if (self.dim() == 0) {
    values.copy_(self);
    indices.zero_();
  } else if (self.numel() > 0) {
    const Sorted out = sorted(self, dim, false);
    values.copy_(out.values.narrow(dim, k - 1, 1));
    indices.copy_(out.indices.narrow(dim, k - 1, 1));
  }
  remove_dimension(self, dim, keepdim, values, indices);
  return std::forward_as_tuple(values, indices);
}

std::tuple<at::Tensor&, at::Tensor&> median_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                                at::Tensor& values, at::Tensor& indices) {
  return median_along(false, self, dim, keepdim, values, indices);
}
std::tuple<at::Tensor&, at::Tensor&> nanmedian_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                                   at::Tensor& values, at::Tensor& indices) {
  return median_along(true, self, dim, keepdim, values, indices);
}
// PyTorch's own names the devices it is for.
std::tuple<at::Tensor&, at::Tensor&> mode_out(const at::Tensor& self, int64_t dim, bool keepdim,
                                              at::Tensor& values, at::Tensor& indices) {
  dim = at::maybe_wrap_dim(dim, self.dim(), true);
  if (self.numel() == 0) at::native::zero_numel_check_dims(self, dim, "mode()");
  at::native::_reduction_with_indices_allocate_or_resize_output(values, indices, self, dim, keepdim);
  if (self.numel() > 0) {
    const Sorted row = sorted(self, dim, false);
    const Rows rows(self, dim);
    const c10::DeviceIndex device = self.device().index();
    choose(self, values, indices, [&](const at::Tensor& to, const at::Tensor& at) {
      launch(modes.of(self.scalar_type()), device, items(device, rows.count()), writes(to), writes(at),
             reads(row.values), reads(row.indices), rows.count(), rows.n, rows.inner,
             code_of(self.scalar_type()), bytes_of(self));
    });
  }
  remove_dimension(self, dim, keepdim, values, indices);
  return std::forward_as_tuple(values, indices);
}
std::tuple<at::Tensor, at::Tensor> mode(const at::Tensor& self, int64_t dim, bool keepdim) {
  at::Tensor values = at::empty({0}, self.options());
  at::Tensor indices = at::empty({0}, self.options().dtype(at::kLong));
  mode_out(self, dim, keepdim, values, indices);
  return {values, indices};
}

at::Tensor median(const at::Tensor& self) { return median_of_all(false, self); }
at::Tensor nanmedian(const at::Tensor& self) { return median_of_all(true, self); }

void cummax_helper(const at::Tensor& self, at::Tensor& values, at::Tensor& indices, int64_t dim) {
  run_running_extreme(false, self, values, indices, dim);
}
void cummin_helper(const at::Tensor& self, at::Tensor& values, at::Tensor& indices, int64_t dim) {
  run_running_extreme(true, self, values, indices, dim);
}

}  // namespace torch_xhal

namespace at::native {

#define TORCH_XHAL_RUNNING(stub, code)                                                            \
  REGISTER_PRIVATEUSE1_DISPATCH(stub, [](const Tensor& result, const Tensor& self, int64_t dim) { \
    torch_xhal::run_running(code, result, self, dim);                                             \
  })
TORCH_XHAL_RUNNING(cumsum_stub, XHAL_OP_RUNNING_SUM)
TORCH_XHAL_RUNNING(cumprod_stub, XHAL_OP_RUNNING_PROD)
REGISTER_PRIVATEUSE1_DISPATCH(logcumsumexp_stub, [](Tensor& result, const Tensor& self, int64_t dim) {
  // The host's kernel does it, too.
  resize_output(result, self.sizes());
  torch_xhal::run_running(XHAL_OP_RUNNING_LOGSUMEXP, result, self, dim);
})
REGISTER_PRIVATEUSE1_DISPATCH(max_stub,
                              [](const Tensor& values, const Tensor& indices, const Tensor& self, int64_t dim,
                                 bool) { torch_xhal::run_extreme(false, values, indices, self, dim); })
REGISTER_PRIVATEUSE1_DISPATCH(min_stub,
                              [](const Tensor& values, const Tensor& indices, const Tensor& self, int64_t dim,
                                 bool) { torch_xhal::run_extreme(true, values, indices, self, dim); })
REGISTER_PRIVATEUSE1_DISPATCH(max_all_stub,
                              [](Tensor& result, const Tensor& self) { at::amax_out(result, self); })
REGISTER_PRIVATEUSE1_DISPATCH(min_all_stub,
                              [](Tensor& result, const Tensor& self) { at::amin_out(result, self); })
REGISTER_PRIVATEUSE1_DISPATCH(aminmax_stub,
                              [](const Tensor& self, int64_t dim, bool keepdim, Tensor& min, Tensor& max) {
                                at::amin_out(min, self, dim, keepdim);
                                at::amax_out(max, self, dim, keepdim);
                              })
REGISTER_PRIVATEUSE1_DISPATCH(aminmax_allreduce_stub, [](const Tensor& self, Tensor& min, Tensor& max) {
  at::amin_out(min, self);
  at::amax_out(max, self);
})
REGISTER_PRIVATEUSE1_DISPATCH(sort_stub, [](const TensorBase& self, const TensorBase& values,
                                            const TensorBase& indices, int64_t dim, bool descending, bool) {
  torch_xhal::run_sort(self, values, indices, dim, descending);
})

}  // namespace at::native
