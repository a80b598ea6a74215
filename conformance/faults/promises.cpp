// SPDX-License-Identifier: Apache-2.0
// Lies about promises that the other parts leave alone. Each function does what the base driver does, but for one lie.
#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

bool is_failure(xhal_result_t result) {
  return result <= XHAL_ERROR_LAUNCH_FAILED && result >= XHAL_ERROR_DEVICE_LOST;
}
uint64_t word_of(const void* pointer) { return reinterpret_cast<uintptr_t>(pointer); }

// ---- Devices ----

xhal_result_t unknown_places_are_made_up(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result != XHAL_SUCCESS || !is_whole(out) || out->pci_domain != XHAL_PCI_UNKNOWN) return result;
  out->pci_domain = 0;
  out->pci_bus = 0x1FF;
  return result;
}

xhal_result_t priorities_are_upside_down(xhal_device_t device, xhal_device_properties_t* out) {
  const xhal_result_t result = next::device_get_properties(device, out);
  if (result == XHAL_SUCCESS && is_whole(out)) std::swap(out->priority_least, out->priority_greatest);
  return result;
}

xhal_result_t devices_are_always_active(xhal_device_t device, uint32_t* out) {
  const xhal_result_t result = next::device_is_active(device, out);
  if (result == XHAL_SUCCESS) *out = 1;
  return result;
}

// Each second list of all devices.
xhal_result_t enumerations_turn_around(xhal_driver_t driver, uint32_t capacity, xhal_device_t* out,
                                       uint32_t* out_count) {
  const xhal_result_t result = next::driver_get_devices(driver, capacity, out, out_count);
  if (result == XHAL_SUCCESS && out != nullptr && capacity >= *out_count &&
      own<std::atomic<uint32_t>>(driver)++ % 2 == 1)
    std::reverse(out, out + *out_count);
  return result;
}

xhal_result_t stream_waits_for_its_device(xhal_stream_t stream, uint64_t timeout_ns) {
  const xhal_result_t result = next::stream_synchronize(stream, timeout_ns);
  if (result != XHAL_SUCCESS) return result;
  return below(stream).device_synchronize(device_of(stream), timeout_ns);
}

xhal_result_t stream_waits_for_other_devices(xhal_stream_t stream, uint64_t timeout_ns) {
  xhal_driver_t driver = here(stream).driver.load();
  std::array<xhal_device_t, 16> all{};
  uint32_t count = 0;
  if (driver != nullptr && below(stream).driver_get_devices(driver, all.size(), all.data(), &count) >= 0) {
    for (uint32_t i = 0; i < count && i < all.size(); ++i) {
      if (all[i] == device_of(stream)) continue;
      if (const xhal_result_t result = below(stream).device_synchronize(all[i], timeout_ns);
          result == XHAL_TIMEOUT)
        return result;
    }
  }
  return next::stream_synchronize(stream, timeout_ns);
}

xhal_result_t note_default_stream(xhal_device_t device, xhal_stream_t* out) {
  const xhal_result_t result = next::device_get_default_stream(device, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out);
  return result;
}
xhal_result_t default_streams_wait_for_nothing(xhal_stream_t stream, xhal_event_t event, uint32_t flags) {
  if (notes(stream).of(stream) != 0) return XHAL_ERROR_INVALID_HANDLE;
  return next::stream_wait_event(stream, event, flags);
}

// ---- Telemetry and activity ----

template <class Change>
xhal_result_t changed_metrics(xhal_device_t device, uint32_t count, uint32_t stride, xhal_metric_t* metrics,
                              uint32_t which, const Change& change) {
  const xhal_result_t result = next::device_read_metrics(device, count, stride, metrics);
  for (uint32_t i = 0; result == XHAL_SUCCESS && i < count; ++i) {
    auto* one = reinterpret_cast<xhal_metric_t*>(reinterpret_cast<char*>(metrics) + size_t{stride} * i);
    if (one->metric == which && one->status == XHAL_SUCCESS) change(one->value);
  }
  return result;
}
xhal_result_t utilisation_has_another_unit(xhal_device_t device, uint32_t count, uint32_t stride,
                                           xhal_metric_t* metrics) {
  return changed_metrics(device, count, stride, metrics, XHAL_METRIC_UTILIZATION,
                         [](int64_t& value) { value = value * 1000 + 1001; });
}
xhal_result_t process_memory_stands_still(xhal_device_t device, uint32_t count, uint32_t stride,
                                          xhal_metric_t* metrics) {
  return changed_metrics(device, count, stride, metrics, XHAL_METRIC_PROCESS_MEMORY,
                         [](int64_t& value) { value = 4096; });
}

