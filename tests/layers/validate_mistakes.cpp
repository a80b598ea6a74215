// SPDX-License-Identifier: Apache-2.0
// Every kind of finding: the mistake gives it, once and nothing else, and the same program without the mistake gives none.
#include <algorithm>
#include <set>
#include <thread>

#include "../../hal/layers/validate/finding.hpp"
#include "validate_mistakes.hpp"

namespace xhal::layers_test {
namespace {

std::vector<Case> core_cases() {
  return {
      // ---- lifetime
      {"destroyed-handle", "stream",
       [](Instance& t, bool wrong) {
         xhal_stream_t stream = t.stream();
         if (!wrong) xhal_stream_query(stream);
         EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
         if (wrong) {
           EXPECT_EQ(xhal_stream_query(stream), XHAL_ERROR_INVALID_HANDLE);
         }
       }},
      {"destroyed-handle", "second_handle",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_event_t event = t.event();
         if (!wrong) xhal_event_record(event, stream, 0);
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
         if (wrong) {
           EXPECT_EQ(xhal_stream_wait_event(stream, event, 0), XHAL_ERROR_INVALID_HANDLE);
         }
       }},
      {"destroyed-handle", "kernel_of_a_destroyed_module",
       [](Instance& t, bool wrong) {
         xhal_module_t module = t.module();
         xhal_kernel_t kernel = Instance::kernel(module);
         xhal_kernel_info_t info = {};
         info.struct_size = sizeof(info);
         if (!wrong) xhal_kernel_get_info(kernel, &info);
         EXPECT_EQ(xhal_module_destroy(module), XHAL_SUCCESS);
         if (wrong) {
           EXPECT_EQ(xhal_kernel_get_info(kernel, &info), XHAL_ERROR_INVALID_HANDLE);
         }
       }},
      {"double-destroy", "event",
       [](Instance& t, bool wrong) {
         xhal_event_t event = t.event();
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
         if (wrong) {
           EXPECT_EQ(xhal_event_destroy(event), XHAL_ERROR_INVALID_HANDLE);
         }
       }},
      {"destroy-in-use", "stream",
       [](Instance& t, bool wrong) {
         struct Shared {
           Instance* t;
           xhal_stream_t stream;
           bool wrong;
         } shared{&t, t.stream(), wrong};
         // The driver is inside the synchronise when another thread destroys the stream.
         t.control->inside_synchronize(
             [](void* user) {
               const auto& s = *static_cast<Shared*>(user);
               if (!s.wrong) return;
               std::thread([&] { EXPECT_EQ(xhal_stream_destroy(s.stream), XHAL_SUCCESS); }).join();
             },
             &shared);
         EXPECT_EQ(xhal_stream_synchronize(shared.stream, 0), XHAL_SUCCESS);
         t.control->inside_synchronize(nullptr, nullptr);
         if (!wrong) {
           EXPECT_EQ(xhal_stream_destroy(shared.stream), XHAL_SUCCESS);
         }
       }},
      {"reset-object", "stream",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         if (!wrong) {
           EXPECT_EQ(xhal_device_reset(t.devices[0]), XHAL_SUCCESS);
         }
         xhal_stream_t stream = keep.stream();
         xhal_stream_t other = keep.stream(1);
         if (wrong) {
           EXPECT_EQ(xhal_device_reset(t.devices[0]), XHAL_SUCCESS);
         }
         xhal_stream_query(stream);
         xhal_stream_query(other);
       }},
      {"reset-object", "memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64);
         if (wrong) {
           EXPECT_EQ(xhal_device_reset(t.devices[0]), XHAL_SUCCESS);
         }
         xhal_stream_t stream = keep.stream();
         EXPECT_EQ(xhal_memory_fill(stream, memory, 0, 1, 64), XHAL_SUCCESS);
       }},
      // ---- memory
      {"use-after-free", "copy",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         char host[64];
         char* memory = t.memory(64);
         if (!wrong) xhal_memory_copy(stream, memory, host, 64);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         if (wrong) xhal_memory_copy(stream, memory + 3, host, 8);
       }},
      {"use-after-free", "fill_of_pinned_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         char* memory = t.memory(64, 0, XHAL_MEMORY_PINNED);
         if (!wrong) xhal_memory_fill(stream, memory, 0, 1, 64);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         if (wrong) xhal_memory_fill(stream, memory, 0, 1, 64);
       }},
      {"use-after-free", "launch",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_kernel_t kernel = keep.kernel();
         char* memory = t.memory(64);
         const Launch launch(memory);
         if (!wrong) xhal_kernel_launch(stream, kernel, &launch.launch);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         if (wrong) xhal_kernel_launch(stream, kernel, &launch.launch);
       }},
      {"freed-address-in-value", "launch",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_kernel_t kernel = keep.kernel();
         char* memory = t.memory(64);
         Launch launch(keep.memory(64));
         launch.value = reinterpret_cast<uintptr_t>(memory) + 8;
         if (!wrong) xhal_kernel_launch(stream, kernel, &launch.launch);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         if (wrong) xhal_kernel_launch(stream, kernel, &launch.launch);
       }},
      {"double-free", "memory",
       [](Instance& t, bool wrong) {
         char* memory = t.memory(64);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         EXPECT_EQ(xhal_memory_free(t.devices[0], wrong ? memory : nullptr), XHAL_SUCCESS);
       }},
      {"interior-free", "memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64);
         if (wrong) xhal_memory_free(t.devices[0], memory + 8);
       }},
      {"unknown-free", "memory",
       [](Instance& t, bool wrong) {
         int host = 0;
         xhal_memory_free(t.devices[0], wrong ? &host : nullptr);
       }},
      {"wrong-release", "registered_memory_freed",
       [](Instance& t, bool wrong) {
         alignas(4096) static char host[4096];
         EXPECT_EQ(xhal_memory_register(t.devices[0], host, sizeof(host), 0), XHAL_SUCCESS);
         if (wrong) xhal_memory_free(t.devices[0], host);
         EXPECT_EQ(xhal_memory_unregister(t.devices[0], host), XHAL_SUCCESS);
       }},
      {"wrong-release", "pool_memory_freed_while_its_pool_lives",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_pool_t pool = t.pool();
         void* memory[2] = {};
         for (void*& one : memory) EXPECT_EQ(xhal_pool_allocate(pool, stream, 64, &one), XHAL_SUCCESS);
         if (wrong) xhal_memory_free(t.devices[0], memory[0]);
         EXPECT_EQ(xhal_pool_free(pool, stream, memory[1]), XHAL_SUCCESS);
         EXPECT_EQ(xhal_pool_destroy(pool), XHAL_SUCCESS);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory[0]), XHAL_SUCCESS);
       }},
      {"wrong-release", "pool_memory_of_another_pool",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_pool_t pool = keep.pool();
         xhal_pool_t other = keep.pool();
         void* memory = nullptr;
         EXPECT_EQ(xhal_pool_allocate(pool, stream, 64, &memory), XHAL_SUCCESS);
         if (wrong) xhal_pool_free(other, stream, memory);
         EXPECT_EQ(xhal_pool_free(pool, stream, memory), XHAL_SUCCESS);
       }},
      {"wrong-release", "default_stream",
       [](Instance& t, bool wrong) {
         xhal_stream_t stream = nullptr;
         EXPECT_EQ(xhal_device_get_default_stream(t.devices[0], &stream), XHAL_SUCCESS);
         if (wrong) xhal_stream_destroy(stream);
         EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
       }},
      {"out-of-bounds", "copy_behind",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char host[128] = {};
         xhal_memory_copy(keep.stream(), keep.memory(64), host, wrong ? 65 : 64);
       }},
      {"out-of-bounds", "copy_before",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char host[128] = {};
         xhal_memory_copy(keep.stream(), host, keep.memory(64) - (wrong ? 1 : 0), 64);
       }},
      {"out-of-bounds", "size_that_wraps",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_memory_fill(keep.stream(), keep.memory(64), 0, 1, wrong ? UINT64_MAX : 64);
       }},
      {"out-of-bounds", "launch",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         const Launch launch(keep.memory(64) + 32, wrong ? 33 : 32);
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      {"out-of-bounds", "region",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         std::vector<char> host(4096);
         xhal_copy_region_t region = {};
         region.struct_size = sizeof(region);
         region.destination = keep.memory(100);
         region.source = host.data();
         region.destination_pitch = region.source_pitch = 30;
         region.extent[0] = 10;
         region.extent[1] = wrong ? 5 : 4;  // the last row ends at 100, or at 130
         region.extent[2] = 1;
         xhal_memory_copy_region(keep.stream(), &region);
       }},
      {"null-address", "fill",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_memory_fill(keep.stream(), nullptr, 0, 1, wrong ? 8 : 0);
       }},
      {"overlapping-copy", "copy",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64);
         xhal_memory_copy(keep.stream(), memory + (wrong ? 31 : 32), memory, 32);
       }},
      {"unknown-memory", "fill_of_pageable_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         alignas(8) char host[64] = {};
         xhal_stream_t stream = keep.stream();
         if (wrong) xhal_memory_fill(stream, host, 0, 8, sizeof(host));
         xhal_memory_copy(stream, keep.memory(64), host, sizeof(host));
       }},
      {"foreign-memory", "of_another_instance",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Instance other("validate", {});
         Cleanup keep_other(other);
         char* memory = wrong ? keep_other.memory(64) : keep.memory(64);
         xhal_memory_fill(keep.stream(), memory, 0, 1, 64);
       }},
      // ---- device
      {"wrong-device", "record",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_event_record(keep.event(), keep.stream(wrong ? 1 : 0), 0);
       }},
      {"wrong-device", "launch",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         const Launch launch(keep.memory(64));
         xhal_kernel_launch(keep.stream(), keep.kernel(wrong ? 1 : 0), &launch.launch);
       }},
      {"wrong-device", "free",
       [](Instance& t, bool wrong) {
         char* memory = t.memory(64);
         if (wrong) xhal_memory_free(t.devices[1], memory);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
       }},
      {"peer-not-enabled", "launch",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         if (!wrong) {
           EXPECT_EQ(xhal_device_enable_peer(t.devices[0], t.devices[1]), XHAL_SUCCESS);
         }
         const Launch launch(keep.memory(64, 1));
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      // ---- arguments
      {"null-pointer", "struct",
       [](Instance& t, bool wrong) {
         xhal_memory_info_t info = {};
         info.struct_size = sizeof(info);
         xhal_device_get_memory_info(t.devices[0], wrong ? nullptr : &info);
       }},
      {"struct-size", "in",
       [](Instance& t, bool wrong) {
         xhal_event_desc_t desc = {};
         if (!wrong) desc.struct_size = sizeof(desc);
         xhal_event_t event = nullptr;
         EXPECT_EQ(xhal_event_create(t.devices[0], &desc, &event), XHAL_SUCCESS);
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
       }},
      {"struct-size", "out",
       [](Instance& t, bool wrong) {
         xhal_link_t link = {};
         if (!wrong) link.struct_size = sizeof(link);
         xhal_device_get_link(t.devices[0], t.devices[1], &link);
       }},
      {"unknown-field", "tail",
       [](Instance& t, bool wrong) {
         struct {
           xhal_event_desc_t desc;
           uint64_t tail;
         } larger = {};
         larger.desc.struct_size = sizeof(larger);
         larger.tail = wrong ? 1 : 0;
         xhal_event_t event = nullptr;
         EXPECT_EQ(xhal_event_create(t.devices[0], &larger.desc, &event), XHAL_SUCCESS);
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
       }},
      {"reserved-field", "stream_desc",
       [](Instance& t, bool wrong) {
         xhal_stream_desc_t desc = {};
         desc.struct_size = sizeof(desc);
         desc.reserved = wrong ? 5 : 0;
         xhal_stream_t stream = nullptr;
         EXPECT_EQ(xhal_stream_create(t.devices[0], &desc, &stream), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
       }},
      {"undefined-flags", "struct",
       [](Instance& t, bool wrong) {
         xhal_event_desc_t desc = {};
         desc.struct_size = sizeof(desc);
         desc.flags = wrong ? 1U << 31 : uint32_t{XHAL_EVENT_TIMING} | XHAL_EVENT_BLOCKING | XHAL_EVENT_IPC;
         xhal_event_t event = nullptr;
         EXPECT_EQ(xhal_event_create(t.devices[0], &desc, &event), XHAL_SUCCESS);
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
       }},
      {"undefined-flags", "parameter",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_event_record(keep.event(), keep.stream(), wrong ? 2 : 0);
       }},
      {"bad-argument", "size",
       [](Instance& t, bool wrong) {
         const xhal_memory_desc_t desc = Instance::memory_desc(wrong ? 0 : 1);
         void* memory = nullptr;
         EXPECT_EQ(xhal_memory_allocate(t.devices[0], &desc, &memory), XHAL_SUCCESS);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
       }},
      {"bad-argument", "pattern",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_memory_fill(keep.stream(), keep.memory(64), 0, wrong ? 3 : 4, 48);
       }},
      {"bad-argument", "priority",
       [](Instance& t, bool wrong) {
         xhal_stream_desc_t desc = {};
         desc.struct_size = sizeof(desc);
         desc.priority = wrong ? 1 : -2;
         xhal_stream_t stream = nullptr;
         EXPECT_EQ(xhal_stream_create(t.devices[0], &desc, &stream), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
       }},
      {"bad-argument", "argument_count",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.argument_count = wrong ? 1 : 2;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      {"over-limit", "group_size",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.group_size[0] = 16;
         launch.launch.group_size[1] = wrong ? 17 : 16;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      {"over-limit", "local_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.dynamic_local_bytes = wrong ? 1025 : 1024;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      // ---- order
      {"event-never-recorded", "wait",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_event_t event = keep.event();
         EXPECT_EQ(xhal_event_query(event), XHAL_SUCCESS) << "polling a new event is no mistake";
         if (!wrong) xhal_event_record(event, stream, 0);
         xhal_stream_wait_event(stream, event, 0);
       }},
      {"capture-misuse", "query",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_graph_t graph = nullptr;
         EXPECT_EQ(xhal_stream_begin_capture(stream, XHAL_CAPTURE_THREAD), XHAL_SUCCESS);
         if (wrong) xhal_stream_query(stream);
         EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_query(stream), XHAL_SUCCESS);
         EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
       }},
      {"capture-misuse", "query_of_a_fork",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_stream_t fork = keep.stream();
         xhal_event_t event = keep.event();
         xhal_graph_t graph = nullptr;
         EXPECT_EQ(xhal_stream_begin_capture(stream, XHAL_CAPTURE_RELAXED), XHAL_SUCCESS);
         EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
         if (!wrong) xhal_stream_query(fork);
         EXPECT_EQ(xhal_stream_wait_event(fork, event, 0), XHAL_SUCCESS);
         if (wrong) xhal_stream_query(fork);
         EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_query(fork), XHAL_SUCCESS);
         EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
       }},
      {"capture-misuse", "wait_for_an_event_of_before",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_event_t event = keep.event();
         xhal_graph_t graph = nullptr;
         EXPECT_EQ(xhal_event_record(event, stream, 0), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_begin_capture(stream, XHAL_CAPTURE_THREAD), XHAL_SUCCESS);
         xhal_stream_wait_event(stream, event, wrong ? 0 : uint32_t{XHAL_EVENT_EXTERNAL});
         EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS);
         EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
       }},
      {"capture-misuse", "end_by_another_thread",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_graph_t graph = nullptr;
         EXPECT_EQ(xhal_stream_begin_capture(stream, wrong ? XHAL_CAPTURE_THREAD : XHAL_CAPTURE_RELAXED),
                   XHAL_SUCCESS);
         std::thread([&] { EXPECT_EQ(xhal_stream_end_capture(stream, &graph), XHAL_SUCCESS); }).join();
         EXPECT_EQ(xhal_graph_destroy(graph), XHAL_SUCCESS);
       }},
      {"call-in-host-function", "synchronize",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         struct Shared {
           xhal_stream_t stream;
           bool wrong;
         } shared{keep.stream(), wrong};
         xhal_stream_host_function(
             stream,
             [](void* user, xhal_result_t) {
               const auto& s = *static_cast<Shared*>(user);
               xhal_stream_query(s.stream);
               if (s.wrong) xhal_stream_synchronize(s.stream, 0);
             },
             &shared);
       }},
      // ---- what is left over, what the driver says and does
      {"leak", "stream",
       [](Instance& t, bool wrong) {
         xhal_stream_t stream = t.stream();
         if (!wrong) {
           EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
         }
       }},
      {"leak", "memory",
       [](Instance& t, bool wrong) {
         char* memory = t.memory(64);
         if (!wrong) {
           EXPECT_EQ(xhal_memory_free(t.devices[0], memory), XHAL_SUCCESS);
         }
       }},
      {"leak", "registration",
       [](Instance& t, bool wrong) {
         static char host[64];
         EXPECT_EQ(xhal_memory_register(t.devices[0], host, sizeof(host), 0), XHAL_SUCCESS);
         if (!wrong) {
           EXPECT_EQ(xhal_memory_unregister(t.devices[0], host), XHAL_SUCCESS);
         }
       }},
      {"leak", "free_that_the_driver_refused",
       [](Instance& t, bool wrong) {
         char* memory = t.memory(64);
         if (wrong) t.control->fail_next(XHAL_ERROR_UNKNOWN);
         EXPECT_EQ(xhal_memory_free(t.devices[0], memory), wrong ? XHAL_ERROR_UNKNOWN : XHAL_SUCCESS);
       }},
      {"refused-call", "busy",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         t.control->fail_next(wrong ? XHAL_ERROR_CALL_FORBIDDEN : XHAL_ERROR_OUT_OF_HOST_MEMORY);
         EXPECT_LT(xhal_stream_query(stream), 0);
       }},
      {"driver-defect", "no_handle",
       [](Instance& t, bool wrong) {
         if (wrong) t.control->misbehave(clay::Defect::kNoHandle);
         xhal_stream_t stream = nullptr;
         EXPECT_EQ(xhal_stream_create(t.devices[0], nullptr, &stream), XHAL_SUCCESS);
         t.control->misbehave(clay::Defect::kNone);
         if (stream != nullptr) {
           EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
         }
       }},
      {"driver-defect", "one_address_twice",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64);
         if (!wrong) return;
         t.control->misbehave(clay::Defect::kSameAddress);
         EXPECT_EQ(t.memory(64), memory);
         t.control->misbehave(clay::Defect::kNone);
       }},
  };
}

