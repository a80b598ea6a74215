// SPDX-License-Identifier: Apache-2.0
#include "programs/print_opencl.h"

#include <fmt/format.h>

#include <algorithm>

#include "programs/c_printer.h"
#include "programs/print_opencl_memory.h"
#include "programs/print_opencl_pieces.h"

namespace xhal::programs {

namespace {

const char* kind_of(Place place) {
  switch (place) {
    case Place::kDevice:
      return "DEVICE";
    case Place::kPinned:
      return "PINNED";
    case Place::kPageable:
      break;
  }
  return "PAGEABLE";
}

std::string destination_of(const Op& op) {
  return fmt::format("at({}, {})", op.destination, op.destination_offset);
}
std::string source_of(const Op& op) {
  return op.source == kNone ? "NOWHERE" : fmt::format("at({}, {})", op.source, op.source_offset);
}

class OpenClPrinter final : public CPrinter {
 public:
  using CPrinter::CPrinter;

 private:
  void how_to_run() override {
    line(" *   cc -std=c11 -pthread THIS_FILE -lOpenCL && ./a.out [PLATFORM [usm|svm|buffers]]");
    line(" *");
    line(
        " * PLATFORM is a part of a platform's name. Memory is unified (cl_intel_unified_shared_memory), "
        "else "
        "fine-grained shared");
    line(" * virtual memory, else buffers, unless named. Streams are queues that run in order.");
    if (!program_.graphs.empty()) line(" * Graphs are written out: each launch enqueues the work again.");
    if (!program_.pools.empty())
      line(" * OpenCL has no pools: what came from one is an allocation of its own, and freed as such.");
    if (program_.devices > 1)
      line(" * The program needs {} devices of one platform, and has no form for buffers.", program_.devices);
  }

  void includes() override { piece(pieces::kOpenClIncludes); }

  void calls() override {
    // An array has one at least.
    const auto room = [](size_t count) { return std::max<size_t>(1, count); };
    line("enum {{ DEVICES = {}, STREAMS = {}, EVENTS = {}, MEMORIES = {} }};\n", program_.devices,
         room(program_.streams.size()), room(program_.events.size()), room(program_.memories.size()));
    for (const char* one : {pieces::kOpenClObjects, pieces::kOpenClKernels, pieces::kOpenClOpen,
                            pieces::kOpenClWork, pieces::kOpenClWaits, pieces::kOpenClMemory})
      piece(one);
    if (has(Kind::kHostFold)) piece(pieces::kOpenClHostFold);
  }

  void gate_calls() override { piece(pieces::kOpenClPass); }
  void gate_work() override { piece(pieces::kOpenClHold); }

  void objects() override {
    line("/* ---- The program ---- */\n");
    for (size_t i = 0; i < program_.graphs.size(); ++i) {
      line("HELPER void graph_{}(struct stream* stream) {{", i);
      for (const Op& node : program_.graphs[i].body) line("  {}", work(node, "stream"));
      line("}}\n");
    }
  }

  [[nodiscard]] std::string stream_name(uint32_t stream) const override {
    return fmt::format("&s[{}]", stream);
  }

  [[nodiscard]] std::string work(const Op& op, const std::string& stream) const override {
    const auto kernel = [&](const char* which) {
      return fmt::format("launch({}, {}, {}, {}, {}, UINT64_C({:#x}));", stream, which, destination_of(op),
                         source_of(op), op.bytes, op.value);
    };
    switch (op.kind) {
      case Kind::kCopy:
        return fmt::format("copy({}, {}, {}, {});", stream, destination_of(op), source_of(op), op.bytes);
      case Kind::kFill:
        return fmt::format("fill({}, {}, UINT64_C({:#x}), {}, {});", stream, destination_of(op), op.value,
                           op.width, op.bytes);
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
    switch (op.kind) {
      case Kind::kRecord:
        return fmt::format("record({}, {});", op.object, stream);
      case Kind::kWait:
        return fmt::format("wait_event({}, {});", stream, op.object);
      case Kind::kPoolAllocate:
      case Kind::kAllocate: {
        const Memory& memory = program_.memories[op.destination];
        return fmt::format("m[{}] = allocate({}, {}, {});", op.destination, memory.device,
                           kind_of(memory.place), memory.bytes);
      }
      case Kind::kPoolFree:
      case Kind::kFree:
        return fmt::format("free_memory({});", op.destination);
      case Kind::kLaunch:
        return fmt::format("graph_{}({});", op.object, stream);
      case Kind::kGate:
        return fmt::format("host_function({}, hold, &gates[{}]);", stream, op.object);
      case Kind::kDestroyStream:
        return fmt::format("destroy_stream({});", stream);
      case Kind::kHostWrite:
        return fmt::format("host_write({}, {}, UINT64_C({:#x}));", destination_of(op), op.bytes, op.value);
      case Kind::kHostRead:
        return fmt::format("host_read({}, {}, {});", destination_of(op), source_of(op), op.bytes);
      case Kind::kQueryStream:
        return fmt::format("query_stream({});", stream);
      case Kind::kQueryEvent:
        return fmt::format("query_event({});", op.object);
      case Kind::kSyncStream:
        return fmt::format("synchronize_stream({});", stream);
      case Kind::kSyncEvent:
        return fmt::format("synchronize_event({});", op.object);
      case Kind::kSyncDevice:
        return fmt::format("synchronize_device({});", op.object);
      case Kind::kPollEvent:
        return fmt::format("poll_event({});", op.object);
      case Kind::kRenewEvent:
        return fmt::format("renew_event({});", op.object);
      case Kind::kOpen:
        return fmt::format("{}({});", op.width != 0 ? "open_behind_the_next_call" : "open_gate", op.object);
      default:
        return {};
    }
  }

  void make_objects() override {
    for (uint32_t i = 0; i < program_.memories.size(); ++i) {
      const Memory& one = program_.memories[i];
      if (one.origin == Origin::kPermanent)
        line("  m[{}] = memory({}, {}, {}, UINT64_C({:#x}));", i, one.device, kind_of(one.place), one.bytes,
             initial_value(program_, i));
    }
    for (size_t i = 0; i < program_.streams.size(); ++i)
      line("  make_stream(&s[{}], {});", i, program_.streams[i]);
  }

  void finish() override { line("  for (int i = 0; i < DEVICES; ++i) synchronize_device(i);"); }

  void verify(uint32_t memory) override {
    line("  verify({}, expected_{}, {});", memory, memory, program_.memories[memory].bytes);
  }

  void clean_up() override {
    for (uint32_t i = 0; i < program_.memories.size(); ++i) {
      if (lives(i)) line("  give_back(m[{}]);", i);
    }
    line("  clean_up();");
  }

  void open() override { line("  open_platform(argc > 1 ? argv[1] : \"\", argc > 2 ? argv[2] : \"\");"); }
  void close() override {}
};

}  // namespace

std::string opencl_text(const Program& program, const std::string& made_by, const std::string& seen) {
  return OpenClPrinter(program).text(made_by, seen);
}

}  // namespace xhal::programs
