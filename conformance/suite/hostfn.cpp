// SPDX-License-Identifier: Apache-2.0
// Host functions.
#include "suite/failing.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

Cases holds() { return grid({hold_axis()}); }

// Reads a pinned word, then writes another one.
struct ReadThenWrite {
  const uint32_t* in = nullptr;
  uint32_t seen = 0;
  uint32_t* out = nullptr;
  uint32_t value = 0;
  std::atomic<int> calls{0};
};
void read_then_write(void* user, xhal_result_t) {
  auto* work = static_cast<ReadThenWrite*>(user);
  work->seen = load(work->in);
  store(work->out, work->value);
  work->calls.fetch_add(1);
}

XHAL_TEST_P(
    hostfn, between_its_neighbours, holds, .clauses = {"XHAL-HOSTFN-1"},
    .observes =
        "30 functions between fills: what each reads, what the copy behind it reads, how often it ran") {
  constexpr size_t kRounds = 30;
  Stream stream(t);
  const Buffer before = pinned_memory(t, sizeof(uint32_t));
  const Buffer after = pinned_memory(t, sizeof(uint32_t));
  const Buffer copies = device_memory(t, kRounds * sizeof(uint32_t));
  store(before.as<uint32_t>(), 0);
  store(after.as<uint32_t>(), 0);
  const auto gate = gate_if_asked(t, stream);
  if (gate != nullptr && may_block(t, XHAL_COPY_PINNED_TO_DEVICE)) gate->open();
  auto& work = t.kept<std::array<ReadThenWrite, kRounds>>();
  for (size_t i = 0; i < kRounds; ++i) {
    const auto value = static_cast<uint32_t>(i + 1);
    work[i].in = before.as<uint32_t>();
    work[i].out = after.as<uint32_t>();
    work[i].value = 1000 + value;
    REQUIRE_OK(xhal_memory_fill(stream, before, value, sizeof(value), sizeof(value)));
    REQUIRE_OK(xhal_stream_host_function(stream, read_then_write, &work[i]));
    REQUIRE_OK(xhal_memory_copy(stream, copies.at(i * sizeof(value)), after, sizeof(value)));
  }
  if (gate != nullptr) {
    if (t.witness(*gate)) {
      for (const auto& one : work)
        EXPECT_CLAUSE("XHAL-HOSTFN-1", one.calls.load() == 0, "a function ran before what lies before it");
    }
    gate->open();
  }
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  const auto copied = t.read<uint32_t>(copies, kRounds);
  for (size_t i = 0; i < kRounds; ++i) {
    EXPECT_VALUE("XHAL-HOSTFN-1", work[i].calls.load(), 1, "function {}", i);
    EXPECT_VALUE("XHAL-HOSTFN-1", work[i].seen, i + 1, "what function {} read", i);
    EXPECT_VALUE("XHAL-HOSTFN-1", copied[i], 1001 + i, "what the copy behind function {} read", i);
  }
}

XHAL_TEST(hostfn, gets_pointer_and_status, .clauses = {"XHAL-HOSTFN-2", "XHAL-HOSTFN-1"},
          .observes =
              "the user pointer, the status and the number of calls of 20 functions, null as a pointer too") {
  Stream stream(t);
  auto& calls = t.kept<std::array<HostCall, 20>>();
  for (HostCall& call : calls) REQUIRE_OK(xhal_stream_host_function(stream, count_call, &call));
  static std::atomic<int> null_calls;
  null_calls.store(0);
  REQUIRE_OK(xhal_stream_host_function(
      stream, [](void* user, xhal_result_t) { null_calls.fetch_add(user == nullptr ? 1 : 100); }, nullptr));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  for (HostCall& call : calls) {
    EXPECT_VALUE("XHAL-HOSTFN-1", call.count.load(), 1);
    EXPECT_VALUE("XHAL-HOSTFN-2", call.user.load(), static_cast<void*>(&call));
    EXPECT_VALUE("XHAL-HOSTFN-2", call.status.load(), XHAL_SUCCESS);
  }
  EXPECT_VALUE("XHAL-HOSTFN-2", null_calls.load(), 1, "a function whose pointer is null");
}

