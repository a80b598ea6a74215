// SPDX-License-Identifier: Apache-2.0
#include <string_view>

#include "commands.h"
#include "ir_text.h"

namespace xhal::kernelgen {
namespace {

// Replaces the markers of one function; blocks and values get names that nothing else has.
class FunctionRewriter {
 public:
  // The text that takes the place of a body line.
  std::string rewrite(const std::string& line) {
    std::string name;
    const std::size_t at = find_function_reference(line, 0, &name);
    if (at == std::string_view::npos || !is_coroutine_marker(name)) return line + '\n';
    const std::string_view what = std::string_view(name).substr(kCoroutineMarker.size());
    const std::string result = line.substr(0, line.find('='));
    if (what == "bytes") return result + "= call i64 @llvm.coro.size.i64()\n";
    if (what == "begin") return begin(line, at, result);
    if (what == "suspend") return suspend();
    if (what == "end") return end();
    throw Refusal("calls " + name + ", which is no function of barriers.h");
  }

 private:
  std::string begin(const std::string& line, std::size_t at, const std::string& result) {
    const std::size_t open = line.find('(', at);
    const std::string argument = split_list(line.substr(open + 1, line.find(')', open) - open - 1)).at(0);
    frame_ = result.substr(result.find('%'));
    while (frame_.ends_with(' ')) frame_.pop_back();
    return "  %xhal.id = call token @llvm.coro.id(i32 64, ptr null, ptr null, ptr null)\n  " + frame_ +
           " = call ptr @llvm.coro.begin(token %xhal.id, ptr " + argument.substr(argument.rfind(' ') + 1) +
           ")\n";
  }

  std::string suspend() {
    const std::string number = std::to_string(suspensions_++);
    return "  %xhal.state" + number +
           " = call i8 @llvm.coro.suspend(token none, i1 false)\n  switch i8 %xhal.state" + number +
           ", label %xhal.suspended [i8 0, label %xhal.resumed" + number +
           "\n    i8 1, label %xhal.suspended]\nxhal.resumed" + number + ":\n";
  }

  std::string end() {
    return "  %xhal.ended = call i8 @llvm.coro.suspend(token none, i1 true)\n"
           "  switch i8 %xhal.ended, label %xhal.suspended [i8 0, label %xhal.never\n"
           "    i8 1, label %xhal.suspended]\n"
           "xhal.never:\n"
           "  unreachable\n"
           "xhal.suspended:\n"
           "  %xhal.unwinding = call i1 @llvm.coro.end(ptr " +
           frame_ +
           ", i1 false)\n"
           "  br label %xhal.after\n"
           "xhal.after:\n";
  }

  std::string frame_;
  int suspensions_ = 0;
};

bool calls_marker(const Function& function) {
  for (const std::string& line : function.body) {
    std::string name;
    if (find_function_reference(line, 0, &name) != std::string_view::npos && is_coroutine_marker(name))
      return true;
  }
  return false;
}

}  // namespace

std::string suspend(const std::vector<std::string>& lines) {
  std::string text;
  FunctionRewriter rewriter;
  const Module module = parse_module(lines);
  std::size_t next_function = 0;
  bool in_coroutine = false;
  bool any = false;
  for (const std::string& line : lines) {
    if (line.starts_with("define ") || line.starts_with("declare ")) {
      const Function& function = module.functions[next_function++];
      in_coroutine = function.is_definition && calls_marker(function);
      if (in_coroutine) {
        any = true;
        rewriter = FunctionRewriter();
        const std::size_t attributes =
            line.find(" #", matching_bracket(line, line.find('(', line.find('@'))));
        if (attributes == std::string::npos)
          throw Refusal("function '" + function.name + "' has no attributes");
        text += line.substr(0, attributes) + " presplitcoroutine" + line.substr(attributes) + '\n';
        continue;
      }
    }
    text += in_coroutine ? rewriter.rewrite(line) : line + '\n';
  }
  if (any) {
    text +=
        "\ndeclare token @llvm.coro.id(i32, ptr, ptr, ptr)\n"
        "declare i64 @llvm.coro.size.i64()\n"
        "declare ptr @llvm.coro.begin(token, ptr)\n"
        "declare i8 @llvm.coro.suspend(token, i1)\n"
        "declare i1 @llvm.coro.end(ptr, i1)\n";
  }
  return text;
}

}  // namespace xhal::kernelgen