const std::vector<Case>& cases() {
  static const std::vector<Case> all = [] {
    std::vector<Case> both = core_cases();
    for (Case& one : feature_cases()) both.push_back(std::move(one));
    return both;
  }();
  return all;
}

class Mistake : public testing::TestWithParam<size_t> {
 protected:
  const Case& mistake() const { return cases().at(GetParam()); }
};

std::vector<size_t> numbers() {
  std::vector<size_t> out(cases().size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = i;
  return out;
}
std::string name_of(const testing::TestParamInfo<size_t>& info) {
  std::string name = std::string(cases()[info.param].kind) + "_" + cases()[info.param].name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

TEST_P(Mistake, IsFoundOnce) {
  Validated t;
  mistake().run(*t, true);
  t->destroy();
  EXPECT_EQ(t.kinds(), mistake().kind);
  for (const auto& finding : t.findings()) {
    EXPECT_EQ(finding.at("line").get<std::string>().find('\n'), std::string::npos);
    EXPECT_FALSE(finding.at("fix").get<std::string>().empty());
  }
}

TEST_P(Mistake, IsNotSeenWhereThereIsNone) {
  Validated t;
  mistake().run(*t, false);
  t->destroy();
  EXPECT_EQ(t.kinds(), "");
  EXPECT_EQ(t->logged("2 validate").size(), 1U) << "it says that nothing was found";
}

// The order of layers changes nothing about what is found.
TEST_P(Mistake, IsFoundInEveryStack) {
  for (const char* layers : {"trace,validate", "validate,trace", "fault,validate", "trace,fault,validate"}) {
    // A layer above asks about a handle that it does not know any more, and in doing so uses it.
    if (std::string_view(layers).starts_with("trace") &&
        std::string_view(mistake().kind) == "destroyed-handle")
      continue;
    const Folder folder;
    std::vector<LayerOption> options;
    if (std::string_view(layers).find("trace") != std::string_view::npos)
      options.push_back({"trace", "file", folder / "trace"});
    if (std::string_view(layers).find("fault") != std::string_view::npos)
      options.push_back({"fault", "entry", "graph_dump"});
    Validated t(options, layers);
    mistake().run(*t, true);
    t->destroy();
    EXPECT_EQ(t.kinds(), mistake().kind) << layers;
  }
}

INSTANTIATE_TEST_SUITE_P(Every, Mistake, testing::ValuesIn(numbers()), name_of);

TEST(Validate, EveryKindHasACase) {
  std::set<std::string_view> tested;
  for (const Case& one : cases()) tested.insert(one.kind);
  for (const validate::KindInfo& kind : validate::kKinds) EXPECT_EQ(tested.count(kind.code), 1U) << kind.code;
  EXPECT_EQ(tested.size(), validate::kKindCount);
}

}  // namespace
}  // namespace xhal::layers_test
