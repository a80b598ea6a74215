// SPDX-License-Identifier: Apache-2.0
// Global variables of a module: where they are, who sees what in them, whose they are.
#include <cstddef>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

constexpr uint64_t kKept = oracle::kKeptCells;

// The pack's image once more on a device.
class LoadedPack {
 public:
  explicit LoadedPack(Context& t, size_t device = 0) : t_(t), device_(device) {
    REQUIRE_OK(KernelPack::load(t.device(device), t.pack(device).image(), &module_));
  }
  ~LoadedPack() {
    if (module_ != nullptr) xhal_module_destroy(module_);
  }
  LoadedPack(const LoadedPack&) = delete;
  LoadedPack& operator=(const LoadedPack&) = delete;

  [[nodiscard]] xhal_module_t module() const { return module_; }
  xhal_result_t destroy() { return xhal_module_destroy(std::exchange(module_, nullptr)); }

  struct Global {
    std::byte* pointer = nullptr;
    uint64_t size = 0;
  };
  // Leaves the test as not observable on a device that refuses every name, and where the image was made without variables.
  Global global(const char* name) {
    Context& t = t_;
    Global out;
    void* pointer = nullptr;
    const xhal_result_t code =
        xhal_module_get_global(module_, t.kernel_name(name, device_).c_str(), &pointer, &out.size);
    if (code == XHAL_ERROR_UNSUPPORTED) {
      EXPECT_RESULT("XHAL-KERNEL-21", xhal_module_get_global(module_, "no_such_global", &pointer, &out.size),
                    XHAL_ERROR_UNSUPPORTED, "one name is unsupported");
      Context::not_observable("the device's interface has no global variables");
    }
    if (const std::string why = t.pack(device_).why_absent("xhal_kept_u64"); !why.empty()) {
      EXPECT_RESULT("XHAL-KERNEL-21", code, XHAL_ERROR_NOT_FOUND, "{}, which the image does not have", name);
      Context::not_observable(why);
    }
    ASSERT_RESULT("XHAL-KERNEL-21", code, XHAL_SUCCESS, "{}", name);
    out.pointer = static_cast<std::byte*>(pointer);
    return out;
  }
  Global kept() { return global("xhal_kept"); }
  Global items() { return global("xhal_kept_items"); }

  // Stores the first n of the kept cells to `out` and folds `op` into them.
  xhal_result_t fold(xhal_stream_t stream, const Buffer& out, uint64_t op, uint64_t n) {
    Context& t = t_;
    xhal_kernel_t kernel = nullptr;
    REQUIRE_OK(xhal_module_get_kernel(module_, t.kernel_name("xhal_kept_u64", device_).c_str(), &kernel));
    Launch launch(kernel);
    launch.cover(n, small_group(t, device_)).writes(out, out.size()).value(op).value(n);
    return launch.on(stream);
  }

 private:
  Context& t_;
  const size_t device_;
  xhal_module_t module_ = nullptr;
};

XHAL_TEST(module, global_address, .clauses = {"XHAL-KERNEL-21"},
          .observes =
              "address and size of two variables, asked for in turn, beside their pointer attributes; freed "
              "in vain",
          .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  LoadedPack loaded(t);
  const auto kept = loaded.kept();
  const auto items = loaded.items();
  EXPECT_VALUE("XHAL-KERNEL-21", kept.size, kKept * 8);
  EXPECT_VALUE("XHAL-KERNEL-21", items.size, uint64_t{4});
  EXPECT_CLAUSE("XHAL-KERNEL-21", reinterpret_cast<uintptr_t>(kept.pointer) % 8 == 0, "at {}",
                static_cast<void*>(kept.pointer));
  EXPECT_CLAUSE("XHAL-KERNEL-21",
                kept.pointer + kept.size <= items.pointer || items.pointer + items.size <= kept.pointer,
                "{} and {} overlap", static_cast<void*>(kept.pointer), static_cast<void*>(items.pointer));
  for (int round = 0; round < 2; ++round) {
    EXPECT_VALUE("XHAL-KERNEL-21", loaded.kept().pointer, kept.pointer, "asked again");
    EXPECT_VALUE("XHAL-KERNEL-21", loaded.items().pointer, items.pointer, "asked again");
  }
  for (const auto& [pointer, size] : {kept, items}) {
    const xhal_pointer_attributes_t first = attributes_of(t, pointer);
    EXPECT_VALUE("XHAL-KERNEL-21", first.kind, uint32_t{XHAL_MEMORY_DEVICE});
    EXPECT_VALUE("XHAL-KERNEL-21", first.device_index, t.properties().index);
    const auto* base = static_cast<const std::byte*>(first.base);
    EXPECT_CLAUSE("XHAL-KERNEL-21", base <= pointer && pointer + size <= base + first.size,
                  "{} bytes from {} on, in an allocation of {} from {} on", size, static_cast<void*>(pointer),
                  first.size, first.base);
    EXPECT_VALUE("XHAL-KERNEL-21", attributes_of(t, pointer + size - 1).allocation_id, first.allocation_id);
    EXPECT_RESULT("XHAL-KERNEL-21", xhal_memory_free(t.device(), pointer), XHAL_ERROR_INVALID_POINTER);
  }
  EXPECT_DATA("XHAL-KERNEL-21", oracle::first_kept_u64(), t.read<uint64_t>(kept.pointer, kKept),
              "after the refused free");
}

