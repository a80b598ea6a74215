// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <random>

#include "harness.hpp"
#include "xhal/ext/native_probe.h"

namespace xhal::sim_test {
namespace {

bool is_dead(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle)->object == nullptr;
}

class Native : public testing::Test {
 protected:
  static xhal_native_t native(uint64_t value, uint32_t kind = XHAL_NATIVE_HANDLE, const char* api = "sim") {
    auto given = sized<xhal_native_t>();
    given.kind = kind;
    given.value = value;
    std::strncpy(given.api, api, sizeof(given.api) - 1);
    return given;
  }
  static xhal_native_t of(xhal_stream_t stream) {
    auto out = sized<xhal_native_t>();
    EXPECT_EQ(call().stream_get_native(stream, &out), XHAL_SUCCESS) << last_text;
    EXPECT_STREQ(out.api, "sim");
    return out;
  }
  static xhal_native_t context_of(xhal_device_t device) {
    auto out = sized<xhal_native_t>();
    EXPECT_EQ(call().device_get_native_context(device, &out), XHAL_SUCCESS) << last_text;
    return out;
  }
  xhal_stream_t wrap(const xhal_native_t& given) {
    xhal_stream_t wrapper = nullptr;
    EXPECT_EQ(call().stream_import_native(device, &given, &wrapper), XHAL_SUCCESS) << last_text;
    return wrapper;
  }
  const xhal_native_probe_t& probe() {
    const void* table = nullptr;
    EXPECT_EQ(call().driver_get_extension(machine.handle, XHAL_NATIVE_PROBE_NAME, XHAL_NATIVE_PROBE_VERSION,
                                          &table),
              XHAL_SUCCESS);
    return *static_cast<const xhal_native_probe_t*>(table);
  }
  static xhal_stream_info_t info_of(xhal_stream_t stream) {
    auto info = sized<xhal_stream_info_t>();
    EXPECT_EQ(call().stream_get_info(stream, &info), XHAL_SUCCESS) << last_text;
    return info;
  }
  static xhal_pointer_attributes_t attributes_of(const Machine& of, const void* pointer) {
    auto attributes = sized<xhal_pointer_attributes_t>();
    EXPECT_EQ(call().driver_get_pointer_attributes(of.handle, pointer, &attributes), XHAL_SUCCESS);
    return attributes;
  }

