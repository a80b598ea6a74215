// SPDX-License-Identifier: Apache-2.0
#pragma once

// Launches of the pack's kernels on buffers of every kind, beside the oracles.
#include <gtest/gtest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "element_oracles.h"
#include "native_harness.hpp"
#include "oracles.h"

namespace xhal::native_test {

namespace oracle = xhal::oracle;

inline constexpr std::array<std::uint64_t, 13> kCounts = {0,  1,   2,    3,    7,    31,   33,
                                                          64, 255, 1000, 1025, 4099, 70001};
inline constexpr std::array<std::uint32_t, 12> kGroupSizes = {1,  2,   3,   5,   16,   31,
                                                              64, 100, 255, 256, 1000, 1024};

enum class Place { kHost, kDevice };

// One buffer that a kernel sees, on the host with a guard page behind it or in the device window.
template <typename T>
class Buffer {
 public:
  Buffer(Place place, std::size_t count, std::uint64_t seed, const DeviceWindow& window, std::uint64_t offset)
      : host_(place == Place::kHost ? count : 0), count_(count) {
    if (place == Place::kHost) {
      data_ = host_.data();
      address_ = reinterpret_cast<std::uint64_t>(data_);
    } else {
      address_ = window.base() + offset;
      data_ = reinterpret_cast<T*>(window.backing(address_));
    }
    oracle::fill_random(span(), seed);
    before_.assign(data_, data_ + count);
  }
  [[nodiscard]] std::span<T> span() const { return {data_, count_}; }
  [[nodiscard]] const std::vector<T>& before() const { return before_; }
  [[nodiscard]] std::uint64_t address() const { return address_; }

 private:
  GuardedArray<T> host_;
  T* data_ = nullptr;
  std::size_t count_;
  std::uint64_t address_ = 0;
  std::vector<T> before_;
};

template <typename T>
void expect_same(const std::vector<T>& expected, std::type_identity_t<std::span<const T>> got) {
  const auto difference = oracle::first_difference(std::span<const T>(expected), got);
  EXPECT_FALSE(difference.has_value()) << to_string(*difference);
}

// Parameters of tests: a level, and for kernels in steps also a level and this mark, for the pack of the same sources with plain barriers.
inline constexpr const char* kPlainMark = "_plain";

inline std::vector<std::string> runnable_targets_and_plain() {
  std::vector<std::string> all;
  for (const std::string& target : runnable_targets()) {
    all.push_back(target);
    all.push_back(target + kPlainMark);
  }
  return all;
}

inline const xhal_native_image& load_pack(const std::string& parameter) {
  if (!parameter.ends_with(kPlainMark)) return load_image(XHAL_KERNEL_DIR, "xhal", parameter);
  return load_image(XHAL_PLAIN_PACK_DIR, "plain", parameter.substr(0, parameter.find(kPlainMark)));
}

class PackKernel : public testing::TestWithParam<std::string> {
 protected:
  static constexpr std::size_t kSlack = 5;  // elements behind n, which stay as they are
  static constexpr std::uint64_t kHalf = std::uint64_t{1} << 21;

  [[nodiscard]] const xhal_native_kernel& kernel(const std::string& name) const {
    return find_kernel(image_, name);
  }

  // Launches one row that covers n items and a whole group more.
  void launch_row(const std::string& name, const Arguments& arguments, std::uint64_t n,
                  std::uint32_t group_size) {
    Launch launch;
    launch.kernel = &kernel(name);
    launch.arguments = &arguments;
    launch.groups = {groups_for(n, group_size) + 1, 1, 1};
    launch.group_size = {group_size, 1, 1};
    launch.window = &window_;
    EXPECT_FALSE(run(launch));
  }

  using Case = std::function<void(Place first, Place second, std::uint64_t n, std::uint32_t group_size)>;

  // Small counts with every group size, large ones with a few; memory on both sides in all four ways.
  void for_each_shape(const Case& body) {
    static constexpr std::array<Place, 2> kPlaces = {Place::kHost, Place::kDevice};
    for (const std::uint64_t n : kCounts) {
      for (const std::uint32_t group_size : kGroupSizes) {
        if (n > 5000 && group_size < 100) continue;
        for (const Place first : kPlaces) {
          for (const Place second : kPlaces) {
            SCOPED_TRACE("n " + std::to_string(n) + ", group " + std::to_string(group_size) + ", places " +
                         std::to_string(static_cast<int>(first)) + std::to_string(static_cast<int>(second)));
            body(first, second, n, group_size);
            if (HasFailure()) return;
          }
        }
      }
    }
  }

  const xhal_native_image& image_ = load_pack(GetParam());
  DeviceWindow window_{2 * kHalf};
};

inline std::string level_name(const testing::TestParamInfo<std::string>& target) {
  return target.param.substr(std::string("x86-64-").size());
}

}  // namespace xhal::native_test
