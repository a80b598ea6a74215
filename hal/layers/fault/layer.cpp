// SPDX-License-Identifier: Apache-2.0
// The layer's entry: options, the intercepted calls, the table.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <map>
#include <mutex>
#include <new>

#include "../common/files.hpp"
#include "plan.hpp"
#include "xhal/kit/driver.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::fault {
namespace {

constexpr const char* kName = "fault";

// ---- Options -----------------------------------------------------------------------------------------------------------------

std::string take_number(std::string_view value, uint64_t& out, uint64_t least) {
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), out);
  if (error != std::errc{} || end != value.data() + value.size()) return "not a number";
  return out < least ? "less than " + std::to_string(least) : "";
}

std::string take_rules(std::string_view value, std::vector<Rule>& out) {
  while (true) {
    const size_t plus = value.find('+');
    Rule rule;
    if (std::string reason = parse_rule(value.substr(0, plus), rule); !reason.empty()) return reason;
    if (std::string reason = check_rule(rule); !reason.empty()) return reason;
    out.push_back(std::move(rule));
    if (plus == std::string_view::npos) return "";
    value.remove_prefix(plus + 1);
  }
}

xhal_result_t read_options(const xhal_layer_attach_t& params, Settings& settings) {
  Rule one;
  uint64_t times = 1;
  std::string pattern;
  bool has_call = false;
  const kit::OptionRule rules[] = {
      {"entry", "the entry whose calls fail, without xhal_; '*' stands for any characters",
       [&](std::string_view value) -> std::string {
         pattern = value;
         Rule any;
         any.pattern = value;
         return value.empty() ? "a name is missing" : check_rule(any);
       }},
      {"call", "which of its calls is the first that fails",
       [&](std::string_view value) {
         has_call = true;
         return take_number(value, one.first, 1);
       }},
      {"times", "how many calls in a row fail, or 'all'",
       [&](std::string_view value) -> std::string {
         has_call = true;
         if (value == "all") {
           times = 0;
           return "";
         }
         return take_number(value, times, 1);
       }},
      {"code", "with which error, such as OUT_OF_HOST_MEMORY",
       [&](std::string_view value) -> std::string {
         const auto code = code_from_name(value);
         if (code.has_value()) one.code = *code;
         return code.has_value() ? "" : "no error has this name";
       }},
      {"rules", "several rules ENTRY[:CALLS[:CODE]] joined by '+', CALLS being N, N-M or N-",
       [&](std::string_view value) { return take_rules(value, settings.rules); }},
      {"sweep", "each call fails once and goes through when it is repeated; the number draws the codes",
       [&](std::string_view value) {
         settings.sweep = true;
         return take_number(value, settings.seed, 0);
       }},
      {"chance", "one call of so many fails, drawn by the seed",
       [&](std::string_view value) { return take_number(value, settings.chance, 1); }},
      {"seed", "of chance and of codes",
       [&](std::string_view value) { return take_number(value, settings.seed, 0); }},
      {"table", "a file for the number of calls and failures of each entry, %p is replaced by the process id",
       [&](std::string_view value) -> std::string {
         settings.table = layers::absolute_path(value);
         return value.empty() ? "a path is missing" : "";
       }},
  };
  if (const xhal_result_t result =
          kit::apply_layer_options(kName, {params.options, params.option_count}, rules);
      result < 0)
    return result;
  settings.chance_for = pattern.empty() ? "*" : pattern;
  // With a chance and without a call the entry is the chance's.
  if (pattern.empty() || (settings.chance != 0 && !has_call)) {
    if (has_call || one.code != XHAL_SUCCESS) {
      return kit::fail(
          XHAL_ERROR_INVALID_ARGUMENT,
          "layer 'fault': call, times and code belong to a rule; name its entry with entry=NAME");
    }
    return XHAL_SUCCESS;
  }
  one.pattern = pattern;
  one.last = times == 0 || times > UINT64_MAX - one.first ? UINT64_MAX : one.first + times - 1;
  if (const std::string reason = check_rule(one); !reason.empty())
    return kit::fail(XHAL_ERROR_INVALID_ARGUMENT, "layer 'fault': %s", reason.c_str());
  settings.rules.push_back(std::move(one));
  return XHAL_SUCCESS;
}

// ---- The table ---------------------------------------------------------------------------------------------------------------

struct Totals {
  Plan::Count counts[layers::kEntryCount];
};

std::mutex& table_lock() {
  static std::mutex& lock =
      *new std::mutex;  // never destroyed: an instance may end during static destruction
  return lock;
}

// By path: the instances of the process write one table together.
std::map<std::string, Totals>& tables() {
  static auto& all = *new std::map<std::string, Totals>;
  return all;
}

std::string table_text(const Totals& totals) {
  char line[128];
  std::snprintf(line, sizeof(line), "%-34s %12s %12s\n", "entry", "calls", "failed");
  std::string text = line;
  for (size_t i = 0; i < layers::kEntryCount; ++i) {
    const std::string name = "xhal_" + std::string(layers::kEntries[i].name);
    std::snprintf(line, sizeof(line), "%-34s %12llu %12llu\n", name.c_str(),
                  static_cast<unsigned long long>(totals.counts[i].calls),
                  static_cast<unsigned long long>(totals.counts[i].failed));
    text += line;
  }
  return text;
}

bool write_file(const std::string& path, const std::string& text) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (fd < 0) return false;
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(fd, text.data() + done, text.size() - done);
    if (written <= 0) break;
    done += static_cast<size_t>(written);
  }
  return ::close(fd) == 0 && done == text.size();
}

