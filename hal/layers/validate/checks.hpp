// SPDX-License-Identifier: Apache-2.0
// What is checked about single entries. before() looks at a call that is about to go on, after() notes what it did.
//
// An entry without an overload here has the rules that hold for all calls (entries.cpp): handles, pointers, structs, flags, objects that it
// makes or destroys, refusals.
#pragma once

#include <optional>
#include <type_traits>

#include "call.hpp"

namespace xhal::validate {

template <Entry kEntry>
using Is = std::integral_constant<Entry, kEntry>;

template <Entry kEntry, class... Arguments>
void before(Call& /*call*/, Is<kEntry> /*entry*/, Arguments... /*arguments*/) {}
template <Entry kEntry, class... Arguments>
void after(Call& /*call*/, Is<kEntry> /*entry*/, xhal_result_t /*result*/, Arguments... /*arguments*/) {}

// ---- Objects (checks_objects.cpp) ----------------------------------------------------------------------------------------------------

void check_handle(Call& call, const void* handle, uint32_t type, const char* parameter);
// A call that destroys its first handle: begins before it goes on, ends with its result.
struct Ending {
  const void* handle = nullptr;
  // The handle and what goes with it, each with the table by which calls reach this layer.
  std::vector<std::pair<const void*, const xhal_table_t*>> all;
};
Ending begin_destroy(Call& call, const void* handle);
void end_destroy(Call& call, const Ending& ending, bool succeeded);
// A handle that a call gave out. `first` is the call's first handle.
void note_given(Call& call, const void* handle, uint32_t type, const void* first);
// Objects of different devices in one call.
void check_same_device(Call& call, const void* one, const char* one_name, const void* other,
                       const char* other_name);
const void* device_of(const void* handle);
// What an event was made with, where that is known.
std::optional<uint32_t> event_flags(const void* event);
// A call inside a host function that does more than ask: refused by that, whatever its other arguments are. [XHAL-HOSTFN-5]
bool check_host_function(Call& call);
// Whether the call's feature is claimed. One that is not is refused by that, whatever its other arguments are. [XHAL-ABI-12]
bool is_claimed(Call& call, const void* first);
// Unknown when the driver does not answer.
DeviceLimits limits_of(Call& call, const void* device);
// Of virtual memory; 0 when the driver does not answer.
uint64_t granularity_of(Call& call, const void* device);
// After the driver was closed: what is left over, and stale handles are libxhal's again.
void report_leaks(Attachment& attachment);

void after(Call& call, Is<Entry::driver_get_devices> entry, xhal_result_t result, xhal_driver_t driver,
           uint32_t capacity, xhal_device_t* out_devices, uint32_t* out_count);
void after(Call& call, Is<Entry::device_reset> entry, xhal_result_t result, xhal_device_t device);
void after(Call& call, Is<Entry::device_enable_peer> entry, xhal_result_t result, xhal_device_t device,
           xhal_device_t peer);
void after(Call& call, Is<Entry::device_disable_peer> entry, xhal_result_t result, xhal_device_t device,
           xhal_device_t peer);
void before(Call& call, Is<Entry::device_enable_peer> entry, xhal_device_t device, xhal_device_t peer);
void before(Call& call, Is<Entry::device_disable_peer> entry, xhal_device_t device, xhal_device_t peer);
void before(Call& call, Is<Entry::stream_create> entry, xhal_device_t device, const xhal_stream_desc_t* desc,
            xhal_stream_t* out_stream);
void after(Call& call, Is<Entry::event_create> entry, xhal_result_t result, xhal_device_t device,
           const xhal_event_desc_t* desc, xhal_event_t* out_event);

// ---- Order: events and captures (checks_order.cpp) --------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::event_record> entry, xhal_event_t event, xhal_stream_t stream,
            uint32_t flags);
void after(Call& call, Is<Entry::event_record> entry, xhal_result_t result, xhal_event_t event,
           xhal_stream_t stream, uint32_t flags);
void before(Call& call, Is<Entry::stream_wait_event> entry, xhal_stream_t stream, xhal_event_t event,
            uint32_t flags);
void after(Call& call, Is<Entry::stream_wait_event> entry, xhal_result_t result, xhal_stream_t stream,
           xhal_event_t event, uint32_t flags);
void before(Call& call, Is<Entry::event_get_elapsed> entry, xhal_event_t start, xhal_event_t end,
            int64_t* out_nanoseconds);
void before(Call& call, Is<Entry::event_synchronize> entry, xhal_event_t event, uint64_t timeout_ns);
void before(Call& call, Is<Entry::event_query> entry, xhal_event_t event);
void before(Call& call, Is<Entry::stream_query> entry, xhal_stream_t stream);
void before(Call& call, Is<Entry::stream_synchronize> entry, xhal_stream_t stream, uint64_t timeout_ns);
void before(Call& call, Is<Entry::stream_destroy> entry, xhal_stream_t stream);
void after(Call& call, Is<Entry::ipc_import_event> entry, xhal_result_t result, xhal_device_t device,
           const void* bytes, uint64_t size, xhal_event_t* out_event);
