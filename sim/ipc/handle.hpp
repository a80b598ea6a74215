// SPDX-License-Identifier: Apache-2.0
// The bytes of a handle, and what is said about it over the socket of the process that made it.
//
// A handle only names something: where the exporter listens, and a secret that it made for this one. What the secret opens is in the
// exporter's table and nowhere else, so that made-up, altered and outlived bytes open nothing.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "ipc/descriptor.hpp"
#include "ipc/process.hpp"
#include "xhal/base.h"

namespace xhal::sim {

enum class ShareKind : uint32_t { kMemory = 1, kEvent = 2 };

struct ShareHandle {
  std::array<char, 8> magic;
  uint32_t version;
  uint32_t kind;
  uint32_t device;
  uint32_t reserved;
  uint64_t exporter;             // a ProcessId, for texts; processes are told apart by the next
  std::array<uint8_t, 16> name;  // of the exporter's socket
  std::array<uint8_t, 32> secret;
  uint64_t check;  // tells damage, and is no protection
};
static_assert(sizeof(ShareHandle) == 88);

// False when the system has no random bytes.
[[nodiscard]] bool make_handle(ShareKind kind, uint32_t device, const std::array<uint8_t, 16>& name,
                               ShareHandle& out);
[[nodiscard]] bool fill_randomly(void* bytes, size_t size);
// INVALID_ARGUMENT for bytes that are no handle of that kind. Whether the handle opens anything is the exporter's to say.
xhal_result_t read_handle(const void* bytes, uint64_t size, ShareKind kind, ShareHandle& out,
                          std::string& why);
// Takes the same time whatever differs.
[[nodiscard]] bool same_handle(const ShareHandle& a, const ShareHandle& b);

// The exporter's answer; descriptors come with it.
struct ShareReply {
  uint64_t is_granted = 0;
  uint64_t offset = 0;
  uint64_t bytes = 0;
  uint64_t size = 0;
};
inline constexpr int kMostShareFiles = 2;

struct Fetched {
  ShareReply reply;
  Descriptor files[kMostShareFiles];
  Descriptor connection;  // as long as it is open, the exporter knows that somebody has it
};
// Asks the exporter. INVALID_ARGUMENT when it is gone or knows no such handle, IO when it does not answer in time.
xhal_result_t fetch(const ShareHandle& handle, uint32_t answer_ms, Fetched& out, std::string& why);

}  // namespace xhal::sim