XHAL_TEST(
    hostfn, runs_once_behind_a_failure, .clauses = {"XHAL-HOSTFN-3"},
    .observes = "calls and status of functions behind a trap, right after the synchronise that reports it",
    .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  Stream stream(t);
  auto& before = t.kept<HostCall>();
  auto& behind = t.kept<std::array<HostCall, 8>>();
  REQUIRE_OK(xhal_stream_host_function(stream, count_call, &before));
  REQUIRE_OK(submit_trap(t, stream));
  std::array<bool, 8> accepted{};
  for (size_t i = 0; i < behind.size(); ++i) {
    // A poisoned stream may refuse it already; then it never runs.
    accepted[i] = TRACED(xhal_stream_host_function(stream, count_call, &behind[i])) == XHAL_SUCCESS;
  }
  const xhal_result_t reported = TRACED(xhal_stream_synchronize(stream, t.patience()));
  ASSERT_CLAUSE("XHAL-HOSTFN-3", is_failure(reported), "the synchronise behind a trap says {}",
                result_name(reported));
  EXPECT_VALUE("XHAL-HOSTFN-3", before.count.load(), 1);
  EXPECT_VALUE("XHAL-HOSTFN-3", before.status.load(), XHAL_SUCCESS);
  for (size_t i = 0; i < behind.size(); ++i) {
    EXPECT_VALUE("XHAL-HOSTFN-3", behind[i].count.load(), accepted[i] ? 1 : 0, "function {}", i);
    if (accepted[i])
      EXPECT_VALUE("XHAL-HOSTFN-3", result_name(behind[i].status.load()), result_name(reported),
                   "function {}", i);
  }
}

