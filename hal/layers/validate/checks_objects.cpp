// SPDX-License-Identifier: Apache-2.0
// Handles: what was made where, what is gone, whose device it is.
#include <algorithm>
#include <cstddef>
#include <mutex>

#include "checks.hpp"
#include "xhal/ext/host_function.h"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {

using layers::type_name;

namespace {

const xhal_handle_header_t* header_of(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle);
}

std::string name_of(uint32_t type, const void* handle) {
  return std::string(type_name(type)) + " " + hex(handle);
}

uint32_t resets_of(const Attachment& attachment, const void* device) {
  const auto found = attachment.device_resets.find(device);
  return found != attachment.device_resets.end() ? found->second : 0;
}

// libxhal turns a destroyed handle away before any layer sees it, with a text that cannot say where it was destroyed, and once its slot is
// in use again lets it pass. So a destroyed handle keeps the way to this layer, which knows it; only where nobody else has changed it
// meanwhile. report_leaks() takes the way back.
bool exchange_table(const void* handle, const xhal_table_t* from, const xhal_table_t* to) {
  auto* header = const_cast<xhal_handle_header_t*>(header_of(handle));
  return __atomic_compare_exchange_n(&header->table, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

// [XHAL-PEER-2]
void check_two_devices(Call& call, const void* device, const void* peer) {
  if (device != peer) return;
  call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
             device_name(call.attachment(), device) + " is no peer of its own");
}

// Asked once, when libxhal lists the devices of a new instance.
void ask_for_host_functions(Call& call, xhal_driver_t driver) {
  {
    const std::lock_guard guard(layer_lock());
    if (call.attachment().driver != nullptr) return;
  }
  const void* table = nullptr;
  if (call.next().driver_get_extension(driver, XHAL_HOST_FUNCTION_NAME, XHAL_HOST_FUNCTION_VERSION, &table) !=
      XHAL_SUCCESS)
    return;
  const auto* told = static_cast<const xhal_host_function_t*>(table);
  constexpr size_t kSmallest = offsetof(xhal_host_function_t, is_inside) + sizeof(told->is_inside);
  if (told != nullptr && told->struct_size >= kSmallest)
    call.attachment().is_in_host_function = told->is_inside;
}

}  // namespace

const void* device_of(const void* handle) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(handle);
  return object != nullptr ? object->device : nullptr;
}

std::optional<uint32_t> event_flags(const void* event) {
  const std::lock_guard guard(layer_lock());
  const Object* object = world().find(event);
  return object != nullptr ? object->flags : std::nullopt;
}

void check_handle(Call& call, const void* handle, uint32_t type, const char* parameter) {
  const Attachment& attachment = call.attachment();
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(handle);
  if (object == nullptr || object->type != type || object->owner != &attachment) return;
  const bool is_destroy = layers::destroys(call.entry());
  if (object->state == State::kEnded) {
    const Kind kind = is_destroy ? Kind::kDoubleDestroy : Kind::kDestroyedHandle;
    const std::string text =
        std::string(parameter) + " is " + name_of(type, handle) + ", which was destroyed";
    call.must_refuse(XHAL_ERROR_INVALID_HANDLE, std::string(info_of(kind).code) + ": " + text);
    call.found(kind, XHAL_ERROR_INVALID_HANDLE, text, &object->made, &object->ended);
    return;
  }
  if (object->state == State::kEnding) {
    call.found(
        Kind::kDestroyInUse, XHAL_ERROR_INVALID_HANDLE,
        std::string(parameter) + " is " + name_of(type, handle) + ", which another thread is destroying now",
        &object->made, &object->ended);
  } else if (object->owned && !is_destroy && object->resets != resets_of(attachment, object->device)) {
    call.found(Kind::kResetObject, XHAL_ERROR_INVALID_HANDLE,
               std::string(parameter) + " is " + name_of(type, handle) + ", made before its device was reset",
               &object->made);
  }
  call.uses(handle, *object);
}

Ending begin_destroy(Call& call, const void* handle) {
  const Site here = call.site();
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(handle);
  if (object == nullptr || object->state != State::kLive) return {};
  if (object->users > 1) {  // one is this call
    call.found(Kind::kDestroyInUse, XHAL_ERROR_BUSY,
               name_of(object->type, handle) + " is destroyed while " + std::to_string(object->users - 1) +
                   " calls of other threads are inside with it",
               &object->made);
  }
  if (!object->owned) return {};
  object->state = State::kEnding;
  object->ended = here;
  Ending ending{handle, {{handle, header_of(handle)->table}}};
  for (const void* child : world().children_of(handle))
    ending.all.emplace_back(child, header_of(child)->table);
  return ending;
}

void end_destroy(Call& call, const Ending& ending, bool succeeded) {
  if (ending.handle == nullptr) return;
  const std::lock_guard guard(layer_lock());
  Object* object = world().find(ending.handle);
  if (object == nullptr || object->state != State::kEnding) return;
  if (!succeeded) {
    object->state = State::kLive;
    return;
  }
  const Site ended = object->ended;
  if (object->type == XHAL_TYPE_stream) call.attachment().captures.erase(object->capture);
  for (const auto& [handle, table] : ending.all) {
    Object* gone = world().find(handle);
    gone->state = State::kEnded;
    gone->ended = ended;
    exchange_table(handle, kit::services().dead_table, table);
  }
}

