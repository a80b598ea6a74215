// SPDX-License-Identifier: Apache-2.0
// Creating, asking and destroying instances.
#include <algorithm>
#include <cstring>
#include <thread>
#include <utility>

#include "fixture.hpp"

namespace xhal::test {
namespace {

class InstanceTest : public HalTest {
 protected:
  // The code of a creation that must fail; nothing is given out.
  xhal_result_t refused(const Description& description) {
    xhal_instance_t instance = nullptr;
    const xhal_result_t result = xhal_instance_create(&description.desc, &instance);
    EXPECT_EQ(instance, nullptr);
    if (instance != nullptr) xhal_instance_destroy(instance);
    return result;
  }
};

TEST_F(InstanceTest, WithoutAUsableDriverItListsNothing) {
  XHAL_CLAUSE("XHAL-INSTANCE-1");
  setenv("XHAL_DRIVER_PATH", "/nonexistent", 1);
  // Names nobody: what the machine may have installed is not looked at.
  const xhal_instance_t instance = create("");
  EXPECT_TRUE(devices(instance).empty());
  EXPECT_TRUE(drivers(instance).empty());
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, &attributes, &attributes, nullptr), XHAL_SUCCESS);
  EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
}

TEST_F(InstanceTest, ADescriptionMayBeNull) {
  setenv("XHAL_DRIVERS", "other", 1);
  xhal_instance_t instance = nullptr;
  ASSERT_EQ(xhal_instance_create(nullptr, &instance), XHAL_SUCCESS) << last_text();
  EXPECT_EQ(drivers(instance).size(), 1u);
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
}

TEST_F(InstanceTest, AMisspeltDriverIsAnErrorThatListsWhatWasFound) {
  XHAL_CLAUSE("XHAL-INSTANCE-3");
  EXPECT_EQ(refused(Description("fakee")), XHAL_ERROR_DRIVER_NOT_FOUND);
  EXPECT_NE(last_text().find("fakee"), std::string::npos) << last_text();
  EXPECT_NE(last_text().find("other"), std::string::npos) << last_text();
  setenv("XHAL_DRIVERS", "nobody", 1);
  EXPECT_EQ(refused(Description(nullptr)), XHAL_ERROR_DRIVER_NOT_FOUND);
  Description by_path("");
  by_path.path("/nonexistent/driver.json");
  EXPECT_LT(refused(by_path), 0);
  EXPECT_NE(last_text().find("/nonexistent/driver.json"), std::string::npos) << last_text();
}

TEST_F(InstanceTest, TheSelectionOrdersDriversAndDevices) {
  const xhal_instance_t instance = create("other,fake");
  const auto all = devices(instance);
  ASSERT_EQ(all.size(), 4u);
  uint32_t count = 0;
  xhal_device_t of_first[2] = {};
  ASSERT_EQ(xhal_driver_get_devices(drivers(instance)[0], 2, of_first, &count), XHAL_SUCCESS);
  EXPECT_EQ(all[0], of_first[0]);
  EXPECT_EQ(all[1], of_first[1]);
  EXPECT_NE(std::string(state(instance, 0)->options), "never");
  setenv("XHAL_DRIVERS", "fake", 1);
  EXPECT_EQ(devices(create("other,fake")).size(), 4u) << "an explicit field wins over the variable";
  EXPECT_EQ(devices(create(nullptr)).size(), 2u);
}

