// SPDX-License-Identifier: Apache-2.0
// Lies about cooperative and cluster launches. Each function does what the base driver does, but for one lie.
#include <thread>
#include <utility>
#include <vector>

#include "fault.hpp"

namespace xhal::faults {
namespace {

constexpr uint32_t kBoth = (uint32_t)XHAL_LAUNCH_COOPERATIVE | (uint32_t)XHAL_LAUNCH_CLUSTER;

xhal_result_t launch_with(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch,
                          uint32_t flags) {
  xhal_launch_t changed = *launch;
  changed.flags = flags;
  return next::kernel_launch(stream, kernel, &changed);
}

// ---- Flags ----

// A legal launch loses these flags; what is wrong with it is told as ever.
xhal_result_t launch_without(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch,
                             uint32_t lost) {
  if (!is_whole(launch) || (launch->flags & lost) == 0) return next::kernel_launch(stream, kernel, launch);
  auto most = sized<xhal_occupancy_t>();
  next::kernel_get_occupancy(kernel, 1, 0, &most);
  const uint64_t groups = (uint64_t)launch->group_count[0] * launch->group_count[1] * launch->group_count[2];
  if ((launch->flags & XHAL_LAUNCH_COOPERATIVE) != 0 && groups > most.max_cooperative_groups)
    return next::kernel_launch(stream, kernel, launch);
  return launch_with(stream, kernel, launch, launch->flags & ~lost);
}

xhal_result_t launch_group_after_group(xhal_stream_t stream, xhal_kernel_t kernel,
                                       const xhal_launch_t* launch) {
  return launch_without(stream, kernel, launch, kBoth);
}

xhal_result_t launch_cluster_after_cluster(xhal_stream_t stream, xhal_kernel_t kernel,
                                           const xhal_launch_t* launch) {
  const bool has_both = is_whole(launch) && (launch->flags & kBoth) == kBoth;
  return launch_without(stream, kernel, launch, has_both ? (uint32_t)XHAL_LAUNCH_COOPERATIVE : 0);
}

// The stream of the latest launch with groups together.
using Together = std::atomic<xhal_stream_t>;

xhal_result_t launch_one_at_a_time(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (!is_whole(launch) || (launch->flags & kBoth) == 0) return next::kernel_launch(stream, kernel, launch);
  const xhal_stream_t former = own<Together>(stream).exchange(stream);
  return launch_without(stream, kernel, launch, former != nullptr && former != stream ? kBoth : 0);
}

xhal_result_t launch_captured_group_after_group(xhal_stream_t stream, xhal_kernel_t kernel,
                                                const xhal_launch_t* launch) {
  return launch_without(stream, kernel, launch, is_capturing(stream) ? kBoth : 0);
}

xhal_result_t launch_with_known_flags(xhal_stream_t stream, xhal_kernel_t kernel,
                                      const xhal_launch_t* launch) {
  if (!is_whole(launch)) return next::kernel_launch(stream, kernel, launch);
  return launch_with(stream, kernel, launch, launch->flags & kBoth);
}

// ---- Sizes and limits ----

xhal_result_t launch_any_number(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  return is_whole(launch) && (launch->flags & kBoth) != 0 ? ignoring(result, XHAL_ERROR_LIMIT_EXCEEDED)
                                                          : result;
}

xhal_result_t launch_any_cluster(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  return is_whole(launch) && (launch->flags & XHAL_LAUNCH_CLUSTER) != 0
             ? ignoring(result, XHAL_ERROR_INVALID_ARGUMENT)
             : result;
}

xhal_result_t launch_captured_anything(xhal_stream_t stream, xhal_kernel_t kernel,
                                       const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  return result < 0 && is_capturing(stream) ? XHAL_SUCCESS : result;
}

xhal_result_t launch_reads_cluster_sizes(xhal_stream_t stream, xhal_kernel_t kernel,
                                         const xhal_launch_t* launch) {
  for (int d = 0; is_whole(launch) && d < 3; ++d) {
    if (launch->cluster_size[d] != 0 && launch->group_count[d] % launch->cluster_size[d] != 0)
      return XHAL_ERROR_INVALID_ARGUMENT;
  }
  return next::kernel_launch(stream, kernel, launch);
}

xhal_result_t occupancy_of_twice_as_many(xhal_kernel_t kernel, uint32_t items, uint64_t bytes,
                                         xhal_occupancy_t* out) {
  const xhal_result_t result = next::kernel_get_occupancy(kernel, items, bytes, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) out->max_cooperative_groups *= 2;
  return result;
}

xhal_result_t occupancy_of_twice_the_cluster(xhal_kernel_t kernel, uint32_t items, uint64_t bytes,
                                             xhal_occupancy_t* out) {
  const xhal_result_t result = next::kernel_get_occupancy(kernel, items, bytes, out);
  if (result == XHAL_SUCCESS && out->struct_size >= sizeof(*out)) out->max_cluster_groups *= 2;
  return result;
}

// ---- Failures ----

// Nobody fails in a meeting: the argument that says who does says that nobody does.
xhal_result_t launch_without_failures(xhal_stream_t stream, xhal_kernel_t kernel,
                                      const xhal_launch_t* launch) {
  constexpr uint32_t kMeetingArguments = 9;
  constexpr uint32_t kFails = 7;
  if (!is_whole(launch) || launch->argument_count != kMeetingArguments)
    return next::kernel_launch(stream, kernel, launch);
  constexpr uint32_t kNobody = UINT32_MAX;
  xhal_argument_t arguments[kMeetingArguments];
  std::memcpy(arguments, launch->arguments, sizeof(arguments));
  arguments[kFails].data = &kNobody;
  xhal_launch_t changed = *launch;
  changed.arguments = arguments;
  return next::kernel_launch(stream, kernel, &changed);
}

// ---- Kernels ----

xhal_result_t launch_with_swapped_dimensions(xhal_stream_t stream, xhal_kernel_t kernel,
                                             const xhal_launch_t* launch) {
  if (!is_whole(launch)) return next::kernel_launch(stream, kernel, launch);
  xhal_launch_t swapped = *launch;
  std::swap(swapped.group_count[0], swapped.group_count[1]);
  std::swap(swapped.group_size[0], swapped.group_size[1]);
  return next::kernel_launch(stream, kernel, &swapped);
}

xhal_result_t launch_flat(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (!is_whole(launch) || launch->group_count[2] == 0) return next::kernel_launch(stream, kernel, launch);
  xhal_launch_t flat = *launch;
  flat.group_count[2] = 1;
  return next::kernel_launch(stream, kernel, &flat);
}

xhal_result_t launch_again(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  return result == XHAL_SUCCESS ? next::kernel_launch(stream, kernel, launch) : result;
}

xhal_result_t launch_few_groups(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  constexpr uint32_t kMost = 65535;
  if (!is_whole(launch) || launch->group_count[0] <= kMost)
    return next::kernel_launch(stream, kernel, launch);
  xhal_launch_t fewer = *launch;
  fewer.group_count[0] = kMost;
  return next::kernel_launch(stream, kernel, &fewer);
}

xhal_result_t launch_of_nothing(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  if (is_whole(launch)) {
    for (int d = 0; d < 3; ++d) {
      if (launch->group_count[d] == 0 || launch->group_size[d] == 0) return XHAL_SUCCESS;
    }
  }
  return next::kernel_launch(stream, kernel, launch);
}

// The launch with its arguments changed, where the lie has something to change.
template <class Change>
xhal_result_t launch_with_arguments(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch,
                                    const Change& change) {
  if (!is_whole(launch) || launch->arguments == nullptr || launch->argument_count > 64)
    return next::kernel_launch(stream, kernel, launch);
  std::vector<xhal_argument_t> arguments(launch->arguments, launch->arguments + launch->argument_count);
  for (size_t i = 0; i < arguments.size(); ++i) change(arguments[i], i);
  xhal_launch_t changed = *launch;
  changed.arguments = arguments.data();
  return next::kernel_launch(stream, kernel, &changed);
}

xhal_result_t launch_from_the_base(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  return launch_with_arguments(stream, kernel, launch, [&](xhal_argument_t& argument, size_t) {
    auto attributes = sized<xhal_pointer_attributes_t>();
    xhal_driver_t driver = here(stream).driver.load();
    if (argument.kind != XHAL_ARGUMENT_MEMORY || driver == nullptr ||
        below(stream).driver_get_pointer_attributes(driver, argument.data, &attributes) != XHAL_SUCCESS ||
        attributes.base == nullptr)
      return;
    argument.data = attributes.base;
  });
}

xhal_result_t launch_with_any_access(xhal_stream_t stream, xhal_kernel_t kernel,
                                     const xhal_launch_t* launch) {
  return launch_with_arguments(stream, kernel, launch, [](xhal_argument_t& argument, size_t) {
    if (argument.kind == XHAL_ARGUMENT_MEMORY) argument.access = XHAL_ACCESS_READ_WRITE;
  });
}

// A kernel's argument block is one for all threads: whoever launches it gets the values of another thread's former launch.
struct Block {
  std::mutex lock;
  std::thread::id thread;
  std::vector<std::vector<unsigned char>> values;
};
struct Blocks {
  std::mutex lock;
  std::unordered_map<xhal_kernel_t, std::shared_ptr<Block>> all;
};
xhal_result_t launch_with_anothers_values(xhal_stream_t stream, xhal_kernel_t kernel,
                                          const xhal_launch_t* launch) {
  if (!is_whole(launch) || launch->arguments == nullptr) return next::kernel_launch(stream, kernel, launch);
  std::vector<std::vector<unsigned char>> mine(launch->argument_count);
  for (size_t i = 0; i < mine.size(); ++i) {
    const xhal_argument_t& argument = launch->arguments[i];
    const auto* bytes = static_cast<const unsigned char*>(argument.data);
    if (argument.kind == XHAL_ARGUMENT_VALUE && bytes != nullptr && argument.size <= 16)
      mine[i].assign(bytes, bytes + argument.size);
  }
  std::vector<std::vector<unsigned char>> theirs;
  {
    Blocks& blocks = own<Blocks>(stream);
    const std::lock_guard guard(blocks.lock);
    std::shared_ptr<Block>& block = blocks.all[kernel];
    if (block == nullptr) block = std::make_shared<Block>();
    if (block->thread != std::this_thread::get_id()) theirs = block->values;
    block->thread = std::this_thread::get_id();
    block->values = mine;
  }
  return launch_with_arguments(stream, kernel, launch, [&](xhal_argument_t& argument, size_t i) {
    if (i < theirs.size() && !theirs[i].empty() && theirs[i].size() == argument.size)
      argument.data = theirs[i].data();
  });
}

// The values of a launch are read when the stream is next used. Memory arguments stay, so that nothing is touched that is not the kernel's.
struct Late {
  xhal_kernel_t kernel;
  xhal_launch_t launch;
  std::vector<xhal_argument_t> arguments;
};
struct Lates {
  std::mutex lock;
  std::unordered_map<xhal_stream_t, Late> all;
};
void launch_what_is_late(xhal_stream_t stream) {
  Late late{};
  {
    Lates& lates = own<Lates>(stream);
    const std::lock_guard guard(lates.lock);
    const auto found = lates.all.find(stream);
    if (found == lates.all.end()) return;
    late = std::move(found->second);
    lates.all.erase(found);
  }
  late.launch.arguments = late.arguments.data();
  next::kernel_launch(stream, late.kernel, &late.launch);
}
xhal_result_t launch_late(xhal_stream_t stream, xhal_kernel_t kernel, const xhal_launch_t* launch) {
  launch_what_is_late(stream);
  if (!is_whole(launch) || launch->arguments == nullptr || launch->range_count != 0 || launch->flags != 0 ||
      is_capturing(stream))
    return next::kernel_launch(stream, kernel, launch);
  Lates& lates = own<Lates>(stream);
  const std::lock_guard guard(lates.lock);
  lates.all[stream] = {kernel, *launch, {launch->arguments, launch->arguments + launch->argument_count}};
  return XHAL_SUCCESS;
}
xhal_result_t late_then_copy(xhal_stream_t stream, void* destination, const void* source, uint64_t size) {
  launch_what_is_late(stream);
  return next::memory_copy(stream, destination, source, size);
}
xhal_result_t late_then_fill(xhal_stream_t stream, void* destination, uint64_t pattern, uint32_t width,
                             uint64_t size) {
  launch_what_is_late(stream);
  return next::memory_fill(stream, destination, pattern, width, size);
}
xhal_result_t late_then_call(xhal_stream_t stream, xhal_host_fn function, void* user) {
  launch_what_is_late(stream);
  return next::stream_host_function(stream, function, user);
}
xhal_result_t late_then_record(xhal_event_t event, xhal_stream_t stream, uint32_t flags) {
  launch_what_is_late(stream);
  return next::event_record(event, stream, flags);
}
xhal_result_t late_then_synchronize(xhal_stream_t stream, uint64_t timeout_ns) {
  launch_what_is_late(stream);
  return next::stream_synchronize(stream, timeout_ns);
}
xhal_result_t late_then_query(xhal_stream_t stream) {
  launch_what_is_late(stream);
  return next::stream_query(stream);
}

xhal_result_t info_of_twice_the_items(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  const xhal_result_t result = next::kernel_get_info(kernel, out);
  if (result == XHAL_SUCCESS) out->max_group_items *= 2;
  return result;
}
xhal_result_t occupancy_without_local_memory(xhal_kernel_t kernel, uint32_t items, uint64_t,
                                             xhal_occupancy_t* out) {
  return next::kernel_get_occupancy(kernel, items, 0, out);
}
xhal_result_t launch_of_any_arguments(xhal_stream_t stream, xhal_kernel_t kernel,
                                      const xhal_launch_t* launch) {
  return ignoring(next::kernel_launch(stream, kernel, launch), XHAL_ERROR_INVALID_ARGUMENT);
}
xhal_result_t unknown_name_is_a_bad_argument(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  const xhal_result_t result = next::module_get_kernel(module, name, out);
  return result == XHAL_ERROR_NOT_FOUND ? xhal_result_t{XHAL_ERROR_INVALID_ARGUMENT} : result;
}
xhal_result_t any_image_is_broken(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out) {
  const xhal_result_t result = next::module_load(device, desc, out);
  return result == XHAL_ERROR_UNSUPPORTED_IMAGE ? xhal_result_t{XHAL_ERROR_INVALID_IMAGE} : result;
}

// ---- Memory of groups, memory behind pointers, built-in kernels ----

xhal_result_t launch_with_one_local_size(xhal_stream_t stream, xhal_kernel_t kernel,
                                         const xhal_launch_t* launch) {
  if (is_whole(launch) && launch->arguments != nullptr && launch->dynamic_local_bytes != 0) {
    for (uint32_t i = 0; i < launch->argument_count; ++i) {
      if (launch->arguments[i].kind == XHAL_ARGUMENT_LOCAL) return XHAL_ERROR_INVALID_ARGUMENT;
    }
  }
  return next::kernel_launch(stream, kernel, launch);
}

// Memory that a launch names as reached by pointers alone, and what it holds.
struct Reached {
  void* pointer;
  std::vector<uint64_t> words;
};
bool move_reached(xhal_stream_t stream, std::vector<Reached>& all, bool in) {
  bool is_good = true;
  for (Reached& one : all) {
    const uint64_t bytes = one.words.size() * sizeof(uint64_t);
    is_good &= (in ? next::memory_copy(stream, one.pointer, one.words.data(), bytes)
                   : next::memory_copy(stream, one.words.data(), one.pointer, bytes)) == XHAL_SUCCESS;
  }
  return next::stream_synchronize(stream, kLongEnoughNs) == XHAL_SUCCESS && is_good;
}
// While the kernel runs it holds other numbers; what could be an address stays.
xhal_result_t launch_among_other_numbers(xhal_stream_t stream, xhal_kernel_t kernel,
                                         const xhal_launch_t* launch) {
  if (!is_whole(launch) || launch->ranges == nullptr || is_capturing(stream))
    return next::kernel_launch(stream, kernel, launch);
  const size_t stride = launch->range_stride == 0 ? sizeof(xhal_memory_range_t) : launch->range_stride;
  std::vector<Reached> before;
  for (uint32_t i = 0; i < launch->range_count; ++i) {
    xhal_memory_range_t range;
    std::memcpy(&range, reinterpret_cast<const char*>(launch->ranges) + stride * i, sizeof(range));
    before.push_back(
        {const_cast<void*>(range.pointer), std::vector<uint64_t>(range.size / sizeof(uint64_t))});
  }
  if (!move_reached(stream, before, false)) return next::kernel_launch(stream, kernel, launch);
  std::vector<Reached> during = before;
  for (Reached& one : during) {
    for (uint64_t& word : one.words) word ^= word >> 48 != 0 ? 1 : 0;
  }
  move_reached(stream, during, true);
  const xhal_result_t result = next::kernel_launch(stream, kernel, launch);
  next::stream_synchronize(stream, kLongEnoughNs);
  move_reached(stream, before, true);
  return result;
}

xhal_result_t note_builtin(xhal_device_t device, const xhal_module_desc_t* desc, xhal_module_t* out) {
  const xhal_result_t result = next::module_load(device, desc, out);
  if (result != XHAL_SUCCESS) return result;
  notes(device).take(*out);
  if (std::strcmp(desc->format, "builtin") == 0) notes(device).put(*out);
  return result;
}
xhal_result_t note_builtin_kernel(xhal_module_t module, const char* name, xhal_kernel_t* out) {
  const xhal_result_t result = next::module_get_kernel(module, name, out);
  if (result == XHAL_SUCCESS && notes(module).of(module) != 0) notes(module).put(*out);
  return result;
}
xhal_result_t info_of_one_parameter_less(xhal_kernel_t kernel, xhal_kernel_info_t* out) {
  const xhal_result_t result = next::kernel_get_info(kernel, out);
  if (result == XHAL_SUCCESS && notes(kernel).of(kernel) != 0 && out->parameter_count != 0)
    --out->parameter_count;
  return result;
}

}  // namespace

const std::span<const Lie> kLaunchLies = [] {
  static const Lie kLies[] = {
#include "table/launch.def"
  };
  return std::span<const Lie>(kLies);
}();

}  // namespace xhal::faults