void note_given(Call& call, const void* handle, uint32_t type, const void* first) {
  const bool owned = layers::makes_objects(call.entry());
  if (handle == nullptr || header_of(handle)->type != type) {
    call.found(
        Kind::kDriverDefect, XHAL_ERROR_INTERNAL,
        "the driver reports success and gives " +
            (handle == nullptr ? "no " + std::string(type_name(type))
                               : name_of(header_of(handle)->type, handle) + " as a " + type_name(type)));
    return;
  }
  const Site here = owned ? call.site() : Site{};
  Attachment& attachment = call.attachment();
  const std::lock_guard guard(layer_lock());
  const Object* known = world().find(handle);
  if (!owned && known != nullptr && known->state == State::kLive) return;
  if (owned && known != nullptr && known->state == State::kLive && known->owner == &attachment) {
    call.found(Kind::kDriverDefect, XHAL_ERROR_INTERNAL,
               "the driver gives " + name_of(type, handle) + " for the second time, and nobody destroyed it",
               &known->made);
    return;
  }
  Object object;
  object.type = type;
  object.owned = owned;
  object.owner = &attachment;
  const Object* giver = world().find(first);
  object.device = type == XHAL_TYPE_device                     ? handle
                  : header_of(first)->type == XHAL_TYPE_device ? first
                  : giver != nullptr                           ? giver->device
                                                               : nullptr;
  if (type == XHAL_TYPE_kernel) {
    object.parent = first;
    attachment.kernel_limits.erase(handle);  // of the one that had this handle before
  }
  object.resets = resets_of(attachment, object.device);
  object.made = here;
  world().add(handle, object);
}

void check_same_device(Call& call, const void* one, const char* one_name, const void* other,
                       const char* other_name) {
  const std::lock_guard guard(layer_lock());
  const Object* first = world().find(one);
  const Object* second = world().find(other);
  if (first == nullptr || second == nullptr || first->device == nullptr || second->device == nullptr) return;
  if (first->device == second->device) return;
  call.found(Kind::kWrongDevice, XHAL_ERROR_INVALID_ARGUMENT,
             "the " + std::string(one_name) + " is of " + device_name(call.attachment(), first->device) +
                 ", the " + other_name + " of " + device_name(call.attachment(), second->device),
             &second->made);
}

bool check_host_function(Call& call) {
  if (layers::only_asks(call.entry())) return false;
  const auto is_inside = call.attachment().is_in_host_function.load(std::memory_order_relaxed);
  if (is_inside == nullptr || is_inside() == 0) return false;
  call.found(Kind::kCallInHostFunction, XHAL_ERROR_CALL_FORBIDDEN,
             "a host function makes a call that does more than ask");
  return true;
}

bool is_claimed(Call& call, const void* first) {
  const uint32_t feature = layers::info_of(call.entry()).feature;
  if (feature == XHAL_FEATURE_CORE) return true;
  const void* device = device_of(first);
  if (device == nullptr) {  // a call on the driver: of one of its devices
    const std::lock_guard guard(layer_lock());
    const auto& devices = call.attachment().device_indices;
    if (!devices.empty()) device = devices.begin()->first;
  }
  const DeviceLimits limits = limits_of(call, device);
  return !limits.known || limits.has(feature);
}

DeviceLimits limits_of(Call& call, const void* device) {
  Attachment& attachment = call.attachment();
  if (device == nullptr) return {};
  {
    const std::lock_guard guard(layer_lock());
    const auto found = attachment.device_limits.find(device);
    if (found != attachment.device_limits.end()) return found->second;
  }
  xhal_device_properties_t properties = {};
  properties.struct_size = sizeof(properties);
  // The driver writes nothing to a device handle.
  auto* handle = static_cast<xhal_device_t>(const_cast<void*>(device));
  if (call.next().device_get_properties(handle, &properties) != XHAL_SUCCESS) return {};
  DeviceLimits limits;
  limits.known = true;
  limits.index = properties.index;
  limits.priority_least = properties.priority_least;
  limits.priority_greatest = properties.priority_greatest;
  limits.max_group_items = properties.max_group_items;
  std::copy_n(properties.features, XHAL_FEATURE_WORDS, limits.features);
  std::copy_n(properties.max_group_size, 3, limits.max_group_size);
  std::copy_n(properties.max_group_count, 3, limits.max_group_count);
  limits.max_local_bytes = properties.max_local_bytes;
  limits.max_arguments = properties.max_arguments;
  limits.max_argument_bytes = properties.max_argument_bytes;
  limits.ipc_handle_bytes = properties.ipc_handle_bytes;
  const std::lock_guard guard(layer_lock());
  return attachment.device_limits[device] = limits;
}