TEST_F(InstanceTest, EnumerationTellsTheFullCountAndFillsWhatFits) {
  XHAL_CLAUSE("XHAL-INSTANCE-5");
  XHAL_CLAUSE("XHAL-INSTANCE-6");
  const xhal_instance_t instance = create("fake,other");
  const auto all = devices(instance);
  uint32_t count = 99;
  xhal_device_t some[6] = {};
  EXPECT_EQ(xhal_instance_get_devices(instance, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(xhal_instance_get_devices(instance, 0, some, &count), XHAL_INCOMPLETE);
  EXPECT_EQ(some[0], nullptr);
  EXPECT_EQ(xhal_instance_get_devices(instance, 1, some, &count), XHAL_INCOMPLETE);
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(some[0], all[0]);
  EXPECT_EQ(some[1], nullptr);
  EXPECT_EQ(xhal_instance_get_devices(instance, 6, some, &count), XHAL_SUCCESS);
  EXPECT_TRUE(std::equal(all.begin(), all.end(), some));
  EXPECT_EQ(some[4], nullptr);
  EXPECT_EQ(xhal_instance_get_devices(instance, 4, some, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_instance_get_devices(instance, 4, nullptr, &count), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_instance_get_drivers(instance, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_EQ(count, 2u);
}

TEST_F(InstanceTest, InstancesLiveSideBySide) {
  XHAL_CLAUSE("XHAL-INSTANCE-7");
  const xhal_instance_t first = create();
  const xhal_instance_t second = create();
  const xhal_stream_t stream = this->stream(device(second));
  EXPECT_NE(device(first), device(second));
  EXPECT_EQ(xhal_instance_destroy(first), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(devices(second).size(), 2u);
}

TEST_F(InstanceTest, AfterItsEndEveryHandleOfItIsInvalid) {
  XHAL_CLAUSE("XHAL-ABI-22");
  const xhal_instance_t instance = create("fake,other");
  const xhal_driver_t driver = drivers(instance)[1];
  const xhal_device_t device = this->device(instance, 3);
  const xhal_stream_t stream = this->stream(device);
  const xhal_event_t event = this->event(device);
  ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_stream_destroy(stream), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_event_destroy(event), XHAL_ERROR_INVALID_HANDLE);
    uint32_t value = 5;
    EXPECT_EQ(xhal_device_has_feature(device, 0, &value), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_driver_get_devices(driver, 0, nullptr, &value), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(xhal_instance_get_devices(instance, 0, nullptr, &value), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(value, 5u);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_INVALID_HANDLE);
    EXPECT_EQ(last_text(), "the instance was destroyed, or its instance was");
    // The same after others were made: its tables are not theirs.
    create("fake,other");
  }
}

TEST_F(InstanceTest, StaleHandlesStayInvalidOverAThousandInstances) {
  XHAL_CLAUSE("XHAL-ABI-22");
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  ASSERT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  Description description("fake", "");
  for (int i = 0; i < 1024; ++i) {
    xhal_instance_t other = nullptr;
    ASSERT_EQ(xhal_instance_create(&description.desc, &other), XHAL_SUCCESS);
    ASSERT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
    ASSERT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_INVALID_HANDLE);
    ASSERT_EQ(xhal_instance_destroy(other), XHAL_SUCCESS);
  }
}

TEST_F(InstanceTest, ADestroyInsideAHostFunctionIsForbiddenAndChangesNothing) {
  const xhal_instance_t instance = create();
  const xhal_stream_t stream = this->stream(device(instance));
  state(instance)->forbid_close = 1;  // what a driver answers on a thread that runs a host function
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_CALL_FORBIDDEN);
  EXPECT_EQ(last_text(), "an instance cannot be destroyed inside one of its host functions");
  EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
  EXPECT_EQ(devices(instance).size(), 2u);
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(InstanceTest, AForbiddenDestroyIsNotFeltWhileItIsDecided) {
  const xhal_instance_t instance = create();
  struct Other {
    xhal_instance_t instance;
    xhal_stream_t stream;
    xhal_result_t query, count;
  } other = {instance, stream(device(instance)), XHAL_ERROR_UNKNOWN, XHAL_ERROR_UNKNOWN};
  state(instance)->forbid_close = 1;
  // What another thread does while the driver makes up its mind.
  state(instance)->on_forbidden_close = [](void* user) {
    std::thread([seen = static_cast<Other*>(user)] {
      seen->query = xhal_stream_query(seen->stream);
      uint32_t number = 0;
      seen->count = xhal_instance_get_devices(seen->instance, 0, nullptr, &number);
    }).join();
  };
  state(instance)->on_forbidden_close_user = &other;
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_CALL_FORBIDDEN);
  EXPECT_EQ(other.query, XHAL_SUCCESS);
  EXPECT_EQ(other.count, XHAL_SUCCESS);
}

// Drivers that cannot be asked: the active one, whose host function it can be, decides before the others are closed.
TEST_F(InstanceTest, AForbiddenDestroyLeavesAllDriversOpen) {
  for (const size_t refusing : {size_t{0}, size_t{1}}) {
    const xhal_instance_t instance = create("fake,other");
    const xhal_stream_t streams[] = {stream(device(instance, 0)), stream(device(instance, 2))};
    void* pointer = nullptr;
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    ASSERT_EQ(xhal_memory_allocate(device(instance, 2 * refusing), &desc, &pointer), XHAL_SUCCESS);
    state(instance, refusing)->forbid_close = 1;
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(drivers(instance).size(), 2u);
    EXPECT_EQ(devices(instance).size(), 4u);
    for (const xhal_stream_t stream : streams) EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
    for (const xhal_stream_t stream : streams)
      EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
  }
}

// Of two that cannot be asked and are not active, the one that is closed last refuses: it stays open, and everybody is told.
TEST_F(InstanceTest, ADriverThatRefusesTooLateIsLeftOpen) {
  Description description("fake,other");
  const xhal_instance_t instance = create(description);
  const xhal_stream_t stream = this->stream(device(instance));
  state(instance, 0)->forbid_close = 3;
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
  ASSERT_EQ(description.lines.size(), 1u);
  EXPECT_EQ(description.lines[0].level, static_cast<uint32_t>(XHAL_LOG_ERROR));
  EXPECT_NE(description.lines[0].text.find("driver 'fake' refuses to be closed"), std::string::npos)
      << description.lines[0].text;
}

// A real host function, on a thread of a driver of the kit, which is asked; the driver that is closed first must not notice.
TEST_F(InstanceTest, ADestroyInsideAHostFunctionLeavesEarlierClosedDriversAlone) {
  setenv("XHAL_DRIVER_PATH", (drivers_of("counting") + ":" + drivers_of("good")).c_str(), 1);
  for (const char* order : {"counting,fake", "fake,counting"}) {
    const xhal_instance_t instance = create(order);
    const bool first = order[0] == 'c';
    const xhal_stream_t of_fake = stream(device(instance, first ? 2 : 0));
    xhal_stream_t of_kit = nullptr;
    ASSERT_EQ(xhal_device_get_default_stream(device(instance, first ? 0 : 2), &of_kit), XHAL_SUCCESS);
    struct Seen {
      xhal_instance_t instance;
      xhal_result_t result;
    } seen = {instance, XHAL_SUCCESS};
    const auto destroy = [](void* user, xhal_result_t) {
      auto* told = static_cast<Seen*>(user);
      told->result = xhal_instance_destroy(told->instance);
    };
    ASSERT_EQ(xhal_stream_host_function(of_kit, destroy, &seen), XHAL_SUCCESS) << last_text();
    EXPECT_EQ(seen.result, XHAL_ERROR_CALL_FORBIDDEN);
    EXPECT_EQ(xhal_stream_query(of_fake), XHAL_SUCCESS);
    EXPECT_EQ(xhal_stream_synchronize(of_kit, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    EXPECT_EQ(devices(instance).size(), 4u);
    EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  }
}

// Also inside a host function of another instance of the same driver: its thread cannot end that driver's threads.
TEST_F(InstanceTest, ADestroyInsideAHostFunctionOfAnotherInstanceIsForbiddenToo) {
  setenv("XHAL_DRIVER_PATH", drivers_of("counting").c_str(), 1);
  const xhal_instance_t running = create("counting");
  xhal_instance_t other = create("counting");
  xhal_stream_t stream = nullptr;
  ASSERT_EQ(xhal_device_get_default_stream(device(running), &stream), XHAL_SUCCESS);
  xhal_result_t result = XHAL_SUCCESS;
  std::pair<xhal_instance_t, xhal_result_t*> told{other, &result};
  const auto destroy = [](void* user, xhal_result_t) {
    const auto* pair = static_cast<decltype(told)*>(user);
    *pair->second = xhal_instance_destroy(pair->first);
  };
  ASSERT_EQ(xhal_stream_host_function(stream, destroy, &told), XHAL_SUCCESS) << last_text();
  EXPECT_EQ(result, XHAL_ERROR_CALL_FORBIDDEN);
  EXPECT_EQ(devices(other).size(), 2u);
}

TEST_F(InstanceTest, PointerAttributesAnswerForAllDrivers) {
  XHAL_CLAUSE("XHAL-INSTANCE-11");
  // "other" has no such call at all; it comes first, and its silence must not be taken for an answer.
  const xhal_instance_t instance = create("other,fake");
  static char memory[64];
  int on_stack = 0;
  state(instance, 1)->owned_pointer = memory;
  state(instance, 1)->owned_size = sizeof(memory);
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  xhal_device_t owner = nullptr;
  for (const char* pointer : {memory, memory + 63}) {
    EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, pointer, &attributes, &owner), XHAL_SUCCESS);
    EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_DEVICE));
    EXPECT_EQ(attributes.base, memory);
    EXPECT_EQ(attributes.size, 64u);
    EXPECT_EQ(attributes.struct_size, sizeof(attributes));
    EXPECT_EQ(owner, device(instance, 3));
  }
  EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, memory, &attributes, nullptr), XHAL_SUCCESS);
  for (const void* pointer : {static_cast<const void*>(memory + 64), static_cast<const void*>(&on_stack),
                              static_cast<const void*>(nullptr)}) {
    owner = device(instance);
    std::memset(&attributes, 0xff, sizeof(attributes));
    attributes.struct_size = sizeof(attributes);
    EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, pointer, &attributes, &owner), XHAL_SUCCESS);
    EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
    EXPECT_EQ(attributes.base, nullptr);
    EXPECT_EQ(attributes.size, 0u);
    EXPECT_EQ(owner, nullptr);
  }
  // A driver that cannot answer does not own it.
  state(instance, 1)->attributes_result = XHAL_ERROR_DEVICE_LOST;
  xhal_error_clear();
  EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, memory, &attributes, &owner), XHAL_SUCCESS);
  EXPECT_EQ(attributes.kind, static_cast<uint32_t>(XHAL_MEMORY_UNMANAGED));
  EXPECT_EQ(last_error().code, XHAL_SUCCESS);
  attributes.struct_size = 4;
  EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, memory, &attributes, &owner),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_instance_get_pointer_attributes(instance, memory, nullptr, &owner),
            XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(xhal_instance_get_pointer_attributes(nullptr, memory, &attributes, &owner),
            XHAL_ERROR_INVALID_HANDLE);
}

