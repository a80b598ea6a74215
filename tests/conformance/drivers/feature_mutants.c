/* SPDX-License-Identifier: Apache-2.0 */
/* The functions of feature_mutants.def: each does what the base driver does, but for one lie. */
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "mutant.h"

/* A wait that lasts longer than it may is a lie as well, and ends when the test lets the work go. */
static const uint64_t kLongEnough = 10000000000;

static xhal_stream_t default_stream_of(xhal_stream_t stream) {
  xhal_device_t device = NULL;
  xhal_stream_t other = NULL;
  if (g_base.stream_get_device(stream, &device) != XHAL_SUCCESS ||
      g_base.device_get_default_stream(device, &other) != XHAL_SUCCESS)
    return NULL;
  return other;
}

static uint32_t capture_state(xhal_stream_t stream) {
  xhal_capture_info_t info = {.struct_size = sizeof(info)};
  return g_base.stream_get_capture_info(stream, &info) == XHAL_SUCCESS ? info.state
                                                                       : (uint32_t)XHAL_CAPTURE_STATE_NONE;
}

/* ---- Capture ---- */

static xhal_result_t fill_also_now(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                                   uint64_t size) {
  if (capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE)
    g_base.memory_fill(default_stream_of(stream), destination, pattern, width, size);
  return g_base.memory_fill(stream, destination, pattern, width, size);
}

static xhal_result_t wait_for_any_event(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  const xhal_result_t result = g_base.stream_wait_event(stream, event, flags);
  return result == XHAL_ERROR_CAPTURE_UNSUPPORTED ? XHAL_SUCCESS : result;
}

static xhal_result_t end_with_open_forks_invalid(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = g_base.stream_end_capture(stream, out);
  return result == XHAL_ERROR_CAPTURE_UNJOINED ? XHAL_ERROR_CAPTURE_INVALIDATED : result;
}

/* Without what was left open: an empty graph. */
static xhal_result_t end_with_open_forks_dropped(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = g_base.stream_end_capture(stream, out);
  if (result != XHAL_ERROR_CAPTURE_UNJOINED) return result;
  const xhal_result_t begun = g_base.stream_begin_capture(stream, XHAL_CAPTURE_RELAXED);
  return begun == XHAL_SUCCESS ? g_base.stream_end_capture(stream, out) : begun;
}

static xhal_result_t query_without_invalidating(xhal_stream_t stream) {
  if (capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE) return XHAL_ERROR_CAPTURE_UNSUPPORTED;
  return g_base.stream_query(stream);
}

static xhal_result_t fill_in_an_invalid_capture(xhal_stream_t stream, void* destination, uint64_t pattern,
                                                uint32_t width, uint64_t size) {
  const xhal_result_t result = g_base.memory_fill(stream, destination, pattern, width, size);
  return result == XHAL_ERROR_CAPTURE_INVALIDATED ? XHAL_SUCCESS : result;
}

static xhal_result_t begin_relaxed(xhal_stream_t stream, uint32_t mode) {
  return g_base.stream_begin_capture(stream, mode <= XHAL_CAPTURE_RELAXED ? XHAL_CAPTURE_RELAXED : mode);
}

static xhal_result_t exchange_and_forget(xhal_driver_t driver, uint32_t mode, uint32_t* out_former) {
  const xhal_result_t result = g_base.driver_exchange_capture_mode(driver, mode, out_former);
  uint32_t ignored = 0;
  if (result == XHAL_SUCCESS) g_base.driver_exchange_capture_mode(driver, *out_former, &ignored);
  return result;
}

static xhal_result_t capture_ids_are_equal(xhal_stream_t stream, xhal_capture_info_t* out) {
  const xhal_result_t result = g_base.stream_get_capture_info(stream, out);
  if (result == XHAL_SUCCESS && out->id != 0) out->id = 1;
  return result;
}

static xhal_result_t end_without_mismatch(xhal_stream_t stream, xhal_graph_t* out) {
  const xhal_result_t result = g_base.stream_end_capture(stream, out);
  return result == XHAL_ERROR_CAPTURE_MISMATCH ? XHAL_ERROR_CAPTURE_UNJOINED : result;
}

