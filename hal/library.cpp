// SPDX-License-Identifier: Apache-2.0
#include "library.hpp"

#include <cstddef>
#include <cstring>
#include <memory>
#include <mutex>

#include "guarded.hpp"
#include "tables.hpp"
#include "thread_error.hpp"

namespace xhal::host {
namespace {

using discovery::Kind;

constexpr const char* kNegotiate[] = {XHAL_DRIVER_NEGOTIATE_SYMBOL, XHAL_LAYER_NEGOTIATE_SYMBOL};

const char* negotiate_symbol(Kind kind) { return kNegotiate[kind == Kind::kLayer ? 1 : 0]; }

// "0.1"
std::string version_text(uint32_t major, uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

Problem problem(xhal_result_t result, std::string text) { return {result, std::move(text)}; }

Problem failed(const std::string& who, const std::string& what) {
  return problem(XHAL_ERROR_DRIVER_FAILED, who + " " + what + "; it is defective, ask whoever made it");
}

Problem wrong_version(const std::string& who, uint32_t major, uint32_t minor) {
  return problem(XHAL_ERROR_VERSION_MISMATCH, who + " was built for version " + version_text(major, minor) +
                                                  " of the contract, this libxhal is " +
                                                  version_text(XHAL_ABI_MAJOR, XHAL_ABI_MINOR) +
                                                  "; install one that matches");
}

// What drivers' and layers' interfaces have in common: the checks of the answer.
template <class Interface>
Problem check_interface(const std::string& who, xhal_result_t result, const Guarded<Interface>& given,
                        uint32_t smallest) {
  const Interface& interface = given.value;
  if (!given.intact()) return failed(who, "wrote behind the interface that it was given to fill");
  const bool other_version = interface.abi_major != XHAL_ABI_MAJOR || interface.abi_minor != XHAL_ABI_MINOR;
  if (result == XHAL_ERROR_VERSION_MISMATCH) {
    if (other_version && interface.abi_major + interface.abi_minor != 0) {
      return wrong_version(who, interface.abi_major, interface.abi_minor);
    }
    return problem(result, who + " refuses version " + version_text(XHAL_ABI_MAJOR, XHAL_ABI_MINOR) +
                               " of the contract, which this libxhal is; install one that matches");
  }
  if (result != XHAL_SUCCESS) return problem_of_call(who, "negotiation", result);
  if (interface.struct_size > sizeof(Interface)) {
    return failed(who, "reports an interface of " + std::to_string(interface.struct_size) + " bytes where " +
                           std::to_string(sizeof(Interface)) + " were offered");
  }
  if (interface.struct_size < smallest) {
    return failed(who, "reports an interface of " + std::to_string(interface.struct_size) +
                           " bytes, at least " + std::to_string(smallest) + " are needed");
  }
  if (other_version) return wrong_version(who, interface.abi_major, interface.abi_minor);
  if (interface.name == nullptr || interface.name[0] == '\0') return failed(who, "gives no name");
  return {};
}

Problem check_name(const std::string& who, const discovery::Manifest& manifest, const char* name) {
  if (manifest.name.empty()) {
    const auto fault = discovery::name_problem(name);
    if (fault.has_value()) return failed(who, "gives itself a name that is not legal: " + *fault);
  } else if (manifest.name != name) {
    return problem(XHAL_ERROR_BAD_MANIFEST, "the manifest '" + manifest.manifest_path + "' says '" +
                                                manifest.name + "', its library '" + manifest.library +
                                                "' says '" + name + "'; correct the manifest");
  }
  return {};
}

// The driver's functions: as many as it says, the rest refuses.
Problem check_functions(const std::string& who, const Guarded<xhal_functions_t>& given, Library& library) {
  constexpr uint32_t kHeader = offsetof(xhal_functions_t, driver_get_properties);
  const uint32_t size = given.value.struct_size;
  const std::string offered = std::to_string(sizeof(xhal_functions_t));
  if (!given.intact())
    return failed(who, "wrote behind the " + offered + " bytes of table that it was given to fill");
  if (size > sizeof(xhal_functions_t)) {
    return failed(who,
                  "reports a table of " + std::to_string(size) + " bytes where " + offered + " were offered");
  }
  if (size < smallest_functions_size() || (size - kHeader) % sizeof(void (*)()) != 0) {
    return failed(who, "reports a table of " + std::to_string(size) + " bytes, at least " +
                           std::to_string(smallest_functions_size()) + " in whole slots are needed");
  }
  std::memcpy(&library.functions, &given.value, size);
  complete(library.functions);
  return {};
}

Problem negotiate_driver(const std::string& who, const discovery::Manifest& manifest, void* symbol,
                         Library& library) {
  const auto functions = std::make_unique<Guarded<xhal_functions_t>>();
  fill_refusing(functions->value);
  Guarded<xhal_driver_interface_t> interface;
  interface.value.struct_size = sizeof(interface.value);
  interface.value.functions_capacity = sizeof(xhal_functions_t);
  interface.value.functions = &functions->value;
  const auto negotiate = reinterpret_cast<xhal_driver_negotiate_fn>(symbol);
  const xhal_result_t result = negotiate(&library.negotiation, &interface.value);

  const auto smallest =
      static_cast<uint32_t>(offsetof(xhal_driver_interface_t, close) + sizeof(interface.value.close));
  if (Problem found = check_interface(who, result, interface, smallest); found.any()) return found;
  if (Problem found = check_name(who, manifest, interface.value.name); found.any()) return found;
  if (interface.value.functions != &functions->value) {
    return failed(who, "gives a table of its own instead of filling the one that it was given");
  }
  if (Problem found = check_functions(who, *functions, library); found.any()) return found;
  if (interface.value.open == nullptr || interface.value.close == nullptr) {
    return failed(who, "has no open or no close function");
  }
  library.open = interface.value.open;
  library.close = interface.value.close;
  library.name = interface.value.name;
  library.version = interface.value.version != nullptr ? interface.value.version : "";
  library.abi_revision = interface.value.abi_revision;
  return {};
}

Problem negotiate_layer(const std::string& who, const discovery::Manifest& manifest, void* symbol,
                        Library& library) {
  Guarded<xhal_layer_interface_t> interface;
  interface.value.struct_size = sizeof(interface.value);
  const auto negotiate = reinterpret_cast<xhal_layer_negotiate_fn>(symbol);
  const xhal_result_t result = negotiate(&library.negotiation, &interface.value);

  const auto smallest =
      static_cast<uint32_t>(offsetof(xhal_layer_interface_t, detach) + sizeof(interface.value.detach));
  if (Problem found = check_interface(who, result, interface, smallest); found.any()) return found;
  if (Problem found = check_name(who, manifest, interface.value.name); found.any()) return found;
  if (interface.value.attach == nullptr || interface.value.detach == nullptr) {
    return failed(who, "has no attach or no detach function");
  }
  library.slot = Registry::get().take_layer_slot();
  if (library.slot == XHAL_MAX_LAYERS) {
    return problem(XHAL_ERROR_INVALID_ARGUMENT, who + " is one layer too many: a process can use " +
                                                    std::to_string(XHAL_MAX_LAYERS) + " different ones");
  }
  library.attach = interface.value.attach;
  library.detach = interface.value.detach;
  library.name = interface.value.name;
  library.version = interface.value.version != nullptr ? interface.value.version : "";
  library.abi_revision = interface.value.abi_revision;
  return {};
}

Problem open_and_negotiate(const std::string& who, const discovery::Manifest& manifest, bool elevated,
                           Library& library) {
  const discovery::Opened opened =
      discovery::open_library(manifest, negotiate_symbol(manifest.kind), elevated);
  if (opened.result != XHAL_SUCCESS) return problem(opened.result, opened.text);
  library.manifest_path = manifest.manifest_path;
  library.negotiation = {sizeof(xhal_negotiation_t),
                         XHAL_ABI_MAJOR,
                         XHAL_ABI_MINOR,
                         XHAL_ABI_REVISION,
                         host_services(),
                         library.path.c_str(),
                         library.manifest_path.c_str()};
  return manifest.kind == Kind::kLayer ? negotiate_layer(who, manifest, opened.symbol, library)
                                       : negotiate_driver(who, manifest, opened.symbol, library);
}

// The lock as a scope.
class Loading {
 public:
  explicit Loading(LoadingLock& lock) : lock_(lock), held_(lock.lock()) {}
  ~Loading() {
    if (held_) lock_.unlock();
  }
  Loading(const Loading&) = delete;
  Loading& operator=(const Loading&) = delete;
  bool held() const { return held_; }

 private:
  LoadingLock& lock_;
  const bool held_;
};

}  // namespace

std::string describe(Kind kind, const std::string& name) {
  return std::string(kind == Kind::kLayer ? "layer" : "driver") + " '" + name + "'";
}

Problem problem_of_call(const std::string& who, const char* function, xhal_result_t result) {
  const TakenReport report = take_report(result);
  std::string text = who + ": " + function + " returned " + xhal_result_name(result);
  if (report.native_code != 0) text += " (its own code " + std::to_string(report.native_code) + ")";
  text += report.text.empty() ? std::string(": ") + xhal_result_text(result) : ": " + report.text;
  switch (result) {
    case XHAL_ERROR_UNSUPPORTED:
      // Open alone may say so: what the driver drives is not on this machine.
      return problem(std::string_view(function) == "open" ? result : XHAL_ERROR_DRIVER_FAILED,
                     std::move(text));
    case XHAL_ERROR_INVALID_ARGUMENT:
    case XHAL_ERROR_OUT_OF_HOST_MEMORY:
    case XHAL_ERROR_VERSION_MISMATCH:
      return problem(result, std::move(text));
    default:
      return problem(XHAL_ERROR_DRIVER_FAILED, std::move(text));
  }
}

Problem load_library(const discovery::Manifest& manifest, bool elevated, const Library*& out) {
  Library& library = *Registry::get().library(manifest.kind, manifest.library);
  const std::string who = describe(manifest.kind, manifest.name.empty() ? manifest.library : manifest.name);
  const Loading loading(library.loading);
  if (!loading.held()) {
    return problem(XHAL_ERROR_DRIVER_FAILED, who + " created an instance while it was negotiated itself");
  }
  if (!library.ready) {
    if (Problem found = open_and_negotiate(who, manifest, elevated, library); found.any()) return found;
    library.ready = true;
  } else if (Problem found = check_name(who, manifest, library.name.c_str()); found.any()) {
    return found;
  }
  out = &library;
  return {};
}

}  // namespace xhal::host
