// SPDX-License-Identifier: Apache-2.0
// Operators without a kernel run on the host, on copies that go through xhal. Each is counted, and TORCH_XHAL_FALLBACK says whether it is
// allowed, warned of once, or an error.
#pragma once

#include <cstdint>
#include <map>
#include <string>

// The library hides all else; the Python module sees this.
#pragma GCC visibility push(default)
namespace torch_xhal {

enum class FallbackMode : uint8_t { kAllow, kWarn, kError };

FallbackMode fallback_mode();
void set_fallback_mode(FallbackMode mode);
// "allow", "warn" or "error"; else an error that names what was given and where.
FallbackMode fallback_mode_of(const std::string& word, const char* where);

// Runs since the last reset, by operator.
std::map<std::string, uint64_t> fallback_counts();
void reset_fallback_counts();
// Runs that this thread began since it began itself; refused ones too.
uint64_t fallbacks_of_this_thread() noexcept;
bool is_in_fallback() noexcept;

// Counts one run, or refuses it. Falling back inside of a fallback is part of it.
class FallbackScope {
 public:
  explicit FallbackScope(const std::string& operator_name);
  ~FallbackScope();
  FallbackScope(const FallbackScope&) = delete;
  FallbackScope& operator=(const FallbackScope&) = delete;
};

}  // namespace torch_xhal
#pragma GCC visibility pop
