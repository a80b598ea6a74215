// SPDX-License-Identifier: Apache-2.0
// The parent's side of a worker that does tasks (worker.h) one after the other.
#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "frame/context.h"
#include "run/worker_process.h"

namespace xhal::conformance {

class TaskProcess {
 public:
  enum class End { kDone, kCrashed, kLate, kInterrupted };
  struct Ending {
    End end = End::kDone;
    std::string text;   // one line, unless done
    std::string stage;  // what the worker was at
  };

  // `deadline_s`: from one message to the next.
  TaskProcess(Target target, RunSettings settings, double deadline_s, int interrupt_fd)
      : target_(std::move(target)),
        settings_(std::move(settings)),
        deadline_s_(deadline_s),
        interrupt_fd_(interrupt_fd) {}

  // Sends the request, gives every answer to `hear` until one of them is `last`. After another end the next request gets a fresh process.
  Ending ask(const nlohmann::json& request, const std::string& last,
             const std::function<void(const nlohmann::json&)>& hear);
  void retire() { worker_.reset(); }

 private:
  Target target_;
  RunSettings settings_;
  double deadline_s_;
  int interrupt_fd_;
  std::unique_ptr<WorkerProcess> worker_;
};

}  // namespace xhal::conformance
