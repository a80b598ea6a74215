// SPDX-License-Identifier: Apache-2.0
#include "run/task_process.h"

#include <fmt/format.h>

#include "report/report.h"
#include "run/protocol.h"

namespace xhal::conformance {

using Clock = WorkerProcess::Clock;

TaskProcess::Ending TaskProcess::ask(const nlohmann::json& request, const std::string& last,
                                     const std::function<void(const nlohmann::json&)>& hear) {
  if (worker_ == nullptr) {
    worker_ = std::make_unique<WorkerProcess>();
    worker_->send({{"do", "setup"}, {"target", to_json(target_)}, {"settings", to_json(settings_)}});
  }
  worker_->clear_log();
  worker_->send(request);
  const auto patience =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(deadline_s_));
  auto deadline = Clock::now() + patience;
  const auto ended = [&](End end, const std::string& how) {
    const std::string stage = worker_->trail().stage();
    std::string text = how;
    const auto calls = worker_->trail().last_calls();
    if (!calls.empty()) text += "; last call: " + calls.back();
    worker_.reset();
    return Ending{end, one_line(text), stage};
  };
  for (;;) {
    if (wait_for({worker_.get()}, interrupt_fd_, deadline)) return ended(End::kInterrupted, "interrupted");
    worker_->pump();
    while (const auto message = worker_->next()) {
      hear(*message);
      deadline = Clock::now() + patience;
      if (message->value("what", "") == last) return {};
    }
    if (worker_->exited()) return ended(End::kCrashed, worker_->ending(false));
    if (worker_->lost()) return ended(End::kCrashed, "the worker's answers became garbage");
    if (Clock::now() >= deadline)
      return ended(End::kLate, fmt::format("no end within {:.0f} s", deadline_s_));
  }
}

}  // namespace xhal::conformance
