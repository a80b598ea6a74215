// SPDX-License-Identifier: Apache-2.0
// What comes after a failure that is known already, and what a refusal leaves behind.
#include <algorithm>
#include <array>
#include <vector>

#include "suite/failing.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(hostfn, accepted_before_the_failure, .clauses = {"XHAL-HOSTFN-3"},
          .observes =
              "calls and status of functions that were taken before the trap in front of them fired, right "
              "after the synchronise that reports it",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Stream stream(t);
  auto& calls = t.kept<std::array<HostCall, 3>>();
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  size_t taken = 0;
  while (taken < calls.size() &&
         TRACED(xhal_stream_host_function(stream, count_call, &calls[taken])) == XHAL_SUCCESS)
    ++taken;
  EXPECT_CLAUSE("XHAL-HOSTFN-3", taken == calls.size() || !gate.shut(),
                "function {} in front of the failure was refused", taken);
  gate.open();
  const xhal_result_t reported = TRACED(xhal_stream_synchronize(stream, t.patience()));
  ASSERT_CLAUSE("XHAL-HOSTFN-3", is_failure(reported), "the synchronise behind a trap says {}",
                result_name(reported));
  for (size_t i = 0; i < taken; ++i) {
    EXPECT_VALUE("XHAL-HOSTFN-3", calls[i].count.load(), 1, "function {}", i);
    EXPECT_VALUE("XHAL-HOSTFN-3", result_name(calls[i].status.load()), result_name(reported), "function {}",
                 i);
  }
}

XHAL_TEST(error, dependents_of_what_has_failed, .clauses = {"XHAL-ERROR-11"},
          .observes =
              "a fill on another stream that is made to wait for an event whose failure has been reported; "
              "its stream's synchronise",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Stream stream(t);
  Stream second(t);
  Event behind(t);
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  *word.as<uint32_t>() = 0;
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  const bool recorded = TRACED(xhal_event_record(behind, stream, 0)) == XHAL_SUCCESS;
  EXPECT_CLAUSE("XHAL-ERROR-11", recorded || !gate.shut(), "a record before the failure was refused");
  gate.open();
  const xhal_result_t code = TRACED(xhal_stream_synchronize(stream, t.patience()));
  ASSERT_CLAUSE("XHAL-ERROR-11", is_failure(code), "the trap's stream says {}", result_name(code));
  if (!recorded) {
    t.note("the record behind the trap was refused: nothing depends on the failure");
    return;
  }
  // A poisoned scope may refuse any of these; what is accepted must not run.
  if (const xhal_result_t waited = TRACED(xhal_stream_wait_event(second, behind, 0));
      waited != XHAL_SUCCESS) {
    EXPECT_VALUE("XHAL-ERROR-11", result_name(waited), result_name(code), "the wait");
    return;
  }
  const xhal_result_t filled = TRACED(xhal_memory_fill(second, word, 0x33, 1, sizeof(uint32_t)));
  EXPECT_CLAUSE("XHAL-ERROR-11", filled == XHAL_SUCCESS || filled == code, "the fill behind the wait says {}",
                result_name(filled));
  EXPECT_RESULT("XHAL-ERROR-11", xhal_stream_synchronize(second, t.patience()), code,
                "a stream that waits for what has failed");
  EXPECT_VALUE("XHAL-ERROR-11", load(word.as<uint32_t>()), 0u, "what the fill behind the wait wrote");
}

XHAL_TEST(error, event_of_a_destroyed_stream, .clauses = {"XHAL-ERROR-6", "XHAL-ERROR-10", "XHAL-ERROR-11"},
          .observes =
              "an event behind a trap whose stream is destroyed before the trap fires: its synchronise and "
              "two queries, and a fill on another stream that waits for it",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  require_survival(t);
  load_trap(t);
  Event behind(t);
  const Buffer word = pinned_memory(t, sizeof(uint32_t));
  *word.as<uint32_t>() = 0;
  Stream second(t);
  Stream stream(t);
  Gate gate(t, stream);
  REQUIRE_OK(submit_trap(t, stream));
  if (TRACED(xhal_event_record(behind, stream, 0)) != XHAL_SUCCESS) {
    EXPECT_CLAUSE("XHAL-ERROR-6", !gate.shut(), "a record before the failure was refused");
    t.note("the record behind the trap was refused: no event tells of it");
    return;
  }
  // Nothing has failed yet: this is no recovery.
  REQUIRE_OK(xhal_stream_destroy(stream.release()));
  gate.open();
  const xhal_result_t code = TRACED(xhal_event_synchronize(behind, t.patience()));
  EXPECT_CLAUSE("XHAL-ERROR-6", is_failure(code), "the synchronise of an event behind a trap says {}",
                result_name(code));
  EXPECT_CLAUSE("XHAL-ERROR-10", code != XHAL_TIMEOUT, "a wait behind a failure does not end");
  if (!is_failure(code)) return;
  for (int time = 0; time < 2; ++time)
    EXPECT_RESULT("XHAL-ERROR-6", xhal_event_query(behind), code, "time {}", time);
  // A poisoned scope may refuse any of these; what is accepted must not run.
  if (TRACED(xhal_stream_wait_event(second, behind, 0)) != XHAL_SUCCESS) return;
  if (TRACED(xhal_memory_fill(second, word, 0x33, 1, sizeof(uint32_t))) != XHAL_SUCCESS) return;
  EXPECT_RESULT("XHAL-ERROR-11", xhal_stream_synchronize(second, t.patience()), code,
                "a stream that waits for what has failed");
  EXPECT_VALUE("XHAL-ERROR-11", load(word.as<uint32_t>()), 0u, "what the fill behind the wait wrote");
}

XHAL_TEST(memory, refusals_keep_nothing, .clauses = {"XHAL-ERROR-1", "XHAL-ERROR-13"},
          .observes =
              "free memory before and after allocations that do not fit, and one of three quarters of it "
              "afterwards",
          .isolated = true) {
  { const Buffer opens_the_device = device_memory(t, 4096); }
  const uint64_t before = free_bytes(t);
  const xhal_memory_desc_t too_much = memory_desc(XHAL_MEMORY_DEVICE, t.properties().memory_bytes * 2);
  void* none = nullptr;
  for (int time = 0; time < 4; ++time)
    EXPECT_RESULT("XHAL-ERROR-13", xhal_memory_allocate(t.device(), &too_much, &none),
                  XHAL_ERROR_OUT_OF_DEVICE_MEMORY, "time {}", time);
  // Others may use the device meanwhile, but for no half of it.
  const uint64_t after = free_bytes(t);
  EXPECT_CLAUSE("XHAL-ERROR-1", after >= before / 4 * 3, "{} bytes were free, {} are left", before, after);
  // In as few pieces as the device's largest allocation allows.
  std::vector<void*> pieces;
  for (uint64_t left = before / 4 * 3; left > 0;) {
    const xhal_memory_desc_t most =
        memory_desc(XHAL_MEMORY_DEVICE, std::min(left, t.properties().max_allocation_bytes));
    void* memory = nullptr;
    if (!EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_allocate(t.device(), &most, &memory), XHAL_SUCCESS,
                       "three quarters of {} bytes, {} of them are left", before, left))
      break;
    pieces.push_back(memory);
    left -= most.size;
  }
  for (void* piece : pieces) EXPECT_RESULT("XHAL-ERROR-1", xhal_memory_free(t.device(), piece), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::conformance
