// SPDX-License-Identifier: Apache-2.0
// The host's side of a profile: which of xhal's calls the library made, when, on which thread, and for which operator. The linker puts
// the functions of calls.cpp in the place of the calls (--wrap), so that nothing that submits work needs to know of profiles.
#pragma once

#include <cstdint>
#include <vector>

namespace torch_xhal {

struct Call {
  const char* name;
  int64_t begin_ns, end_ns;  // since the epoch
  int32_t thread;
  uint64_t id;           // what the records of the work that the call submitted carry
  uint64_t operator_id;  // PyTorch's, 0: none
};

// Correlated: the driver knows of correlation. One that does not would leave its refusal as the last error, over that of the call.
void start_recording_calls(bool are_correlated);
// All since the start.
std::vector<Call> stop_recording_calls();

// The operator that the calling thread is in.
void enter_operator(uint64_t id);
void leave_operator();

}  // namespace torch_xhal
