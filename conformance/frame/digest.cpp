// SPDX-License-Identifier: Apache-2.0
#include "frame/digest.h"

#include <fmt/format.h>

#include <string_view>

#include "report/sha256.h"

namespace xhal::conformance {

void Digest::add(std::span<const std::byte> array) {
  add(sha256(std::string_view(reinterpret_cast<const char*>(array.data()), array.size())), array.size());
}

uint64_t Digest::bytes() const {
  uint64_t sum = 0;
  for (const auto& [hash, size] : arrays_) sum += size;
  return sum;
}

std::string Digest::text() const {
  std::string all = "xhal-conform digest/1\n";
  for (const auto& [hash, size] : arrays_) all += fmt::format("{} {}\n", hash, size);
  return sha256(all);
}

}  // namespace xhal::conformance