// ---- The layer ---------------------------------------------------------------------------------------------------------------

struct Attachment {
  const xhal_functions_t* next;
  void* host_context;
  Plan plan;
};

uint32_t layer_slot = UINT32_MAX;

template <class Handle>
Attachment& attachment_of(Handle handle) {
  return *static_cast<Attachment*>(XHAL_LAYER_STATE(handle, layer_slot));
}

void note_kind(bool& pinned, const xhal_memory_desc_t* desc) {
  xhal_memory_desc_t read = {};
  pinned = kit::read_struct(desc, read) == XHAL_SUCCESS && read.kind == XHAL_MEMORY_PINNED;
}
template <class T>
void note_kind(bool& /*pinned*/, const T& /*argument*/) {}

template <class... Arguments>
bool is_pinned_allocation(const Arguments&... arguments) {
  bool pinned = false;
  (note_kind(pinned, arguments), ...);
  return pinned;
}

// A call that fails is not passed on, so it has changed nothing below.
#define XHAL_ENTRY(feature, since, name, ...)                                                    \
  xhal_result_t fault_##name(XHAL_PARAMS(__VA_ARGS__)) {                                         \
    Attachment& attachment = attachment_of(XHAL_FIRST_NAME(__VA_ARGS__));                        \
    const bool pinned = is_pinned_allocation(XHAL_ARGUMENTS(__VA_ARGS__));                       \
    const xhal_result_t answer = attachment.plan.decide(Entry::name, pinned);                    \
    return answer != XHAL_SUCCESS ? answer : attachment.next->name(XHAL_ARGUMENTS(__VA_ARGS__)); \
  }
#include "xhal/entry_points.def"

void intercept(xhal_functions_t& functions, uint32_t capacity, const Plan& plan) {
  // An older host's table is shorter than the list of this build.
#define XHAL_ENTRY(feature, since, name, ...)                                                              \
  if (offsetof(xhal_functions_t, name) + sizeof(functions.name) <= capacity && plan.concerns(Entry::name)) \
    functions.name = fault_##name;
#include "xhal/entry_points.def"
}

xhal_result_t attach(const xhal_layer_attach_t* params, void** out_state) try {
  Settings settings;
  if (const xhal_result_t result = read_options(*params, settings); result < 0) return result;
  {
    const std::lock_guard guard(table_lock());
    if (layer_slot == UINT32_MAX) layer_slot = params->slot;
  }
  if (layer_slot != params->slot) {
    return kit::fail(XHAL_ERROR_INTERNAL,
                     "layer 'fault' was given slot %u and then slot %u in one process; please report it",
                     layer_slot, params->slot);
  }
  auto* attachment = new Attachment{params->next, params->host_context, Plan(std::move(settings))};
  intercept(*params->functions, params->functions_capacity, attachment->plan);
  *out_state = attachment;
  return XHAL_SUCCESS;
} catch (const std::bad_alloc&) {
  return XHAL_ERROR_OUT_OF_HOST_MEMORY;
}

void tell_end(const Attachment& attachment) {
  Plan::Count sum;
  for (size_t i = 0; i < layers::kEntryCount; ++i) {
    const Plan::Count count = attachment.plan.count(static_cast<Entry>(i));
    sum.calls += count.calls;
    sum.failed += count.failed;
  }
  char text[128];
  std::snprintf(text, sizeof(text), "%llu of %llu calls that it watched failed as it was told",
                static_cast<unsigned long long>(sum.failed), static_cast<unsigned long long>(sum.calls));
  kit::services().log(attachment.host_context, XHAL_LOG_INFO, kName, text);
}

void write_table(const Attachment& attachment) {
  const std::string path = layers::path_of_process(attachment.plan.settings().table);
  bool written = false;
  {
    const std::lock_guard guard(table_lock());
    Totals& totals = tables()[path];
    for (size_t i = 0; i < layers::kEntryCount; ++i) {
      const Plan::Count count = attachment.plan.count(static_cast<Entry>(i));
      totals.counts[i].calls += count.calls;
      totals.counts[i].failed += count.failed;
    }
    written = write_file(path, table_text(totals));
  }
  if (written) return;
  const std::string problem =
      "no table: '" + path + "' cannot be written; name another file with XHAL_FAULT=table=PATH";
  kit::services().log(attachment.host_context, XHAL_LOG_WARNING, kName, problem.c_str());
}

void detach(void* state) {
  const std::unique_ptr<Attachment> attachment(static_cast<Attachment*>(state));
  try {
    tell_end(*attachment);
    if (!attachment->plan.settings().table.empty()) write_table(*attachment);
  } catch (const std::bad_alloc&) {
    // Without memory there is no table.
    kit::services().log(attachment->host_context, XHAL_LOG_WARNING, kName, "no table: out of host memory");
  }
}

// A child must not find the lock taken by a thread that it does not have.
[[maybe_unused]] const int kForkHandlersAdded =
    pthread_atfork([] { table_lock().lock(); }, [] { table_lock().unlock(); }, [] { table_lock().unlock(); });

constexpr kit::LayerDescription kLayer = {kName, "1", attach, detach};

}  // namespace
}  // namespace xhal::fault

extern "C" xhal_result_t xhal_layer_negotiate(const xhal_negotiation_t* host,
                                              xhal_layer_interface_t* interface_out) {
  return xhal::kit::negotiate(host, interface_out, xhal::fault::kLayer);
}
