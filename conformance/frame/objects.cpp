// SPDX-License-Identifier: Apache-2.0
#include "frame/objects.h"

#include "frame/check.h"

namespace xhal::conformance {

Stream::Stream(Context& t, Session& session, size_t device) {
  t.touch(session, device);
  REQUIRE_OK(xhal_stream_create(session.device(device), nullptr, &handle_));
}

void Stream::reset() {
  if (handle_ != nullptr) TRACED(xhal_stream_destroy(std::exchange(handle_, nullptr)));
}

Event::Event(Context& t, Session& session, uint32_t flags, size_t device) {
  t.touch(session, device);
  xhal_event_desc_t desc{sizeof(xhal_event_desc_t), flags};
  REQUIRE_OK(xhal_event_create(session.device(device), &desc, &handle_));
}

void Event::reset() {
  if (handle_ != nullptr) TRACED(xhal_event_destroy(std::exchange(handle_, nullptr)));
}

Buffer::Buffer(Context& t, Session& session, uint32_t kind, uint64_t bytes, size_t device)
    : device_(session.device(device)), bytes_(bytes) {
  t.touch(session, device);
  xhal_memory_desc_t desc{};
  desc.struct_size = sizeof(desc);
  desc.kind = kind;
  desc.size = bytes;
  REQUIRE_MEMORY(xhal_memory_allocate(device_, &desc, &pointer_), pointer_);
}

void Buffer::reset() {
  if (pointer_ != nullptr) TRACED(xhal_memory_free(device_, std::exchange(pointer_, nullptr)));
}

PrivateSession::PrivateSession(Context& t) : t_(t) {
  try {
    session_ = std::make_unique<Session>(t.target());
  } catch (const SessionError& error) {
    t.recorder().failed("", XHAL_HERE, "a second instance with the same driver", error.what());
    throw StopTest();
  }
}

PrivateSession::~PrivateSession() { close(); }

xhal_result_t PrivateSession::close() {
  if (session_ == nullptr) return XHAL_SUCCESS;
  t_.forget(*session_);
  const xhal_result_t result = session_->close();
  session_.reset();
  return result;
}

}  // namespace xhal::conformance
