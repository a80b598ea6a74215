// SPDX-License-Identifier: Apache-2.0
// Kernel launches and the images that kernels come from.
#include <cstring>
#include <mutex>

#include "checks.hpp"
#include "xhal/kit/structs.hpp"

namespace xhal::validate {
namespace {

// Structs by value may carry addresses; longer ones are not looked through.
constexpr uint64_t kMostValueBytes = 4096;

class LaunchCheck {
 public:
  LaunchCheck(Call& call, xhal_stream_t stream, const KernelLimits& kernel, const xhal_launch_t& launch)
      : call_(call),
        launch_(launch),
        kernel_(kernel),
        device_(device_of(stream)),
        limits_(limits_of(call, device_)) {}

  void check_shape() {
    uint64_t items = 1;
    for (int i = 0; i < 3; ++i) {
      const std::string dimension = "[" + std::to_string(i) + "]";
      if (launch_.group_count[i] == 0) bad("group_count" + dimension + " is 0");
      if (launch_.group_size[i] == 0) bad("group_size" + dimension + " is 0");
      limit("group_count" + dimension, launch_.group_count[i], limits_.max_group_count[i]);
      limit("group_size" + dimension, launch_.group_size[i], limits_.max_group_size[i]);
      items *= launch_.group_size[i];
      if (items > UINT32_MAX) items = uint64_t{UINT32_MAX} + 1;  // enough, and cannot wrap
    }
    limit("the product of group_size", items, limits_.max_group_items);
    if (kernel_.max_group_items != 0 && items > kernel_.max_group_items && items <= limits_.max_group_items) {
      call_.found(Kind::kOverLimit, XHAL_ERROR_LIMIT_EXCEEDED,
                  "the product of group_size is " + std::to_string(items) + ", the kernel takes at most " +
                      std::to_string(kernel_.max_group_items));
    }
    if ((launch_.flags & XHAL_LAUNCH_CLUSTER) != 0 && limits_.has(XHAL_FEATURE_CLUSTER_LAUNCH))
      check_cluster();
  }

  void check_arguments() {
    if (launch_.argument_count > 0 && launch_.arguments == nullptr) {
      bad("argument_count is " + std::to_string(launch_.argument_count) + " and arguments is null");
      return;
    }
    if (kernel_.parameter_count != UINT32_MAX && kernel_.parameter_count != launch_.argument_count) {
      bad("the kernel has " + std::to_string(kernel_.parameter_count) + " parameters, the launch has " +
          std::to_string(launch_.argument_count) + " arguments");
    }
    limit("argument_count", launch_.argument_count, limits_.max_arguments);
    uint64_t local_bytes = uint64_t{launch_.dynamic_local_bytes} + kernel_.static_local_bytes;
    uint64_t value_bytes = 0;
    for (uint32_t i = 0; i < launch_.argument_count; ++i) {
      if (launch_.arguments[i].kind == XHAL_ARGUMENT_VALUE &&
          __builtin_add_overflow(value_bytes, launch_.arguments[i].size, &value_bytes))
        value_bytes = UINT64_MAX;
      check_argument("argument " + std::to_string(i), launch_.arguments[i]);
      if (launch_.arguments[i].kind == XHAL_ARGUMENT_LOCAL &&
          __builtin_add_overflow(local_bytes, launch_.arguments[i].size, &local_bytes))
        local_bytes = UINT64_MAX;
    }
    limit("local memory of the launch", local_bytes, limits_.max_local_bytes);
    limit("bytes of its values", value_bytes, limits_.max_argument_bytes);
  }

