// SPDX-License-Identifier: Apache-2.0
// Asynchronous failures: what they poison, where they surface, what brings the device back; a lost device. Every test is alone in its
// process.
#include <algorithm>

#include "suite/failing.h"
#include "suite/support.h"
#include "xhal/ext/lose_device.h"

namespace xhal::conformance {
namespace {

uint32_t scope(Context& t) { return t.properties().fault_scope; }

// A stream poisoned by a trap whose failure has been reported once; its code.
xhal_result_t poison(Context& t, xhal_stream_t stream, uint64_t correlation = 0) {
  REQUIRE_OK(submit_trap(t, stream, correlation));
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  if (!is_failure(code)) {
    t.recorder().failed("", XHAL_HERE, "the synchronise behind a trap",
                        fmt::format("says {}, no failure", result_name(code)));
    throw StopTest();
  }
  return code;
}

// Whether device i still fills and copies.
bool computes(Context& t, size_t device) {
  const auto data = t.random_bytes(2000, 7);
  xhal_stream_t stream = nullptr;
  void* memory = nullptr;
  const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, data.size());
  const auto out = t.host_bytes(data.size());
  bool good = TRACED(xhal_memory_allocate(t.device(device), &desc, &memory)) == XHAL_SUCCESS &&
              TRACED(xhal_stream_create(t.device(device), nullptr, &stream)) == XHAL_SUCCESS &&
              TRACED(xhal_memory_copy(stream, memory, data.data(), data.size())) == XHAL_SUCCESS &&
              TRACED(xhal_memory_copy(stream, out.data(), memory, data.size())) == XHAL_SUCCESS &&
              TRACED(xhal_stream_synchronize(stream, t.patience())) == XHAL_SUCCESS;
  good = good && std::equal(data.begin(), data.end(), out.begin());
  if (stream != nullptr) TRACED(xhal_stream_destroy(stream));
  if (memory != nullptr) TRACED(xhal_memory_free(t.device(device), memory));
  return good;
}

XHAL_TEST(error, trap_is_asynchronous, .clauses = {"XHAL-KERNEL-18", "XHAL-ERROR-6"},
          .observes = "the launch of the trap kernel succeeds, the synchronise reports",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Stream stream(t);
  EXPECT_RESULT("XHAL-KERNEL-18", submit_trap(t, stream), XHAL_SUCCESS);
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-KERNEL-18", is_failure(code), "the synchronise behind a trap says {}",
                result_name(code));
  EXPECT_CLAUSE("XHAL-ERROR-6", code < 0, "{}", result_name(code));
}

