// SPDX-License-Identifier: Apache-2.0
// Graphs through the table of calls: what an update takes, launches that meet each other, ends in flight, failures inside.
#include <algorithm>
#include <cstring>
#include <functional>

#include "harness.hpp"

namespace xhal::sim_test {
namespace {

using Numbers = std::vector<uint64_t>;

class DriverGraphs : public testing::Test {
 protected:
  ~DriverGraphs() override {
    // Whatever a test left: no event outlives its machine, and gates are open by now.
    EXPECT_NE(call().device_synchronize(device, XHAL_WAIT_FOREVER), XHAL_TIMEOUT);
  }

  xhal_graph_t capture(const std::function<void(xhal_stream_t)>& body) {
    const xhal_stream_t origin = make_stream(device);
    EXPECT_EQ(call().stream_begin_capture(origin, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS) << last_text;
    body(origin);
    xhal_graph_t graph = nullptr;
    EXPECT_EQ(call().stream_end_capture(origin, &graph), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(call().stream_destroy(origin), XHAL_SUCCESS);
    return graph;
  }
  static xhal_graph_exec_t instantiate(xhal_graph_t graph) {
    xhal_graph_exec_t exec = nullptr;
    EXPECT_EQ(call().graph_instantiate(graph, 0, &exec), XHAL_SUCCESS) << last_text;
    return exec;
  }
  void fold_in(xhal_stream_t on, uint64_t op) {
    EXPECT_EQ(run(on, fold, {memory(cell), value(op)}), XHAL_SUCCESS) << last_text;
  }
  // Holds `to` behind all that `from` has done.
  void join(xhal_stream_t from, xhal_stream_t to, uint32_t flags = 0) {
    const xhal_event_t event = make_event(device);
    EXPECT_EQ(call().event_record(event, from, flags), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(call().stream_wait_event(to, event, flags), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(call().event_destroy(event), XHAL_SUCCESS);
  }
  static uint64_t folded(uint64_t start, const Numbers& ops) {
    for (const uint64_t op : ops) start = start * 31 + op;
    return start;
  }
  uint64_t result() { return read_back<uint64_t>(stream, cell, 1).front(); }
  static xhal_graph_info_t info(xhal_graph_t graph) {
    auto out = sized<xhal_graph_info_t>();
    EXPECT_EQ(call().graph_get_info(graph, &out), XHAL_SUCCESS);
    return out;
  }
  static std::string dump(xhal_graph_t graph) {
    std::string text;
    const auto sink = [](void* user, const char* piece, uint64_t length) {
      static_cast<std::string*>(user)->append(piece, length);
      return int32_t{0};
    };
    EXPECT_EQ(call().graph_dump(graph, sink, &text), XHAL_SUCCESS);
    return text;
  }

  const Machine machine{"devices=2,memory=8m"};
  const xhal_device_t device = machine.device();
  const xhal_stream_t stream = make_stream(device);
  const xhal_module_t module = load_test_image(device);
  const xhal_kernel_t fold = get_kernel(module, "fold");
  uint64_t* const cell = [this] {
    void* const memory = allocate(device, sizeof(uint64_t));
    EXPECT_EQ(call().memory_fill(stream, memory, 0, 8, 8), XHAL_SUCCESS);
    return static_cast<uint64_t*>(memory);
  }();
};

TEST_F(DriverGraphs, AnUpdateTakesWhatHasTheSameShapeAlone) {
  const xhal_event_t event = make_event(device);
  const xhal_event_t another = make_event(device);
  const auto base = [&](uint64_t op, xhal_event_t recorded) {
    return capture([&](xhal_stream_t origin) {
      fold_in(origin, op);
      const xhal_stream_t side = make_stream(device);
      join(origin, side);
      fold_in(side, op + 1);
      join(side, origin);
      EXPECT_EQ(call().event_record(recorded, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS) << last_text;
    });
  };
  const xhal_graph_exec_t exec = instantiate(base(1, event));
  auto difference = sized<xhal_graph_update_info_t>();
  ASSERT_EQ(call().graph_exec_update(exec, base(3, event), &difference), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(difference.text[0], '\0');

  const auto refuses = [&](xhal_graph_t graph, uint32_t node, const char* text) {
    EXPECT_EQ(call().graph_exec_update(exec, graph, &difference), XHAL_ERROR_GRAPH_UPDATE_FAILED);
    EXPECT_EQ(difference.node, node) << text;
    EXPECT_NE(std::strstr(difference.text, text), nullptr) << difference.text;
    EXPECT_NE(last_text.find(text), std::string::npos) << last_text;
  };
  refuses(base(5, another), 2, "has another event");
  refuses(capture([&](xhal_stream_t origin) {
            fold_in(origin, 1);
            EXPECT_EQ(call().memory_fill(origin, cell, 0, 8, 8), XHAL_SUCCESS);
          }),
          1, "is another operation");
  refuses(capture([&](xhal_stream_t origin) {
            const xhal_stream_t side = make_stream(device);
            join(origin, side);
            fold_in(origin, 1);
            fold_in(side, 2);
            join(side, origin);
          }),
          1, "has other dependencies");
  refuses(capture([&](xhal_stream_t origin) { fold_in(origin, 1); }), 1, "the executable has 3 nodes");
  const xhal_device_t other_device = machine.device(1);
  const xhal_stream_t far = make_stream(other_device);
  ASSERT_EQ(call().stream_begin_capture(far, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS);
  xhal_graph_t foreign = nullptr;
  ASSERT_EQ(call().stream_end_capture(far, &foreign), XHAL_SUCCESS);
  refuses(foreign, 0, "another device");
  EXPECT_EQ(call().graph_exec_launch(exec, far), XHAL_ERROR_INVALID_ARGUMENT);

  // All of that has changed nothing.
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(result(), folded(0, {3, 4}));
}

TEST_F(DriverGraphs, AnotherKernelIsNoOtherShape) {
  const xhal_kernel_t fill = get_kernel(module, "fill");
  const xhal_graph_exec_t exec = instantiate(capture([&](xhal_stream_t origin) { fold_in(origin, 7); }));
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    EXPECT_EQ(run(origin, fill, {memory(cell), value(uint32_t{9}), value(uint64_t{2})}, 1, 2), XHAL_SUCCESS);
  });
  ASSERT_EQ(call().graph_exec_update(exec, graph, nullptr), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
  EXPECT_EQ(result(), 0x900000009u);
}

TEST_F(DriverGraphs, LaunchesOfOneExecutableNeverMeetAndKeepWhatTheyWereSubmittedWith) {
  std::atomic<int> inside{0};
  std::atomic<int> most{0};
  struct Meeting {
    std::atomic<int>& inside;
    std::atomic<int>& most;
    static void enter(void* user, xhal_result_t) {
      auto& self = *static_cast<Meeting*>(user);
      const int now = self.inside.fetch_add(1) + 1;
      int seen = self.most.load();
      while (seen < now && !self.most.compare_exchange_weak(seen, now)) {
      }
    }
    static void leave(void* user, xhal_result_t) { static_cast<Meeting*>(user)->inside.fetch_sub(1); }
  } meeting{inside, most};
  const auto program = [&](uint64_t op) {
    return capture([&](xhal_stream_t origin) {
      EXPECT_EQ(call().stream_host_function(origin, &Meeting::enter, &meeting), XHAL_SUCCESS);
      fold_in(origin, op);
      EXPECT_EQ(call().stream_host_function(origin, &Meeting::leave, &meeting), XHAL_SUCCESS);
    });
  };
  const xhal_graph_exec_t exec = instantiate(program(1));
  std::vector<xhal_stream_t> streams;
  for (int i = 0; i < 4; ++i) streams.push_back(make_stream(device));
  Numbers ops;
  {
    Gate gate(streams[0]);
    for (uint64_t i = 0; i < 40; ++i) {
      ASSERT_EQ(call().graph_exec_launch(exec, streams[i % streams.size()]), XHAL_SUCCESS) << last_text;
      ops.push_back(i + 1);
      ASSERT_EQ(call().graph_exec_update(exec, program(i + 2), nullptr), XHAL_SUCCESS) << last_text;
    }
    EXPECT_EQ(inside.load() + most.load(), 0) << "the first is held, and so are those behind it";
  }
  for (const xhal_stream_t one : streams) expect_synchronized(one);
  EXPECT_EQ(most.load(), 1);
  EXPECT_EQ(result(), folded(0, ops));
}

TEST_F(DriverGraphs, WhatALaunchNeedsOutlivesItsHandles) {
  const xhal_event_t event = make_event(device);
  const xhal_stream_t waiting = make_stream(device);
  {
    Gate gate(stream);
    xhal_module_t own = load_test_image(device);
    const xhal_kernel_t kernel = get_kernel(own, "fold");
    const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
      for (uint64_t op = 1; op <= 3; ++op)
        EXPECT_EQ(run(origin, kernel, {memory(cell), value(op)}), XHAL_SUCCESS);
      EXPECT_EQ(call().event_record(event, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
      fold_in(origin, 4);
    });
    const xhal_graph_exec_t exec = instantiate(graph);
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_destroy(graph), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
    ASSERT_EQ(call().stream_wait_event(waiting, event, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().event_destroy(event), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_exec_destroy(exec), XHAL_SUCCESS);
    ASSERT_EQ(call().module_destroy(own), XHAL_SUCCESS);
    EXPECT_EQ(call().stream_query(waiting), XHAL_NOT_READY);
  }
  expect_synchronized(waiting);
  EXPECT_EQ(result(), folded(0, {1, 2, 3, 4, 1, 2, 3, 4}));
}

TEST_F(DriverGraphs, BranchesAreToldAndKeepTheirOrder) {
  auto* const cells = static_cast<uint64_t*>(allocate(device, 3 * sizeof(uint64_t)));
  ASSERT_EQ(call().memory_fill(stream, cells, 0, 8, 24), XHAL_SUCCESS);
  expect_synchronized(stream);
  const auto fold_at = [&](xhal_stream_t on, int index, uint64_t op) {
    EXPECT_EQ(run(on, fold, {memory(cells + index), value(op)}), XHAL_SUCCESS);
  };
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    fold_at(origin, 0, 1);
    const xhal_stream_t sides[] = {make_stream(device), make_stream(device)};
    for (int i = 0; i < 2; ++i) join(origin, sides[i]);
    for (int i = 0; i < 2; ++i)
      EXPECT_EQ(call().memory_copy(sides[i], cells + 1 + i, cells, 8), XHAL_SUCCESS);
    fold_at(sides[1], 2, 5);
    for (int i = 0; i < 2; ++i) join(sides[i], origin);
    fold_at(origin, 0, 2);
  });
  EXPECT_EQ(info(graph).node_count, 5u);
  EXPECT_EQ(info(graph).edge_count, 6u) << "the origin's own last node counts beside those that it waits for";
  EXPECT_EQ(info(graph).root_count, 1u);
  EXPECT_EQ(dump(graph),
            "digraph xhal {\n"
            "  n0 [label=\"fold\", shape=box];\n"
            "  n1 [label=\"copy\"];\n"
            "  n2 [label=\"copy\"];\n"
            "  n3 [label=\"fold\", shape=box];\n"
            "  n4 [label=\"fold\", shape=box];\n"
            "  n0 -> n1;\n"
            "  n0 -> n2;\n"
            "  n2 -> n3;\n"
            "  n0 -> n4;\n"
            "  n1 -> n4;\n"
            "  n3 -> n4;\n"
            "}\n");
  ASSERT_EQ(call().graph_exec_launch(instantiate(graph), stream), XHAL_SUCCESS);
  EXPECT_EQ(read_back<uint64_t>(stream, cells, 3), (Numbers{1 * 31 + 2, 1, 1 * 31 + 5}));
}

TEST_F(DriverGraphs, ADumpEndsWhereItsReaderWantsNoMore) {
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    for (uint64_t op = 0; op < 10; ++op) fold_in(origin, op);
  });
  int calls = 0;
  const auto sink = [](void* user, const char*, uint64_t) {
    return ++*static_cast<int*>(user) == 3 ? int32_t{1} : int32_t{0};
  };
  EXPECT_EQ(call().graph_dump(graph, sink, &calls), XHAL_SUCCESS);
  EXPECT_EQ(calls, 3);
}

TEST_F(DriverGraphs, ExternalWaitsBindWhatIsCurrentAtEachLaunch) {
  const xhal_event_t event = make_event(device);
  const xhal_stream_t source = make_stream(device);
  const xhal_graph_exec_t exec = instantiate(capture([&](xhal_stream_t origin) {
    fold_in(origin, 1);
    EXPECT_EQ(call().stream_wait_event(origin, event, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS) << last_text;
    fold_in(origin, 2);
  }));
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
  EXPECT_EQ(result(), folded(0, {1, 2})) << "never recorded: nothing to wait for";
  {
    Gate gate(source);
    ASSERT_EQ(call().event_record(event, source, 0), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
    EXPECT_EQ(call().stream_synchronize(stream, 1'000'000), XHAL_TIMEOUT);
    // A later generation changes nothing for the launch that waits.
    const xhal_stream_t third = make_stream(device);
    ASSERT_EQ(call().event_record(event, third, 0), XHAL_SUCCESS);
    expect_synchronized(third);
    EXPECT_EQ(call().stream_query(stream), XHAL_NOT_READY);
  }
  EXPECT_EQ(result(), folded(0, {1, 2, 1, 2}));
}

TEST_F(DriverGraphs, ExternalRecordsArePendingFromEachLaunchOn) {
  const xhal_event_t event = make_event(device, XHAL_EVENT_TIMING);
  const xhal_graph_exec_t exec = instantiate(capture([&](xhal_stream_t origin) {
    EXPECT_EQ(call().event_record(event, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS) << last_text;
    fold_in(origin, 1);
  }));
  EXPECT_EQ(call().event_query(event), XHAL_SUCCESS) << "a capture records nothing";
  for (int i = 0; i < 3; ++i) {
    {
      Gate gate(stream);
      ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
      EXPECT_EQ(call().event_query(event), XHAL_NOT_READY);
    }
    ASSERT_EQ(call().event_synchronize(event, XHAL_WAIT_FOREVER), XHAL_SUCCESS);
    int64_t zero = 1;
    ASSERT_EQ(call().event_get_elapsed(event, event, &zero), XHAL_SUCCESS);
    EXPECT_EQ(zero, 0);
  }
  EXPECT_EQ(result(), folded(0, {1, 1, 1}));
}

TEST_F(DriverGraphs, TenThousandNodesRunInTheirOrder) {
  constexpr uint64_t kNodes = 10'000;
  Numbers ops(kNodes);
  for (uint64_t i = 0; i < kNodes; ++i) ops[i] = i * 7 + 1;
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    const xhal_stream_t side = make_stream(device);
    for (uint64_t i = 0; i < kNodes; ++i) {
      // From stream to stream now and then: the chain stays one.
      if (i % 1000 == 500) join(origin, side);
      if (i % 1000 == 0 && i != 0) join(side, origin);
      fold_in(i % 1000 >= 500 ? side : origin, ops[i]);
    }
    join(side, origin);
  });
  EXPECT_EQ(info(graph).node_count, kNodes);
  EXPECT_GE(info(graph).edge_count, kNodes - 1);
  EXPECT_EQ(info(graph).root_count, 1u);
  const std::string text = dump(graph);
  EXPECT_EQ(static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n')),
            2 + kNodes + info(graph).edge_count);
  const xhal_graph_exec_t exec = instantiate(graph);
  for (int i = 0; i < 2; ++i) ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
  ASSERT_EQ(call().graph_destroy(graph), XHAL_SUCCESS);
  ASSERT_EQ(call().graph_exec_destroy(exec), XHAL_SUCCESS);
  EXPECT_EQ(result(), folded(folded(0, ops), ops));
}

TEST_F(DriverGraphs, ALaunchInsideACaptureAddsItsNodes) {
  const xhal_graph_exec_t inner = instantiate(capture([&](xhal_stream_t origin) {
    fold_in(origin, 2);
    fold_in(origin, 3);
  }));
  const xhal_graph_t outer = capture([&](xhal_stream_t origin) {
    fold_in(origin, 1);
    EXPECT_EQ(call().graph_exec_launch(inner, origin), XHAL_SUCCESS) << last_text;
    fold_in(origin, 4);
  });
  EXPECT_EQ(info(outer).node_count, 4u);
  EXPECT_EQ(info(outer).edge_count, 3u);
  ASSERT_EQ(call().graph_exec_destroy(inner), XHAL_SUCCESS);
  ASSERT_EQ(call().graph_exec_launch(instantiate(outer), stream), XHAL_SUCCESS);
  EXPECT_EQ(result(), folded(0, {1, 2, 3, 4}));
}

TEST_F(DriverGraphs, AFailureInTheMiddleEndsThatLaunchAlone) {
  const xhal_kernel_t trap = get_kernel(module, "trap");
  const xhal_event_t before = make_event(device);
  const xhal_event_t behind = make_event(device);
  struct Told {
    std::atomic<int> calls{0};
    std::atomic<xhal_result_t> status{XHAL_SUCCESS};
  } told;
  const auto tell = [](void* user, xhal_result_t status) {
    auto& t = *static_cast<Told*>(user);
    t.status.store(status);
    t.calls.fetch_add(1);
  };
  const auto program = [&](uint64_t trapping_group) {
    return capture([&](xhal_stream_t origin) {
      fold_in(origin, 1);
      EXPECT_EQ(call().event_record(before, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
      EXPECT_EQ(run(origin, trap, {value(trapping_group)}), XHAL_SUCCESS);
      fold_in(origin, 2);
      EXPECT_EQ(call().stream_host_function(origin, tell, &told), XHAL_SUCCESS);
      EXPECT_EQ(call().event_record(behind, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
    });
  };
  const xhal_graph_exec_t exec = instantiate(program(0));
  const xhal_stream_t failing = make_stream(device);
  {
    Gate gate(failing);
    ASSERT_EQ(call().graph_exec_launch(exec, failing), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_exec_launch(exec, failing), XHAL_SUCCESS) << "not known to have failed yet";
  }
  EXPECT_EQ(call().stream_synchronize(failing, XHAL_WAIT_FOREVER), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().event_query(behind), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(told.calls.load(), 2) << "once a launch, run or not";
  EXPECT_EQ(told.status.load(), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(call().graph_exec_launch(exec, failing), XHAL_ERROR_LAUNCH_FAILED);
  EXPECT_EQ(result(), folded(0, {1})) << "nothing ran behind the trap";

  // The executable is well: with another group that traps, which there is not, it runs on another stream.
  ASSERT_EQ(call().graph_exec_update(exec, program(99), nullptr), XHAL_SUCCESS) << last_text;
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS) << last_text;
  EXPECT_EQ(result(), folded(0, {1, 1, 2}));
  EXPECT_EQ(call().event_query(before), XHAL_SUCCESS);
  EXPECT_EQ(call().event_query(behind), XHAL_SUCCESS);
  EXPECT_EQ(told.status.load(), XHAL_SUCCESS);
}

TEST_F(DriverGraphs, AResetDropsLaunchesAndWhatTheyWereMadeOf) {
  const xhal_event_t event = make_event(device);
  const xhal_stream_t source = make_stream(machine.device(1));
  const xhal_event_t far = make_event(machine.device(1));
  Gate gate(source);
  ASSERT_EQ(call().event_record(far, source, 0), XHAL_SUCCESS);
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    EXPECT_EQ(call().stream_wait_event(origin, far, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS) << last_text;
    fold_in(origin, 1);
    EXPECT_EQ(call().event_record(event, origin, XHAL_EVENT_EXTERNAL), XHAL_SUCCESS);
  });
  const xhal_graph_exec_t exec = instantiate(graph);
  ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
  ASSERT_EQ(call().device_reset(device), XHAL_SUCCESS);
  EXPECT_EQ(call().graph_exec_launch(exec, make_stream(device)), XHAL_ERROR_INVALID_HANDLE);
  xhal_graph_exec_t again = nullptr;
  EXPECT_EQ(call().graph_instantiate(graph, 0, &again), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().graph_exec_update(exec, graph, nullptr), XHAL_ERROR_INVALID_HANDLE);
  EXPECT_EQ(call().graph_exec_destroy(exec), XHAL_SUCCESS);
  EXPECT_EQ(call().graph_destroy(graph), XHAL_SUCCESS);
}

// The addresses in a graph are the same at each launch: they are the graph's as long as it, or what was made of it, lives.
TEST_F(DriverGraphs, PoolMemoryGoesBackWithTheLastOfTheGraph) {
  auto desc = sized<xhal_pool_desc_t>();
  desc.release_threshold = UINT64_MAX;
  xhal_pool_t pool = nullptr;
  ASSERT_EQ(call().pool_create(device, &desc, &pool), XHAL_SUCCESS);
  const auto used = [&] {
    auto out = sized<xhal_pool_info_t>();
    EXPECT_EQ(call().pool_get_info(pool, &out), XHAL_SUCCESS);
    return out.used_bytes;
  };
  const xhal_graph_t graph = capture([&](xhal_stream_t origin) {
    void* memory = nullptr;
    EXPECT_EQ(call().pool_allocate(pool, origin, 8, &memory), XHAL_SUCCESS) << last_text;
    EXPECT_EQ(call().memory_fill(origin, memory, 5, 8, 8), XHAL_SUCCESS);
    EXPECT_EQ(call().memory_copy(origin, cell, memory, 8), XHAL_SUCCESS);
    EXPECT_EQ(call().pool_free(pool, origin, memory), XHAL_SUCCESS) << last_text;
  });
  EXPECT_EQ(used(), 8u);
  const xhal_graph_exec_t exec = instantiate(graph);
  ASSERT_EQ(call().graph_destroy(graph), XHAL_SUCCESS);
  {
    Gate gate(stream);
    ASSERT_EQ(call().graph_exec_launch(exec, stream), XHAL_SUCCESS);
    ASSERT_EQ(call().graph_exec_destroy(exec), XHAL_SUCCESS);
    EXPECT_EQ(used(), 8u) << "the launch needs it";
  }
  EXPECT_EQ(result(), 5u);
  EXPECT_EQ(used(), 0u);
  EXPECT_EQ(call().pool_destroy(pool), XHAL_SUCCESS);
}

}  // namespace
}  // namespace xhal::sim_test
