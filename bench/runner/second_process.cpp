// SPDX-License-Identifier: Apache-2.0
#include "bench/runner/second_process.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <stdexcept>
#include <string_view>
#include <utility>

#include "bench/footprint/footprint.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {
namespace {

constexpr const char* kFirstLaunch = "--first-launch";
constexpr const char* kResidentBytes = "--resident-bytes";
constexpr const char* kEnumeration = "--enumeration";
constexpr const char* kNothing = "--nothing";
constexpr const char* kHoldExport = "--hold-export";

std::vector<std::string> target_arguments(const char* what, const Bench& bench) {
  const conformance::Target& target = bench.session().target();
  return {"xhal-bench",
          what,
          target.backend,
          target.driver_path,
          std::to_string(target.device_index),
          bench.kernel_directory()};
}
constexpr int kTargetEnd = 6;

conformance::Target target_of(char** argv) {
  conformance::Target target;
  target.backend = argv[2];
  target.driver_path = argv[3];
  target.device_index = static_cast<uint32_t>(std::strtoul(argv[4], nullptr, 10));
  return target;
}

void tell_resident_bytes() {
  const uint64_t bytes = footprint().resident;
  if (write(STDIN_FILENO, &bytes, sizeof(bytes)) != sizeof(bytes)) throw std::runtime_error("nobody listens");
}

void launch_once(Bench& bench, bool tells) {
  const NothingLaunch launch(bench, 1);
  const Stream stream = bench.make_stream();
  launch.on(stream);
  wait_for(stream);
  if (tells) tell_resident_bytes();
}

void hold_export(Bench& bench, uint64_t size) {
  const Memory memory = bench.make_memory(XHAL_MEMORY_DEVICE, size);
  const Stream stream = bench.make_stream();
  check("xhal_memory_fill",
        xhal_memory_fill(stream, memory.get(), SecondProcess::kExported, sizeof(uint64_t), size));
  wait_for(stream);
  std::vector<unsigned char> handle(bench.properties().ipc_handle_bytes);
  check("xhal_ipc_export_memory",
        xhal_ipc_export_memory(bench.device(), memory.get(), handle.size(), handle.data()));
  if (write(STDIN_FILENO, handle.data(), handle.size()) != static_cast<ssize_t>(handle.size())) return;
  char end = 0;
  while (::read(STDIN_FILENO, &end, 1) < 0 && errno == EINTR) {
  }
}

}  // namespace

SecondProcess SecondProcess::first_launch(const Bench& bench, bool does_nothing) {
  if (does_nothing) return SecondProcess({"xhal-bench", kFirstLaunch, kNothing});
  return SecondProcess(target_arguments(kFirstLaunch, bench));
}

SecondProcess SecondProcess::resident_bytes(const Bench& bench, bool does_nothing) {
  if (does_nothing) return SecondProcess({"xhal-bench", kResidentBytes, kNothing});
  return SecondProcess(target_arguments(kResidentBytes, bench));
}

SecondProcess SecondProcess::enumeration(const Bench& bench) {
  return SecondProcess(target_arguments(kEnumeration, bench));
}

SecondProcess SecondProcess::info(const Bench& bench) {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "xhal-info";
  if (error || access(program.c_str(), X_OK) != 0) throw NotHere("no xhal-info lies beside this program");
  const conformance::Target& target = bench.session().target();
  const bool has_path = !target.driver_path.empty();
  SecondProcess out(
      {"xhal-info", has_path ? "--driver" : "--backend", has_path ? target.driver_path : target.backend});
  out.program_ = program;
  out.is_silent_ = true;
  return out;
}

SecondProcess SecondProcess::exporter(const Bench& bench, uint64_t size) {
  auto arguments = target_arguments(kHoldExport, bench);
  arguments.push_back(std::to_string(size));
  return SecondProcess(std::move(arguments));
}

SecondProcess::SecondProcess(std::vector<std::string> arguments) : arguments_(std::move(arguments)) {
  for (std::string& word : arguments_) words_.push_back(word.data());
  words_.push_back(nullptr);
}

// The words stay where they are: moving a vector moves none of its elements.
SecondProcess::SecondProcess(SecondProcess&& other) noexcept
    : program_(std::move(other.program_)),
      is_silent_(other.is_silent_),
      arguments_(std::move(other.arguments_)),
      words_(std::move(other.words_)),
      channel_(std::exchange(other.channel_, -1)),
      pid_(std::exchange(other.pid_, -1)) {}

SecondProcess::~SecondProcess() {
  if (channel_ >= 0) close(channel_);
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  while (waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

void SecondProcess::start() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) throw NotHere("no socket can be had");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDIN_FILENO);
  if (is_silent_) posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int error = posix_spawn(&pid_, program_.c_str(), &actions, nullptr, words_.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  channel_ = ends[0];
  if (error == 0) return;
  pid_ = -1;
  close(std::exchange(channel_, -1));
  throw NotHere(std::string("no second process can be started: ") + std::strerror(error));
}

std::vector<unsigned char> SecondProcess::read(size_t size) {
  std::vector<unsigned char> out(size);
  size_t have = 0;
  while (have < size) {
    const ssize_t got = ::read(channel_, out.data() + have, size - have);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      finish();
      throw RowFailed("the second process tells less than it should");
    }
    have += static_cast<size_t>(got);
  }
  return out;
}

void SecondProcess::finish() {
  close(std::exchange(channel_, -1));
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0) {
    if (errno != EINTR) throw RowFailed("the second process has vanished");
  }
  pid_ = -1;
  if (WIFSIGNALED(status))
    throw RowFailed("the second process was ended by signal " + std::to_string(WTERMSIG(status)));
  if (WEXITSTATUS(status) != 0)
    throw RowFailed("the second process ended with exit code " + std::to_string(WEXITSTATUS(status)));
}

bool run_as_second_process(int argc, char** argv, int* code) {
  if (argc < 3) return false;
  const std::string_view what = argv[1];
  const bool holds = what == kHoldExport;
  const bool tells = what == kResidentBytes;
  const bool launches = tells || what == kFirstLaunch;
  if (!holds && !launches && what != kEnumeration) return false;
  *code = EXIT_FAILURE;
  try {
    if (!launches || argv[2] != std::string_view(kNothing)) {
      if (argc != kTargetEnd + (holds ? 1 : 0)) return true;
      conformance::Session session(target_of(argv));
      Bench bench(session, argv[5]);
      if (holds) hold_export(bench, std::strtoull(argv[kTargetEnd], nullptr, 10));
      if (launches) launch_once(bench, tells);
    } else if (tells) {
      tell_resident_bytes();
    }
    *code = EXIT_SUCCESS;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "xhal-bench, second process: %s\n", error.what());
  }
  return true;
}

}  // namespace xhal::bench
