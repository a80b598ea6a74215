// SPDX-License-Identifier: Apache-2.0
// Instances and enumeration.
#include <algorithm>
#include <array>
#include <filesystem>

#include "suite/support.h"

namespace xhal::conformance {
namespace {

bool active(Context& t, xhal_device_t device) {
  uint32_t answer = 77;
  REQUIRE_OK(xhal_device_is_active(device, &answer));
  if (answer > 1)
    t.recorder().failed("XHAL-INSTANCE-2", XHAL_HERE, "xhal_device_is_active",
                        fmt::format("answers {}", answer));
  return answer == 1;
}

XHAL_TEST(instance, queries_open_no_context, .clauses = {"XHAL-INSTANCE-2"},
          .observes = "is_active of every device after all property calls, and after the first allocation",
          .isolated = true) {
  Session& session = t.session();
  for (size_t i = 0; i < session.device_count(); ++i) {
    xhal_device_t device = session.device(i);
    uint32_t claimed = 0;
    for (uint32_t feature = 0; feature < 64; ++feature)
      REQUIRE_OK(xhal_device_has_feature(device, feature, &claimed));
    static_cast<void>(session.image_formats(i));
    for (size_t k = 0; k < session.device_count(); ++k) {
      xhal_link_t link{};
      link.struct_size = sizeof(link);
      REQUIRE_OK(xhal_device_get_link(device, session.device(k), &link));
    }
    xhal_fault_t fault{};
    fault.struct_size = sizeof(fault);
    REQUIRE_OK(xhal_device_get_fault(device, &fault));
  }
  {
    PrivateSession other(t);
    for (size_t i = 0; i < other->device_count(); ++i) {
      EXPECT_CLAUSE("XHAL-INSTANCE-2", !active(t, other->device(i)), "device {} of a second instance", i);
    }
  }
  for (size_t i = 0; i < session.device_count(); ++i) {
    EXPECT_CLAUSE("XHAL-INSTANCE-2", !active(t, session.device(i)),
                  "device {} is active, and nothing needed it", i);
  }
  const Buffer memory = device_memory(t, 4096);
  EXPECT_CLAUSE("XHAL-INSTANCE-2", active(t, session.device()), "device 0 is not active after an allocation");
  for (size_t i = 1; i < session.device_count(); ++i) {
    EXPECT_CLAUSE("XHAL-INSTANCE-2", !active(t, session.device(i)),
                  "device {} became active with another one", i);
  }
}

using Enumerate = std::function<xhal_result_t(uint32_t capacity, void* out, uint32_t* count)>;

// One kind of enumeration at all capacities; the handles as addresses.
void check_enumeration(Context& t, const char* name, const Enumerate& enumerate) {
  uint32_t count = 77;
  ASSERT_RESULT("XHAL-INSTANCE-5", enumerate(0, nullptr, &count), XHAL_SUCCESS, "{}: count alone", name);
  ASSERT_CLAUSE("XHAL-INSTANCE-5", count > 0 && count < 10'000, "{}: {}", name, count);
  std::vector<void*> all(count, sentinel<void>());
  uint32_t told = 77;
  EXPECT_RESULT("XHAL-INSTANCE-5", enumerate(count, all.data(), &told), XHAL_SUCCESS, "{}: exact", name);
  EXPECT_VALUE("XHAL-INSTANCE-5", told, count);
  for (void* handle : all)
    EXPECT_CLAUSE("XHAL-INSTANCE-5", handle != nullptr && handle != sentinel<void>(), "{}", name);
  for (uint32_t capacity = 0; capacity <= count + 3; ++capacity) {
    std::vector<void*> some(capacity + 2, sentinel<void>());
    told = 77;
    EXPECT_RESULT("XHAL-INSTANCE-5", enumerate(capacity, some.data(), &told),
                  capacity < count ? XHAL_INCOMPLETE : XHAL_SUCCESS, "{}: capacity {} of {}", name, capacity,
                  count);
    EXPECT_VALUE("XHAL-INSTANCE-5", told, count, "{}: capacity {}", name, capacity);
    for (uint32_t i = 0; i < some.size(); ++i) {
      void* expected = i < std::min(capacity, count) ? all[i] : sentinel<void>();
      EXPECT_VALUE("XHAL-INSTANCE-6", some[i], expected, "{}: entry {} at capacity {}", name, i, capacity);
    }
  }
}

XHAL_TEST(instance, enumerations, .clauses = {"XHAL-INSTANCE-5", "XHAL-INSTANCE-6"},
          .observes =
              "drivers and devices by instance and by driver at capacities 0 to count + 3: result, count, "
              "handles, untouched rest") {
  check_enumeration(t, "instance_get_drivers", [&](uint32_t capacity, void* out, uint32_t* count) {
    return TRACED(xhal_instance_get_drivers(t.instance(), capacity, static_cast<xhal_driver_t*>(out), count));
  });
  check_enumeration(t, "instance_get_devices", [&](uint32_t capacity, void* out, uint32_t* count) {
    return TRACED(xhal_instance_get_devices(t.instance(), capacity, static_cast<xhal_device_t*>(out), count));
  });
  check_enumeration(t, "driver_get_devices", [&](uint32_t capacity, void* out, uint32_t* count) {
    return TRACED(xhal_driver_get_devices(t.driver(), capacity, static_cast<xhal_device_t*>(out), count));
  });
}

XHAL_TEST(instance, both_enumerations_agree, .clauses = {"XHAL-INSTANCE-6"},
          .observes = "the devices of the instance against those of its one driver") {
  const auto count = static_cast<uint32_t>(t.device_count());
  std::vector<xhal_device_t> by_instance(count);
  std::vector<xhal_device_t> by_driver(count);
  uint32_t told = 0;
  EXPECT_RESULT("XHAL-INSTANCE-6", xhal_instance_get_devices(t.instance(), count, by_instance.data(), &told),
                XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-INSTANCE-6", told, count);
  EXPECT_RESULT("XHAL-INSTANCE-6", xhal_driver_get_devices(t.driver(), count, by_driver.data(), &told),
                XHAL_SUCCESS);
  for (uint32_t i = 0; i < count; ++i) {
    EXPECT_VALUE("XHAL-INSTANCE-6", by_instance[i], by_driver[i]);
    xhal_device_properties_t properties{};
    properties.struct_size = sizeof(properties);
    REQUIRE_OK(xhal_device_get_properties(by_driver[i], &properties));
    EXPECT_VALUE("XHAL-INSTANCE-6", properties.index, i, "the index among the driver's devices");
  }
}

XHAL_TEST(instance, side_by_side, .clauses = {"XHAL-INSTANCE-7"},
          .observes =
              "two further instances with work of their own; one is destroyed in mid-work; the others' data "
              "and new work") {
  const auto data = t.random_bytes(30'000);
  PrivateSession first(t);
  PrivateSession second(t);
  EXPECT_CLAUSE("XHAL-INSTANCE-7", first->device() != second->device() && first->device() != t.device(),
                "instances share a device's handle");
  const Buffer mine = device_memory(t, data.size());
  Stream stream(t);
  Buffer theirs(t, *second, XHAL_MEMORY_DEVICE, data.size());
  Stream their_stream(t, *second);
  {
    Buffer doomed(t, *first, XHAL_MEMORY_DEVICE, data.size());
    Stream doomed_stream(t, *first);
    for (int i = 0; i < 20; ++i) REQUIRE_OK(xhal_memory_fill(doomed_stream, doomed, 1, 1, doomed.size()));
    REQUIRE_OK(xhal_memory_copy(stream, mine, data.data(), data.size()));
    REQUIRE_OK(xhal_memory_copy(their_stream, theirs, data.data(), data.size()));
    // Gone with their instance.
    doomed.release();
    doomed_stream.release();
    EXPECT_RESULT("XHAL-INSTANCE-7", first.close(), XHAL_SUCCESS);
  }
  EXPECT_RESULT("XHAL-INSTANCE-7", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-INSTANCE-7", xhal_stream_synchronize(their_stream, t.patience()), XHAL_SUCCESS);
  EXPECT_DATA("XHAL-INSTANCE-7", data, t.read<uint8_t>(mine, data.size()), "the first instance's memory");
  const auto out = t.host_bytes(data.size());
  REQUIRE_OK(xhal_memory_copy(their_stream, out.data(), theirs, data.size()));
  REQUIRE_OK(xhal_stream_synchronize(their_stream, t.patience()));
  EXPECT_DATA("XHAL-INSTANCE-7", data, std::vector<uint8_t>(out.begin(), out.end()),
              "the remaining instance's memory");
}

XHAL_TEST(instance, destroy_with_work_in_flight, .clauses = {"XHAL-INSTANCE-8", "XHAL-HOSTFN-1"},
          .observes =
              "an instance with live objects, queued fills and host functions is destroyed: every function "
              "ran once by then, and a "
              "new instance gets the memory again, five times over",
          .isolated = true) {
  uint64_t size = 0;
  for (int round = 0; round < 5; ++round) {
    PrivateSession session(t);
    if (round == 0) {
      xhal_memory_info_t info{};
      info.struct_size = sizeof(info);
      REQUIRE_OK(xhal_device_get_memory_info(session->device(), &info));
      // Three such rounds would not fit side by side.
      size = std::min(info.free_bytes / 10 * 4, session->properties().max_allocation_bytes);
    } else {
      void* again = nullptr;
      const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, size);
      if (!EXPECT_RESULT("XHAL-INSTANCE-8", xhal_memory_allocate(session->device(), &desc, &again),
                         XHAL_SUCCESS, "as much as the instance of round {} had", round - 1))
        return;
      REQUIRE_OK(xhal_memory_free(session->device(), again));
    }
    Buffer memory(t, *session, XHAL_MEMORY_DEVICE, size);
    auto& calls = t.kept<std::array<HostCall, 50>>();
    std::vector<xhal_stream_t> streams;
    for (int i = 0; i < 5; ++i) {
      Stream stream(t, *session);
      streams.push_back(stream.release());
      Event event(t, *session);
      REQUIRE_OK(xhal_event_record(event, streams.back(), 0));
      event.release();
    }
    // Streams that nothing orders write apart.
    const uint64_t share = std::min<uint64_t>(size / streams.size(), 1u << 20);
    for (size_t i = 0; i < calls.size(); ++i) {
      REQUIRE_OK(xhal_memory_fill(streams[i % 5], memory.at(i % 5 * share), i, 1, share));
      REQUIRE_OK(xhal_stream_host_function(streams[i % 5], count_call, &calls[i]));
    }
    memory.release();
    EXPECT_RESULT("XHAL-INSTANCE-8", session.close(), XHAL_SUCCESS, "round {}", round);
    for (size_t i = 0; i < calls.size(); ++i) {
      EXPECT_VALUE("XHAL-HOSTFN-1", calls[i].count.load(), 1, "function {}, round {}", i, round);
      const xhal_result_t status = calls[i].status.load();
      EXPECT_CLAUSE("XHAL-INSTANCE-8", status == XHAL_SUCCESS || status == XHAL_ERROR_CANCELLED,
                    "function {} got {}", i, result_name(status));
    }
  }
}

XHAL_TEST(instance, many_instances, .clauses = {"XHAL-INSTANCE-7", "XHAL-INSTANCE-8"},
          .observes = "40 instances made and destroyed in turn, each with a copy of its own",
          .isolated = true) {
  const auto data = t.random_bytes(1000);
  for (int i = 0; i < 40; ++i) {
    PrivateSession session(t);
    Buffer memory(t, *session, XHAL_MEMORY_DEVICE, data.size());
    Stream stream(t, *session);
    const auto out = t.host_bytes(data.size());
    REQUIRE_OK(xhal_memory_copy(stream, memory, data.data(), data.size()));
    REQUIRE_OK(xhal_memory_copy(stream, out.data(), memory, data.size()));
    REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
    ASSERT_DATA("XHAL-INSTANCE-7", data, std::vector<uint8_t>(out.begin(), out.end()), "instance {}", i);
    if (i % 2 == 0) {
      memory.release();
      stream.release();
    } else {
      memory.reset();
      stream.reset();
    }
    ASSERT_RESULT("XHAL-INSTANCE-8", session.close(), XHAL_SUCCESS);
  }
}

XHAL_TEST(instance, unknown_option, .clauses = {"XHAL-INSTANCE-9"},
          .observes = "the code of an instance asked for with no_such_option, and its text") {
  const std::string name = bounded_text(t.session().driver_properties().name);
  const std::string path = t.target().driver_path;
  const char* const paths[] = {path.c_str()};
  const xhal_option_t option{name.c_str(), "no_such_option", "1"};
  xhal_instance_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.abi_minor = XHAL_ABI_MINOR;
  desc.drivers = path.empty() ? name.c_str() : "";
  desc.driver_paths = paths;
  desc.driver_path_count = path.empty() ? 0 : 1;
  desc.options = &option;
  desc.option_count = 1;
  xhal_instance_t instance = sentinel<xhal_instance_s>();
  EXPECT_RESULT("XHAL-INSTANCE-9", xhal_instance_create(&desc, &instance), XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_VALUE("XHAL-INSTANCE-9", instance, sentinel<xhal_instance_s>());
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  REQUIRE_OK(xhal_error_get_last(&error));
  EXPECT_CLAUSE("XHAL-INSTANCE-9", bounded_text(error.text).find("no_such_option") != std::string::npos,
                "the text does not name the option: {}", bounded_text(error.text));
}

XHAL_TEST(instance, pointers_are_unique, .clauses = {"XHAL-INSTANCE-10"},
          .observes =
              "device and pinned allocations of three instances and all devices: no two overlap; no instance "
              "knows another's") {
  PrivateSession first(t);
  PrivateSession second(t);
  Session* const sessions[] = {&t.session(), &*first, &*second};
  struct Range {
    uintptr_t begin;
    uint64_t size;
    size_t session;
  };
  std::vector<Buffer> buffers;
  std::vector<Range> ranges;
  for (size_t round = 0; round < 8; ++round) {
    for (size_t s = 0; s < 3; ++s) {
      for (size_t d = 0; d < t.device_count() && d < 4; ++d) {
        const uint32_t kind = round % 4 == 3 ? uint32_t{XHAL_MEMORY_PINNED} : uint32_t{XHAL_MEMORY_DEVICE};
        buffers.emplace_back(t, *sessions[s], kind, 10'000 + 977 * round, d);
        ranges.push_back({reinterpret_cast<uintptr_t>(buffers.back().get()), buffers.back().size(), s});
      }
    }
  }
  std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.begin < b.begin; });
  for (size_t i = 1; i < ranges.size(); ++i) {
    EXPECT_CLAUSE("XHAL-INSTANCE-10", ranges[i - 1].begin + ranges[i - 1].size <= ranges[i].begin,
                  "instances {} and {}: [{:#x}, +{}) and [{:#x}, +{})", ranges[i - 1].session,
                  ranges[i].session, ranges[i - 1].begin, ranges[i - 1].size, ranges[i].begin,
                  ranges[i].size);
  }
}

XHAL_TEST(instance, driver_properties, .clauses = {"XHAL-INSTANCE-12"},
          .observes = "name, version, path of the library, emulated flag") {
  const auto& p = t.session().driver_properties();
  EXPECT_CLAUSE("XHAL-INSTANCE-12", bounded_text(p.name).size() < sizeof(p.name) && p.name[0] != 0, "name");
  EXPECT_CLAUSE("XHAL-INSTANCE-12", bounded_text(p.version).size() < sizeof(p.version) && p.version[0] != 0,
                "version");
  EXPECT_CLAUSE("XHAL-INSTANCE-12", bounded_text(p.vendor).size() < sizeof(p.vendor), "vendor");
  EXPECT_CLAUSE("XHAL-INSTANCE-12",
                bounded_text(p.native_driver_version).size() < sizeof(p.native_driver_version),
                "native_driver_version");
  EXPECT_CLAUSE("XHAL-INSTANCE-12",
                bounded_text(p.native_runtime_version).size() < sizeof(p.native_runtime_version),
                "native_runtime_version");
  std::error_code error;
  EXPECT_CLAUSE("XHAL-INSTANCE-12", std::filesystem::is_regular_file(bounded_text(p.library_path), error),
                "library_path '{}'", bounded_text(p.library_path));
  EXPECT_VALUE("XHAL-INSTANCE-12", p.abi_minor, uint32_t{XHAL_ABI_MINOR});
  EXPECT_CLAUSE("XHAL-INSTANCE-12", p.emulated <= 1, "emulated is {}", p.emulated);
}

}  // namespace
}  // namespace xhal::conformance
