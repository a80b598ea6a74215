// SPDX-License-Identifier: Apache-2.0
// Modules, kernel info, occupancy.
#include <algorithm>
#include <cstring>
#include <string_view>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

std::string last_text() {
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  return xhal_error_get_last(&error) == XHAL_SUCCESS ? bounded_text(error.text) : std::string();
}

XHAL_TEST(module, load_and_find, .clauses = {"XHAL-KERNEL-1", "XHAL-KERNEL-2", "XHAL-ABI-5"},
          .observes =
              "the pack's image loaded, its bytes overwritten, a kernel found twice and run, an unknown name",
          .needs = {XHAL_FEATURE_KERNEL}) {
  KernelImage image = t.pack().image();
  xhal_module_t module = nullptr;
  ASSERT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), image, &module), XHAL_SUCCESS);
  std::fill(image.bytes.begin(), image.bytes.end(), uint8_t{0});
  xhal_kernel_t kernel = nullptr;
  xhal_kernel_t again = nullptr;
  xhal_kernel_t none = sentinel<xhal_kernel_s>();
  const std::string fold = t.kernel_name("xhal_fold_u64");
  ASSERT_RESULT("XHAL-KERNEL-2", xhal_module_get_kernel(module, fold.c_str(), &kernel), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-KERNEL-2", xhal_module_get_kernel(module, fold.c_str(), &again), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-KERNEL-2", again, kernel);
  for (const std::string& name :
       {std::string("no_such_kernel"), std::string(), fold.substr(0, fold.size() - 1), fold + "x"}) {
    EXPECT_RESULT("XHAL-KERNEL-2", xhal_module_get_kernel(module, name.c_str(), &none), XHAL_ERROR_NOT_FOUND,
                  "'{}'", name);
  }
  EXPECT_VALUE("XHAL-KERNEL-2", none, sentinel<xhal_kernel_s>());
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{3});
  Stream stream(t);
  Launch launch(kernel);
  launch.updates(cell, 8).value(uint64_t{4}).value(uint64_t{1});
  EXPECT_RESULT("XHAL-ABI-5", launch.on(stream), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-ABI-5", t.read<uint64_t>(cell, 1).front(), oracle::mix(3, 4));
  EXPECT_RESULT("XHAL-KERNEL-1", xhal_module_destroy(module), XHAL_SUCCESS);
}

XHAL_TEST(module, unlisted_format, .clauses = {"XHAL-KERNEL-1"},
          .observes = "formats that no device lists, and a listed one with a made-up target: the code",
          .needs = {XHAL_FEATURE_KERNEL}) {
  KernelImage image = t.pack().image();
  xhal_module_t module = sentinel<xhal_module_s>();
  const std::string listed = image.format;
  for (const char* format : {"no-such-format", "", "Native", "nativ"}) {
    image.format = format;
    EXPECT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), image, &module), XHAL_ERROR_UNSUPPORTED_IMAGE,
                  "format '{}'", format);
  }
  if (!image.target.empty()) {
    image.format = listed;
    image.target = "no-such-target";
    EXPECT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), image, &module), XHAL_ERROR_UNSUPPORTED_IMAGE,
                  "a made-up target");
  }
  EXPECT_VALUE("XHAL-KERNEL-1", module, sentinel<xhal_module_s>());
}

XHAL_TEST(
    module, unknown_global, .clauses = {"XHAL-KERNEL-21"},
    .observes = "names of globals that the image does not have, a kernel's name among them: one code for all",
    .needs = {XHAL_FEATURE_KERNEL}) {
  xhal_module_t module = nullptr;
  REQUIRE_OK(KernelPack::load(t.device(), t.pack().image(), &module));
  void* pointer = &module;
  uint64_t size = 77;
  const xhal_result_t code = xhal_module_get_global(module, "no_such_global", &pointer, &size);
  EXPECT_CLAUSE("XHAL-KERNEL-21", code == XHAL_ERROR_NOT_FOUND || code == XHAL_ERROR_UNSUPPORTED, "'{}'",
                xhal_result_name(code));
  for (const std::string& name :
       {std::string(), std::string("no_such_globaL"), t.kernel_name("xhal_fold_u64")}) {
    EXPECT_RESULT("XHAL-KERNEL-21", xhal_module_get_global(module, name.c_str(), &pointer, &size), code,
                  "'{}'", name);
  }
  EXPECT_VALUE("XHAL-KERNEL-21", pointer, static_cast<void*>(&module));
  EXPECT_VALUE("XHAL-KERNEL-21", size, uint64_t{77});
  EXPECT_RESULT("XHAL-KERNEL-21", xhal_module_destroy(module), XHAL_SUCCESS);
}

Cases damages() {
  return grid(
      {{"damage", {"empty", "one_byte", "header_only", "half", "nine_tenths", "random", "zeros", "text"}}});
}

