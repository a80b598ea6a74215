// SPDX-License-Identifier: Apache-2.0
#include "run/protocol.h"

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace xhal::conformance {

namespace {

constexpr std::array<char, 4> kMagic = {'x', 'h', 'c', '1'};
constexpr size_t kHeader = kMagic.size() + sizeof(uint32_t);
constexpr uint32_t kLongest = 16u << 20;

}  // namespace

std::string framed(const nlohmann::json& message) {
  // Names and texts come from drivers and may be broken UTF-8.
  const std::string text = message.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  const auto length = static_cast<uint32_t>(text.size());
  std::string out(kMagic.begin(), kMagic.end());
  out.append(reinterpret_cast<const char*>(&length), sizeof(length));
  return out + text;
}

std::optional<nlohmann::json> FrameReader::next() {
  if (broken_ || buffer_.size() < kHeader) return std::nullopt;
  uint32_t length = 0;
  std::memcpy(&length, buffer_.data() + kMagic.size(), sizeof(length));
  if (std::memcmp(buffer_.data(), kMagic.data(), kMagic.size()) != 0 || length > kLongest) {
    broken_ = true;
    return std::nullopt;
  }
  if (buffer_.size() < kHeader + length) return std::nullopt;
  auto message =
      nlohmann::json::parse(buffer_.begin() + kHeader, buffer_.begin() + kHeader + length, nullptr, false);
  buffer_.erase(0, kHeader + length);
  if (message.is_discarded() || !message.is_object()) {
    broken_ = true;
    return std::nullopt;
  }
  return message;
}

bool send_message(int fd, const nlohmann::json& message) {
  const std::string bytes = framed(message);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t sent = send(fd, bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return false;
    done += static_cast<size_t>(sent);
  }
  return true;
}

std::optional<nlohmann::json> receive_message(int fd, FrameReader& reader) {
  for (;;) {
    if (auto message = reader.next()) return message;
    if (reader.broken()) return std::nullopt;
    char block[4096];
    const ssize_t got = read(fd, block, sizeof(block));
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    reader.append({block, static_cast<size_t>(got)});
  }
}

nlohmann::json to_json(const Failure& failure) {
  return {{"clause", failure.clause},
          {"where", failure.where},
          {"expression", failure.expression},
          {"message", failure.message}};
}

Failure failure_from_json(const nlohmann::json& json) {
  return {json.value("clause", ""), json.value("where", ""), json.value("expression", ""),
          json.value("message", "")};
}

nlohmann::json to_json(const TestResult& result) {
  nlohmann::json failures = nlohmann::json::array();
  for (const Failure& failure : result.failures) failures.push_back(to_json(failure));
  return {{"outcome", name_of(result.outcome)},
          {"message", result.message},
          {"failures", failures},
          {"notes", result.notes},
          {"substitute", result.substitute},
          {"asserted", result.asserted},
          {"digest", result.digest},
          {"digest_bytes", result.digest_bytes},
          {"milliseconds", result.milliseconds}};
}

TestResult result_from_json(const nlohmann::json& json) {
  TestResult result;
  result.outcome = outcome_from_name(json.value("outcome", "")).value_or(Outcome::kFailed);
  result.message = json.value("message", "");
  for (const auto& failure : json.value("failures", nlohmann::json::array())) {
    result.failures.push_back(failure_from_json(failure));
  }
  result.notes = json.value("notes", std::vector<std::string>());
  result.substitute = json.value("substitute", "");
  result.asserted = json.value("asserted", std::vector<std::string>());
  result.digest = json.value("digest", "");
  result.digest_bytes = json.value("digest_bytes", uint64_t{0});
  result.milliseconds = json.value("milliseconds", 0.0);
  return result;
}

nlohmann::json to_json(const Target& target) {
  return {{"backend", target.backend},           {"driver_path", target.driver_path},
          {"device_index", target.device_index}, {"kernel_directory", target.kernel_directory},
          {"kernel_key", target.kernel_key},     {"environment", target.environment}};
}

Target target_from_json(const nlohmann::json& json) {
  return {json.value("backend", ""),      json.value("driver_path", ""),
          json.value("device_index", 0u), json.value("kernel_directory", ""),
          json.value("kernel_key", ""),   json.value("environment", decltype(Target::environment)())};
}

nlohmann::json to_json(const RunSettings& settings) {
  return {{"seed", settings.seed},
          {"patience_ns", settings.patience_ns},
          {"uuids", settings.uuids_elsewhere},
          {"fault_scope", settings.fault_scope},
          {"challenged", settings.challenged}};
}

RunSettings settings_from_json(const nlohmann::json& json) {
  RunSettings settings;
  settings.seed = json.value("seed", settings.seed);
  settings.patience_ns = json.value("patience_ns", settings.patience_ns);
  settings.uuids_elsewhere = json.value("uuids", settings.uuids_elsewhere);
  settings.fault_scope = json.value("fault_scope", settings.fault_scope);
  settings.challenged = json.value("challenged", false);
  return settings;
}

nlohmann::json to_json(const xhal_driver_properties_t& p) {
  return {{"name", bounded_text(p.name)},
          {"version", bounded_text(p.version)},
          {"vendor", bounded_text(p.vendor)},
          {"emulated", p.emulated != 0},
          {"abi", std::to_string(XHAL_ABI_MAJOR) + "." + std::to_string(p.abi_minor) + "." +
                      std::to_string(p.abi_revision)},
          {"native_driver_version", bounded_text(p.native_driver_version)},
          {"native_runtime_version", bounded_text(p.native_runtime_version)},
          {"path", bounded_text(p.library_path)},
          {"manifest", bounded_text(p.manifest_path)}};
}

nlohmann::json to_json(const xhal_device_properties_t& p) {
  nlohmann::json features = nlohmann::json::array();
#define XHAL_FEATURE(name, lower, bit, since, needs, maturity, text) \
  if (claims(p, bit)) features.push_back(#lower);
#include "xhal/features.def"
#undef XHAL_FEATURE
  nlohmann::json pci = nullptr;
  if (p.pci_domain != XHAL_PCI_UNKNOWN) {
    pci = {
        {"domain", p.pci_domain}, {"bus", p.pci_bus}, {"device", p.pci_device}, {"function", p.pci_function}};
  }
  return {{"index", p.index},
          {"uuid", uuid_text(p.uuid)},
          {"name", bounded_text(p.name)},
          {"vendor", bounded_text(p.vendor)},
          {"architecture", bounded_text(p.architecture)},
          {"kind", p.kind},
          {"emulated", p.emulated != 0},
          {"pci", pci},
          {"numa_node", p.numa_node},
          {"memory_bytes", p.memory_bytes},
          {"unit_count", p.unit_count},
          {"features", features},
          {"declared",
           {{"is_synchronous", p.is_synchronous != 0},
            {"fault_scope", p.fault_scope},
            {"fault_recovery", p.fault_recovery},
            {"free_waits", p.free_waits},
            {"copy_blocks", p.copy_blocks},
            {"host_function_blocks", p.host_function_blocks},
            {"default_stream_kind", p.default_stream_kind},
            {"priority_least", p.priority_least},
            {"priority_greatest", p.priority_greatest},
            {"event_resolution_ns", p.event_resolution_ns}}}};
}

}  // namespace xhal::conformance
