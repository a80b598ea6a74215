// SPDX-License-Identifier: Apache-2.0
// Other runtimes on the same machine, in the same rounds: only where the user has prepared a folder for them (scripts/bench-peers.sh) and names it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bench/runner/row.hpp"

namespace xhal::bench {

// The variable by which worker processes learn of --peers; not one of libxhal, which would miss its reader.
inline constexpr const char* kPeersVariable = "BENCH_PEERS_FOLDER";

// The folder, when peers are wanted and what they are beside is on the same processors.
std::optional<std::string> peers_folder(const Bench& bench);

// IREE's HAL: its own benchmark program, which dispatches a kernel that adds four numbers, in batches of `batch`; `device` is "local-task" or
// "local-sync". Each turn is a process of its own, and what it says is the time of a dispatch. Without a folder, or without IREE in it: nothing.
std::optional<Side> iree_side(const Bench& bench, const std::string& device, uint64_t batch);

// Adds both of IREE's devices to a row.
void add_iree(Row& row, const Bench& bench, uint64_t batch);

}  // namespace xhal::bench
