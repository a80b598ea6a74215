// SPDX-License-Identifier: Apache-2.0
// Which codes a call may return: what docs/spec and the comments of the headers allow, so that a program under the layer meets nothing
// that no driver would answer.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string_view>

#include "../common/entry_list.hpp"

namespace xhal::fault {

using layers::Entry;

// Whether a driver may answer `code` to the entry. New entries get their answer from their parameters and their name.
bool may_return(Entry entry, xhal_result_t code);

// "OUT_OF_HOST_MEMORY" or "XHAL_ERROR_OUT_OF_HOST_MEMORY"; nothing when it is no error of the contract.
std::optional<xhal_result_t> code_from_name(std::string_view name);

// What a correct call may meet at any time: a lack of memory, or an error that the driver cannot name. `pinned` allocations lack
// host memory, all others memory of the device.
struct NaturalCodes {
  std::array<xhal_result_t, 3> codes;
  size_t count;
  [[nodiscard]] std::span<const xhal_result_t> all() const { return {codes.data(), count}; }
};
NaturalCodes natural_codes(Entry entry, bool pinned);

}  // namespace xhal::fault
