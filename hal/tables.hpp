// SPDX-License-Identifier: Apache-2.0
// Dispatch tables: what the first word of a handle points to.
#pragma once

#include <atomic>
#include <cstdint>

#include "entries.hpp"
#include "log.hpp"
#include "xhal/driver.h"

namespace xhal::host {

inline constexpr uint32_t kTypeCount = 1 + []() constexpr {
  uint32_t largest = 0;
#define XHAL_LARGEST_TYPE_(name, tag) largest = tag > largest ? tag : largest;
  XHAL_HANDLE_LIST(XHAL_LARGEST_TYPE_)
#undef XHAL_LARGEST_TYPE_
  return largest;
}();

// The public table with what the call path needs beside it. `siblings` are written once, when the block is made, so that the path may
// read them without an atomic; all null in the dead table.
struct HostTable {
  xhal_table_t table;
  const xhal_table_t* siblings[kTypeCount];  // this driver's and instance's tables, by handle type
};

// The host_context of services: lies in a block, so that a call that comes after the instance is gone finds something to refuse.
struct HostContext {
  std::atomic<bool> open{false};       // false: lines go to stderr, activations nowhere
  std::atomic<bool> activated{false};  // something does not survive a fork
  LogSink log;                         // written before `open` turns true
};

// All tables of one driver of one instance.
struct TableBlock {
  TableBlock();
  HostTable tables[kTypeCount] = {};  // [0] is unused: no type has the tag 0
  HostContext context;
  TableBlock* next_free = nullptr;
};

enum class Refusal { kDead, kForked };

// Every slot returns UNSUPPORTED.
void fill_refusing(xhal_functions_t& functions);
// Replaces null slots by refusing ones and sets the header.
void complete(xhal_functions_t& functions);

// Makes a block live: slots of each type's own entries from `functions`, all others refusing with INVALID_HANDLE.
void set_live(TableBlock& block, const xhal_functions_t& functions);
// Overwrites the functions in place, so that every call through any handle of the block refuses from now on.
void set_refusing(TableBlock& block, Refusal refusal);
void set_refusing(xhal_table_t& table, Refusal refusal);

// What handles of destroyed objects point to.
const xhal_table_t* dead_table();

// The registry's pool of blocks; see stable_pool.hpp. The registry's mutex is held.
TableBlock* take_table_block();
void give_back_table_block(TableBlock* block);

inline const xhal_table_t* table_of(const xhal_handle_header_t* header) {
  return __atomic_load_n(&header->table, __ATOMIC_RELAXED);
}

// Several threads may stamp one handle at the same time, all with the same table.
inline void stamp(xhal_handle_header_t* header, const xhal_table_t* table) {
  __atomic_store_n(&header->table, table, __ATOMIC_RELAXED);
}

inline const HostTable* host_table(const xhal_table_t* table) {
  return reinterpret_cast<const HostTable*>(table);
}

// Why a handle cannot be used where one of `type` is needed; SUCCESS when it can. With a text reported when it cannot.
xhal_result_t check_handle(const xhal_handle_header_t* header, uint32_t type);

}  // namespace xhal::host