XHAL_TEST(hostfn, may_block, .clauses = {"XHAL-HOSTFN-4"},
          .observes =
              "a fill behind a blocked function, and where nothing else is declared to wait, another "
              "stream's fill") {
  Stream stream(t);
  Stream other(t);
  Marker behind(t);
  Marker beside(t);
  const uint32_t blocks = t.properties().host_function_blocks;
  EXPECT_CLAUSE("XHAL-HOSTFN-4",
                blocks == XHAL_BLOCKS_NONE || blocks == XHAL_BLOCKS_DEVICE || blocks == XHAL_BLOCKS_DRIVER,
                "host_function_blocks is {}", blocks);
  Gate gate(t, stream, Gate::Kind::kHostFunction);
  behind.fill_on(t, stream);
  if (gate.shut() && blocks == XHAL_BLOCKS_NONE) {
    beside.fill_on(t, other);
    EXPECT_RESULT("XHAL-HOSTFN-4", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
    EXPECT_CLAUSE("XHAL-HOSTFN-4", beside.filled() && gate.held(), "declared to block nobody: {}",
                  beside.shown());
  } else if (gate.shut()) {
    t.note("other streams may wait for a blocked host function, as declared");
  }
  if (gate.shut()) EXPECT_CLAUSE("XHAL-HOSTFN-4", behind.untouched(), "{}", behind.shown());
  behind.stamp(gate);
  gate.open();
  EXPECT_RESULT("XHAL-HOSTFN-4", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-4", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(hostfn, blocked_function_leaves_other_devices_alone, .clauses = {"XHAL-HOSTFN-4"},
          .observes =
              "a fill on device 1 while a function of device 0 blocks, unless the driver declares that all "
              "its devices wait",
          .devices = 2) {
  Stream stream(t);
  Stream other(t, 1);
  Marker beside(t, 1);
  t.prepare(1);
  Gate gate(t, stream, Gate::Kind::kHostFunction);
  const bool waits = t.properties().host_function_blocks == XHAL_BLOCKS_DRIVER;
  if (waits) {
    t.note("all devices may wait for a blocked host function, as declared");
    gate.open();
  }
  beside.fill_on(t, other);
  EXPECT_RESULT("XHAL-HOSTFN-4", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-4", beside.filled(), "{}", beside.shown());
  if (gate.shut() && !waits)
    EXPECT_CLAUSE("XHAL-HOSTFN-4", gate.held(), "device 1 waited for a function of device 0");
}

// The calls that a host function must not make, and their answers.
struct Forbidden {
  xhal_device_t device = nullptr;
  xhal_stream_t own = nullptr;
  xhal_stream_t other = nullptr;
  xhal_event_t event = nullptr;
  void* memory = nullptr;
  // Where the device claims register: memory that is registered, and as much behind it that is not.
  uint8_t* registered = nullptr;
  // Where it claims kernel.
  const KernelImage* image = nullptr;
  std::vector<std::pair<const char*, xhal_result_t>> answers;
  std::vector<std::pair<const char*, bool>> allowed;
  bool nothing_made = false;
  std::atomic<bool> done{false};
};

constexpr size_t kRegistered = 4096;

Forbidden& forbidden(Context& t, xhal_stream_t own, xhal_stream_t other, xhal_event_t event, void* memory) {
  auto& f = t.kept<Forbidden>();
  f.device = t.device();
  f.own = own;
  f.other = other;
  f.event = event;
  f.memory = memory;
  if (t.claims(XHAL_FEATURE_KERNEL)) f.image = &t.pack().image();
  if (t.claims(XHAL_FEATURE_REGISTER)) {
    f.registered = t.host_bytes(2 * kRegistered).data();
    REQUIRE_OK(xhal_memory_register(f.device, f.registered, kRegistered, 0));
  }
  return f;
}

void try_forbidden(void* user, xhal_result_t) {
  auto* f = static_cast<Forbidden*>(user);
  const auto tried = [f](const char* name, xhal_result_t result) { f->answers.emplace_back(name, result); };
  tried("xhal_stream_synchronize, own stream", xhal_stream_synchronize(f->own, 1'000'000));
  tried("xhal_stream_synchronize, other stream", xhal_stream_synchronize(f->other, 0));
  tried("xhal_device_synchronize", xhal_device_synchronize(f->device, 1'000'000));
  tried("xhal_event_synchronize", xhal_event_synchronize(f->event, 1'000'000));
  tried("xhal_event_record", xhal_event_record(f->event, f->other, 0));
  tried("xhal_stream_wait_event", xhal_stream_wait_event(f->other, f->event, 0));
  tried("xhal_memory_copy", xhal_memory_copy(f->other, f->memory, static_cast<char*>(f->memory) + 64, 64));
  tried("xhal_memory_fill", xhal_memory_fill(f->other, f->memory, 0xEE, 1, 64));
  tried("xhal_stream_host_function", xhal_stream_host_function(f->other, count_call, nullptr));
  xhal_stream_t stream = nullptr;
  tried("xhal_stream_create", xhal_stream_create(f->device, nullptr, &stream));
  tried("xhal_stream_destroy", xhal_stream_destroy(f->other));
  xhal_event_t event = nullptr;
  tried("xhal_event_create", xhal_event_create(f->device, nullptr, &event));
  tried("xhal_event_destroy", xhal_event_destroy(f->event));
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.size = 64;
  desc.kind = XHAL_MEMORY_PINNED;
  void* block = nullptr;
  tried("xhal_memory_allocate", xhal_memory_allocate(f->device, &desc, &block));
  tried("xhal_memory_free", xhal_memory_free(f->device, f->memory));
  tried("xhal_device_reset", xhal_device_reset(f->device));
  // Their other arguments are wrong: it is the thread that is refused.
  tried("xhal_memory_allocate, null", xhal_memory_allocate(f->device, nullptr, nullptr));
  tried("xhal_event_create, null", xhal_event_create(f->device, nullptr, nullptr));
  tried("xhal_stream_create, null", xhal_stream_create(f->device, nullptr, nullptr));
  if (f->registered != nullptr) {
    tried("xhal_memory_register",
          xhal_memory_register(f->device, f->registered + kRegistered, kRegistered, 0));
    tried("xhal_memory_register, null", xhal_memory_register(f->device, nullptr, 0, 0));
    tried("xhal_memory_unregister", xhal_memory_unregister(f->device, f->registered));
  }
  xhal_module_t module = nullptr;
  if (f->image != nullptr) {
    tried("xhal_module_load", KernelPack::load(f->device, *f->image, &module));
    tried("xhal_module_load, null", xhal_module_load(f->device, nullptr, nullptr));
  }
  f->nothing_made = stream == nullptr && event == nullptr && block == nullptr && module == nullptr;
  const xhal_result_t last = XHAL_ERROR_CALL_FORBIDDEN;
  f->allowed.emplace_back("xhal_result_name", xhal_result_name(last) != nullptr);
  f->allowed.emplace_back("xhal_result_text", xhal_result_text(last) != nullptr);
  xhal_error_t error{};
  error.struct_size = sizeof(error);
  f->allowed.emplace_back("xhal_error_get_last", xhal_error_get_last(&error) == XHAL_SUCCESS);
  f->allowed.emplace_back("xhal_error_clear", xhal_error_clear() == XHAL_SUCCESS);
  uint32_t major = 99;
  f->allowed.emplace_back("xhal_get_version", xhal_get_version(&major, nullptr, nullptr) == XHAL_SUCCESS &&
                                                  major == XHAL_ABI_MAJOR);
  f->done.store(true);
}

XHAL_TEST(
    hostfn, calls_inside_are_refused, .clauses = {"XHAL-HOSTFN-5"},
    .observes =
        "answers of calls that submit, wait, create, destroy, allocate, free and reset, register and load "
        "where "
        "that is claimed, some with further arguments that are wrong, and of five allowed ones inside a "
        "function; what they named still works, the memory is unchanged") {
  Stream own(t);
  Stream other(t);
  Event event(t);
  const Buffer memory = pinned_memory(t, 128);
  std::fill(memory.host().begin(), memory.host().end(), uint8_t{7});
  Forbidden& work = forbidden(t, own, other, event, memory);
  REQUIRE_OK(xhal_stream_host_function(own, try_forbidden, &work));
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(own, t.patience()), XHAL_SUCCESS,
                "a call inside a host function hangs");
  ASSERT_CLAUSE("XHAL-HOSTFN-5", work.done.load(), "the function did not come to its end");
  for (const auto& [name, answer] : work.answers) {
    EXPECT_VALUE("XHAL-HOSTFN-5", result_name(answer), result_name(XHAL_ERROR_CALL_FORBIDDEN), "{}", name);
  }
  for (const auto& [name, held] : work.allowed) EXPECT_CLAUSE("XHAL-HOSTFN-5", held, "{} is allowed", name);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", work.nothing_made, "a refused call gave out something");
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_event_record(event, other, 0), XHAL_SUCCESS,
                "the event is still there");
  EXPECT_DATA("XHAL-HOSTFN-5", std::vector<uint8_t>(128, 7),
              std::vector<uint8_t>(memory.host().begin(), memory.host().end()),
              "a refused call wrote memory");
  if (work.registered == nullptr) return;
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_memory_unregister(t.device(), work.registered), XHAL_SUCCESS,
                "the registration is still there");
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_memory_unregister(t.device(), work.registered + kRegistered),
                XHAL_ERROR_INVALID_POINTER, "a refused call registered memory");
}

