// SPDX-License-Identifier: Apache-2.0
#include "tables.hpp"

#include <cstddef>
#include <type_traits>

#include "stable_pool.hpp"
#include "thread_error.hpp"

namespace xhal::host {
namespace {

const xhal_handle_header_t* header_of(const void* handle) {
  return static_cast<const xhal_handle_header_t*>(handle);
}

// It is libxhal that refuses, and no driver. The text is made when somebody reads it: only then the entry is known.
xhal_result_t refuse_unclaimed() {
  const xhal_error_report_t report = {sizeof(report), XHAL_ERROR_UNSUPPORTED, 0, "xhal", ""};
  report_error(&report);
  return XHAL_ERROR_UNSUPPORTED;
}

// One function of each kind for every slot, with the slot's own signature.
#define XHAL_ENTRY(feature, since, name, ...)                                                   \
  xhal_result_t unsupported_##name(XHAL_PARAMS(__VA_ARGS__)) { return refuse_unclaimed(); }     \
  xhal_result_t unusable_##name(XHAL_PARAMS(__VA_ARGS__)) {                                     \
    const auto* header = header_of(XHAL_FIRST_NAME(__VA_ARGS__));                               \
    const xhal_result_t why = check_handle(header, info_of(kEntry_##name).first_type);          \
    /* Whoever comes here with a handle that can be used raced with the end of its instance. */ \
    return why != XHAL_SUCCESS ? why : XHAL_ERROR_INVALID_HANDLE;                               \
  }
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
#include "xhal/entry_points.def"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

constexpr xhal_functions_t kUnsupported = {
    sizeof(xhal_functions_t),
    XHAL_ABI_REVISION,
#define XHAL_ENTRY(feature, since, name, ...) &unsupported_##name,
#include "xhal/entry_points.def"
};

constexpr xhal_functions_t kUnusable = {
    sizeof(xhal_functions_t),
    XHAL_ABI_REVISION,
#define XHAL_ENTRY(feature, since, name, ...) &unusable_##name,
#include "xhal/entry_points.def"
};

// Relaxed stores: the caller of a destroy orders it against other calls, and a fork's child has one thread. They are atomic so that a
// program that breaks this rule still finds whole pointers.
template <class Slot>
void store(Slot& slot, Slot value) {
  __atomic_store_n(&slot, value, __ATOMIC_RELAXED);
}

void copy_slots(xhal_functions_t& to, const xhal_functions_t& from) {
#define XHAL_ENTRY(feature, since, name, ...) store(to.name, from.name);
#include "xhal/entry_points.def"
}

constinit StablePool<TableBlock> g_blocks;

static_assert(std::is_trivially_destructible_v<StablePool<TableBlock>>, "must outlive static destruction");
static_assert(offsetof(HostTable, table) == 0);

constexpr HostTable make_dead_table() {
  HostTable dead{};
  dead.table.state = XHAL_TABLE_DEAD;
  dead.table.functions = kUnusable;
  return dead;
}

constinit const HostTable g_dead_table = make_dead_table();

}  // namespace

TableBlock::TableBlock() {
  for (uint32_t type = 1; type < kTypeCount; ++type) {
    tables[type].table.type = type;
    for (uint32_t other = 1; other < kTypeCount; ++other) tables[type].siblings[other] = &tables[other].table;
  }
  set_refusing(*this, Refusal::kDead);
}

void fill_refusing(xhal_functions_t& functions) { functions = kUnsupported; }

void complete(xhal_functions_t& functions) {
#define XHAL_ENTRY(feature, since, name, ...) \
  if (functions.name == nullptr) functions.name = kUnsupported.name;
#include "xhal/entry_points.def"
  functions.struct_size = sizeof(xhal_functions_t);
  functions.abi_revision = XHAL_ABI_REVISION;
}

void set_live(TableBlock& block, const xhal_functions_t& functions) {
  for (uint32_t type = 1; type < kTypeCount; ++type) {
    xhal_table_t& table = block.tables[type].table;
    table.functions.struct_size = sizeof(xhal_functions_t);
    table.functions.abi_revision = XHAL_ABI_REVISION;
#define XHAL_ENTRY(feature, since, name, ...) \
  store(table.functions.name, info_of(kEntry_##name).first_type == type ? functions.name : kUnusable.name);
#include "xhal/entry_points.def"
    store(table.state, XHAL_TABLE_LIVE);
  }
}

void set_refusing(xhal_table_t& table, Refusal refusal) {
  // The state first: the refusing functions read it to tell why.
  store(table.state, refusal == Refusal::kForked ? XHAL_TABLE_FORKED : XHAL_TABLE_DEAD);
  copy_slots(table.functions, kUnusable);
}

void set_refusing(TableBlock& block, Refusal refusal) {
  for (uint32_t type = 1; type < kTypeCount; ++type) set_refusing(block.tables[type].table, refusal);
}

const xhal_table_t* dead_table() { return &g_dead_table.table; }

TableBlock* take_table_block() { return g_blocks.take(); }

void give_back_table_block(TableBlock* block) { g_blocks.give_back(block); }

xhal_result_t check_handle(const xhal_handle_header_t* header, uint32_t type) {
  if (header == nullptr) {
    return fail(XHAL_ERROR_INVALID_HANDLE, "the %s is a null handle", type_name(type));
  }
  const xhal_table_t* table = table_of(header);
  switch (__atomic_load_n(&table->state, __ATOMIC_RELAXED)) {
    case XHAL_TABLE_LIVE:
      break;
    case XHAL_TABLE_FORKED:
      return fail(XHAL_ERROR_FORKED,
                  "the %s belongs to an instance that was active before this process was forked; create a "
                  "new instance",
                  type_name(type));
    default:
      return fail(XHAL_ERROR_INVALID_HANDLE, "the %s was destroyed, or its instance was", type_name(type));
  }
  if (table->type != type) {
    return fail(XHAL_ERROR_INVALID_HANDLE, "the handle is of type %s where this call takes one of type %s",
                type_name(table->type), type_name(type));
  }
  return XHAL_SUCCESS;
}

}  // namespace xhal::host
