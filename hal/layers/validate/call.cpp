// SPDX-License-Identifier: Apache-2.0
#include "call.hpp"

#include <charconv>
#include <iterator>

#include "xhal/kit/driver.hpp"

namespace xhal::validate {

Call::~Call() {
  if (used_count_ == 0) return;
  const std::lock_guard guard(layer_lock());
  for (uint32_t i = 0; i < used_count_; ++i) {
    Object* object = world().find(used_[i]);
    if (object != nullptr && object->users > 0) --object->users;
  }
}

void Call::uses(const void* handle, Object& object) {
  if (used_count_ == std::size(used_)) return;
  used_[used_count_++] = handle;
  ++object.users;
}

void Call::found(Kind kind, xhal_result_t code, std::string text, const Site* made, const Site* ended) {
  found_any_ = true;
  if (!attachment_.reporter.wants(kind)) return;
  Pending& pending = pending_.emplace_back();
  pending.code = code;
  pending.finding.kind = kind;
  pending.finding.text = std::move(text);
  if (made != nullptr) {
    pending.finding.has_made = true;
    pending.finding.made = *made;
  }
  if (ended != nullptr) {
    pending.finding.has_ended = true;
    pending.finding.ended = *ended;
  }
}

xhal_result_t Call::settle() {
  if (!pending_.empty()) {
    const Site here = site();
    for (Pending& pending : pending_) {
      pending.finding.at = here;
      const bool refuses = attachment_.reporter.tell(pending.finding) && pending.code != XHAL_SUCCESS;
      if (refuses && answer_ == XHAL_SUCCESS)
        must_refuse(pending.code,
                    std::string(info_of(pending.finding.kind).code) + ": " + pending.finding.text);
    }
    pending_.clear();
  }
  if (answer_ != XHAL_SUCCESS && !refusal_.empty()) {
    // Last of all, so that no question to the driver comes between the report and the answer.
    kit::fail(answer_, "%s", refusal_.c_str());
    refusal_.clear();
  }
  return answer_;
}

std::string device_name(const Attachment& attachment, const void* device) {
  const auto found = attachment.device_indices.find(device);
  return found != attachment.device_indices.end() ? "device " + std::to_string(found->second)
                                                  : "a device of another driver or instance";
}

std::string hex(uintptr_t address) {
  char digits[24] = "0x";
  return {digits, std::to_chars(digits + 2, digits + sizeof(digits), address, 16).ptr};
}

std::string hex(const void* pointer) { return hex(reinterpret_cast<uintptr_t>(pointer)); }

}  // namespace xhal::validate
