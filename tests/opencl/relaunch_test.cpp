// SPDX-License-Identifier: Apache-2.0
// A launch sets the arguments that differ from those of the queue's last one, and no other. Seen by a loader that counts, over PoCL.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "bench/runner/bench.hpp"

namespace {

using xhal::bench::Bench;
using xhal::bench::NothingLaunch;
using xhal::conformance::Session;
using xhal::conformance::Target;

class Relaunch : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("XHAL_OPENCL", "cache=off,loader=" XHAL_COUNTING_LOADER, 1);
    setenv("OCL_ICD_VENDORS", "/etc/OpenCL/vendors/pocl.icd", 1);
    setenv("POCL_CACHE_DIR", testing::TempDir().c_str(), 1);
  }
  static Target target() {
    Target out;
    out.backend = "opencl";
    return out;
  }
  static unsigned counted(const char* name) {
    void* const loader = dlopen(XHAL_COUNTING_LOADER, RTLD_NOW | RTLD_NOLOAD);
    const auto* const number = loader == nullptr ? nullptr : static_cast<unsigned*>(dlsym(loader, name));
    if (number == nullptr) throw std::runtime_error("the driver has not taken the loader that counts");
    return *number;
  }
  // How many arguments `launch` sets; a launch is one command.
  template <class Launch>
  static unsigned set_by(const Launch& launch) {
    const unsigned sets = counted("arguments_set");
    const unsigned launches = counted("launches");
    launch();
    EXPECT_EQ(counted("launches"), launches + 1);
    return counted("arguments_set") - sets;
  }

  Session session_{target()};
  Bench bench_{session_, XHAL_BENCH_KERNEL_DIR};
};

TEST_F(Relaunch, WithTheSameArgumentsSetsNothing) {
  const auto stream = bench_.make_stream();
  NothingLaunch launch(bench_, NothingLaunch::kChanging);
  launch.on(stream);
  EXPECT_EQ(set_by([&] { launch.on(stream); }), 0U);
  EXPECT_EQ(set_by([&] { launch.on(stream); }), 0U);
  xhal::bench::wait_for(stream);
}

TEST_F(Relaunch, SetsWhatDiffers) {
  const auto stream = bench_.make_stream();
  NothingLaunch launch(bench_, NothingLaunch::kChanging);
  launch.on(stream);
  EXPECT_EQ(set_by([&] { launch.changed().on(stream); }), 4U);
  EXPECT_EQ(set_by([&] { launch.changed().on(stream); }), 4U);
  xhal::bench::PreparedLaunch one(bench_.bench_kernel("bench_empty_4"));
  const auto page = bench_.make_memory(XHAL_MEMORY_DEVICE, 4096);
  one.writes(page.get()).reads(page.get()).value(uint64_t{3}).value(uint64_t{3});
  one.on(stream);
  const auto other = bench_.make_memory(XHAL_MEMORY_DEVICE, 4096);
  one.point(1, other.get());
  EXPECT_EQ(set_by([&] { one.on(stream); }), 1U);
  xhal::bench::wait_for(stream);
}

// A queue's kernel is its own: what another queue has set is not there.
TEST_F(Relaunch, OnAnotherStreamSetsAll) {
  const auto first = bench_.make_stream();
  const auto second = bench_.make_stream();
  NothingLaunch launch(bench_, NothingLaunch::kChanging);
  launch.on(first);
  EXPECT_EQ(set_by([&] { launch.on(second); }), 4U);
  EXPECT_EQ(set_by([&] { launch.on(first); }), 0U);
  xhal::bench::wait_for(first);
  xhal::bench::wait_for(second);
}

// An address may be another allocation's by then.
TEST_F(Relaunch, BehindAFreeSetsMemoryAnew) {
  const auto stream = bench_.make_stream();
  NothingLaunch launch(bench_, NothingLaunch::kChanging);
  auto freed = bench_.make_memory(XHAL_MEMORY_DEVICE, 4096);
  launch.on(stream);
  freed.reset();
  EXPECT_EQ(set_by([&] { launch.on(stream); }), 2U);
  EXPECT_EQ(set_by([&] { launch.on(stream); }), 0U);
  xhal::bench::wait_for(stream);
}

}  // namespace
