// SPDX-License-Identifier: Apache-2.0
// The data kernels of every element type, on every level that this processor runs, against the oracles.
#include <cmath>

#include "pack_fixture.hpp"

namespace {

using namespace xhal::native_test;  // NOLINT(google-build-using-namespace): a program of one file
using oracle::Bf16;
using oracle::F16;

template <typename T>
struct Named {
  const char* name;
  T start, step;  // of an iota that is exact in every order of operations
};

// Calls `body` with each type of the pack's table but u32.
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

template <typename T>
std::span<const T> view(const std::vector<T>& elements) {
  return elements;
}

class PackElements : public PackKernel {
 protected:
  template <typename T>
  static std::string kernel_of(const char* operation, const Named<T>& type) {
    return std::string("xhal_") + operation + "_" + type.name;
  }
  template <typename T>
  static T any(std::uint64_t seed) {
    T element;
    oracle::fill_random(std::span<T>(&element, 1), seed);
    return element;
  }
  // Every count and a few sizes of groups: the other shapes are those of the u32 kernels, which share the code.
  template <typename Body>
  void for_each_count(const Body& body) {
    for (const std::uint64_t n : kCounts) {
      for (const std::uint32_t group_size : {1U, 7U, 64U, 256U}) {
        if (n > 5000 && group_size < 64) continue;
        SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
        body(n, group_size);
        if (HasFailure()) return;
      }
    }
  }
  // dst[i] = a[i] + b[i] over all elements of a.
  template <typename T>
  std::vector<T> add(const char* name, const std::vector<T>& a, const std::vector<T>& b) {
    std::vector<T> sums(a.size());
    launch_row(
        name,
        Arguments().pointer(sums.data()).pointer(a.data()).pointer(b.data()).value(std::uint64_t{a.size()}),
        a.size(), 256);
    return sums;
  }
};

TEST_P(PackElements, Fill) {
  for_each_type([&]<typename T>(const Named<T>& type) {
    for_each_count([&](std::uint64_t n, std::uint32_t group_size) {
      const Buffer<T> dst(Place::kDevice, n + kSlack, n, window_, 64);
      launch_row(kernel_of("fill", type), Arguments().device(dst.address()).value(any<T>(n)).value(n), n,
                 group_size);
      expect_same(oracle::fill(view(dst.before()), any<T>(n), n), dst.span());
    });
  });
}

TEST_P(PackElements, Copy) {
  for_each_type([&]<typename T>(const Named<T>& type) {
    for_each_count([&](std::uint64_t n, std::uint32_t group_size) {
      const Buffer<T> dst(Place::kHost, n + kSlack, n, window_, 0);
      const Buffer<T> src(Place::kHost, n, n + 1, window_, 0);
      launch_row(kernel_of("copy", type), Arguments().device(dst.address()).device(src.address()).value(n), n,
                 group_size);
      expect_same(oracle::copy(view(dst.before()), view(src.before()), n), dst.span());
    });
  });
}

TEST_P(PackElements, Iota) {
  for_each_type([&]<typename T>(const Named<T>& type) {
    for_each_count([&](std::uint64_t n, std::uint32_t group_size) {
      const Buffer<T> dst(Place::kDevice, n + kSlack, n, window_, 8);
      launch_row(kernel_of("iota", type),
                 Arguments().device(dst.address()).value(type.start).value(type.step).value(n), n,
                 group_size);
      expect_same(oracle::iota(view(dst.before()), type.start, type.step, n), dst.span());
    });
  });
}

TEST_P(PackElements, Axpy) {
  for_each_type([&]<typename T>(const Named<T>& type) {
    for_each_count([&](std::uint64_t n, std::uint32_t group_size) {
      const Buffer<T> y(Place::kHost, n + kSlack, n, window_, 0);
      const Buffer<T> x(Place::kDevice, n, n + 1, window_, 0);
      const T a = any<T>(77 + n);
      launch_row(kernel_of("axpy", type),
                 Arguments().device(y.address()).device(x.address()).value(a).value(n), n, group_size);
      expect_same(oracle::axpy(view(y.before()), view(x.before()), a, n), y.span());
    });
  });
}

TEST_P(PackElements, Add) {
  for_each_type([&]<typename T>(const Named<T>& type) {
    for_each_count([&](std::uint64_t n, std::uint32_t group_size) {
      const Buffer<T> dst(Place::kDevice, n + kSlack, n, window_, 0);
      const Buffer<T> a(Place::kDevice, n, n + 1, window_, kHalf);
      const Buffer<T> b(Place::kHost, n, n + 2, window_, 0);
      launch_row(kernel_of("add", type),
                 Arguments().device(dst.address()).device(a.address()).device(b.address()).value(n), n,
                 group_size);
      expect_same(oracle::add(view(dst.before()), view(a.before()), view(b.before()), n), dst.span());
    });
  });
}

// fill and copy move bits: infinities, every NaN and both zeros among them.
TEST_P(PackElements, CopyKeepsEveryPattern) {
  std::vector<F16> patterns(65536);
  for (std::uint32_t i = 0; i < patterns.size(); ++i) patterns[i].bits = static_cast<std::uint16_t>(i);
  for (const char* name : {"xhal_copy_f16", "xhal_copy_bf16"}) {
    std::vector<F16> copied(patterns.size());
    launch_row(
        name,
        Arguments().pointer(copied.data()).pointer(patterns.data()).value(std::uint64_t{patterns.size()}),
        patterns.size(), 256);
    expect_same(patterns, view(copied));
  }
}

// Adding nothing widens and rounds: every number comes back, and a NaN is a NaN.
template <typename T>
void expect_patterns_kept(const std::vector<T>& before, const std::vector<T>& after) {
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (std::isnan(oracle::value_of(before[i]))) {
      ASSERT_TRUE(std::isnan(oracle::value_of(after[i]))) << "pattern " << i << " became " << after[i].bits;
    } else {
      ASSERT_EQ(after[i].bits, before[i].bits);
    }
  }
}

