// SPDX-License-Identifier: Apache-2.0
// What a host function must not call: the calls of optional features that submit, wait, create, destroy, allocate or free.
#include "suite/activity_support.h"
#include "suite/graph_support.h"
#include "suite/pool_support.h"

namespace xhal::conformance {
namespace {

// Calls, made inside a host function, and their answers.
struct Inside {
  std::vector<std::pair<const char*, std::function<xhal_result_t()>>> calls;
  std::vector<xhal_result_t> answers;
};

void try_all(void* user, xhal_result_t) {
  auto* inside = static_cast<Inside*>(user);
  for (const auto& [name, call] : inside->calls) inside->answers.push_back(call());
}

// All of them are refused, and the stream goes on.
void expect_forbidden(Context& t, Inside& inside) {
  Stream own(t);
  Marker behind(t);
  REQUIRE_OK(xhal_stream_host_function(own, try_all, &inside));
  behind.fill_on(t, own);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(own, t.patience()), XHAL_SUCCESS,
                "a call inside a host function hangs");
  ASSERT_VALUE("XHAL-HOSTFN-5", inside.answers.size(), inside.calls.size(),
               "the function did not come to its end");
  for (size_t i = 0; i < inside.calls.size(); ++i)
    EXPECT_VALUE("XHAL-HOSTFN-5", result_name(inside.answers[i]), result_name(XHAL_ERROR_CALL_FORBIDDEN),
                 "{}", inside.calls[i].first);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", behind.filled(), "{}", behind.shown());
}

XHAL_TEST(hostfn, graph_calls_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes =
              "the answers of instantiate, launch and both destroys inside a function; what they named "
              "still works",
          .needs = {XHAL_FEATURE_GRAPH}) {
  Stream stream(t);
  Marker marker(t);
  const Graph graph = captured(t, stream, [&](xhal_stream_t s) { marker.fill_on(t, s); });
  const GraphExec exec(t, graph);
  auto& made = t.kept<xhal_graph_exec_t>();
  auto& inside = t.kept<Inside>();
  const xhal_stream_t on = stream;
  const xhal_graph_t g = graph;
  const xhal_graph_exec_t e = exec;
  inside.calls = {{"xhal_graph_instantiate", [g, &made] { return xhal_graph_instantiate(g, 0, &made); }},
                  {"xhal_graph_exec_launch", [e, on] { return xhal_graph_exec_launch(e, on); }},
                  {"xhal_graph_exec_destroy", [e] { return xhal_graph_exec_destroy(e); }},
                  {"xhal_graph_destroy", [g] { return xhal_graph_destroy(g); }}};
  expect_forbidden(t, inside);
  EXPECT_VALUE("XHAL-HOSTFN-5", made, xhal_graph_exec_t{nullptr});
  REQUIRE_OK(xhal_device_synchronize(t.device(), t.patience()));
  EXPECT_CLAUSE("XHAL-HOSTFN-5", marker.untouched(), "a refused launch: {}", marker.shown());
  run(t, exec, stream);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", marker.filled(), "{}", marker.shown());
  EXPECT_CLAUSE("XHAL-HOSTFN-5", graph_info(t, graph).node_count > 0, "the graph is gone");
}

XHAL_TEST(hostfn, pool_calls_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes =
              "the answers of create, allocate, free and destroy of pools inside a function; the pool's "
              "figures and memory afterwards",
          .needs = {XHAL_FEATURE_POOL}) {
  struct Made {
    xhal_pool_t pool = nullptr;
    void* memory = nullptr;
  };
  Pool pool(t);
  Stream stream(t);
  const PoolMemory memory(t, pool, stream, 4096);
  REQUIRE_OK(xhal_memory_fill(stream, memory, 0x2B, 1, 4096));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  auto& made = t.kept<Made>();
  auto& inside = t.kept<Inside>();
  const xhal_device_t device = t.device();
  const xhal_pool_t p = pool;
  const xhal_stream_t on = stream;
  void* base = memory;
  inside.calls = {
      {"xhal_pool_create", [device, &made] { return xhal_pool_create(device, nullptr, &made.pool); }},
      {"xhal_pool_allocate", [p, on, &made] { return xhal_pool_allocate(p, on, 64, &made.memory); }},
      {"xhal_pool_free", [p, on, base] { return xhal_pool_free(p, on, base); }},
      {"xhal_pool_trim", [p] { return xhal_pool_trim(p, 0); }},
      {"xhal_pool_destroy", [p] { return xhal_pool_destroy(p); }}};
  expect_forbidden(t, inside);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", made.pool == nullptr && made.memory == nullptr,
                "a refused call gave out something");
  EXPECT_VALUE("XHAL-HOSTFN-5", pool_info(t, pool).used_bytes, 4096u);
  EXPECT_DATA("XHAL-HOSTFN-5", std::vector<uint8_t>(4096, 0x2B), t.read<uint8_t>(memory, 4096));
}

XHAL_TEST(
    hostfn, value_calls_inside, .clauses = {"XHAL-HOSTFN-5"},
    .observes = "the answers of a value wait and a value write inside a function; the word and the stream",
    .needs = {XHAL_FEATURE_VALUE_WAIT}) {
  Stream other(t);
  const Buffer word = pinned_memory(t, 8);
  *word.as<uint64_t>() = 5;
  auto& inside = t.kept<Inside>();
  const xhal_stream_t on = other;
  void* address = word;
  inside.calls = {
      {"xhal_stream_wait_value",
       [on, address] { return xhal_stream_wait_value(on, address, 5, XHAL_COMPARE_EQUAL, 8); }},
      {"xhal_stream_write_value", [on, address] { return xhal_stream_write_value(on, address, 6, 8); }}};
  expect_forbidden(t, inside);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-HOSTFN-5", *word.as<uint64_t>(), 5u);
}

