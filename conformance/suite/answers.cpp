// SPDX-License-Identifier: Apache-2.0
// What calls answer when two objects are asked in turn, and that what went well is told as success: an answer that is the one before, or
// that is some other positive code, shows nowhere else.
#include "suite/activity_support.h"
#include "suite/interop_objects.h"
#include "suite/interop_support.h"
#include "suite/ipc_support.h"
#include "xhal/ext/host_function.h"
#include "xhal/ext/lose_device.h"

namespace xhal::conformance {
namespace {

// ---- Enumeration ----------------------------------------------------------------------------------------

XHAL_TEST(instance, opened_by_hand, .clauses = {"XHAL-INSTANCE-5", "XHAL-INSTANCE-12", "XHAL-DEVICE-2"},
          .observes =
              "in a process that did nothing else: a new instance, its driver, its devices and their "
              "properties, each call's "
              "result and that each handle is there",
          .isolated = true) {
  const Target& target = t.target();
  const char* const path = target.driver_path.c_str();
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = target.driver_path.empty() ? target.backend.c_str() : "";
  desc.driver_paths = target.driver_path.empty() ? nullptr : &path;
  desc.driver_path_count = target.driver_path.empty() ? 0 : 1;
  xhal_instance_t instance = nullptr;
  ASSERT_RESULT("XHAL-INSTANCE-5", xhal_instance_create(&desc, &instance), XHAL_SUCCESS,
                "a new instance cannot list its devices");
  uint32_t count = 0;
  xhal_driver_t driver = nullptr;
  ASSERT_RESULT("XHAL-INSTANCE-5", xhal_instance_get_drivers(instance, 1, &driver, &count), XHAL_SUCCESS);
  ASSERT_VALUE("XHAL-INSTANCE-5", count, 1u);
  xhal_driver_properties_t of_driver{};
  of_driver.struct_size = sizeof(of_driver);
  EXPECT_RESULT("XHAL-INSTANCE-12", xhal_driver_get_properties(driver, &of_driver), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-INSTANCE-5", xhal_driver_get_devices(driver, 0, nullptr, &count), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-INSTANCE-5", count > 0, "the driver under test has no device");
  std::vector<xhal_device_t> devices(count, nullptr);
  EXPECT_RESULT("XHAL-INSTANCE-5", xhal_driver_get_devices(driver, count, devices.data(), &count),
                XHAL_SUCCESS);
  for (xhal_device_t device : devices) {
    ASSERT_CLAUSE("XHAL-INSTANCE-5", device != nullptr, "a device that was counted has no handle");
    xhal_device_properties_t properties{};
    properties.struct_size = sizeof(properties);
    EXPECT_RESULT("XHAL-DEVICE-2", xhal_device_get_properties(device, &properties), XHAL_SUCCESS);
  }
  EXPECT_RESULT("XHAL-INSTANCE-5", xhal_instance_destroy(instance), XHAL_SUCCESS);
}

XHAL_TEST(instance, idle_devices_say_so, .clauses = {"XHAL-INSTANCE-2"},
          .observes = "the result of is_active of each device, in a process that did nothing else",
          .isolated = true) {
  for (size_t i = 0; i < t.device_count(); ++i) {
    uint32_t active = 77;
    EXPECT_RESULT("XHAL-INSTANCE-2", xhal_device_is_active(t.device(i), &active), XHAL_SUCCESS, "device {}",
                  i);
    EXPECT_VALUE("XHAL-INSTANCE-2", active, 0u, "device {}", i);
  }
}

XHAL_TEST(abi, tables_of_known_extensions, .clauses = {"XHAL-ABI-21"},
          .observes =
              "the names that this project has given to tables, asked in turn and twice: success or "
              "NOT_FOUND, one table for a name, "
              "and another for another",
          .may_be_unobservable = true) {
  struct Known {
    const char* name;
    uint32_t version;
  };
  std::vector<std::pair<const char*, const void*>> found;
  for (const Known& one : {Known{XHAL_HOST_FUNCTION_NAME, XHAL_HOST_FUNCTION_VERSION},
                           Known{XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION},
                           Known{XHAL_NATIVE_PROBE_NAME, XHAL_NATIVE_PROBE_VERSION}}) {
    const void* table = nullptr;
    const xhal_result_t result = TRACED(xhal_driver_get_extension(t.driver(), one.name, one.version, &table));
    EXPECT_CLAUSE("XHAL-ABI-21", result == XHAL_SUCCESS || result == XHAL_ERROR_NOT_FOUND, "{}: {}", one.name,
                  result_name(result));
    if (result != XHAL_SUCCESS) continue;
    EXPECT_CLAUSE("XHAL-ABI-21", table != nullptr, "{} is there and has no table", one.name);
    for (const auto& [name, other] : found)
      EXPECT_CLAUSE("XHAL-ABI-21", other != table, "{} and {} have one table", name, one.name);
    found.emplace_back(one.name, table);
  }
  for (const auto& [name, table] : found) {
    const void* again = nullptr;
    EXPECT_RESULT("XHAL-ABI-21", xhal_driver_get_extension(t.driver(), name, 1, &again), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-ABI-21", again == table, "{} asked again is another table", name);
  }
  if (found.empty()) Context::not_observable("the driver offers none of these tables");
}

// ---- Two of a kind ----------------------------------------------------------------------------------------

XHAL_TEST(device, streams_belong_to_their_device, .clauses = {"XHAL-DEVICE-8", "XHAL-STREAM-9"},
          .observes =
              "of two devices: the device of each default stream and of a new stream of each, asked in turn",
          .devices = 2) {
  std::vector<Stream> made;
  for (size_t i = 0; i < 2; ++i) {
    xhal_stream_t stream = nullptr;
    xhal_device_t device = nullptr;
    REQUIRE_OK(xhal_device_get_default_stream(t.device(i), &stream));
    REQUIRE_OK(xhal_stream_get_device(stream, &device));
    EXPECT_VALUE("XHAL-DEVICE-8", device, t.device(i), "default stream of device {}", i);
    made.emplace_back(t, i);
  }
  for (size_t i = 0; i < 2; ++i) {
    xhal_device_t device = nullptr;
    EXPECT_RESULT("XHAL-STREAM-9", xhal_stream_get_device(made[i], &device), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-STREAM-9", device, t.device(i), "new stream of device {}", i);
  }
}

XHAL_TEST(native, objects_have_handles_of_their_own, .clauses = {"XHAL-INTEROP-1"},
          .observes = "the native handles of two modules that live at once, where they have any",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES, XHAL_FEATURE_KERNEL}, .may_be_unobservable = true) {
  const KernelImage image = t.pack().image();
  xhal_module_t modules[2] = {};
  xhal_native_t natives[2] = {empty_native(), empty_native()};
  bool told = true;
  for (size_t i = 0; i < 2; ++i) {
    REQUIRE_OK(KernelPack::load(t.device(), image, &modules[i]));
    const xhal_result_t result = TRACED(xhal_module_get_native(modules[i], &natives[i]));
    EXPECT_CLAUSE("XHAL-INTEROP-1", result == XHAL_SUCCESS || result == XHAL_ERROR_UNSUPPORTED, "{}",
                  result_name(result));
    told = told && result == XHAL_SUCCESS;
  }
  if (told)
    EXPECT_CLAUSE("XHAL-INTEROP-1", natives[0].value != natives[1].value,
                  "two modules have one native handle");
  for (xhal_module_t module : modules) TRACED(xhal_module_destroy(module));
  if (!told) Context::not_observable("modules of the driver have no native handle");
}

XHAL_TEST(
    native, two_wrappers, .clauses = {"XHAL-INTEROP-3"},
    .observes =
        "streams wrapped around the native handles of two streams: each names the one that it was made of",
    .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  Stream first(t);
  Stream second(t);
  const xhal_native_t natives[2] = {native_of(t, first), native_of(t, second)};
  const Wrapped one(t, natives[0]);
  const Wrapped other(t, natives[1]);
  EXPECT_CLAUSE("XHAL-INTEROP-3", static_cast<xhal_stream_t>(one) != static_cast<xhal_stream_t>(other),
                "two wrapped streams are one");
  EXPECT_VALUE("XHAL-INTEROP-3", native_of(t, one).value, natives[0].value);
  EXPECT_VALUE("XHAL-INTEROP-3", native_of(t, other).value, natives[1].value);
}

XHAL_TEST(external, two_at_once, .clauses = {"XHAL-INTEROP-9", "XHAL-INTEROP-11"},
          .observes =
              "two allocations, exported and imported beside each other: the exports' results, two "
              "addresses, each one's bytes; the "
              "device's free memory when neither side holds any more",
          .needs = {XHAL_FEATURE_EXTERNAL_MEMORY}, .may_be_unobservable = true) {
  for (const uint32_t type : {uint32_t{XHAL_EXTERNAL_DMA_BUF}, uint32_t{XHAL_EXTERNAL_OPAQUE_FD}}) {
    const uint64_t before = free_bytes(t);
    Buffer memory[2] = {device_memory(t, kObjectBytes), device_memory(t, kObjectBytes)};
    std::vector<Descriptor> descriptors;
    void* pointers[2] = {};
    std::vector<uint8_t> data[2];
    for (size_t i = 0; i < 2; ++i) {
      int32_t fd = -1;
      uint64_t offset = 0;
      const xhal_result_t result =
          TRACED(xhal_memory_export_external(t.device(), memory[i], type, &fd, &offset));
      EXPECT_CLAUSE("XHAL-INTEROP-11", result == XHAL_SUCCESS || refused_type(result), "type {}: {}", type,
                    result_name(result));
      if (result != XHAL_SUCCESS) break;
      descriptors.emplace_back(fd);
      data[i] = t.random_bytes(kObjectBytes, i);
      t.write(memory[i], data[i]);
      xhal_external_memory_desc_t desc{};
      desc.struct_size = sizeof(desc);
      desc.type = type;
      desc.fd = fd;
      desc.size = offset + kObjectBytes;
      desc.offset = offset;
      const xhal_result_t imported = TRACED(xhal_memory_import_external(t.device(), &desc, &pointers[i]));
      EXPECT_CLAUSE("XHAL-INTEROP-9", imported == XHAL_SUCCESS || refused_type(imported), "type {}: {}", type,
                    result_name(imported));
    }
    if (pointers[0] == nullptr || pointers[1] == nullptr) continue;
    EXPECT_CLAUSE("XHAL-INTEROP-9", pointers[0] != pointers[1], "two imports have one address");
    for (size_t i = 0; i < 2; ++i)
      EXPECT_DATA("XHAL-INTEROP-9", data[i], t.read<uint8_t>(pointers[i], kObjectBytes), "import {}", i);
    for (void* pointer : pointers)
      EXPECT_RESULT("XHAL-INTEROP-9", xhal_memory_release_external(t.device(), pointer), XHAL_SUCCESS);
    descriptors.clear();
    for (Buffer& one : memory) one.reset();
    EXPECT_CLAUSE("XHAL-INTEROP-11", t.eventually([&] { return free_bytes(t) + kObjectBytes > before; }),
                  "{} bytes were free before, and {} are when nobody holds the memory any more", before,
                  free_bytes(t));
    return;
  }
  Context::not_observable("no type can be exported and imported again");
}

XHAL_TEST(activity, ids_are_exchanged, .clauses = {"XHAL-ACTIVITY-4"},
          .observes = "results and former ids of exchanges on one thread", .needs = {XHAL_FEATURE_ACTIVITY}) {
  uint64_t former = 77;
  EXPECT_RESULT("XHAL-ACTIVITY-4", xhal_driver_exchange_correlation(t.driver(), 5, &former), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ACTIVITY-4", xhal_driver_exchange_correlation(t.driver(), 6, &former), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ACTIVITY-4", former, 5u);
  EXPECT_RESULT("XHAL-ACTIVITY-4", xhal_driver_exchange_correlation(t.driver(), 0, &former), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ACTIVITY-4", former, 6u);
}

XHAL_TEST(
    activity, two_subscriptions, .clauses = {"XHAL-ACTIVITY-1", "XHAL-ACTIVITY-6"},
    .observes =
        "a fill under two subscriptions, each told once; one ends, and the other is told of another fill",
    .needs = {XHAL_FEATURE_ACTIVITY}) {
  Stream stream(t);
  const Buffer memory = device_memory(t, 64);
  Subscription first(t, XHAL_ACTIVITY_FILL);
  Subscription second(t, XHAL_ACTIVITY_FILL);
  const auto fill = [&] {
    REQUIRE_OK(xhal_memory_fill(stream, memory, 1, 4, 64));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  };
  fill();
  EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(first, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ACTIVITY-1", xhal_activity_flush(second, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ACTIVITY-1", first.count(stream_id(t, stream)), 1u);
  EXPECT_VALUE("XHAL-ACTIVITY-1", second.count(stream_id(t, stream)), 1u);
  EXPECT_RESULT("XHAL-ACTIVITY-6", xhal_activity_unsubscribe(first.release()), XHAL_SUCCESS);
  fill();
  EXPECT_RESULT("XHAL-ACTIVITY-6", xhal_activity_flush(second, t.patience()), XHAL_SUCCESS,
                "the other subscription goes on");
  EXPECT_VALUE("XHAL-ACTIVITY-1", second.count(stream_id(t, stream)), 2u);
}

XHAL_TEST(vmm, reserve_without_a_wish, .clauses = {"XHAL-VMM-9", "XHAL-VMM-2"},
          .observes = "results of two reservations without a hint, their addresses, and of their releases",
          .needs = {XHAL_FEATURE_VMM}) {
  xhal_vmm_granularity_t granularity{};
  granularity.struct_size = sizeof(granularity);
  REQUIRE_OK(xhal_vmm_get_granularity(t.device(), &granularity));
  const uint64_t bytes = granularity.recommended;
  void* ranges[2] = {};
  for (void*& range : ranges)
    ASSERT_RESULT("XHAL-VMM-9", xhal_vmm_reserve(t.device(), bytes, 0, nullptr, &range), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-VMM-2", ranges[0] != ranges[1], "two ranges have one address");
  for (void* range : ranges)
    EXPECT_RESULT("XHAL-VMM-9", xhal_vmm_release(t.device(), range, bytes), XHAL_SUCCESS);
}

// ---- Events of another process ----------------------------------------------------------------------------

// Exports two events and records the second behind a gate.
void export_two(Context& t, Peer& peer) {
  const Event events[2] = {Event(t, XHAL_EVENT_IPC), Event(t, XHAL_EVENT_IPC)};
  Stream stream(t);
  for (const Event& event : events) {
    Message bytes(t.properties().ipc_handle_bytes, 0);
    ASSERT_RESULT("XHAL-IPC-10", xhal_ipc_export_event(event, bytes.size(), bytes.data()), XHAL_SUCCESS,
                  "{} bytes, as the device tells", bytes.size());
    peer.send(bytes);
  }
  peer.expect("record");
  Gate gate(t, stream, gate_kind(t.text("hold")));
  REQUIRE_OK(xhal_event_record(events[1], stream, 0));
  peer.send_value(gate.shut());
  peer.expect("open");
  gate.open();
  peer.send_value(xhal_stream_synchronize(stream, t.patience()) == XHAL_SUCCESS);
  peer.expect("done");
}

Cases gates() { return grid({gate_axis()}); }

XHAL_TEST_P(ipc, two_events_of_another_process, gates, .clauses = {"XHAL-IPC-9", "XHAL-IPC-10"},
            .observes =
                "two events of another process, of which it records the second behind a held stream: their "
                "bytes and handles "
                "differ, the first is done and the second is not",
            .needs = {XHAL_FEATURE_IPC_EVENT}, .isolated = true) {
  OtherProcess other(t, export_two);
  xhal_event_t events[2] = {};
  Message bytes[2];
  for (size_t i = 0; i < 2; ++i) {
    bytes[i] = other.receive();
    ASSERT_RESULT("XHAL-IPC-9",
                  xhal_ipc_import_event(t.device(), bytes[i].data(), bytes[i].size(), &events[i]),
                  XHAL_SUCCESS);
  }
  EXPECT_CLAUSE("XHAL-IPC-9", bytes[0] != bytes[1], "two events have the same bytes");
  EXPECT_CLAUSE("XHAL-IPC-9", events[0] != events[1], "two imports are one event");
  other.send("record");
  const bool is_held = other.receive_value<bool>();
  EXPECT_RESULT("XHAL-IPC-9", xhal_event_query(events[0]), XHAL_SUCCESS, "never recorded");
  if (is_held && !t.synchronous())
    EXPECT_RESULT("XHAL-IPC-9", xhal_event_query(events[1]), XHAL_NOT_READY, "its stream is held");
  other.send("open");
  if (!other.receive_value<bool>()) Context::inconclusive("the held work did not end");
  EXPECT_RESULT("XHAL-IPC-9", xhal_event_synchronize(events[1], t.patience()), XHAL_SUCCESS);
  for (xhal_event_t event : events) TRACED(xhal_event_destroy(event));
  other.send("done");
  other.finish();
}

}  // namespace
}  // namespace xhal::conformance
