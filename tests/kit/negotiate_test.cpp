// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <array>
#include <cstddef>
#include <cstring>
#include <thread>
#include <utility>

#include "../clause.hpp"
#include "fake_host.hpp"
#include "xhal/ext/host_function.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/handles.hpp"

namespace xhal::kit {
namespace {

using kit_test::Guarded;
using kit_test::host_services;
using kit_test::last_report;
using kit_test::negotiation_of;

xhal_result_t open_nothing(const xhal_driver_open_t* /*params*/, xhal_driver_t* /*out*/) {
  return XHAL_SUCCESS;
}
xhal_result_t close_nothing(xhal_driver_t /*driver*/) { return XHAL_SUCCESS; }
xhal_result_t attach_nothing(const xhal_layer_attach_t* /*params*/, void** /*out*/) { return XHAL_SUCCESS; }
void detach_nothing(void* /*state*/) {}

xhal_result_t query_done(xhal_stream_t /*stream*/) { return XHAL_SUCCESS; }
xhal_result_t query_refused(xhal_stream_t /*stream*/) { return XHAL_ERROR_UNSUPPORTED; }
xhal_result_t notes(xhal_device_t /*device*/, uint32_t /*capacity*/, uint32_t /*stride*/,
                    xhal_device_note_t* /*out*/, uint32_t* /*out_count*/) {
  return XHAL_SUCCESS;
}

constexpr xhal_functions_t make_functions() {
  xhal_functions_t functions = {};
  functions.struct_size = sizeof(functions);
  functions.abi_revision = XHAL_ABI_REVISION;
  functions.stream_query = query_done;
  functions.device_get_notes = notes;
  return functions;
}
constexpr xhal_functions_t kFunctions = make_functions();
constexpr DriverDescription kDriver = {"fake", "1.2.3", open_nothing, close_nothing, &kFunctions};
constexpr LayerDescription kLayer = {"fakelayer", "3.2.1", attach_nothing, detach_nothing};

struct Pair {
  explicit Pair(size_t interface_size = sizeof(xhal_driver_interface_t),
                size_t capacity = sizeof(xhal_functions_t))
      : interface(interface_size), functions(capacity) {
    interface->struct_size = static_cast<uint32_t>(interface_size);
    interface->functions_capacity = static_cast<uint32_t>(capacity);
    interface->functions = functions.get();
  }
  xhal_result_t negotiate(const xhal_negotiation_t& host, const DriverDescription& driver = kDriver) {
    return kit::negotiate(&host, interface.get(), driver);
  }
  Guarded<xhal_driver_interface_t> interface;
  Guarded<xhal_functions_t> functions;
};

TEST(Services, WorkBeforeNegotiation) {
  if (services().next_id() == 4711)
    GTEST_SKIP() << "another case negotiated; ctest runs each in a process of its own";
  EXPECT_STREQ(library_path(), "");
  EXPECT_STREQ(manifest_path(), "");
  const xhal_host_services_t& before = services();
  EXPECT_EQ(before.struct_size, sizeof(xhal_host_services_t));
  uint64_t first = before.next_id();
  EXPECT_NE(first, 0U);
  EXPECT_NE(before.next_id(), first);
  before.log(nullptr, XHAL_LOG_ERROR, "test", "nobody hears it");
  before.activated(nullptr);
  EXPECT_EQ(fail(XHAL_ERROR_IO, "nobody hears it"), XHAL_ERROR_IO);
  ASSERT_NE(before.dead_table, nullptr);
  EXPECT_EQ(before.dead_table->state, XHAL_TABLE_DEAD);
  EXPECT_EQ(before.dead_table->functions.stream_query(nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(before.dead_table->functions.kernel_launch(nullptr, nullptr, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(before.dead_table->functions.device_get_notes(nullptr, 0, 0, nullptr, nullptr),
            XHAL_ERROR_INVALID_HANDLE);
  const auto stream = make_handle<xhal_stream_t>(&first);
  EXPECT_EQ(reinterpret_cast<xhal_handle_header_t*>(stream)->table, before.dead_table);
  free_handle(stream);
}

TEST(Negotiate, EqualSizes) {
  Pair pair;
  pair.functions->stream_query = query_refused;
  pair.functions->event_query = reinterpret_cast<xhal_result_t (*)(xhal_event_t)>(query_refused);
  ASSERT_EQ(pair.negotiate(negotiation_of(host_services())), XHAL_SUCCESS);
  EXPECT_EQ(pair.interface->struct_size, sizeof(xhal_driver_interface_t));
  EXPECT_EQ(pair.interface->abi_major, uint32_t{XHAL_ABI_MAJOR});
  EXPECT_EQ(pair.interface->abi_minor, uint32_t{XHAL_ABI_MINOR});
  EXPECT_STREQ(pair.interface->name, "fake");
  EXPECT_STREQ(pair.interface->version, "1.2.3");
  EXPECT_EQ(pair.interface->open, open_nothing);
  EXPECT_EQ(pair.interface->close, close_nothing);
  EXPECT_EQ(pair.functions->struct_size, sizeof(xhal_functions_t));
  EXPECT_EQ(pair.functions->stream_query, query_done) << "the driver's own call";
  EXPECT_NE(pair.functions->event_query, nullptr) << "a null slot must keep the host's refusing stub";
  EXPECT_EQ(pair.functions->device_get_notes, notes) << "the last slot";
  EXPECT_TRUE(pair.interface.untouched());
  EXPECT_TRUE(pair.functions.untouched());
}

// The kit answers one extension for every driver; all other names are the driver's.
TEST(Negotiate, TheKitTellsWhetherAThreadIsInAHostFunction) {
  static xhal_functions_t own = kFunctions;
  own.driver_get_extension = [](xhal_driver_t, const char* name, uint32_t version,
                                const void** out) -> xhal_result_t {
    if (std::strcmp(name, "own") != 0) return XHAL_ERROR_NOT_FOUND;
    *out = &own;
    return version == 1 ? XHAL_SUCCESS : XHAL_ERROR_NOT_FOUND;
  };
  for (const xhal_functions_t* functions : {&kFunctions, static_cast<const xhal_functions_t*>(&own)}) {
    DriverDescription driver = kDriver;
    driver.functions = functions;
    Pair pair;
    ASSERT_EQ(pair.negotiate(negotiation_of(host_services()), driver), XHAL_SUCCESS);
    const auto get = pair.functions->driver_get_extension;
    ASSERT_NE(get, nullptr);
    const void* table = nullptr;
    ASSERT_EQ(get(nullptr, XHAL_HOST_FUNCTION_NAME, XHAL_HOST_FUNCTION_VERSION, &table), XHAL_SUCCESS);
    const auto* told = static_cast<const xhal_host_function_t*>(table);
    EXPECT_EQ(told->struct_size, sizeof(*told));
    EXPECT_EQ(told->is_inside(), 0U);
    uint32_t inside = 7;
    std::pair<const xhal_host_function_t*, uint32_t*> seen = {told, &inside};
    run_host_function(
        [](void* user, xhal_result_t) {
          const auto* pair_seen = static_cast<decltype(seen)*>(user);
          *pair_seen->second = pair_seen->first->is_inside();
        },
        &seen, XHAL_SUCCESS);
    EXPECT_EQ(inside, 1U);
    EXPECT_EQ(told->is_inside(), 0U);
    const bool has_own = functions == &own;
    EXPECT_EQ(get(nullptr, XHAL_HOST_FUNCTION_NAME, XHAL_HOST_FUNCTION_VERSION + 1, &table),
              XHAL_ERROR_NOT_FOUND);
    EXPECT_EQ(get(nullptr, "own", 1, &table), has_own ? XHAL_SUCCESS : XHAL_ERROR_NOT_FOUND);
  }
}

TEST(Negotiate, OlderHostWithShorterTableGetsNoByteMore) {
  XHAL_CLAUSE("XHAL-ABI-19");
  // Each shorter table there can be, also one that ends inside a slot.
  const size_t head = offsetof(xhal_functions_t, abi_revision) + sizeof(uint32_t);
  for (size_t capacity = head; capacity < sizeof(xhal_functions_t); capacity += 4) {
    Pair pair(sizeof(xhal_driver_interface_t), capacity);
    ASSERT_EQ(pair.negotiate(negotiation_of(host_services())), XHAL_SUCCESS) << capacity;
    ASSERT_LE(pair.functions->struct_size, capacity);
    ASSERT_GT(pair.functions->struct_size + sizeof(void*), capacity) << "whole slots that fit are filled";
    ASSERT_TRUE(pair.functions.untouched()) << capacity;
  }
}

TEST(Negotiate, OlderDriverWithShorterTableFillsWhatItKnows) {
  XHAL_CLAUSE("XHAL-ABI-18");
  xhal_functions_t shorter = kFunctions;
  shorter.struct_size = offsetof(xhal_functions_t, device_get_notes);
  DriverDescription driver = kDriver;
  driver.functions = &shorter;
  Pair pair;
  ASSERT_EQ(pair.negotiate(negotiation_of(host_services()), driver), XHAL_SUCCESS);
  EXPECT_EQ(pair.functions->struct_size, offsetof(xhal_functions_t, device_get_notes));
  EXPECT_EQ(pair.functions->stream_query, query_done);
  EXPECT_EQ(pair.functions->device_get_notes, nullptr) << "not the driver's to write";
}

TEST(Negotiate, NewerHostWithLongerStructs) {
  Pair pair(sizeof(xhal_driver_interface_t) + 64, sizeof(xhal_functions_t) + 64);
  xhal_negotiation_t host = negotiation_of(host_services());
  host.struct_size += 64;
  host.abi_revision += 5;
  ASSERT_EQ(pair.negotiate(host), XHAL_SUCCESS);
  EXPECT_EQ(pair.interface->struct_size, sizeof(xhal_driver_interface_t)) << "what the driver filled";
  EXPECT_EQ(pair.functions->struct_size, sizeof(xhal_functions_t));
  EXPECT_EQ(pair.interface->abi_revision, uint32_t{XHAL_ABI_REVISION}) << "the driver's, not the host's";
}

TEST(Negotiate, NewerHostsLongerServicesAreKeptTo) {
  struct {
    xhal_host_services_t services;
    void* later[4];
  } newer = {host_services(), {}};
  newer.services.struct_size = sizeof(newer);
  Pair pair;
  ASSERT_EQ(pair.negotiate(negotiation_of(newer.services)), XHAL_SUCCESS);
  EXPECT_EQ(services().next_id(), 4711U);
  EXPECT_EQ(services().struct_size, sizeof(xhal_host_services_t));
}

TEST(Negotiate, ServicesOfTheHostAreUsed) {
  Pair pair;
  ASSERT_EQ(pair.negotiate(negotiation_of(host_services())), XHAL_SUCCESS);
  EXPECT_EQ(services().next_id(), 4711U);
  EXPECT_EQ(services().dead_table, &kit_test::dead_table());
  EXPECT_STREQ(library_path(), "/lib/libfake.so");
  EXPECT_STREQ(manifest_path(), "/share/fake.json");
  EXPECT_EQ(fail(XHAL_ERROR_OUT_OF_RANGE, "%d bytes", 12), XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(last_report.code, XHAL_ERROR_OUT_OF_RANGE);
  EXPECT_EQ(last_report.text, "12 bytes");
  EXPECT_EQ(last_report.source, "fake");
}

TEST(Negotiate, NullPathsReadAsUnknown) {
  xhal_negotiation_t host = negotiation_of(host_services());
  host.library_path = nullptr;
  host.manifest_path = nullptr;
  Pair pair;
  ASSERT_EQ(pair.negotiate(host), XHAL_SUCCESS);
  EXPECT_STREQ(library_path(), "");
  EXPECT_STREQ(manifest_path(), "");
}

TEST(Negotiate, OtherMinorIsRefusedAndTold) {
  XHAL_CLAUSE("XHAL-ABI-17");
  for (const auto& [major, minor] :
       {std::pair{XHAL_ABI_MAJOR, XHAL_ABI_MINOR + 1}, std::pair{XHAL_ABI_MAJOR, XHAL_ABI_MINOR - 1},
        std::pair{XHAL_ABI_MAJOR + 1, XHAL_ABI_MINOR}}) {
    xhal_negotiation_t host = negotiation_of(host_services());
    host.abi_major = static_cast<uint32_t>(major);
    host.abi_minor = static_cast<uint32_t>(minor);
    Pair pair;
    EXPECT_EQ(pair.negotiate(host), XHAL_ERROR_VERSION_MISMATCH);
    EXPECT_EQ(pair.interface->abi_minor, uint32_t{XHAL_ABI_MINOR}) << "so that the host can name it";
    EXPECT_EQ(pair.interface->name, nullptr) << "behind the four words the layout may be another";
    EXPECT_EQ(pair.functions->struct_size, 0U);
    Guarded<xhal_layer_interface_t> layer;
    layer->struct_size = sizeof(xhal_layer_interface_t);
    EXPECT_EQ(negotiate(&host, layer.get(), kLayer), XHAL_ERROR_VERSION_MISMATCH);
    EXPECT_EQ(layer->abi_minor, uint32_t{XHAL_ABI_MINOR});
  }
}

TEST(Negotiate, OtherMinorIsRefusedBeforeAnyOtherSizeIsLookedAt) {
  xhal_negotiation_t host = negotiation_of(host_services());
  host.abi_minor += 1;
  std::array<uint32_t, 4> head = {sizeof(head), 0, 0, 0};
  EXPECT_EQ(negotiate(&host, reinterpret_cast<xhal_driver_interface_t*>(head.data()), kDriver),
            XHAL_ERROR_VERSION_MISMATCH);
}

TEST(Negotiate, HostsThatLieAboutSizesAreRefused) {
  const xhal_negotiation_t good = negotiation_of(host_services());
  EXPECT_EQ(negotiate(nullptr, Pair().interface.get(), kDriver), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(negotiate(&good, static_cast<xhal_driver_interface_t*>(nullptr), kDriver),
            XHAL_ERROR_INVALID_ARGUMENT);
  for (const uint32_t size : {0U, 4U, 15U, 16U, static_cast<uint32_t>(sizeof(xhal_driver_interface_t) - 8)}) {
    Pair pair(sizeof(xhal_driver_interface_t));
    pair.interface->struct_size = size;
    EXPECT_EQ(pair.negotiate(good), XHAL_ERROR_INVALID_ARGUMENT) << size;
    EXPECT_EQ(pair.functions->stream_query, nullptr);
  }
  for (const uint32_t size : {0U, static_cast<uint32_t>(sizeof(xhal_negotiation_t) - 8)}) {
    xhal_negotiation_t host = good;
    host.struct_size = size;
    EXPECT_EQ(Pair().negotiate(host), XHAL_ERROR_INVALID_ARGUMENT) << size;
  }
  xhal_negotiation_t host = good;
  host.services = nullptr;
  EXPECT_EQ(Pair().negotiate(host), XHAL_ERROR_INVALID_ARGUMENT);
  xhal_host_services_t services = host_services();
  services.struct_size = 8;
  host.services = &services;
  EXPECT_EQ(Pair().negotiate(host), XHAL_ERROR_INVALID_ARGUMENT);
  Pair without_functions;
  without_functions.interface->functions = nullptr;
  EXPECT_EQ(without_functions.negotiate(good), XHAL_ERROR_INVALID_ARGUMENT);
  Pair small(sizeof(xhal_driver_interface_t), 4);
  EXPECT_EQ(small.negotiate(good), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_TRUE(small.functions.untouched());
}

TEST(Negotiate, IncompleteDriversAreTheirAuthorsDefect) {
  const xhal_negotiation_t host = negotiation_of(host_services());
  for (const DriverDescription& driver :
       {DriverDescription{nullptr, "1", open_nothing, close_nothing, &kFunctions},
        DriverDescription{"fake", "1", nullptr, close_nothing, &kFunctions},
        DriverDescription{"fake", "1", open_nothing, nullptr, &kFunctions},
        DriverDescription{"fake", "1", open_nothing, close_nothing, nullptr}}) {
    EXPECT_EQ(Pair().negotiate(host, driver), XHAL_ERROR_INTERNAL);
  }
  Pair pair;
  EXPECT_EQ(pair.negotiate(host, {"fake", nullptr, open_nothing, close_nothing, &kFunctions}), XHAL_SUCCESS);
  EXPECT_STREQ(pair.interface->version, "");
}

TEST(Negotiate, Layers) {
  const xhal_negotiation_t host = negotiation_of(host_services());
  for (const size_t size : {sizeof(xhal_layer_interface_t), sizeof(xhal_layer_interface_t) + 64}) {
    Guarded<xhal_layer_interface_t> layer(size);
    layer->struct_size = static_cast<uint32_t>(size);
    ASSERT_EQ(negotiate(&host, layer.get(), kLayer), XHAL_SUCCESS);
    EXPECT_EQ(layer->struct_size, sizeof(xhal_layer_interface_t));
    EXPECT_STREQ(layer->name, "fakelayer");
    EXPECT_EQ(layer->attach, attach_nothing);
    EXPECT_EQ(layer->detach, detach_nothing);
    EXPECT_TRUE(layer.untouched());
  }
  Guarded<xhal_layer_interface_t> small;
  small->struct_size = 24;
  EXPECT_EQ(negotiate(&host, small.get(), kLayer), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST(Intercept, ReplacesItsOwnCallsAndLeavesTheRest) {
  xhal_functions_t own = {};
  own.stream_query = query_refused;
  const size_t end_of_query = offsetof(xhal_functions_t, stream_query) + sizeof(own.stream_query);
  for (const size_t capacity : {end_of_query - 1, end_of_query, sizeof(xhal_functions_t)}) {
    Guarded<xhal_functions_t> table(capacity);
    std::memcpy(table.get(), &kFunctions, capacity);
    xhal_layer_attach_t params = {};
    params.functions = table.get();
    params.functions_capacity = static_cast<uint32_t>(capacity);
    intercept(params, own);
    xhal_functions_t expected = kFunctions;
    if (capacity >= end_of_query) expected.stream_query = query_refused;
    EXPECT_EQ(std::memcmp(table.get(), &expected, capacity), 0) << capacity;
    EXPECT_TRUE(table.untouched()) << capacity;
  }
}

TEST(Negotiate, WhileOtherThreadsUseTheServices) {
  std::atomic<bool> stop = false;
  std::thread reader([&] {
    while (!stop) (void)services().next_id();
  });
  const xhal_host_services_t copies[8] = {host_services(), host_services(), host_services(), host_services(),
                                          host_services(), host_services(), host_services(), host_services()};
  for (const xhal_host_services_t& copy : copies)
    EXPECT_EQ(Pair().negotiate(negotiation_of(copy)), XHAL_SUCCESS);
  stop = true;
  reader.join();
}

// ---- Errors and host functions -----------------------------------------------------------------------------------------------

class Errors : public testing::Test {
 protected:
  void SetUp() override { ASSERT_EQ(Pair().negotiate(negotiation_of(host_services())), XHAL_SUCCESS); }
};

TEST_F(Errors, NativeCodeTravels) {
  EXPECT_EQ(fail_native(XHAL_ERROR_UNKNOWN, -700, "cuLaunchKernel: %s", "boom"), XHAL_ERROR_UNKNOWN);
  EXPECT_EQ(last_report.native_code, -700);
  EXPECT_EQ(last_report.text, "cuLaunchKernel: boom");
}

TEST_F(Errors, TextIsOneLineAndCut) {
  (void)fail(XHAL_ERROR_UNKNOWN, "first\nsecond\tthird\r%s", std::string(4000, 'x').c_str());
  EXPECT_EQ(last_report.text.substr(0, 19), "first second third ");
  EXPECT_EQ(last_report.text.size(), size_t{XHAL_ERROR_TEXT_CAPACITY - 1});
}

TEST_F(Errors, TextKeepsBytesAboveAscii) {
  (void)fail(XHAL_ERROR_UNKNOWN, "Gerät");
  EXPECT_EQ(last_report.text, "Gerät");
}

TEST_F(Errors, HostFunctionIsKnownToItsThreadAlone) {
  struct Seen {
    void* user = nullptr;
    xhal_result_t status = XHAL_SUCCESS;
    bool inside = false;
    bool other_thread = true;
  } seen;
  EXPECT_FALSE(in_host_function());
  run_host_function(
      [](void* user, xhal_result_t status) {
        auto& s = *static_cast<Seen*>(user);
        s = {user, status, in_host_function(), true};
        std::thread([&] { s.other_thread = in_host_function(); }).join();
        run_host_function([](void* /*user*/, xhal_result_t /*status*/) {}, nullptr, XHAL_SUCCESS);
        s.inside = s.inside && in_host_function();  // also after a nested one
      },
      &seen, XHAL_ERROR_CANCELLED);
  EXPECT_FALSE(in_host_function());
  EXPECT_EQ(seen.user, &seen);
  EXPECT_EQ(seen.status, XHAL_ERROR_CANCELLED);
  EXPECT_TRUE(seen.inside);
  EXPECT_FALSE(seen.other_thread);
}

}  // namespace
}  // namespace xhal::kit
