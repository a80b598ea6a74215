// SPDX-License-Identifier: Apache-2.0
// xhal-kernelgen: the steps of the kernel recipes (cmake/XhalKernels.cmake) that no compiler does.
#include <cstdio>
#include <exception>
#include <span>
#include <string>
#include <vector>

#include "commands.h"
#include "ir_text.h"

namespace {

constexpr int kExitRefused = 1;
constexpr int kExitUsage = 2;
constexpr const char* kUsage =
    "usage: xhal-kernelgen lift IN.ll OUT.ll SOURCE\n"
    "       xhal-kernelgen neutral IN.ll OUT.ll\n"
    "       xhal-kernelgen wrap IN.ll LIFTED.ll OUT.c OUT.list SOURCE\n"
    "       xhal-kernelgen suspend IN.ll OUT.ll SOURCE\n"
    "       xhal-kernelgen text OUT.cl OUT.d [-IFOLDER | -DMACRO[=VALUE]]... SOURCE...\n"
    "       xhal-kernelgen portable FILE.ll\n"
    "       xhal-kernelgen names IN.ll OUT.list SOURCE\n"
    "       xhal-kernelgen join OUT.list IN.list...\n"
    "       xhal-kernelgen manifest OUT.json PACK [FILE FORMAT TARGET IN.list]...\n"
    "exit codes: 0 done, 1 the input is refused (one line says why), 2 wrong usage\n";

int run(std::span<const std::string> arguments, std::string* subject) {
  namespace kernelgen = xhal::kernelgen;
  if (arguments.empty()) return kExitUsage;
  const std::string& command = arguments[0];
  if (command == "lift" && arguments.size() == 4) {
    *subject = arguments[3];
    kernelgen::write_file(arguments[2], kernelgen::lift(kernelgen::read_lines(arguments[1])));
  } else if (command == "neutral" && arguments.size() == 3) {
    *subject = arguments[1];
    kernelgen::write_file(arguments[2], kernelgen::neutral(kernelgen::read_lines(arguments[1])));
  } else if (command == "wrap" && arguments.size() == 6) {
    *subject = arguments[5];
    const auto [wrapper, list] = kernelgen::wrap(kernelgen::read_lines(arguments[1]),
                                                 kernelgen::read_lines(arguments[2]), arguments[5]);
    kernelgen::write_file(arguments[3], wrapper);
    kernelgen::write_file(arguments[4], list);
  } else if (command == "suspend" && arguments.size() == 4) {
    *subject = arguments[3];
    kernelgen::write_file(arguments[2], kernelgen::suspend(kernelgen::read_lines(arguments[1])));
  } else if (command == "text" && arguments.size() >= 4) {
    const auto [text, rule] = kernelgen::one_text(arguments[1], arguments.subspan(3), subject);
    kernelgen::write_file(arguments[1], text);
    kernelgen::write_file(arguments[2], rule);
  } else if (command == "portable" && arguments.size() == 2) {
    *subject = arguments[1];
    kernelgen::write_file(arguments[1], kernelgen::portable(kernelgen::read_lines(arguments[1])));
  } else if (command == "names" && arguments.size() == 4) {
    *subject = arguments[3];
    kernelgen::write_file(arguments[2], kernelgen::name_list(kernelgen::read_lines(arguments[1])));
  } else if (command == "join" && arguments.size() >= 3) {
    *subject = arguments[1];
    kernelgen::write_file(arguments[1], kernelgen::join_lists(arguments.subspan(2)));
  } else if (command == "manifest" && arguments.size() >= 3 && arguments.size() % 4 == 3) {
    *subject = arguments[1];
    kernelgen::write_file(arguments[1], kernelgen::manifest(arguments.subspan(2)));
  } else {
    return kExitUsage;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  std::string subject = "xhal-kernelgen";
  try {
    const std::vector<std::string> arguments(argv + 1, argv + argc);
    const int code = run(arguments, &subject);
    if (code == kExitUsage) std::fputs(kUsage, stderr);
    return code;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", subject.c_str(), error.what());
    return kExitRefused;
  }
}