static xhal_result_t copy_captures_pageable(xhal_stream_t stream, void* destination, const void* source,
                                            uint64_t size) {
  const xhal_result_t result = g_base.memory_copy(stream, destination, source, size);
  return result == XHAL_ERROR_CAPTURE_UNSUPPORTED ? XHAL_SUCCESS : result;
}

static xhal_result_t capturing_streams_stay(xhal_stream_t stream) {
  return capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE ? XHAL_SUCCESS : g_base.stream_destroy(stream);
}

/* ---- Graphs ---- */

static xhal_result_t launch_twice(xhal_graph_exec_t exec, xhal_stream_t stream) {
  const xhal_result_t result = g_base.graph_exec_launch(exec, stream);
  return result == XHAL_SUCCESS ? g_base.graph_exec_launch(exec, stream) : result;
}

/* A wrong order shows only when what came too early is done before somebody looks: waiting for it makes the kill sure. */
static xhal_result_t launch_on_another_stream(xhal_graph_exec_t exec, xhal_stream_t stream) {
  xhal_stream_t other = default_stream_of(stream);
  const xhal_result_t result = g_base.graph_exec_launch(exec, other);
  if (result == XHAL_SUCCESS) g_base.stream_synchronize(other, kLongEnough);
  return result;
}

static xhal_result_t launch_beside_its_stream(xhal_graph_exec_t exec, xhal_stream_t stream) {
  return g_base.graph_exec_launch(exec, default_stream_of(stream));
}

/* The latest executables and what they were made of. */
enum { kNoted = 64 };
static _Atomic(xhal_graph_exec_t) g_execs[kNoted];
static _Atomic(xhal_graph_t) g_graphs[kNoted];
static atomic_uint g_next_noted;

static xhal_result_t instantiate_noted(xhal_graph_t graph, uint32_t flags, xhal_graph_exec_t* out) {
  const xhal_result_t result = g_base.graph_instantiate(graph, flags, out);
  if (result == XHAL_SUCCESS) {
    const unsigned place = atomic_fetch_add(&g_next_noted, 1) % kNoted;
    atomic_store(&g_graphs[place], graph);
    atomic_store(&g_execs[place], *out);
  }
  return result;
}

static xhal_result_t graph_takes_its_executable(xhal_graph_t graph) {
  const xhal_result_t result = g_base.graph_destroy(graph);
  for (unsigned i = 0; i < kNoted && result == XHAL_SUCCESS; ++i) {
    if (atomic_load(&g_graphs[i]) == graph) g_base.graph_exec_destroy(atomic_exchange(&g_execs[i], NULL));
  }
  return result;
}

static xhal_result_t graph_stays(xhal_graph_t graph) {
  (void)graph;
  return XHAL_SUCCESS;
}

static xhal_result_t launch_a_fresh_copy(xhal_graph_exec_t exec, xhal_stream_t stream) {
  for (unsigned i = 0; i < kNoted; ++i) {
    xhal_graph_exec_t fresh = NULL;
    if (atomic_load(&g_execs[i]) != exec ||
        g_base.graph_instantiate(atomic_load(&g_graphs[i]), 0, &fresh) != XHAL_SUCCESS)
      continue;
    const xhal_result_t result = g_base.graph_exec_launch(fresh, stream);
    g_base.graph_exec_destroy(fresh);
    return result;
  }
  return g_base.graph_exec_launch(exec, stream);
}

static _Atomic(xhal_stream_t) g_launched_on;

static xhal_result_t launch_remembered(xhal_graph_exec_t exec, xhal_stream_t stream) {
  atomic_store(&g_launched_on, stream);
  return g_base.graph_exec_launch(exec, stream);
}

static xhal_result_t update_waits_for_launches(xhal_graph_exec_t exec, xhal_graph_t graph,
                                               xhal_graph_update_info_t* out) {
  xhal_stream_t stream = atomic_load(&g_launched_on);
  if (stream != NULL) g_base.stream_synchronize(stream, kLongEnough);
  return g_base.graph_exec_update(exec, graph, out);
}

static xhal_result_t update_by_any_shape(xhal_graph_exec_t exec, xhal_graph_t graph,
                                         xhal_graph_update_info_t* out) {
  const xhal_result_t result = g_base.graph_exec_update(exec, graph, out);
  return result == XHAL_ERROR_GRAPH_UPDATE_FAILED ? XHAL_SUCCESS : result;
}

