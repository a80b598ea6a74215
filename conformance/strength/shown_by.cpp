// SPDX-License-Identifier: Apache-2.0
#include "strength/shown_by.h"

#include <algorithm>

namespace xhal::conformance {
namespace {

constexpr ShownBy kRows[] = {
    // Need a process that goes on after a failure.
    {"faults_are_read_once", "error.first_fault_stays"},
    {"failures_spread", "error.containment"},
    {"launches_tell_their_failure", "error.trap_is_asynchronous"},
    {"doomed_processes_succeed", "error.trap_is_asynchronous"},
    {"failures_end_the_process", "error.trap_is_asynchronous"},
    // Need global variables with an address.
    {"modules_share_their_globals", "module.global_address"},
    {"globals_are_rounded_up", "module.global_address"},
    // Needs a stream that goes on while another one is held.
    {"waits_take_the_whole_stream", "event.wait_holds_no_longer_than_its_generation"},
};

}  // namespace

std::span<const ShownBy> all_shown_by() { return kRows; }

std::string_view shown_by(std::string_view fault) {
  const auto* const found = std::ranges::find(kRows, fault, &ShownBy::fault);
  return found == std::end(kRows) ? std::string_view() : found->test;
}

}  // namespace xhal::conformance
