// SPDX-License-Identifier: Apache-2.0
// Every entry that the device claims, broken in the two plainest ways: it succeeds and does nothing, or it refuses. The list of calls is the
// contract's own, so an entry that nobody tests is found here on the day it is added.
#include <gtest/gtest.h>

#include <string_view>

#include "conform.hpp"
#include "xhal/driver.h"

namespace xhal::test {
namespace {

struct Entry {
  std::string feature;
  std::string name;
};

const Entry kEntries[] = {
#define XHAL_ENTRY(feature, since, name, ...) {#feature, #name},
#include "xhal/entry_points.def"
};

// The simulator's features that have calls of their own.
bool claimed_by_sim(const Entry& entry) {
  return entry.feature == "CORE" || entry.feature == "REGISTER"
#ifdef XHAL_CONFORM_HAS_KERNELS
         || entry.feature == "KERNEL"
#endif
      ;
}

// Where the entry's tests are: this keeps a run short, and says that they are where a reader looks for them.
std::vector<std::string> areas_of(const std::string& entry) {
  struct Area {
    std::string_view entry;  // or how it begins
    std::vector<std::string> filters;
  };
  static const std::vector<Area> kAreas = {
      {"driver_get_properties", {"instance.driver_properties"}},
      {"driver_get_devices", {"instance.*"}},
      {"driver_get_extension", {"abi.unknown_extension"}},
      {"driver_get_pointer_attributes", {"memory.attributes*"}},
      {"driver_exchange_capture_mode", {"graph.exchange*"}},
      {"driver_exchange_correlation", {"activity.correlations"}},
      {"device_get_clocks", {"activity.clocks*"}},
      {"device_is_active", {"instance.*"}},
      {"device_get_fault", {"error.*"}},
      {"device_reset", {"error.*"}},
      {"device_get_native", {"native.*"}},
      {"device_set_native", {"native.*"}},
      {"device_enable_peer", {"peer.*"}},
      {"device_disable_peer", {"peer.*"}},
      {"device_read_metrics", {"telemetry.*"}},
      {"device_", {"device.*"}},
      {"stream_destroy", {"abi.destroyed*"}},
      {"stream_begin_capture", {"graph.capture_info/*"}},
      {"stream_end_capture", {"graph.capture_info/*"}},
      {"stream_get_capture_info", {"graph.capture_info/*"}},
      {"stream_wait_value", {"value.wait_holds*writer=host*"}},
      {"stream_write_value", {"value.write_stores*"}},
      {"stream_wait_event", {"event.*"}},
      {"stream_get_native", {"native.*"}},
      {"stream_import_native", {"native.*"}},
      {"stream_signal_semaphore", {"semaphore.*"}},
      {"stream_wait_semaphore", {"semaphore.*"}},
      {"stream_", {"stream.*"}},
      {"event_destroy", {"abi.destroyed*"}},
      {"event_get_native", {"native.*"}},
      {"event_", {"event.*"}},
      {"memory_register", {"register.*"}},
      {"memory_unregister", {"register.*"}},
      {"memory_allocate", {"memory.alignments/*"}},
      {"memory_free", {"memory.refused_frees/*", "memory.attributes*"}},
      {"memory_copy_region", {"region.*"}},
      {"memory_copy", {"memory.copy_small/*"}},
      {"memory_fill", {"memory.fill/*"}},
      {"memory_prefetch", {"managed.*"}},
      {"memory_advise", {"managed.*"}},
      {"memory_import_native", {"native.*"}},
      {"memory_import_external", {"external.*"}},
      {"memory_release_external", {"external.*"}},
      {"memory_export_external", {"external.*"}},
      {"semaphore_", {"semaphore.*"}},
      {"vmm_", {"vmm.*"}},
      {"physical_", {"vmm.*"}},
      {"ipc_", {"ipc.*"}},
      {"module_get_native", {"native.*"}},
      {"module_", {"module.*"}},
      {"kernel_launch", {"kernel.ids/*"}},
      {"kernel_", {"kernel.info", "kernel.occupancy"}},
      {"graph_exec_update", {"graph.update*"}},
      {"graph_get_info", {"graph.dump/*"}},
      {"graph_dump", {"graph.dump/*"}},
      {"graph_", {"graph.work_runs*", "graph.destroyed*"}},
      {"pool_", {"pool.*"}},
      {"activity_", {"activity.*"}},
  };
  for (const Area& area : kAreas) {
    if (!entry.starts_with(area.entry)) continue;
    std::vector<std::string> out;
    for (const std::string& filter : area.filters) out.insert(out.end(), {"--filter", filter});
    return out;
  }
  return {};
}

std::vector<std::string> claimed_entries() {
  std::vector<std::string> out;
  for (const Entry& entry : kEntries) {
    if (claimed_by_sim(entry)) out.push_back(entry.name);
  }
  return out;
}

class ClaimedEntry : public testing::TestWithParam<std::string> {};

void expect_noticed(const std::string& entry, const std::string& fault) {
  const Ending ending = judge(driver("sim") + areas_of(entry), mutant("sim", fault + ":" + entry));
  EXPECT_EQ(ending.exit_code, 1) << ending.out << ending.err;
  // Without the list of devices there is nothing to run a test on.
  if (entry == "driver_get_devices" || ending.report.is_null()) return;
  EXPECT_EQ(ending.report.at("verdict"), "not conformant");
  // A driver that refuses what it claims may also leave a test without what it needs: inconclusive.
  size_t noticed = 0;
  for (const char* outcome : {"failed", "refused", "inconclusive"})
    noticed += tests_with(ending.report, outcome).size();
  EXPECT_GT(noticed, 0U) << ending.out;
  EXPECT_TRUE(tests_with(ending.report, "crashed").empty()) << ending.out;
  EXPECT_TRUE(tests_with(ending.report, "timed_out").empty()) << ending.out;
}

TEST_P(ClaimedEntry, ThatDoesNothingIsNoticed) { expect_noticed(GetParam(), "nothing"); }
TEST_P(ClaimedEntry, ThatRefusesIsNoticed) {
  // XHAL-KERNEL-21 lets a device without globals refuse this one.
  if (GetParam() != "module_get_global") expect_noticed(GetParam(), "refuse");
}

INSTANTIATE_TEST_SUITE_P(Every, ClaimedEntry, testing::ValuesIn(claimed_entries()),
                         [](const auto& one) { return one.param; });

// What the minimal driver does not claim must be refused; success is a lie about it.
TEST(UnclaimedEntry, ThatSucceedsIsNoticed) {
  size_t judged = 0;
  for (const Entry& entry : kEntries) {
    const std::string id = "abi.unclaimed_call/entry=" + entry.name;
    // Calls on objects of unclaimed features cannot be reached: nobody has such an object.
    const bool reachable =
        entry.feature != "CORE" && (entry.name.starts_with("device_") || entry.name.starts_with("memory_"));
    if (!reachable) continue;
    ++judged;
    const Ending ending = judge(driver("minimal") + std::vector<std::string>{"--filter", id},
                                mutant("minimal", "nothing:" + entry.name));
    EXPECT_EQ(ending.exit_code, 1) << entry.name;
    EXPECT_EQ(outcome_of(ending.report, id), "failed") << entry.name;
  }
  EXPECT_GT(judged, 10U);
}

}  // namespace
}  // namespace xhal::test
