// SPDX-License-Identifier: Apache-2.0
// Contexts and memory that somebody else made with the vendor's API. Every test is alone in its process: a context is taken by a device
// that is not active yet.
#include <algorithm>

#include "suite/interop_support.h"

namespace xhal::conformance {
namespace {

constexpr size_t kCells = 2000;
constexpr size_t kBytes = kCells * sizeof(uint64_t);

// Somebody else's context for a device, as the test's parameter "owner" says.
class ForeignContext {
 public:
  // `passive`: a device of the same driver that is not active and stays so.
  ForeignContext(Context& t, xhal_device_t passive) : t_(t), native_(empty_native()) {
    if (t.text("owner") == "vendor") {
      probe_ = &need_probe(t);
      REQUIRE_OK(need_call(probe_->context_create, "contexts")(passive, &native_));
    } else {
      t.prepare(0);
      REQUIRE_OK(xhal_device_get_native_context(t.device(), &native_));
    }
  }
  ~ForeignContext() {
    if (probe_ != nullptr) TRACED(probe_->context_destroy(t_.device(), &native_));
  }
  ForeignContext(const ForeignContext&) = delete;
  ForeignContext& operator=(const ForeignContext&) = delete;

  [[nodiscard]] const xhal_native_t& native() const { return native_; }
  // Its owner uses it as ever.
  void expect_alive(const char* when) {
    Context& t = t_;
    const xhal_native_probe_t* probe = probe_of(t);
    if (probe != nullptr && probe->ask != nullptr) {
      EXPECT_RESULT("XHAL-INTEROP-6", probe->ask(t.device(), XHAL_NATIVE_PROBE_CONTEXT, &native_),
                    XHAL_SUCCESS, "{}", when);
    }
    if (probe_ != nullptr) return;
    const auto data = t.random_bytes(5000, 3);
    const Buffer memory = device_memory(t, data.size());
    t.write(memory, data);
    EXPECT_DATA("XHAL-INTEROP-6", data, t.read<uint8_t>(memory, data.size()), "the owner's work, {}", when);
  }

