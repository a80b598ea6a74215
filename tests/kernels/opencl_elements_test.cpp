// SPDX-License-Identifier: Apache-2.0
// The data kernels of the pack on a device of OpenCL, against the oracles.
#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <utility>

#include "opencl_fixture.hpp"

namespace {

using namespace xhal::opencl_test;  // NOLINT(google-build-using-namespace): a program of one file
using oracle::Bf16;
using oracle::F16;

template <typename T>
struct Named {
  const char* name;
  T start, step;  // of an iota that is exact in every order of operations
  [[nodiscard]] std::string kernel(const char* operation) const {
    return std::string("xhal_") + operation + "_" + name;
  }
};
template <typename Body>
void for_each_type(const Body& body) {
  body(Named<std::int8_t>{"i8", -100, 7});
  body(Named<std::int16_t>{"i16", -30000, 1001});
  body(Named<std::int32_t>{"i32", -2000000000, 1000001});
  body(Named<std::int64_t>{"i64", -9000000000000000000, 100000000000001});
  body(Named<F16>{"f16", oracle::nearest_f16(-300.5), oracle::nearest_f16(0.75)});
  body(Named<Bf16>{"bf16", oracle::nearest_bf16(-1000), oracle::nearest_bf16(0.375)});
  body(Named<float>{"f32", -70.5F, 0.25F});
  body(Named<double>{"f64", 1e9, 0.125});
}
template <typename Body>
void for_each_type_and_u32(const Body& body) {
  for_each_type(body);
  body(Named<std::uint32_t>{"u32", 0xFFFFFFF0U, 0x10001U});
}

TEST(OpenClPack, Fill) {
  for_each_type_and_u32([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_elements<T>(n + kSlack, n);
      const auto expected = oracle::fill(view(dst), any<T>(n), n);
      run_row(Call(type.kernel("fill")).memory(dst).value(any<T>(n)).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Copy) {
  for_each_type_and_u32([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_elements<T>(n + kSlack, n);
      const auto src = random_elements<T>(n, n + 1);
      const auto expected = oracle::copy(view(dst), view(src), n);
      run_row(Call(type.kernel("copy")).memory(dst).reads(src).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Iota) {
  for_each_type_and_u32([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_elements<T>(n + kSlack, n);
      const auto expected = oracle::iota(view(dst), type.start, type.step, n);
      run_row(Call(type.kernel("iota")).memory(dst).value(type.start).value(type.step).value(n), n,
              group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Axpy) {
  for_each_type([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto y = random_elements<T>(n + kSlack, n);
      const auto x = random_elements<T>(n, n + 1);
      const T a = any<T>(77 + n);
      const auto expected = oracle::axpy(view(y), view(x), a, n);
      run_row(Call(type.kernel("axpy")).memory(y).reads(x).value(a).value(n), n, group_size);
      expect_same(expected, y);
    });
  });
}

TEST(OpenClPack, Add) {
  for_each_type([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_elements<T>(n + kSlack, n);
      const auto a = random_elements<T>(n, n + 1);
      const auto b = random_elements<T>(n, n + 2);
      const auto expected = oracle::add(view(dst), view(a), view(b), n);
      run_row(Call(type.kernel("add")).memory(dst).reads(a).reads(b).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Folds) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    auto cells = random_elements<std::uint64_t>(n + kSlack, n);
    const auto src = random_elements<std::uint64_t>(n, n + 1);
    const std::uint64_t op = oracle::random_word(n, group_size);
    auto expected = oracle::fold_u64(cells, op, n);
    run_row(Call("xhal_fold_u64").memory(cells).value(op).value(n), n, group_size);
    expect_same(expected, cells);
    expected = oracle::fold2_u64(cells, src, op, n);
    run_row(Call("xhal_fold2_u64").memory(cells).reads(src).value(op).value(n), n, group_size);
    expect_same(expected, cells);
  });
}

TEST(OpenClPack, DataKernelsInThreeDimensions) {
  for (const Extent& size : {Extent{8, 4, 2}, {1, 1, 64}, {3, 5, 7}}) {
    const std::uint64_t items = std::uint64_t{12} * size[0] * size[1] * size[2];
    const std::uint64_t n = items - 13;
    auto dst = random_elements<std::uint32_t>(items, 1);
    const auto expected = oracle::iota_u32(dst, 9, 3, n);
    Call("xhal_iota_u32").memory(dst).value(9U).value(3U).value(n).run({3, 2, 2}, size);
    expect_same(expected, dst);
  }
}

TEST(OpenClPack, Ids) {
  for (const auto& [groups, size] : {std::pair{Extent{1, 1, 1}, Extent{1, 1, 1}},
                                     {Extent{5, 1, 1}, Extent{7, 1, 1}},
                                     {Extent{2, 3, 4}, Extent{3, 2, 5}},
                                     {Extent{1, 1, 3}, Extent{1, 1, 64}}}) {
    const oracle::Extent global = {groups[0] * size[0], groups[1] * size[1], groups[2] * size[2]};
    auto out = random_elements<std::uint32_t>(std::size_t{19} * global.x * global.y * global.z, 1);
    Call("xhal_ids_u32").memory(out).run(groups, size);
    expect_same(oracle::ids_u32(global, {size[0], size[1], size[2]}), out);
  }
}

}  // namespace
