// SPDX-License-Identifier: Apache-2.0
#include "world.hpp"

#include <algorithm>

namespace xhal::validate {

std::mutex& layer_lock() {
  static std::mutex& lock = *new std::mutex;  // never destroyed: calls may come during static destruction
  return lock;
}

World& world() {
  static World& all = *new World;
  return all;
}

// ---- Objects -----------------------------------------------------------------------------------------------------------------

Object* World::find(const void* handle) {
  const auto found = objects_.find(handle);
  return found != objects_.end() ? &found->second : nullptr;
}

Object& World::add(const void* handle, const Object& object) { return objects_[handle] = object; }

std::vector<const void*> World::children_of(const void* parent) {
  std::vector<const void*> children;
  for (const auto& [handle, object] : objects_) {
    if (object.parent == parent && object.state == State::kLive) children.push_back(handle);
  }
  return children;
}

// ---- Memory ------------------------------------------------------------------------------------------------------------------

Memory* World::memory_at(uintptr_t address) {
  auto above = live_.upper_bound(address);
  if (above == live_.begin()) return nullptr;
  Memory& memory = std::prev(above)->second;
  return address < memory.end() ? &memory : nullptr;
}

Memory* World::memory_from(uintptr_t address) {
  const auto found = live_.lower_bound(address);
  return found != live_.end() ? &found->second : nullptr;
}

const Memory* World::freed_at(uintptr_t address) {
  auto above = freed_.upper_bound(address);
  if (above == freed_.begin()) return nullptr;
  const Memory& memory = std::prev(above)->second.memory;
  return address < memory.end() ? &memory : nullptr;
}

void World::forget_freed(uintptr_t begin, uintptr_t end) {
  auto at = freed_.upper_bound(begin);
  if (at != freed_.begin() && std::prev(at)->second.memory.end() > begin) --at;
  while (at != freed_.end() && at->first < end) at = freed_.erase(at);
}

void World::add_memory(const Memory& memory) {
  auto at = live_.upper_bound(memory.base);
  if (at != live_.begin() && std::prev(at)->second.end() > memory.base) --at;
  while (at != live_.end() && at->first < memory.end()) at = live_.erase(at);
  forget_freed(memory.base, memory.end());
  live_[memory.base] = memory;
}

void World::end_memory(uintptr_t base, const Site& ended) {
  const auto found = live_.find(base);
  if (found == live_.end()) return;
  Memory memory = found->second;
  live_.erase(found);
  // The application's own memory lives on, and reserved addresses were none.
  if (memory.kind == MemoryKind::kRegistered || memory.kind == MemoryKind::kReserved) return;
  memory.ended = ended;
  forget_freed(memory.base, memory.end());
  freed_[memory.base] = {memory, ++last_release_};
  releases_.push_back({memory.base, last_release_});
  if (releases_.size() <= kMostFreed) return;
  // What the oldest release left may be gone, and its address may have been released anew since.
  const Release oldest = releases_.front();
  releases_.pop_front();
  const auto left = freed_.find(oldest.base);
  if (left != freed_.end() && left->second.release == oldest.number) freed_.erase(left);
}

void World::restore_memory(const Memory& memory) {
  if (memory_at(memory.base) == nullptr) add_memory(memory);
}

void World::drop_memory(uintptr_t base) { live_.erase(base); }

std::map<uintptr_t, Mapping>::iterator World::first_mapping(uintptr_t begin, uint64_t size) {
  auto at = mappings_.upper_bound(begin);
  if (at != mappings_.begin() && begin - std::prev(at)->first < std::prev(at)->second.size)
    return std::prev(at);
  return at != mappings_.end() && at->first - begin < size ? at : mappings_.end();
}

void World::forget_mappings(uintptr_t begin, uint64_t size) {
  for (auto at = first_mapping(begin, size); at != mappings_.end(); at = first_mapping(begin, size))
    mappings_.erase(at);
}

World::Remains World::remove(const Attachment* owner) {
  Remains remains;
  for (auto at = objects_.begin(); at != objects_.end();) {
    if (at->second.owner != owner) {
      ++at;
      continue;
    }
    if (at->second.state == State::kEnded) remains.ended.push_back(at->first);
    if (at->second.state == State::kLive && at->second.owned) remains.objects.push_back(at->second);
    at = objects_.erase(at);
  }
  for (auto at = live_.begin(); at != live_.end();) {
    if (at->second.owner != owner) {
      ++at;
      continue;
    }
    remains.memory.push_back(at->second);
    if (at->second.kind == MemoryKind::kReserved) forget_mappings(at->first, at->second.size);
    at = live_.erase(at);
  }
  std::erase_if(freed_, [&](const auto& one) { return one.second.memory.owner == owner; });
  const auto earlier = [](const auto& a, const auto& b) { return a.made.call < b.made.call; };
  std::sort(remains.objects.begin(), remains.objects.end(), earlier);
  std::sort(remains.memory.begin(), remains.memory.end(), earlier);
  return remains;
}

}  // namespace xhal::validate
