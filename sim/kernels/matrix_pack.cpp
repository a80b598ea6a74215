// SPDX-License-Identifier: Apache-2.0
#include "kernels/matrix_pack.hpp"

#include <algorithm>
#include <climits>
#include <cstring>

namespace xhal::sim {
namespace {

struct Range {
  uint64_t begin, end;
  [[nodiscard]] uint64_t size() const { return end - begin; }
};

// What neighbours `first` to `first + parts - 1` of `of` equal parts have of `count`; parts differ by one at most.
Range share(uint64_t count, uint64_t first, uint64_t parts, uint64_t of) {
  const auto start = [&](uint64_t part) { return count / of * part + std::min(part, count % of); };
  return {start(first), start(first + parts)};
}

template <class T>
T* argument(const xhal_native_frame& frame, int index) {
  uint64_t pointer = 0;
  std::memcpy(&pointer, frame.arguments[index], sizeof(pointer));
  if (pointer - frame.window_base < frame.window_size) pointer += frame.backing_distance;
  return reinterpret_cast<T*>(pointer);
}

// One matrix of a product: as it is stored, and the part of it that a row of groups needs.
template <class T>
struct Stored {
  T* first;
  uint64_t stride;  // between rows
  bool transposed;

  [[nodiscard]] T& at(uint64_t row, uint64_t column) const {
    return transposed ? first[column * stride + row] : first[row * stride + column];
  }
  [[nodiscard]] Stored from(uint64_t row, uint64_t column) const {
    return {&at(row, column), stride, transposed};
  }
};

// A stride that rows of so many elements can have; of a single row nobody asks.
bool can_be_stride(uint64_t stride, uint64_t rows, uint64_t columns) {
  return rows <= 1 || stride >= columns;
}

template <class T>
class Product {
 public:
  Product(MatrixLibrary& library, const MatrixProduct& asked) : library_(library), asked_(asked) {}

  // c's rows and columns of one member of the batch.
  void run(Stored<const T> a, Stored<const T> b, Stored<T> c, const Range& rows, const Range& columns) const {
    const Stored<T> part = c.from(rows.begin, columns.begin);
    if (asked_.k == 0) {
      sum(a, b, part, rows.size(), columns.size());
      return;
    }
    const Stored<const T> left = a.from(rows.begin, 0);
    const Stored<const T> right = b.from(0, columns.begin);
    const uint64_t m = rows.size();
    const uint64_t n = columns.size();
    const uint64_t k = asked_.k;
    // The library asks for a stride of a single row, too.
    const uint64_t lda = left.transposed ? stride(left, k, m) : stride(left, m, k);
    const uint64_t ldb = right.transposed ? stride(right, n, k) : stride(right, k, n);
    const uint64_t ldc = stride(part, m, n);
    if (std::max({m, n, k, lda, ldb, ldc}) > INT_MAX) {
      sum(left, right, part, m, n);
      return;
    }
    library_.multiply<T>(MatrixLibrary::kRowMajor, op(left), op(right), static_cast<int>(m),
                         static_cast<int>(n), static_cast<int>(k), static_cast<T>(asked_.alpha), left.first,
                         static_cast<int>(lda), right.first, static_cast<int>(ldb),
                         static_cast<T>(asked_.beta), part.first, static_cast<int>(ldc));
  }

 private:
  template <class Element>
  static uint64_t stride(const Stored<Element>& matrix, uint64_t rows, uint64_t columns) {
    return rows == 1 ? columns : matrix.stride;
  }
  static int op(const Stored<const T>& matrix) {
    return matrix.transposed ? MatrixLibrary::kTransposed : MatrixLibrary::kAsIs;
  }

