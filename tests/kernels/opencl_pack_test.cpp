// SPDX-License-Identifier: Apache-2.0
// Every kernel of the pack on a device of OpenCL, against the oracles. OPENCL_TEST_ITEMS=few: small launches, for a device that interprets;
// OPENCL_TEST_IMAGE=<format>.<target>: that image in place of the one that the device's answers choose; OPENCL_TEST_PACK=<folder>: of that pack.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "element_oracles.h"
#include "group_oracles.h"
#include "opencl_harness.hpp"

namespace {

using namespace xhal::opencl_test;  // NOLINT(google-build-using-namespace): a program of one file
namespace oracle = xhal::oracle;
using oracle::Bf16;
using oracle::F16;

constexpr std::size_t kSlack = 5;  // elements behind n, which stay as they are

bool only_few_items() {
  const char* const items = std::getenv("OPENCL_TEST_ITEMS");
  return items != nullptr && std::string(items) == "few";
}
std::vector<std::uint64_t> counts() {
  if (only_few_items()) return {0, 1, 33, 130};
  return {0, 1, 3, 64, 1000, 4099, 70001};
}
std::vector<std::uint32_t> group_sizes() {
  if (only_few_items()) return {1, 5, 32};
  return {1, 7, 64, 256};
}

template <typename T>
std::vector<T> random_data(std::size_t count, std::uint64_t seed) {
  std::vector<T> data(count);
  oracle::fill_random(std::span<T>(data), seed);
  return data;
}
template <typename T>
T any(std::uint64_t seed) {
  return random_data<T>(1, seed)[0];
}
template <typename T>
std::span<const T> view(const std::vector<T>& elements) {
  return elements;
}
template <typename T>
void expect_same(const std::vector<T>& expected, const std::vector<T>& got) {
  const auto difference = oracle::first_difference(view(expected), view(got));
  EXPECT_FALSE(difference.has_value()) << to_string(*difference);
}

// Calls `body` with each count and size of groups, less the launches that are many small groups.
template <typename Body>
void for_each_shape(const Body& body) {
  for (const std::uint64_t n : counts()) {
    for (const std::uint32_t group_size : group_sizes()) {
      if (n > 1000 && group_size < 64) continue;
      SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size));
      body(n, group_size);
      if (testing::Test::HasFailure()) return;
    }
  }
}
// One row that covers n items and a whole group more.
void run_row(Call& call, std::uint64_t n, std::uint32_t group_size) {
  call.run({groups_for(n, group_size) + 1, 1, 1}, {group_size, 1, 1});
}

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
      auto dst = random_data<T>(n + kSlack, n);
      const auto expected = oracle::fill(view(dst), any<T>(n), n);
      run_row(Call(type.kernel("fill")).memory(dst).value(any<T>(n)).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Copy) {
  for_each_type_and_u32([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_data<T>(n + kSlack, n);
      const auto src = random_data<T>(n, n + 1);
      const auto expected = oracle::copy(view(dst), view(src), n);
      run_row(Call(type.kernel("copy")).memory(dst).reads(src).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Iota) {
  for_each_type_and_u32([]<typename T>(const Named<T>& type) {
    for_each_shape([&](std::uint64_t n, std::uint32_t group_size) {
      auto dst = random_data<T>(n + kSlack, n);
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
      auto y = random_data<T>(n + kSlack, n);
      const auto x = random_data<T>(n, n + 1);
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
      auto dst = random_data<T>(n + kSlack, n);
      const auto a = random_data<T>(n, n + 1);
      const auto b = random_data<T>(n, n + 2);
      const auto expected = oracle::add(view(dst), view(a), view(b), n);
      run_row(Call(type.kernel("add")).memory(dst).reads(a).reads(b).value(n), n, group_size);
      expect_same(expected, dst);
    });
  });
}

TEST(OpenClPack, Folds) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    auto cells = random_data<std::uint64_t>(n + kSlack, n);
    const auto src = random_data<std::uint64_t>(n, n + 1);
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
    auto dst = random_data<std::uint32_t>(items, 1);
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
    auto out = random_data<std::uint32_t>(std::size_t{19} * global.x * global.y * global.z, 1);
    Call("xhal_ids_u32").memory(out).run(groups, size);
    expect_same(oracle::ids_u32(global, {size[0], size[1], size[2]}), out);
  }
}

TEST(OpenClPack, Reduce) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    if ((group_size & (group_size - 1)) != 0) return;  // a power of two
    const auto src = random_data<std::uint32_t>(n, 2);
    auto sums = random_data<std::uint32_t>(groups_for(n, group_size) + 1 + kSlack, 1);
    auto expected = sums;
    std::ranges::copy(oracle::reduce_u32(src, n, group_size), expected.begin());
    run_row(Call("xhal_reduce_u32").memory(sums).reads(src).value(n).local(4 * group_size), n, group_size);
    expect_same(expected, sums);
  });
}

