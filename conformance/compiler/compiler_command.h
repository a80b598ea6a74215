// SPDX-License-Identifier: Apache-2.0
// A vendor's own compiler of kernels, as the user named it: a program that reads one text and writes one image.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace xhal::conformance {

// What a compiler, or its user, did wrong; one line.
class CompilerError : public std::runtime_error {
 public:
  enum class Fault { kUser, kCompiler, kInterrupted };
  CompilerError(Fault fault, const std::string& text) : std::runtime_error(text), fault_(fault) {}
  [[nodiscard]] Fault fault() const { return fault_; }

 private:
  Fault fault_;
};

// Words at white space; '...' and "..." hold it together, and a backslash outside of '...' takes the next character as it is. Nothing else
// of a shell's ways. Throws CompilerError for a quote without its end.
std::vector<std::string> split_words(std::string_view text);

// What to make of a text.
struct CompileRequest {
  std::string source;  // a file
  std::string language;
  std::string format;
  std::string target;  // "": the device takes any of the format
  std::vector<std::string> options;
};

class CompilerCommand {
 public:
  // Throws CompilerError where there is no such program.
  explicit CompilerCommand(const std::string& text);

  [[nodiscard]] const std::string& text() const { return text_; }
  // Changes when the program, or a file that it is given by name, does.
  [[nodiscard]] std::string identity() const;
  // Runs it, and leaves the image in `output`, a file that is not there. False: it does not make this format. Throws CompilerError.
  [[nodiscard]] bool make(const CompileRequest& request, const std::string& output, double deadline_s,
                          int interrupt_fd) const;

 private:
  std::string text_;
  std::vector<std::string> words_;  // the first is a path
};

}  // namespace xhal::conformance
