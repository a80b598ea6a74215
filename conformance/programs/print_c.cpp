// SPDX-License-Identifier: Apache-2.0
#include "programs/print_c.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "programs/oracle.h"
#include "programs/order.h"
#include "programs/print_c_pieces.h"

namespace xhal::programs {

namespace {

const char* kind_of(Place place) {
  switch (place) {
    case Place::kDevice:
      return "XHAL_MEMORY_DEVICE";
    case Place::kPinned:
      return "XHAL_MEMORY_PINNED";
    case Place::kPageable:
      break;
  }
  return "XHAL_MEMORY_UNMANAGED";
}

std::string place_of(uint32_t memory, uint32_t offset) {
  return offset == 0 ? fmt::format("m[{}]", memory) : fmt::format("m[{}] + {}", memory, offset);
}
std::string destination_of(const Op& op) { return place_of(op.destination, op.destination_offset); }
std::string source_of(const Op& op) { return place_of(op.source, op.source_offset); }

// No text of a driver's ends the comment that it stands in.
std::string for_comment(std::string text) {
  for (size_t at = 0; (at = text.find("*/", at)) != std::string::npos;) text.replace(at, 2, "* /");
  return text;
}

class Printer {
 public:
  explicit Printer(const Program& program) : program_(program), joins_(joins_of(program)) {}

  std::string text(const std::string& made_by, const std::string& seen) {
    head(made_by, seen);
    objects();
    for (uint32_t t = 0; t < program_.threads; ++t) thread(t);
    main_function();
    return std::move(out_);
  }

 private:
  template <class... Args>
  void line(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
    out_ += '\n';
  }

  template <class F>
  [[nodiscard]] bool any(F matches) const {
    return std::any_of(program_.ops.begin(), program_.ops.end(), matches) ||
           std::any_of(program_.graphs.begin(), program_.graphs.end(), [&](const Graph& graph) {
             return std::any_of(graph.body.begin(), graph.body.end(), matches);
           });
  }
  [[nodiscard]] bool has(Kind kind) const {
    return any([kind](const Op& op) { return op.kind == kind; });
  }
  [[nodiscard]] bool has_kernels() const {
    return any([](const Op& op) { return is_kernel(op.kind); });
  }

  void head(const std::string& made_by, const std::string& seen) {
    line("/*");
    line(" * A program of {} operations that a driver got wrong. {}", program_.ops.size(),
         for_comment(made_by));
    line(" * What was seen: {}", for_comment(seen));
    line(" *");
    line(" *   cc -std=c11 -pthread THIS_FILE $(pkg-config --cflags --libs xhal) && ./a.out DRIVER{}",
         has_kernels() ? " KERNEL_FOLDER" : "");
    line(" *");
    line(
        " * Exit code 0: every byte is as the contract says. 1: not, or a call failed, or the program hangs. "
        "2: it could not be tried.");
    line(" */");
    out_ += pieces::kHead;
    if (has(Kind::kHostFold)) out_ += pieces::kMix;
    if (has_kernels()) out_ += pieces::kKernels;
    if (has(Kind::kPollEvent)) out_ += pieces::kPoll;
    if (has(Kind::kQueryEvent) || has(Kind::kQueryStream)) out_ += pieces::kQuery;
    if (program_.gates > 0) {
      line("enum {{ DEVICES = {} }};", program_.devices);
      out_ += pieces::kGates;
      if (opens_behind()) out_ += pieces::kOpener;
    }
    if (program_.threads > 1) out_ += pieces::kThreads;
  }

  void objects() {
    line("static unsigned char* m[{}];", std::max<size_t>(1, program_.memories.size()));
    line("static xhal_stream_t s[{}];", std::max<size_t>(1, program_.streams.size()));
    if (!program_.events.empty()) line("static xhal_event_t e[{}];", program_.events.size());
    if (!program_.pools.empty()) line("static xhal_pool_t p[{}];", program_.pools.size());
    if (!program_.graphs.empty()) line("static xhal_graph_exec_t g[{}];", program_.graphs.size());
    line("");
    for (size_t i = 0; i < program_.graphs.size(); ++i) graph(i);
  }

  void graph(size_t index) {
    const Graph& one = program_.graphs[index];
    line("static void capture_{}(void) {{", index);
    line("  xhal_stream_t c[2];");
    line("  xhal_event_t forked, joined;");
    line("  xhal_graph_t graph;");
    line("  for (int i = 0; i < 2; ++i) CHECK(xhal_stream_create(d[{}], NULL, &c[i]));", one.device);
    line("  CHECK(xhal_event_create(d[{}], NULL, &forked));", one.device);
    line("  CHECK(xhal_event_create(d[{}], NULL, &joined));", one.device);
    line("  CHECK(xhal_stream_begin_capture(c[0], XHAL_CAPTURE_THREAD));");
    if (one.forks) {
      line("  CHECK(xhal_event_record(forked, c[0], 0));");
      line("  CHECK(xhal_stream_wait_event(c[1], forked, 0));");
    }
    for (const Op& node : one.body) line("  {}", work(node, fmt::format("c[{}]", node.stream)));
    if (one.forks) {
      line("  CHECK(xhal_event_record(joined, c[1], 0));");
      line("  CHECK(xhal_stream_wait_event(c[0], joined, 0));");
    }
    line("  CHECK(xhal_stream_end_capture(c[0], &graph));");
    line("  CHECK(xhal_graph_instantiate(graph, 0, &g[{}]));", index);
    line("  CHECK(xhal_graph_destroy(graph));");
    line("}}\n");
  }

