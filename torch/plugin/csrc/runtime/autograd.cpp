// SPDX-License-Identifier: Apache-2.0
#include "runtime/autograd.hpp"

#include <torch/csrc/autograd/engine.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "runtime/driver.hpp"

namespace torch_xhal {
namespace {

// The queues are for derived engines to see.
struct Engine : torch::autograd::Engine {
  static size_t devices_of(torch::autograd::Engine& engine) {
    return (engine.*(&Engine::device_ready_queues_)).size();
  }
};

bool has_autograd_threads() {
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task", error)) {
    std::string name;
    std::getline(std::ifstream(thread.path() / "comm"), name);
    if (name.starts_with("pt_autograd_")) return true;
  }
  return false;
}

}  // namespace

void start_autograd() {
  auto& engine = torch::autograd::Engine::get_default_engine();
  engine.initialize_device_threads_pool();
  if (Engine::devices_of(engine) < static_cast<size_t>(device_count()))
    TORCH_WARN(
        "a backward ran before torch_xhal was imported, when PyTorch's autograd saw no ", device_title(),
        " device: a backward on it will fail in this process. Import torch_xhal before the first backward.");
}

// The engine tells that its threads are ending; each then takes the interpreter's lock once more, so they are waited for until the
// system knows them no more.
void stop_autograd() {
  torch::autograd::Engine::get_default_engine().stop();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (has_autograd_threads() && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::microseconds(100));
}

}  // namespace torch_xhal
