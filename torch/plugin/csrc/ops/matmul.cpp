// SPDX-License-Identifier: Apache-2.0
#include "ops/matmul.hpp"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <bit>

#include "kernels/by_type.hpp"
#include "kernels/launch.hpp"
#include "ops/types.hpp"
#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

// A library of the device's own, which a driver offers as built-in kernels.
constexpr int64_t kLargestOfAnyType = 16 * 16 * 16;
constinit Kernel library_f32{"builtin xhal_matrix", "xhal_gemm_f32"};
constinit Kernel library_f64{"builtin xhal_matrix", "xhal_gemm_f64"};
constinit Kernel tiled_f32{"matmul", "xhal_gemm_f32"};
constinit KernelByType any_type = {
    {"matmul", "xhal_gemm_any_f32"}, {"matmul", "xhal_gemm_any_f64"}, {"matmul", "xhal_gemm_any_i64"}};

constexpr uint32_t kTile = 16;
// Below this many multiplications a hand-over to another worker costs more than it saves.
constexpr uint64_t kShareOfAWorker = uint64_t{1} << 20;

// Row after row, or column after column: what a kernel is told by a flag. Any other layout is copied first.
struct Stored {
  explicit Stored(const at::Tensor& given) : tensor(given) {
    const int64_t rows = given.size(-2);
    const int64_t columns = given.size(-1);
    const auto row_stride = given.stride(-2);
    const auto column_stride = given.stride(-1);
    if ((column_stride == 1 || columns == 1) && (row_stride >= std::max<int64_t>(columns, 1) || rows == 1)) {
      stride = rows == 1 ? std::max<int64_t>(columns, 1) : row_stride;
    } else if ((row_stride == 1 || rows == 1) &&
               (column_stride >= std::max<int64_t>(rows, 1) || columns == 1)) {
      is_transposed = true;
      stride = columns == 1 ? std::max<int64_t>(rows, 1) : column_stride;
    } else {
      tensor = given.contiguous();
      stride = columns;
    }
  }
  uint64_t member_stride() const { return tensor.dim() == 3 ? static_cast<uint64_t>(tensor.stride(0)) : 0; }
  at::Tensor tensor;
  int64_t stride = 0;
  bool is_transposed = false;
};

bool is_row_after_row(const at::Tensor& c) {
  const Stored stored(c);
  return stored.tensor.is_same(c) && !stored.is_transposed &&
         (c.dim() == 2 || c.size(0) == 1 || c.stride(0) >= stored.stride * c.size(1));
}

Grid grid_of_library(c10::DeviceIndex device, const xhal_op_gemm& gemm) {
  const uint64_t work = gemm.m * gemm.n * std::max<uint64_t>(gemm.k, 1) * gemm.batch;
  const uint64_t units = std::max<uint32_t>(device_at(device).properties.unit_count, 1);
  const uint64_t parts = std::clamp<uint64_t>(work / kShareOfAWorker, 1, units);
  const auto of = [](uint64_t most, uint64_t count) { return static_cast<uint32_t>(std::min(most, count)); };
  Grid out{{1, 1, 1}, {1, 1, 1}};
  if (gemm.batch >= parts)
    out.groups[2] = of(parts, gemm.batch);
  else if (gemm.m >= gemm.n)
    out.groups = {1, of((parts + gemm.batch - 1) / gemm.batch, gemm.m), static_cast<uint32_t>(gemm.batch)};
  else
    out.groups = {of((parts + gemm.batch - 1) / gemm.batch, gemm.n), 1, static_cast<uint32_t>(gemm.batch)};
  return out;
}

void run(const at::Tensor& c, const Stored& a, const Stored& b, xhal_op_gemm gemm, const at::Scalar& alpha,
         const at::Scalar& beta) {
  const c10::DeviceIndex device = c.device().index();
  const at::ScalarType type = c.scalar_type();
  gemm.alpha = alpha.toDouble();
  gemm.beta = beta.toDouble();
  const Memory to = gemm.beta == 0 ? writes(c) : updates(c);
  const bool has_library_type = type == at::kFloat || type == at::kDouble;
  if (Kernel& library = type == at::kDouble ? library_f64 : library_f32;
      has_library_type && library.is_on(device)) {
    launch(library, device, grid_of_library(device, gemm), updates(c), reads(a.tensor), reads(b.tensor),
           gemm);
    return;
  }
  if (type != at::kFloat) {
    // Whole factors stand in the place of a double's bits.
    if (compute_of(type) == Compute::kI64) {
      gemm.alpha = std::bit_cast<double>(alpha.to<int64_t>());
      gemm.beta = std::bit_cast<double>(beta.to<int64_t>());
    }
    launch(any_type.of(type), device, items(device, gemm.n, gemm.m, gemm.batch), to, reads(a.tensor),
           reads(b.tensor), gemm, code_of(type), static_cast<uint32_t>(c.element_size()));
    return;
  }
  const auto tiles = [](uint64_t count) { return static_cast<uint32_t>((count + kTile - 1) / kTile); };
  const Grid grid{{tiles(gemm.n), tiles(gemm.m), static_cast<uint32_t>(gemm.batch)}, {kTile, kTile, 1}};
  const Local tile{uint64_t{kTile} * kTile * sizeof(float)};
  launch(tiled_f32, device, grid, to, reads(a.tensor), reads(b.tensor), gemm, tile, tile);
}

