// SPDX-License-Identifier: Apache-2.0
// Variables of the module, pointers in memory, words that the host writes meanwhile, and what the device tells of parameters.
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <new>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "opencl_fixture.hpp"

namespace {

using namespace xhal::opencl_test;  // NOLINT(google-build-using-namespace): a program of one file

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
    auto out = random_elements<std::uint64_t>(n + kSlack, n);
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