struct DestroyInside {
  xhal_instance_t instance = nullptr;
  std::atomic<xhal_result_t> answer{XHAL_NOT_READY};
};
void destroy_instance(void* user, xhal_result_t) {
  auto* work = static_cast<DestroyInside*>(user);
  work->answer.store(xhal_instance_destroy(work->instance));
}

XHAL_TEST(hostfn, instance_is_not_destroyed_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes =
              "the answer of destroying the own instance inside a function; streams, memory and events made "
              "before and after it",
          .isolated = true) {
  Stream own(t);
  Stream other(t);
  Event event(t);
  Marker before(t);
  auto& work = t.kept<DestroyInside>();
  work.instance = t.instance();
  REQUIRE_OK(xhal_stream_host_function(own, destroy_instance, &work));
  ASSERT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(own, t.patience()), XHAL_SUCCESS,
                "the destroy hangs or took its stream along");
  EXPECT_VALUE("XHAL-HOSTFN-5", result_name(work.answer.load()), result_name(XHAL_ERROR_CALL_FORBIDDEN));
  before.fill_on(t, own);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_event_record(event, own, 0), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_wait_event(other, event, 0), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", before.filled(), "memory made before: {}", before.shown());
  Stream fresh(t);
  Marker after(t);
  after.fill_on(t, fresh);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(fresh, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", after.filled(), "memory made after: {}", after.shown());
}