  [[nodiscard]] std::string work(const Op& op, const std::string& stream) const {
    const auto kernel = [&](const char* which) {
      return fmt::format("launch({}, {}, {}, {}, {}, {}, UINT64_C({:#x}));", stream,
                         program_.memories[op.destination].device, which, destination_of(op),
                         op.source == kNone ? "NULL" : source_of(op), op.bytes, op.value);
    };
    switch (op.kind) {
      case Kind::kCopy:
        return fmt::format("CHECK(xhal_memory_copy({}, {}, {}, {}));", stream, destination_of(op),
                           source_of(op), op.bytes);
      case Kind::kFill:
        return fmt::format("CHECK(xhal_memory_fill({}, {}, UINT64_C({:#x}), {}, {}));", stream,
                           destination_of(op), op.value, op.width, op.bytes);
      case Kind::kHostFold:
        return fmt::format("host_fold({}, {}, {}, UINT64_C({:#x}));", stream, destination_of(op), op.bytes,
                           op.value);
      case Kind::kFold:
        return kernel("FOLD");
      case Kind::kFold2:
        return kernel("FOLD2");
      case Kind::kAxpy:
        return kernel("AXPY");
      case Kind::kCopyKernel:
        return kernel("COPY");
      default:
        return host_work(op, stream);
    }
  }

  [[nodiscard]] std::string host_work(const Op& op, const std::string& stream) const {
    const auto pool = [&] { return program_.memories[op.destination].pool; };
    const auto device = [&] { return program_.memories[op.destination].device; };
    switch (op.kind) {
      case Kind::kRecord:
        return fmt::format("CHECK(xhal_event_record(e[{}], {}, 0));", op.object, stream);
      case Kind::kWait:
        return fmt::format("CHECK(xhal_stream_wait_event({}, e[{}], 0));", stream, op.object);
      case Kind::kPoolAllocate:
        return fmt::format("CHECK(xhal_pool_allocate(p[{}], {}, {}, (void**)&m[{}]));", pool(), stream,
                           program_.memories[op.destination].bytes, op.destination);
      case Kind::kPoolFree:
        return fmt::format("CHECK(xhal_pool_free(p[{}], {}, m[{}]));", pool(), stream, op.destination);
      case Kind::kLaunch:
        return fmt::format("CHECK(xhal_graph_exec_launch(g[{}], {}));", op.object, stream);
      case Kind::kGate:
        return fmt::format("CHECK(xhal_stream_host_function({}, hold, &gates[{}]));", stream, op.object);
      case Kind::kDestroyStream:
        return fmt::format("CHECK(xhal_stream_destroy({}));", stream);
      case Kind::kHostWrite:
        return fmt::format("data(UINT64_C({:#x}), {}, {});", op.value, destination_of(op), op.bytes);
      case Kind::kHostRead:
        return fmt::format("memcpy({}, {}, {});", destination_of(op), source_of(op), op.bytes);
      case Kind::kAllocate:
        return fmt::format("m[{}] = allocate({}, {}, {});", op.destination, device(),
                           kind_of(program_.memories[op.destination].place),
                           program_.memories[op.destination].bytes);
      case Kind::kFree:
        return fmt::format("CHECK(xhal_memory_free(d[{}], m[{}]));", device(), op.destination);
      case Kind::kQueryStream:
        return fmt::format("query(xhal_stream_query({}), {});", stream, op.value);
      case Kind::kQueryEvent:
        return fmt::format("query(xhal_event_query(e[{}]), {});", op.object, op.value);
      case Kind::kSyncStream:
        return fmt::format("CHECK(xhal_stream_synchronize({}, PATIENCE));", stream);
      case Kind::kSyncEvent:
        return fmt::format("CHECK(xhal_event_synchronize(e[{}], PATIENCE));", op.object);
      case Kind::kSyncDevice:
        return fmt::format("CHECK(xhal_device_synchronize(d[{}], PATIENCE));", op.object);
      case Kind::kPollEvent:
        return fmt::format("poll_event(e[{}]);", op.object);
      case Kind::kRenewEvent:
        return fmt::format(
            "CHECK(xhal_event_destroy(e[{}]));\n  CHECK(xhal_event_create(d[{}], NULL, &e[{}]));", op.object,
            program_.events[op.object], op.object);
      case Kind::kOpen:
        return fmt::format("{}({});", op.width != 0 ? "open_behind_the_next_call" : "open_gate", op.object);
      default:
        return {};
    }
  }

