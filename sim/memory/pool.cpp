// SPDX-License-Identifier: Apache-2.0
#include "memory/pool.hpp"

#include <algorithm>

namespace xhal::sim {
namespace {

// Addresses are taken from the arena in pieces of at least this: they cost nothing and save its lock.
constexpr uint64_t kPiece = uint64_t{2} << 20;

}  // namespace

Pool::Pool(Arena& arena, uint64_t threshold, uint64_t most)
    : arena_(arena), threshold_(threshold), most_(most == 0 ? arena.limit() : most) {}

// Everybody's when the stream has come so far, or when the stream has taken all addresses again and paid from elsewhere.
bool Pool::settle_generation(Generation& generation, const Progress& stream) {
  if (!generation.space.empty() && !stream.reached(generation.number)) return false;
  while (!generation.space.empty()) ready_.give(generation.space.take_largest());
  waiting_charge_ -= generation.charge;
  generation = {};
  return true;
}

void Pool::collect() {
  for (auto it = waits_.begin(); it != waits_.end();) {
    const Progress& stream = *it->first;
    Waits& waits = it->second;
    if (settle_generation(waits.old, stream)) {
      std::swap(waits.old, waits.young);
      static_cast<void>(settle_generation(waits.old, stream));
    }
    it = waits.old.space.empty() && waits.young.space.empty() ? waits_.erase(it) : std::next(it);
  }
}

std::optional<uint64_t> Pool::take(uint64_t footprint, Waits* waits) {
  if (waits != nullptr) {
    for (Generation* generation : {&waits->old, &waits->young}) {
      if (const auto address = generation->space.take(footprint, Arena::kGranule); address.has_value())
        return address;
    }
  }
  if (const auto address = ready_.take(footprint, Arena::kGranule); address.has_value()) return address;
  for (const uint64_t piece : {std::max(footprint, kPiece), footprint}) {
    const auto address = arena_.take(piece, Arena::kGranule);
    if (!address.has_value()) continue;
    if (piece != footprint) ready_.give({*address + footprint, *address + piece});
    return address;
  }
  return std::nullopt;
}

// From what is free, then from what the stream itself has freed, then from the device.
bool Pool::pay(uint64_t charge, Waits* waits) {
  uint64_t missing = charge - std::min(charge, available());
  uint64_t own[2] = {0, 0};
  if (waits != nullptr) {
    own[0] = std::min(missing, waits->old.charge);
    own[1] = std::min(missing - own[0], waits->young.charge);
    missing -= own[0] + own[1];
  }
  const uint64_t most = Arena::charge_of(std::min(most_, arena_.limit()));
  if (missing > most - std::min(most, reserved_) || !arena_.charge(missing)) return false;
  reserved_ += missing;
  if (waits != nullptr) {
    waits->old.charge -= own[0];
    waits->young.charge -= own[1];
    waiting_charge_ -= own[0] + own[1];
  }
  live_charge_ += charge;
  return true;
}

std::optional<uint64_t> Pool::allocate(uint64_t size, const Progress& stream) {
  const std::lock_guard lock(mutex_);
  if (size > most_ || used_ > most_ - size || size > arena_.limit()) return std::nullopt;
  collect();
  const auto it = waits_.find(&stream);
  Waits* const waits = it == waits_.end() ? nullptr : &it->second;
  const uint64_t charge = Arena::charge_of(size);
  if (!pay(charge, waits)) return std::nullopt;
  const std::optional<uint64_t> address = take(Arena::footprint(size), waits);
  if (!address.has_value()) {
    live_charge_ -= charge;
    return std::nullopt;
  }
  live_.emplace(*address, size);
  used_ += size;
  peak_used_ = std::max(peak_used_, used_);
  peak_reserved_ = std::max(peak_reserved_, reserved_);
  return address;
}

bool Pool::has(uint64_t address) {
  const std::lock_guard lock(mutex_);
  return live_.contains(address);
}

std::optional<uint64_t> Pool::retire(uint64_t address) {
  const std::lock_guard lock(mutex_);
  const auto it = live_.find(address);
  if (it == live_.end()) return std::nullopt;
  const uint64_t size = it->second;
  live_.erase(it);
  used_ -= size;
  return size;
}

void Pool::free(uint64_t address, uint64_t size, const Position& behind) {
  const std::lock_guard lock(mutex_);
  const Interval addresses = {address, address + Arena::footprint(size)};
  const uint64_t charge = Arena::charge_of(size);
  live_charge_ -= charge;
  if (behind.progress == nullptr || behind.progress->reached(behind.number)) {
    ready_.give(addresses);
    return;
  }
  Generation& young = waits_[behind.progress].young;
  young.space.give(addresses);
  young.charge += charge;
  young.number = std::max(young.number, behind.number);
  waiting_charge_ += charge;
}

void Pool::trim(uint64_t keep) {
  const std::lock_guard lock(mutex_);
  collect();
  trim_locked(keep);
}

void Pool::trim_locked(uint64_t keep) {
  const uint64_t surplus = std::min(available(), reserved_ - std::min(reserved_, keep));
  if (surplus == 0) return;
  for (uint64_t given = 0; given < surplus && !ready_.empty();) {
    const Interval hole = ready_.take_largest();
    given += hole.size();
    arena_.give(hole);
  }
  reserved_ -= surplus;
  arena_.uncharge(surplus);
}

Pool::Info Pool::info() {
  const std::lock_guard lock(mutex_);
  collect();
  trim_locked(threshold_);
  return {reserved_, used_, peak_reserved_, peak_used_};
}

void Pool::dissolve(const std::function<void(uint64_t address)>& live,
                    const std::function<void(const Waiting&)>& waiting) {
  const std::lock_guard lock(mutex_);
  collect();
  trim_locked(0);
  while (!ready_.empty()) arena_.give(ready_.take_largest());
  for (auto& [stream, waits] : waits_) {
    for (Generation* generation : {&waits.old, &waits.young}) {
      while (!generation->space.empty()) {
        waiting({generation->space.take_largest(), std::exchange(generation->charge, 0)});
      }
    }
  }
  waits_.clear();
  for (const auto& [address, size] : live_) live(address);
  live_.clear();
}

}  // namespace xhal::sim