TEST(OpenClPack, Scan) {
  for_each_shape([](std::uint64_t n, std::uint32_t group_size) {
    auto dst = random_data<std::uint32_t>(n + kSlack, 1);
    const auto src = random_data<std::uint32_t>(n, 2);
    const auto expected = oracle::scan_u32(dst, src, n, group_size);
    run_row(Call("xhal_scan_u32").memory(dst).reads(src).value(n).local(8 * group_size), n, group_size);
    expect_same(expected, dst);
  });
}

TEST(OpenClPack, Reverse) {
  for (const std::uint32_t chunk : {1U, 3U, 64U, 1000U}) {
    for (const std::uint32_t group_size : {5U, 32U}) {
      const std::uint64_t n = only_few_items() ? 130 : 4099;
      auto dst = random_data<std::uint32_t>(n + kSlack, 1);
      const auto src = random_data<std::uint32_t>(n, 2);
      const auto expected = oracle::reverse_u32(dst, src, chunk, n);
      Call("xhal_reverse_u32")
          .memory(dst)
          .reads(src)
          .value(chunk)
          .value(n)
          .local(4 * chunk)
          .run({groups_for(n, chunk) + 1, 1, 1}, {group_size, 1, 1});
      expect_same(expected, dst);
    }
  }
}

TEST(OpenClPack, Transpose) {
  for (const std::uint32_t side : {1U, 7U, 8U}) {
    for (const auto& [rows, columns] : {std::pair{1U, 1U}, {1U, 20U}, {33U, 17U}}) {
      const std::size_t count = std::size_t{rows} * columns;
      auto dst = random_data<std::uint32_t>(count + kSlack, 1);
      const auto src = random_data<std::uint32_t>(count, 2);
      const auto expected = oracle::transpose_u32(dst, src, rows, columns);
      Call("xhal_transpose_u32")
          .memory(dst)
          .reads(src)
          .value(rows)
          .value(columns)
          .local(std::size_t{4} * side * (side + 1))
          .run({groups_for(columns, side), groups_for(rows, side) + 1, 1}, {side, side, 1});
      expect_same(expected, dst);
    }
  }
}

std::vector<float> small_whole_numbers(std::size_t count, std::uint64_t seed) {
  std::vector<float> numbers(count);
  for (std::size_t i = 0; i < count; ++i) {
    numbers[i] = static_cast<float>(static_cast<int>(oracle::random_word(seed, i) % 33) - 16);
  }
  return numbers;
}

TEST(OpenClPack, Matmul) {
  struct Shape {
    std::uint32_t m, n, k;
  };
  for (const std::uint32_t side : {1U, 5U, 8U}) {
    for (const Shape& it : {Shape{1, 9, 4}, {17, 5, 33}, {3, 4, 0}}) {
      auto c = random_data<float>(it.m * it.n + kSlack, 1);
      const auto a = small_whole_numbers(std::size_t{it.m} * it.k, 4);
      const auto b = small_whole_numbers(std::size_t{it.k} * it.n, 5);
      const auto expected = oracle::matmul_f32(c, a, b, it.m, it.n, it.k);
      Call("xhal_matmul_f32")
          .memory(c)
          .reads(a)
          .reads(b)
          .value(it.m)
          .value(it.n)
          .value(it.k)
          .local(std::size_t{4} * side * side)
          .local(std::size_t{4} * side * side)
          .run({groups_for(it.n, side) + 1, groups_for(it.m, side), 1}, {side, side, 1});
      expect_same(expected, c);
    }
  }
}

