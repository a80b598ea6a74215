// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "bench/peers/peers.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {
namespace {

// Standard output of a program that ends by itself; "" when it ended badly.
std::string output_of(const std::vector<std::string>& words) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return "";
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = -1;
  const int failed = posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string out;
  char piece[4096];
  for (ssize_t got = 0; failed == 0 && (got = read(ends[0], piece, sizeof(piece))) != 0;) {
    if (got > 0) out.append(piece, static_cast<size_t>(got));
    if (got < 0 && errno != EINTR) break;
  }
  close(ends[0]);
  if (failed != 0) return "";
  int status = -1;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return status == 0 ? out : "";
}

// Google Benchmark's JSON, of one benchmark: nanoseconds of an item.
double nanoseconds_in(const std::string& text) {
  const nlohmann::json report = nlohmann::json::parse(text, nullptr, false);
  if (!report.is_object()) throw RowFailed("IREE's benchmark printed no JSON");
  try {
    const nlohmann::json& one = report.at("benchmarks").at(0);
    const std::string unit = one.at("time_unit");
    const double scale = unit == "ns" ? 1 : unit == "us" ? 1e3 : unit == "ms" ? 1e6 : 1e9;
    return one.at("real_time").get<double>() * scale;
  } catch (const nlohmann::json::exception& error) {
    throw RowFailed(std::string("IREE's benchmark printed something else: ") + error.what());
  }
}

}  // namespace

std::optional<std::string> peers_folder(const Bench& bench) {
  const char* const folder = std::getenv(kPeersVariable);
  if (folder == nullptr || bench.properties().kind != XHAL_DEVICE_KIND_CPU) return std::nullopt;
  return folder;
}

std::optional<Side> iree_side(const Bench& bench, const std::string& device, uint64_t batch) {
  const auto folder = peers_folder(bench);
  if (!folder) return std::nullopt;
  const std::string program = *folder + "/venv/bin/iree-benchmark-module";
  const std::string module = *folder + "/dispatch.vmfb";
  if (access(program.c_str(), X_OK) != 0 || access(module.c_str(), R_OK) != 0) return std::nullopt;
  std::vector<std::string> words = {program,
                                    "--module=" + module,
                                    "--device=" + device,
                                    "--batch_size=" + std::to_string(batch),
                                    "--benchmark_min_time=0.02s",
                                    "--benchmark_format=json"};
  return Side{"iree_" + device,
              [words = std::move(words)](uint64_t) { return nanoseconds_in(output_of(words)); }, batch, batch,
              true};
}

void add_iree(Row& row, const Bench& bench, uint64_t batch) {
  for (const char* device : {"local-task", "local-sync"}) {
    if (auto side = iree_side(bench, device, batch)) row.beside(std::move(*side));
  }
}

}  // namespace xhal::bench
