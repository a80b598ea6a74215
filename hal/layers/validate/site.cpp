// SPDX-License-Identifier: Apache-2.0
#include "site.hpp"

#include <dlfcn.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <unwind.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

namespace xhal::validate {
namespace {

struct Walk {
  Site* site;
  uint32_t wanted;
};

// Which library an address lies in; null when none.
const void* library_of(const void* address, Dl_info& info) {
  return dladdr(address, &info) != 0 ? info.dli_fbase : nullptr;
}

bool is_ours(const void* address) {
  static const void* const own = [] {
    Dl_info info{};
    return library_of(reinterpret_cast<const void*>(&is_ours), info);
  }();
  Dl_info info{};
  const void* base = library_of(address, info);
  if (base == own) return true;
  // Behind this layer stand other layers and libxhal, then the application.
  if (info.dli_fname == nullptr) return false;
  const char* slash = std::strrchr(info.dli_fname, '/');
  const char* name = slash != nullptr ? slash + 1 : info.dli_fname;
  return std::strncmp(name, "libxhal.so", 10) == 0 || std::strncmp(name, "libxhal_layer_", 14) == 0;
}

_Unwind_Reason_Code note_frame(_Unwind_Context* context, void* data) {
  auto& walk = *static_cast<Walk*>(data);
  const auto* address = reinterpret_cast<const void*>(_Unwind_GetIP(context));
  if (address == nullptr) return _URC_END_OF_STACK;
  Site& site = *walk.site;
  // Only the first frames can be ours: later ones need no look.
  if (site.frame_count == 0 && is_ours(address)) return _URC_NO_REASON;
  site.frames[site.frame_count++] = address;
  return site.frame_count < walk.wanted ? _URC_NO_REASON : _URC_END_OF_STACK;
}

uint64_t now_ns() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000'000U + static_cast<uint64_t>(time.tv_nsec);
}

}  // namespace

Site this_site(Entry entry, uint64_t call, uint32_t frames) {
  Site site;
  site.entry = entry;
  site.call = call;
  site.thread = static_cast<uint32_t>(::syscall(SYS_gettid));
  site.time_ns = now_ns();
  if (frames > 0) {
    Walk walk{&site, frames < kMostFrames ? frames : kMostFrames};
    _Unwind_Backtrace(note_frame, &walk);
  }
  return site;
}

std::vector<std::string> describe_frames(const Site& site) {
  std::vector<std::string> out;
  for (uint32_t i = 0; i < site.frame_count; ++i) {
    // A return address stands behind its call, which may be the last instruction of a function.
    const auto* address = static_cast<const char*>(site.frames[i]) - 1;
    char text[32];
    Dl_info info{};
    if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) {
      std::snprintf(text, sizeof(text), "0x%" PRIxPTR, reinterpret_cast<uintptr_t>(address));
      out.emplace_back(text);
      continue;
    }
    const bool named = info.dli_sname != nullptr;
    const char* slash = std::strrchr(info.dli_fname, '/');
    const auto* base = static_cast<const char*>(named ? info.dli_saddr : info.dli_fbase);
    std::snprintf(text, sizeof(text), "+0x%zx", static_cast<size_t>(address - base));
    out.push_back(std::string(named ? info.dli_sname : slash != nullptr ? slash + 1 : info.dli_fname) + text);
  }
  return out;
}

std::string describe(const Site& site) {
  std::string text = "xhal_" + std::string(layers::info_of(site.entry).name) + ", call " +
                     std::to_string(site.call) + " of thread " + std::to_string(site.thread);
  const char* separator = ", from ";
  for (const std::string& frame : describe_frames(site)) {
    text += separator + frame;
    separator = " < ";
  }
  return text;
}

}  // namespace xhal::validate
