// SPDX-License-Identifier: Apache-2.0
// What a test has read back from the device, as one number: the same for the same arrays, whatever order its threads saw them in and however
// often it looked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>

namespace xhal::conformance {

class Digest {
 public:
  void add(std::span<const std::byte> array);
  // An array that another process of the test has read: its hash in hexadecimal and its size.
  void add(const std::string& hash, uint64_t size) { arrays_.emplace(hash, size); }

  // Of the different arrays, hashes and sizes in order.
  [[nodiscard]] const std::map<std::string, uint64_t>& arrays() const { return arrays_; }
  [[nodiscard]] uint64_t bytes() const;
  [[nodiscard]] std::string text() const;

 private:
  std::map<std::string, uint64_t> arrays_;
};

}  // namespace xhal::conformance
