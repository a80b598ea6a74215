// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <new>

#include "state.hpp"
#include "xhal/ext/host_function.h"
#include "xhal/kit/driver.hpp"

namespace xhal::kit {
namespace {

// ---- What holds before negotiation, so that no call of the kit has to ask whether there was one ------------------------------

// One stub for each shape of parameters: which call it stands for makes no difference.
template <class... Parameters>
xhal_result_t refuse_dead(Parameters... /*unused*/) {
  return XHAL_ERROR_INVALID_HANDLE;
}

template <class... Parameters>
constexpr auto dead_stub(xhal_result_t (* /*slot*/)(Parameters...)) {
  return &refuse_dead<Parameters...>;
}

constexpr xhal_table_t make_dead_table() {
  xhal_table_t table = {};
  table.state = XHAL_TABLE_DEAD;
  table.functions.struct_size = sizeof(xhal_functions_t);
  table.functions.abi_revision = XHAL_ABI_REVISION;
#define XHAL_ENTRY(feature, since, name, ...) table.functions.name = dead_stub(table.functions.name);
#include "xhal/entry_points.def"
  return table;
}

constexpr xhal_table_t kDeadTable = make_dead_table();

uint64_t count_up() {
  static std::atomic<uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

constexpr xhal_host_services_t kServicesWithoutHost = {
    .struct_size = sizeof(xhal_host_services_t),
    .abi_revision = XHAL_ABI_REVISION,
    .dead_table = &kDeadTable,
    .report_error = [](const xhal_error_report_t* /*report*/) {},
    .log = [](void* /*context*/, uint32_t /*level*/, const char* /*source*/, const char* /*text*/) {},
    .activated = [](void* /*context*/) {},
    .next_id = count_up,
};

// ---- What negotiation leaves behind ------------------------------------------------------------------------------------------

// Written once for each host and never freed: other threads may be reading the former one.
struct Negotiated {
  xhal_host_services_t services;
  const xhal_host_services_t* given;
  const char* name;
  const char* library_path;
  const char* manifest_path;
  decltype(xhal_functions_t::driver_get_extension) get_extension;  // the driver's own; null when it has none
  const Negotiated* former;
};

constexpr Negotiated kNothingNegotiated = {kServicesWithoutHost, nullptr, "", "", "", nullptr, nullptr};
constinit std::atomic<const Negotiated*> negotiated{&kNothingNegotiated};

const Negotiated& current() { return *negotiated.load(std::memory_order_acquire); }

// A host of the same minor may be older than this kit (its struct is shorter, and the tail keeps our own answers) or newer.
xhal_host_services_t take_over(const xhal_host_services_t& given) {
  xhal_host_services_t services = kServicesWithoutHost;
  std::memcpy(&services, &given, std::min<size_t>(given.struct_size, sizeof(services)));
  services.struct_size = sizeof(services);
  if (services.dead_table == nullptr) services.dead_table = kServicesWithoutHost.dead_table;
  if (services.report_error == nullptr) services.report_error = kServicesWithoutHost.report_error;
  if (services.log == nullptr) services.log = kServicesWithoutHost.log;
  if (services.activated == nullptr) services.activated = kServicesWithoutHost.activated;
  if (services.next_id == nullptr) services.next_id = kServicesWithoutHost.next_id;
  return services;
}

constexpr const char* text_or_empty(const char* text) { return text != nullptr ? text : ""; }

xhal_result_t remember(const xhal_negotiation_t& host, const char* name,
                       decltype(xhal_functions_t::driver_get_extension) get_extension = nullptr) {
  const Negotiated& former = current();
  const char* library_path = text_or_empty(host.library_path);
  const char* manifest_path = text_or_empty(host.manifest_path);
  if (former.given == host.services && former.name == name && former.library_path == library_path &&
      former.manifest_path == manifest_path && former.get_extension == get_extension) {
    return XHAL_SUCCESS;
  }
  auto* memory = std::malloc(sizeof(Negotiated));
  if (memory == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
  negotiated.store(new (memory) Negotiated{take_over(*host.services), host.services, name, library_path,
                                           manifest_path, get_extension, &former},
                   std::memory_order_release);
  return XHAL_SUCCESS;
}

// ---- Checks that drivers and layers share ------------------------------------------------------------------------------------

// Every struct's first published end, so that a later field does not make older partners illegal.
constexpr size_t kNegotiationSize = offsetof(xhal_negotiation_t, manifest_path) + sizeof(void*);
constexpr size_t kServicesSize = offsetof(xhal_host_services_t, next_id) + sizeof(void*);
constexpr size_t kDriverInterfaceSize = offsetof(xhal_driver_interface_t, close) + sizeof(void*);
constexpr size_t kLayerInterfaceSize = offsetof(xhal_layer_interface_t, detach) + sizeof(void*);
constexpr size_t kFunctionsHead = offsetof(xhal_functions_t, abi_revision) + sizeof(uint32_t);

// All interfaces start with these four words, in every version.
struct InterfaceHead {
  uint32_t struct_size, abi_major, abi_minor, abi_revision;
};
static_assert(offsetof(xhal_driver_interface_t, abi_revision) == offsetof(InterfaceHead, abi_revision));
static_assert(offsetof(xhal_layer_interface_t, abi_revision) == offsetof(InterfaceHead, abi_revision));

xhal_result_t check_partner(const xhal_negotiation_t* host, void* interface, size_t needed) {
  if (host == nullptr || interface == nullptr) return XHAL_ERROR_INVALID_ARGUMENT;
  InterfaceHead head;
  std::memcpy(&head, interface, sizeof(head));
  if (host->struct_size < kNegotiationSize || head.struct_size < sizeof(head))
    return XHAL_ERROR_INVALID_ARGUMENT;
  // Told also when refused, so that the host can say which version it met.
  head.abi_major = XHAL_ABI_MAJOR;
  head.abi_minor = XHAL_ABI_MINOR;
  head.abi_revision = XHAL_ABI_REVISION;
  std::memcpy(interface, &head, sizeof(head));
  if (host->abi_major != XHAL_ABI_MAJOR || host->abi_minor != XHAL_ABI_MINOR)
    return XHAL_ERROR_VERSION_MISMATCH;
  if (head.struct_size < needed || host->services == nullptr || host->services->struct_size < kServicesSize) {
    return XHAL_ERROR_INVALID_ARGUMENT;
  }
  return XHAL_SUCCESS;
}

// Copies `value` into a partner's struct of another size: no byte behind what it told, and it learns how much was filled.
template <class T>
void hand_over(T value, T* out) {
  const uint32_t filled = std::min<uint32_t>(out->struct_size, sizeof(T));
  value.struct_size = filled;
  std::memcpy(static_cast<void*>(out), &value, filled);
}

// ---- What the kit answers for its driver ---------------------------------------------------------------------------------------

constexpr xhal_host_function_t kHostFunction = {sizeof(kHostFunction), 0,
                                                []() -> uint32_t { return in_host_function() ? 1 : 0; }};

xhal_result_t get_extension(xhal_driver_t driver, const char* name, uint32_t version,
                            const void** out_table) {
  if (name != nullptr && out_table != nullptr && version == XHAL_HOST_FUNCTION_VERSION &&
      std::strcmp(name, XHAL_HOST_FUNCTION_NAME) == 0) {
    *out_table = &kHostFunction;
    return XHAL_SUCCESS;
  }
  if (const auto own = current().get_extension; own != nullptr) return own(driver, name, version, out_table);
  return name == nullptr || out_table == nullptr ? XHAL_ERROR_INVALID_ARGUMENT : XHAL_ERROR_NOT_FOUND;
}

constexpr size_t kExtensionSlotEnd = offsetof(xhal_functions_t, driver_get_extension) + sizeof(void (*)());

// Writes each function of `own` that is not null, as far as both tables go; gives back how many slots that is.
size_t put_functions(const xhal_functions_t& own, size_t own_size, xhal_functions_t* out, uint32_t capacity) {
  const size_t common = std::min<size_t>({own_size, capacity, sizeof(xhal_functions_t)});
  const size_t slots = (common - kFunctionsHead) / sizeof(void (*)());
  const auto* from = reinterpret_cast<const unsigned char*>(&own) + kFunctionsHead;
  auto* to = reinterpret_cast<unsigned char*>(out) + kFunctionsHead;
  for (size_t i = 0; i < slots; ++i) {
    void (*function)() = nullptr;
    std::memcpy(&function, from + i * sizeof(function), sizeof(function));
    if (function != nullptr) std::memcpy(to + i * sizeof(function), &function, sizeof(function));
  }
  return slots;
}

// Slots that the driver leaves null keep the host's refusing stub.
void fill_functions(const xhal_functions_t& own, xhal_functions_t* out, uint32_t capacity) {
  const size_t slots = put_functions(own, own.struct_size, out, capacity);
  if (kFunctionsHead + slots * sizeof(void (*)()) >= kExtensionSlotEnd)
    out->driver_get_extension = get_extension;
  out->struct_size = static_cast<uint32_t>(kFunctionsHead + slots * sizeof(void (*)()));
  out->abi_revision = XHAL_ABI_REVISION;
}

}  // namespace

const xhal_host_services_t& services() { return current().services; }
const char* library_path() { return current().library_path; }
const char* manifest_path() { return current().manifest_path; }
const char* negotiated_name() { return current().name; }

xhal_result_t negotiate(const xhal_negotiation_t* host, xhal_driver_interface_t* out,
                        const DriverDescription& driver) {
  if (const xhal_result_t result = check_partner(host, out, kDriverInterfaceSize); result < 0) return result;
  if (out->functions == nullptr || out->functions_capacity < kFunctionsHead)
    return XHAL_ERROR_INVALID_ARGUMENT;
  if (driver.name == nullptr || driver.open == nullptr || driver.close == nullptr ||
      driver.functions == nullptr || driver.functions->struct_size < kFunctionsHead) {
    return XHAL_ERROR_INTERNAL;
  }
  const bool has_extensions = driver.functions->struct_size >= kExtensionSlotEnd;
  if (const xhal_result_t result =
          remember(*host, driver.name, has_extensions ? driver.functions->driver_get_extension : nullptr);
      result < 0)
    return result;
  fill_functions(*driver.functions, out->functions, out->functions_capacity);
  hand_over({.struct_size = sizeof(*out),
             .abi_major = XHAL_ABI_MAJOR,
             .abi_minor = XHAL_ABI_MINOR,
             .abi_revision = XHAL_ABI_REVISION,
             .functions_capacity = out->functions_capacity,
             .reserved = 0,
             .functions = out->functions,
             .name = driver.name,
             .version = text_or_empty(driver.version),
             .open = driver.open,
             .close = driver.close},
            out);
  return XHAL_SUCCESS;
}

xhal_result_t negotiate(const xhal_negotiation_t* host, xhal_layer_interface_t* out,
                        const LayerDescription& layer) {
  if (const xhal_result_t result = check_partner(host, out, kLayerInterfaceSize); result < 0) return result;
  if (layer.name == nullptr || layer.attach == nullptr || layer.detach == nullptr) return XHAL_ERROR_INTERNAL;
  if (const xhal_result_t result = remember(*host, layer.name); result < 0) return result;
  hand_over({.struct_size = sizeof(*out),
             .abi_major = XHAL_ABI_MAJOR,
             .abi_minor = XHAL_ABI_MINOR,
             .abi_revision = XHAL_ABI_REVISION,
             .name = layer.name,
             .version = text_or_empty(layer.version),
             .attach = layer.attach,
             .detach = layer.detach},
            out);
  return XHAL_SUCCESS;
}

void intercept(const xhal_layer_attach_t& params, const xhal_functions_t& own) {
  put_functions(own, sizeof(own), params.functions, params.functions_capacity);
}

}  // namespace xhal::kit
