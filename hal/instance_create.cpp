// SPDX-License-Identifier: Apache-2.0
// Creating an instance: search, load, attach, open. Code of drivers, layers and the application runs without a lock, except that a library is
// negotiated under its own LoadingLock.
#include <algorithm>
#include <memory>

#include "host_call.hpp"
#include "instance.hpp"
#include "open_driver.hpp"
#include "options.hpp"
#include "registry.hpp"
#include "search.hpp"
#include "xhal/kit/structs.hpp"
#include "xhal/xhal.h"

namespace xhal::host {
namespace {

constexpr uint32_t kKnownFlags = XHAL_INSTANCE_IGNORE_ENVIRONMENT | XHAL_INSTANCE_DISCOVER_ONLY;

struct OptionOf {
  std::string owner;  // driver or layer
  KeyValue option;
};

// The description, checked: what is wrong with it is told before anything is looked for.
xhal_result_t read_description(const xhal_instance_desc_t* given, xhal_instance_desc_t& desc) {
  if (given == nullptr) {
    desc = {};
    desc.struct_size = sizeof(desc);
    desc.abi_minor = XHAL_ABI_MINOR;
    return XHAL_SUCCESS;
  }
  if (const xhal_result_t read = kit::read_struct(given, desc); read != XHAL_SUCCESS) {
    return fail(read, "xhal_instance_desc_t has struct_size %u, this libxhal knows %zu bytes of it",
                given->struct_size, sizeof(desc));
  }
  if (desc.abi_minor != XHAL_ABI_MINOR) {
    return fail(
        XHAL_ERROR_VERSION_MISMATCH,
        "the application was built for version 0.%u of the contract (abi_minor), this libxhal is %d.%d",
        desc.abi_minor, XHAL_ABI_MAJOR, XHAL_ABI_MINOR);
  }
  if ((desc.flags & ~kKnownFlags) != 0) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "flags 0x%x are not defined", desc.flags & ~kKnownFlags);
  }
  if (desc.driver_path_count != 0 && desc.driver_paths == nullptr) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "driver_path_count is %u and driver_paths is null",
                desc.driver_path_count);
  }
  for (uint32_t i = 0; i < desc.driver_path_count; ++i) {
    if (desc.driver_paths[i] == nullptr || desc.driver_paths[i][0] == '\0') {
      return fail(XHAL_ERROR_INVALID_ARGUMENT, "driver_paths[%u] is null or empty", i);
    }
  }
  if (desc.option_count != 0 && desc.options == nullptr) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "option_count is %u and options is null", desc.option_count);
  }
  if (desc.option_stride == 0) desc.option_stride = sizeof(xhal_option_t);
  if (desc.option_stride < sizeof(xhal_option_t)) {
    return fail(XHAL_ERROR_INVALID_ARGUMENT, "option_stride is %u, an option has %zu bytes",
                desc.option_stride, sizeof(xhal_option_t));
  }
  return XHAL_SUCCESS;
}

xhal_result_t read_options(const xhal_instance_desc_t& desc, std::vector<OptionOf>& out) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(desc.options);
  for (uint32_t i = 0; i < desc.option_count; ++i) {
    const auto* option = reinterpret_cast<const xhal_option_t*>(bytes + size_t{i} * desc.option_stride);
    if (option->driver == nullptr || option->key == nullptr || option->value == nullptr) {
      return fail(XHAL_ERROR_INVALID_ARGUMENT, "options[%u] has a null driver, key or value", i);
    }
    out.push_back({option->driver, {option->key, option->value}});
  }
  return XHAL_SUCCESS;
}

// Makes one instance, and keeps what it has made so far until it is complete.
class Creation {
 public:
  explicit Creation(const xhal_instance_desc_t& desc)
      : desc_(desc),
        environment_(
            discovery::Environment::of_process((desc.flags & XHAL_INSTANCE_IGNORE_ENVIRONMENT) != 0)),
        elevated_(discovery::process_is_elevated()),
        instance_(std::make_unique<Instance>()) {}
  ~Creation() {
    if (instance_ != nullptr) instance_->close();
  }
  Creation(const Creation&) = delete;
  Creation& operator=(const Creation&) = delete;

