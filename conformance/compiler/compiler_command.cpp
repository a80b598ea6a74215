// SPDX-License-Identifier: Apache-2.0
#include "compiler/compiler_command.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <utility>

#include "process/child_process.h"

namespace xhal::conformance {

namespace fs = std::filesystem;
using Fault = CompilerError::Fault;

namespace {

constexpr int kNotThisFormat = 3;
constexpr size_t kLinesShown = 8;

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The program's path, as a shell would find it.
std::string path_of(const std::string& program) {
  const auto why_not = [](const std::string& path) -> std::string {
    std::error_code error;
    if (!fs::exists(path, error)) return "there is no such program";
    if (fs::is_directory(path, error)) return "it is a folder";
    if (access(path.c_str(), X_OK) != 0) return "it cannot be executed";
    return {};
  };
  std::string why = "there is no such program";
  if (program.find('/') != std::string::npos) {
    why = why_not(program);
    if (why.empty()) return program;
  } else if (const char* variable = std::getenv("PATH"); variable != nullptr) {
    std::istringstream folders(variable);
    for (std::string folder; std::getline(folders, folder, ':');) {
      std::string path = (fs::path(folder.empty() ? "." : folder) / program).string();
      const std::string reason = why_not(path);
      if (reason.empty()) return path;
      if (reason != "there is no such program") why = fmt::format("{}: {}", path, reason);
    }
  }
  throw CompilerError(Fault::kUser, fmt::format("--kernel-compiler {}: {}", program, why));
}

// The last lines that a program printed, on one.
std::string last_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  std::string out;
  for (size_t i = lines.size() > kLinesShown ? lines.size() - kLinesShown : 0; i < lines.size(); ++i)
    out += fmt::format("{}{}", out.empty() ? "" : " | ", lines[i]);
  return out.empty() ? "it printed nothing" : "it printed: " + out;
}

}  // namespace

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  bool inside = false;  // of a word, perhaps an empty one in quotes
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      word += text[++i];
      inside = true;
    } else if (quote != 0) {
      if (c == quote)
        quote = 0;
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inside = true;
    } else if (is_blank(c)) {
      if (inside) words.push_back(std::exchange(word, {}));
      inside = false;
    } else {
      word += c;
      inside = true;
    }
  }
  if (quote != 0)
    throw CompilerError(Fault::kUser, fmt::format("--kernel-compiler {}: a {} has no end", text, quote));
  if (inside) words.push_back(word);
  return words;
}

CompilerCommand::CompilerCommand(const std::string& text) : text_(text), words_(split_words(text)) {
  if (words_.empty() || words_.front().empty())
    throw CompilerError(Fault::kUser, "--kernel-compiler: name a program");
  words_.front() = path_of(words_.front());
}

std::string CompilerCommand::identity() const {
  std::string out;
  for (const std::string& word : words_) {
    out += fmt::format("{}\n", word);
    struct stat file {};
    if (stat(word.c_str(), &file) != 0 || !S_ISREG(file.st_mode)) continue;
    // Of what is called by a relative path, where it is.
    std::error_code error;
    out += fmt::format("{} {} {}.{:09}\n", fs::canonical(word, error).string(), file.st_size,
                       file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
  }
  return out;
}

bool CompilerCommand::make(const CompileRequest& request, const std::string& output, double deadline_s,
                           int interrupt_fd) const {
  std::vector<std::string> arguments = words_;
  for (const auto& [name, value] : {std::pair<const char*, const std::string&>{"--source", request.source},
                                    {"--language", request.language},
                                    {"--format", request.format},
                                    {"--target", request.target},
                                    {"--output", output}}) {
    arguments.emplace_back(name);
    arguments.push_back(value);
  }
  for (const std::string& option : request.options) {
    arguments.emplace_back("--option");
    arguments.push_back(option);
  }
  const std::chrono::milliseconds deadline(static_cast<int64_t>(deadline_s * 1000));
  const process::ChildResult child = process::run_child(arguments, deadline, interrupt_fd);
  using Ending = process::ChildResult::Ending;
  const std::string who = fmt::format("the kernel compiler {}, asked for {}{}{},", text_, request.format,
                                      request.target.empty() ? "" : " ", request.target);
  if (child.ending == Ending::kInterrupted)
    throw CompilerError(Fault::kInterrupted, who + " was interrupted");
  if (child.ending == Ending::kExited && child.code == kNotThisFormat) return false;
  if (child.ending != Ending::kExited || child.code != 0) {
    std::string how = process::describe_ending(child, deadline);
    if (child.ending == Ending::kTimedOut) how += "; give it longer with --kernel-compiler-timeout";
    throw CompilerError(Fault::kCompiler, fmt::format("{} {}; {}", who, how, last_lines(child.noise)));
  }
  std::error_code error;
  if (!fs::is_regular_file(output, error) || fs::file_size(output, error) == 0) {
    throw CompilerError(Fault::kCompiler, fmt::format("{} exited with code 0 and wrote no image; {}", who,
                                                      last_lines(child.noise)));
  }
  return true;
}

}  // namespace xhal::conformance