template <typename T>
void expect_atomics(const std::string& type) {
  const std::uint64_t n = only_few_items() ? 99 : 9999;
  const auto src = random_data<T>(n, 2);
  auto cells = random_data<T>(oracle::kAtomicCells + 3, 1);
  const auto expected = oracle::atomics(view(cells), view(src), n);
  run_row(Call("xhal_atomics_" + type).memory(cells).reads(src).value(n), n, 32);
  expect_same(expected, cells);
  for (const std::uint32_t group_size : {1U, 5U, 32U}) {
    auto out = random_data<T>((groups_for(n, group_size) + 1) * oracle::kAtomicCells, 1);
    auto expected_out = out;
    std::ranges::copy(oracle::local_atomics(view(src), n, group_size), expected_out.begin());
    run_row(Call("xhal_local_atomics_" + type).memory(out).reads(src).value(n), n, group_size);
    expect_same(expected_out, out);
  }
}

TEST(OpenClPack, Atomics) {
  expect_atomics<std::uint32_t>("u32");
  expect_atomics<std::uint64_t>("u64");
}

TEST(OpenClPack, Spin) {
  for (const std::uint64_t turns : {0U, 1U, 5000U}) {
    auto cell = random_data<std::uint64_t>(2, 1);
    const std::vector<std::uint64_t> expected = {oracle::spin_u64(cell[0], turns), cell[1]};
    Call("xhal_spin_u64").memory(cell).value(turns).run({2, 1, 1}, {3, 1, 1});
    expect_same(expected, cell);
  }
}

TEST(OpenClPack, StructuresArriveMemberByMember) {
  const oracle::Color color = {.red = 1, .green = 200, .blue = 3};
  const oracle::Pair pair = {.key = 0x8000000000000001, .weight = -1.5F};
  const oracle::Record record = {
      .tag = 250,
      .level = -300,
      .pairs = {oracle::Pair{.key = 11, .weight = 0.25F}, {.key = ~0ULL, .weight = 1e30F}},
      .count = 4000000000,
      .bytes = {5, 6, 7, 8, 255}};
  const oracle::Box box = {.corner = {1.0F, -2.0F, 3.5F, 1e-30F}, .id = 77};
  auto out = random_data<std::uint64_t>(23 + kSlack, 1);
  auto expected = out;
  std::ranges::copy(oracle::structs_u64(color, pair, record, box, 0xFFFFFFFF), expected.begin());
  Call("xhal_structs_u64")
      .memory(out)
      .value(color)
      .value(pair)
      .value(record)
      .value(box)
      .value(0xFFFFFFFFU)
      .run({2, 1, 1}, {3, 1, 1});
  expect_same(expected, out);
}

// A team of one group waits for nobody, which every device can do.
TEST(OpenClPack, AGroupThatMeetsItself) {
  const std::uint32_t items = 16;
  auto cells = random_data<std::uint64_t>(std::size_t{2} * items, 1);
  std::vector<std::uint32_t> arrivals = {0};
  const std::vector<std::uint32_t> quit = {0};
  const auto expected = oracle::meet_u64(cells, {1, 1, 1}, items, {1, 1, 1}, 5);
  Call("xhal_meet_u64")
      .memory(cells)
      .memory(arrivals)
      .reads(quit)
      .value(1U)
      .value(1U)
      .value(1U)
      .value(5U)
      .value(0xFFFFFFFFU)
      .local(std::size_t{8} * items)
      .run({1, 1, 1}, {items, 1, 1});
  expect_same(expected, cells);
  EXPECT_EQ(arrivals[0], 5U);
}