  // What the library has no numbers for, and what has no products.
  void sum(Stored<const T> a, Stored<const T> b, Stored<T> c, uint64_t m, uint64_t n) const {
    const T alpha = static_cast<T>(asked_.alpha);
    const T beta = static_cast<T>(asked_.beta);
    for (uint64_t row = 0; row < m; ++row) {
      for (uint64_t column = 0; column < n; ++column) {
        T products = 0;
        for (uint64_t i = 0; i < asked_.k; ++i) products += a.at(row, i) * b.at(i, column);
        T& cell = c.at(row, column);
        cell = (asked_.k == 0 ? T{0} : alpha * products) + (beta == T{0} ? T{0} : beta * cell);
      }
    }
  }

  MatrixLibrary& library_;
  const MatrixProduct& asked_;
};

template <class T>
void run_gemm(xhal_native_frame* frame) {
  MatrixProduct asked;
  std::memcpy(&asked, frame->arguments[3], sizeof(asked));
  const Range columns = share(asked.n, frame->group_id[0], frame->row_groups, frame->group_count[0]);
  const Range rows = share(asked.m, frame->group_id[1], 1, frame->group_count[1]);
  const Range members = share(asked.batch, frame->group_id[2], 1, frame->group_count[2]);
  if (columns.size() == 0 || rows.size() == 0) return;
  const bool transposed_a = asked.transposed_a != 0;
  const bool transposed_b = asked.transposed_b != 0;
  const auto can_be = [&](uint64_t stride, uint64_t r, uint64_t c, bool transposed) {
    return transposed ? can_be_stride(stride, c, r) : can_be_stride(stride, r, c);
  };
  // A library would tell the terminal and leave c as it was.
  if (!can_be_stride(asked.ldc, asked.m, asked.n) ||
      (asked.k != 0 && (!can_be(asked.lda, asked.m, asked.k, transposed_a) ||
                        !can_be(asked.ldb, asked.k, asked.n, transposed_b)))) {
    frame->trapped = 1;
    return;
  }
  T* const c = argument<T>(*frame, 0);
  const T* const a = argument<const T>(*frame, 1);
  const T* const b = argument<const T>(*frame, 2);
  const Product<T> product(*reinterpret_cast<MatrixLibrary*>(frame->globals[0]), asked);
  for (uint64_t i = members.begin; i < members.end; ++i) {
    product.run({a + i * asked.batch_a, asked.lda, transposed_a},
                {b + i * asked.batch_b, asked.ldb, transposed_b}, {c + i * asked.batch_c, asked.ldc, false},
                rows, columns);
  }
}

constexpr uint32_t kReadWrite = uint32_t{XHAL_NATIVE_ACCESS_READ} | XHAL_NATIVE_ACCESS_WRITE;
constexpr xhal_native_param kParameters[] = {
    {"c", XHAL_NATIVE_PARAM_GLOBAL, kReadWrite, 8, 8},
    {"a", XHAL_NATIVE_PARAM_GLOBAL, XHAL_NATIVE_ACCESS_READ, 8, 8},
    {"b", XHAL_NATIVE_PARAM_GLOBAL, XHAL_NATIVE_ACCESS_READ, 8, 8},
    {"gemm", XHAL_NATIVE_PARAM_VALUE, 0, sizeof(MatrixProduct), alignof(MatrixProduct)},
};
constexpr uint32_t kMostItems = 1024;  // no item but the first of a group does anything

constexpr xhal_native_kernel kernel(const char* name, void (*run)(xhal_native_frame*)) {
  return {name, run, kParameters, std::size(kParameters), kMostItems, 0, 0};
}
constexpr xhal_native_kernel kKernels[] = {kernel("xhal_gemm_f32", run_gemm<float>),
                                           kernel("xhal_gemm_f64", run_gemm<double>)};
constexpr xhal_native_image kImage = {
    XHAL_NATIVE_IMAGE_MAGIC,
    sizeof(xhal_native_image),
    sizeof(xhal_native_kernel),
    "",  // the library has code for each processor
    kKernels,
    std::size(kKernels),
    0,
    nullptr,
};

}  // namespace

std::shared_ptr<Image> matrix_image(MatrixLibrary& library, Image::Failure& failure) {
  return Image::part_of_driver(kImage, &library, failure);
}

}  // namespace xhal::sim
