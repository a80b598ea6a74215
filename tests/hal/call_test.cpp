// SPDX-License-Identifier: Apache-2.0
// Handles on their way through libxhal: stamped, checked, refused.
#include <cstring>
#include <set>

#include "fixture.hpp"

namespace xhal::test {
namespace {

class CallTest : public HalTest {};

const xhal_handle_header_t* header(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle);
}

TEST_F(CallTest, EveryHandleThatIsGivenOutIsUsableAtOnce) {
  XHAL_CLAUSE("XHAL-ABI-5");
  const xhal_instance_t instance = create();
  for (const xhal_driver_t driver : drivers(instance)) {
    uint32_t count = 0;
    EXPECT_EQ(xhal_driver_get_devices(driver, 0, nullptr, &count), XHAL_SUCCESS);
    EXPECT_EQ(count, 2u);
    xhal_device_t listed[2] = {};
    EXPECT_EQ(xhal_driver_get_devices(driver, 2, listed, &count), XHAL_SUCCESS);
    EXPECT_EQ(listed[1], device(instance, 1));
    xhal_device_t one[1] = {};
    EXPECT_EQ(xhal_driver_get_devices(driver, 1, one, &count), XHAL_INCOMPLETE);
    EXPECT_EQ(one[0], listed[0]);
  }
  const xhal_device_t device = this->device(instance, 1);
  xhal_stream_t default_stream = nullptr;
  ASSERT_EQ(xhal_device_get_default_stream(device, &default_stream), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(default_stream), XHAL_SUCCESS);
  const xhal_stream_t stream = this->stream(device);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  xhal_device_t same = nullptr;
  ASSERT_EQ(xhal_stream_get_device(stream, &same), XHAL_SUCCESS);
  EXPECT_EQ(same, device);
  const xhal_event_t event = this->event(device);
  EXPECT_EQ(xhal_event_record(event, default_stream, 0), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_wait_event(stream, event, 0), XHAL_NOT_READY);
  xhal_module_t module = nullptr;
  ASSERT_EQ(xhal_module_load(device, nullptr, &module), XHAL_SUCCESS);
  xhal_kernel_t kernel = nullptr;
  ASSERT_EQ(xhal_module_get_kernel(module, "k", &kernel), XHAL_SUCCESS);
  const xhal_launch_t launch = {};
  EXPECT_EQ(xhal_kernel_launch(stream, kernel, &launch), XHAL_SUCCESS);
  xhal_link_t link{};
  EXPECT_EQ(xhal_device_get_link(device, this->device(instance, 0), &link), XHAL_SUCCESS);
  EXPECT_EQ(link.hops, 100u);
}

TEST_F(CallTest, EveryTypeOfEveryDriverOfEveryInstanceHasATableOfItsOwn) {
  const xhal_instance_t first = create("fake,other");
  const xhal_instance_t second = create("fake");
  std::set<const xhal_table_t*> tables;
  const auto expect_own = [&](const void* handle, uint32_t type) {
    const xhal_table_t* table = header(handle)->table;
    EXPECT_TRUE(tables.insert(table).second);
    EXPECT_EQ(table->type, type);
    EXPECT_EQ(table->state, XHAL_TABLE_LIVE);
    EXPECT_NE(table->driver, nullptr);
  };
  for (const auto& [instance, index] :
       {std::pair{first, size_t{0}}, {first, size_t{2}}, {second, size_t{0}}}) {
    const xhal_device_t device = this->device(instance, index);
    const xhal_stream_t stream = this->stream(device);
    expect_own(device, XHAL_TYPE_device);
    expect_own(stream, XHAL_TYPE_stream);
    expect_own(event(device), XHAL_TYPE_event);
    // What all tables of one driver and instance share.
    EXPECT_EQ(header(device)->table->host_context, header(stream)->table->host_context);
    EXPECT_EQ(header(device)->table->driver, header(stream)->table->driver);
    EXPECT_EQ(header(stream)->table->driver->stream_query(stream), XHAL_SUCCESS);
  }
}

TEST_F(CallTest, NullHandlesAreRefused) {
  XHAL_CLAUSE("XHAL-ABI-1");
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  const xhal_event_t event = this->event(device(instance));
  EXPECT_EQ(xhal_stream_query(nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(last_text(), "the stream is a null handle");
  EXPECT_EQ(xhal_event_record(nullptr, stream, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(last_text(), "the event is a null handle");
  EXPECT_EQ(xhal_event_record(event, nullptr, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(last_text(), "the stream is a null handle");
  EXPECT_EQ(xhal_event_record(nullptr, nullptr, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_STREQ(last_error().entry, "xhal_event_record");
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST_F(CallTest, HandlesOfAnotherTypeAreRefused) {
  XHAL_CLAUSE("XHAL-ABI-2");
  const xhal_instance_t instance = create();
  const xhal_device_t device = this->device(instance);
  const xhal_event_t event = this->event(device);
  const xhal_stream_t stream = this->stream(device);
  EXPECT_EQ(xhal_stream_query(reinterpret_cast<xhal_stream_t>(event)), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(last_text(), "the handle is of type event where this call takes one of type stream");
  EXPECT_EQ(xhal_stream_query(reinterpret_cast<xhal_stream_t>(instance)), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_event_record(event, reinterpret_cast<xhal_stream_t>(event), 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(
      xhal_event_record(reinterpret_cast<xhal_event_t>(stream), reinterpret_cast<xhal_stream_t>(event), 0),
      XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_event_record(reinterpret_cast<xhal_event_t>(instance), stream, 0),
            XHAL_ERROR_INVALID_HANDLE);
  int64_t elapsed = 42;
  EXPECT_EQ(xhal_event_get_elapsed(event, reinterpret_cast<xhal_event_t>(device), &elapsed),
            XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(elapsed, 42);
  uint32_t count = 7;
  EXPECT_EQ(xhal_instance_get_devices(reinterpret_cast<xhal_instance_t>(device), 0, nullptr, &count),
            XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(count, 7u);
  EXPECT_EQ(xhal_instance_destroy(reinterpret_cast<xhal_instance_t>(stream)), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST_F(CallTest, HandlesOfTwoInstancesInOneCallAreForeign) {
  XHAL_CLAUSE("XHAL-ABI-3");
  const xhal_instance_t first = create();
  const xhal_instance_t second = create();
  const xhal_stream_t stream = this->stream(device(first));
  const xhal_event_t event = this->event(device(second));
  EXPECT_EQ(xhal_stream_wait_event(stream, event, 0), XHAL_ERROR_FOREIGN_HANDLE);
  EXPECT_EQ(last_text(), "the stream and the event belong to different instances or drivers");
  EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_ERROR_FOREIGN_HANDLE);
  xhal_link_t link{};
  EXPECT_EQ(xhal_device_get_link(device(first), device(second), &link), XHAL_ERROR_FOREIGN_HANDLE);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(xhal_event_record(event, this->stream(device(second)), 0), XHAL_SUCCESS);
}

TEST_F(CallTest, HandlesOfTwoDriversInOneCallAreForeign) {
  XHAL_CLAUSE("XHAL-ABI-3");
  const xhal_instance_t instance = create("fake,other");
  const auto all = devices(instance);
  ASSERT_EQ(all.size(), 4u);
  xhal_link_t link{};
  EXPECT_EQ(xhal_device_get_link(all[0], all[1], &link), XHAL_SUCCESS);
  EXPECT_EQ(xhal_device_get_link(all[1], all[2], &link), XHAL_ERROR_FOREIGN_HANDLE);
  EXPECT_EQ(xhal_stream_wait_event(stream(all[0]), event(all[3]), 0), XHAL_ERROR_FOREIGN_HANDLE);
}

TEST_F(CallTest, ADestroyedHandleIsRefusedInEveryPlace) {
  XHAL_CLAUSE("XHAL-ABI-4");
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  const xhal_event_t event = this->event(device(instance));
  const xhal_event_t other = this->event(device(instance));
  ASSERT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
  EXPECT_EQ(xhal_event_destroy(event), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(last_text(), "the event was destroyed, or its instance was");
  EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_stream_wait_event(stream, event, 0), XHAL_ERROR_INVALID_HANDLE);
  int64_t elapsed = 0;
  EXPECT_EQ(xhal_event_get_elapsed(other, event, &elapsed), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_event_get_elapsed(event, other, &elapsed), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_event_get_elapsed(event, event, &elapsed), XHAL_ERROR_INVALID_HANDLE);
  // Destroyed wins over foreign: the caller's first mistake.
  const xhal_instance_t second = create();
  EXPECT_EQ(xhal_event_record(event, this->stream(device(second)), 0), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
}

TEST_F(CallTest, AHandleThatLibxhalHasNotStampedIsRefused) {
  const xhal_instance_t instance = create();
  const xhal_device_t device = this->device(instance);
  xhal_stream_t raw = nullptr;
  ASSERT_EQ(header(device)->table->driver->stream_create(device, nullptr, &raw), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(raw), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(CallTest, AnErrorLeavesTheOutHandleEvenWhenTheDriverWritesIt) {
  XHAL_CLAUSE("XHAL-ABI-14");
  const xhal_instance_t instance = create();
  xhal_stream_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = 1;
  auto* const sentinel = reinterpret_cast<xhal_stream_t>(uintptr_t{0x1234});
  xhal_stream_t stream = sentinel;
  EXPECT_EQ(xhal_stream_create(device(instance), &desc, &stream), XHAL_ERROR_OUT_OF_HOST_MEMORY);
  EXPECT_EQ(stream, sentinel);
  EXPECT_EQ(xhal_stream_create(nullptr, nullptr, &stream), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(stream, sentinel);
  EXPECT_EQ(xhal_stream_end_capture(this->stream(device(instance)), reinterpret_cast<xhal_graph_t*>(&stream)),
            XHAL_ERROR_UNSUPPORTED);
  EXPECT_EQ(stream, sentinel);
}

TEST_F(CallTest, SuccessWithoutAHandleGivesANullHandle) {
  const xhal_instance_t instance = create();
  xhal_stream_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.flags = 2;
  auto* stream = reinterpret_cast<xhal_stream_t>(uintptr_t{0x1234});
  EXPECT_EQ(xhal_stream_create(device(instance), &desc, &stream), XHAL_SUCCESS);
  EXPECT_EQ(stream, nullptr);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(CallTest, NullOutParametersReachTheDriverWhichRefusesThem) {
  XHAL_CLAUSE("XHAL-ABI-13");
  const xhal_instance_t instance = create();
  const xhal_device_t device = this->device(instance);
  EXPECT_EQ(xhal_stream_create(device, nullptr, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_device_get_default_stream(device, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_driver_get_devices(drivers(instance)[0], 1, nullptr, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(CallTest, AnAbsentCallGivesTheSameErrorWithOneDriverAndWithTwo) {
  XHAL_CLAUSE("XHAL-ABI-20");
  const xhal_instance_t one = create("fake");
  const xhal_instance_t two = create("fake,other");
  for (const xhal_instance_t instance : {one, two}) {
    for (const xhal_device_t device : devices(instance)) {
      const xhal_stream_t stream = this->stream(device);
      EXPECT_EQ(xhal_stream_begin_capture(stream, 0), XHAL_ERROR_UNSUPPORTED);
      EXPECT_STREQ(last_error().entry, "xhal_stream_begin_capture");
      xhal_pool_t pool = nullptr;
      EXPECT_EQ(xhal_pool_create(device, nullptr, &pool), XHAL_ERROR_UNSUPPORTED);
      // Once its handles are valid, whatever the other arguments are.
      EXPECT_EQ(xhal_pool_create(device, nullptr, nullptr), XHAL_ERROR_UNSUPPORTED);
      EXPECT_EQ(xhal_pool_create(nullptr, nullptr, nullptr), XHAL_ERROR_INVALID_HANDLE);
    }
  }
}

}  // namespace
}  // namespace xhal::test