 private:
  Context& t_;
  const xhal_native_probe_t* probe_ = nullptr;
  xhal_native_t native_;
};

// Copies and, where there are kernels, a fold in an instance; the values that come back.
std::vector<uint64_t> compute(Context& t, Session& session, void* cells, const std::vector<uint64_t>& data) {
  Stream stream(t, session);
  const auto out = t.host_bytes(kBytes);
  REQUIRE_OK(xhal_memory_copy(stream, cells, data.data(), kBytes));
  if (session.claims(XHAL_FEATURE_KERNEL) && session.kernels(0) != nullptr) {
    Launch launch(session.kernels(0)->kernel("xhal_fold_u64"));
    launch.cover(kCells, small_group(t)).updates(cells, kBytes).value(uint64_t{5}).value(uint64_t{kCells});
    REQUIRE_OK(launch.on(stream));
  }
  REQUIRE_OK(xhal_memory_copy(stream, out.data(), cells, kBytes));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  std::vector<uint64_t> values(kCells);
  std::copy(out.begin(), out.end(), reinterpret_cast<uint8_t*>(values.data()));
  return values;
}

std::vector<uint64_t> computed(Session& session, const std::vector<uint64_t>& data) {
  const bool kernels = session.claims(XHAL_FEATURE_KERNEL) && session.kernels(0) != nullptr;
  return kernels ? oracle::fold_u64(data, 5, kCells) : data;
}

Cases owners() { return grid({owner_axis()}); }

XHAL_TEST_P(native, foreign_context, owners, .clauses = {"XHAL-INTEROP-6"},
            .observes =
                "a device that is not active takes somebody else's context: it is told back, memory, copies "
                "and kernels work; "
                "a second one is refused; the instance ends, and the context lives",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .isolated = true, .may_be_unobservable = true) {
  PrivateSession user(t);
  xhal_device_t device = user->device();
  ForeignContext context(t, device);
  uint32_t active = 77;
  REQUIRE_OK(xhal_device_is_active(device, &active));
  ASSERT_VALUE("XHAL-INTEROP-6", active, 0u, "the device is active before anything was asked of it");
  EXPECT_RESULT("XHAL-INTEROP-6", xhal_device_set_native_context(device, &context.native()), XHAL_SUCCESS);
  {
    const Buffer cells(t, *user, XHAL_MEMORY_DEVICE, kBytes);
    const auto data = t.random_u64(kCells);
    EXPECT_DATA("XHAL-INTEROP-6", computed(*user, data), compute(t, *user, cells, data));
    xhal_native_t now = empty_native();
    EXPECT_RESULT("XHAL-INTEROP-6", xhal_device_get_native_context(device, &now), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-INTEROP-6", now.value, context.native().value,
                 "the context in which the driver works");
    REQUIRE_OK(xhal_device_is_active(device, &active));
    EXPECT_VALUE("XHAL-INTEROP-6", active, 1u, "after work");
    EXPECT_RESULT("XHAL-INTEROP-6", xhal_device_set_native_context(device, &context.native()),
                  XHAL_ERROR_BUSY, "again, while it works there");
    EXPECT_DATA("XHAL-INTEROP-6", computed(*user, data), compute(t, *user, cells, data), "after the refusal");
  }
  context.expect_alive("with the instance that uses it");
  REQUIRE_OK(user.close());
  context.expect_alive("after the instance that used it");
}

XHAL_TEST(native, context_of_an_active_device, .clauses = {"XHAL-INTEROP-6"},
          .observes =
              "a device that has worked is given a context, its own one too: the code, and its memory and "
              "streams after it",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  const auto data = t.random_bytes(5000);
  const Buffer memory = device_memory(t, data.size());
  t.write(memory, data);
  xhal_native_t context = empty_native();
  REQUIRE_OK(xhal_device_get_native_context(t.device(), &context));
  EXPECT_RESULT("XHAL-INTEROP-6", xhal_device_set_native_context(t.device(), &context), XHAL_ERROR_BUSY);
  EXPECT_DATA("XHAL-INTEROP-6", data, t.read<uint8_t>(memory, data.size()), "after the refusal");
  xhal_native_t again = empty_native();
  REQUIRE_OK(xhal_device_get_native_context(t.device(), &again));
  EXPECT_VALUE("XHAL-INTEROP-6", again.value, context.value, "the context after the refusal");
}

XHAL_TEST_P(native, foreign_memory, owners, .clauses = {"XHAL-INTEROP-7"},
            .observes =
                "memory that somebody else allocated in the context in which the driver works, made known: "
                "attributes at its "
                "base and inside, copies, a kernel, a free that is refused; the owner sees what was written",
            .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .isolated = true, .may_be_unobservable = true) {
  const auto data = t.random_u64(kCells);
  const bool by_vendor = t.text("owner") == "vendor";
  // The user's device works in the context of the shared instance, whose memory is what the user did not allocate.
  PrivateSession user(t);
  t.prepare(0);
  xhal_native_t context = empty_native();
  REQUIRE_OK(xhal_device_get_native_context(t.device(), &context));
  REQUIRE_OK(xhal_device_set_native_context(user->device(), &context));
  std::unique_ptr<Buffer> of_the_driver;
  void* pointer = nullptr;
  const xhal_native_probe_t* probe = nullptr;
  if (by_vendor) {
    probe = &need_probe(t);
    REQUIRE_MEMORY(need_call(probe->allocate, "memory")(t.device(), &context, kBytes, &pointer), pointer);
  } else {
    of_the_driver = std::make_unique<Buffer>(device_memory(t, kBytes));
    pointer = of_the_driver->get();
  }
  const auto inside = [&](uint64_t offset) {
    return reinterpret_cast<void*>(reinterpret_cast<uintptr_t>(pointer) + offset);
  };
  EXPECT_RESULT("XHAL-INTEROP-7", xhal_memory_import_native(user->device(), pointer, kBytes), XHAL_SUCCESS);
  for (const uint64_t offset : {uint64_t{0}, uint64_t{1}, uint64_t{kBytes - 1}}) {
    xhal_pointer_attributes_t a{};
    a.struct_size = sizeof(a);
    EXPECT_RESULT("XHAL-INTEROP-7", xhal_driver_get_pointer_attributes(user->driver(), inside(offset), &a),
                  XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-INTEROP-7", a.kind, uint32_t{XHAL_MEMORY_DEVICE}, "offset {}", offset);
    EXPECT_VALUE("XHAL-INTEROP-7", a.is_imported, 1u, "offset {}", offset);
    EXPECT_VALUE("XHAL-INTEROP-7", a.device_pointer, inside(offset), "offset {}", offset);
    EXPECT_VALUE("XHAL-INTEROP-7", a.device_index, user->properties().index, "offset {}", offset);
    EXPECT_CLAUSE("XHAL-INTEROP-7", a.base == pointer && a.size >= kBytes, "offset {}: base {}, size {}",
                  offset, shown(a.base), a.size);
  }
  const auto expected = computed(*user, data);
  EXPECT_DATA("XHAL-INTEROP-7", expected, compute(t, *user, pointer, data), "copies and kernels");
  EXPECT_RESULT("XHAL-INTEROP-7", xhal_memory_free(user->device(), pointer), XHAL_ERROR_INVALID_POINTER,
                "what is borrowed is not freed");
  if (of_the_driver != nullptr)
    EXPECT_DATA("XHAL-INTEROP-7", expected, t.read<uint64_t>(pointer, kCells), "seen by its owner");
  REQUIRE_OK(user.close());
  if (of_the_driver != nullptr) {
    EXPECT_DATA("XHAL-INTEROP-7", expected, t.read<uint64_t>(pointer, kCells),
                "after the instance that borrowed it");
  } else {
    EXPECT_RESULT("XHAL-INTEROP-7", probe->free(t.device(), &context, pointer), XHAL_SUCCESS,
                  "its owner frees it");
  }
}

XHAL_TEST(native, foreign_memory_without_a_word, .clauses = {"XHAL-INTEROP-7"},
          .observes =
              "memory of the vendor's allocator that nobody made known: it is unmanaged, or it is told as "
              "imported and copies take it; then it is made known, and copies take it",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}, .may_be_unobservable = true) {
  const xhal_native_probe_t& probe = need_probe(t);
  t.prepare(0);
  xhal_native_t context = empty_native();
  REQUIRE_OK(xhal_device_get_native_context(t.device(), &context));
  void* pointer = nullptr;
  REQUIRE_MEMORY(need_call(probe.allocate, "memory")(t.device(), &context, kBytes, &pointer), pointer);
  const auto a = attributes_of(t, pointer);
  const bool is_recognised = a.kind != XHAL_MEMORY_UNMANAGED;
  const auto data = t.random_u64(kCells);
  if (is_recognised) {
    EXPECT_VALUE("XHAL-INTEROP-7", a.is_imported, 1u, "before anybody told of it");
    t.write(pointer, data);
    EXPECT_DATA("XHAL-INTEROP-7", data, t.read<uint64_t>(pointer, kCells), "before anybody told of it");
  } else {
    t.note("the vendor's API does not recognise its memory by itself");
  }
  EXPECT_RESULT("XHAL-INTEROP-7", xhal_memory_import_native(t.device(), pointer, kBytes), XHAL_SUCCESS,
                "what is {}recognised is told of", is_recognised ? "" : "not ");
  EXPECT_VALUE("XHAL-INTEROP-7", attributes_of(t, pointer).is_imported, 1u);
  t.write(pointer, data);
  EXPECT_DATA("XHAL-INTEROP-7", data, t.read<uint64_t>(pointer, kCells), "once it was told of");
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_RESULT("XHAL-INTEROP-7", probe.free(t.device(), &context, pointer), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::conformance
