// SPDX-License-Identifier: Apache-2.0
// What the layer finds, and where it tells it: the log, a file of JSON lines, the call's result, the end of the process.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

#include "site.hpp"

namespace xhal::validate {

enum class Severity : uint8_t { kError, kWarning };

// name, code, severity, group, the cheapest fix. docs/layers.md shows the list; a test compares the two.
#define XHAL_VALIDATE_KINDS(X)                                                                            \
  X(DestroyedHandle, "destroyed-handle", kError, "lifetime", "destroy it after its last use")             \
  X(DoubleDestroy, "double-destroy", kError, "lifetime", "destroy it once, and set the variable to null") \
  X(DestroyInUse, "destroy-in-use", kError, "lifetime",                                                   \
    "join the other thread, or its call, before the destroy")                                             \
  X(ResetObject, "reset-object", kError, "lifetime", "make it again after the device's reset")            \
  X(Leak, "leak", kError, "leak", "destroy or free it before the instance is destroyed")                  \
  X(UseAfterFree, "use-after-free", kError, "memory", "free it after its last use is submitted")          \
  X(FreedAddressInValue, "freed-address-in-value", kWarning, "memory",                                    \
    "keep the memory until the kernel is done; nothing is wrong if the value is no address")              \
  X(DoubleFree, "double-free", kError, "memory", "free it once, and set the variable to null")            \
  X(InteriorFree, "interior-free", kError, "memory", "free the address that the allocation gave")         \
  X(UnknownFree, "unknown-free", kError, "memory", "free what this driver of this instance gave")         \
  X(WrongRelease, "wrong-release", kError, "memory",                                                      \
    "release it by the counterpart of the call that made it")                                             \
  X(OutOfBounds, "out-of-bounds", kError, "memory", "keep the range inside its allocation")               \
  X(NullAddress, "null-address", kError, "memory", "pass an address, or the size 0")                      \
  X(OverlappingCopy, "overlapping-copy", kError, "memory", "copy through a third buffer")                 \
  X(UnknownMemory, "unknown-memory", kError, "memory",                                                    \
    "pass memory that the driver allocated or registered")                                                \
  X(WrongMemory, "wrong-memory", kError, "memory", "pass memory of a kind that the call's header names")  \
  X(NotMapped, "not-mapped", kError, "memory",                                                            \
    "map memory there and set the device's access first, or name what was mapped as a whole")             \
  X(ForeignMemory, "foreign-memory", kError, "memory", "copy it through host memory")                     \
  X(WrongDevice, "wrong-device", kError, "device", "use objects of one device in one call")               \
  X(PeerNotEnabled, "peer-not-enabled", kError, "device",                                                 \
    "call xhal_device_enable_peer first, or copy the memory")                                             \
  X(NullPointer, "null-pointer", kError, "arguments", "pass a pointer")                                   \
  X(StructSize, "struct-size", kError, "arguments", "set struct_size to sizeof(the struct)")              \
  X(UnknownField, "unknown-field", kError, "arguments", "zero the struct before its fields are set")      \
  X(ReservedField, "reserved-field", kWarning, "arguments", "zero the struct before its fields are set")  \
  X(UndefinedFlags, "undefined-flags", kError, "arguments",                                               \
    "set flags that the header defines for this call only")                                               \
  X(BadArgument, "bad-argument", kError, "arguments", "see the comment of the call in its header")        \
  X(OverLimit, "over-limit", kError, "arguments", "ask xhal_device_get_properties and stay below")        \
  X(EventNeverRecorded, "event-never-recorded", kWarning, "order",                                        \
    "record the event before it is waited for")                                                           \
  X(CaptureMisuse, "capture-misuse", kError, "order",                                                     \
    "end the capture first, or use a stream outside of it")                                               \
  X(CallInHostFunction, "call-in-host-function", kError, "order",                                         \
    "make the call on a thread of the application's")                                                     \
  X(RefusedCall, "refused-call", kWarning, "refused", "xhal_error_get_last has the driver's reason")      \
  X(DriverDefect, "driver-defect", kError, "driver", "report it to whoever made the driver")

enum class Kind : uint8_t {
#define XHAL_VALIDATE_KIND(name, code, severity, group, fix) k##name,
  XHAL_VALIDATE_KINDS(XHAL_VALIDATE_KIND)
#undef XHAL_VALIDATE_KIND
};

struct KindInfo {
  std::string_view code;
  Severity severity;
  std::string_view group;
  std::string_view fix;
};
inline constexpr KindInfo kKinds[] = {
#define XHAL_VALIDATE_KIND(name, code, severity, group, fix) {code, Severity::severity, group, fix},
    XHAL_VALIDATE_KINDS(XHAL_VALIDATE_KIND)
#undef XHAL_VALIDATE_KIND
};
inline constexpr size_t kKindCount = sizeof(kKinds) / sizeof(kKinds[0]);
constexpr const KindInfo& info_of(Kind kind) { return kKinds[static_cast<size_t>(kind)]; }

enum class Action : uint8_t {
  kLog,    // tell, and let the call go on
  kError,  // tell, and refuse the call with the contract's code
  kAbort,  // tell, and abort the process where it stands
};

struct Settings {
  Action action = Action::kLog;
  std::array<bool, kKindCount> wanted;
  std::string file;        // JSON lines, appended; "" for none
  uint32_t backtrace = 6;  // frames of the application's that a site keeps
  uint64_t limit = 100;    // findings of one kind that are told; the others are counted
  uint32_t exit_code = 0;  // of a process that ends after an error was found; 0 leaves its own
  Settings() { wanted.fill(true); }
};

struct Finding {
  Kind kind;
  std::string text;  // what is wrong, without the call
  Site at;
  bool has_made = false;
  bool has_ended = false;
  Site made;   // where the object or memory began
  Site ended;  // where it ended
};

// Where the findings of one driver of one instance go. Called without the layer's lock: the log is the application's function.
class Reporter {
 public:
  Reporter(const Settings& settings, void* host_context, std::string driver_name)
      : settings_(settings), host_context_(host_context), driver_name_(std::move(driver_name)) {}

  [[nodiscard]] bool wants(Kind kind) const { return settings_.wanted[static_cast<size_t>(kind)]; }
  // Whether the call must be refused. Does not come back where findings abort.
  bool tell(const Finding& finding);
  // One line about all of it, when the instance ends.
  void sum_up();

 private:
  void append_to_file(const Finding& finding, const std::string& line);
  void log(uint32_t level, const std::string& text) const;

  const Settings& settings_;
  void* const host_context_;
  const std::string driver_name_;
  std::array<std::atomic<uint64_t>, kKindCount> counts_{};
  std::atomic<bool> file_failed_{false};
};

// The exit code that the process's findings ask for; 0: none.
uint32_t exit_code_of_findings();

}  // namespace xhal::validate