XHAL_TEST_P(module, bytes_that_are_no_image, damages, .clauses = {"XHAL-KERNEL-1"},
            .observes = "the code, a text that says why, the device afterwards",
            .needs = {XHAL_FEATURE_KERNEL}) {
  KernelImage image = t.pack().image();
  const std::string& damage = t.text("damage");
  if (image.format == "builtin")
    Context::inconclusive("built-in kernels have no image whose bytes could be damaged");
  auto& bytes = image.bytes;
  if (damage == "empty") bytes.clear();
  if (damage == "one_byte") bytes.resize(1);
  if (damage == "header_only") bytes.resize(std::min<size_t>(bytes.size(), 64));
  if (damage == "half") bytes.resize(bytes.size() / 2);
  if (damage == "nine_tenths") bytes.resize(bytes.size() * 9 / 10);
  // A text that ends between two functions is whole: this one ends inside of one.
  const bool is_cut =
      damage == "one_byte" || damage == "header_only" || damage == "half" || damage == "nine_tenths";
  if (is_cut && image.format == "opencl-c") {
    constexpr std::string_view kUnfinished = "\nkernel void cut_off(";
    bytes.insert(bytes.end(), kUnfinished.begin(), kUnfinished.end());
  }
  if (damage == "random") bytes = t.random_bytes(bytes.size());
  if (damage == "zeros") std::fill(bytes.begin(), bytes.end(), uint8_t{0});
  if (damage == "text")
    bytes.assign(reinterpret_cast<const uint8_t*>("this is no image\n"),
                 reinterpret_cast<const uint8_t*>("this is no image\n") + 17);
  // A pointer that is not null even for no bytes at all.
  bytes.reserve(1);
  xhal_module_t module = sentinel<xhal_module_s>();
  xhal_error_clear();
  EXPECT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), image, &module), XHAL_ERROR_INVALID_IMAGE);
  EXPECT_CLAUSE("XHAL-KERNEL-1", !last_text().empty(), "the error has no text");
  EXPECT_VALUE("XHAL-KERNEL-1", module, sentinel<xhal_module_s>());
  Stream stream(t);
  Marker marker(t);
  marker.fill_on(t, stream);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-KERNEL-1", marker.filled(), "{}", marker.shown());
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(module, destroy_in_flight, gates, .clauses = {"XHAL-KERNEL-8", "XHAL-ABI-4"},
            .observes =
                "a module is destroyed with its kernel queued behind a gate: the call returns, the kernel "
                "runs, its handles are dead",
            .needs = {XHAL_FEATURE_KERNEL}) {
  constexpr uint64_t kCells = 100;
  const auto before = t.random_u64(kCells);
  xhal_module_t module = nullptr;
  REQUIRE_OK(KernelPack::load(t.device(), t.pack().image(), &module));
  xhal_kernel_t kernel = nullptr;
  REQUIRE_OK(xhal_module_get_kernel(module, t.kernel_name("xhal_fold_u64").c_str(), &kernel));
  Stream stream(t);
  const Buffer cells = device_memory(t, kCells * 8);
  t.write(cells, before);
  Launch launch(kernel);
  launch.cover(kCells, small_group(t)).updates(cells).value(uint64_t{21}).value(kCells);
  // Code may be loaded by the first launch, which may wait for that; the destroy of a module whose first launch is in flight is what
  // `loaded_often` looks at.
  REQUIRE_OK(launch.on(stream));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(launch.on(stream));
  EXPECT_RESULT("XHAL-KERNEL-8", xhal_module_destroy(module), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-KERNEL-8", gate.held(), "the destroy blocked");
  EXPECT_RESULT("XHAL-ABI-4", launch.on(stream), XHAL_ERROR_INVALID_HANDLE,
                "a kernel of the destroyed module");
  EXPECT_RESULT("XHAL-ABI-4", xhal_module_destroy(module), XHAL_ERROR_INVALID_HANDLE, "destroyed twice");
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto after = oracle::fold_u64(oracle::fold_u64(before, 21, kCells), 21, kCells);
  EXPECT_DATA("XHAL-KERNEL-8", after, t.read<uint64_t>(cells, kCells));
}

XHAL_TEST(module, loaded_often, .clauses = {"XHAL-KERNEL-8"},
          .observes = "30 modules loaded, run and destroyed in turn, the work still in flight",
          .needs = {XHAL_FEATURE_KERNEL}) {
  const KernelImage image = t.pack().image();
  Stream stream(t);
  const Buffer cell = device_memory(t, 8);
  t.write(cell, std::vector<uint64_t>{0});
  oracle::FoldHistory history(0);
  for (uint64_t i = 0; i < 30; ++i) {
    xhal_module_t module = nullptr;
    xhal_kernel_t kernel = nullptr;
    REQUIRE_OK(KernelPack::load(t.device(), image, &module));
    REQUIRE_OK(xhal_module_get_kernel(module, t.kernel_name("xhal_fold_u64").c_str(), &kernel));
    Launch launch(kernel);
    launch.updates(cell, 8).value(i).value(uint64_t{1});
    REQUIRE_OK(launch.on(stream));
    EXPECT_RESULT("XHAL-KERNEL-8", xhal_module_destroy(module), XHAL_SUCCESS);
    history.fold(i);
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_VALUE("XHAL-KERNEL-8", t.read<uint64_t>(cell, 1).front(), history.value());
}

XHAL_TEST(kernel, info, .clauses = {"XHAL-KERNEL-11"},
          .observes =
              "name, parameter count, group size, preferred multiple and static local bytes of four kernels; "
              "a group of the largest size runs",
          .needs = {XHAL_FEATURE_KERNEL}, .not_bit_exact = "its sizes follow the device's limits") {
  const auto& p = t.properties();
  const std::pair<const char*, uint32_t> kernels[] = {
      {"xhal_fold_u64", 3}, {"xhal_reduce_u32", 4}, {"xhal_ids_u32", 1}, {"xhal_axpy_f32", 4}};
  for (const auto& [name, parameters] : kernels) {
    xhal_kernel_info_t info{};
    info.struct_size = sizeof(info);
    ASSERT_RESULT("XHAL-KERNEL-11", xhal_kernel_get_info(t.kernel(name), &info), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-KERNEL-11", bounded_text(info.name), t.kernel_name(name));
    EXPECT_CLAUSE("XHAL-KERNEL-11", info.parameter_count == parameters || info.parameter_count == UINT32_MAX,
                  "{}: {}", name, info.parameter_count);
    EXPECT_CLAUSE("XHAL-KERNEL-11", info.max_group_items > 0 && info.max_group_items <= p.max_group_items,
                  "{}: {}", name, info.max_group_items);
    EXPECT_CLAUSE("XHAL-KERNEL-11", info.preferred_group_multiple > 0, "{}", name);
    EXPECT_CLAUSE("XHAL-KERNEL-11", info.static_local_bytes <= p.max_local_bytes, "{}: {}", name,
                  info.static_local_bytes);
  }
  xhal_kernel_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_kernel_get_info(t.kernel("xhal_fold_u64"), &info));
  if (t.claims(XHAL_FEATURE_ARGUMENT_CHECK))
    EXPECT_VALUE("XHAL-KERNEL-11", info.parameter_count, 3u, "argument_check knows the parameters");
  const uint32_t items = std::min(info.max_group_items, p.max_group_size[0]);
  const auto before = t.random_u64(items * 2);
  const Buffer cells = device_memory(t, before.size() * 8);
  t.write(cells, before);
  Stream stream(t);
  Launch launch(t.kernel("xhal_fold_u64"));
  launch.groups(2).items(items).updates(cells).value(uint64_t{8}).value(uint64_t{before.size()});
  EXPECT_RESULT("XHAL-KERNEL-11", launch.on(stream), XHAL_SUCCESS, "groups of {}", items);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-11", oracle::fold_u64(before, 8, before.size()),
              t.read<uint64_t>(cells, before.size()));
}

XHAL_TEST(
    kernel, occupancy, .clauses = {"XHAL-KERNEL-12"},
    .observes = "groups a unit for legal sizes, for too much local memory and for a group that is too large",
    .needs = {XHAL_FEATURE_KERNEL}) {
  xhal_kernel_t kernel = t.kernel("xhal_reduce_u32");
  xhal_kernel_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_kernel_get_info(kernel, &info));
  const uint64_t most_local = t.properties().max_local_bytes;
  const auto groups = [&](uint32_t items, uint64_t local) {
    xhal_occupancy_t out{};
    out.struct_size = sizeof(out);
    out.groups_per_unit = 77;
    EXPECT_RESULT("XHAL-KERNEL-12", xhal_kernel_get_occupancy(kernel, items, local, &out), XHAL_SUCCESS,
                  "{} items, {} bytes", items, local);
    EXPECT_CLAUSE("XHAL-KERNEL-12", out.suggested_group_items <= info.max_group_items, "suggests {}",
                  out.suggested_group_items);
    return out.groups_per_unit;
  };
  EXPECT_CLAUSE("XHAL-KERNEL-12", groups(1, 4) >= 1);
  EXPECT_CLAUSE("XHAL-KERNEL-12", groups(small_group(t), 256) >= 1);
  EXPECT_CLAUSE("XHAL-KERNEL-12", groups(1, most_local - info.static_local_bytes) >= 1,
                "all the local memory there is");
  EXPECT_VALUE("XHAL-KERNEL-12", groups(1, most_local + 1), 0u, "one byte more than there is");
  EXPECT_VALUE("XHAL-KERNEL-12", groups(1, ~uint64_t{0}), 0u, "2^64 - 1 bytes");
}

}  // namespace
}  // namespace xhal::conformance