// A set flag is a write to nowhere here, which ends the process on some devices: only the other half is asked.
TEST(OpenClPack, TrapWithoutAFlagDoesNothing) {
  const std::vector<std::uint32_t> flag = {0};
  Call("xhal_trap_u32").reads(flag).run({2, 1, 1}, {8, 1, 1});
  EXPECT_FALSE(oracle::trap_u32(flag[0]));
}

TEST(OpenClPack, VariablesOfTheModule) {
  Device& cl = Device::the();
  if (!cl.has("xhal_kept_u64")) {
    cl_int code = CL_SUCCESS;
    EXPECT_EQ(cl.clCreateKernel(cl.program, "xhal_kept_u64", &code), nullptr);
    EXPECT_EQ(code, CL_INVALID_KERNEL_NAME);
    return;
  }
  auto kept = oracle::first_kept_u64();
  for (const std::uint64_t n : {13U, 0U, 1U, 9U, 13U}) {
    const std::uint64_t op = oracle::random_word(n, 4);
    auto out = random_data<std::uint64_t>(n + kSlack, n);
    const auto expected = oracle::kept_u64(out, kept, op, n);
    run_row(Call("xhal_kept_u64").memory(out).value(op).value(n), n, 4);
    expect_same(expected.out, out);
    kept = expected.kept;
  }
}

// Memory that the host and kernels reach by one address.
class SharedWords {
 public:
  SharedWords(std::size_t bytes, cl_svm_mem_flags flags)
      : bytes_(bytes),
        data_(Device::the().clSVMAlloc(Device::the().context, CL_MEM_READ_WRITE | flags, bytes, 0)) {
    if (data_ == nullptr) throw std::bad_alloc();
  }
  ~SharedWords() { Device::the().clSVMFree(Device::the().context, data_); }
  SharedWords(const SharedWords&) = delete;
  SharedWords& operator=(const SharedWords&) = delete;

  [[nodiscard]] void* data() const { return data_; }
  void write(const std::vector<std::uint64_t>& words) const {
    Device& cl = Device::the();
    cl.clEnqueueSVMMap(cl.queue, CL_TRUE, CL_MAP_WRITE, data_, bytes_, 0, nullptr, nullptr);
    std::memcpy(data_, words.data(), words.size() * 8);
    cl.clEnqueueSVMUnmap(cl.queue, data_, 0, nullptr, nullptr);
    cl.clFinish(cl.queue);
  }

 private:
  std::size_t bytes_;
  void* data_;
};

// Without a step no pointer is followed; that is all that a device without shared memory can be asked.
TEST(OpenClPack, Chase) {
  std::vector<std::uint64_t> out = {1, 2};
  const std::vector<std::uint64_t> lone = {0, 100};
  Call("xhal_chase_u64").memory(out).reads(lone).value(0U).run({1, 1, 1}, {1, 1, 1});
  EXPECT_EQ(out, (std::vector<std::uint64_t>{100, 2}));
  if (Device::the().shared_memory() == 0) return;

  const SharedWords one(64, 0);
  const SharedWords other(64, 0);
  const auto address_one = reinterpret_cast<std::uint64_t>(one.data());
  const auto address_other = reinterpret_cast<std::uint64_t>(other.data());
  const std::vector<std::uint64_t> words_one = {address_other, 100, address_other + 16, 101, 0, 102};
  const std::vector<std::uint64_t> words_other = {address_one + 16, 200, address_one + 32, 201};
  one.write(words_one);
  other.write(words_other);
  const std::array<oracle::MemoryBlock, 2> memory = {oracle::MemoryBlock{address_one, words_one},
                                                     oracle::MemoryBlock{address_other, words_other}};
  for (std::uint32_t steps = 0; steps <= 4; ++steps) {
    Call("xhal_chase_u64")
        .memory(out)
        .shared(one.data(), {one.data(), other.data()})
        .value(steps)
        .run({1, 1, 1}, {1, 1, 1});
    EXPECT_EQ(out[0], oracle::chase_u64(memory, address_one, steps)) << steps << " steps";
  }
}

