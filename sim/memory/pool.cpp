// SPDX-License-Identifier: Apache-2.0
#include "memory/pool.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

namespace xhal::sim {
namespace {

// Addresses are taken from the arena in pieces of at least this: they cost nothing and save its lock.
constexpr uint64_t kPiece = uint64_t{2} << 20;

bool is_done(const Position& position) {
  return position.progress == nullptr || position.progress->reached(position.number);
}

bool are_done(const Pool::Users& users) { return users == nullptr || std::ranges::all_of(*users, is_done); }

// Those of both that are not done; of each stream the later.
Pool::Users joined(const Pool::Users& one, const Pool::Users& other) {
  if (other == nullptr || one == other) return one;
  if (one == nullptr) return other;
  std::vector<Position> all;
  for (const Pool::Users& users : {one, other}) {
    for (const Position& user : *users) {
      if (is_done(user)) continue;
      const auto same = std::ranges::find(all, user.progress, &Position::progress);
      if (same == all.end()) {
        all.push_back(user);
      } else {
        same->number = std::max(same->number, user.number);
      }
    }
  }
  return all.empty() ? nullptr : std::make_shared<const std::vector<Position>>(std::move(all));
}

void move_all(FreeSpace& from, FreeSpace& to) {
  while (!from.empty()) to.give(from.take_largest());
}

}  // namespace

Pool::Pool(Arena& arena, const StreamOrder& order, uint64_t threshold, uint64_t most)
    : arena_(arena), order_(order), threshold_(threshold), most_(most == 0 ? arena.limit() : most) {}

// Everybody's when the stream has come so far, or when the stream has taken all addresses again and paid from elsewhere.
bool Pool::settle_oldest(Batches& batches, const Progress& stream) {
  Batch& oldest = batches.front();
  if (!oldest.space.empty() && !(stream.reached(oldest.number) && are_done(oldest.users))) return false;
  move_all(oldest.space, ready_);
  waiting_charge_ -= oldest.charge;
  batches.erase(batches.begin());
  return true;
}

void Pool::collect() {
  for (auto it = waits_.begin(); it != waits_.end();) {
    auto& [stream, batches] = *it;
    while (!batches.empty() && settle_oldest(batches, *stream)) {
    }
    it = batches.empty() ? waits_.erase(it) : std::next(it);
  }
}

template <class Use>
void Pool::for_usable(const Position& behind, const Progress& stream, Batches& batches, Use&& use) const {
  const auto follows = [&](const Position& position) {
    return is_done(position) || order_.is_behind(behind, position);
  };
  for (auto batch = batches.rbegin(); batch != batches.rend(); ++batch) {
    if (&stream != behind.progress && !follows({&stream, batch->number})) continue;
    if (batch->users != nullptr && !std::ranges::all_of(*batch->users, follows)) continue;
    use(Source{&*batch, &stream});
  }
}

Pool::Sources Pool::usable_own(const Position& behind, OwnSources& out) {
  const auto it = waits_.find(behind.progress);
  if (it == waits_.end()) return {};
  Batches& batches = it->second;
  while (!batches.empty() && settle_oldest(batches, *it->first)) {
  }
  size_t count = 0;
  for_usable(behind, *it->first, batches, [&](const Source& source) { out[count++] = source; });
  return {out.data(), count};
}

// From what is free, then from what the stream itself has freed, then from those that it follows, then from the device.
bool Pool::pay(uint64_t charge, Sources own, Sources followed, bool grow) {
  uint64_t missing = charge - std::min(charge, available());
  uint64_t waiting = 0;
  for (const Sources sources : {own, followed}) {
    for (const Source& source : sources) waiting += source.batch->charge;
  }
  const uint64_t from_waiting = std::min(missing, waiting);
  const uint64_t from_device = missing - from_waiting;
  if (from_device != 0) {
    const uint64_t most = Arena::charge_of(std::min(most_, arena_.limit()));
    if (!grow || from_device > most - std::min(most, reserved_) || !arena_.charge(from_device)) return false;
    reserved_ += from_device;
  }
  missing = from_waiting;
  for (const Sources sources : {own, followed}) {
    for (const Source& source : sources) {
      const uint64_t part = std::min(missing, source.batch->charge);
      source.batch->charge -= part;
      missing -= part;
    }
  }
  waiting_charge_ -= from_waiting;
  live_charge_ += charge;
  return true;
}

// Addresses that lie unused have no pages: those of memory that is free, if there is enough, or of the memory that pays.
std::optional<uint64_t> Pool::allocate_from(Sources own, Sources followed, bool grow, uint64_t size) {
  const uint64_t footprint = Arena::footprint(size);
  const uint64_t charge = Arena::charge_of(size);
  const bool ready_first = available() >= charge;
  const auto has_room = [&](const Source& source) { return source.batch->space.largest() >= footprint; };
  if (!grow && ready_.largest() < footprint && std::ranges::none_of(own, has_room)) return std::nullopt;
  if (!pay(charge, own, followed, grow)) return std::nullopt;
  Users users;
  const auto take = [&](Sources sources, bool are_own) -> std::optional<uint64_t> {
    for (const auto& [batch, stream] : sources) {
      const auto address = batch->space.take(footprint, Arena::kGranule);
      if (!address.has_value()) continue;
      users = batch->users;
      if (!are_own) {
        const Position freed = {stream, batch->number};
        users = joined(users, std::make_shared<const std::vector<Position>>(1, freed));
      }
      return address;
    }
    return std::nullopt;
  };
  std::optional<uint64_t> address = take(own, true);
  if (!address.has_value() && !ready_first) address = take(followed, false);
  if (!address.has_value()) address = ready_.take(footprint, Arena::kGranule);
  if (!address.has_value() && ready_first) address = take(followed, false);
  if (grow) {
    for (const uint64_t piece : {std::max(footprint, kPiece), footprint}) {
      if (address.has_value()) break;
      address = arena_.take(piece, Arena::kGranule);
      if (address.has_value() && piece != footprint) ready_.give({*address + footprint, *address + piece});
    }
  }
  if (!address.has_value()) {
    live_charge_ -= charge;
    return std::nullopt;
  }
  live_.emplace(*address, Retired{size, std::move(users)});
  used_ += size;
  peak_used_ = std::max(peak_used_, used_);
  peak_reserved_ = std::max(peak_reserved_, reserved_);
  return address;
}

std::optional<uint64_t> Pool::allocate(uint64_t size, const Position& behind) {
  const std::lock_guard lock(mutex_);
  if (size > most_ || used_ > most_ - size || size > arena_.limit()) return std::nullopt;
  OwnSources room;
  Sources own = usable_own(behind, room);
  // What others have freed is looked at only when that is not enough.
  if (const auto address = allocate_from(own, {}, false, size); address.has_value()) return address;
  collect();
  own = usable_own(behind, room);
  std::vector<Source> followed;
  for (auto& [stream, batches] : waits_) {
    if (stream == behind.progress) continue;
    for_usable(behind, *stream, batches, [&](const Source& source) { followed.push_back(source); });
  }
  return allocate_from(own, followed, true, size);
}

bool Pool::has(uint64_t address) {
  const std::lock_guard lock(mutex_);
  return live_.contains(address);
}

std::optional<Pool::Retired> Pool::retire(uint64_t address) {
  const std::lock_guard lock(mutex_);
  const auto it = live_.find(address);
  if (it == live_.end()) return std::nullopt;
  Retired retired = std::move(it->second);
  live_.erase(it);
  used_ -= retired.size;
  return retired;
}

void Pool::free(uint64_t address, const Retired& retired, const Position& behind) {
  const std::lock_guard lock(mutex_);
  const Interval addresses = {address, address + Arena::footprint(retired.size)};
  const uint64_t charge = Arena::charge_of(retired.size);
  live_charge_ -= charge;
  was_freed_.store(true, std::memory_order_relaxed);
  const Users users = are_done(retired.users) ? nullptr : retired.users;
  if (users == nullptr && is_done(behind)) {
    ready_.give(addresses);
    return;
  }
  // With nothing to come behind it waits for its users alone.
  const Position place = behind.progress != nullptr ? behind : users->front();
  Batches& batches = waits_[place.progress];
  if (batches.empty() || batches.back().number != place.number) {
    batches.emplace_back();
    batches.back().number = place.number;
    // The oldest stays as it is, so that the stream comes to its end one day.
    if (batches.size() > kMostBatches) {
      Batch& older = batches[1];
      Batch& newer = batches[2];
      if (older.space.holes() > newer.space.holes()) std::swap(older.space, newer.space);
      move_all(older.space, newer.space);
      newer.charge += older.charge;
      newer.number = std::max(older.number, newer.number);
      newer.users = joined(older.users, newer.users);
      batches.erase(batches.begin() + 1);
    }
  }
  Batch& batch = batches.back();
  batch.space.give(addresses);
  batch.charge += charge;
  batch.users = joined(batch.users, users);
  waiting_charge_ += charge;
}

void Pool::settle() {
  if (!was_freed_.load(std::memory_order_relaxed)) return;
  const std::lock_guard lock(mutex_);
  collect();
  trim_locked(threshold_);
  was_freed_.store(!waits_.empty(), std::memory_order_relaxed);
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
  for (auto& [stream, batches] : waits_) {
    for (Batch& batch : batches) {
      while (!batch.space.empty()) waiting({batch.space.take_largest(), std::exchange(batch.charge, 0)});
    }
  }
  waits_.clear();
  for (const auto& [address, allocation] : live_) live(address);
  live_.clear();
}

}  // namespace xhal::sim
