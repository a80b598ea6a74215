// SPDX-License-Identifier: Apache-2.0
#include "programs/print_c.h"

#include <fmt/format.h>

#include "programs/c_printer.h"
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

class XhalPrinter final : public CPrinter {
 public:
  using CPrinter::CPrinter;

 private:
  void how_to_run() override {
    line(" *   cc -std=c11 -pthread THIS_FILE $(pkg-config --cflags --libs xhal) && ./a.out DRIVER{}",
         has_kernels() ? " KERNEL_FOLDER" : "");
  }

  void includes() override { line("#include <xhal/xhal.h>\n"); }

  void calls() override {
    piece(pieces::kXhal);
    if (has(Kind::kHostFold)) piece(pieces::kXhalFold);
    if (has_kernels()) piece(pieces::kXhalKernels);
    if (has(Kind::kPollEvent)) piece(pieces::kXhalPoll);
    if (has(Kind::kQueryEvent) || has(Kind::kQueryStream)) piece(pieces::kXhalQuery);
  }

  void gate_calls() override { piece(pieces::kXhalPass); }
  void gate_work() override { piece(pieces::kXhalHold); }

  void objects() override {
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

  [[nodiscard]] std::string stream_name(uint32_t stream) const override {
    return fmt::format("s[{}]", stream);
  }

  [[nodiscard]] std::string work(const Op& op, const std::string& stream) const override {
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

  void make_objects() override {
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
  }

  void finish() override {
    line("  for (int i = 0; i < {}; ++i) CHECK(xhal_device_synchronize(d[i], PATIENCE));", program_.devices);
  }

  void verify(uint32_t i) override {
    const Memory& one = program_.memories[i];
    line("  verify(\"m{}\", {}, {}, m[{}], expected_{}, {});", i, one.device, kind_of(one.place), i, i,
         one.bytes);
  }

  void clean_up() override {
    for (size_t i = 0; i < program_.graphs.size(); ++i) line("  CHECK(xhal_graph_exec_destroy(g[{}]));", i);
    for (uint32_t i = 0; i < program_.memories.size(); ++i) {
      const Memory& one = program_.memories[i];
      if (!lives(i)) continue;
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

  void open() override {
    line("  if (argc < 2) return printf(\"%s DRIVER{}\\n\", argv[0]), 2;",
         has_kernels() ? " KERNEL_FOLDER" : "");
    line("  open_driver(argv[1], {});", program_.devices);
    if (has_kernels())
      line("  for (int i = 0; i < {}; ++i) load_kernels(i, argc > 2 ? argv[2] : NULL);", program_.devices);
  }
  void close() override { line("  CHECK(xhal_instance_destroy(instance));"); }
};

}  // namespace

std::string c_text(const Program& program, const std::string& made_by, const std::string& seen) {
  return XhalPrinter(program).text(made_by, seen);
}

}  // namespace xhal::programs