static xhal_result_t update_names_no_node(xhal_graph_exec_t exec, xhal_graph_t graph,
                                          xhal_graph_update_info_t* out) {
  (void)out;
  return g_base.graph_exec_update(exec, graph, NULL);
}

static xhal_result_t exec_destroy_waits(xhal_graph_exec_t exec) {
  xhal_stream_t stream = atomic_exchange(&g_launched_on, NULL);
  if (stream != NULL) g_base.stream_synchronize(stream, kLongEnough);
  return g_base.graph_exec_destroy(exec);
}

static xhal_result_t record_without_external(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  return flags == XHAL_EVENT_EXTERNAL && capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE
             ? XHAL_SUCCESS
             : g_base.event_record(event, stream, flags);
}

static xhal_result_t wait_without_external(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  return flags == XHAL_EVENT_EXTERNAL && capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE
             ? XHAL_SUCCESS
             : g_base.stream_wait_event(stream, event, flags);
}

static xhal_result_t count_a_node_more(xhal_graph_t graph, xhal_graph_info_t* out) {
  const xhal_result_t result = g_base.graph_get_info(graph, out);
  if (result == XHAL_SUCCESS) ++out->node_count;
  return result;
}

typedef struct two_pieces {
  xhal_text_sink_fn sink;
  void* user;
} two_pieces_t;

static int32_t in_two_pieces(void* user, const char* text, uint64_t length) {
  const two_pieces_t* to = user;
  to->sink(to->user, text, length / 2);
  to->sink(to->user, text + length / 2, length - length / 2);
  return 0;
}

static xhal_result_t dump_in_two_pieces(xhal_graph_t graph, xhal_text_sink_fn sink, void* user) {
  two_pieces_t to = {sink, user};
  return sink == NULL ? g_base.graph_dump(graph, sink, user) : g_base.graph_dump(graph, in_two_pieces, &to);
}

/* ---- Pools ---- */

/* One block that was freed and is given to whoever asks next, or that all captures share. */
static _Atomic(void*) g_block;
static _Atomic(xhal_pool_t) g_block_pool;

static xhal_result_t allocate_what_was_freed(xhal_pool_t pool, xhal_stream_t stream, uint64_t size,
                                             void** out) {
  if (out != NULL && size == 1u << 20 && atomic_load(&g_block_pool) == pool) {
    void* block = atomic_exchange(&g_block, NULL);
    if (block != NULL) {
      *out = block;
      return XHAL_SUCCESS;
    }
  }
  return g_base.pool_allocate(pool, stream, size, out);
}

static xhal_result_t free_for_anybody(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  if (atomic_load(&g_block_pool) != NULL) return g_base.pool_free(pool, stream, pointer);
  atomic_store(&g_block, pointer);
  atomic_store(&g_block_pool, pool);
  return XHAL_SUCCESS;
}

static xhal_result_t pool_free_waits(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  g_base.stream_synchronize(stream, kLongEnough);
  return g_base.pool_free(pool, stream, pointer);
}

static xhal_result_t pool_without_limit(xhal_device_t device, const xhal_pool_desc_t* desc,
                                        xhal_pool_t* out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc)) return g_base.pool_create(device, desc, out);
  xhal_pool_desc_t open = *desc;
  open.max_bytes = 0;
  return g_base.pool_create(device, &open, out);
}

static xhal_result_t used_bytes_are_rounded(xhal_pool_t pool, xhal_pool_info_t* out) {
  const xhal_result_t result = g_base.pool_get_info(pool, out);
  if (result == XHAL_SUCCESS) out->used_bytes = (out->used_bytes + 255) / 256 * 256;
  return result;
}

static xhal_result_t peaks_fall(xhal_pool_t pool, xhal_pool_info_t* out) {
  const xhal_result_t result = g_base.pool_get_info(pool, out);
  if (result == XHAL_SUCCESS) out->peak_used_bytes = out->used_bytes;
  return result;
}

static xhal_result_t trim_not_below_a_megabyte(xhal_pool_t pool, uint64_t keep_bytes) {
  return g_base.pool_trim(pool, keep_bytes < 1u << 20 ? 1u << 26 : keep_bytes);
}

static xhal_result_t pool_free_anything(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  const xhal_result_t result = g_base.pool_free(pool, stream, pointer);
  return result == XHAL_ERROR_INVALID_POINTER ? XHAL_SUCCESS : result;
}