TEST_F(InstanceTest, TheDescriptionKeepsTheStructRules) {
  XHAL_CLAUSE("XHAL-ABI-8");
  XHAL_CLAUSE("XHAL-ABI-11");
  Description description;
  EXPECT_EQ(xhal_instance_create(&description.desc, nullptr), XHAL_ERROR_INVALID_ARGUMENT);
  for (const uint32_t size : {0u, 4u}) {
    description.desc.struct_size = size;
    EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  }
  description.desc.struct_size = sizeof(description.desc);
  description.desc.flags = 1u << 31;
  EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  description.desc.flags = 0;
  for (const uint32_t minor : {0u, XHAL_ABI_MINOR + 1u}) {
    description.desc.abi_minor = minor;
    EXPECT_EQ(refused(description), XHAL_ERROR_VERSION_MISMATCH);
    EXPECT_NE(last_text().find("0." + std::to_string(minor)), std::string::npos) << last_text();
  }
  description.desc.abi_minor = XHAL_ABI_MINOR;
  description.desc.driver_path_count = 1;
  EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  description.path("");
  EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  description.desc.driver_path_count = 0;
  description.desc.option_count = 1;
  EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  description.option("fake", nullptr, "x");
  EXPECT_EQ(refused(description), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_EQ(refused(Description().option(nullptr, "devices", "1")), XHAL_ERROR_INVALID_ARGUMENT);
  Description stride;
  stride.option("fake", "devices", "1");
  stride.desc.option_stride = sizeof(xhal_option_t) - 1;
  EXPECT_EQ(refused(stride), XHAL_ERROR_INVALID_ARGUMENT);
}

TEST_F(InstanceTest, ALargerDescriptionIsReadWhenItsTailIsZero) {
  XHAL_CLAUSE("XHAL-ABI-7");
  struct {
    xhal_instance_desc_t known;
    uint64_t tail;
  } larger{};
  larger.known = Description().desc;
  larger.known.log = nullptr;
  larger.known.on_candidate = nullptr;
  larger.known.struct_size = sizeof(larger);
  xhal_instance_t instance = nullptr;
  ASSERT_EQ(xhal_instance_create(&larger.known, &instance), XHAL_SUCCESS) << last_text();
  EXPECT_EQ(xhal_instance_destroy(instance), XHAL_SUCCESS);
  larger.tail = 1;
  EXPECT_EQ(xhal_instance_create(&larger.known, &instance), XHAL_ERROR_UNKNOWN_FIELD);
}

TEST_F(InstanceTest, DiscoveringAloneLoadsNothing) {
  setenv("XHAL_DRIVER_PATH", (drivers_of("bad") + ":" + drivers_of("good")).c_str(), 1);
  Description description(nullptr);
  description.desc.flags = XHAL_INSTANCE_DISCOVER_ONLY;
  const xhal_instance_t instance = create(description);
  EXPECT_TRUE(drivers(instance).empty());
  ASSERT_NE(description.candidate("fake"), nullptr);
  EXPECT_EQ(description.candidate("fake")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_SELECTED));
  EXPECT_EQ(description.candidate("fake")->library, root("good") + "/lib/xhal/driver_fake.so");
  // A defect that only loading finds is not known.
  ASSERT_NE(description.candidate("no_open"), nullptr);
  EXPECT_EQ(description.candidate("no_open")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_SELECTED));
}