void try_launch(void* user, xhal_result_t) {
  auto* work = static_cast<std::pair<std::function<xhal_result_t()>, std::atomic<xhal_result_t>>*>(user);
  work->second.store(work->first());
}

XHAL_TEST(hostfn, launch_inside_is_refused, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the answer of a kernel launch inside a function", .needs = {XHAL_FEATURE_KERNEL}) {
  Stream own(t);
  Stream other(t);
  const Buffer cell = device_memory(t, sizeof(uint64_t));
  t.write(cell, std::vector<uint64_t>{5});
  auto& launch = t.kept<std::unique_ptr<Launch>>();
  launch = std::make_unique<Launch>(t.kernel("xhal_fold_u64"));
  launch->updates(cell, sizeof(uint64_t)).value(uint64_t{1}).value(uint64_t{1});
  auto& work = t.kept<std::pair<std::function<xhal_result_t()>, std::atomic<xhal_result_t>>>();
  work.first = [&launch, stream = static_cast<xhal_stream_t>(other)] { return launch->on(stream); };
  REQUIRE_OK(xhal_stream_host_function(own, try_launch, &work));
  REQUIRE_OK(xhal_stream_synchronize(own, t.patience()));
  EXPECT_VALUE("XHAL-HOSTFN-5", result_name(work.second.load()), result_name(XHAL_ERROR_CALL_FORBIDDEN));
  REQUIRE_OK(xhal_stream_synchronize(other, t.patience()));
  EXPECT_VALUE("XHAL-HOSTFN-5", t.read<uint64_t>(cell, 1).front(), 5u);
}

XHAL_TEST(hostfn, allowed_calls_work_after_it, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the same stream takes work again after a function that was refused its calls") {
  Stream own(t);
  Stream other(t);
  Event event(t);
  const Buffer memory = pinned_memory(t, 128);
  Forbidden& work = forbidden(t, own, other, event, memory);
  REQUIRE_OK(xhal_stream_host_function(own, try_forbidden, &work));
  Marker behind(t);
  behind.fill_on(t, own);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(own, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", behind.filled(), "{}", behind.shown());
  Marker beside(t);
  beside.fill_on(t, other);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", beside.filled(), "{}", beside.shown());
  if (work.registered != nullptr)
    EXPECT_RESULT("XHAL-HOSTFN-5", xhal_memory_unregister(t.device(), work.registered), XHAL_SUCCESS);
}

XHAL_TEST(hostfn, null_function, .clauses = {"XHAL-HOSTFN-6"},
          .observes = "the answer, and the stream afterwards") {
  Stream stream(t);
  EXPECT_RESULT("XHAL-HOSTFN-6", xhal_stream_host_function(stream, nullptr, nullptr),
                XHAL_ERROR_INVALID_ARGUMENT);
  EXPECT_RESULT("XHAL-HOSTFN-6", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::conformance
