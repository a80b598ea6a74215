// SPDX-License-Identifier: Apache-2.0
// What parent and worker say to each other: JSON texts, each framed by a magic word and its length, over a socket that no driver knows.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "frame/context.h"
#include "frame/recorder.h"
#include "frame/session.h"

namespace xhal::conformance {

// The framed bytes of a message.
std::string framed(const nlohmann::json& message);

class FrameReader {
 public:
  void append(std::string_view bytes) { buffer_.append(bytes); }
  // The next whole message; nothing while it is not complete, or when the stream is broken.
  std::optional<nlohmann::json> next();
  // What came was no frame: the other side has lost its mind.
  [[nodiscard]] bool broken() const { return broken_; }

 private:
  std::string buffer_;
  bool broken_ = false;
};

// Blocking, for the worker. False and nothing when the parent is gone.
bool send_message(int fd, const nlohmann::json& message);
std::optional<nlohmann::json> receive_message(int fd, FrameReader& reader);

nlohmann::json to_json(const Failure& failure);
Failure failure_from_json(const nlohmann::json& json);
nlohmann::json to_json(const TestResult& result);
TestResult result_from_json(const nlohmann::json& json);
nlohmann::json to_json(const Target& target);
Target target_from_json(const nlohmann::json& json);
nlohmann::json to_json(const RunSettings& settings);
RunSettings settings_from_json(const nlohmann::json& json);
// Identity, limits and declared behaviour; the same fields that a report shows.
nlohmann::json to_json(const xhal_driver_properties_t& properties);
nlohmann::json to_json(const xhal_device_properties_t& properties);

}  // namespace xhal::conformance
