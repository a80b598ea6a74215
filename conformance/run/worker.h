// SPDX-License-Identifier: Apache-2.0
// The process that loads the driver.
#pragma once

namespace xhal::conformance {

// The hidden option by which the program starts itself again.
inline constexpr const char* kWorkerOption = "--worker";

// True when this process was started as a worker; then its exit code is in `exit_code` and main has nothing else to do. To be called first.
bool run_as_worker(int argc, char** argv, int* exit_code);

}  // namespace xhal::conformance