TEST_F(InstanceTest, CandidatesOfDriversAndLayersAreTold) {
  Description description("fake", "first");
  create(description);
  ASSERT_NE(description.candidate("fake"), nullptr);
  EXPECT_EQ(description.candidate("fake")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_SELECTED));
  ASSERT_NE(description.candidate("other"), nullptr);
  EXPECT_EQ(description.candidate("other")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_NOT_ASKED));
  ASSERT_NE(description.candidate("first"), nullptr);
  EXPECT_TRUE(description.candidate("first")->is_layer);
  EXPECT_EQ(description.candidate("first")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_SELECTED));
  EXPECT_EQ(description.candidate("second")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_NOT_ASKED));
}

TEST_F(InstanceTest, IgnoringTheEnvironmentReadsNoVariable) {
  const std::string manifest = drivers_of("good") + "/fake.json";
  setenv("XHAL_DRIVERS", "nobody", 1);
  setenv("XHAL_LAYERS", "nobody", 1);
  setenv("XHAL_FAKE", "devices=5", 1);
  Description description("");
  description.path(manifest.c_str());
  description.desc.flags = XHAL_INSTANCE_IGNORE_ENVIRONMENT;
  const xhal_instance_t instance = create(description);
  EXPECT_EQ(devices(instance).size(), 2u);
}

