// SPDX-License-Identifier: Apache-2.0
#include "run_program.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string_view>

extern char** environ;

namespace xhal::test {
namespace {

class TemporaryFile {
 public:
  TemporaryFile() {
    fd_ = mkstemp(path_.data());
    if (fd_ < 0) std::abort();
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    close(fd_);
    unlink(path_.c_str());
  }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string text() const {
    std::ifstream file(path_, std::ios::binary);
    std::ostringstream stream;
    stream << file.rdbuf();
    return stream.str();
  }

 private:
  std::string path_ = "/tmp/xhal-test-XXXXXX";
  int fd_ = -1;
};

std::vector<std::string> environment_of(const ProgramOptions& options) {
  std::vector<std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::string name(text.substr(0, text.find('=')));
    if (name.starts_with("XHAL_") || name == "NO_COLOR" || options.environment.contains(name)) continue;
    result.emplace_back(text);
  }
  for (const auto& [name, value] : options.environment) result.push_back(name + "=" + value);
  return result;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

}  // namespace

ProgramResult run_program(const std::vector<std::string>& arguments, const ProgramOptions& options) {
  const TemporaryFile out;
  const TemporaryFile err;
  const std::vector<std::string> environment = environment_of(options);
  std::vector<char*> argv = pointers(arguments);
  std::vector<char*> envp = pointers(environment);
  const pid_t pid = fork();
  if (pid == 0) {
    dup2(err.fd(), STDERR_FILENO);
    if (options.stdout_path == "-") {
      close(STDOUT_FILENO);
    } else if (options.stdout_path == "|") {
      int ends[2];
      if (pipe2(ends, O_CLOEXEC) != 0) _exit(126);
      dup2(ends[1], STDOUT_FILENO);
      close(ends[0]);
    } else if (!options.stdout_path.empty()) {
      dup2(open(options.stdout_path.c_str(), O_WRONLY | O_CLOEXEC), STDOUT_FILENO);
    } else {
      dup2(out.fd(), STDOUT_FILENO);
    }
    for (const int fd : options.closed) close(fd);
    execve(argv[0], argv.data(), envp.data());
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  ProgramResult result;
  result.exit_code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  result.out = out.text();
  result.err = err.text();
  return result;
}

}  // namespace xhal::test