XHAL_TEST(error, containment, .clauses = {"XHAL-ERROR-5", "XHAL-ERROR-6"},
          .observes =
              "after a trap: another stream of the device where the scope is the stream, the other devices "
              "where it is the device or less",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream other(t);
  const auto data = t.random_bytes(4096);
  const Buffer memory = device_memory(t, data.size());
  t.write(memory, data);
  Stream stream(t);
  const xhal_result_t code = poison(t, stream);
  EXPECT_CLAUSE("XHAL-ERROR-6", xhal_stream_query(stream) == code, "the stream is not poisoned");
  if (scope(t) == XHAL_FAULT_SCOPE_STREAM) {
    Marker marker(t);
    marker.fill_on(t, other);
    EXPECT_RESULT("XHAL-ERROR-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS,
                  "a stream that has nothing to do with it");
    EXPECT_CLAUSE("XHAL-ERROR-5", marker.filled(), "{}", marker.shown());
    EXPECT_CLAUSE("XHAL-ERROR-5", computes(t, 0), "new streams and memory of the device");
    EXPECT_DATA("XHAL-ERROR-5", data, t.read<uint8_t>(memory, data.size()),
                "memory that the failed kernel had nothing to do with");
  }
  if (scope(t) != XHAL_FAULT_SCOPE_PROCESS) {
    for (size_t i = 1; i < t.device_count(); ++i)
      EXPECT_CLAUSE("XHAL-ERROR-5", computes(t, i), "device {}", i);
  }
  if (scope(t) == XHAL_FAULT_SCOPE_PROCESS ||
      (scope(t) != XHAL_FAULT_SCOPE_STREAM && t.device_count() == 1)) {
    t.substitute("nothing of this process lies outside of the declared scope: the fault's scope was read");
    xhal_fault_t fault{};
    fault.struct_size = sizeof(fault);
    EXPECT_RESULT("XHAL-ERROR-5", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-5", fault.scope, scope(t));
  }
}

XHAL_TEST(error, surfaces_everywhere, .clauses = {"XHAL-ERROR-6", "XHAL-ERROR-10"},
          .observes =
              "query and synchronise of the stream and of an event behind the trap, and elapsed, twice each: "
              "one code, no time-out",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  const bool timing = t.claims(XHAL_FEATURE_EVENT_TIMING);
  Stream stream(t);
  Event before(t, timing ? XHAL_EVENT_TIMING : 0);
  Event behind(t, timing ? XHAL_EVENT_TIMING : 0);
  REQUIRE_OK(xhal_event_record(before, stream, 0));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const Buffer unused = device_memory(t, 64);
  // Before the trap can run, so that the record behind it is accepted: a poisoned stream may refuse one.
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  const bool recorded = TRACED(xhal_event_record(behind, stream, 0)) == XHAL_SUCCESS;
  EXPECT_CLAUSE("XHAL-ERROR-6", recorded || !gate.shut(), "a record before the failure was refused");
  gate.open();
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  ASSERT_CLAUSE("XHAL-ERROR-6", is_failure(code), "the synchronise says {}", result_name(code));
  for (int time = 0; time < 2; ++time) {
    EXPECT_RESULT("XHAL-ERROR-6", xhal_stream_query(stream), code, "time {}", time);
    EXPECT_RESULT("XHAL-ERROR-10", xhal_stream_synchronize(stream, t.patience()), code, "time {}", time);
    if (!recorded) continue;
    EXPECT_RESULT("XHAL-ERROR-6", xhal_event_query(behind), code, "time {}", time);
    EXPECT_RESULT("XHAL-ERROR-10", xhal_event_synchronize(behind, t.patience()), code, "time {}", time);
    int64_t elapsed = 77;
    if (timing)
      EXPECT_RESULT("XHAL-ERROR-6", xhal_event_get_elapsed(before, behind, &elapsed), code, "time {}", time);
  }
  const xhal_result_t whole = TRACED(xhal_device_synchronize(t.device(), t.patience()));
  if (scope(t) == XHAL_FAULT_SCOPE_STREAM) {
    EXPECT_CLAUSE("XHAL-ERROR-10", whole == code || whole == XHAL_SUCCESS, "the device's synchronise says {}",
                  result_name(whole));
  } else {
    EXPECT_VALUE("XHAL-ERROR-6", result_name(whole), result_name(code), "the device's synchronise");
  }
}

XHAL_TEST(
    error, event_before_the_failure, .clauses = {"XHAL-ERROR-6"},
    .observes = "an event recorded and done before the trap still says so where only the stream is poisoned",
    .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream stream(t);
  Event before(t);
  REQUIRE_OK(xhal_event_record(before, stream, 0));
  REQUIRE_OK(xhal_event_synchronize(before, t.patience()));
  const xhal_result_t code = poison(t, stream);
  const xhal_result_t answer = TRACED(xhal_event_query(before));
  if (scope(t) == XHAL_FAULT_SCOPE_STREAM) {
    EXPECT_VALUE("XHAL-ERROR-6", result_name(answer), result_name(XHAL_SUCCESS),
                 "its work was done before the failure");
  } else {
    EXPECT_CLAUSE("XHAL-ERROR-6", answer == XHAL_SUCCESS || answer == code, "the query says {}",
                  result_name(answer));
  }
}

XHAL_TEST(error, no_false_success, .clauses = {"XHAL-ERROR-7"},
          .observes =
              "a copy, a fill, a record and a launch submitted to the poisoned stream: refused with the "
              "code, or accepted and reported "
              "by the next synchronise; the memory is not written",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream stream(t);
  const Buffer word = pinned_memory(t, sizeof(uint64_t));
  *word.as<uint64_t>() = 5;
  const Buffer other = device_memory(t, sizeof(uint64_t));
  Event event(t);
  Launch launch(t.kernel("xhal_fold_u64"));
  launch.updates(word, sizeof(uint64_t)).value(uint64_t{1}).value(uint64_t{1});
  const xhal_result_t code = poison(t, stream);
  const auto judge = [&](const char* what, xhal_result_t answer) {
    EXPECT_CLAUSE("XHAL-ERROR-7", answer == code || answer == XHAL_SUCCESS, "{} says {}, the failure was {}",
                  what, result_name(answer), result_name(code));
    EXPECT_RESULT("XHAL-ERROR-7", xhal_stream_synchronize(stream, t.patience()), code, "behind {}", what);
  };
  judge("fill", TRACED(xhal_memory_fill(stream, word, 9, 8, 8)));
  judge("copy", TRACED(xhal_memory_copy(stream, word, other, 8)));
  judge("launch", TRACED(launch.on(stream)));
  judge("record", TRACED(xhal_event_record(event, stream, 0)));
  EXPECT_VALUE("XHAL-ERROR-7", *word.as<uint64_t>(), 5u, "work on a poisoned stream was executed");
}

XHAL_TEST(error, fault_is_told, .clauses = {"XHAL-ERROR-8", "XHAL-ERROR-9"},
          .observes =
              "get_fault on a healthy device, and three times after a trap: code, scope, recovery, text, "
              "entry, correlation id",
          .needs = {XHAL_FEATURE_KERNEL, XHAL_FEATURE_ERROR_CAUSE}, .isolated = true,
          .may_be_unobservable = true) {
  require_survival(t);
  constexpr uint64_t kId = 0xC0FFEE0123;
  xhal_fault_t fault{};
  fault.struct_size = sizeof(fault);
  EXPECT_RESULT("XHAL-ERROR-8", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-8", fault.code, XHAL_SUCCESS);
  Stream stream(t);
  xhal_stream_info_t info{};
  info.struct_size = sizeof(info);
  REQUIRE_OK(xhal_stream_get_info(stream, &info));
  const xhal_result_t code = poison(t, stream, kId);
  for (int time = 0; time < 3; ++time) {
    EXPECT_RESULT("XHAL-ERROR-8", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-8", result_name(fault.code), result_name(code), "time {}", time);
    EXPECT_VALUE("XHAL-ERROR-8", fault.scope, scope(t));
    EXPECT_VALUE("XHAL-ERROR-8", fault.recovery, t.properties().fault_recovery);
    EXPECT_CLAUSE("XHAL-ERROR-8",
                  !bounded_text(fault.text).empty() && bounded_text(fault.text).size() < sizeof(fault.text),
                  "no text");
    EXPECT_VALUE("XHAL-ERROR-9", bounded_text(fault.entry), "xhal_kernel_launch");
    EXPECT_VALUE("XHAL-ERROR-9", fault.correlation_id, kId);
    EXPECT_CLAUSE("XHAL-ERROR-9", fault.stream_id == 0 || fault.stream_id == info.id, "stream {} of {}",
                  fault.stream_id, info.id);
  }
}

XHAL_TEST(error, first_fault_stays, .clauses = {"XHAL-ERROR-8"},
          .observes =
              "get_fault after two traps on two streams tells the first, where the second could be submitted",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream first(t);
  Stream second(t);
  xhal_fault_t before{};
  before.struct_size = sizeof(before);
  const xhal_result_t code = poison(t, first, 1001);
  REQUIRE_OK(xhal_device_get_fault(t.device(), &before));
  if (TRACED(submit_trap(t, second, 2002)) == XHAL_SUCCESS)
    TRACED(xhal_stream_synchronize(second, t.patience()));
  xhal_fault_t after{};
  after.struct_size = sizeof(after);
  EXPECT_RESULT("XHAL-ERROR-8", xhal_device_get_fault(t.device(), &after), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-8", result_name(after.code), result_name(code));
  EXPECT_VALUE("XHAL-ERROR-8", after.correlation_id, before.correlation_id);
  EXPECT_VALUE("XHAL-ERROR-8", bounded_text(after.text), bounded_text(before.text));
}

XHAL_TEST(error, healthy_device, .clauses = {"XHAL-ERROR-8"},
          .observes = "get_fault of every device when nothing has failed, call errors included") {
  for (size_t i = 0; i < t.device_count(); ++i) {
    EXPECT_RESULT("XHAL-ERROR-8", xhal_memory_free(t.device(i), sentinel<void>()), XHAL_ERROR_INVALID_POINTER,
                  "a call error on the way");
    xhal_fault_t fault{};
    fault.struct_size = sizeof(fault);
    EXPECT_RESULT("XHAL-ERROR-8", xhal_device_get_fault(t.device(i), &fault), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-8", fault.code, XHAL_SUCCESS, "device {}", i);
    EXPECT_VALUE("XHAL-ERROR-8", fault.correlation_id, 0u);
  }
}

XHAL_TEST(error, nothing_hangs, .clauses = {"XHAL-ERROR-10"},
          .observes = "threads that wait for a stream and for an event before the trap fires get its code",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Stream stream(t);
  Event behind(t);
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  const bool recorded = TRACED(xhal_event_record(behind, stream, 0)) == XHAL_SUCCESS;
  std::atomic<xhal_result_t> by_stream{XHAL_NOT_READY};
  std::atomic<xhal_result_t> by_event{XHAL_NOT_READY};
  run_threads(3, [&](size_t i) {
    if (i == 0) by_stream = TRACED(xhal_stream_synchronize(stream, t.patience()));
    if (i == 1 && recorded) by_event = TRACED(xhal_event_synchronize(behind, t.patience()));
    if (i == 2) gate.open();
  });
  EXPECT_CLAUSE("XHAL-ERROR-10", is_failure(by_stream), "the stream's waiter got {}", result_name(by_stream));
  if (recorded)
    EXPECT_CLAUSE("XHAL-ERROR-10", by_event.load() == by_stream.load(), "the event's waiter got {}",
                  result_name(by_event));
}

XHAL_TEST(error, dependents_do_not_run, .clauses = {"XHAL-ERROR-11", "XHAL-ERROR-10"},
          .observes =
              "fills on two further streams that wait, one through the other, for an event behind the trap; "
              "their synchronise",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Stream stream(t);
  Stream second(t);
  Stream third(t);
  Event behind(t);
  Event chained(t);
  Marker on_second(t);
  Marker on_third(t);
  auto& call = t.kept<HostCall>();
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  if (TRACED(xhal_event_record(behind, stream, 0)) != XHAL_SUCCESS) {
    // Only a device that runs the trap inside the launch gets here: nothing can be made to depend on it any more.
    t.note("the record behind the trap was refused: nothing depends on the failure");
    EXPECT_CLAUSE("XHAL-ERROR-11", !gate.shut(), "a record before the failure was refused");
    return;
  }
  REQUIRE_OK(xhal_stream_wait_event(second, behind, 0));
  on_second.fill_on(t, second);
  REQUIRE_OK(xhal_stream_host_function(second, count_call, &call));
  REQUIRE_OK(xhal_event_record(chained, second, 0));
  REQUIRE_OK(xhal_stream_wait_event(third, chained, 0));
  on_third.fill_on(t, third);
  gate.open();
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  ASSERT_CLAUSE("XHAL-ERROR-10", is_failure(code), "the trap's stream says {}", result_name(code));
  EXPECT_RESULT("XHAL-ERROR-11", xhal_stream_synchronize(second, t.patience()), code,
                "a stream that waits for it");
  EXPECT_RESULT("XHAL-ERROR-11", xhal_stream_synchronize(third, t.patience()), code,
                "a stream that waits for that one");
  EXPECT_CLAUSE("XHAL-ERROR-11", on_second.untouched() && on_third.untouched(), "{}; {}", on_second.shown(),
                on_third.shown());
  EXPECT_VALUE("XHAL-ERROR-11", call.count.load(), 1, "a host function behind the wait runs all the same");
  EXPECT_VALUE("XHAL-ERROR-11", result_name(call.status.load()), result_name(code));
}

XHAL_TEST(error, recovery, .clauses = {"XHAL-ERROR-12"},
          .observes =
              "the declared step after a trap, then folds with right results on new streams, memory and "
              "modules; the fault record",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  const uint32_t recovery = t.properties().fault_recovery;
  const KernelImage image = t.pack().image();
  {
    Stream stream(t);
    poison(t, stream);
    if (recovery != XHAL_RECOVERY_RESET) {
      EXPECT_RESULT("XHAL-ERROR-12", xhal_device_reset(t.device()), XHAL_ERROR_UNSUPPORTED,
                    "a reset that is not declared");
    }
  }
  if (recovery == XHAL_RECOVERY_NONE) {
    t.note("the device declares no recovery: nothing more is promised");
    return;
  }
  if (recovery == XHAL_RECOVERY_RESET) {
    ASSERT_RESULT("XHAL-ERROR-12", xhal_device_reset(t.device()), XHAL_SUCCESS);
    xhal_fault_t fault{};
    fault.struct_size = sizeof(fault);
    EXPECT_RESULT("XHAL-ERROR-12", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-12", fault.code, XHAL_SUCCESS, "the fault record after a reset");
  }
  constexpr size_t kCells = 500;
  const auto before = t.random_u64(kCells);
  xhal_module_t module = nullptr;
  ASSERT_RESULT("XHAL-ERROR-12", KernelPack::load(t.device(), image, &module), XHAL_SUCCESS);
  xhal_kernel_t kernel = nullptr;
  ASSERT_RESULT("XHAL-ERROR-12",
                xhal_module_get_kernel(module, t.kernel_name("xhal_fold_u64").c_str(), &kernel),
                XHAL_SUCCESS);
  const Buffer cells = device_memory(t, kCells * sizeof(uint64_t));
  Stream stream(t);
  const auto out = t.host_bytes(kCells * sizeof(uint64_t));
  Launch launch(kernel);
  launch.cover(kCells, small_group(t)).updates(cells).value(uint64_t{3}).value(uint64_t{kCells});
  EXPECT_RESULT("XHAL-ERROR-12", xhal_memory_copy(stream, cells, before.data(), kCells * sizeof(uint64_t)),
                XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-12", launch.on(stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_memory_copy(stream, out.data(), cells, out.size()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  std::vector<uint64_t> after(kCells);
  std::copy_n(out.begin(), out.size(), reinterpret_cast<uint8_t*>(after.data()));
  EXPECT_DATA("XHAL-ERROR-12", oracle::fold_u64(before, 3, kCells), after);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_module_destroy(module), XHAL_SUCCESS);
}

XHAL_TEST(error, reset_drops_everything, .clauses = {"XHAL-ERROR-12"},
          .observes =
              "reset of a healthy device with work held: host functions run once, the old stream, event and "
              "memory can be destroyed and "
              "freed, new ones work",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  if (t.properties().fault_recovery != XHAL_RECOVERY_RESET)
    Context::not_observable("the device does not declare reset");
  xhal_stream_t stream = Stream(t).release();
  xhal_event_t event = Event(t).release();
  void* memory = device_memory(t, 4096).release();
  auto& call = t.kept<HostCall>();
  Gate gate(t, stream);
  REQUIRE_OK(xhal_memory_fill(stream, memory, 1, 1, 4096));
  REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call));
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  // A reset waits for what runs.
  gate.open();
  EXPECT_RESULT("XHAL-ERROR-12", xhal_device_reset(t.device()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-12", call.count.load(), 1, "the host function");
  EXPECT_RESULT("XHAL-ERROR-12", xhal_event_destroy(event), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_memory_free(t.device(), memory), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_stream_destroy(stream), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-ERROR-12", computes(t, 0), "the device after its reset");
}

XHAL_TEST(error, default_stream_comes_back, .clauses = {"XHAL-ERROR-12"},
          .observes =
              "a trap on the default stream, a reset where that is declared, then work on the default stream",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  if (t.properties().fault_recovery != XHAL_RECOVERY_RESET)
    Context::not_observable("the device does not declare reset");
  xhal_stream_t stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &stream));
  poison(t, stream);
  ASSERT_RESULT("XHAL-ERROR-12", xhal_device_reset(t.device()), XHAL_SUCCESS);
  xhal_stream_t again = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &again));
  EXPECT_VALUE("XHAL-ERROR-12", again, stream, "the default stream's handle");
  EXPECT_RESULT("XHAL-ERROR-12", xhal_stream_query(again), XHAL_SUCCESS, "it goes on, empty");
  Marker marker(t);
  marker.fill_on(t, again);
  EXPECT_RESULT("XHAL-ERROR-12", xhal_stream_synchronize(again, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-ERROR-12", marker.filled(), "{}", marker.shown());
}

XHAL_TEST(error, nobody_else_consumes_it, .clauses = {"XHAL-ERROR-15", "XHAL-ERROR-6"},
          .observes =
              "between trap and synchronise: host calls, properties and queries of another device; then the "
              "synchronise still reports",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream stream(t);
  REQUIRE_OK(submit_trap(t, stream));
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  xhal_pointer_attributes_t attributes{};
  attributes.struct_size = sizeof(attributes);
  xhal_fault_t fault{};
  fault.struct_size = sizeof(fault);
  uint32_t major = 0;
  for (int i = 0; i < 50; ++i) {
    EXPECT_RESULT("XHAL-ERROR-15", xhal_get_version(&major, nullptr, nullptr), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ERROR-15", xhal_device_get_properties(t.device(), &properties), XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ERROR-15", xhal_driver_get_pointer_attributes(t.driver(), &major, &attributes),
                  XHAL_SUCCESS);
    EXPECT_RESULT("XHAL-ERROR-15", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
    if (t.device_count() > 1 && scope(t) != XHAL_FAULT_SCOPE_PROCESS) {
      EXPECT_RESULT("XHAL-ERROR-15", xhal_device_synchronize(t.device(1), t.patience()), XHAL_SUCCESS,
                    "another device");
    }
  }
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_CLAUSE("XHAL-ERROR-6", is_failure(code), "the failure was consumed: {}", result_name(code));
}

XHAL_TEST(
    error, lost_device, .clauses = {"XHAL-ERROR-14", "XHAL-ERROR-15"},
    .observes =
        "a driver with the extension xhal.lose_device 1 loses its device while a stream is held: what "
        "was submitted, waits, "
        "queries, submissions and creations say DEVICE_LOST, twice; questions about what does not change, "
        "destroys and frees succeed; the fault record's code; a reset brings the device back or says "
        "DEVICE_LOST, too; another device still works",
    .isolated = true, .may_be_unobservable = true) {
  const void* table = nullptr;
  const xhal_result_t found =
      TRACED(xhal_driver_get_extension(t.driver(), XHAL_LOSE_DEVICE_NAME, XHAL_LOSE_DEVICE_VERSION, &table));
  if (found != XHAL_SUCCESS || table == nullptr)
    Context::not_observable("the driver offers no way to lose its device (extension " XHAL_LOSE_DEVICE_NAME
                            ")");
  const auto* extension = static_cast<const xhal_lose_device_t*>(table);
  xhal_stream_t stream = Stream(t).release();
  xhal_stream_t idle = Stream(t).release();
  xhal_event_t event = Event(t).release();
  xhal_event_t done = Event(t).release();
  REQUIRE_OK(xhal_event_record(done, idle, 0));
  void* memory = device_memory(t, 4096).release();
  xhal_stream_t default_stream = nullptr;
  REQUIRE_OK(xhal_device_get_default_stream(t.device(), &default_stream));
  const bool kernels = t.claims(XHAL_FEATURE_KERNEL);
  xhal_module_t module = nullptr;
  xhal_kernel_t kernel = nullptr;
  if (kernels) {
    REQUIRE_OK(KernelPack::load(t.device(), t.pack().image(), &module));
    REQUIRE_OK(xhal_module_get_kernel(module, t.kernel_name("xhal_fold_u64").c_str(), &kernel));
  }
  auto& call = t.kept<HostCall>();
  Gate gate(t, stream);
  REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call));
  REQUIRE_OK(xhal_event_record(event, stream, 0));
  for (int time = 0; time < 2; ++time) {
    EXPECT_RESULT("XHAL-ERROR-14", extension->lose(t.device()), XHAL_SUCCESS, "time {}", time);
    if (time == 0 && !gate.is_kernel()) gate.open();
    const auto lost = [&](const char* what, xhal_result_t answer) {
      EXPECT_VALUE("XHAL-ERROR-14", result_name(answer), result_name(XHAL_ERROR_DEVICE_LOST), "{}, time {}",
                   what, time);
    };
    const uint64_t patience = t.patience();
    lost("stream_synchronize", TRACED(xhal_stream_synchronize(stream, patience)));
    lost("stream_query", TRACED(xhal_stream_query(stream)));
    lost("stream_query of an idle stream", TRACED(xhal_stream_query(idle)));
    lost("event_synchronize", TRACED(xhal_event_synchronize(event, patience)));
    lost("event_query", TRACED(xhal_event_query(event)));
    lost("event_query of one that was done", TRACED(xhal_event_query(done)));
    lost("device_synchronize", TRACED(xhal_device_synchronize(t.device(), patience)));
    lost("memory_fill", TRACED(xhal_memory_fill(idle, memory, 0, 1, 64)));
    lost("memory_copy", TRACED(xhal_memory_copy(idle, memory, t.host_bytes(64).data(), 64)));
    lost("event_record", TRACED(xhal_event_record(done, idle, 0)));
    lost("stream_wait_event", TRACED(xhal_stream_wait_event(idle, done, 0)));
    lost("stream_host_function", TRACED(xhal_stream_host_function(idle, count_call, &call)));
    xhal_stream_t no_stream = nullptr;
    lost("stream_create", TRACED(xhal_stream_create(t.device(), nullptr, &no_stream)));
    xhal_event_t no_event = nullptr;
    lost("event_create", TRACED(xhal_event_create(t.device(), nullptr, &no_event)));
    const xhal_memory_desc_t desc = memory_desc(XHAL_MEMORY_DEVICE, 64);
    void* no_pointer = nullptr;
    lost("memory_allocate", TRACED(xhal_memory_allocate(t.device(), &desc, &no_pointer)));
    xhal_memory_info_t memory_info{};
    memory_info.struct_size = sizeof(memory_info);
    lost("device_get_memory_info", TRACED(xhal_device_get_memory_info(t.device(), &memory_info)));
    if (kernels) {
      xhal_module_t no_module = nullptr;
      lost("module_load", TRACED(KernelPack::load(t.device(), t.pack().image(), &no_module)));
    }
  }
  // The contract does not say that a wait ends after the functions before it.
  EXPECT_CLAUSE("XHAL-ERROR-14", t.eventually([&] { return call.count.load() != 0; }),
                "the host function behind the gate did not run");
  EXPECT_VALUE("XHAL-ERROR-14", call.count.load(), 1, "the host function behind the gate");
  // On a synchronous device nothing held it, and it ran before the loss.
  EXPECT_VALUE("XHAL-ERROR-14", result_name(call.status.load()),
               result_name(gate.shut() ? XHAL_ERROR_DEVICE_LOST : XHAL_SUCCESS));
  xhal_device_properties_t properties{};
  properties.struct_size = sizeof(properties);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_device_get_properties(t.device(), &properties), XHAL_SUCCESS);
  uint32_t claimed = 0;
  EXPECT_RESULT("XHAL-ERROR-14", xhal_device_has_feature(t.device(), XHAL_FEATURE_CORE, &claimed),
                XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-14", claimed, 1u, "whether core is claimed");
  uint32_t formats = 0;
  EXPECT_RESULT("XHAL-ERROR-14",
                xhal_device_get_image_formats(t.device(), 0, sizeof(xhal_image_format_t), nullptr, &formats),
                XHAL_SUCCESS);
  xhal_link_t link{};
  link.struct_size = sizeof(link);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_device_get_link(t.device(), t.device(), &link), XHAL_SUCCESS);
  xhal_stream_t default_again = nullptr;
  EXPECT_RESULT("XHAL-ERROR-14", xhal_device_get_default_stream(t.device(), &default_again), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-14", default_again, default_stream, "the default stream's handle");
  xhal_stream_info_t stream_info{};
  stream_info.struct_size = sizeof(stream_info);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_stream_get_info(stream, &stream_info), XHAL_SUCCESS);
  if (kernels) {
    xhal_kernel_t same = nullptr;
    EXPECT_RESULT("XHAL-ERROR-14",
                  xhal_module_get_kernel(module, t.kernel_name("xhal_fold_u64").c_str(), &same),
                  XHAL_SUCCESS);
    EXPECT_VALUE("XHAL-ERROR-14", same, kernel, "the kernel's handle");
    xhal_kernel_info_t kernel_info{};
    kernel_info.struct_size = sizeof(kernel_info);
    EXPECT_RESULT("XHAL-ERROR-14", xhal_kernel_get_info(kernel, &kernel_info), XHAL_SUCCESS);
  }
  xhal_fault_t fault{};
  fault.struct_size = sizeof(fault);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_device_get_fault(t.device(), &fault), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-ERROR-14", result_name(fault.code), result_name(XHAL_ERROR_DEVICE_LOST),
               "the fault record");
  if (t.device_count() > 1) EXPECT_CLAUSE("XHAL-ERROR-15", computes(t, 1), "another device");
  if (kernels) EXPECT_RESULT("XHAL-ERROR-14", xhal_module_destroy(module), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_event_destroy(done), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_event_destroy(event), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_memory_free(t.device(), memory), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_stream_destroy(idle), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-ERROR-14", xhal_stream_destroy(stream), XHAL_SUCCESS);
  if (t.properties().fault_recovery != XHAL_RECOVERY_RESET) return;
  const xhal_result_t reset = TRACED(xhal_device_reset(t.device()));
  if (reset == XHAL_SUCCESS) {
    EXPECT_CLAUSE("XHAL-ERROR-14", computes(t, 0), "the device after its reset");
  } else {
    EXPECT_VALUE("XHAL-ERROR-14", result_name(reset), result_name(XHAL_ERROR_DEVICE_LOST), "device_reset");
  }
}

}  // namespace
}  // namespace xhal::conformance
