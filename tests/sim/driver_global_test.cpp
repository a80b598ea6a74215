// SPDX-License-Identifier: Apache-2.0
// Global variables of modules: whose they are, when they end, who keeps them.
#include "harness.hpp"

namespace xhal::sim_test {
namespace {

constexpr uint64_t kHigh = uint64_t{1} << 40;

xhal_memory_info_t memory_info(xhal_device_t device) {
  auto out = sized<xhal_memory_info_t>();
  EXPECT_EQ(call().device_get_memory_info(device, &out), XHAL_SUCCESS);
  return out;
}

class Globals : public testing::Test {
 protected:
  struct Variable {
    void* pointer = nullptr;
    uint64_t size = 0;
  };
  static Variable find(xhal_module_t module, const char* name) {
    Variable out;
    EXPECT_EQ(call().module_get_global(module, name, &out.pointer, &out.size), XHAL_SUCCESS) << last_text;
    return out;
  }
  [[nodiscard]] xhal_pointer_attributes_t attributes(const void* pointer) const {
    auto told = sized<xhal_pointer_attributes_t>();
    EXPECT_EQ(call().driver_get_pointer_attributes(machine.handle, pointer, &told), XHAL_SUCCESS);
    return told;
  }
  [[nodiscard]] uint64_t free_bytes() const { return memory_info(device).free_bytes; }
  [[nodiscard]] xhal_result_t bump(xhal_kernel_t kernel, uint64_t add) const {
    return run(stream, kernel, {memory(out), value(add)});
  }

