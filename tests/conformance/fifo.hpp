// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <stdexcept>
#include <string>

namespace xhal::test {

// Where a mutant driver says that it blocks.
class Fifo {
 public:
  explicit Fifo(const std::string& path) : path_(path) {
    if (mkfifo(path.c_str(), 0600) != 0) throw std::runtime_error("cannot make " + path);
    fd_ = open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  }
  ~Fifo() { close(fd_); }
  Fifo(const Fifo&) = delete;
  Fifo& operator=(const Fifo&) = delete;

  [[nodiscard]] const std::string& path() const { return path_; }
  // False when nobody came for a minute: the test has failed then.
  [[nodiscard]] bool wait_for_the_driver() const {
    pollfd wanted = {fd_, POLLIN, 0};
    return poll(&wanted, 1, 60'000) == 1 && (wanted.revents & POLLIN) != 0;
  }

 private:
  std::string path_;
  int fd_ = -1;
};

}  // namespace xhal::test
