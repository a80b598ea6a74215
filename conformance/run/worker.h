// SPDX-License-Identifier: Apache-2.0
// The process that loads the driver.
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "frame/context.h"
#include "frame/session.h"

namespace xhal::conformance {

// Work other than tests: done for a message whose "do" is its name, after "setup". What it tells goes to the parent.
using WorkerTell = std::function<void(const nlohmann::json& message)>;
using WorkerTask = std::function<void(const nlohmann::json& message, Session& session,
                                      const RunSettings& settings, const WorkerTell& tell)>;
void add_worker_task(const std::string& name, WorkerTask task);

// The hidden option by which the program starts itself again.
inline constexpr const char* kWorkerOption = "--worker";

// True when this process was started as a worker; then its exit code is in `exit_code` and main has nothing else to do. To be called first.
bool run_as_worker(int argc, char** argv, int* exit_code);

}  // namespace xhal::conformance