xhal_result_t subscriptions_never_end(xhal_subscription_t subscription) {
  (void)subscription;
  return XHAL_SUCCESS;
}

// ---- Host functions ----

// Called once for a submission, and for a captured one once for each launch: it stays until the process ends.
struct Wrapped {
  Wrapped(xhal_host_fn given, void* given_user) : function(given), user(given_user) {}
  xhal_host_fn function;
  void* user;
  std::atomic<bool> began{false};
};
void call_with_a_doubt(void* user, xhal_result_t status) {
  const auto& wrapped = *static_cast<const Wrapped*>(user);
  wrapped.function(wrapped.user, status == XHAL_SUCCESS ? XHAL_INCOMPLETE : status);
}
struct AllWrapped {
  std::mutex lock;
  std::vector<std::unique_ptr<Wrapped>> all;
};
xhal_result_t functions_hear_of_doubts(xhal_stream_t stream, xhal_host_fn function, void* user) {
  if (function == nullptr) return next::stream_host_function(stream, function, user);
  auto& wrapped = own<AllWrapped>(stream);
  const std::lock_guard guard(wrapped.lock);
  wrapped.all.push_back(std::make_unique<Wrapped>(function, user));
  return next::stream_host_function(stream, call_with_a_doubt, wrapped.all.back().get());
}

void call_and_tell(void* user, xhal_result_t status) {
  auto& wrapped = *static_cast<Wrapped*>(user);
  wrapped.began.store(true);
  wrapped.function(wrapped.user, status);
}
// The function has begun when the call returns, so that the stream is caught in not waiting for it.
xhal_result_t functions_hold_no_stream(xhal_stream_t stream, xhal_host_fn function, void* user) {
  xhal_stream_t other = nullptr;
  if (function == nullptr || is_capturing(stream) ||
      below(stream).stream_create(device_of(stream), nullptr, &other) != XHAL_SUCCESS)
    return next::stream_host_function(stream, function, user);
  auto& wrapped = own<AllWrapped>(stream);
  Wrapped* mine = nullptr;
  {
    const std::lock_guard guard(wrapped.lock);
    mine = wrapped.all.emplace_back(std::make_unique<Wrapped>(function, user)).get();
  }
  const xhal_result_t result = below(stream).stream_host_function(other, call_and_tell, mine);
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  while (result == XHAL_SUCCESS && !mine->began.load() && std::chrono::steady_clock::now() < until)
    std::this_thread::yield();
  below(stream).stream_destroy(other);
  if (result == XHAL_SUCCESS) lose_order(stream);
  return result;
}

// ---- Memory ----

struct Latest {
  std::mutex lock;
  void* pointer = nullptr;
  uint64_t size = 0;
  uint32_t kind = 0;
  uint32_t users = 0;
};
xhal_result_t allocate_what_looks_the_same(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  if (!is_whole(desc) || out == nullptr) return next::memory_allocate(device, desc, out);
  auto& latest = own<Latest>(device);
  const std::lock_guard guard(latest.lock);
  if (latest.users > 0 && latest.size == desc->size && latest.kind == desc->kind) {
    ++latest.users;
    *out = latest.pointer;
    return XHAL_SUCCESS;
  }
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  if (result == XHAL_SUCCESS && latest.users == 0) {
    latest.pointer = *out;
    latest.size = desc->size;
    latest.kind = desc->kind;
    latest.users = 1;
  }
  return result;
}
xhal_result_t free_what_looks_the_same(xhal_device_t device, void* pointer) {
  auto& latest = own<Latest>(device);
  const std::lock_guard guard(latest.lock);
  if (pointer != nullptr && pointer == latest.pointer && latest.users > 0 && --latest.users > 0)
    return XHAL_SUCCESS;
  return next::memory_free(device, pointer);
}

xhal_result_t fills_overtake(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                             uint64_t size) {
  if (is_capturing(stream)) return next::memory_fill(stream, destination, pattern, width, size);
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_fill(other, destination, pattern, width, size);
  });
}

// The first allocation that lives is written to whenever another one goes.
struct Victim {
  std::mutex lock;
  void* pointer = nullptr;
};
xhal_result_t allocate_a_victim(xhal_device_t device, const xhal_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_allocate(device, desc, out);
  auto& victim = own<Victim>(device);
  const std::lock_guard guard(victim.lock);
  if (result == XHAL_SUCCESS && victim.pointer == nullptr && desc->kind == XHAL_MEMORY_DEVICE)
    victim.pointer = *out;
  return result;
}
xhal_result_t free_writes_elsewhere(xhal_device_t device, void* pointer) {
  auto& victim = own<Victim>(device);
  const std::lock_guard guard(victim.lock);
  if (pointer != nullptr && pointer == victim.pointer) victim.pointer = nullptr;
  xhal_stream_t stream = nullptr;
  if (victim.pointer != nullptr && below(device).stream_create(device, nullptr, &stream) == XHAL_SUCCESS) {
    below(device).memory_fill(stream, victim.pointer, 0xEE, 1, 1);
    below(device).stream_synchronize(stream, kLongEnoughNs);
    below(device).stream_destroy(stream);
  }
  return next::memory_free(device, pointer);
}