XHAL_TEST(module, global_name, .clauses = {"XHAL-KERNEL-21", "XHAL-KERNEL-2"},
          .observes =
              "names that are nearly a variable's, and a kernel's, after ones that were found: the code, the "
              "outputs unchanged",
          .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  LoadedPack loaded(t);
  static_cast<void>(loaded.kept());
  const std::string name = t.kernel_name("xhal_kept");
  void* pointer = &loaded;
  uint64_t size = 77;
  for (const std::string& other :
       {std::string(), name.substr(0, name.size() - 1), name + "x", t.kernel_name("xhal_kept_u64")}) {
    EXPECT_RESULT("XHAL-KERNEL-21", xhal_module_get_global(loaded.module(), other.c_str(), &pointer, &size),
                  XHAL_ERROR_NOT_FOUND, "'{}'", other);
  }
  xhal_kernel_t kernel = sentinel<xhal_kernel_s>();
  EXPECT_RESULT("XHAL-KERNEL-2", xhal_module_get_kernel(loaded.module(), name.c_str(), &kernel),
                XHAL_ERROR_NOT_FOUND, "a variable's name");
  EXPECT_VALUE("XHAL-KERNEL-21", pointer, static_cast<void*>(&loaded));
  EXPECT_VALUE("XHAL-KERNEL-21", size, uint64_t{77});
  const xhal_module_t gone = loaded.module();
  REQUIRE_OK(loaded.destroy());
  EXPECT_RESULT("XHAL-KERNEL-21", xhal_module_get_global(gone, name.c_str(), &pointer, &size),
                XHAL_ERROR_INVALID_HANDLE, "of a module that was destroyed");
}