  xhal_result_t run(xhal_instance_t* out_instance) {
    start_log();
    if (const xhal_result_t read = read_options(desc_, options_); read != XHAL_SUCCESS) return read;
    Search search(desc_, environment_);
    // What cannot be had says so itself, with the reason.
    if (!search.problem().any()) {
      for (const std::string& text : search.warnings()) line(XHAL_LOG_WARNING, text);
    }
    const Problem problem = fill(search);
    warn_of_mistyped_variables(search);
    search.tell(desc_.on_candidate, desc_.candidate_user);
    if (problem.any()) return fail(problem.result, "%s", problem.text.c_str());
    return publish(out_instance);
  }

 private:
  void line(uint32_t level, const std::string& text) const {
    instance_->log.write(level, "xhal", text.c_str());
  }

  void start_log() {
    if (desc_.log != nullptr) {
      instance_->log = LogSink::to_callback(desc_.log, desc_.log_user);
      return;
    }
    const auto variable = environment_.variable("XHAL_LOG");
    if (!variable.has_value()) return;
    LogSetting setting = parse_log_setting(*variable);
    instance_->log = LogSink::to_file(setting, setting.fault);
    if (!setting.fault.empty()) line(XHAL_LOG_WARNING, "XHAL_LOG: " + setting.fault + "; lines go to stderr");
  }

  // Only negotiation tells the name of a library that was given by its path, so this comes after it; and where there was none, nobody can
  // tell which variables are read.
  void warn_of_mistyped_variables(const Search& search) const {
    const bool ignored = (desc_.flags & XHAL_INSTANCE_IGNORE_ENVIRONMENT) != 0;
    if (ignored || elevated_ || !knows_all_names(search)) return;
    if (!Registry::get().claim_variable_check()) return;
    std::vector<std::string> names = search.names();
    names.insert(names.end(), negotiated_names_.begin(), negotiated_names_.end());
    for (const std::string& text :
         discovery::mistyped_variables(environment_, discovery::set_variables(false), names)) {
      line(XHAL_LOG_WARNING, text);
    }
  }

  bool knows_all_names(const Search& search) const { return search.nameless() <= nameless_negotiated_; }

  // Of all options of the instance. Known is whatever was found, used or not: the same options serve several selections.
  Problem check_owners(const Search& search) const {
    for (const OptionOf& option : options_) {
      if (search.knows(option.owner)) continue;
      if (std::find(negotiated_names_.begin(), negotiated_names_.end(), option.owner) !=
          negotiated_names_.end())
        continue;
      return {XHAL_ERROR_DRIVER_NOT_FOUND, "option '" + option.option.key + "' is for '" + option.owner +
                                               "', and no driver or layer of this name was found"};
    }
    return {};
  }

  // Everything from manifests to listed devices.
  Problem fill(Search& search) {
    if (Problem found = search.problem(); found.any()) return found;
    const bool names_known = knows_all_names(search);
    if (names_known) {
      if (Problem found = check_owners(search); found.any()) return found;
    }
    if (search.layers().size() > XHAL_MAX_LAYERS) {
      return {XHAL_ERROR_INVALID_ARGUMENT, std::to_string(search.layers().size()) +
                                               " layers are asked for, " + std::to_string(XHAL_MAX_LAYERS) +
                                               " are possible"};
    }
    if ((desc_.flags & XHAL_INSTANCE_DISCOVER_ONLY) != 0) return {};
    if (Problem found = load_layers(search); found.any()) return found;
    for (const discovery::Manifest& manifest : search.drivers()) {
      if (Problem found = take_driver(search, manifest); found.any()) return found;
    }
    if (!names_known) {
      if (Problem found = check_owners(search); found.any()) return found;
    }
    instance_->gather();
    return {};
  }

  Problem load(const discovery::Manifest& manifest, const Library*& out) {
    Problem found = load_library(manifest, elevated_, out);
    if (!found.any()) {
      negotiated_names_.push_back(out->name);
      if (manifest.name.empty()) ++nameless_negotiated_;
    }
    return found;
  }

  Problem load_layers(Search& search) {
    for (const discovery::Manifest& manifest : search.layers()) {
      AskedLayer layer;
      Problem found = load(manifest, layer.library);
      if (!found.any()) found = collect_options(layer.library->name, layer.options);
      if (found.any()) {
        search.refuse(manifest, XHAL_CANDIDATE_REFUSED, found);
        return found;
      }
      layers_.push_back(std::move(layer));
    }
    return {};
  }

