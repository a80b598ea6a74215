// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace xhal::conformance {

class OutputError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A report's place. Opened before the run, so that hours are not lost to a mistyped path; the file appears whole or not at all.
class OutputFile {
 public:
  explicit OutputFile(const std::string& path);  // "-": stdout. Throws OutputError
  ~OutputFile();
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&&) = delete;

  // Whether both would be put in the same place.
  [[nodiscard]] bool replaces(const OutputFile& other) const {
    return !temporary_.empty() && !other.temporary_.empty() && target_ == other.target_;
  }
  void commit(const std::string& content);  // throws OutputError

 private:
  std::string path_;       // as named, for messages
  std::string target_;     // symbolic links followed
  std::string temporary_;  // "" when written in place: stdout, a device, a pipe
  int fd_ = -1;
};

}  // namespace xhal::conformance
