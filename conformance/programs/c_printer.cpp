// SPDX-License-Identifier: Apache-2.0
#include "programs/c_printer.h"

#include "programs/print_c_pieces.h"

namespace xhal::programs {

namespace {

// No text of a driver's ends the comment that it stands in.
std::string for_comment(std::string text) {
  for (size_t at = 0; (at = text.find("*/", at)) != std::string::npos;) text.replace(at, 2, "* /");
  return text;
}

}  // namespace

CPrinter::CPrinter(const Program& program)
    : program_(program), expected_(expected_contents(program)), joins_(joins_of(program)) {}

std::string CPrinter::text(const std::string& made_by, const std::string& seen) {
  head(made_by, seen);
  objects();
  for (uint32_t t = 0; t < program_.threads; ++t) thread(t);
  expectations();
  once();
  main_function();
  return std::move(out_);
}

void CPrinter::head(const std::string& made_by, const std::string& seen) {
  line("/*");
  line(" * A program of {} operations that a driver got wrong. {}", program_.ops.size(),
       for_comment(made_by));
  line(" * What was seen: {}", for_comment(seen));
  line(" *");
  how_to_run();
  line(" *");
  line(
      " * Exit code 0: every byte is as the contract says. 1: not, or a call failed, or the program hangs. "
      "2: it could not be tried.");
  line(" */");
  piece(pieces::kHead);
  includes();
  piece(pieces::kShared);
  if (has(Kind::kHostFold)) piece(pieces::kFold);
  calls();
  if (program_.gates > 0) {
    gate_calls();
    line("enum {{ GATE_DEVICES = {} }};", program_.devices);
    piece(pieces::kGates);
    gate_work();
    if (opens_behind()) piece(pieces::kOpener);
  }
  if (program_.threads > 1) piece(pieces::kThreads);
}

void CPrinter::thread(uint32_t t) {
  line("static {} {{",
       program_.threads == 1 ? "void run(void)" : fmt::format("void* thread_{}(void* unused)", t));
  if (program_.threads > 1) line("  (void)unused;");
  auto join = joins_.begin();
  for (uint32_t i = 0; i < program_.ops.size(); ++i) {
    const Op& op = program_.ops[i];
    if (op.thread != t) continue;
    while (join != joins_.end() && join->op < i) ++join;
    for (; join != joins_.end() && join->op == i; ++join)
      line("  await({}, {});", program_.ops[join->target].thread, join->target);
    line("  {} /* {} */", work(op, op.stream == kNone ? "" : stream_name(op.stream)), i);
    if (program_.threads > 1) line("  atomic_store(&returned[{}], {});", t, i + 1);
  }
  if (program_.threads > 1) {
    line("  atomic_store(&returned[{}], UINT32_MAX);", t);
    line("  return NULL;");
  }
  line("}}\n");
}

void CPrinter::expectations() {
  for (uint32_t i = 0; i < expected_.size(); ++i) {
    if (!lives(i)) continue;
    out_ += fmt::format("static const unsigned char expected_{}[] = {{", i);
    for (size_t k = 0; k < expected_[i].size(); ++k)
      out_ += fmt::format("{}{},", k % 24 == 0 ? "\n    " : "", expected_[i][k]);
    line("\n}};");
  }
}

void CPrinter::once() {
  line("\nstatic void once(void) {{");
  if (program_.gates > 0) line("  make_gates();");
  make_objects();
  if (program_.threads == 1) {
    line("  run();");
  } else {
    line("  for (int i = 0; i < 8; ++i) atomic_store(&returned[i], 0);");
    line("  pthread_t threads[{}];", program_.threads);
    for (uint32_t t = 0; t < program_.threads; ++t)
      line("  pthread_create(&threads[{}], NULL, thread_{}, NULL);", t, t);
    line("  for (int i = 0; i < {}; ++i) pthread_join(threads[i], NULL);", program_.threads);
  }
  if (opens_behind()) line("  pthread_join(opener_thread, NULL);");
  finish();
  for (uint32_t i = 0; i < expected_.size(); ++i) {
    if (lives(i)) verify(i);
  }
  clean_up();
  line("}}");
}

void CPrinter::main_function() {
  line("\nint main(int argc, char** argv) {{");
  line("  signal(SIGALRM, too_late);");
  line("  alarm(120);");
  open();
  line("  for (int turn = 0; turn < TURNS && differences == 0; ++turn) once();");
  line("  if (differences > 0) return 1;");
  close();
  line("  printf(\"every byte is right\\n\");");
  line("  return 0;");
  line("}}");
}

bool CPrinter::opens_behind() const {
  return any([](const Op& op) { return op.kind == Kind::kOpen && op.width != 0; });
}

}  // namespace xhal::programs
