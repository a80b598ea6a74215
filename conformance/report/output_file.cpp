// SPDX-License-Identifier: Apache-2.0
#include "report/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>

namespace xhal::conformance {

namespace fs = std::filesystem;

namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
  const int error = errno;
  throw OutputError(fmt::format("report {}: cannot {}: {}; {}", path, what, std::strerror(error),
                                error == EISDIR   ? "name a file, in it or elsewhere"
                                : error == ENOSPC ? "make room or name another place"
                                                  : "name another place or mend this one"));
}

}  // namespace

OutputFile::OutputFile(const std::string& path) : path_(path) {
  if (path == "-") {
    fd_ = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
    if (fd_ < 0) fail(path, "use the standard output");
    return;
  }
  std::error_code ignored;
  const fs::path followed = fs::weakly_canonical(path, ignored);
  target_ = ignored || followed.empty() ? path : followed.string();
  struct stat status {};
  if (stat(target_.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) {
      errno = EISDIR;
      fail(path, "write it");
    }
    if (!S_ISREG(status.st_mode)) {
      // Replacing a device or a pipe by a file would destroy it.
      fd_ = open(target_.c_str(), O_WRONLY | O_CLOEXEC | O_NOCTTY);
      if (fd_ < 0) fail(path, "open it");
      return;
    }
    if (access(target_.c_str(), W_OK) != 0) fail(path, "write it");
  }
  temporary_ = target_ + ".XXXXXX";
  fd_ = mkostemp(temporary_.data(), O_CLOEXEC);
  if (fd_ < 0) {
    temporary_.clear();
    fail(path, "create a file beside it");
  }
}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      target_(std::move(other.target_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

OutputFile::~OutputFile() {
  if (!temporary_.empty()) unlink(temporary_.c_str());
  if (fd_ >= 0) close(fd_);
}

void OutputFile::commit(const std::string& content) {
  size_t done = 0;
  while (done < content.size()) {
    const ssize_t written = write(fd_, content.data() + done, content.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail(path_, "write it");
    done += static_cast<size_t>(written);
  }
  if (temporary_.empty()) return;
  // mkostemp makes a private file; a report is for everyone that the umask allows.
  const mode_t mask = umask(0);
  umask(mask);
  if (fchmod(fd_, 0666 & ~mask) != 0 || fsync(fd_) != 0) fail(path_, "finish it");
  if (rename(temporary_.c_str(), target_.c_str()) != 0) fail(path_, "put it in place");
  temporary_.clear();
}

}  // namespace xhal::conformance