struct OpenFault {
  const char* key;
  const char* value;
  xhal_result_t result;
  const char* text;
};

class OpenFaultTest : public InstanceTest, public ::testing::WithParamInterface<OpenFault> {};

TEST_P(OpenFaultTest, IsAnErrorWhenAskedFor) {
  XHAL_CLAUSE("XHAL-INSTANCE-4");
  const OpenFault& fault = GetParam();
  EXPECT_EQ(refused(Description("fake,other").option("fake", fault.key, fault.value)), fault.result);
  EXPECT_NE(last_text().find(fault.text), std::string::npos) << last_text();
  EXPECT_NE(last_text().find("driver 'fake'"), std::string::npos) << last_text();
  // Options make a driver that was only found one that is wanted.
  EXPECT_EQ(refused(Description(nullptr).option("fake", fault.key, fault.value)), fault.result);
}

TEST_P(OpenFaultTest, IsLeftOutWhenOnlyFound) {
  XHAL_CLAUSE("XHAL-INSTANCE-4");
  const OpenFault& fault = GetParam();
  setenv("XHAL_FAKE", (std::string(fault.key) + "=" + fault.value).c_str(), 1);
  Description description(nullptr);
  if (fault.result == XHAL_ERROR_INVALID_ARGUMENT) {
    EXPECT_EQ(refused(description), fault.result) << "the variable's mistake would be hidden";
    return;
  }
  const xhal_instance_t instance = create(description);
  EXPECT_EQ(drivers(instance).size(), 2u) << "other and short";
  EXPECT_EQ(description.candidate("fake")->decision, static_cast<uint32_t>(XHAL_CANDIDATE_REFUSED));
  EXPECT_NE(description.candidate("fake")->reason.find(fault.text), std::string::npos);
  EXPECT_TRUE(std::any_of(description.lines.begin(), description.lines.end(), [&](const LogLine& line) {
    return line.level == XHAL_LOG_INFO && line.text.find(fault.text) != std::string::npos;
  }));
}