static xhal_result_t attributes_in_pages(xhal_driver_t driver, const void* pointer,
                                         xhal_pointer_attributes_t* out) {
  const xhal_result_t result = g_base.driver_get_pointer_attributes(driver, pointer, out);
  if (result == XHAL_SUCCESS) out->size = (out->size + 4095) / 4096 * 4096;
  return result;
}

static xhal_result_t allocate_shared_in_captures(xhal_pool_t pool, xhal_stream_t stream, uint64_t size,
                                                 void** out) {
  if (capture_state(stream) != XHAL_CAPTURE_STATE_ACTIVE)
    return g_base.pool_allocate(pool, stream, size, out);
  if (atomic_load(&g_block) == NULL) {
    void* block = NULL;
    const xhal_result_t result = g_base.pool_allocate(pool, default_stream_of(stream), size, &block);
    if (result != XHAL_SUCCESS) return result;
    atomic_store(&g_block, block);
  }
  *out = atomic_load(&g_block);
  return XHAL_SUCCESS;
}

static xhal_result_t free_nothing_in_captures(xhal_pool_t pool, xhal_stream_t stream, void* pointer) {
  return capture_state(stream) == XHAL_CAPTURE_STATE_ACTIVE ? XHAL_SUCCESS
                                                            : g_base.pool_free(pool, stream, pointer);
}

static xhal_result_t allocate_for_any_stream(xhal_pool_t pool, xhal_stream_t stream, uint64_t size,
                                             void** out) {
  const xhal_result_t result = g_base.pool_allocate(pool, stream, size, out);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

/* ---- Values, regions, priorities ---- */

static xhal_result_t wait_for_the_low_half(xhal_stream_t stream, const void* address, uint64_t value,
                                           uint32_t comparison, uint32_t width) {
  return g_base.stream_wait_value(stream, address, width == 8 ? value & 0xFFFFFFFFu : value, comparison,
                                  width == 8 ? 4 : width);
}

static xhal_result_t write_eight_bytes(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  return g_base.stream_write_value(stream, address, value,
                                   width == 4 && (uintptr_t)address % 8 == 0 ? 8 : width);
}

static xhal_result_t write_on_another_stream(xhal_stream_t stream, void* address, uint64_t value,
                                             uint32_t width) {
  xhal_stream_t other = default_stream_of(stream);
  const xhal_result_t result = g_base.stream_write_value(other, address, value, width);
  if (result == XHAL_SUCCESS) g_base.stream_synchronize(other, kLongEnough);
  return result;
}

static xhal_result_t write_anywhere(xhal_stream_t stream, void* address, uint64_t value, uint32_t width) {
  const xhal_result_t result = g_base.stream_write_value(stream, address, value, width);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

static xhal_result_t copy_one_slice(xhal_stream_t stream, const xhal_copy_region_t* region) {
  if (region == NULL || region->struct_size != sizeof(*region) || region->extent[2] < 2)
    return g_base.memory_copy_region(stream, region);
  xhal_copy_region_t one = *region;
  one.extent[2] = 1;
  return g_base.memory_copy_region(stream, &one);
}

/* Rows as long as the smaller pitch, where that does not leave an allocation: all but the last one. */
static xhal_result_t copy_with_gaps(xhal_stream_t stream, const xhal_copy_region_t* region) {
  const xhal_result_t result = g_base.memory_copy_region(stream, region);
  if (result != XHAL_SUCCESS || region->extent[1] < 2) return result;
  xhal_copy_region_t wide = *region;
  wide.extent[0] =
      region->source_pitch < region->destination_pitch ? region->source_pitch : region->destination_pitch;
  --wide.extent[1];
  return g_base.memory_copy_region(stream, &wide);
}

static xhal_result_t copy_any_pitch(xhal_stream_t stream, const xhal_copy_region_t* region) {
  const xhal_result_t result = g_base.memory_copy_region(stream, region);
  return result == XHAL_ERROR_INVALID_ARGUMENT ? XHAL_SUCCESS : result;
}

static xhal_result_t create_without_priority(xhal_device_t device, const xhal_stream_desc_t* desc,
                                             xhal_stream_t* out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc)) return g_base.stream_create(device, desc, out);
  xhal_stream_desc_t plain = *desc;
  plain.priority = 0;
  return g_base.stream_create(device, &plain, out);
}