  // The variable's options, then the instance's.
  Problem collect_options(const std::string& owner, OptionList& out) const {
    const std::string variable = variable_of(owner);
    if (const auto text = environment_.variable(variable.c_str()); text.has_value()) {
      const ParsedOptions parsed = parse_options(*text);
      if (!parsed.fault.empty()) {
        return {XHAL_ERROR_INVALID_ARGUMENT,
                variable + ": " + parsed.fault + "; write " + variable + "=key=value,..."};
      }
      for (const KeyValue& option : parsed.options) out.add(option);
    }
    for (const OptionOf& option : options_) {
      if (option.owner == owner) out.add(option.option);
    }
    return {};
  }

  Problem take_driver(Search& search, const discovery::Manifest& manifest) {
    bool layer_at_fault = false;
    const Library* library = nullptr;
    Problem found = load(manifest, library);
    if (!found.any() && has_driver(library->name)) {
      const std::string text = "'" + manifest.library + "' is a second driver named '" + library->name + "'";
      if (search.is_explicit(manifest)) return {XHAL_ERROR_INVALID_ARGUMENT, text + "; leave one out"};
      search.refuse(manifest, XHAL_CANDIDATE_SHADOWED, {XHAL_SUCCESS, text});
      return {};
    }
    OptionList options;
    if (!found.any()) found = collect_options(library->name, options);
    if (!found.any()) found = open(*library, options, layer_at_fault);
    if (!found.any() || layer_at_fault) return found;
    const std::string& name = library != nullptr ? library->name : manifest.name;
    const bool is_wanted = search.is_asked_for(manifest) || is_meant(name, found);
    search.refuse(manifest, XHAL_CANDIDATE_REFUSED, found);
    if (is_wanted) return found;
    line(XHAL_LOG_INFO, "left out: " + found.text);
    return {};
  }

  // An application that gives a driver options wants it. A variable may be set for all programs of a user, so it only tells that a driver is
  // wanted when the driver refuses what the variable says: leaving it out would hide the mistake.
  bool is_meant(const std::string& name, const Problem& problem) const {
    const bool has_option = std::any_of(options_.begin(), options_.end(),
                                        [&](const OptionOf& option) { return option.owner == name; });
    return has_option || (problem.result == XHAL_ERROR_INVALID_ARGUMENT &&
                          environment_.variable(variable_of(name).c_str()).has_value());
  }

  bool has_driver(const std::string& name) const {
    return std::any_of(instance_->drivers.begin(), instance_->drivers.end(),
                       [&](const auto& driver) { return driver->library->name == name; });
  }

  Problem open(const Library& library, OptionList& options, bool& layer_at_fault) {
    // In the list first, so that it is closed whatever happens.
    instance_->drivers.push_back(std::make_unique<OpenDriver>());
    Problem found =
        open_driver(library, options, layers_, instance_->log, *instance_->drivers.back(), layer_at_fault);
    if (found.any()) {
      close_driver(std::move(instance_->drivers.back()), instance_->log);
      instance_->drivers.pop_back();
    }
    return found;
  }

  xhal_result_t publish(xhal_instance_t* out_instance) {
    Registry& registry = Registry::get();
    InstanceSlot* slot = registry.take_slot();
    if (slot == nullptr) return XHAL_ERROR_OUT_OF_HOST_MEMORY;
    slot->header.type = XHAL_TYPE_instance;
    ++slot->header.generation;
    slot->header.object = instance_.get();
    registry.add(slot);
    // Only now: until it is in the list, it is this object's to close.
    (void)instance_.release();
    *out_instance = reinterpret_cast<xhal_instance_t>(slot);
    return XHAL_SUCCESS;
  }

  const xhal_instance_desc_t& desc_;
  const discovery::Environment environment_;
  const bool elevated_;
  std::vector<OptionOf> options_;
  std::vector<std::string> negotiated_names_;
  size_t nameless_negotiated_ = 0;
  std::vector<AskedLayer> layers_;
  std::unique_ptr<Instance> instance_;
};

xhal_result_t create(const xhal_instance_desc_t* given, xhal_instance_t* out_instance) {
  if (out_instance == nullptr) return fail(XHAL_ERROR_INVALID_ARGUMENT, "out_instance is null");
  xhal_instance_desc_t desc;
  if (const xhal_result_t read = read_description(given, desc); read != XHAL_SUCCESS) return read;
  return Creation(desc).run(out_instance);
}

}  // namespace
}  // namespace xhal::host

extern "C" xhal_result_t xhal_instance_create(const xhal_instance_desc_t* desc,
                                              xhal_instance_t* out_instance) {
  using namespace xhal::host;
  return host_call(kEntry_instance_create, [&] { return create(desc, out_instance); });
}