uint64_t granularity_of(Call& call, const void* device) {
  Attachment& attachment = call.attachment();
  {
    const std::lock_guard guard(layer_lock());
    const auto found = attachment.granularities.find(device);
    if (found != attachment.granularities.end()) return found->second;
  }
  xhal_vmm_granularity_t granularity = {};
  granularity.struct_size = sizeof(granularity);
  auto* handle = static_cast<xhal_device_t>(const_cast<void*>(device));
  if (call.next().vmm_get_granularity(handle, &granularity) != XHAL_SUCCESS) return 0;
  const std::lock_guard guard(layer_lock());
  return attachment.granularities[device] = granularity.minimum;
}

void report_leaks(Attachment& attachment) {
  World::Remains remains;
  {
    const std::lock_guard guard(layer_lock());
    remains = world().remove(&attachment);
    for (const void* handle : remains.ended) {
      const xhal_table_t* table = header_of(handle)->table;
      const xhal_table_t* dead = kit::services().dead_table;
      if (table != dead && table->layer_state[attachment.slot] == &attachment)
        exchange_table(handle, table, dead);
    }
  }
  const auto tell = [&](std::string text, const Site& made) {
    if (!attachment.reporter.wants(Kind::kLeak)) return;
    Finding finding;
    finding.kind = Kind::kLeak;
    finding.text = std::move(text);
    finding.at = made;
    attachment.reporter.tell(finding);
  };
  for (const Object& object : remains.objects) {
    tell("a " + std::string(type_name(object.type)) + " of " + device_name(attachment, object.device) +
             " was never destroyed",
         object.made);
  }
  for (const Memory& memory : remains.memory) {
    tell(std::to_string(memory.size) + " bytes at " + hex(memory.base) + " of " +
             device_name(attachment, memory.device) + " were never released",
         memory.made);
  }
}

// ---- Single entries ------------------------------------------------------------------------------------------------------------------

void after(Call& call, Is<Entry::driver_get_devices> /*entry*/, xhal_result_t result, xhal_driver_t driver,
           uint32_t capacity, xhal_device_t* out_devices, uint32_t* out_count) {
  if (result < 0) return;
  Attachment& attachment = call.attachment();
  ask_for_host_functions(call, driver);
  const std::lock_guard guard(layer_lock());
  attachment.driver = driver;
  if (out_devices == nullptr || out_count == nullptr) return;
  for (uint32_t i = 0; i < std::min(capacity, *out_count); ++i) {
    attachment.device_indices[out_devices[i]] = i;
    if (world().find(out_devices[i]) != nullptr) continue;
    Object device;
    device.type = XHAL_TYPE_device;
    device.owner = &attachment;
    device.device = out_devices[i];
    world().add(out_devices[i], device);
  }
}

void after(Call& call, Is<Entry::device_reset> /*entry*/, xhal_result_t result, xhal_device_t device) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  ++call.attachment().device_resets[device];
  end_captures_of(call.attachment(), device);
}

void after(Call& call, Is<Entry::device_enable_peer> /*entry*/, xhal_result_t result, xhal_device_t device,
           xhal_device_t peer) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  call.attachment().peers.insert({device, peer});
}

void after(Call& call, Is<Entry::device_disable_peer> /*entry*/, xhal_result_t result, xhal_device_t device,
           xhal_device_t peer) {
  if (result < 0) return;
  const std::lock_guard guard(layer_lock());
  call.attachment().peers.erase({device, peer});
}

void before(Call& call, Is<Entry::device_enable_peer> /*entry*/, xhal_device_t device, xhal_device_t peer) {
  check_two_devices(call, device, peer);
}

void before(Call& call, Is<Entry::device_disable_peer> /*entry*/, xhal_device_t device, xhal_device_t peer) {
  check_two_devices(call, device, peer);
}

void after(Call& /*call*/, Is<Entry::event_create> /*entry*/, xhal_result_t result, xhal_device_t /*device*/,
           const xhal_event_desc_t* desc, xhal_event_t* out_event) {
  xhal_event_desc_t read = {};
  if (result < 0 || out_event == nullptr || (desc != nullptr && kit::read_struct(desc, read) != XHAL_SUCCESS))
    return;
  const std::lock_guard guard(layer_lock());
  if (Object* event = world().find(*out_event); event != nullptr) event->flags = read.flags;
}

void before(Call& call, Is<Entry::stream_create> /*entry*/, xhal_device_t device,
            const xhal_stream_desc_t* desc, xhal_stream_t* /*out_stream*/) {
  xhal_stream_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS || read.priority == 0) return;
  const DeviceLimits limits = limits_of(call, device);
  if (!limits.known || (read.priority <= limits.priority_least && read.priority >= limits.priority_greatest))
    return;
  call.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT,
             "priority is " + std::to_string(read.priority) + ", device " + std::to_string(limits.index) +
                 " has priorities from " + std::to_string(limits.priority_greatest) + " to " +
                 std::to_string(limits.priority_least));
}

}  // namespace xhal::validate
