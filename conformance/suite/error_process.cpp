// SPDX-License-Identifier: Apache-2.0
// What a failure does to its process, which a device may declare that it ends, and to another one.
#include <cstring>

#include "oracles.h"
#include "suite/failing.h"
#include "suite/support.h"

namespace xhal::conformance {
namespace {

XHAL_TEST(error, trap_without_its_flag, .clauses = {"XHAL-KERNEL-18"},
          .observes = "the trap kernel with its flag 0: launch and synchronise succeed",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true) {
  Stream stream(t);
  const Buffer flag = pinned_memory(t, sizeof(uint32_t));
  store(flag.as<uint32_t>(), 0);
  Launch harmless(t.kernel("xhal_trap_u32"));
  harmless.reads(flag, sizeof(uint32_t));
  EXPECT_RESULT("XHAL-KERNEL-18", harmless.on(stream), XHAL_SUCCESS);
  EXPECT_RESULT("XHAL-KERNEL-18", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS);
}

// The code that the other process sends; nothing where it has none to send any more.
std::optional<xhal_result_t> next_code(OtherProcess& other) {
  const auto message = other.next();
  xhal_result_t code = XHAL_SUCCESS;
  if (!message || message->size() != sizeof(code)) return std::nullopt;
  std::memcpy(&code, message->data(), sizeof(code));
  return code;
}

XHAL_TEST(error, trap_in_another_process, .clauses = {"XHAL-ERROR-16", "XHAL-ERROR-5"},
          .observes =
              "a trap in a process of its own: what its synchronise says, or how the process was ended; the "
              "declared recovery; folds of this process before and after it",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true) {
  OtherProcess other(t, fail_when_told);
  const uint32_t scope = t.properties().fault_scope;
  const bool may_end = scope == XHAL_FAULT_SCOPE_PROCESS;
  EXPECT_CLAUSE("XHAL-ERROR-16", !may_end || t.properties().fault_recovery == XHAL_RECOVERY_NONE,
                "a failure may end the process, and the declared recovery is {}",
                t.properties().fault_recovery);
  constexpr size_t kCells = 500;
  Stream stream(t);
  const auto before = t.random_u64(kCells);
  const Buffer cells = device_memory(t, kCells * sizeof(uint64_t));
  t.write(cells, before);
  REQUIRE_OK(fold(t, stream, cells, 1, kCells));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));

  other.send("fail");
  std::optional<xhal_result_t> told = next_code(other);  // the launch's
  if (told) told = next_code(other);
  const auto ended = other.ended_early();
  if (told)
    EXPECT_CLAUSE("XHAL-ERROR-16", is_failure(*told), "the synchronise behind a trap says {}",
                  result_name(*told));
  if (ended) {
    EXPECT_CLAUSE("XHAL-ERROR-16", may_end, "a failure ended its process, which is not declared: {}", *ended);
    t.note("a failure ends its process: " + *ended);
  }

  if (scope == XHAL_FAULT_SCOPE_DEVICE) {
    t.substitute(
        "a failure reaches whoever uses the device, as declared: only its own process was looked at");
    return;
  }
  EXPECT_RESULT("XHAL-ERROR-5", fold(t, stream, cells, 2, kCells), XHAL_SUCCESS,
                "a process in which nothing failed");
  EXPECT_RESULT("XHAL-ERROR-5", xhal_stream_synchronize(stream, t.patience()), XHAL_SUCCESS,
                "a process in which nothing failed");
  EXPECT_DATA("XHAL-ERROR-5", oracle::fold_u64(oracle::fold_u64(before, 1, kCells), 2, kCells),
              t.read<uint64_t>(cells, kCells), "the cells of a process in which nothing failed");
}

XHAL_TEST(error, trap_launched_in_another_process, .clauses = {"XHAL-KERNEL-18"},
          .observes = "what the launch of the trap says in a process of its own, which may end with it",
          .needs = {XHAL_FEATURE_KERNEL}, .isolated = true, .may_be_unobservable = true) {
  OtherProcess other(t, fail_when_told);
  other.send("fail");
  const auto launched = next_code(other);
  const auto ended = other.ended_early();
  if (!launched && ended)
    Context::not_observable("a failure ends its process inside of the launch: " + *ended);
  if (launched) EXPECT_VALUE("XHAL-KERNEL-18", result_name(*launched), result_name(XHAL_SUCCESS));
}

}  // namespace
}  // namespace xhal::conformance
