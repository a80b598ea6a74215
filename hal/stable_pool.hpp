// SPDX-License-Identifier: Apache-2.0
// Memory that a stale pointer may read for ever: never unmapped, never used for another type, used again last of all.
#pragma once

#include <cstddef>
#include <new>

namespace xhal::host {

// A freed object goes to the end of a queue and is handed out again only when kMinimumQueue others were freed behind it. T has the
// member `T* next_free`, which belongs to the pool while the object is free, and is otherwise left as the last user left it.
// Not locked: the caller holds the registry's mutex.
template <class T>
class StablePool {
 public:
  static constexpr size_t kMinimumQueue = 1024;

  constexpr StablePool() = default;
  StablePool(const StablePool&) = delete;
  StablePool& operator=(const StablePool&) = delete;

  // Null when memory is exhausted. A new object is value-initialised, a used one keeps its contents.
  T* take() {
    if (queued_ <= kMinimumQueue) return new (std::nothrow) T{};
    T* object = oldest_;
    oldest_ = object->next_free;
    object->next_free = nullptr;
    --queued_;
    return object;
  }

  void give_back(T* object) {
    object->next_free = nullptr;
    if (queued_ == 0) {
      oldest_ = object;
    } else {
      newest_->next_free = object;
    }
    newest_ = object;
    ++queued_;
  }

 private:
  T* oldest_ = nullptr;
  T* newest_ = nullptr;
  size_t queued_ = 0;
};

}  // namespace xhal::host
