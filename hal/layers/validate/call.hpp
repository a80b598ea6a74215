// SPDX-License-Identifier: Apache-2.0
// One call on its way through the layer: what is found about it, and the objects that it uses.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "world.hpp"

namespace xhal::validate {

class Call {
 public:
  Call(Attachment& attachment, Entry entry)
      : attachment_(attachment),
        entry_(entry),
        number_(attachment.calls.fetch_add(1, std::memory_order_relaxed) + 1) {}
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  ~Call();

  [[nodiscard]] Attachment& attachment() const { return attachment_; }
  [[nodiscard]] const xhal_functions_t& next() const { return *attachment_.next; }
  [[nodiscard]] Entry entry() const { return entry_; }
  // With the callers that the settings ask for.
  [[nodiscard]] Site site() const { return this_site(entry_, number_, attachment_.settings.backtrace); }

  // `code` is what the call answers where findings refuse it; XHAL_SUCCESS: it goes on all the same, and the driver's answer stands. With
  // or without the lock: it is told by settle().
  void found(Kind kind, xhal_result_t code, std::string text, const Site* made = nullptr,
             const Site* ended = nullptr);
  [[nodiscard]] bool found_any() const { return found_any_; }
  // The driver must not see this call, whatever the settings say.
  void must_refuse(xhal_result_t code, std::string text) {
    answer_ = code;
    refusal_ = std::move(text);
  }
  [[nodiscard]] bool is_refused() const { return answer_ != XHAL_SUCCESS; }
  // Tells what was found so far; without the lock. XHAL_SUCCESS, or what the call answers instead of going on.
  xhal_result_t settle();

  // With the lock held: the object is in use until the call is over.
  void uses(const void* handle, Object& object);
  [[nodiscard]] std::span<const void* const> used() const { return {used_, used_count_}; }

 private:
  struct Pending {
    Finding finding;
    xhal_result_t code;
  };

  Attachment& attachment_;
  const Entry entry_;
  const uint64_t number_;
  xhal_result_t answer_ = XHAL_SUCCESS;
  std::string refusal_;  // the text for answer_, until it is reported
  bool found_any_ = false;
  std::vector<Pending> pending_;
  const void* used_[3] = {};
  uint32_t used_count_ = 0;
};

// "device 1", or "another instance's device".
std::string device_name(const Attachment& attachment, const void* device);
std::string hex(const void* pointer);
std::string hex(uintptr_t address);

}  // namespace xhal::validate