  void thread(uint32_t t) {
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
      line("  {} /* {} */", work(op, fmt::format("s[{}]", op.stream)), i);
      if (program_.threads > 1) line("  atomic_store(&returned[{}], {});", t, i + 1);
    }
    if (program_.threads > 1) {
      line("  atomic_store(&returned[{}], UINT32_MAX);", t);
      line("  return NULL;");
    }
    line("}}\n");
  }

  void main_function() {
    const Contents expected = expected_contents(program_);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].empty()) continue;
      out_ += fmt::format("static const unsigned char expected_{}[] = {{", i);
      for (size_t k = 0; k < expected[i].size(); ++k)
        out_ += fmt::format("{}{},", k % 24 == 0 ? "\n    " : "", expected[i][k]);
      line("\n}};");
    }
    line("\nstatic void once(void) {{");
    if (program_.gates > 0) line("  make_gates();");
    for (size_t i = 0; i < program_.memories.size(); ++i) {
      const Memory& one = program_.memories[i];
      if (one.origin == Origin::kPermanent)
        line("  m[{}] = memory({}, {}, {}, UINT64_C({:#x}));", i, one.device, kind_of(one.place), one.bytes,
             initial_value(program_, static_cast<uint32_t>(i)));
    }
    for (size_t i = 0; i < program_.streams.size(); ++i)
      line("  CHECK(xhal_stream_create(d[{}], NULL, &s[{}]));", program_.streams[i], i);
    for (size_t i = 0; i < program_.events.size(); ++i)
      line("  CHECK(xhal_event_create(d[{}], NULL, &e[{}]));", program_.events[i], i);
    for (size_t i = 0; i < program_.pools.size(); ++i)
      line("  CHECK(xhal_pool_create(d[{}], NULL, &p[{}]));", program_.pools[i], i);
    for (size_t i = 0; i < program_.graphs.size(); ++i) line("  capture_{}();", i);
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
    line("  for (int i = 0; i < {}; ++i) CHECK(xhal_device_synchronize(d[i], PATIENCE));", program_.devices);
    for (size_t i = 0; i < expected.size(); ++i) {
      if (expected[i].empty()) continue;
      const Memory& one = program_.memories[i];
      line("  verify(\"m{}\", {}, {}, m[{}], expected_{}, {});", i, one.device, kind_of(one.place), i, i,
           one.bytes);
    }
    clean_up(expected);
    line("}}");
    line("\nint main(int argc, char** argv) {{");
    line("  signal(SIGALRM, too_late);");
    line("  alarm(120);");
    line("  if (argc < 2) return printf(\"%s DRIVER{}\\n\", argv[0]), 2;",
         has_kernels() ? " KERNEL_FOLDER" : "");
    line("  open_driver(argv[1], {});", program_.devices);
    if (has_kernels())
      line("  for (int i = 0; i < {}; ++i) load_kernels(i, argc > 2 ? argv[2] : NULL);", program_.devices);
    line("  for (int turn = 0; turn < TURNS && differences == 0; ++turn) once();");
    line("  if (differences > 0) return 1;");
    line("  CHECK(xhal_instance_destroy(instance));");
    line("  printf(\"every byte is right\\n\");");
    line("  return 0;");
    line("}}");
  }

  // The next turn begins with new objects.
  void clean_up(const Contents& expected) {
    for (size_t i = 0; i < program_.graphs.size(); ++i) line("  CHECK(xhal_graph_exec_destroy(g[{}]));", i);
    for (size_t i = 0; i < expected.size(); ++i) {
      const Memory& one = program_.memories[i];
      if (expected[i].empty()) continue;
      if (one.place == Place::kPageable) {
        line("  free(m[{}]);", i);
      } else if (one.origin == Origin::kPool) {
        line("  CHECK(xhal_pool_free(p[{}], service[{}], m[{}]));", one.pool, one.device, i);
      } else {
        line("  CHECK(xhal_memory_free(d[{}], m[{}]));", one.device, i);
      }
    }
    for (size_t i = 0; i < program_.pools.size(); ++i) line("  CHECK(xhal_pool_destroy(p[{}]));", i);
    for (size_t i = 0; i < program_.events.size(); ++i) line("  CHECK(xhal_event_destroy(e[{}]));", i);
    for (uint32_t i = 0; i < program_.streams.size(); ++i) {
      if (!any([i](const Op& op) { return op.kind == Kind::kDestroyStream && op.stream == i; }))
        line("  CHECK(xhal_stream_destroy(s[{}]));", i);
    }
  }

  [[nodiscard]] bool opens_behind() const {
    return any([](const Op& op) { return op.kind == Kind::kOpen && op.width != 0; });
  }

  const Program& program_;
  const std::vector<Join> joins_;
  std::string out_;
};

}  // namespace

std::string c_text(const Program& program, const std::string& made_by, const std::string& seen) {
  return Printer(program).text(made_by, seen);
}

}  // namespace xhal::programs