  Machine machine{"devices=2"};
  xhal_device_t device = machine.device();
  xhal_stream_t stream = make_stream(device);
  void* out = allocate(device, 4);
};

TEST_F(Globals, AreAllocationsOfTheDeviceWithTheImagesValues) {
  const xhal_module_t module = load_test_image(device);
  const Variable sums = find(module, "sums");
  const Variable count = find(module, "count");
  EXPECT_EQ(sums.size, 32u);
  EXPECT_EQ(count.size, 4u);
  EXPECT_EQ(reinterpret_cast<uint64_t>(count.pointer) % 4096, 0u);
  const auto told = attributes(static_cast<char*>(sums.pointer) + 31);
  EXPECT_EQ(told.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(told.device_index, 0u);
  EXPECT_EQ(told.base, sums.pointer);
  EXPECT_EQ(told.size, 32u);
  EXPECT_EQ(read_back<uint64_t>(stream, sums.pointer, 4), (std::vector<uint64_t>{5, 6, 7, kHigh}));
  EXPECT_EQ(read_back<uint32_t>(stream, count.pointer, 1), std::vector<uint32_t>{0});
  std::vector<char> more(33);
  EXPECT_EQ(call().memory_copy(stream, more.data(), sums.pointer, 33), XHAL_ERROR_OUT_OF_RANGE);
}

TEST_F(Globals, AreNobodysToFreeOrExport) {
  const Variable sums = find(load_test_image(device), "sums");
  EXPECT_EQ(call().memory_free(device, sums.pointer), XHAL_ERROR_INVALID_POINTER);
  EXPECT_NE(last_text.find("global variable"), std::string::npos) << last_text;
  std::vector<char> handle(4096);
  EXPECT_EQ(call().ipc_export_memory(device, sums.pointer, handle.size(), handle.data()),
            XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes(sums.pointer).size, 32u);
}

TEST_F(Globals, EachLoadHasItsOwn) {
  const xhal_module_t first = load_test_image(device);
  const xhal_module_t second = load_test_image(device);
  const xhal_module_t others = load_test_image(machine.device(1));
  ASSERT_EQ(bump(get_kernel(first, "bump"), 10), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(bump(get_kernel(first, "bump"), 10), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(read_back<uint32_t>(stream, out, 1), std::vector<uint32_t>{1});
  EXPECT_EQ(read_back<uint64_t>(stream, find(first, "sums").pointer, 4),
            (std::vector<uint64_t>{25, 26, 27, kHigh + 20}));
  EXPECT_EQ(read_back<uint64_t>(stream, find(second, "sums").pointer, 4),
            (std::vector<uint64_t>{5, 6, 7, kHigh}));
  EXPECT_EQ(read_back<uint64_t>(make_stream(machine.device(1)), find(others, "sums").pointer, 4),
            (std::vector<uint64_t>{5, 6, 7, kHigh}));
}

TEST_F(Globals, EndWithTheModuleAndAreFresh) {
  const uint64_t before = free_bytes();
  for (int i = 0; i < 5; ++i) {
    const xhal_module_t module = load_test_image(device);
    const Variable sums = find(module, "sums");
    EXPECT_EQ(read_back<uint64_t>(stream, sums.pointer, 1), std::vector<uint64_t>{5});
    ASSERT_EQ(bump(get_kernel(module, "bump"), 1), XHAL_SUCCESS);
    EXPECT_EQ(read_back<uint32_t>(stream, out, 1), std::vector<uint32_t>{0});
    EXPECT_LT(free_bytes(), before);
    ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
    EXPECT_EQ(attributes(sums.pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
    EXPECT_EQ(free_bytes(), before);
  }
}

TEST_F(Globals, StayForWorkInFlight) {
  const uint64_t before = free_bytes();
  const xhal_module_t module = load_test_image(device);
  const Variable sums = find(module, "sums");
  const xhal_kernel_t kernel = get_kernel(module, "bump");
  std::vector<uint64_t> words(4);
  {
    Gate gate(stream);
    ASSERT_EQ(bump(kernel, 100), XHAL_SUCCESS);
    auto* pinned = allocate(device, 32, XHAL_MEMORY_PINNED);
    ASSERT_EQ(call().memory_copy(stream, pinned, sums.pointer, 32), XHAL_SUCCESS) << last_text;
    ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
    EXPECT_EQ(attributes(sums.pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
    // Were the memory given out again, this would write to it.
    const xhal_stream_t other = make_stream(device);
    for (int i = 0; i < 64; ++i)
      ASSERT_EQ(call().memory_fill(other, allocate(device, 4096), 0xff, 1, 4096), XHAL_SUCCESS);
    expect_synchronized(other);
    gate.open();
    expect_synchronized(stream);
    std::memcpy(words.data(), pinned, 32);
  }
  EXPECT_EQ(words, (std::vector<uint64_t>{105, 106, 107, kHigh + 100}));
  EXPECT_LE(free_bytes(), before - 64 * 4096);
}

// A graph keeps the code of its nodes, and what that writes to.
TEST_F(Globals, StayForGraphs) {
  const uint64_t before = free_bytes();
  const xhal_module_t module = load_test_image(device);
  ASSERT_EQ(call().stream_begin_capture(stream, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(bump(get_kernel(module, "bump"), 1), XHAL_SUCCESS) << last_text;
  xhal_graph_t graph = nullptr;
  ASSERT_EQ(call().stream_end_capture(stream, &graph), XHAL_SUCCESS) << last_text;
  xhal_graph_exec_t exec = nullptr;
  ASSERT_EQ(call().graph_instantiate(graph, 0, &exec), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(call().graph_destroy(graph), XHAL_SUCCESS);
  ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_LT(free_bytes(), before);
  const std::vector<uint8_t> pattern(4096, 0xa5);
  void* other = allocate(device, 4096);
  ASSERT_EQ(call().memory_fill(stream, other, 0xa5, 1, 4096), XHAL_SUCCESS);
  for (uint32_t i = 0; i < 3; ++i) {
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(read_back<uint32_t>(stream, out, 1), std::vector<uint32_t>{i});
  }
  EXPECT_EQ(read_back<uint8_t>(stream, other, 4096), pattern);
  ASSERT_EQ(call().memory_free(device, other), XHAL_SUCCESS);
  ASSERT_EQ(call().graph_exec_destroy(exec), XHAL_SUCCESS);
  EXPECT_EQ(free_bytes(), before);
}

TEST_F(Globals, AreGoneAfterAReset) {
  const xhal_module_t module = load_test_image(device);
  const Variable sums = find(module, "sums");
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  void* pointer = out;
  uint64_t size = 9;
  EXPECT_EQ(call().module_get_global(module, "sums", &pointer, &size), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(pointer, out);
  EXPECT_EQ(size, 9u);
  const xhal_stream_t fresh = make_stream(device);
  EXPECT_EQ(call().memory_fill(fresh, sums.pointer, 0, 1, 32), XHAL_ERROR_INVALID_POINTER);
  ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_EQ(attributes(sums.pointer).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
}

TEST(GlobalsOfAFullDevice, AreRefusedAndLeaveNothing) {
  Machine machine("memory=1m");
  const xhal_device_t device = machine.device();
  const xhal_module_t first = load_test_image(device);
  const xhal_memory_info_t before = memory_info(device);
  ASSERT_EQ(before.free_bytes + 8192, before.total_bytes) << "a page for each";
  // Room for one of the two.
  void* rest = allocate(device, before.free_bytes - 4096);
  xhal_module_t module = nullptr;
  EXPECT_EQ(load(device, read_file(XHAL_TEST_IMAGE), "", module), XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
  EXPECT_NE(last_text.find("global variable 'count'"), std::string::npos) << last_text;
  EXPECT_EQ(module, nullptr);
  EXPECT_EQ(memory_info(device).free_bytes, 4096u);
  ASSERT_EQ(call().memory_free(device, rest), XHAL_SUCCESS);
  EXPECT_EQ(load(device, read_file(XHAL_TEST_IMAGE), "", module), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().module_destroy(first), XHAL_SUCCESS);
}

TEST_F(Globals, AnImageOfVersion2HasNone) {
  xhal_module_t module = nullptr;
  ASSERT_EQ(load(device, read_file(XHAL_TEST_IMAGE_2), "x86-64-v2", module), XHAL_SUCCESS) << last_text;
  Variable none;
  EXPECT_EQ(call().module_get_global(module, "sums", &none.pointer, &none.size), XHAL_ERROR_NOT_FOUND);
  const uint32_t number = 7;
  const uint64_t n = 1;
  ASSERT_EQ(run(stream, get_kernel(module, "fill"), {memory(out), value(number), value(n)}), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint32_t>(stream, out, 1), std::vector<uint32_t>{7});
}

}  // namespace
}  // namespace xhal::sim_test
