// SPDX-License-Identifier: Apache-2.0
#include "xhal/caching/allocator.hpp"

#include <algorithm>

#include "state.hpp"

namespace xhal::caching {

using State = AllocatorState;

void* address_of(const Block* block) {
  return block == nullptr ? nullptr : reinterpret_cast<void*>(block->address);
}
uint64_t size_of(const Block* block) { return block == nullptr ? 0 : block->size; }
uint64_t requested_of(const Block* block) { return block == nullptr ? 0 : block->requested; }

Allocator* owner_of(const Block* block) { return block == nullptr ? nullptr : block->pool->allocator; }

namespace {

std::string in_units(uint64_t bytes) {
  constexpr const char* kUnits[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
  size_t unit = 0;
  auto value = static_cast<double>(bytes);
  for (; value >= 1024 && unit + 1 < std::size(kUnits); ++unit) value /= 1024;
  char text[64];
  std::snprintf(text, sizeof(text), unit == 0 ? "%.0f %s" : "%.2f %s", value, kUnits[unit]);
  return text;
}

bool claims(xhal_device_t device, uint32_t feature) {
  uint32_t claimed = 0;
  return xhal_device_has_feature(device, feature, &claimed) == XHAL_SUCCESS && claimed != 0;
}

}  // namespace

std::string OutOfMemory::text() const {
  std::string out = "Tried to allocate " + in_units(requested) + ".";
  if (device_total != 0)
    out += " The device has a total of " + in_units(device_total) + ", of which " + in_units(device_free) +
           " is free.";
  if (limit != 0) out += " The allocator may take " + in_units(limit) + ".";
  out += " The allocator holds " + in_units(reserved);
  if (reserved_in_pools != 0) out += ", of which " + in_units(reserved_in_pools) + " is in pools of graphs";
  out += ": " + in_units(live) + " is in use, and " + in_units(reserved - std::min(live, reserved)) +
         " is reserved but not in use.";
  if (reserved > live + live / 2)
    out +=
        " If that is much, memory may be fragmented: see max_split_size_mb and expandable_segments of "
        "PYTORCH_ALLOC_CONF.";
  return out;
}

AllocatorState::AllocatorState(xhal_driver_t of_driver, xhal_device_t of_device, const Settings& with)
    : driver(of_driver), device(of_device), settings(with) {
  if (settings.max_split_bytes != UINT64_MAX)
    stats.max_split_size = static_cast<int64_t>(settings.max_split_bytes);
}

xhal_result_t State::open() {
  if (settings.check()) return XHAL_ERROR_INVALID_ARGUMENT;
  xhal_device_properties_t properties = {};
  properties.struct_size = sizeof(properties);
  if (const xhal_result_t result = xhal_device_get_properties(device, &properties); result != XHAL_SUCCESS)
    return result;
  device_bytes = properties.memory_bytes;
  has_graphs = claims(device, XHAL_FEATURE_GRAPH);
  if (!settings.expandable) return XHAL_SUCCESS;
  if (!claims(device, XHAL_FEATURE_VMM)) return XHAL_ERROR_UNSUPPORTED;
  xhal_vmm_granularity_t granularity = {};
  granularity.struct_size = sizeof(granularity);
  const xhal_result_t result = xhal_vmm_get_granularity(device, &granularity);
  vmm.granularity = granularity.recommended;
  return result;
}

// What is live stays the driver's. Memory that waits for others is the driver's to keep until they are through.
AllocatorState::~AllocatorState() {
  std::unique_lock lock(mutex);
  filling.clear();
  for (const auto& pool : pools) pool->holders = 0;
  wait_for_all_users(lock);
  give_back_free(small);
  give_back_free(large);
  give_back_unheld({});
  for (Pool* pool : {&small, &large}) {
    const bool is_empty =
        std::ranges::all_of(pool->expandable, [](const auto& segment) { return segment->mapped == 0; });
    if (is_empty) release_addresses(*pool);
  }
  for (xhal_event_t event : spare_events) xhal_event_destroy(event);
}

RelaxedCapture::RelaxedCapture(const State& state) {
  if (!state.has_graphs) return;
  if (xhal_driver_exchange_capture_mode(state.driver, XHAL_CAPTURE_RELAXED, &former_) == XHAL_SUCCESS)
    driver_ = state.driver;
}

RelaxedCapture::~RelaxedCapture() {
  uint32_t relaxed = 0;
  if (driver_ != nullptr) xhal_driver_exchange_capture_mode(driver_, former_, &relaxed);
}

PrivatePool* State::find_pool(PoolId id) {
  const auto found = std::ranges::find_if(pools, [&](const auto& pool) { return pool->id == id; });
  return found == pools.end() ? nullptr : found->get();
}

Allocator::Allocator(std::unique_ptr<AllocatorState> state) : state_(std::move(state)) {
  state_->small.allocator = state_->large.allocator = this;
}
Allocator::~Allocator() = default;

xhal_result_t Allocator::create(xhal_driver_t driver, xhal_device_t device, const Settings& settings,
                                std::unique_ptr<Allocator>* out) {
  auto state = std::make_unique<State>(driver, device, settings);
  const xhal_result_t result = state->open();
  if (result == XHAL_SUCCESS) *out = std::unique_ptr<Allocator>(new Allocator(std::move(state)));
  return result;
}

const Settings& Allocator::settings() const { return state_->settings; }

// ---- Pools of graphs ----

xhal_result_t Allocator::begin_pool(PoolId id, std::function<bool(Stream)> takes) {
  const std::lock_guard lock(state_->mutex);
  if (id == PoolId{} || !takes) return XHAL_ERROR_INVALID_ARGUMENT;
  if (std::ranges::any_of(state_->filling, [&](const auto& entry) { return entry.pool == id; }))
    return XHAL_ERROR_BUSY;
  PrivatePool* pool = state_->find_pool(id);
  if (pool == nullptr) pool = state_->pools.emplace_back(std::make_unique<PrivatePool>(id, this)).get();
  ++pool->holders;
  state_->filling.push_back({id, std::move(takes)});
  return XHAL_SUCCESS;
}

xhal_result_t Allocator::end_pool(PoolId id) {
  const std::lock_guard lock(state_->mutex);
  const auto ended = std::erase_if(state_->filling, [&](const auto& entry) { return entry.pool == id; });
  return ended == 0 ? XHAL_ERROR_NOT_FOUND : XHAL_SUCCESS;
}

xhal_result_t Allocator::release_pool(PoolId id) {
  const std::lock_guard lock(state_->mutex);
  PrivatePool* pool = state_->find_pool(id);
  if (pool == nullptr || pool->holders == 0) return XHAL_ERROR_NOT_FOUND;
  if (pool->holders == 1 &&
      std::ranges::any_of(state_->filling, [&](const auto& entry) { return entry.pool == id; }))
    return XHAL_ERROR_BUSY;
  --pool->holders;
  return XHAL_SUCCESS;
}

uint64_t Allocator::reserved_of(PoolId id) {
  const std::lock_guard lock(state_->mutex);
  const PrivatePool* pool = state_->find_pool(id);
  return pool == nullptr ? 0 : pool->reserved;
}

// ---- What is known ----

Stats Allocator::stats() {
  const std::lock_guard lock(state_->mutex);
  return state_->stats;
}

namespace {

template <typename Fn>
void for_each_stat(Stats& stats, Fn&& fn) {
  for (StatArray* array :
       {&stats.allocation, &stats.segment, &stats.active, &stats.inactive_split, &stats.allocated_bytes,
        &stats.reserved_bytes, &stats.active_bytes, &stats.inactive_split_bytes, &stats.requested_bytes})
    for (Stat& stat : *array) fn(stat);
  fn(stats.oversize_allocations);
  fn(stats.oversize_segments);
}

}  // namespace

void Allocator::reset_sums() {
  const std::lock_guard lock(state_->mutex);
  Stats& stats = state_->stats;
  for_each_stat(stats, [](Stat& stat) { stat.reset_sums(); });
  stats.num_alloc_retries = stats.num_ooms = stats.num_sync_all_streams = 0;
  stats.num_device_alloc = stats.num_device_free = 0;
}

void Allocator::reset_peaks() {
  const std::lock_guard lock(state_->mutex);
  for_each_stat(state_->stats, [](Stat& stat) { stat.reset_peak(); });
}

xhal_result_t Allocator::set_memory_fraction(double fraction) {
  const std::lock_guard lock(state_->mutex);
  if (!(fraction > 0 && fraction <= 1)) return XHAL_ERROR_INVALID_ARGUMENT;
  state_->fraction = fraction;
  const auto bytes = static_cast<uint64_t>(fraction * static_cast<double>(state_->device_bytes));
  state_->limit = fraction == 1 ? UINT64_MAX : bytes;
  return XHAL_SUCCESS;
}

double Allocator::memory_fraction() {
  const std::lock_guard lock(state_->mutex);
  return state_->fraction;
}

Block* Allocator::find(const void* address) {
  const std::lock_guard lock(state_->mutex);
  const auto wanted = reinterpret_cast<uint64_t>(address);
  auto after = state_->segments.upper_bound(wanted);
  if (after == state_->segments.begin()) return nullptr;
  for (Block* block = std::prev(after)->second; block != nullptr; block = block->next)
    if (wanted >= block->address && wanted - block->address < block->size)
      return block->is_live ? block : nullptr;
  return nullptr;
}

Allocator::Base Allocator::base_of(const Block* block) {
  const std::lock_guard lock(state_->mutex);
  if (block == nullptr || block->expandable != nullptr) return {};
  while (block->previous != nullptr) block = block->previous;
  Base out{reinterpret_cast<void*>(block->address), 0};
  for (; block != nullptr; block = block->next) out.size += block->size;
  return out;
}

}  // namespace xhal::caching