template <typename T>
std::vector<T> all_patterns() {
  std::vector<T> patterns(65536);
  for (std::uint32_t i = 0; i < patterns.size(); ++i) patterns[i].bits = static_cast<std::uint16_t>(i);
  return patterns;
}

TEST_P(PackElements, EveryShortFloatSurvivesItsConversion) {
  // -0 is the number that changes no other, not even 0.
  const auto halves = all_patterns<F16>();
  expect_patterns_kept(halves, add("xhal_add_f16", halves, std::vector<F16>(halves.size(), {0x8000})));
  const auto brains = all_patterns<Bf16>();
  expect_patterns_kept(brains, add("xhal_add_bf16", brains, std::vector<Bf16>(brains.size(), {0x8000})));
}

// Every pattern beside a random one: sums that round, overflow, cancel, and subnormal ones. A sum of NaN has no bits of its own, and a
// subnormal f32, which a bf16 can become, may be flushed.
template <typename T>
void expect_sums(const std::vector<T>& a, const std::vector<T>& b, const std::vector<T>& sums,
                 double smallest, T (*nearest)(double)) {
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double left = oracle::value_of(a[i]);
    const double right = oracle::value_of(b[i]);
    const float sum = static_cast<float>(left) + static_cast<float>(right);
    SCOPED_TRACE(std::to_string(left) + " + " + std::to_string(right));
    if (std::isnan(sum)) {
      ASSERT_TRUE(std::isnan(oracle::value_of(sums[i])));
    } else if (sum == 0 || std::fabs(static_cast<double>(sum)) >= smallest) {
      ASSERT_EQ(sums[i].bits, nearest(static_cast<double>(sum)).bits);
    }
  }
}

template <typename T>
std::vector<T> random_patterns(std::uint64_t seed) {
  std::vector<T> patterns(65536);
  for (std::size_t i = 0; i < patterns.size(); ++i) {
    patterns[i].bits = static_cast<std::uint16_t>(oracle::random_word(seed, i) >> 48);
  }
  return patterns;
}

TEST_P(PackElements, SumsOfShortFloatsAreRoundedOnce) {
  const auto halves = all_patterns<F16>();
  const auto brains = all_patterns<Bf16>();
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const auto other_halves = random_patterns<F16>(seed);
    expect_sums(halves, other_halves, add("xhal_add_f16", halves, other_halves), 0, oracle::nearest_f16);
    const auto other_brains = random_patterns<Bf16>(seed);
    expect_sums(brains, other_brains, add("xhal_add_bf16", brains, other_brains), 0x1p-126,
                oracle::nearest_bf16);
  }
}

// The largest f16 is 65504, and the next step would be 65536: half of it is the first to be infinite.
TEST_P(PackElements, TiesGoToEvenAndToInfinity) {
  const auto half = [](double value) { return oracle::nearest_f16(value); };
  const std::vector<F16> a = {half(65504), half(65504),   half(-65504), half(2048),
                              half(2050),  half(0x1p-24), half(1)};
  const std::vector<F16> b = {half(15), half(16), half(-16), half(1), half(1), half(0x1p-24), half(0x1p-11)};
  const std::vector<F16> sums = {half(65504), {0x7C00}, {0xFC00}, half(2048), half(2052), {0x0002}, half(1)};
  expect_same(sums, view(add("xhal_add_f16", a, b)));
}

INSTANTIATE_TEST_SUITE_P(Targets, PackElements, testing::ValuesIn(runnable_targets()), level_name);

}  // namespace
