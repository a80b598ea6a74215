// SPDX-License-Identifier: Apache-2.0
#include "bench/peers/dpctl.hpp"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>

#include "bench/lanes/no_reference.hpp"
#include "bench/peers/peers.hpp"
#include "bench/runner/bench.hpp"

namespace xhal::bench {
namespace {

// Told how many units, it answers with the nanoseconds of one.
class DpctlQueue {
 public:
  DpctlQueue(const std::string& folder, const std::string& work) {
    int in[2];
    int out[2];
    if (pipe2(in, O_CLOEXEC) != 0) return;
    if (pipe2(out, O_CLOEXEC) != 0) {
      close(in[0]);
      close(in[1]);
      return;
    }
    const std::string python = folder + "/venv/bin/python";
    const std::string program = folder + "/dpctl_queue.py";
    const std::string words[] = {python, program, work};
    char* const arguments[] = {const_cast<char*>(words[0].c_str()), const_cast<char*>(words[1].c_str()),
                               const_cast<char*>(words[2].c_str()), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (posix_spawn(&child_, arguments[0], &actions, nullptr, arguments, environ) != 0) child_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    to_ = in[1];
    from_.reset(fdopen(out[0], "r"));
  }
  // It ends when nothing more can be asked.
  ~DpctlQueue() {
    if (to_ >= 0) close(to_);
    from_.reset();
    int status = 0;
    while (child_ > 0 && waitpid(child_, &status, 0) < 0 && errno == EINTR) {
    }
  }
  DpctlQueue(const DpctlQueue&) = delete;
  DpctlQueue& operator=(const DpctlQueue&) = delete;

  [[nodiscard]] std::optional<std::string> line() {
    char text[128];
    if (from_ == nullptr || std::fgets(text, sizeof(text), from_.get()) == nullptr) return std::nullopt;
    return text;
  }
  double ask(uint64_t units) {
    const std::string question = std::to_string(units) + "\n";
    const bool is_told =
        write(to_, question.data(), question.size()) == static_cast<ssize_t>(question.size());
    const auto answer = is_told ? line() : std::nullopt;
    if (!answer) throw RowFailed("dpctl's queue has ended");
    return std::strtod(answer->c_str(), nullptr);
  }

 private:
  struct Close {
    void operator()(FILE* file) const { std::fclose(file); }
  };
  pid_t child_ = -1;
  int to_ = -1;
  std::unique_ptr<FILE, Close> from_;
};

}  // namespace

void add_dpctl(Row& row, const Bench& bench, const std::string& work) {
  const auto folder = peers_folder(bench);
  if (!folder || conformance::bounded_text(bench.session().driver_properties().name) != kOpenClReference)
    return;
  if (access((*folder + "/dpctl_queue.py").c_str(), R_OK) != 0) return;
  const auto queue = std::make_shared<DpctlQueue>(*folder, work);
  // Without unified memory there is no such queue.
  if (const auto first = queue->line(); !first || !first->starts_with("ready")) return;
  row.beside({"dpctl", [queue](uint64_t units) { return queue->ask(units); }, 1, 500, true});
}

}  // namespace xhal::bench