void before(Call& call, Is<Entry::stream_begin_capture> entry, xhal_stream_t stream, uint32_t mode);
void after(Call& call, Is<Entry::stream_begin_capture> entry, xhal_result_t result, xhal_stream_t stream,
           uint32_t mode);
void before(Call& call, Is<Entry::stream_end_capture> entry, xhal_stream_t stream, xhal_graph_t* out_graph);
void after(Call& call, Is<Entry::stream_end_capture> entry, xhal_result_t result, xhal_stream_t stream,
           xhal_graph_t* out_graph);

void before(Call& call, Is<Entry::driver_exchange_capture_mode> entry, xhal_driver_t driver, uint32_t mode,
            uint32_t* out_former);
// What a refusal says about the captures that the call has to do with. True when it is one that a capture explains.
bool note_refusal(Call& call, xhal_result_t result);
// A device's captures are over when it was reset.
void end_captures_of(Attachment& attachment, const void* device);
// With the lock held: whether the stream is in a capture, as far as is known.
bool is_captured(const Attachment& attachment, const void* stream);

// ---- Allocations (checks_allocation.cpp) --------------------------------------------------------------------------------------------------

// A call that releases memory: what it took out of what is alive comes back when the driver refuses.
struct Release {
  bool taken = false;
  Memory memory;
};
struct Releasing {
  const void* device;  // null: the pool's
  const void* pool;
  const void* stream;  // whose order the release takes part in
  const void* pointer;
  uint64_t size;  // that the caller names; 0: none
};
Release begin_release(Call& call, const Releasing& what);
void end_release(const Release& release, bool succeeded);
// Memory that a call gave out. `pool`: whose it is, null for none.
void note_memory(Call& call, const void* device, const void* pointer, uint64_t size, MemoryKind kind,
                 const void* pool = nullptr);
// Which kinds of memory an entry releases.
uint32_t released_kinds(Entry entry);
// Whether a reserved range goes as a whole, and with nothing mapped in it. With the lock held.
bool may_be_released(Call& call, const Memory& range, uint64_t size);

void before(Call& call, Is<Entry::memory_allocate> entry, xhal_device_t device,
            const xhal_memory_desc_t* desc, void** out_pointer);
void after(Call& call, Is<Entry::memory_allocate> entry, xhal_result_t result, xhal_device_t device,
           const xhal_memory_desc_t* desc, void** out_pointer);
void before(Call& call, Is<Entry::memory_register> entry, xhal_device_t device, void* pointer, uint64_t size,
            uint32_t flags);
void after(Call& call, Is<Entry::memory_register> entry, xhal_result_t result, xhal_device_t device,
           void* pointer, uint64_t size, uint32_t flags);
void before(Call& call, Is<Entry::pool_allocate> entry, xhal_pool_t pool, xhal_stream_t stream, uint64_t size,
            void** out_pointer);
void after(Call& call, Is<Entry::pool_allocate> entry, xhal_result_t result, xhal_pool_t pool,
           xhal_stream_t stream, uint64_t size, void** out_pointer);
void before(Call& call, Is<Entry::pool_free> entry, xhal_pool_t pool, xhal_stream_t stream, void* pointer);
void after(Call& call, Is<Entry::ipc_import_memory> entry, xhal_result_t result, xhal_device_t device,
           const void* bytes, uint64_t size, void** out_pointer);
void after(Call& call, Is<Entry::memory_import_external> entry, xhal_result_t result, xhal_device_t device,
           const xhal_external_memory_desc_t* desc, void** out_pointer);

// ---- Use of memory (checks_memory.cpp) ------------------------------------------------------------------------------------------------------

// Copies take pageable memory, too; everything else wants memory that the driver knows.
enum class Wants : uint8_t { kAnyMemory, kDriverMemory };
struct Place {
  bool known = false;
  MemoryKind kind = MemoryKind::kDevice;
  const void* device = nullptr;
  const void* base = nullptr;
};
struct Use {
  Wants wants = Wants::kDriverMemory;
  const void* device = nullptr;  // whose copies or kernels use it; null: nobody in particular
  uint32_t access = XHAL_ACCESS_NONE;
};
Place check_range(Call& call, const std::string& what, const void* pointer, uint64_t size, const Use& use);
// The same for a call that takes certain kinds of memory only.
Place check_memory_of(Call& call, const std::string& what, const void* pointer, uint64_t size,
                      uint32_t kinds);

void before(Call& call, Is<Entry::memory_copy> entry, xhal_stream_t stream, void* destination,
            const void* source, uint64_t size);
void before(Call& call, Is<Entry::memory_copy_region> entry, xhal_stream_t stream,
            const xhal_copy_region_t* region);
void before(Call& call, Is<Entry::memory_fill> entry, xhal_stream_t stream, void* destination,
            uint64_t pattern, uint32_t pattern_size, uint64_t size);
void before(Call& call, Is<Entry::memory_prefetch> entry, xhal_stream_t stream, const void* pointer,
            uint64_t size, uint32_t to_host);
void before(Call& call, Is<Entry::memory_advise> entry, xhal_device_t device, const void* pointer,
            uint64_t size, uint32_t advice);