  void check_ranges() {
    if (launch_.range_count == 0) return;
    const uint32_t stride = launch_.range_stride != 0 ? launch_.range_stride : sizeof(xhal_memory_range_t);
    if (launch_.ranges == nullptr || stride < sizeof(xhal_memory_range_t)) {
      bad("range_count is " + std::to_string(launch_.range_count) +
          " and ranges is null or its stride too small");
      return;
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(launch_.ranges);
    for (uint32_t i = 0; i < launch_.range_count; ++i) {
      xhal_memory_range_t range;
      std::memcpy(&range, bytes + size_t{i} * stride, sizeof(range));
      check_access("range " + std::to_string(i), range.access);
      check_memory("range " + std::to_string(i), range.pointer, range.size, range.access);
    }
  }

 private:
  void bad(std::string text) {
    call_.found(Kind::kBadArgument, XHAL_ERROR_INVALID_ARGUMENT, std::move(text));
  }

  void limit(const std::string& what, uint64_t value, uint64_t most) {
    if (!limits_.known || most == 0 || value <= most) return;
    call_.found(Kind::kOverLimit, XHAL_ERROR_LIMIT_EXCEEDED,
                what + " is " + std::to_string(value) + ", device " + std::to_string(limits_.index) +
                    " has at most " + std::to_string(most));
  }

  void check_access(const std::string& what, uint32_t access) {
    if (access < XHAL_ACCESS_READ || access > XHAL_ACCESS_READ_WRITE)
      bad(what + " has access " + std::to_string(access) +
          ", which is none of XHAL_ACCESS_READ, _WRITE and _READ_WRITE");
  }

  void check_argument(const std::string& what, const xhal_argument_t& argument) {
    if (argument.kind != XHAL_ARGUMENT_MEMORY && argument.access != 0)
      bad(what + " is no memory, and has access " + std::to_string(argument.access));
    switch (argument.kind) {
      case XHAL_ARGUMENT_VALUE:
        if (argument.size > 0 && argument.data == nullptr) {
          bad(what + " is a value of " + std::to_string(argument.size) + " bytes, and data is null");
        } else {
          look_for_freed(what, argument);
        }
        break;
      case XHAL_ARGUMENT_MEMORY:
        check_access(what, argument.access);
        // Null is how a kernel is told that there is none; with a size it is a mistake.
        if (argument.data != nullptr || argument.size != 0)
          check_memory(what, argument.data, argument.size != 0 ? argument.size : 1, argument.access);
        break;
      case XHAL_ARGUMENT_LOCAL:
        if (argument.data != nullptr) bad(what + " is local memory, and data is not null");
        break;
      default:
        bad(what + " has the undefined kind " + std::to_string(argument.kind));
    }
  }

  // The groups are whole clusters.
  void check_cluster() {
    for (int i = 0; i < 3; ++i) {
      const std::string dimension = "[" + std::to_string(i) + "]";
      if (launch_.cluster_size[i] == 0) {
        bad("cluster_size" + dimension + " is 0");
      } else if (launch_.group_count[i] % launch_.cluster_size[i] != 0) {
        bad("group_count" + dimension + " is " + std::to_string(launch_.group_count[i]) +
            ", no multiple of the cluster's " + std::to_string(launch_.cluster_size[i]));
      }
    }
  }

  void check_memory(const std::string& what, const void* pointer, uint64_t size, uint32_t access) {
    const Place place = check_range(call_, what, pointer, size, {Wants::kDriverMemory, device_, access});
    // What is mapped has an access for each device. [XHAL-VMM-3]
    if (!place.known || place.device == device_ || device_ == nullptr || is_host_memory(place.kind) ||
        place.kind == MemoryKind::kReserved)
      return;
    const Attachment& attachment = call_.attachment();
    const std::lock_guard guard(layer_lock());
    if (attachment.device_indices.count(place.device) == 0 ||
        attachment.peers.count({device_, place.device}) != 0)
      return;
    call_.found(Kind::kPeerNotEnabled, XHAL_ERROR_INVALID_POINTER,
                what + " is memory of " + device_name(attachment, place.device) + ", which kernels of " +
                    device_name(attachment, device_) + " cannot reach yet");
  }

  // A pointer by value is no memory argument, and still one that dangles.
  void look_for_freed(const std::string& what, const xhal_argument_t& argument) {
    if (argument.size % sizeof(uintptr_t) != 0 || argument.size > kMostValueBytes) return;
    const std::lock_guard guard(layer_lock());
    for (uint64_t offset = 0; offset < argument.size; offset += sizeof(uintptr_t)) {
      uintptr_t word = 0;
      std::memcpy(&word, static_cast<const unsigned char*>(argument.data) + offset, sizeof(word));
      const Memory* freed =
          word != 0 && world().memory_at(word) == nullptr ? world().freed_at(word) : nullptr;
      if (freed == nullptr || is_host_memory(freed->kind)) continue;
      call_.found(Kind::kFreedAddressInValue, XHAL_ERROR_INVALID_POINTER,
                  what + " is a value that holds " + hex(word) + ", an address in memory that was released",
                  &freed->made, &freed->ended);
      return;
    }
  }

  Call& call_;
  const xhal_launch_t& launch_;
  const KernelLimits kernel_;
  const void* const device_;
  const DeviceLimits limits_;
};

KernelLimits limits_of_kernel(Call& call, xhal_kernel_t kernel) {
  Attachment& attachment = call.attachment();
  {
    const std::lock_guard guard(layer_lock());
    const auto found = attachment.kernel_limits.find(kernel);
    if (found != attachment.kernel_limits.end()) return found->second;
  }
  xhal_kernel_info_t info = {};
  info.struct_size = sizeof(info);
  if (call.next().kernel_get_info(kernel, &info) != XHAL_SUCCESS) return {};
  const std::lock_guard guard(layer_lock());
  return attachment.kernel_limits[kernel] = {info.parameter_count, info.max_group_items,
                                             info.static_local_bytes};
}

}  // namespace

void before(Call& call, Is<Entry::kernel_launch> /*entry*/, xhal_stream_t stream, xhal_kernel_t kernel,
            const xhal_launch_t* launch) {
  xhal_launch_t read = {};
  if (launch == nullptr || kit::read_struct(launch, read) != XHAL_SUCCESS) return;
  check_same_device(call, kernel, "kernel", stream, "stream");
  // What the kernel has is asked of the driver, which must not be asked about handles that are gone.
  if (call.is_refused()) return;
  LaunchCheck check(call, stream, limits_of_kernel(call, kernel), read);
  check.check_shape();
  check.check_arguments();
  check.check_ranges();
}

void before(Call& call, Is<Entry::module_load> /*entry*/, xhal_device_t /*device*/,
            const xhal_module_desc_t* desc, xhal_module_t* /*out_module*/) {
  xhal_module_desc_t read = {};
  if (desc == nullptr || kit::read_struct(desc, read) != XHAL_SUCCESS) return;
  if (read.format == nullptr)
    call.found(Kind::kNullPointer, XHAL_ERROR_INVALID_ARGUMENT, "desc->format is null");
  if (read.image == nullptr)
    call.found(Kind::kNullPointer, XHAL_ERROR_INVALID_ARGUMENT, "desc->image is null");
}

}  // namespace xhal::validate