  Machine machine;
  xhal_device_t device = machine.device();
};

TEST_F(Native, ValuesThatSomebodyMadeUpAreRefusedAndNeverFollowed) {
  const xhal_stream_t stream = make_stream(device);
  const xhal_stream_t other = make_stream(machine.device(1));
  std::mt19937_64 random(1);
  std::vector<uint64_t> values = {0, UINT64_MAX, reinterpret_cast<uint64_t>(stream),
                                  reinterpret_cast<uint64_t>(&machine), of(other).value};
  for (int i = 0; i < 100; ++i) values.push_back(random());
  for (const uint64_t wrong : values) {
    const xhal_native_t given = native(wrong);
    xhal_stream_t wrapper = nullptr;
    EXPECT_EQ(call().stream_import_native(device, &given, &wrapper), XHAL_ERROR_INVALID_ARGUMENT) << wrong;
    EXPECT_EQ(wrapper, nullptr);
    for (uint32_t object = 0; object <= XHAL_NATIVE_PROBE_MODULE + 1; ++object)
      EXPECT_LT(probe().ask(device, object, &given), 0) << object << " " << wrong;
    EXPECT_LT(probe().stream_destroy(device, &given), 0);
    EXPECT_LT(probe().stream_fill(device, &given, nullptr, 1, 1), 0);
    EXPECT_LT(probe().context_destroy(device, &given), 0);
    Machine passive;
    EXPECT_EQ(call().device_set_native_context(passive.device(), &given), XHAL_ERROR_INVALID_ARGUMENT);
  }
  EXPECT_EQ(probe().ask(reinterpret_cast<xhal_device_t>(stream), XHAL_NATIVE_PROBE_DEVICE, nullptr),
            XHAL_ERROR_INVALID_ARGUMENT);
  const xhal_native_t good = of(stream);
  EXPECT_EQ(probe().ask(reinterpret_cast<xhal_device_t>(stream), XHAL_NATIVE_PROBE_STREAM, &good),
            XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(Native, AWrapperIsTheSameStreamUnderAnotherHandle) {
  const xhal_stream_t stream = make_stream(device);
  const xhal_stream_t wrapper = wrap(of(stream));
  EXPECT_NE(wrapper, stream);
  EXPECT_EQ(info_of(wrapper).is_foreign, 1u);
  EXPECT_EQ(info_of(stream).is_foreign, 0u);
  EXPECT_EQ(info_of(wrapper).id, info_of(stream).id);
  EXPECT_EQ(of(wrapper).value, of(stream).value);
  {
    Gate gate(stream);
    EXPECT_EQ(call().stream_query(wrapper), XHAL_NOT_READY);
    EXPECT_EQ(call().stream_synchronize(wrapper, 1'000), XHAL_TIMEOUT);
    ASSERT_EQ(call().stream_destroy(wrapper), XHAL_SUCCESS) << last_text;
    EXPECT_TRUE(is_dead(wrapper));
    EXPECT_FALSE(is_dead(stream));
  }
  expect_synchronized(stream);
}

TEST_F(Native, WrappersEndWithTheirStream) {
  const xhal_stream_t stream = make_stream(device);
  const xhal_native_t given = of(stream);
  const xhal_stream_t wrappers[] = {wrap(given), wrap(given), wrap(given)};
  ASSERT_EQ(call().stream_destroy(wrappers[1]), XHAL_SUCCESS);
  ASSERT_EQ(call().stream_destroy(stream), XHAL_SUCCESS);
  for (const xhal_stream_t wrapper : wrappers) EXPECT_TRUE(is_dead(wrapper));
  xhal_stream_t again = nullptr;
  EXPECT_EQ(call().stream_import_native(device, &given, &again), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(Native, TheDefaultStreamIsLegacyDefaultAndItsWrapperIsDestroyed) {
  xhal_stream_t own = nullptr;
  ASSERT_EQ(call().device_get_default_stream(device, &own), XHAL_SUCCESS);
  EXPECT_EQ(of(own).kind, static_cast<uint32_t>(XHAL_NATIVE_LEGACY_DEFAULT));
  EXPECT_EQ(of(own).value, 0u);
  const xhal_stream_t wrapper = wrap(of(own));
  EXPECT_EQ(info_of(wrapper).is_foreign, 1u);
  EXPECT_EQ(call().stream_destroy(wrapper), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().stream_destroy(own), XHAL_ERROR_INVALID_ARGUMENT);
  for (const xhal_native_t& wrong :
       {native(1, XHAL_NATIVE_LEGACY_DEFAULT), native(0, XHAL_NATIVE_PER_THREAD_DEFAULT),
        native(info_of(own).id, XHAL_NATIVE_LEGACY_DEFAULT), native(0, XHAL_NATIVE_LEGACY_DEFAULT, "cuda")}) {
    xhal_stream_t none = nullptr;
    EXPECT_EQ(call().stream_import_native(device, &wrong, &none), XHAL_ERROR_INVALID_ARGUMENT);
  }
  wrap(of(own));  // ends with the instance
}

TEST_F(Native, TheProbeKnowsObjectsAsLongAsTheyLive) {
  const xhal_event_t event = make_event(device);
  const xhal_module_t module = load_test_image(device);
  auto of_event = sized<xhal_native_t>();
  auto again = sized<xhal_native_t>();
  auto of_module = sized<xhal_native_t>();
  auto of_device = sized<xhal_native_t>();
  ASSERT_EQ(call().event_get_native(event, &of_event), XHAL_SUCCESS);
  ASSERT_EQ(call().event_get_native(event, &again), XHAL_SUCCESS);
  EXPECT_EQ(of_event.value, again.value);
  ASSERT_EQ(call().module_get_native(module, &of_module), XHAL_SUCCESS);
  ASSERT_EQ(call().device_get_native(device, &of_device), XHAL_SUCCESS);
  const xhal_native_t context = context_of(device);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_EVENT, &of_event), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_MODULE, &of_module), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_DEVICE, &of_device), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_CONTEXT, &context), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_EVENT, &of_module), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(probe().ask(machine.device(1), XHAL_NATIVE_PROBE_CONTEXT, &context), XHAL_ERROR_INVALID_HANDLE);
  ASSERT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  ASSERT_EQ(call().module_destroy(module), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_EVENT, &of_event), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_MODULE, &of_module), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(Native, StreamsOfTheProbeHoldAndFillAndAreDroppedByAReset) {
  auto stream = sized<xhal_native_t>();
  ASSERT_EQ(probe().stream_create(device, &stream), XHAL_SUCCESS) << last_text;
  const xhal_stream_t wrapper = wrap(stream);
  auto* const words = static_cast<uint32_t*>(allocate(device, 64, XHAL_MEMORY_PINNED));
  std::fill_n(words, 16, 1u);
  void* hold = nullptr;
  ASSERT_EQ(probe().stream_hold(device, &stream, &hold), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(probe().stream_fill(device, &stream, words, 2, 16), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().stream_query(wrapper), XHAL_NOT_READY);
  EXPECT_EQ(call().device_synchronize(device, 1'000), XHAL_TIMEOUT);
  EXPECT_EQ(words[15], 1u);
  ASSERT_EQ(probe().stream_release(device, hold), XHAL_SUCCESS) << last_text;
  expect_synchronized(wrapper);
  EXPECT_EQ(words[15], 2u);
  int local = 0;
  EXPECT_EQ(probe().stream_fill(device, &stream, &local, 2, 1), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(probe().stream_fill(device, &stream, words, 2, 17), XHAL_ERROR_OUT_OF_RANGE);

  ASSERT_EQ(probe().stream_hold(device, &stream, &hold), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS) << "a hold is dropped like all work";
  ASSERT_EQ(probe().stream_release(device, hold), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(probe().stream_destroy(device, &stream), XHAL_SUCCESS) << last_text;
  EXPECT_TRUE(is_dead(wrapper));
  EXPECT_EQ(probe().stream_destroy(device, &stream), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(Native, AContextIsTakenBeforeTheDeviceIsActiveAndForItsDeviceAlone) {
  const xhal_native_t shared = context_of(device);
  Machine user;
  const xhal_native_t of_other = context_of(machine.device(1));
  EXPECT_NE(shared.value, of_other.value);
  EXPECT_EQ(call().device_set_native_context(user.device(), &of_other), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(call().device_set_native_context(user.device(), &shared), XHAL_SUCCESS) << last_text;
  uint32_t active = 7;
  EXPECT_EQ(call().device_is_active(user.device(), &active), XHAL_SUCCESS);
  EXPECT_EQ(active, 0u);
  EXPECT_EQ(context_of(user.device()).value, shared.value);
  EXPECT_EQ(call().device_set_native_context(user.device(), &shared), XHAL_ERROR_BUSY);
  EXPECT_EQ(call().device_set_native_context(device, &shared), XHAL_ERROR_BUSY);

  auto made = sized<xhal_native_t>();
  ASSERT_EQ(probe().context_create(device, &made), XHAL_SUCCESS);
  Machine third;
  EXPECT_EQ(call().device_set_native_context(third.device(), &made), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(context_of(third.device()).value, made.value);
  third.close();
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_CONTEXT, &made), XHAL_SUCCESS);
  EXPECT_EQ(probe().context_destroy(device, &made), XHAL_SUCCESS);
  EXPECT_EQ(probe().ask(device, XHAL_NATIVE_PROBE_CONTEXT, &made), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(Native, MemoryOfAnInstanceThatSharesTheContextIsImported) {
  const xhal_native_t shared = context_of(device);
  Machine user;
  const Machine stranger;
  ASSERT_EQ(call().device_set_native_context(user.device(), &shared), XHAL_SUCCESS) << last_text;
  char* const memory = static_cast<char*>(allocate(device, 10'000));
  const auto import = [](const Machine& into, void* pointer, uint64_t size) {
    return call().memory_import_native(into.device(), pointer, size);
  };
  EXPECT_EQ(import(stranger, memory, 10'000), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(import(machine, memory, 10'000), XHAL_ERROR_INVALID_POINTER) << "its own";
  EXPECT_EQ(import(user, memory, 10'001), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(import(user, memory + 100, 9'901), XHAL_ERROR_OUT_OF_RANGE);
  int local = 0;
  EXPECT_EQ(import(user, &local, sizeof(local)), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(attributes_of(user, memory).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(import(user, memory + 100, 50), XHAL_SUCCESS) << last_text;
  const auto a = attributes_of(user, memory + 9'999);
  EXPECT_EQ(a.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
  EXPECT_EQ(a.is_imported, 1u);
  EXPECT_EQ(a.base, memory);
  EXPECT_EQ(a.size, 10'000u);
  EXPECT_EQ(attributes_of(machine, memory).is_imported, 0u);

  const xhal_stream_t theirs = make_stream(user.device());
  const xhal_kernel_t kernel = get_kernel(load_test_image(user.device()), "fill");
  ASSERT_EQ(run(theirs, kernel, {sim_test::memory(memory), value(uint32_t{9}), value(uint64_t{4})}),
            XHAL_SUCCESS)
      << last_text;
  expect_synchronized(theirs);
  EXPECT_EQ(read_back<uint32_t>(make_stream(device), memory, 1)[0], 9u);
  EXPECT_EQ(call().memory_free(user.device(), memory), XHAL_ERROR_INVALID_POINTER);

  // The owner's next allocation there is another one.
  ASSERT_EQ(call().memory_free(device, memory), XHAL_SUCCESS) << last_text;
  void* const next = allocate(device, 5'000);
  ASSERT_EQ(import(user, next, 5'000), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes_of(user, next).size, 5'000u);
  user.close();
  EXPECT_EQ(call().memory_free(device, next), XHAL_SUCCESS) << last_text;
}

TEST_F(Native, MemoryOfTheNativeAllocatorIsKnownWithoutAWordAndFreedByItAlone) {
  const xhal_native_t context = context_of(device);
  void* memory = nullptr;
  ASSERT_EQ(probe().allocate(device, &context, 5'000, &memory), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes_of(machine, memory).is_imported, 1u);
  EXPECT_EQ(call().memory_import_native(device, memory, 5'000), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(call().memory_import_native(device, memory, 5'001), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(call().memory_free(device, memory), XHAL_ERROR_INVALID_POINTER);
  EXPECT_EQ(probe().free(device, &context, static_cast<char*>(memory) + 1), XHAL_ERROR_INVALID_POINTER);
  void* const ordinary = allocate(device, 64);
  EXPECT_EQ(probe().free(device, &context, ordinary), XHAL_ERROR_INVALID_POINTER);
  const xhal_native_t wrong = context_of(machine.device(1));
  EXPECT_EQ(probe().allocate(device, &wrong, 64, &memory), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(probe().free(device, &context, memory), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(attributes_of(machine, memory).kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(probe().free(device, &context, memory), XHAL_ERROR_INVALID_POINTER);
}

TEST(NativeWithdrawn, HasNoProbe) {
  const Machine machine("features=-native_handles-activity-telemetry");
  const void* table = nullptr;
  EXPECT_EQ(
      call().driver_get_extension(machine.handle, XHAL_NATIVE_PROBE_NAME, XHAL_NATIVE_PROBE_VERSION, &table),
      XHAL_ERROR_NOT_FOUND);
  auto out = sized<xhal_native_t>();
  EXPECT_EQ(call().device_get_native(machine.device(), &out), XHAL_ERROR_UNSUPPORTED);
}

}  // namespace
}  // namespace xhal::sim_test