void before(Call& call, Is<Entry::stream_wait_value> entry, xhal_stream_t stream, const void* address,
            uint64_t value, uint32_t comparison, uint32_t width);
void before(Call& call, Is<Entry::stream_write_value> entry, xhal_stream_t stream, void* address,
            uint64_t value, uint32_t width);

// ---- Virtual memory (checks_vmm.cpp) ----------------------------------------------------------------------------------------------------

// Reserved addresses, of which only what is mapped is memory. With the lock held.
void check_mapped(Call& call, const std::string& range, uintptr_t begin, uint64_t size, const Use& use);

void before(Call& call, Is<Entry::vmm_reserve> entry, xhal_device_t device, uint64_t size, uint64_t alignment,
            void* hint, void** out_pointer);
void after(Call& call, Is<Entry::vmm_reserve> entry, xhal_result_t result, xhal_device_t device,
           uint64_t size, uint64_t alignment, void* hint, void** out_pointer);
void before(Call& call, Is<Entry::physical_create> entry, xhal_device_t device, uint64_t size, uint32_t flags,
            xhal_physical_t* out_physical);
void after(Call& call, Is<Entry::physical_create> entry, xhal_result_t result, xhal_device_t device,
           uint64_t size, uint32_t flags, xhal_physical_t* out_physical);
void before(Call& call, Is<Entry::vmm_map> entry, xhal_device_t device, void* pointer, uint64_t size,
            xhal_physical_t physical, uint64_t offset);
void after(Call& call, Is<Entry::vmm_map> entry, xhal_result_t result, xhal_device_t device, void* pointer,
           uint64_t size, xhal_physical_t physical, uint64_t offset);
void before(Call& call, Is<Entry::vmm_unmap> entry, xhal_device_t device, void* pointer, uint64_t size);
void after(Call& call, Is<Entry::vmm_unmap> entry, xhal_result_t result, xhal_device_t device, void* pointer,
           uint64_t size);
void before(Call& call, Is<Entry::vmm_set_access> entry, xhal_device_t device, void* pointer, uint64_t size,
            xhal_device_t accessor, uint32_t access);
void after(Call& call, Is<Entry::vmm_set_access> entry, xhal_result_t result, xhal_device_t device,
           void* pointer, uint64_t size, xhal_device_t accessor, uint32_t access);

// ---- Other processes and foreign objects (checks_interop.cpp) ----------------------------------------------------------------------------

void before(Call& call, Is<Entry::ipc_export_memory> entry, xhal_device_t device, const void* pointer,
            uint64_t capacity, void* out_bytes);
void before(Call& call, Is<Entry::ipc_import_memory> entry, xhal_device_t device, const void* bytes,
            uint64_t size, void** out_pointer);
void before(Call& call, Is<Entry::ipc_export_event> entry, xhal_event_t event, uint64_t capacity,
            void* out_bytes);
void before(Call& call, Is<Entry::ipc_import_event> entry, xhal_device_t device, const void* bytes,
            uint64_t size, xhal_event_t* out_event);
void before(Call& call, Is<Entry::stream_import_native> entry, xhal_device_t device,
            const xhal_native_t* native, xhal_stream_t* out_stream);
void before(Call& call, Is<Entry::memory_import_native> entry, xhal_device_t device, void* pointer,
            uint64_t size);
void before(Call& call, Is<Entry::memory_import_external> entry, xhal_device_t device,
            const xhal_external_memory_desc_t* desc, void** out_pointer);
void before(Call& call, Is<Entry::memory_export_external> entry, xhal_device_t device, const void* pointer,
            uint32_t type, int32_t* out_fd, uint64_t* out_offset);
void before(Call& call, Is<Entry::semaphore_import> entry, xhal_device_t device,
            const xhal_external_semaphore_desc_t* desc, xhal_semaphore_t* out_semaphore);

// ---- What is asked of the device (checks_interop.cpp) -------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::device_get_image_formats> entry, xhal_device_t device, uint32_t capacity,
            uint32_t stride, xhal_image_format_t* out_formats, uint32_t* out_count);
void before(Call& call, Is<Entry::device_get_notes> entry, xhal_device_t device, uint32_t capacity,
            uint32_t stride, xhal_device_note_t* out_notes, uint32_t* out_count);
void before(Call& call, Is<Entry::device_read_metrics> entry, xhal_device_t device, uint32_t count,
            uint32_t stride, xhal_metric_t* metrics);
void before(Call& call, Is<Entry::activity_subscribe> entry, xhal_device_t device,
            const xhal_activity_desc_t* desc, xhal_subscription_t* out_subscription);

// ---- Launches (checks_launch.cpp) -------------------------------------------------------------------------------------------------------------

void before(Call& call, Is<Entry::kernel_launch> entry, xhal_stream_t stream, xhal_kernel_t kernel,
            const xhal_launch_t* launch);
void before(Call& call, Is<Entry::module_load> entry, xhal_device_t device, const xhal_module_desc_t* desc,
            xhal_module_t* out_module);

}  // namespace xhal::validate