// Where the addend is not in the output yet, it is put there; where it is not wanted, it is not looked at.
void add_in(const at::Tensor& addend, const at::Scalar& beta, const at::Tensor& out) {
  if (beta.toComplexDouble() != 0.0 && !out.is_same(addend)) out.copy_(addend.expand_as(out));
}

}  // namespace

void multiply(const at::Tensor& c, const at::Tensor& a, const at::Tensor& b, const at::Scalar& alpha,
              const at::Scalar& beta) {
  TORCH_CHECK(a.scalar_type() == b.scalar_type(),
              "expected m1 and m2 to have the same dtype, but got: ", a.dtype(), " != ", b.dtype());
  if (c.numel() == 0) return;
  for (const at::Tensor& operand : {a, b})
    TORCH_CHECK(operand.device() == c.device(),
                "Expected all tensors to be on the same device, but found at least two devices, ", c.device(),
                " and ", operand.device(), "!");
  // What PyTorch hands over may have a lazy conjugate or negative, but of real types only the latter.
  if (!is_row_after_row(c)) {
    const at::Tensor transposed = c.transpose(-1, -2);
    if (is_row_after_row(transposed)) {
      multiply(transposed, b.transpose(-1, -2), a.transpose(-1, -2), alpha, beta);
      return;
    }
    const at::Tensor dense = c.contiguous();
    multiply(dense, a, b, alpha, beta);
    c.copy_(dense);
    return;
  }
  if (a.size(-1) == 0) {
    if (beta.toDouble() == 0)
      c.zero_();
    else
      c.mul_(beta);
    return;
  }
  // The kernel of every type goes through the factors element by element: a larger product is cheaper as one of f32, which rounds once, too.
  const bool is_half = c.scalar_type() == at::kHalf || c.scalar_type() == at::kBFloat16;
  if (is_half && c.size(-1) * c.size(-2) * a.size(-1) > kLargestOfAnyType) {
    const at::Tensor wide =
        beta.toDouble() == 0 ? at::empty(c.sizes(), c.options().dtype(at::kFloat)) : c.to(at::kFloat);
    multiply(wide, a.to(at::kFloat), b.to(at::kFloat), alpha, beta);
    c.copy_(wide);
    return;
  }
  const Stored left(a);
  const Stored right(b);
  xhal_op_gemm gemm = {};
  gemm.m = static_cast<uint64_t>(c.size(-2));
  gemm.n = static_cast<uint64_t>(c.size(-1));
  gemm.k = static_cast<uint64_t>(a.size(-1));
  gemm.lda = static_cast<uint64_t>(left.stride);
  gemm.ldb = static_cast<uint64_t>(right.stride);
  gemm.ldc = static_cast<uint64_t>(Stored(c).stride);
  gemm.batch = c.dim() == 3 ? static_cast<uint64_t>(c.size(0)) : 1;
  gemm.batch_a = left.member_stride();
  gemm.batch_b = right.member_stride();
  gemm.batch_c = Stored(c).member_stride();
  gemm.transposed_a = left.is_transposed;
  gemm.transposed_b = right.is_transposed;
  run(c, left, right, gemm, alpha, beta);
}

void Mm::impl(const at::Tensor& self, const at::Tensor& other, const at::Tensor& out) {
  multiply(out, self, other, 1, 0);
}
void Addmm::impl(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right,
                 const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& out) {
  add_in(self, beta, out);
  multiply(out, left, right, alpha, beta);
}
void Bmm::impl(const at::Tensor& self, const at::Tensor& other, const at::Tensor& out) {
  multiply(out, self, other, 1, 0);
}
void Baddbmm::impl(const at::Tensor& self, const at::Tensor& left, const at::Tensor& right,
                   const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& out) {
  add_in(self, beta, out);
  multiply(out, left, right, alpha, beta);
}
void Addmv::impl(const at::Tensor& self, const at::Tensor& matrix, const at::Tensor& vector,
                 const at::Scalar& beta, const at::Scalar& alpha, const at::Tensor& out) {
  add_in(self, beta, out);
  multiply(out.unsqueeze(1), matrix, vector.unsqueeze(1), alpha, beta);
}

at::Tensor dot(const at::Tensor& self, const at::Tensor& other) {
  TORCH_CHECK(self.dim() == 1 && other.dim() == 1, "1D tensors expected, but got ", self.dim(), "D and ",
              other.dim(), "D tensors");
  TORCH_CHECK(self.scalar_type() == other.scalar_type(),
              "dot : expected both vectors to have same dtype, but found ", self.scalar_type(), " and ",
              other.scalar_type());
  TORCH_CHECK(self.numel() == other.numel(), "inconsistent tensor size, expected tensor [", self.numel(),
              "] and src [", other.numel(), "] to have the same number of elements, but got ", self.numel(),
              " and ", other.numel(), " elements respectively");
  at::Tensor out = at::empty({}, self.options());
  multiply(out.view({1, 1}), self.unsqueeze(0), other.unsqueeze(1), 1, 0);
  return out;
}

}  // namespace torch_xhal