xhal_result_t unregistering_writes(xhal_device_t device, void* pointer) {
  const xhal_result_t result = next::memory_unregister(device, pointer);
  if (result == XHAL_SUCCESS) *static_cast<unsigned char*>(pointer) ^= 0x5A;
  return result;
}

xhal_result_t note_mapping(xhal_device_t device, void* pointer, uint64_t size, xhal_physical_t physical,
                           uint64_t offset) {
  const xhal_result_t result = next::vmm_map(device, pointer, size, physical, offset);
  if (result == XHAL_SUCCESS) notes(device).put(pointer, size);
  return result;
}
xhal_result_t access_of_one_mapping(xhal_device_t device, void* pointer, uint64_t size,
                                    xhal_device_t accessor, uint32_t access) {
  const uint64_t mapped = notes(device).of(pointer);
  if (mapped != 0 && size > mapped) return XHAL_ERROR_INVALID_POINTER;
  return next::vmm_set_access(device, pointer, size, accessor, access);
}

xhal_result_t enabling_is_a_promise(xhal_device_t device, xhal_device_t peer) {
  const xhal_result_t result = next::device_enable_peer(device, peer);
  if (result == XHAL_SUCCESS) next::device_disable_peer(device, peer);
  return result;
}

// ---- Pools ----

xhal_result_t pool_waits_for_its_stream(xhal_pool_t pool, xhal_stream_t stream, uint64_t size, void** out) {
  if (!is_capturing(stream)) below(pool).stream_synchronize(stream, kLongEnoughNs);
  return next::pool_allocate(pool, stream, size, out);
}

xhal_result_t note_pool(xhal_device_t device, const xhal_pool_desc_t* desc, xhal_pool_t* out) {
  const xhal_result_t result = next::pool_create(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out, word_of(device));
  return result;
}
xhal_result_t pools_end_when_all_is_done(xhal_pool_t pool) {
  if (const uint64_t device = notes(pool).take(pool); device != 0)
    below(pool).device_synchronize(reinterpret_cast<xhal_device_t>(device), kLongEnoughNs);
  return next::pool_destroy(pool);
}

// ---- Kernels and failures ----

xhal_result_t note_module(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out) {
  const xhal_result_t result = next::module_load(device, desc, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out, word_of(device));
  return result;
}
xhal_result_t note_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  const xhal_result_t result = next::module_get_kernel(module, name, out);
  if (result == XHAL_SUCCESS) notes(module).put(*out, notes(module).of(module));
  return result;
}
xhal_result_t launch_on_any_device(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  const bool is_elsewhere = notes(stream).of(kernel) != word_of(device_of(stream));
  return is_elsewhere ? ignoring(result, XHAL_ERROR_INVALID_ARGUMENT) : result;
}

xhal_result_t note_launch(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  if (result == XHAL_SUCCESS && !is_capturing(stream)) notes(stream).put(stream);
  return result;
}
xhal_result_t copies_overtake_kernels(xhal_stream_t stream, void* destination, const void* source,
                                      uint64_t size) {
  if (is_capturing(stream) || notes(stream).take(stream) == 0)
    return next::memory_copy(stream, destination, source, size);
  return ahead_of(stream, [&](xhal_stream_t other) {
    return below(stream).memory_copy(other, destination, source, size);
  });
}

xhal_result_t any_global_is_there(xhal_module_t module, const char* name, void** out_pointer,
                                  uint64_t* out_size) {
  const xhal_result_t result = next::module_get_global(module, name, out_pointer, out_size);
  return ignoring(ignoring(result, XHAL_ERROR_NOT_FOUND), XHAL_ERROR_UNSUPPORTED);
}

// As if the code of an image were loaded once: who asks by a second module is told of the first one's variable.
struct FirstGlobals {
  std::mutex lock;
  std::map<std::string, void*> by_name;
};
xhal_result_t modules_share_their_globals(xhal_module_t module, const char* name, void** out_pointer,
                                          uint64_t* out_size) {
  const xhal_result_t result = next::module_get_global(module, name, out_pointer, out_size);
  if (result != XHAL_SUCCESS) return result;
  auto& first = own<FirstGlobals>(module);
  const std::lock_guard guard(first.lock);
  *out_pointer = first.by_name.emplace(name, *out_pointer).first->second;
  return result;
}