// An open gate returns everywhere. A closed one needs a device where host and kernel see each other's writes at once.
TEST(OpenClPack, Gate) {
  std::vector<std::uint32_t> open_flag = {3};
  std::vector<std::uint32_t> was_entered = {0};
  Call("xhal_gate_u32").memory(open_flag).value(3U).memory(was_entered).run({1, 1, 1}, {1, 1, 1});
  EXPECT_EQ(was_entered[0], 1U);
  EXPECT_EQ(open_flag[0], 3U);
  constexpr cl_device_svm_capabilities kFine = CL_DEVICE_SVM_FINE_GRAIN_BUFFER | CL_DEVICE_SVM_ATOMICS;
  const bool sees_host = (Device::the().shared_memory() & kFine) == kFine;
  if (!sees_host) return;
  const SharedWords words(128, CL_MEM_SVM_FINE_GRAIN_BUFFER | CL_MEM_SVM_ATOMICS);
  auto* const flag = static_cast<std::uint32_t*>(words.data());
  auto* const entered = flag + 16;
  const std::atomic_ref<std::uint32_t> flag_word(*flag);
  const std::atomic_ref<std::uint32_t> entered_word(*entered);
  flag_word.store(0);
  entered_word.store(0);
  std::atomic<bool> returned = false;
  // A device may run the kernel in the thread that enqueues it.
  std::thread launch([&] {
    Call("xhal_gate_u32")
        .shared(flag, {words.data()})
        .value(3U)
        .shared(entered, {words.data()})
        .run({1, 1, 1}, {1, 1, 1});
    returned = true;
  });
  while (entered_word.load() == 0) std::this_thread::yield();
  EXPECT_FALSE(returned);
  flag_word.store(2);
  EXPECT_FALSE(returned);
  flag_word.store(3);
  launch.join();
  EXPECT_TRUE(returned);
}

// The text keeps them. A module in SPIR-V holds them too, but a device need not read them, and then has to say so.
TEST(OpenClPack, ParametersKeepTheirNamesAndTypes) {
  Device& cl = Device::the();
  cl_int code = CL_SUCCESS;
  cl_kernel kernel = cl.clCreateKernel(cl.program, "xhal_axpy_i16", &code);
  ASSERT_EQ(code, CL_SUCCESS);
  const bool may_refuse = cl.image().starts_with("spirv");
  const auto expect_info = [&](cl_uint index, cl_kernel_arg_info what, const std::string& expected) {
    std::array<char, 64> text{};
    const cl_int got = cl.clGetKernelArgInfo(kernel, index, what, text.size() - 1, text.data(), nullptr);
    if (may_refuse && got == CL_KERNEL_ARG_INFO_NOT_AVAILABLE) return;
    EXPECT_EQ(got, CL_SUCCESS);
    EXPECT_EQ(text.data(), expected);
  };
  const std::pair<const char*, const char*> parameters[] = {
      {"y", "short*"}, {"x", "short*"}, {"a", "short"}, {"n", "ulong"}};
  for (cl_uint index = 0; index < 4; ++index) {
    expect_info(index, CL_KERNEL_ARG_NAME, parameters[index].first);
    expect_info(index, CL_KERNEL_ARG_TYPE_NAME, parameters[index].second);
  }
  cl.clReleaseKernel(kernel);
}

// Nothing of the image is left untried, unless a filter chose among the tests.
class EveryKernel : public testing::Environment {
 public:
  void TearDown() override {
    if (GTEST_FLAG_GET(filter) != "*") return;
    EXPECT_EQ(Device::the().launched, Device::the().kernels());
  }
};
testing::Environment* const kEveryKernel = testing::AddGlobalTestEnvironment(new EveryKernel);

}  // namespace
