// SPDX-License-Identifier: Apache-2.0
// What a program needs before it begins, and what is left of it.
#include <algorithm>
#include <cstring>

#include "frame/kernel_pack.h"
#include "frame/trail.h"
#include "programs/run.h"

namespace xhal::programs {

using conformance::KernelPack;
using conformance::note_call;
using conformance::Session;

namespace {

bool is_pageable(const Memory& memory) { return memory.place == Place::kPageable; }

bool claims_kernels(Session& session, size_t device) {
  if (!session.claims(XHAL_FEATURE_KERNEL, device)) return false;
  KernelPack* const pack = session.kernels(device);
  if (pack == nullptr) return false;
  try {
    for (const char* name : kKernelNames) pack->kernel(name);
  } catch (const std::exception&) {
    return false;
  }
  return true;
}

}  // namespace

World world_of(Session& session) {
  World world;
  for (size_t d = 0; d < session.device_count(); ++d) {
    const auto& properties = session.properties(d);
    world.devices.push_back({claims_kernels(session, d), session.claims(XHAL_FEATURE_POOL, d),
                             session.claims(XHAL_FEATURE_GRAPH, d),
                             properties.free_waits != XHAL_FREE_WAITS_NEVER, properties.copy_blocks});
  }
  return world;
}

bool can_hold(Session& session) {
  for (size_t d = 0; d < session.device_count(); ++d) {
    const auto& properties = session.properties(d);
    if (properties.is_synchronous != 0 || properties.host_function_blocks != XHAL_BLOCKS_NONE ||
        !session.claims(XHAL_FEATURE_CROSS_STREAM_PROGRESS, d))
      return false;
  }
  return true;
}

// ---- Executor ----

Executor::Executor(Session& session, uint64_t patience_ns, bool keeps)
    : session_(session), patience_(patience_ns), keeps_(keeps) {
  for (size_t d = 0; d < session.device_count(); ++d) {
    auto device = std::make_unique<Device>();
    device->handle = session.device(d);
    if (claims_kernels(session, d)) {
      for (size_t k = 0; k < std::size(kKernelNames); ++k)
        device->kernels[k] = session.kernels(d)->kernel(kKernelNames[k]);
    }
    devices_.push_back(std::move(device));
  }
}

Executor::~Executor() {
  if (spoiled_) return;  // work may be in flight: the session takes it along
  for (const auto& device : devices_) {
    // The last program's memory was overwritten, and nobody has waited for that: where work starts when somebody asks, it would begin in
    // whatever comes next.
    static_cast<void>(xhal_device_synchronize(device->handle, patience_));
    for (const xhal_stream_t stream : device->streams) xhal_stream_destroy(stream);
    for (const xhal_event_t event : device->events) xhal_event_destroy(event);
    if (device->pool != nullptr) xhal_pool_destroy(device->pool);
    if (device->witness != nullptr) xhal_memory_free(device->handle, device->witness);
    if (device->staging != nullptr) xhal_memory_free(device->handle, device->staging);
    if (device->service != nullptr) xhal_stream_destroy(device->service);
  }
}

Verdict Executor::run(const Program& program, uint32_t dropped) {
  return run(program, expected_contents(program), dropped);
}

Verdict Executor::run(const Program& program, const Contents& expected, uint32_t dropped) {
  Run run(*this, program, dropped);
  run.set_up();
  run.perform();
  Contents got = run.contents();
  run.tear_down();
  if (!run.trouble().empty()) {
    spoiled_ = true;
    return {false, run.trouble(), true};
  }
  const auto difference = first_difference(program, expected, got);
  if (!difference) return {true, "", false, std::move(got)};
  return {false, text_of(program, *difference), false, std::move(got)};
}

// ---- Run ----

Run::Run(Executor& executor, const Program& program, uint32_t dropped)
    : executor_(executor),
      program_(program),
      dropped_(dropped),
      joins_(joins_of(program)),
      graphs_(program.graphs.size()),
      bases_(program.memories.size()),
      lives_(program.memories.size()),
      state_(std::make_unique<RunState>()),
      returned_(program.threads) {
  state_->gates.resize(program.gates);
  state_->pageable.resize(program.memories.size());
}

Run::~Run() {
  // Work that was given up may still come back to what it was given.
  if (!trouble_.empty()) static_cast<void>(state_.release());
}

template <class T, class Make>
void Run::borrow(std::vector<T>& stock, std::vector<T>& out, const char* call, Make make) {
  T handle = nullptr;
  if (!stock.empty()) {
    handle = stock.back();
    stock.pop_back();
  } else {
    note_call(call);
    if (!ok(make(&handle), call)) handle = nullptr;
  }
  out.push_back(handle);
}

void Run::set_up() {
  for (uint32_t d = 0; d < program_.devices; ++d) {
    Executor::Device& one = device(d);
    if (one.service != nullptr) continue;
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_DEVICE;
    desc.size = 4096;
    if (!XHAL_CALL(xhal_stream_create, one.handle, nullptr, &one.service) ||
        !XHAL_ALLOCATE(one.witness, xhal_memory_allocate, one.handle, &desc))
      return;
    if (executor_.session_.claims(XHAL_FEATURE_POOL, d) &&
        !XHAL_CALL(xhal_pool_create, one.handle, nullptr, &one.pool))
      return;
  }
  for (const uint32_t d : program_.streams)
    borrow(device(d).streams, streams_, "xhal_stream_create",
           [&](xhal_stream_t* out) { return xhal_stream_create(device(d).handle, nullptr, out); });
  for (const uint32_t d : program_.events)
    borrow(device(d).events, events_, "xhal_event_create",
           [&](xhal_event_t* out) { return xhal_event_create(device(d).handle, nullptr, out); });
  for (uint32_t m = 0; m < program_.memories.size() && !failed_.load(); ++m) {
    if (program_.memories[m].origin == Origin::kPermanent) make_memory(m);
  }
  for (uint32_t d = 0; d < program_.devices && !failed_.load(); ++d)
    XHAL_CALL(xhal_device_synchronize, device(d).handle, executor_.patience_);
  for (size_t g = 0; g < graphs_.size() && !failed_.load(); ++g) make_graph(program_.graphs[g]);
  set_up_ = !failed_.load();
}

bool Run::allocate(uint32_t m) {
  const Memory& memory = program_.memories[m];
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = memory.place == Place::kPinned ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE;
  desc.size = memory.bytes;
  return XHAL_ALLOCATE(bases_[m], xhal_memory_allocate, device(memory.device).handle, &desc);
}

void Run::make_memory(uint32_t m) {
  const Memory& memory = program_.memories[m];
  if (is_pageable(memory)) {
    state_->pageable[m].resize(memory.bytes);
    bases_[m] = state_->pageable[m].data();
  } else if (!allocate(m)) {
    return;
  }
  lives_[m] = true;
  if (memory.place != Place::kDevice) {
    write_data(initial_value(program_, m), bases_[m], memory.bytes);
    return;
  }
  std::vector<unsigned char> first(memory.bytes);
  write_data(initial_value(program_, m), first.data(), memory.bytes);
  XHAL_CALL(xhal_memory_copy, device(memory.device).service, bases_[m], first.data(), memory.bytes);
}

void Run::make_graph(const Graph& graph) {
  const auto index = static_cast<size_t>(&graph - program_.graphs.data());
  Executor::Device& one = device(graph.device);
  xhal_stream_t streams[2] = {};
  xhal_event_t fork = nullptr;
  xhal_event_t join = nullptr;
  xhal_graph_t made = nullptr;
  for (xhal_stream_t& stream : streams) {
    if (!XHAL_CALL(xhal_stream_create, one.handle, nullptr, &stream)) return;
  }
  if (!XHAL_CALL(xhal_event_create, one.handle, nullptr, &fork) ||
      !XHAL_CALL(xhal_event_create, one.handle, nullptr, &join) ||
      !XHAL_CALL(xhal_stream_begin_capture, streams[0], XHAL_CAPTURE_THREAD))
    return;
  if (graph.forks && (!XHAL_CALL(xhal_event_record, fork, streams[0], 0) ||
                      !XHAL_CALL(xhal_stream_wait_event, streams[1], fork, 0)))
    return;
  for (const Op& node : graph.body) {
    if (!submit_work(node, streams[node.stream])) return;
  }
  if (graph.forks && (!XHAL_CALL(xhal_event_record, join, streams[1], 0) ||
                      !XHAL_CALL(xhal_stream_wait_event, streams[0], join, 0)))
    return;
  if (!XHAL_CALL(xhal_stream_end_capture, streams[0], &made) ||
      !XHAL_CALL(xhal_graph_instantiate, made, 0, &graphs_[index]) || !XHAL_CALL(xhal_graph_destroy, made))
    return;
  for (const xhal_stream_t stream : streams) XHAL_CALL(xhal_stream_destroy, stream);
  XHAL_CALL(xhal_event_destroy, fork);
  XHAL_CALL(xhal_event_destroy, join);
}

void Run::finish() {
  if (failed_.load() || finished_) return;
  for (uint32_t d = 0; d < program_.devices; ++d)
    if (!XHAL_CALL(xhal_device_synchronize, device(d).handle, executor_.patience_)) return;
  finished_ = true;
  for (const Op& op : program_.ops) {
    if (op.kind == Kind::kAllocate || op.kind == Kind::kPoolAllocate) lives_[op.destination] = true;
    if (op.kind == Kind::kFree || op.kind == Kind::kPoolFree) lives_[op.destination] = false;
  }
}

Contents Run::contents() {
  Contents out(program_.memories.size());
  finish();
  if (!finished_) return out;
  // Through pinned memory: copies into pageable memory may each wait.
  std::vector<uint64_t> places(out.size());
  uint64_t total = 0;
  for (size_t m = 0; m < out.size(); ++m) {
    places[m] = total;
    if (lives_[m] && program_.memories[m].place == Place::kDevice)
      total += (uint64_t{program_.memories[m].bytes} + 63) / 64 * 64;
  }
  Executor::Device& first = device(0);
  if (first.staging_bytes < total) {
    if (first.staging != nullptr && !XHAL_CALL(xhal_memory_free, first.handle, first.staging)) return out;
    xhal_memory_desc_t desc{};
    desc.struct_size = sizeof(desc);
    desc.kind = XHAL_MEMORY_PINNED;
    desc.size = first.staging_bytes = total * 2;
    first.staging = nullptr;
    if (!XHAL_ALLOCATE(first.staging, xhal_memory_allocate, first.handle, &desc)) return out;
  }
  auto* const staging = static_cast<unsigned char*>(first.staging);
  for (size_t m = 0; m < out.size(); ++m) {
    const Memory& memory = program_.memories[m];
    if (lives_[m] && memory.place == Place::kDevice &&
        !XHAL_CALL(xhal_memory_copy, device(memory.device).service, staging + places[m], bases_[m],
                   memory.bytes))
      return out;
  }
  for (uint32_t d = 0; d < program_.devices; ++d)
    if (!XHAL_CALL(xhal_device_synchronize, device(d).handle, executor_.patience_)) return out;
  for (size_t m = 0; m < out.size(); ++m) {
    if (!lives_[m]) continue;
    const auto* const bytes = program_.memories[m].place == Place::kDevice
                                  ? staging + places[m]
                                  : static_cast<unsigned char*>(bases_[m]);
    out[m].assign(bytes, bytes + program_.memories[m].bytes);
  }
  return out;
}

void Run::tear_down() {
  if (!finished_ || failed_.load()) return;
  for (size_t s = 0; s < streams_.size(); ++s) {
    if (streams_[s] == nullptr) continue;
    if (executor_.keeps_) {
      device(program_.streams[s]).streams.push_back(streams_[s]);
    } else {
      XHAL_CALL(xhal_stream_destroy, streams_[s]);
    }
  }
  // An event whose generation is done is to the next program what one is that was never recorded.
  for (size_t e = 0; e < events_.size(); ++e) {
    if (executor_.keeps_) {
      device(program_.events[e]).events.push_back(events_[e]);
    } else {
      XHAL_CALL(xhal_event_destroy, events_[e]);
    }
  }
  for (const xhal_graph_exec_t graph : graphs_)
    if (graph != nullptr) XHAL_CALL(xhal_graph_exec_destroy, graph);
  for (uint32_t m = 0; m < lives_.size(); ++m) {
    const Memory& memory = program_.memories[m];
    if (!lives_[m] || is_pageable(memory)) continue;
    // Whoever gets it next must not find what the same program would write there.
    if (memory.origin != Origin::kPermanent)
      XHAL_CALL(xhal_memory_fill, device(memory.device).service, bases_[m], 0xA5, 1, memory.bytes);
    if (memory.origin == Origin::kPool) {
      XHAL_CALL(xhal_pool_free, device(memory.device).pool, device(memory.device).service, bases_[m]);
    } else {
      XHAL_CALL(xhal_memory_free, device(memory.device).handle, bases_[m]);
    }
  }
}

}  // namespace xhal::programs