INSTANTIATE_TEST_SUITE_P(
    Driver, OpenFaultTest,
    ::testing::Values(
        OpenFault{"open", "error", XHAL_ERROR_DRIVER_FAILED,
                  "open returned XHAL_ERROR_PERMISSION (its own code 13): no access to /dev/fake0"},
        OpenFault{"open", "silent", XHAL_ERROR_DRIVER_FAILED,
                  "open returned XHAL_ERROR_UNKNOWN: unknown error of the driver"},
        OpenFault{"open", "positive", XHAL_ERROR_DRIVER_FAILED, "open returned XHAL_NOT_READY"},
        OpenFault{"open", "null", XHAL_ERROR_DRIVER_FAILED, "gives a null handle as its driver"},
        OpenFault{"open", "type", XHAL_ERROR_DRIVER_FAILED, "gives a handle of type event as its driver"},
        OpenFault{"no_such_option", "1", XHAL_ERROR_INVALID_ARGUMENT, "unknown option 'no_such_option'"},
        OpenFault{"devices", "99", XHAL_ERROR_INVALID_ARGUMENT, "at most 8"},
        OpenFault{"enumerate", "error", XHAL_ERROR_DRIVER_FAILED, "the bus is on fire"},
        OpenFault{"enumerate", "null", XHAL_ERROR_DRIVER_FAILED, "gives a null handle as its device"},
        OpenFault{"enumerate", "type", XHAL_ERROR_DRIVER_FAILED,
                  "gives a handle of type stream as its device"},
        OpenFault{"enumerate", "many", XHAL_ERROR_DRIVER_FAILED, "lists 4000000000 devices"}),
    [](const auto& test) { return std::string(test.param.key) + "_" + test.param.value; });

TEST_F(InstanceTest, DevicesThatAppearWhileTheyAreCountedAreListed) {
  EXPECT_EQ(devices(create(Description().option("fake", "devices", "4").option("fake", "enumerate", "grow")))
                .size(),
            4u);
}

TEST_F(InstanceTest, ADriverWithoutDevicesIsADriver) {
  const xhal_instance_t instance = create(Description().option("fake", "devices", "0"));
  EXPECT_EQ(drivers(instance).size(), 1u);
  EXPECT_TRUE(devices(instance).empty());
}

}  // namespace
}  // namespace xhal::test