XHAL_TEST(module, global_values, .clauses = {"XHAL-KERNEL-21", "XHAL-KERNEL-16"},
          .observes =
              "the image's values read by a copy; a kernel's by the host; the host's, written by copies and "
              "a fill, by a kernel of the same stream",
          .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  constexpr uint64_t kSome = 9;
  LoadedPack loaded(t);
  const auto kept = loaded.kept();
  const auto items = loaded.items();
  Stream stream(t);
  const Buffer out = device_memory(t, kKept * 8);
  const Buffer copy = device_memory(t, kKept * 8);
  const auto first = oracle::first_kept_u64();
  EXPECT_DATA("XHAL-KERNEL-21", first, t.read<uint64_t>(kept.pointer, kKept), "before any launch");
  EXPECT_VALUE("XHAL-KERNEL-21", t.read<uint32_t>(items.pointer, 1).front(), 0u, "before any launch");
  const auto before = t.random_u64(kKept);
  t.write(out, before);
  ASSERT_RESULT("XHAL-KERNEL-21", loaded.fold(stream, out, 5, kSome), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto outcome = oracle::kept_u64(before, first, 5, kSome);
  EXPECT_DATA("XHAL-KERNEL-21", outcome.out, t.read<uint64_t>(out, kKept), "what the kernel found");
  EXPECT_DATA("XHAL-KERNEL-21", outcome.kept, t.read<uint64_t>(kept.pointer, kKept), "what it left");
  EXPECT_VALUE("XHAL-KERNEL-21", t.read<uint32_t>(items.pointer, 1).front(), uint32_t{kSome});

  const auto words = t.random_u64(kKept, 1);
  const Buffer pinned(t, XHAL_MEMORY_PINNED, kKept * 8);
  std::memcpy(pinned.get(), words.data(), kKept * 8);
  ASSERT_RESULT("XHAL-KERNEL-21", xhal_memory_copy(stream, kept.pointer, pinned, kKept * 8), XHAL_SUCCESS);
  ASSERT_RESULT("XHAL-KERNEL-21", xhal_memory_fill(stream, kept.pointer + 8, 0x1234, 8, 16), XHAL_SUCCESS);
  ASSERT_RESULT("XHAL-KERNEL-21", xhal_memory_fill(stream, items.pointer, 1000, 4, 4), XHAL_SUCCESS);
  ASSERT_RESULT("XHAL-KERNEL-21", loaded.fold(stream, out, 6, kKept), XHAL_SUCCESS);
  ASSERT_RESULT("XHAL-KERNEL-21", xhal_memory_copy(stream, copy, kept.pointer, kKept * 8), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  auto found = words;
  found[1] = found[2] = 0x1234;
  const auto later = oracle::kept_u64(outcome.out, found, 6, kKept);
  EXPECT_DATA("XHAL-KERNEL-16", later.out, t.read<uint64_t>(out, kKept), "behind copy and fill");
  EXPECT_DATA("XHAL-KERNEL-16", later.kept, t.read<uint64_t>(copy, kKept), "before the copy");
  EXPECT_VALUE("XHAL-KERNEL-21", t.read<uint32_t>(items.pointer, 1).front(), uint32_t{1000 + kKept});
}

XHAL_TEST(module, globals_apart, .clauses = {"XHAL-KERNEL-21"},
          .observes =
              "the image loaded several times, on two devices where there are two: each has values of its "
              "own, a later one the image's",
          .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  const auto first = oracle::first_kept_u64();
  LoadedPack one(t);
  LoadedPack two(t);
  const auto kept = one.kept();
  const auto others = two.kept();
  EXPECT_CLAUSE("XHAL-KERNEL-21",
                kept.pointer + kept.size <= others.pointer || others.pointer + others.size <= kept.pointer,
                "two modules have it at {} and {}", static_cast<void*>(kept.pointer),
                static_cast<void*>(others.pointer));
  Stream stream(t);
  const Buffer out = device_memory(t, kKept * 8);
  const std::vector<uint64_t> zeros(kKept);
  t.write(out, zeros);
  ASSERT_RESULT("XHAL-KERNEL-21", one.fold(stream, out, 3, kKept), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-21", first, t.read<uint64_t>(others.pointer, kKept), "another module's");
  EXPECT_VALUE("XHAL-KERNEL-21", t.read<uint32_t>(two.items().pointer, 1).front(), 0u, "another module's");
  ASSERT_RESULT("XHAL-KERNEL-21", two.fold(stream, out, 4, kKept), XHAL_SUCCESS);
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-21", oracle::kept_u64(zeros, first, 4, kKept).out, t.read<uint64_t>(out, kKept),
              "what another module's kernel found");
  EXPECT_DATA("XHAL-KERNEL-21", oracle::kept_u64(zeros, first, 3, kKept).kept,
              t.read<uint64_t>(kept.pointer, kKept), "after another module's launch");
  EXPECT_RESULT("XHAL-KERNEL-21", one.destroy(), XHAL_SUCCESS);
  LoadedPack later(t);
  EXPECT_DATA("XHAL-KERNEL-21", first, t.read<uint64_t>(later.kept().pointer, kKept), "of a later load");
  EXPECT_VALUE("XHAL-KERNEL-21", t.read<uint32_t>(later.items().pointer, 1).front(), 0u, "of a later load");
  if (t.device_count() < 2 || !t.claims(XHAL_FEATURE_KERNEL, 1)) return;
  LoadedPack elsewhere(t, 1);
  const auto distant = elsewhere.kept();
  EXPECT_VALUE("XHAL-KERNEL-21", attributes_of(t, distant.pointer).device_index, t.properties(1).index);
  EXPECT_DATA("XHAL-KERNEL-21", first, t.read<uint64_t>(distant.pointer, kKept, 1), "on another device");
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(module, globals_in_flight, gates, .clauses = {"XHAL-KERNEL-8", "XHAL-KERNEL-21"},
            .observes =
                "a module is destroyed with a kernel queued behind a gate that reads its variables: the "
                "kernel finds what the one before it left, and the address is nobody's memory at once",
            .needs = {XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  LoadedPack loaded(t);
  const auto kept = loaded.kept();
  Stream stream(t);
  const Buffer out = device_memory(t, kKept * 8);
  const std::vector<uint64_t> zeros(kKept);
  t.write(out, zeros);
  // The first launch may wait for its code.
  REQUIRE_OK(loaded.fold(stream, out, 11, kKept));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(loaded.fold(stream, out, 12, kKept));
  EXPECT_RESULT("XHAL-KERNEL-8", loaded.destroy(), XHAL_SUCCESS);
  if (gate.shut()) EXPECT_CLAUSE("XHAL-KERNEL-8", gate.held(), "the destroy blocked");
  EXPECT_VALUE("XHAL-KERNEL-21", attributes_of(t, kept.pointer).kind, uint32_t{XHAL_MEMORY_UNMANAGED},
               "the variable of a module that was destroyed");
  gate.open();
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_DATA("XHAL-KERNEL-8", oracle::kept_u64(zeros, oracle::first_kept_u64(), 11, kKept).kept,
              t.read<uint64_t>(out, kKept));
}

}  // namespace
}  // namespace xhal::conformance