xhal_result_t globals_are_rounded_up(xhal_module_t module, const char* name, void** out_pointer,
                                     uint64_t* out_size) {
  const xhal_result_t result = next::module_get_global(module, name, out_pointer, out_size);
  if (result == XHAL_SUCCESS) *out_size = (*out_size + 255) / 256 * 256;
  return result;
}

xhal_result_t launches_tell_their_failure(xhal_stream_t stream, xhal_kernel_t kernel,
                                          const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  if (result != XHAL_SUCCESS || is_capturing(stream)) return result;
  const xhal_result_t done = below(stream).stream_synchronize(stream, 20'000'000);
  return is_failure(done) ? done : result;
}

// The first failure that a stream tells of is that of every stream from then on.
xhal_result_t failures_stay(xhal_stream_t stream, uint64_t timeout_ns) {
  auto& first = own<std::atomic<xhal_result_t>>(stream);
  const xhal_result_t result = next::stream_synchronize(stream, timeout_ns);
  if (is_failure(result)) first.store(result);
  const xhal_result_t told = first.load();
  return result == XHAL_SUCCESS && told != 0 ? told : result;
}

xhal_result_t lost_streams_are_idle(xhal_stream_t stream) {
  return ignoring(next::stream_query(stream), XHAL_ERROR_DEVICE_LOST);
}

// ---- Other processes and somebody else's objects ----

// What a handle's first byte is mixed with, by where the bytes lie.
unsigned char place_of(const void* bytes) { return static_cast<unsigned char>(word_of(bytes) >> 4); }

xhal_result_t export_for_this_place(xhal_device_t device, const void* pointer, uint64_t capacity, void* out) {
  const xhal_result_t result = next::ipc_export_memory(device, pointer, capacity, out);
  if (result == XHAL_SUCCESS) *static_cast<unsigned char*>(out) ^= place_of(out);
  return result;
}
xhal_result_t import_from_this_place(xhal_device_t device, const void* bytes, uint64_t size, void** out) {
  if (bytes == nullptr || size == 0) return next::ipc_import_memory(device, bytes, size, out);
  const auto* given = static_cast<const unsigned char*>(bytes);
  std::vector<unsigned char> mixed(given, given + size);
  mixed.front() ^= place_of(bytes);
  return next::ipc_import_memory(device, mixed.data(), size, out);
}

xhal_result_t imports_are_cut(xhal_device_t device, const xhal_external_memory_desc_t* desc, void** out) {
  const xhal_result_t result = next::memory_import_external(device, desc, out);
  if (!is_whole(desc) || (result != XHAL_ERROR_INVALID_ARGUMENT && result != XHAL_ERROR_IO)) return result;
  xhal_external_memory_desc_t less = *desc;
  less.offset = 0;
  less.size = 4096;
  return next::memory_import_external(device, &less, out);
}

struct Descriptors {
  std::mutex lock;
  const void* pointer = nullptr;
  uint32_t type = 0;
  int32_t fd = -1;
  uint64_t offset = 0;
};
xhal_result_t exports_share_a_descriptor(xhal_device_t device, const void* pointer, uint32_t type,
                                         int32_t* out_fd, uint64_t* out_offset) {
  auto& known = own<Descriptors>(device);
  const std::lock_guard guard(known.lock);
  if (known.fd >= 0 && known.pointer == pointer && known.type == type && out_fd != nullptr &&
      out_offset != nullptr) {
    *out_fd = known.fd;
    *out_offset = known.offset;
    return XHAL_SUCCESS;
  }
  const xhal_result_t result = next::memory_export_external(device, pointer, type, out_fd, out_offset);
  if (result == XHAL_SUCCESS) {
    known.pointer = pointer;
    known.type = type;
    known.fd = *out_fd;
    known.offset = *out_offset;
  }
  return result;
}

xhal_result_t note_wrapper(xhal_device_t device, const xhal_native_t* native, xhal_stream_t* out) {
  const xhal_result_t result = next::stream_import_native(device, native, out);
  if (result == XHAL_SUCCESS) notes(device).put(*out);
  return result;
}
xhal_result_t wrappers_end_when_all_is_done(xhal_stream_t stream) {
  if (notes(stream).take(stream) != 0) next::stream_synchronize(stream, kLongEnoughNs);
  return next::stream_destroy(stream);
}

}  // namespace

const std::span<const Lie> kPromisesLies = [] {
  static const Lie kLies[] = {
#include "table/promises.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
