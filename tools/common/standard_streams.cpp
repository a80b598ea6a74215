// SPDX-License-Identifier: Apache-2.0
#include "common/standard_streams.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "common/terminal.hpp"
#include "run/exit_codes.h"

namespace xhal::tools {

void prepare_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(fd, F_GETFD) >= 0) continue;
    // The lowest free number is this one, since those below it are open by now.
    const int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
    if (opened >= 0 && opened != fd) close(opened);
  }
  std::signal(SIGPIPE, SIG_IGN);
}

void print_text(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

int finish(std::string_view tool, int code) {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return code;
  print_error(tool, "the standard output could not be written; check the disk or the pipe it goes to");
  return code == ending::kExitInterrupted ? code : ending::kExitInternal;
}

}  // namespace xhal::tools