/* ---- Activity ---- */

/* One subscriber: what it asked for, and how its records are spoilt on the way. */
static xhal_activity_desc_t g_subscriber;
static void (*g_spoil)(xhal_activity_record_t* record);

static void spoil_records(void* user, const xhal_activity_record_t* records, uint32_t count,
                          uint32_t stride) {
  (void)user;
  const char* at = (const char*)records;
  for (uint32_t i = 0; i < count; ++i, at += stride) {
    xhal_activity_record_t record;
    memcpy(&record, at, sizeof(record));
    g_spoil(&record);
    g_subscriber.callback(g_subscriber.user, &record, 1, sizeof(record));
  }
}

static xhal_result_t subscribe_spoilt(xhal_device_t device, const xhal_activity_desc_t* desc,
                                      xhal_subscription_t* out, void (*spoil)(xhal_activity_record_t*)) {
  if (desc == NULL || desc->struct_size != sizeof(*desc) || desc->callback == NULL)
    return g_base.activity_subscribe(device, desc, out);
  g_subscriber = *desc;
  g_spoil = spoil;
  xhal_activity_desc_t mine = *desc;
  mine.callback = spoil_records;
  return g_base.activity_subscribe(device, &mine, out);
}

static void tell_it_before(xhal_activity_record_t* record) {
  g_subscriber.callback(g_subscriber.user, record, 1, sizeof(*record));
}
static xhal_result_t subscribe_twice_told(xhal_device_t device, const xhal_activity_desc_t* desc,
                                          xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, tell_it_before);
}

static void forget_the_stream(xhal_activity_record_t* record) { record->stream_id = 0; }
static xhal_result_t subscribe_without_streams(xhal_device_t device, const xhal_activity_desc_t* desc,
                                               xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, forget_the_stream);
}

static void turn_around(xhal_activity_record_t* record) {
  const uint64_t begin = record->begin_ns;
  record->begin_ns = record->end_ns + 1;
  record->end_ns = begin;
}
static xhal_result_t subscribe_backwards(xhal_device_t device, const xhal_activity_desc_t* desc,
                                         xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, turn_around);
}

static void forget_the_id(xhal_activity_record_t* record) { record->correlation_id = 1; }
static xhal_result_t subscribe_without_ids(xhal_device_t device, const xhal_activity_desc_t* desc,
                                           xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, forget_the_id);
}

/* The id that some thread exchanged last, given to all. */
static _Atomic(uint64_t) g_everybodys;

static xhal_result_t exchange_for_everybody(xhal_driver_t driver, uint64_t id, uint64_t* out_former) {
  const xhal_result_t result = g_base.driver_exchange_correlation(driver, id, out_former);
  if (result == XHAL_SUCCESS && id != 0) atomic_store(&g_everybodys, id);
  return result;
}
static void give_everybodys(xhal_activity_record_t* record) {
  record->external_correlation = atomic_load(&g_everybodys);
}
static xhal_result_t subscribe_to_everybodys(xhal_device_t device, const xhal_activity_desc_t* desc,
                                             xhal_subscription_t* out) {
  return subscribe_spoilt(device, desc, out, give_everybodys);
}

static xhal_result_t clocks_two_seconds_off(xhal_device_t device, xhal_clocks_t* out) {
  const xhal_result_t result = g_base.device_get_clocks(device, out);
  if (result == XHAL_SUCCESS) out->host_ns += 2000000000u;
  return result;
}

static xhal_result_t subscribe_to_known_kinds(xhal_device_t device, const xhal_activity_desc_t* desc,
                                              xhal_subscription_t* out) {
  if (desc == NULL || desc->struct_size != sizeof(*desc)) return g_base.activity_subscribe(device, desc, out);
  xhal_activity_desc_t known = *desc;
  known.kinds &= 0x7F;
  return g_base.activity_subscribe(device, &known, out);
}

/* ---- The table ---- */

static const mutant_t kMutants[] = {
#define MUTANT(name, base, test, ...) {#name, {__VA_ARGS__}},
#include "../feature_mutants.def"
};

const mutant_t* find_feature_mutant(const char* name) {
  for (size_t i = 0; i < sizeof(kMutants) / sizeof(kMutants[0]); ++i) {
    if (strcmp(kMutants[i].name, name) == 0) return &kMutants[i];
  }
  return NULL;
}