XHAL_TEST(hostfn, module_destroy_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the answer of destroying a module inside a function; the module afterwards",
          .needs = {XHAL_FEATURE_KERNEL}) {
  const KernelImage image = t.pack().image();
  xhal_module_t module = nullptr;
  REQUIRE_OK(KernelPack::load(t.device(), image, &module));
  auto& inside = t.kept<Inside>();
  inside.calls = {{"xhal_module_destroy", [module] { return xhal_module_destroy(module); }}};
  expect_forbidden(t, inside);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_module_destroy(module), XHAL_SUCCESS, "the module is gone");
}

XHAL_TEST(hostfn, import_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the answer of telling the driver of foreign memory inside a function",
          .needs = {XHAL_FEATURE_NATIVE_HANDLES}) {
  const Buffer memory = device_memory(t, 4096);
  auto& inside = t.kept<Inside>();
  const xhal_device_t device = t.device();
  void* pointer = memory;
  inside.calls = {
      {"xhal_memory_import_native", [=] { return xhal_memory_import_native(device, pointer, 4096); }}};
  expect_forbidden(t, inside);
}

XHAL_TEST(hostfn, vmm_calls_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes =
              "the answers of creating and destroying physical memory and of reserving and releasing a range "
              "inside a function; "
              "what they named afterwards",
          .needs = {XHAL_FEATURE_VMM}) {
  struct Made {
    xhal_physical_t physical = nullptr;
    void* range = nullptr;
  };
  xhal_vmm_granularity_t granularity{};
  granularity.struct_size = sizeof(granularity);
  REQUIRE_OK(xhal_vmm_get_granularity(t.device(), &granularity));
  const uint64_t bytes = granularity.recommended;
  const xhal_device_t device = t.device();
  xhal_physical_t physical = nullptr;
  void* range = nullptr;
  REQUIRE_OK(xhal_physical_create(device, bytes, 0, &physical));
  REQUIRE_OK(xhal_vmm_reserve(device, bytes, 0, nullptr, &range));
  auto& made = t.kept<Made>();
  auto& inside = t.kept<Inside>();
  inside.calls = {
      {"xhal_physical_create", [=, &made] { return xhal_physical_create(device, bytes, 0, &made.physical); }},
      {"xhal_physical_destroy", [=] { return xhal_physical_destroy(physical); }},
      {"xhal_vmm_reserve", [=, &made] { return xhal_vmm_reserve(device, bytes, 0, nullptr, &made.range); }},
      {"xhal_vmm_release", [=] { return xhal_vmm_release(device, range, bytes); }}};
  expect_forbidden(t, inside);
  EXPECT_CLAUSE("XHAL-HOSTFN-5", made.physical == nullptr && made.range == nullptr,
                "a refused call gave out something");
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_vmm_release(device, range, bytes), XHAL_SUCCESS, "the range is gone");
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_physical_destroy(physical), XHAL_SUCCESS, "the memory is gone");
}

XHAL_TEST(hostfn, region_copy_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the answer of a region copy inside a function; the destination",
          .needs = {XHAL_FEATURE_COPY_REGION}) {
  Stream other(t);
  const Buffer memory = pinned_memory(t, 64);
  std::fill(memory.host().begin(), memory.host().end(), uint8_t{0});
  memory.host()[32] = 9;
  auto& region = t.kept<xhal_copy_region_t>();
  region = {};
  region.struct_size = sizeof(region);
  region.destination = memory;
  region.source = memory.at(32);
  region.destination_pitch = region.source_pitch = 8;
  region.extent[0] = 8;
  region.extent[1] = region.extent[2] = 1;
  auto& inside = t.kept<Inside>();
  const xhal_stream_t on = other;
  inside.calls = {
      {"xhal_memory_copy_region", [on, &region] { return xhal_memory_copy_region(on, &region); }}};
  expect_forbidden(t, inside);
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_stream_synchronize(other, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-HOSTFN-5", uint32_t{memory.host()[0]}, 0u);
}

XHAL_TEST(hostfn, activity_calls_inside, .clauses = {"XHAL-HOSTFN-5"},
          .observes = "the answers of a flush and an unsubscribe inside a function; the subscription goes on",
          .needs = {XHAL_FEATURE_ACTIVITY}) {
  Stream stream(t);
  const Buffer memory = device_memory(t, 64);
  Subscription subscription(t, XHAL_ACTIVITY_FILL);
  auto& inside = t.kept<Inside>();
  const xhal_subscription_t handle = subscription;
  inside.calls = {{"xhal_activity_flush", [handle] { return xhal_activity_flush(handle, 1'000'000); }},
                  {"xhal_activity_unsubscribe", [handle] { return xhal_activity_unsubscribe(handle); }}};
  expect_forbidden(t, inside);
  REQUIRE_OK(xhal_memory_fill(stream, memory, 1, 4, 64));
  REQUIRE_OK(xhal_stream_synchronize(stream, t.patience()));
  EXPECT_RESULT("XHAL-HOSTFN-5", xhal_activity_flush(subscription, t.patience()), XHAL_SUCCESS);
  EXPECT_VALUE("XHAL-HOSTFN-5", subscription.count(stream_id(t, stream)), 1u);
}

}  // namespace
}  // namespace xhal::conformance
