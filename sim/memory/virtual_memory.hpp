// SPDX-License-Identifier: Apache-2.0
// Reserved ranges of addresses, physical memory, and what is mapped where. [XHAL-VMM-1]
//
// Physical memory is a range of its device's file. Mapping it maps that range of the file behind the reserved addresses, once more, so that
// one may be seen at several places. What is unmapped stays backed until the work that was pending is done, and physical memory, too.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "memory/address_map.hpp"
#include "memory/arena.hpp"
#include "memory/retired.hpp"
#include "memory/window.hpp"
#include "xhal/base.h"

namespace xhal::sim {

class Device;

// What a handle of physical memory points to.
struct Physical {
  Physical(Device* of, uint32_t on_device, uint32_t made_in, Interval place)
      : owner(of), device(on_device), epoch(made_in), addresses(place) {}
  Physical(const Physical&) = delete;
  Physical& operator=(const Physical&) = delete;
  ~Physical();

  Device* const owner;  // not looked at here
  const uint32_t device;
  const uint32_t epoch;
  const Interval addresses;  // of the device's arena, told to nobody
  xhal_physical_t handle = nullptr;
  uint32_t mappings = 0;
};

class VirtualMemory {
 public:
  // Small enough to be useful on small devices; mappings are the process's scarce good (65,530 by Linux's default).
  static constexpr uint64_t kMinimum = uint64_t{64} << 10;
  static constexpr uint64_t kRecommended = uint64_t{2} << 20;

  // The arena of a device, or null with a reason.
  using ArenaOf = std::function<Arena*(uint32_t device, std::string& why)>;
  // Takes memory and addresses of a device's arena, from whoever holds some unused.
  using Allocate = std::function<xhal_result_t(uint32_t device, uint64_t size, uint64_t alignment,
                                               uint64_t& out_base, std::string& why)>;

  VirtualMemory(Window& window, AddressMap& map, RetiredMemory& retired, ArenaOf arena_of, Allocate allocate);
  VirtualMemory(const VirtualMemory&) = delete;
  VirtualMemory& operator=(const VirtualMemory&) = delete;
  // No work is left.
  ~VirtualMemory();

  // On an error `why` has a text. `device`, `epoch` and `id`: as in Memory.
  xhal_result_t reserve(uint32_t device, uint32_t epoch, uint64_t size, uint64_t alignment, uint64_t id,
                        void** out_pointer, std::string& why);
  xhal_result_t release(uint32_t device, const void* pointer, uint64_t size, std::string& why);
  // The handle is made, too. Throws std::bad_alloc.
  xhal_result_t create(Device* owner, uint32_t device, uint32_t epoch, uint64_t size,
                       xhal_physical_t* out_physical, std::string& why);
  void destroy(Physical& physical);
  xhal_result_t map(uint32_t device, uint32_t epoch, const void* pointer, uint64_t size, Physical& physical,
                    uint64_t offset, uint64_t id, std::string& why);
  xhal_result_t unmap(uint32_t device, const void* pointer, uint64_t size, std::string& why);
  xhal_result_t set_access(uint32_t device, uint32_t epoch, const void* pointer, uint64_t size,
                           uint32_t accessor, uint32_t access, std::string& why);

  // What the retired memory asks for when its time has come.
  void clear(const RetiredRange& range);

 private:
  struct Mapping {
    Physical* physical = nullptr;
    uint64_t size = 0;
    uint64_t readers = 0, writers = 0;
  };
  using Mappings = std::map<uint64_t, Mapping>;
  struct Reservation {
    uint64_t size = 0;
    Interval slice;
    uint32_t device = 0;
    uint32_t epoch = 0;
    uint32_t record = 0;  // in the address map
    Mappings mappings;
  };

  // Under mutex_. Null unless the device reserved a range that holds [begin, begin + size).
  Reservation* reservation_around(uint32_t device, uint64_t begin, uint64_t size);
  // The mappings that make up [begin, begin + size), without a gap and without a rest; false when there are no such.
  static bool covers(Reservation& reservation, uint64_t begin, uint64_t size, Mappings::iterator& first,
                     Mappings::iterator& last);
  void drop(Physical& physical, std::vector<RetiredRange>& out);

  Window& window_;
  AddressMap& map_;
  RetiredMemory& retired_;
  const ArenaOf arena_of_;
  const Allocate allocate_;
  std::mutex mutex_;  // not held while retired_ is called, which calls clear()
  std::map<uint64_t, Reservation> reservations_;
  std::unordered_map<Physical*, std::unique_ptr<Physical>> physicals_;
};

}  // namespace xhal::sim
