// SPDX-License-Identifier: Apache-2.0
// Mistakes with the features beyond core.
#include "validate_mistakes.hpp"

namespace xhal::layers_test {
namespace {

constexpr uint64_t kPage = 4096;

template <class Struct>
Struct sized() {
  Struct out = {};
  out.struct_size = sizeof(out);
  return out;
}

}  // namespace

std::vector<Case> feature_cases() {
  return {
      // ---- what memory a call takes
      {"wrong-memory", "prefetch_of_device_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64, 0, wrong ? XHAL_MEMORY_DEVICE : XHAL_MEMORY_MANAGED);
         xhal_memory_prefetch(keep.stream(), memory, 64, 0);
       }},
      {"wrong-memory", "value_write_to_managed_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64, 0, wrong ? XHAL_MEMORY_MANAGED : XHAL_MEMORY_PINNED);
         xhal_stream_write_value(keep.stream(), memory, 1, 4);
       }},
      {"wrong-memory", "export_of_the_middle",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char bytes[64];
         xhal_ipc_export_memory(t.devices[0], keep.memory(64) + (wrong ? 8 : 0), sizeof(bytes), bytes);
       }},
      {"wrong-memory", "export_of_pinned_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64, 0, wrong ? XHAL_MEMORY_PINNED : XHAL_MEMORY_DEVICE);
         int32_t fd = -1;
         uint64_t offset = 0;
         xhal_memory_export_external(t.devices[0], memory, XHAL_EXTERNAL_OPAQUE_FD, &fd, &offset);
       }},
      {"wrong-device", "export",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char bytes[64];
         xhal_ipc_export_memory(t.devices[wrong ? 1 : 0], keep.memory(64), sizeof(bytes), bytes);
       }},
      {"wrong-release", "close_of_what_was_not_imported",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(64);
         const char bytes[64] = {};
         void* again = nullptr;
         if (!wrong) {
           t.control->misbehave(clay::Defect::kSameAddress);  // as an exporter's own import must
           EXPECT_EQ(xhal_ipc_import_memory(t.devices[0], bytes, sizeof(bytes), &again), XHAL_SUCCESS);
           t.control->misbehave(clay::Defect::kNone);
           EXPECT_EQ(again, memory);
         }
         xhal_ipc_close_memory(t.devices[0], memory);
       }},
      {"unknown-free", "null_to_a_pool",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         if (wrong) xhal_pool_free(keep.pool(), keep.stream(), nullptr);
       }},
      {"null-address", "native_memory",
       [](Instance& t, bool wrong) { xhal_memory_import_native(t.devices[0], wrong ? nullptr : &t, kPage); }},
      {"overlapping-copy", "region",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* memory = keep.memory(256);
         auto region = sized<xhal_copy_region_t>();
         region.destination = memory + (wrong ? 9 : 10);  // columns beside those of the source
         region.source = memory;
         region.destination_pitch = region.source_pitch = 32;
         region.extent[0] = 10;
         region.extent[1] = 4;
         region.extent[2] = 1;
         xhal_memory_copy_region(keep.stream(), &region);
       }},
      {"out-of-bounds", "region_that_wraps",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char host[64] = {};
         auto region = sized<xhal_copy_region_t>();
         region.destination = host;
         region.source = keep.memory(64);
         region.destination_pitch = wrong ? UINT64_MAX : 16;
         region.source_pitch = 16;
         region.extent[0] = 10;
         region.extent[1] = 4;
         region.extent[2] = 1;
         xhal_memory_copy_region(keep.stream(), &region);
       }},
      // ---- virtual memory
      {"not-mapped", "fill",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(2 * kPage);
         keep.map(range, kPage);
         xhal_memory_fill(keep.stream(), range + 8, 0, 1, kPage - (wrong ? 7 : 8));
       }},
      {"not-mapped", "against_the_access",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(kPage);
         keep.map(range, kPage, XHAL_ACCESS_READ);
         char* memory = keep.memory(64);
         xhal_stream_t stream = keep.stream();
         xhal_memory_copy(stream, wrong ? range : memory, wrong ? memory : range, 64);
       }},
      {"not-mapped", "launch_on_another_device",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(kPage);
         keep.map(range, kPage);
         const Launch launch(range);
         if (!wrong) {
           EXPECT_EQ(xhal_vmm_set_access(t.devices[0], range, kPage, t.devices[1], XHAL_ACCESS_READ_WRITE),
                     XHAL_SUCCESS);
         }
         xhal_kernel_launch(keep.stream(1), keep.kernel(1), &launch.launch);
       }},
      {"not-mapped", "access_to_a_part",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(2 * kPage);
         keep.map(range, 2 * kPage);
         xhal_vmm_set_access(t.devices[0], range, wrong ? kPage : 2 * kPage, t.devices[0], XHAL_ACCESS_READ);
       }},
      {"not-mapped", "unmap_twice",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(kPage);
         EXPECT_EQ(xhal_vmm_map(t.devices[0], range, kPage, keep.physical(kPage), 0), XHAL_SUCCESS);
         xhal_vmm_unmap(t.devices[0], range, kPage);
         if (wrong) xhal_vmm_unmap(t.devices[0], range, kPage);
       }},
      {"out-of-bounds", "mapping_beyond_physical_memory",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(2 * kPage);
         xhal_vmm_map(t.devices[0], range, kPage, keep.physical(2 * kPage), kPage * (wrong ? 2 : 1));
         xhal_vmm_unmap(t.devices[0], range, kPage);
       }},
      {"bad-argument", "mapping_over_a_mapping",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(2 * kPage);
         keep.map(range, kPage);
         char* second = range + (wrong ? 0 : kPage);
         xhal_vmm_map(t.devices[0], second, kPage, keep.physical(kPage), 0);
         if (!wrong) xhal_vmm_unmap(t.devices[0], second, kPage);
       }},
      {"bad-argument", "granularity",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         keep.physical(wrong ? kPage + 1 : kPage);
       }},
      {"bad-argument", "alignment_of_a_range",
       [](Instance& t, bool wrong) {
         void* range = nullptr;
         xhal_vmm_reserve(t.devices[0], kPage, wrong ? 3 * kPage : 4 * kPage, nullptr, &range);
         xhal_vmm_release(t.devices[0], range, kPage);
       }},
      {"wrong-release", "part_of_a_range",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(2 * kPage);
         if (wrong) xhal_vmm_release(t.devices[0], range, kPage);
       }},
      {"wrong-release", "range_with_a_mapping",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char* range = keep.range(kPage);
         keep.map(range, kPage);
         if (wrong) xhal_vmm_release(t.devices[0], range, kPage);
       }},
      // ---- arguments
      {"bad-argument", "to_host",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_memory_prefetch(keep.stream(), keep.memory(64, 0, XHAL_MEMORY_MANAGED), 64, wrong ? 2 : 1);
       }},
      {"bad-argument", "value_width",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_write_value(keep.stream(), keep.memory(64), 1, wrong ? 2 : 4);
       }},
      {"bad-argument", "own_peer",
       [](Instance& t, bool wrong) { xhal_device_enable_peer(t.devices[0], t.devices[wrong ? 0 : 1]); }},
      {"bad-argument", "elapsed_without_timing",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_event_t start = keep.event(0, XHAL_EVENT_TIMING);
         xhal_event_t end = keep.event(0, wrong ? 0U : uint32_t{XHAL_EVENT_TIMING});
         int64_t elapsed = 0;
         for (xhal_event_t event : {start, end}) xhal_event_record(event, stream, 0);
         xhal_event_get_elapsed(start, end, &elapsed);
       }},
      {"wrong-device", "elapsed",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         const int second = wrong ? 1 : 0;
         xhal_event_t start = keep.event(0, XHAL_EVENT_TIMING);
         xhal_event_t end = keep.event(second, XHAL_EVENT_TIMING);
         int64_t elapsed = 0;
         xhal_event_record(start, keep.stream(), 0);
         xhal_event_record(end, keep.stream(second), 0);
         xhal_event_get_elapsed(start, end, &elapsed);
       }},
      {"event-never-recorded", "elapsed",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_stream_t stream = keep.stream();
         xhal_event_t start = keep.event(0, XHAL_EVENT_TIMING);
         xhal_event_t end = keep.event(0, XHAL_EVENT_TIMING);
         int64_t elapsed = 0;
         xhal_event_record(start, stream, 0);
         if (!wrong) xhal_event_record(end, stream, 0);
         xhal_event_get_elapsed(start, end, &elapsed);
       }},
      {"bad-argument", "exchanged_capture_mode",
       [](Instance& t, bool wrong) {
         uint32_t former = 0;
         xhal_driver_exchange_capture_mode(t.driver, wrong ? 3 : 2, &former);
       }},
      {"bad-argument", "stride_of_formats",
       [](Instance& t, bool wrong) {
         xhal_image_format_t formats[1] = {};
         uint32_t count = 0;
         xhal_device_get_image_formats(t.devices[0], 1, wrong ? 8 : sizeof(formats[0]), formats, &count);
       }},
      {"null-pointer", "formats",
       [](Instance& t, bool wrong) {
         uint32_t count = 0;
         xhal_device_get_image_formats(t.devices[0], wrong ? 1 : 0, sizeof(xhal_image_format_t), nullptr,
                                       &count);
       }},
      {"bad-argument", "stride_of_notes",
       [](Instance& t, bool wrong) {
         xhal_device_note_t notes[1] = {};
         notes[0].struct_size = sizeof(notes[0]);
         uint32_t count = 0;
         xhal_device_get_notes(t.devices[0], 1, wrong ? 8 : sizeof(notes[0]), notes, &count);
       }},
      {"null-pointer", "notes",
       [](Instance& t, bool wrong) {
         uint32_t count = 0;
         xhal_device_get_notes(t.devices[0], wrong ? 1 : 0, sizeof(xhal_device_note_t), nullptr, &count);
       }},
      {"bad-argument", "stride_of_metrics",
       [](Instance& t, bool wrong) {
         auto metric = sized<xhal_metric_t>();
         xhal_device_read_metrics(t.devices[0], 1, wrong ? 8 : sizeof(metric), &metric);
       }},
      {"bad-argument", "activity_kinds",
       [](Instance& t, bool wrong) {
         auto desc = sized<xhal_activity_desc_t>();
         desc.kinds = wrong ? 1U << 20 : uint32_t{XHAL_ACTIVITY_COPY};
         desc.callback = [](void*, const xhal_activity_record_t*, uint32_t, uint32_t) {};
         xhal_subscription_t subscription = nullptr;
         EXPECT_EQ(xhal_activity_subscribe(t.devices[0], &desc, &subscription), XHAL_SUCCESS);
         EXPECT_EQ(xhal_activity_unsubscribe(subscription), XHAL_SUCCESS);
       }},
      {"null-pointer", "activity_callback",
       [](Instance& t, bool wrong) {
         auto desc = sized<xhal_activity_desc_t>();
         if (!wrong) desc.callback = [](void*, const xhal_activity_record_t*, uint32_t, uint32_t) {};
         xhal_subscription_t subscription = nullptr;
         EXPECT_EQ(xhal_activity_subscribe(t.devices[0], &desc, &subscription), XHAL_SUCCESS);
         EXPECT_EQ(xhal_activity_unsubscribe(subscription), XHAL_SUCCESS);
       }},
      {"over-limit", "room_for_a_handle",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char bytes[64];
         xhal_ipc_export_memory(t.devices[0], keep.memory(64), wrong ? 63 : 64, bytes);
       }},
      {"bad-argument", "size_of_a_handle",
       [](Instance& t, bool wrong) {
         const char bytes[65] = {};
         xhal_event_t event = nullptr;
         EXPECT_EQ(xhal_ipc_import_event(t.devices[0], bytes, wrong ? 65 : 64, &event), XHAL_SUCCESS);
         EXPECT_EQ(xhal_event_destroy(event), XHAL_SUCCESS);
       }},
      {"bad-argument", "export_of_a_private_event",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         char bytes[64];
         xhal_ipc_export_event(keep.event(0, wrong ? 0U : uint32_t{XHAL_EVENT_IPC}), sizeof(bytes), bytes);
       }},
      {"bad-argument", "kind_of_a_native_stream",
       [](Instance& t, bool wrong) {
         auto native = sized<xhal_native_t>();
         native.kind = wrong ? 3 : 2;
         xhal_stream_t stream = nullptr;
         EXPECT_EQ(xhal_stream_import_native(t.devices[0], &native, &stream), XHAL_SUCCESS);
         EXPECT_EQ(xhal_stream_destroy(stream), XHAL_SUCCESS);
       }},
      {"bad-argument", "type_of_external_memory",
       [](Instance& t, bool wrong) {
         auto desc = sized<xhal_external_memory_desc_t>();
         desc.type = wrong ? 3 : 2;
         desc.size = kPage;
         void* memory = nullptr;
         EXPECT_EQ(xhal_memory_import_external(t.devices[0], &desc, &memory), XHAL_SUCCESS);
         EXPECT_EQ(xhal_memory_release_external(t.devices[0], memory), XHAL_SUCCESS);
       }},
      {"bad-argument", "descriptor_of_a_semaphore",
       [](Instance& t, bool wrong) {
         auto desc = sized<xhal_external_semaphore_desc_t>();
         desc.type = XHAL_EXTERNAL_OPAQUE_FD;
         desc.fd = wrong ? -1 : 0;
         xhal_semaphore_t semaphore = nullptr;
         EXPECT_EQ(xhal_semaphore_import(t.devices[0], &desc, &semaphore), XHAL_SUCCESS);
         EXPECT_EQ(xhal_semaphore_destroy(semaphore), XHAL_SUCCESS);
       }},
      // ---- launches
      {"over-limit", "group_of_the_kernel",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.group_size[0] = wrong ? 129 : 128;
         xhal_kernel_launch(keep.stream(), keep.kernel(0, "small"), &launch.launch);
       }},
      {"over-limit", "local_memory_of_the_kernel",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.dynamic_local_bytes = wrong ? 25 : 24;
         xhal_kernel_launch(keep.stream(), keep.kernel(0, "small"), &launch.launch);
       }},
      {"over-limit", "bytes_of_values",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         const std::vector<char> large(257);
         Launch launch(keep.memory(64));
         launch.arguments[1].data = large.data();
         launch.arguments[1].size = wrong ? 257 : 256;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      {"bad-argument", "access_of_a_value",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.arguments[1].access = wrong ? XHAL_ACCESS_READ : XHAL_ACCESS_NONE;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      {"bad-argument", "cluster_that_does_not_divide",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         Launch launch(keep.memory(64));
         launch.launch.flags = XHAL_LAUNCH_CLUSTER;
         launch.launch.group_count[1] = 6;
         for (uint32_t& size : launch.launch.cluster_size) size = 1;
         launch.launch.cluster_size[1] = wrong ? 4 : 3;
         xhal_kernel_launch(keep.stream(), keep.kernel(), &launch.launch);
       }},
      // ---- captures
      {"capture-misuse", "external_outside_of_one",
       [](Instance& t, bool wrong) {
         Cleanup keep(t);
         xhal_event_record(keep.event(), keep.stream(), wrong ? uint32_t{XHAL_EVENT_EXTERNAL} : 0U);
       }},
      {"capture-misuse", "what_the_driver_alone_can_tell",
       [](Instance& t, bool wrong) {
         t.control->fail_next(wrong ? XHAL_ERROR_CAPTURE_UNSUPPORTED : XHAL_ERROR_OUT_OF_DEVICE_MEMORY);
         const xhal_memory_desc_t desc = Instance::memory_desc(64);
         void* memory = nullptr;
         EXPECT_LT(xhal_memory_allocate(t.devices[0], &desc, &memory), 0);
       }},
  };
}

}  // namespace xhal::layers_test
