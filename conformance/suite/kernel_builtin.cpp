// SPDX-License-Identifier: Apache-2.0
// Kernels that the device itself brings: the pack by its name.
#include <algorithm>

#include "frame/session.h"
#include "suite/pack_checks.h"

namespace xhal::conformance {
namespace {

constexpr const char* kFormat = "builtin";
constexpr const char* kPack = "xhal";

KernelImage named(const std::string& pack) { return {kFormat, "", {pack.begin(), pack.end()}, ""}; }

// The pack as the device has it, for one test.
class Builtins {
 public:
  explicit Builtins(Context& t) : t_(t) {
    note_call("xhal_module_load(device, &builtin_desc, &module)");
    expect_result(t, "XHAL-KERNEL-20", KernelPack::load(t.device(), named(kPack), &module_), XHAL_SUCCESS,
                  "xhal_module_load(device, &builtin_desc, &module)", XHAL_HERE, "");
    XHAL_STOP_UNLESS(module_ != nullptr);
  }
  ~Builtins() {
    note_call("xhal_module_destroy(module)");
    xhal_module_destroy(module_);
  }
  Builtins(const Builtins&) = delete;
  Builtins& operator=(const Builtins&) = delete;

  // Why a kernel that may be lacking is not there; "" where it is, and for all others.
  [[nodiscard]] std::string why_absent(const std::string& name) const {
    const std::string need = KernelPack::need_of(name, t_.properties().dtype_mask);
    xhal_kernel_t kernel = nullptr;
    if (need.empty() ||
        TRACED(xhal_module_get_kernel(module_, name.c_str(), &kernel)) != XHAL_ERROR_NOT_FOUND)
      return {};
    return fmt::format("{} needs {}", name, need);
  }
  // Leaves the test as not observed where the kernel is lacking as it may.
  [[nodiscard]] xhal_kernel_t find(const std::string& name) const {
    if (std::string why = why_absent(name); !why.empty()) Context::not_observable(std::move(why));
    xhal_kernel_t kernel = nullptr;
    Context& t = t_;
    ASSERT_RESULT("XHAL-KERNEL-20", xhal_module_get_kernel(module_, name.c_str(), &kernel), XHAL_SUCCESS,
                  "'{}'", name);
    return kernel;
  }
  [[nodiscard]] FindKernel finder() const {
    return [this](const std::string& name) { return find(name); };
  }
  [[nodiscard]] xhal_module_t module() const { return module_; }

 private:
  Context& t_;
  xhal_module_t module_ = nullptr;
};

bool lists_builtin(Context& t) {
  return std::ranges::any_of(t.session().image_formats(),
                             [](const auto& format) { return bounded_text(format.format) == kFormat; });
}

XHAL_TEST(builtin, every_kernel_is_there, .clauses = {"XHAL-KERNEL-20"},
          .observes =
              "the format is listed; each kernel of the pack's description by its name, with its number of "
              "parameters",
          .needs = {XHAL_FEATURE_BUILTIN_KERNELS}) {
  EXPECT_CLAUSE("XHAL-KERNEL-20", lists_builtin(t),
                "the device claims built-in kernels and does not list the format");
  const Builtins builtins(t);
  for (const auto& [name, parameters] : packed_kernels()) {
    if (std::string why = builtins.why_absent(name); !why.empty()) {
      t.note(std::move(why));
      continue;
    }
    xhal_kernel_info_t info{};
    info.struct_size = sizeof(info);
    REQUIRE_OK(xhal_kernel_get_info(builtins.find(name), &info));
    EXPECT_VALUE("XHAL-KERNEL-20", bounded_text(info.name), name);
    EXPECT_CLAUSE("XHAL-KERNEL-20", info.parameter_count == parameters || info.parameter_count == UINT32_MAX,
                  "{}: {}", name, info.parameter_count);
  }
  xhal_kernel_t none = sentinel<xhal_kernel_s>();
  EXPECT_RESULT("XHAL-KERNEL-20", xhal_module_get_kernel(builtins.module(), "xhal_fill_u3", &none),
                XHAL_ERROR_NOT_FOUND);
  EXPECT_VALUE("XHAL-KERNEL-20", none, sentinel<xhal_kernel_s>());
}

Cases types() { return grid({element_axis()}); }

XHAL_TEST_P(builtin, elements, types, .clauses = {"XHAL-KERNEL-20"},
            .observes = "fill, copy, iota, axpy and add of every element type against their oracles",
            .needs = {XHAL_FEATURE_BUILTIN_KERNELS}, .may_be_unobservable = true) {
  const Builtins builtins(t);
  check_elements(t, "XHAL-KERNEL-20", builtins.finder(), t.text("type"), 1003);
}

Cases group_kernels() { return grid({group_kernel_axis()}); }

XHAL_TEST_P(
    builtin, items_together, group_kernels, .clauses = {"XHAL-KERNEL-20"},
    .observes =
        "scan, reverse, transpose, matmul, atomics, spin and structures by value against their oracles",
    .needs = {XHAL_FEATURE_BUILTIN_KERNELS}, .may_be_unobservable = true,
    .not_bit_exact = "its sizes follow the device's limits") {
  const Builtins builtins(t);
  check_group_kernel(t, "XHAL-KERNEL-20", builtins.finder(), t.text("kernel"));
}

XHAL_TEST(builtin, folds_and_ids, .clauses = {"XHAL-KERNEL-20"},
          .observes = "fold, fold2 and the ids of three dimensions against their oracles",
          .needs = {XHAL_FEATURE_BUILTIN_KERNELS}) {
  const Builtins builtins(t);
  check_folds_and_ids(t, "XHAL-KERNEL-20", builtins.finder());
}

XHAL_TEST(
    builtin, other_packs, .clauses = {"XHAL-KERNEL-20", "XHAL-KERNEL-1"},
    .observes = "names that no pack has: the code, a text, the module not written, and the pack afterwards",
    .needs = {XHAL_FEATURE_BUILTIN_KERNELS}) {
  for (const char* name : {"no such pack", "xha", "xhall", "XHAL"}) {
    xhal_module_t module = sentinel<xhal_module_s>();
    xhal_error_clear();
    EXPECT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), named(name), &module),
                  XHAL_ERROR_INVALID_IMAGE, "'{}'", name);
    EXPECT_VALUE("XHAL-KERNEL-1", module, sentinel<xhal_module_s>());
    xhal_error_t error{};
    error.struct_size = sizeof(error);
    REQUIRE_OK(xhal_error_get_last(&error));
    EXPECT_CLAUSE("XHAL-KERNEL-1", !bounded_text(error.text).empty(), "the error has no text");
  }
  const Builtins builtins(t);
  check_folds_and_ids(t, "XHAL-KERNEL-20", builtins.finder());
}

XHAL_TEST(builtin, unclaimed, .clauses = {"XHAL-KERNEL-1"},
          .observes = "without the feature the format is not listed, and a module of it is refused",
          .needs = {XHAL_FEATURE_KERNEL}, .unless = {XHAL_FEATURE_BUILTIN_KERNELS}) {
  EXPECT_CLAUSE("XHAL-KERNEL-1", !lists_builtin(t),
                "the device lists a format whose feature it does not claim");
  xhal_module_t module = sentinel<xhal_module_s>();
  EXPECT_RESULT("XHAL-KERNEL-1", KernelPack::load(t.device(), named(kPack), &module),
                XHAL_ERROR_UNSUPPORTED_IMAGE);
  EXPECT_VALUE("XHAL-KERNEL-1", module, sentinel<xhal_module_s>());
}

}  // namespace
}  // namespace xhal::conformance
